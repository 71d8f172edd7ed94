"""What differs between two pins: the options of the scripts, and the packages of the environment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from loratpl.trainer.environment import locked_versions
from loratpl.trainer.manifest import SCRIPTS, Manifest, Option

# What of an option is compared, by the name that people read: argparse's own.
_FIELDS = {"type": "type", "nargs": "takes_list", "choices": "choices", "default": "default", "flag": "is_flag"}
_TRAINING_SCRIPT = re.compile(r"(?:[^/]+_)?train_network\.py")


@dataclass(frozen=True, slots=True)
class OptionChange:
    """One option that is not the same in two manifests.

    Attributes:
        name: The option.
        before, after: What it was and is, None where it does not exist; what does not differ is left out.
    """

    name: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None

    def as_json(self) -> dict[str, Any]:
        """Returns what other programs read."""
        return {"name": self.name, "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True)
class Differences:
    """What another pin changes.

    Attributes:
        options: For each script what changed, in the order of the options' names; scripts without changes too.
        packages: For each package that differs its version before and after, None where there is none.
        new_scripts: Training scripts that exist only now; kohyatpl does not drive them.
    """

    options: Mapping[str, tuple[OptionChange, ...]]
    packages: Mapping[str, tuple[str | None, str | None]]
    new_scripts: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Returns what other programs read."""
        return {
            "options": {script: [change.as_json() for change in changes] for script, changes in self.options.items()},
            "packages": [
                {"name": name, "before": before, "after": after} for name, (before, after) in self.packages.items()
            ],
            "new_scripts": list(self.new_scripts),
        }


def differences(
    before: Manifest, after: Manifest, lock_before: str, lock_after: str, files: Iterable[str] = ()
) -> Differences:
    """Returns what differs between two pins.

    Args:
        before: The options that were known.
        after: Those that are known now.
        lock_before: The packages that the environment had.
        lock_after: Those that it has now.
        files: The trainer's files at the second one.
    """
    options = {script: _changes(before.options_of[script], after.options_of[script]) for script in SCRIPTS}
    versions, new_versions = locked_versions(lock_before), locked_versions(lock_after)
    packages = {
        name: (versions.get(name), new_versions.get(name))
        for name in sorted({*versions, *new_versions})
        if versions.get(name) != new_versions.get(name)
    }
    new_scripts = sorted(name for name in files if _TRAINING_SCRIPT.fullmatch(name) and name not in SCRIPTS)
    return Differences(options, packages, tuple(new_scripts))


def _changes(before: Mapping[str, Option], after: Mapping[str, Option]) -> tuple[OptionChange, ...]:
    found = (_change(name, before.get(name), after.get(name)) for name in sorted({*before, *after}))
    return tuple(change for change in found if change is not None)


def _change(name: str, before: Option | None, after: Option | None) -> OptionChange | None:
    was, now = _described(before), _described(after)
    if was is None or now is None:
        return OptionChange(name, was, now)
    # By their texts: 0, 0.0 and False are equal and not the same default.
    fields = [field for field in _FIELDS if repr(was[field]) != repr(now[field])]
    if not fields:
        return None
    return OptionChange(name, {field: was[field] for field in fields}, {field: now[field] for field in fields})


def _described(option: Option | None) -> dict[str, Any] | None:
    if option is None:
        return None
    values = {field: getattr(option, attribute) for field, attribute in _FIELDS.items()}
    return {**values, "nargs": "*" if option.takes_list else None, "choices": list(option.choices)}
