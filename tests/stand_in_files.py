"""The files of the stand-in trainer: as much of torch, accelerate and sd-scripts as the entry hooks into.

Its training is real in one respect: what it ends with depends on every batch, in order, on every random number and on
the state, so that a training that goes on where it should not, or with other numbers, ends with another weight.
"""

from __future__ import annotations

_TORCH = '''
"""Random numbers, and files as torch writes them: a zip with checksums."""
import contextlib, math, pickle, random, types, zipfile

_rng = random.Random(0)
get_rng_state, set_rng_state = _rng.getstate, _rng.setstate
draw = _rng.random

class Tensor:
    def __init__(self, value):
        self.value = value
        self.requires_grad = True
    def detach(self):
        return self
    def to(self, _device, copy=False):
        return Tensor(self.value)
    def copy_(self, other):
        self.value = other.value
    def all(self):
        return self.value

def is_tensor(value):
    return isinstance(value, Tensor)

def isfinite(tensor):
    return Tensor(math.isfinite(tensor.value))

@contextlib.contextmanager
def no_grad():
    yield

def save(value, path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", pickle.dumps(value))

def load(path, map_location=None, weights_only=True):
    with zipfile.ZipFile(path) as archive:
        return pickle.loads(archive.read("data.pkl"))

cuda = types.SimpleNamespace(is_available=lambda: False)
'''
_TORCH_DATA = '''
import torch

class DataLoader:
    num_workers, persistent_workers, generator = 0, False, None

    def __init__(self, dataset, collate_fn):
        self.dataset, self.collate_fn = dataset, collate_fn

    def __len__(self):
        return len(self.dataset)

    def __iter__(self):
        return _Batches(self)

class _Batches:
    """Its order is drawn when the first batch is asked for, as torch does."""
    def __init__(self, loader):
        self.loader, self.order = loader, None
        torch.draw()

    def __next__(self):
        if self.order is None:
            key = torch.draw()
            self.order = sorted(range(len(self.loader)), key=lambda index: hash((key, index)))
        if not self.order:
            raise StopIteration
        return self.loader.collate_fn([self.loader.dataset[self.order.pop(0)]])
'''
_ACCELERATE = """
import errno, json, os, random, struct
import torch
from types import SimpleNamespace
from accelerate.tracking import GeneralTracker

class _Handle:
    def __init__(self, hooks, hook):
        self.hooks, self.hook = hooks, hook
        hooks.append(hook)
    def remove(self):
        self.hooks.remove(self.hook)

class Accelerator:
    is_main_process = True
    sync_gradients = True
    num_processes = 1
    device = "cpu"

    def __init__(self):
        self.trackers, self.step, self.model, self.before_save, self.before_load = [], 0, None, [], []
        self.gradient_state = SimpleNamespace(active_dataloader=None)

    def init_trackers(self, project_name, config=None, init_kwargs=None):
        pass

    def register_save_state_pre_hook(self, hook):
        return _Handle(self.before_save, hook)

    def register_load_state_pre_hook(self, hook):
        return _Handle(self.before_load, hook)

    def skip_first_batches(self, dataloader, num_batches=0):
        raise AssertionError("the trainer skips only when it goes on from a state, and then the entry answers")

    def save_state(self, folder):
        os.makedirs(folder, exist_ok=True)
        if os.environ.get("STAND_IN") == "state-fails":
            raise OSError(errno.ENOSPC, "No space left on device", folder)
        weight = self.model.weight.value
        for hook in list(self.before_save):
            hook([self.model], [{"lora": self.model.weight}], folder)
        head = json.dumps({"lora": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}}).encode()
        with open(os.path.join(folder, "model.safetensors"), "wb") as file:
            file.write(struct.pack("<Q", len(head)) + head + struct.pack("<d", weight))
        torch.save({}, os.path.join(folder, "optimizer.bin"))
        torch.save({}, os.path.join(folder, "scheduler.bin"))
        torch.save({"step": self.step}, os.path.join(folder, "random_states_0.pkl"))

    def load_state(self, folder):
        for hook in list(self.before_load):
            hook([self.model], folder)
        with open(os.path.join(folder, "model.safetensors"), "rb") as file:
            self.model.weight.value = struct.unpack("<d", file.read()[-8:])[0]
"""
_ACCELERATE_DATA = '''
class DataLoaderShard:
    """Reads one batch ahead."""
    num_workers, persistent_workers = 0, False

    def __init__(self, base_dataloader):
        self.base_dataloader, self.iteration = base_dataloader, 0
        self.dataset, self.collate_fn = base_dataloader.dataset, base_dataloader.collate_fn

    def __len__(self):
        return len(self.base_dataloader)

    def __iter__(self):
        self.end_of_dataloader = False
        batches = self.base_dataloader.__iter__()
        batch = next(batches)
        while True:
            try:
                following = next(batches)
            except StopIteration:
                self.end_of_dataloader = True
                yield batch
                break
            yield batch
            batch = following
        self.iteration += 1
'''
_TRACKING = """
class GeneralTracker:
    def __init__(self):
        pass
"""
_TRAIN_UTIL = """
def resume_from_local_or_hf_if_specified(accelerator, args):
    if args.resume:
        accelerator.load_state(args.resume)

class collator_class:
    def __init__(self, epoch, step, dataset):
        self.current_epoch, self.current_step, self.dataset = epoch, step, dataset

    def __call__(self, examples):
        self.dataset.set_current_epoch(self.current_epoch.value)
        self.dataset.set_current_step(self.current_step.value)
        return examples[0]

class LossRecorder:
    def __init__(self):
        self.loss_list, self.loss_total = [], 0.0

    def add(self, *, epoch, step, loss):
        if epoch == 0:
            self.loss_list.append(loss)
        else:
            while len(self.loss_list) <= step:
                self.loss_list.append(0.0)
            self.loss_total -= self.loss_list[step]
            self.loss_list[step] = loss
        self.loss_total += loss

    @property
    def moving_average(self):
        return self.loss_total / len(self.loss_list)
"""
_LOOP = '''
"""The trainer's loop: its arithmetic, its order, its calls."""
import json, math, os, random, sys, time
from types import SimpleNamespace

import torch
from torch.utils.data import DataLoader
from accelerate import Accelerator
from accelerate.data_loader import DataLoaderShard
from library import train_util

class Pictures:
    """What is read is the picture's number, with random numbers as for a flip or a shuffled caption."""
    def __init__(self, paths):
        self.paths, self.current_epoch, self.current_step = list(paths), 0, 0

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        path = self.paths[index]
        if isinstance(path, str):
            with open(path, "rb") as file:
                file.read(1)
        return {"number": index, "epoch": self.current_epoch, "step": self.current_step, "flip": random.random()}

    def set_current_epoch(self, epoch):
        while self.current_epoch < epoch:
            self.current_epoch += 1
            random.seed(self.current_epoch)
            random.shuffle(self.paths)
        self.current_epoch = epoch

    def set_current_step(self, step):
        self.current_step = step

def train(paths, steps, *, accumulation=1, on_step=lambda step: None, on_epoch=lambda epoch: None, loss_of=None):
    """Returns the steps done and the weight that came out."""
    random.seed(0)  # as the trainer's set_seed
    epoch_told, step_told = SimpleNamespace(value=0), SimpleNamespace(value=0)
    pictures = Pictures(paths)
    loader = DataLoaderShard(DataLoader(pictures, train_util.collator_class(epoch_told, step_told, pictures)))
    args = SimpleNamespace(
        resume=None, resume_from_huggingface=False, initial_step=None, initial_epoch=None, network_args=None,
        skip_until_initial_step=False, sample_at_first=True, max_train_steps=steps,
        gradient_accumulation_steps=accumulation,
    )
    accelerator = Accelerator()
    weight = torch.Tensor(0.0)
    accelerator.model = SimpleNamespace(weight=weight, parameters=lambda: [weight])

    def save_train_state(models, weights, folder):
        with open(os.path.join(folder, "train_state.json"), "w") as file:
            json.dump({"current_epoch": epoch_told.value, "current_step": step_told.value + 1}, file)

    accelerator.register_save_state_pre_hook(save_train_state)
    train_util.resume_from_local_or_hf_if_specified(accelerator, args)
    steps_per_epoch = math.ceil(len(loader) / accumulation)
    epochs = math.ceil(steps / steps_per_epoch)
    print("running training / \\u5b66\\u7fd2\\u958b\\u59cb", flush=True)
    initial_step = args.initial_step or 0
    epoch_to_start = 0
    if initial_step > 0:
        assert args.skip_until_initial_step and steps > initial_step
        initial_step *= accumulation
        epoch_to_start = initial_step // steps_per_epoch
    global_step = 0
    accelerator.init_trackers("network_train", config={"max_train_steps": steps})
    recorder = train_util.LossRecorder()
    if initial_step > 0:
        for _ in range(epoch_to_start):
            initial_step -= len(loader)
        global_step = initial_step
    for epoch in range(epoch_to_start, epochs):
        epoch_told.value = epoch + 1
        rest = None
        if initial_step > 0:
            rest = accelerator.skip_first_batches(loader, initial_step - 1)
            initial_step = 1
        for count, batch in enumerate(rest or loader):
            step_told.value = global_step
            if initial_step > 0:
                initial_step -= 1
                continue
            time.sleep(float(os.environ.get("STAND_IN_STEP_S", "0.01")))
            accelerator.step += 1
            is_last = loader.end_of_dataloader
            accelerator.sync_gradients = accelerator.step % accumulation == 0 or is_last
            given = batch["number"] + 10 * batch["epoch"] + 0.01 * batch["step"] + batch["flip"]
            weight.value = weight.value / 2 + given + torch.draw()
            if accelerator.sync_gradients:
                accelerator.step = 0 if is_last else accelerator.step
                global_step += 1
            loss = 1.0 / max(global_step, 1) if loss_of is None else loss_of(global_step)
            recorder.add(epoch=epoch, step=count, loss=loss)
            print(f"\\rsteps: {global_step}/{steps} [avr_loss={loss:.3g}]", end="", file=sys.stderr)
            numbers = {"loss/current": loss, "loss/average": loss, "lr/unet": 1e-3}
            for tracker in accelerator.trackers:
                tracker.log(numbers, step=int(global_step))
            if accelerator.sync_gradients and on_step(global_step) == "break":
                return global_step, weight.value
            if global_step >= steps:
                break
        for tracker in accelerator.trackers:
            tracker.log({"loss/epoch_average": recorder.moving_average}, step=epoch + 1)
        on_epoch(epoch + 1)
    return global_step, weight.value
'''
_SCRIPT = r"""
import json, math, os, struct, subprocess, sys, time
import toml
from library import stand_in_loop

def safetensors(path, steps, up, weight=0.0):
    values = {"lora_unet_x.lora_down.weight": (1.0, 2.0), "lora_unet_x.lora_up.weight": up}
    header, data = {"__metadata__": {"ss_steps": str(steps), "stand_in_weight": repr(weight)}}, b""
    for name, numbers in values.items():
        packed = struct.pack(f"<{len(numbers)}f", *numbers)
        header[name] = {"dtype": "F32", "shape": [len(numbers)], "data_offsets": [len(data), len(data) + len(packed)]}
        data += packed
    head = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head + data)

def pictures_of(dataset):
    for subset in dataset["datasets"][0]["subsets"]:
        names = sorted(name for name in os.listdir(subset["image_dir"]) if name.endswith(".png"))
        for name in names * subset["num_repeats"]:
            yield os.path.join(subset["image_dir"], name)

def main():
    fault = os.environ.get("STAND_IN", "")
    fault_step = int(os.environ.get("STAND_IN_AT", "3"))
    train = toml.load(sys.argv[sys.argv.index("--config_file") + 1])
    dataset = toml.load(sys.argv[sys.argv.index("--dataset_config") + 1])
    print("pid", os.getpid(), flush=True)
    print("INFO     Loading dataset config from x    config_util.py:1", file=sys.stderr)
    if fault == "hang-before-training":
        time.sleep(60)
    if fault == "no-data":
        print("           ERROR    No data found. Please verify arguments      train_network.py:577", file=sys.stderr)
        return
    if fault == "error":
        raise ValueError("bad dimension 7")
    if fault == "argparse":
        print("train_network.py: error: unrecognized arguments: --foo", file=sys.stderr)
        sys.exit(2)
    if fault == "killed":
        os.kill(os.getpid(), 9)
    if fault == "silent":
        sys.exit(3)
    if fault == "chatty":
        for number in range(4000):
            print(f"line {number:05}", "x" * 60, file=sys.stderr)
    if fault == "orphan":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
    pictures = list(pictures_of(dataset))
    steps = train["max_train_epochs"] * len(pictures) if "max_train_epochs" in train else train["max_train_steps"]
    path_of = lambda step: os.path.join(train["output_dir"], f"{train['output_name']}{step}.{train['save_model_as']}")
    good = (0.5, 0.25)

    def loss_of(step):
        return math.nan if fault == "nan-loss" and step >= fault_step else 1.0 / max(step, 1)

    def draw(step):
        print(f"INFO     generating sample images at step: {step}    train_util.py:6389", file=sys.stderr)
        folder = os.path.join(train["output_dir"], "sample")
        os.makedirs(folder, exist_ok=True)
        with open(train["sample_prompts"], encoding="utf-8") as file:
            for number, _ in enumerate(file):
                name = f"{train['output_name']}_{step:06d}_{number:02d}_20260102030405_7.png"
                with open(os.path.join(folder, name), "wb") as picture:
                    picture.write(b"a picture")
                if fault == "error-in-samples" and step == fault_step:
                    raise RuntimeError("no more pictures")

    def on_step(step):
        if step % (train.get("sample_every_n_steps") or steps + 1) == 0:
            draw(step)
        if step % (train.get("save_every_n_steps") or steps + 1) == 0:
            up = (math.inf, 1.0) if fault == "infinite-checkpoint" else good
            safetensors(path_of(f"-step{step:08d}"), step, up)
        if fault == "hang" and step == fault_step:
            time.sleep(3600)
        if fault == "killed-at-step" and step == fault_step:
            os.kill(os.getpid(), 9)
        if fault == "error-at-step" and step == fault_step:
            raise RuntimeError("bad luck in the middle")
        if fault == "half" and step == steps // 2:
            return "break"

    epochs = math.ceil(steps / max(len(pictures), 1))

    def on_epoch(epoch):
        if epoch % (train.get("save_every_n_epochs") or epochs + 1) == 0 and epoch < epochs:
            safetensors(path_of(f"-{epoch:06d}"), epoch * len(pictures), good)

    done, weight = stand_in_loop.train(pictures, steps, on_step=on_step, on_epoch=on_epoch, loss_of=loss_of)
    if fault == "no-output":
        return
    path = path_of("")
    print("\nsaving checkpoint:", path, flush=True)
    if fault == "slow-save":
        time.sleep(1)
    up = {"nan": (math.nan, 1.0), "untrained": (0.0, 0.0)}.get(fault, good)
    safetensors(path, 3 if fault == "wrong-steps" else done, up, weight)
    if fault == "cut":
        os.truncate(path, os.path.getsize(path) - 3)
    print("INFO     model saved.", file=sys.stderr)

if __name__ == "__main__":
    main()
"""

FILES = {
    "train_network.py": _SCRIPT,
    "torch/__init__.py": _TORCH,
    "torch/utils/__init__.py": "",
    "torch/utils/data/__init__.py": _TORCH_DATA,
    "accelerate/__init__.py": _ACCELERATE,
    "accelerate/data_loader.py": _ACCELERATE_DATA,
    "accelerate/tracking.py": _TRACKING,
    "library/__init__.py": "",
    "library/train_util.py": _TRAIN_UTIL,
    "library/stand_in_loop.py": _LOOP,
}
