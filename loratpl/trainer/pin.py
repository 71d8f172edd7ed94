"""The pin: which commit of sd-scripts is driven, kohyatpl's own (vendor/sd-scripts/pin.json) or one of the user's."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratpl.errors import Problem, TrainerError
from loratpl.trainer.paths import ORIGINAL_PIN, PinPaths

SCHEMA = 1
# The lock that kohyatpl comes with; the one in force is `load_lock`'s.
ENVIRONMENT_LOCK_PATH = ORIGINAL_PIN.lock_path

_OBJECT_ID = re.compile("[0-9a-f]{40}")
_LOCKED_TORCH = re.compile(r"^torch==.*^torchvision==", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Pin:
    """One commit of the trainer.

    Attributes:
        url: Where it comes from.
        commit, tree: Git object ids of the commit and of its files.
        tag, commits_after_tag: The release before it and how far it is ahead of it; "" and 0 where nobody knows.
        licence: The trainer's licence, as an SPDX expression.
        python_min, python_max: The Python versions (major, minor) that its environment exists for, both included.
        requirements: What its requirements.txt asks for, a package each.
    """

    url: str
    commit: str
    tree: str
    tag: str
    commits_after_tag: int
    licence: str
    python_min: tuple[int, int]
    python_max: tuple[int, int]
    requirements: tuple[str, ...] = ()

    @property
    def short_commit(self) -> str:
        """The commit as people read it."""
        return self.commit[:8]

    @property
    def title(self) -> str:
        """The commit with its release, where that is known: "v0.10.1+5 (48d368fa)"."""
        if not self.tag:
            return self.short_commit
        ahead = f"+{self.commits_after_tag}" if self.commits_after_tag else ""
        return f"{self.tag}{ahead} ({self.short_commit})"

    def allows_this_python(self) -> bool:
        """Returns whether the trainer's environment can be made with the Python that runs now."""
        return self.python_min <= sys.version_info[:2] <= self.python_max


def load_pin(path: Path | None = None) -> Pin:
    """Returns the pin at `path`; without one, the pin in force.

    Raises:
        TrainerError: The file is damaged or was written by a newer version.
    """
    path = path or PinPaths.in_force().pin_path
    data = read_json(path, schema=SCHEMA)
    try:
        return Pin(
            url=_text(data["url"]),
            commit=_object_id(data["commit"]),
            tree=_object_id(data["tree"]),
            tag=_text(data["tag"]),
            commits_after_tag=int(data["commits_after_tag"]),
            licence=_text(data["licence"]),
            python_min=_version(data["python_min"]),
            python_max=_version(data["python_max"]),
            requirements=tuple(map(_text, data["requirements"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(path, f"{type(error).__name__}: {error}") from error


def pin_text(pin: Pin) -> str:
    """Returns the file that `load_pin` reads."""
    data = {
        "schema": SCHEMA,
        "url": pin.url,
        "commit": pin.commit,
        "tree": pin.tree,
        "tag": pin.tag,
        "commits_after_tag": pin.commits_after_tag,
        "licence": pin.licence,
        "python_min": "{}.{}".format(*pin.python_min),
        "python_max": "{}.{}".format(*pin.python_max),
        "requirements": pin.requirements,
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def load_lock(path: Path | None = None) -> str:
    """Returns the environment lock at `path`; without one, the lock in force.

    Raises:
        TrainerError: It cannot be read, or names no version of PyTorch.
    """
    path = path or PinPaths.in_force().lock_path
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise damaged(path, str(error)) from error
    if not _LOCKED_TORCH.search(text):
        raise damaged(path, "it names no versions of torch and torchvision")
    return text


def read_json(path: Path, *, schema: int) -> Mapping[str, Any]:
    """Returns the object in one of a pin's files.

    Raises:
        TrainerError: It cannot be read, or a newer version has written it.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        found = data["schema"]
        is_newer = found > schema
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(path, f"{type(error).__name__}: {error}") from error
    if is_newer:
        message = f"{path} was written by a newer version of kohyatpl: it has schema {found}, this one reads {schema}."
        raise TrainerError(Problem("trainer.pin.newer", message, str(path), f"Update kohyatpl, or {_MEND_OWN}."))
    if found != schema:
        raise damaged(path, f"its schema is {found}")
    return dict(data)


_MEND_OWN = "go back to the commit that it comes with: `kohyatpl trainer pin --original`"


def damaged(path: Path, reason: str) -> TrainerError:
    """Returns the error of a pin's file that is not what this version writes."""
    is_original = path.parent == ORIGINAL_PIN.root_dir
    fix = f"{_MEND_OWN[0].upper()}{_MEND_OWN[1:]}; then pin the other one again."
    return TrainerError(
        Problem(
            "trainer.pin.damaged",
            f"{path} does not say which trainer is to be driven: {reason.rstrip('.')}.",
            str(path),
            "Install kohyatpl again; this file belongs to it." if is_original else fix,
        )
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


def _object_id(value: object) -> str:
    text = _text(value)
    # It becomes the name of a folder.
    if not _OBJECT_ID.fullmatch(text):
        raise ValueError(f"{text!r} is not a git object id")
    return text


def _version(value: object) -> tuple[int, int]:
    major, minor = _text(value).split(".")
    return int(major), int(minor)
