"""Files and folders that a config names: what is missing, is something else, or cannot be written to."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from loratpl.check.rule import samples_pictures
from loratpl.config.settings import Settings
from loratpl.errors import Problem

_MISSING = "config.file.missing"
_PROMPT_SUFFIXES = (".txt", ".toml", ".json")
# What a file system takes as one name, in bytes; the longest that the trainer adds is that of a step's state.
_LONGEST_NAME = 255
_LONGEST_SUFFIX = "-step00000000.safetensors"
# Options that name a file which must be there, and what becomes of the run otherwise.
_INPUTS = {
    "network_weights": "the trainer would end after the base model was loaded",
    "base_weights": "the trainer would end after the base model was loaded",
    "log_tracker_config": "the trainer would end on it",
}


def file_problems(settings: Settings) -> Iterator[Problem]:
    """Yields what is wrong with the files and folders that a config names, the datasets' and models' apart."""
    for name, reason in _INPUTS.items():
        value = settings[name]
        for path in value if isinstance(value, list) else [value]:
            if path is not None and not _exists(Path(path)):
                message = f"`{name}` names {path}, which does not exist; {reason}."
                yield Problem(_MISSING, message, settings.where(name), f"Correct `{name}`, or take it out.")
    yield from _prompt_problems(settings)
    yield from _resume_problems(settings)
    yield from _name_problems(settings)
    for name in ("output_dir", "logging_dir"):
        yield from _folder_problems(settings, name)


def _prompt_problems(settings: Settings) -> Iterator[Problem]:
    if settings["sample_prompts"] is None or not samples_pictures(settings):
        return
    path, where = settings.path("sample_prompts"), settings.where("sample_prompts")
    if not _exists(path):
        message = f"sample_prompts names {path}, which does not exist: the training would go on without samples."
        yield Problem(_MISSING, message, where, "Make the file, one prompt a line, or take `sample_prompts` out.")
    elif path.suffix not in _PROMPT_SUFFIXES:
        message = (
            f"sample_prompts names {path.name}; the trainer reads .txt, .toml and .json files, and ends on others."
        )
        yield Problem("config.samples", message, where, f"Rename it to `{path.stem}.txt`.")
    elif path.suffix == ".txt" and not _has_prompt(path):
        message = f"sample_prompts names {path.name}, which holds no prompt: no sample would be made."
        yield Problem("config.samples", message, where, "Write one prompt a line into it.", "warning")


def _has_prompt(path: Path) -> bool:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return True  # said when it is copied
    return any(line.strip() and not line.lstrip().startswith("#") for line in lines)


def _resume_problems(settings: Settings) -> Iterator[Problem]:
    if settings["resume"] is None or settings["resume_from_huggingface"]:
        return
    folder, where = settings.path("resume"), settings.where("resume")
    if not folder.is_dir():
        message = f"resume names {folder}, which is no folder; the trainer would end after the models were loaded."
        yield Problem(_MISSING, message, where, "Name the folder of a saved state, or take `resume` out.")
    elif not (folder / "train_state.json").is_file() and settings["initial_step"] is None:
        yield Problem(
            _MISSING,
            f"resume names {folder.name}, which has no train_state.json: the count of steps is lost, and the trainer "
            "would start again at step 0.",
            where,
            "Set `initial_step` to the step at which the state was saved, or name another state.",
        )


def resumed_step(settings: Settings) -> int:
    """Returns the step that a training goes on from by its own options, 0 where it starts from the beginning."""
    if settings["initial_step"] is not None:
        return int(settings["initial_step"])
    if settings["resume"] is None:
        return 0
    try:
        state = json.loads((settings.path("resume") / "train_state.json").read_text(encoding="utf-8"))
        return int(state["current_step"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _name_problems(settings: Settings) -> Iterator[Problem]:
    name, where = str(settings["output_name"]), settings.where("output_name")
    if "/" in name or "\\" in name:
        message = f"output_name is {name!r}: it is the name of a file, not of a folder; the LoRA could not be saved."
        yield Problem("config.value", message, where, "Put the folder into `output_dir`.")
    elif len(os.fsencode(name + _LONGEST_SUFFIX)) > _LONGEST_NAME:
        message = (
            f"output_name has {len(name)} characters; with what the trainer adds, no file can have that name, and the "
            "training would be lost when it is saved."
        )
        yield Problem("config.value", message, where, "Choose a shorter one.")


def _folder_problems(settings: Settings, name: str) -> Iterator[Problem]:
    if settings[name] is None:
        return
    folder, where = settings.path(name), settings.where(name)
    existing = next((path for path in (folder, *folder.parents) if _exists(path)), None)
    if existing is None or (existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)):
        return
    reason = f"{existing} cannot be written to" if existing.is_dir() else f"{existing} is a file"
    elsewhere = f"name a folder on another disk in `{name}`."
    fix = f'`chmod u+rwx "{existing}"`' if existing.is_dir() else f"Move {existing.name} out of the way"
    fix = f"{fix}, or {elsewhere}"
    yield Problem("project.write", f"`{name}` is {folder}: {reason}.", where, fix)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that no file system takes
        return False
