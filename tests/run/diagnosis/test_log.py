"""The line of a log that says why, found among wrappers, progress bars and innocent words."""

from __future__ import annotations

from pathlib import Path

import pytest

from loratpl.run.diagnosis.log import cause_from_log, parse_log, real_error

OUT_OF_MEMORY = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has 23.6 GiB."
CHAIN = """\
Traceback (most recent call last):
  File "/sd/library/train_util.py", line 2900, in load
    return cache[key]
KeyError: 'x.png'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/sd/train_network.py", line 1, in <module>
    trainer.train(args)
  File "/sd/library/train_util.py", line 2905, in load
    raise FileNotFoundError(path) from error
FileNotFoundError: [Errno 2] No such file or directory: '/p/image_dir/10_sks dog/x.png'
"""
LAUNCHED = f"""\
Traceback (most recent call last):
  File "/sd/train_network.py", line 1540, in <module>
    trainer.train(args)
{OUT_OF_MEMORY}
Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/accelerate/commands/launch.py", line 1106, in launch_command
    simple_launcher(args)
  File "/venv/lib/python3.11/site-packages/accelerate/commands/launch.py", line 704, in simple_launcher
    raise subprocess.CalledProcessError(returncode=process.returncode, cmd=cmd)
subprocess.CalledProcessError: Command '['/venv/bin/python', 'train_network.py']' returned non-zero exit status 1.
"""
TORCHRUN = """\
[rank0]: Traceback (most recent call last):
[rank0]:   File "/sd/train_network.py", line 1540, in <module>
[rank0]:     trainer.train(args)
[rank0]: RuntimeError: NCCL error: unhandled system error [rank0]: see above
E1122 15:00:00.000000 139 torch/distributed/elastic/multiprocessing/api.py:869] failed (exitcode: 1) local_rank: 0
Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/torch/distributed/launcher/api.py", line 264, in launch_agent
    raise ChildFailedError(
torch.distributed.elastic.multiprocessing.errors.ChildFailedError: 
============================================================
train_network.py FAILED
------------------------------------------------------------
Root Cause (first observed failure):
  exitcode  : 1 (pid: 4242)
============================================================
"""  # noqa: W291 - torchrun writes that blank
ARGPARSE = """\
usage: train_network.py [-h] [--v2] [--network_dim NETWORK_DIM]
train_network.py: error: argument --network_dim: invalid int value: '1e-4'
"""
NO_DATA = (
    "2026-01-01 10:00:00 WARNING  ignore subset with image_dir='/p': no images found    config_util.py:580\n"
    "                    ERROR    No data found. Please verify arguments (train_data_dir must be the parent of "
    "folders with images)" + " " * 40 + "train_network.py:577\n"
)
BARS = (
    "steps:   0%|          | 0/6 [00:00<?, ?it/s]\rsteps:  17%|█▋        | 1/6 [00:01<00:05, avr_loss=0.1]\r"
    "steps:  33%|███▎      | 2/6 [00:02<00:04, avr_loss=nan]Traceback (most recent call last):\r\n"
    '  File "/sd/train_network.py", line 1311, in train\r\n'
    "    raise ValueError('loss is nan')\r\n"
    "ValueError: loss is nan\r\n"
    "steps:  33%|███▎      | 2/6 [00:03<00:06, avr_loss=nan]"
)
NO_MESSAGE = """\
Traceback (most recent call last):
  File "/sd/networks/lora.py", line 12, in create
    assert rank > 0
AssertionError
"""
MESSAGE_OF_MANY_LINES = """\
Traceback (most recent call last):
  File "/sd/library/model_util.py", line 12, in load
    raise RuntimeError(text)
RuntimeError: Error(s) in loading state_dict for CLIPTextModel:
	size mismatch for text_model.embeddings: copying a param with shape [49408, 768] from checkpoint.
"""
LOWER_CASE_MODULE = """\
Traceback (most recent call last):
  File "/sd/library/model_util.py", line 12, in load
    state = safetensors.torch.load_file(path)
safetensors_rust.SafetensorError: Error while deserializing header: HeaderTooLarge
"""
CHECKED_CONFIG = """\
Traceback (most recent call last):
  File "/sd/library/config_util.py", line 12, in sanitize
    return validator(config)
voluptuous.error.MultipleInvalid: extra keys not allowed @ data['datasets'][0]['repeats']
ERROR    Invalid user config                                     config_util.py:372
"""
NOTHING_WRONG = """\
INFO     override steps. steps for 10 epochs is / 指定エポックまでのステップ数: 60    train_network.py:720
/venv/torch/utils/checkpoint.py:91: UserWarning: None of the inputs have requires_grad=True.
UserWarning: this line stands in no traceback
num train images * repeats / 学習画像の数×繰り返し回数: 6
ERRORS: none
"""


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        (LAUNCHED, OUT_OF_MEMORY),
        (TORCHRUN, "RuntimeError: NCCL error: unhandled system error [rank0]: see above"),
        (ARGPARSE, "the trainer refused its arguments: argument --network_dim: invalid int value: '1e-4'"),
        (NO_DATA, "No data found. Please verify arguments (train_data_dir must be the parent of folders with images)"),
        (BARS, "ValueError: loss is nan"),
        (NO_MESSAGE, "AssertionError"),
        (CHAIN, "FileNotFoundError: [Errno 2] No such file or directory: '/p/image_dir/10_sks dog/x.png'"),
        (MESSAGE_OF_MANY_LINES, "RuntimeError: Error(s) in loading state_dict for CLIPTextModel:"),
        (LOWER_CASE_MODULE, "safetensors_rust.SafetensorError: Error while deserializing header: HeaderTooLarge"),
        (CHECKED_CONFIG, "voluptuous.error.MultipleInvalid: extra keys not allowed @ data['datasets'][0]['repeats']"),
        (NO_DATA + LAUNCHED, OUT_OF_MEMORY),
        (LAUNCHED + NO_DATA, OUT_OF_MEMORY),
        (NOTHING_WRONG, None),
        ("", None),
    ],
    ids=["accelerate launch", "torchrun", "argparse", "logged", "progress bars", "no message", "chain",
         "message of many lines", "lower-case module", "exception before logged error", "logged before exception",
         "logged after exception", "nothing wrong", "empty"],
)  # fmt: skip
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_the_cause_is_what_the_trainer_itself_said_last(
    tmp_path: Path, log: str, cause: str | None, line_end: str
) -> None:
    path = tmp_path / "trainer.log"
    path.write_bytes(log.replace("\n", line_end).encode())
    assert cause_from_log(path) == cause


