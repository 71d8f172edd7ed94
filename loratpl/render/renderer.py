"""Renders a plan: arithmetic and text, but for `write` and the captions that tell the trigger words."""

from __future__ import annotations

import json
import shlex
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loratpl.config.block import BLOCK_KEY
from loratpl.config.settings import Settings
from loratpl.errors import ConfigError, Problem
from loratpl.plan.datasets import Subset
from loratpl.plan.planner import PlannedDataset, TrainingPlan
from loratpl.project import RunPaths
from loratpl.render.metadata import metadata_of
from loratpl.render.toml_text import NotReadableError, to_toml
from loratpl.resources import INSIDE_DIR
from loratpl.trainer.paths import TrainerPaths

# The trainer takes the folders from the dataset file; named in both it warns and ignores these.
_ONLY_IN_DATASET = frozenset({"train_data_dir", "reg_data_dir"})
# The config may give them as a share of the training; the plan says how many steps that is.
_SHARES = frozenset({"lr_warmup_steps", "lr_decay_steps"})
# These go to the dataset file; what is not there falls back to the option of the same name in train.toml.
_EXTENSION = "caption_extension"
_DATASET_OPTIONS = ("enable_bucket", "min_bucket_reso", "max_bucket_reso", "bucket_reso_steps", "bucket_no_upscale")

# Below the ports that systems hand out by themselves (Linux 32768, Windows and macOS 49152).
_FIRST_PORT, _PORT_COUNT = 20_000, 12_000

