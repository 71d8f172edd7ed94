"""How the installed trainer is: its marker, its files, its versions; nothing of it is imported."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from loratpl.errors import Problem, TrainerError
from loratpl.trainer.checkout import changed_files
from loratpl.trainer.environment import installed_versions, locked_versions
from loratpl.trainer.paths import TrainerPaths
from loratpl.trainer.pin import Pin, load_lock
from loratpl.trainer.torch_choice import DEFAULT, PACKAGES, is_locked_build

MARKER_SCHEMA = 1


class Marker(BaseModel):
    """What installation.json holds; it is written last, so its presence says that the installation is whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = MARKER_SCHEMA
    commit: str
    source: str
    installed_at: str
    python: str
    packages: dict[str, str]
    torch: str = DEFAULT
    hashes: dict[str, str]
    left_out: list[str]


@dataclass(frozen=True, slots=True)
class TrainerStatus:
    """How the installed trainer is.

    Attributes:
        paths: Where it is or would be.
        marker: None when nothing counts as installed.
        ill: What is wrong with it, a sentence each; empty when it is healthy or absent.
    """

    paths: TrainerPaths
    marker: Marker | None
    ill: tuple[str, ...]

    @property
    def is_ready(self) -> bool:
        """Whether a run may use it."""
        return self.marker is not None and not self.ill

    def problems(self) -> tuple[Problem, ...]:
        """Returns what keeps a run from using it."""
        if self.marker is None:
            return (
                Problem(
                    "trainer.missing",
                    " ".join(("The trainer is not installed.", *self.ill)),
                    str(self.paths.root_dir),
                    "Install it with `kohyatpl trainer install`.",
                ),
            )
        return tuple(
            Problem(
                "trainer.unhealthy",
                sentence,
                str(self.paths.root_dir),
                "Install it again with `kohyatpl trainer install`.",
            )
            for sentence in self.ill
        )


def status(pin: Pin, *, ask_interpreter: bool = True) -> TrainerStatus:
    """Returns how the trainer is, without importing anything of it: its marker, its files, its versions.

    Args:
        pin: What should be installed.
        ask_interpreter: Whether to ask the environment for its versions, which takes most of the time; a run asks
            while the trainer is starting.
    """
    return status_at(TrainerPaths.of(pin), pin, ask_interpreter=ask_interpreter)


def status_at(paths: TrainerPaths, pin: Pin, *, ask_interpreter: bool = True) -> TrainerStatus:
    """Returns as `status` how the trainer at another place is."""
    try:
        marker = Marker.model_validate_json(paths.marker_path.read_bytes())
    except OSError:
        return TrainerStatus(paths, None, ())
    except ValidationError:
        return TrainerStatus(paths, None, ("installation.json is not what this version of kohyatpl writes.",))
    if marker.schema_version > MARKER_SCHEMA:
        return TrainerStatus(paths, None, ("installation.json was written by a newer version of kohyatpl.",))
    checks = (
        _files_are_right(paths, marker),
        interpreter_problem(paths, marker) if ask_interpreter else _interpreter_is_there(paths),
        _is_pinned(marker, pin),
        _is_locked(marker),
    )
    return TrainerStatus(paths, marker, tuple(sentence for sentence in checks if sentence is not None))


def _files_are_right(paths: TrainerPaths, marker: Marker) -> str | None:
    changed = changed_files(paths.source_dir, marker.hashes)
    if not changed:
        return None
    return f"{len(changed)} of the trainer's files were changed or are missing, the first is {changed[0]}."


def _interpreter_is_there(paths: TrainerPaths) -> str | None:
    return None if paths.python_path.is_file() else f"The trainer's interpreter {paths.python_path} is gone."


def interpreter_problem(paths: TrainerPaths, marker: Marker) -> str | None:
    """Returns what is wrong with the environment's interpreter and versions, None when nothing is."""
    found = installed_versions(paths)
    if found is None:
        return f"The trainer's interpreter {paths.python_path} does not answer."
    wrong = [name for name, version in marker.packages.items() if found["packages"].get(name) != version]
    return f"The trainer's environment has other versions than installed: {', '.join(wrong[:5])}." if wrong else None


def _is_pinned(marker: Marker, pin: Pin) -> str | None:
    if marker.commit == pin.commit:
        return None
    return f"The trainer is at {marker.commit[:8]}, not at the pin {pin.short_commit}."


def _is_locked(marker: Marker) -> str | None:
    wanted = locked_versions(load_lock())
    # torch's own version names its build ("2.13.0+cu130"), the lock does not.
    own = () if is_locked_build(marker.torch) else PACKAGES  # a torch of the user's choice is not the lock's
    wrong = [
        name
        for name, version in marker.packages.items()
        if name not in own and wanted.get(name) != version.partition("+")[0]
    ]
    return f"The environment was made from another lock; it differs in {', '.join(wrong[:5])}." if wrong else None


def require_trainer(pin: Pin) -> TrainerPaths:
    """Returns the places of the installed trainer.

    Raises:
        TrainerError: It is missing or unhealthy.
    """
    found = status(pin)
    if not found.is_ready:
        raise TrainerError(*found.problems())
    return found.paths
