"""The base model's file: whether it is one at all. The trainer would name none of this, some hours into a queue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from loratpl.config.settings import Settings
from loratpl.errors import Problem
from loratpl.weights import WeightsFileError, read_weights_file

_MODEL = "pretrained_model_name_or_path"
_LFS_START = b"version https://git-lfs"
_AGAIN = "Download it again."
_NETWORK_PREFIXES = ("lora_", "lycoris_")


def model_file_problems(settings: Settings) -> Iterator[Problem]:
    """Yields an error where the base model's file is a web page, a pointer, empty, cut, or a LoRA."""
    if settings[_MODEL] is None:
        return
    path = Path(settings[_MODEL])
    try:
        if not path.is_absolute() or not path.is_file():
            return
        found = _what_is_wrong(path)
    except OSError as error:
        found = f"it cannot be read: {error.strerror or error}", f'Make it readable: `chmod u+r "{path}"`.'
    if found:
        reason, fix = found
        yield Problem("config.model.damaged", f"{path.name} is no base model: {reason}.", settings.where(_MODEL), fix)


def _what_is_wrong(path: Path) -> tuple[str, str] | None:
    with path.open("rb") as file:
        start = file.read(64).lstrip()
    if not start:
        return "the file is empty", _AGAIN
    if start.startswith(_LFS_START):
        return "it is a Git LFS pointer, not the file itself", "Run `git lfs pull` in its folder."
    if start[:1] == b"<":
        return "it is an HTML page, such as a login page that was saved in its place", _AGAIN
    return _what_is_wrong_inside(path) if path.suffix == ".safetensors" else None


def _what_is_wrong_inside(path: Path) -> tuple[str, str] | None:
    try:
        weights = read_weights_file(path)
    except WeightsFileError as error:
        return str(error), _AGAIN
    if weights.tensors and all(name.startswith(_NETWORK_PREFIXES) for name in weights.tensors):
        return (
            "it is a LoRA, which is trained on top of a base model",
            f"Name the base model in `{_MODEL}`; to go on from this LoRA, name it in `network_weights`.",
        )
    return None