# Every value is set for a reason; ours come first so that `kohyatpl.env` of a config can change them.
BASE_ENV = {
    "PYTHONUNBUFFERED": "1",  # without it epochs and checkpoints are printed only at the end
    "PYTHONIOENCODING": "utf-8",  # the trainer's messages are English and Japanese
    "COLUMNS": "1000",  # one log record a line: the trainer's logger wraps at 80 otherwise
    "TERM": "dumb",  # no colours in the log file
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


@dataclass(frozen=True, slots=True)
class RenderedRun:
    """What a run is started with.

    Attributes:
        options: What train.toml holds.
        dataset: What dataset.toml holds.
        argv: The command, its first word the trainer's interpreter.
        env: What is added to the environment.
        cwd: The trainer's folder: its scripts import each other from there.
        filled_in: Those of the options that the config leaves unset, and that tell of the LoRA in its file.
    """

    family: str
    script: str
    options: Mapping[str, Any]
    dataset: Mapping[str, Any]
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    filled_in: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Returns the run as other programs read it (design: the `render` contract)."""
        return {
            "family": self.family,
            "script": self.script,
            "options": dict(self.options),
            "dataset": dict(self.dataset),
            "argv": list(self.argv),
            "env": dict(self.env),
        }

    def command_text(self) -> str:
        """Returns the command as it can be pasted into a POSIX shell."""
        variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in self.env.items())
        return f"cd {shlex.quote(str(self.cwd))} && {variables} {shlex.join(self.argv)}\n"


def render(
    settings: Settings, plan: TrainingPlan, trainer: TrainerPaths, paths: RunPaths, go_on_from: Path | None = None
) -> RenderedRun:
    """Returns the run of a plan.

    Args:
        settings: Resolved and without errors.
        plan: Made for these settings.
        trainer: Where the trainer is, or would be.
        paths: Where the run's files will lie.
        go_on_from: The training state that it begins with, where it is resumed.
    """
    filled_in = metadata_of(settings, plan.dataset)
    options = {**_options(settings, plan), **filled_in, "logging_dir": str(paths.tensorboard_dir)}
    script = trainer.source_dir / settings.family.script
    entry = _entry(settings, paths, go_on_from)
    files = ["--config_file", str(paths.train_toml_path), "--dataset_config", str(paths.dataset_toml_path)]
    launcher = _launcher(trainer, plan.processes, settings["mixed_precision"], paths)
    return RenderedRun(
        family=settings.family.name,
        script=settings.family.script,
        options=options,
        dataset=_datasets(plan),
        argv=(*launcher, *entry, str(script), *files),
        env=_env(settings, plan),
        cwd=trainer.source_dir,
        filled_in=filled_in,
    )


def _entry(settings: Settings, paths: RunPaths, go_on_from: Path | None) -> list[str]:
    words = [str(INSIDE_DIR / "entry.py"), "--events", str(paths.events_path), "--state-dir", str(paths.state_dir)]
    interval = settings.block.run.state_interval
    if interval.seconds is not None:
        words += ["--save-state-every-s", f"{interval.seconds:g}"]
    if interval.epochs is not None:
        words += ["--save-state-every-epochs", str(interval.epochs)]
    if go_on_from is not None:
        words += ["--go-on-from", str(go_on_from)]
    if settings.block.launch.tiny_unet:
        words.append("--tiny-unet")
    return words


def _options(settings: Settings, plan: TrainingPlan) -> dict[str, Any]:
    return {
        name: _in_steps(setting.value, plan) if name in _SHARES else setting.value
        for name, setting in settings.options.items()
        # A flag that is off is the trainer's default; written as `false` it would only be noise.
        if setting.value is not False and name not in _ONLY_IN_DATASET
    }


def _in_steps(value: float, plan: TrainingPlan) -> int:
    """A share of the training in steps, as the trainer counts them (`get_scheduler_fix`): of every process."""
    return int(value * plan.total_steps * plan.processes) if isinstance(value, float) else value


def _datasets(plan: TrainingPlan) -> dict[str, Any]:
    return {"datasets": [_dataset(dataset) for dataset in plan.datasets]}


def _dataset(dataset: PlannedDataset) -> dict[str, Any]:
    settings = dataset.spec.settings
    return {
        "resolution": list(dataset.rules.resolution),
        "batch_size": dataset.batch_size,
        **{name: settings[name] for name in _DATASET_OPTIONS if settings[name] is not None},
        "subsets": [_subset(subset) for subset in dataset.spec.subsets],
    }


def _subset(subset: Subset) -> dict[str, Any]:
    concept = subset.concept
    return {
        "image_dir": str(concept.folder),
        "num_repeats": concept.repeats,
        "class_tokens": concept.class_tokens,
        "is_reg": concept.is_reg,
        "caption_extension": subset.settings.caption_extension,
        **{name: _in_subset(name, setting.value) for name, setting in subset.own.items() if name != _EXTENSION},
    }


def _in_subset(name: str, value: Any) -> Any:
    """The dataset file takes a list where the option is a text."""
    return [float(number) for number in value.split(",")] if name == "face_crop_aug_range" else value


def _launcher(trainer: TrainerPaths, processes: int, mixed_precision: str, paths: RunPaths) -> list[str]:
    """One process is started directly: `accelerate launch` would import torch a first time only to start it."""
    python = str(trainer.python_path)
    if processes == 1:
        return [python]
    return [
        python, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_machines", "1",
        "--num_processes", str(processes), "--mixed_precision", mixed_precision, "--dynamo_backend", "no",
        "--main_process_port", str(_port_of(paths)),
    ]  # fmt: skip


def _port_of(paths: RunPaths) -> int:
    """A port of its own for each run, so that two trainings on one machine do not meet.

    accelerate's own default is the same port for all, and its "0: choose one" leaves the processes waiting for each
    other for ever (torch 2.13).
    """
    return _FIRST_PORT + zlib.crc32(str(paths.run_dir).encode()) % _PORT_COUNT


def _env(settings: Settings, plan: TrainingPlan) -> dict[str, str]:
    env = dict(BASE_ENV)
    if plan.processes == 1:
        # What `accelerate launch` would set for one process.
        env |= {"ACCELERATE_MIXED_PRECISION": settings["mixed_precision"], "ACCELERATE_DYNAMO_BACKEND": "NO"}
    if settings.block.launch.threads is not None:
        env["OMP_NUM_THREADS"] = str(settings.block.launch.threads)
    return {**env, **settings.block.env}


def write(rendered: RenderedRun, settings: Settings, paths: RunPaths) -> None:
    """Writes a run's files: the config as resolved, train.toml, dataset.toml and command.txt.

    Raises:
        ConfigError: A text cannot be passed on through the trainer's TOML reader.
        OSError: They cannot be written.
    """
    train_toml, dataset_toml = _toml(rendered.options, settings), _toml(rendered.dataset, settings)
    paths.run_dir.mkdir(parents=True, exist_ok=True)
    paths.config_path.write_text(json.dumps(config_of(settings), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    paths.train_toml_path.write_text(train_toml, encoding="utf-8")
    paths.dataset_toml_path.write_text(dataset_toml, encoding="utf-8")
    paths.command_path.write_text(rendered.command_text(), encoding="utf-8")


def config_of(settings: Settings) -> dict[str, Any]:
    """Returns settings as a run's config.json has them."""
    values = {
        "family": settings.family.name,
        **{name: setting.value for name, setting in settings.options.items()},
        BLOCK_KEY: settings.block.model_dump(exclude_none=True),
    }
    plain: dict[str, Any] = json.loads(json.dumps(values))
    return plain


def _toml(values: Mapping[str, Any], settings: Settings) -> str:
    try:
        return to_toml(values)
    except NotReadableError as error:
        where = settings.where(error.key)
        raise ConfigError(
            Problem(
                "config.value",
                f"{where}: the trainer's reader of TOML files would misread {error.value!r}.",
                where,
                "Choose a text or a folder name without control characters and leading quotes.",
            )
        ) from error