@pytest.mark.parametrize(
    "line",
    [
        "StopIteration",
        "KeyboardInterrupt",
        "subprocess.TimeoutExpired: Command 'git' timed out after 10 seconds",
        "zipfile.BadZipFile: File is not a zip file",
        "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
    ],
)
def test_every_exception_of_a_traceback_is_a_cause(line: str) -> None:
    assert real_error(["Traceback (most recent call last):", '  File "x.py", line 1, in f', line]) == line


def test_the_end_of_a_long_log_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "trainer.log"
    path.write_bytes(
        "学習 steps: 1/6\r".encode() * 100_000 + b"Traceback (most recent call last):\nValueError: at last\n"
    )
    assert cause_from_log(path) == "ValueError: at last"


def test_a_log_that_is_not_utf8_is_read_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "trainer.log"
    path.write_bytes(b"\xff\xfe\nTraceback (most recent call last):\nValueError: caf\xe9\n")
    assert cause_from_log(path) == "ValueError: caf�"


def test_a_log_that_is_not_there_has_no_cause(tmp_path: Path) -> None:
    assert cause_from_log(tmp_path / "trainer.log") is None


WORKER = """\
Traceback (most recent call last):
  File "/sd/train_network.py", line 1913, in <module>
    trainer.train(args)
FileNotFoundError: Caught FileNotFoundError in DataLoader worker process 0.
Original Traceback (most recent call last):
  File "/sd/library/train_util.py", line 2951, in load_image
    with Image.open(image_path) as image:
FileNotFoundError: [Errno 2] No such file or directory: '/p/x.png'
steps:  33%|███▎      | 2/6 [00:03<00:06, avr_loss=0.1]
"""


def test_exceptions_that_belong_together_are_a_chain() -> None:
    chain = parse_log(CHAIN.splitlines()).last_chain
    assert [raised.kind for raised in chain] == ["FileNotFoundError", "KeyError"]
    assert "raise FileNotFoundError(path) from error" in chain[0].trace
    assert [raised.kind for raised in parse_log((NO_MESSAGE + LAUNCHED).splitlines()).last_chain] == [
        "torch.OutOfMemoryError"
    ]


def test_a_workers_own_exception_belongs_to_the_one_that_passed_it_on() -> None:
    inner, outer = parse_log(WORKER.splitlines()).last_chain
    assert inner.message == "[Errno 2] No such file or directory: '/p/x.png'"
    assert "load_image" in inner.trace
    assert outer.message.startswith("Caught FileNotFoundError in DataLoader worker")


def test_a_message_ends_where_the_progress_bar_goes_on() -> None:
    (raised,) = parse_log((MESSAGE_OF_MANY_LINES + BARS.partition("Traceback")[0]).splitlines()).raised
    assert raised.message.count("\n") == 1
    assert raised.message.endswith("from checkpoint.")


@pytest.mark.parametrize(
    "line",
    [
        "cv2.error: OpenCV(4.10.0) error: (-215:Assertion failed) !ssize.empty() in function 'resize'",
        "socket.timeout: timed out",
        "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 1.50 GiB",
    ],
)
def test_exceptions_of_small_letters_are_causes_too(line: str) -> None:
    assert real_error(["Traceback (most recent call last):", '  File "x.py", line 1, in f', line]) == line


def test_what_cpp_says_of_its_end_is_a_cause() -> None:
    lines = ["terminate called after throwing an instance of 'c10::Error'", "  what():  CUDA error: unknown error"]
    assert real_error(lines) == "c10::Error: CUDA error: unknown error"


def test_what_the_launcher_says_is_kept_apart() -> None:
    log = parse_log(LAUNCHED.splitlines())
    assert log.wrapped.startswith("subprocess.CalledProcessError: Command")
    assert log.error == OUT_OF_MEMORY
