"""Paths of a config: what they count from, and which folder is meant when the config comes from another machine."""

from __future__ import annotations

import re
import sys
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any

# Options that name a file or folder; the manifest cannot tell them from other texts.
PATH_OPTIONS = frozenset({
    "train_data_dir", "reg_data_dir", "output_dir", "logging_dir", "network_weights", "sample_prompts",
    "tokenizer_cache_dir", "log_tracker_config", "base_weights", "resume",
    # Of single families: text encoders, autoencoders and the like.
    "ae", "byt5", "clip_g", "clip_l", "controlnet_model_name_or_path", "gemma2", "llm_adapter_path", "qwen3",
    "t5_tokenizer_path", "t5xxl", "text_encoder",
})  # fmt: skip
# A file, a Diffusers folder, or an owner/name of the Hugging Face hub.
MODEL_OPTIONS = frozenset({"pretrained_model_name_or_path", "vae"})
# The folders of a project: they travel with the config.
PROJECT_DIRS = ("train_data_dir", "reg_data_dir", "output_dir", "logging_dir")
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_DRIVE_PATH = re.compile(r"[A-Za-z]:[\\/].*")


def resolved(name: str, value: Any, base_dir: Path) -> Any:
    """Returns an option's value with its path, or paths, made absolute; any other value as it is.

    Paths count from the config's folder; ~ is the home folder; a backslash path is understood anywhere.
    """
    if value is None:
        return None
    if name in MODEL_OPTIONS:
        return _resolved_model(value, base_dir)
    if name not in PATH_OPTIONS:
        return value
    if isinstance(value, list):
        return [str(_as_path(item, base_dir)) for item in value]
    return str(_as_path(value, base_dir))


def beside_config(name: str, value: Any, base_dir: Path) -> Path | None:
    """Returns the folder beside the config that one of another machine stands for, None where it is none.

    A project that was copied, or cloned, still names the folders of the machine where its config was written. A path
    is of another machine when not even its top-level folder is here; a folder that is only missing stays missing.
    """
    if name not in PROJECT_DIRS or not isinstance(value, str):
        return None
    path = _absolute(value)
    if path is None or not path.name or exists(_as_path(value, base_dir)) or _top_level_exists(path):
        return None
    beside = base_dir / path.name
    try:
        return beside if beside.is_dir() else None
    except (OSError, ValueError):
        return None


def exists(path: Path) -> bool:
    """Returns whether there is such a file or folder; never raises."""
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that no file system takes
        return False


def is_hub_id(text: str) -> bool:
    """Returns whether a text has the form of a model of the Hugging Face hub, owner/name."""
    return _HUB_ID.fullmatch(text) is not None and not text.endswith((".safetensors", ".ckpt", ".pt"))


def _resolved_model(value: str, base_dir: Path) -> str:
    path = _as_path(value, base_dir)
    if exists(path):
        return str(path)
    # Nothing of the hub, and nothing below the project either: a drive is named as it was written.
    is_elsewhere = isinstance(_absolute(value), PureWindowsPath) and sys.platform != "win32"
    return value if is_elsewhere or is_hub_id(value) else str(path)


def _absolute(text: str) -> PurePath | None:
    """Returns an absolute path in the terms of the system it was written on, None for a relative one."""
    if _DRIVE_PATH.fullmatch(text):
        return PureWindowsPath(text)
    return PurePosixPath(text) if text.startswith("/") else None


def _top_level_exists(path: PurePath) -> bool:
    if isinstance(path, PureWindowsPath) and sys.platform != "win32":
        return False  # there are no drives here
    return exists(Path(*path.parts[:2]))


def _as_path(text: str, base_dir: Path) -> Path:
    # On Windows pathlib reads both; elsewhere a backslash in a config came from Windows, unless such a file is there.
    text = text if exists(base_dir / text) else text.replace("\\", "/")
    try:
        return base_dir / Path(text).expanduser()
    except RuntimeError:  # ~somebody who has no home here
        return base_dir / text
