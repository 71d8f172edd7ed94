"""Where an installed trainer lies, and where the files that say which commit it is."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loratpl.resources import SD_SCRIPTS_DIR

if TYPE_CHECKING:
    from loratpl.trainer.pin import Pin

HOME_VARIABLE = "KOHYATPL_HOME"

_COMMIT = re.compile("[0-9a-f]{40}")


def data_dir() -> Path:
    """Returns the user's data folder for kohyatpl; `KOHYATPL_HOME` moves it."""
    moved = os.environ.get(HOME_VARIABLE)
    if moved:
        return Path(moved).expanduser().resolve()
    import platformdirs

    return platformdirs.user_data_path("kohyatpl", appauthor=False)


@dataclass(frozen=True, slots=True)
class UserPaths:
    """What kohyatpl keeps of a user on this machine besides trainers and a pin of their own."""

    root_dir: Path

    @classmethod
    def of_user(cls) -> UserPaths:
        """Returns the user's own."""
        return cls(data_dir())

    @property
    def paces_path(self) -> Path:
        """How fast the last runs on this machine were, one line each."""
        return self.root_dir / "paces.jsonl"

    @property
    def hashes_path(self) -> Path:
        """The hashes of models that have been read already."""
        return self.root_dir / "hashes.json"

    @property
    def paces_lock_path(self) -> Path:
        """Held while a line is added."""
        return self.root_dir / "paces.lock"


@dataclass(frozen=True, slots=True)
class PinPaths:
    """The three files that belong to one pin; they are replaced together or not at all."""

    root_dir: Path

    @classmethod
    def of_user(cls) -> PinPaths:
        """Returns where a pin of the user's own lies or would lie."""
        return cls(data_dir() / "pin")

    @classmethod
    def in_force(cls) -> PinPaths:
        """Returns the user's own files where there are any, else those that kohyatpl comes with."""
        own = cls.of_user()
        # Between the two renames that replace a pin only the one put aside is there: it is still in force.
        for paths in (own, own.replaced):
            if os.path.lexists(paths.root_dir):
                return paths
        return ORIGINAL_PIN

    @property
    def is_original(self) -> bool:
        """Whether these are the files that kohyatpl comes with."""
        return self == ORIGINAL_PIN

    @property
    def pin_path(self) -> Path:
        """Which commit."""
        return self.root_dir / "pin.json"

    @property
    def manifest_path(self) -> Path:
        """The options of its scripts."""
        return self.root_dir / "options.json"

    @property
    def lock_path(self) -> Path:
        """The versions of its environment."""
        return self.root_dir / "environment.txt"

    @property
    def partial(self) -> PinPaths:
        """Where a pin is written before it is moved into place."""
        return PinPaths(self.root_dir.with_name(f"{self.root_dir.name}.partial"))

    @property
    def replaced(self) -> PinPaths:
        """Where the earlier pin is put aside while the new one takes its place."""
        return PinPaths(self.root_dir.with_name(f"{self.root_dir.name}.replaced"))

    @property
    def discarded(self) -> PinPaths:
        """What is in force no more and about to be deleted."""
        return PinPaths(self.root_dir.with_name(f"{self.root_dir.name}.discarded"))


ORIGINAL_PIN = PinPaths(SD_SCRIPTS_DIR)


@dataclass(frozen=True, slots=True)
class TrainerPaths:
    """Every place of one commit's installation: `<data dir>/sd-scripts/<commit>/`."""

    root_dir: Path

    @classmethod
    def of(cls, pin: Pin) -> TrainerPaths:
        """Returns where the pinned commit is or would be installed."""
        return cls(data_dir() / "sd-scripts" / pin.commit)

    @classmethod
    def others(cls, pin: Pin) -> tuple[TrainerPaths, ...]:
        """Returns the places of the other commits that are on the disk."""
        own = cls.of(pin).root_dir
        try:
            folders = sorted(own.parent.iterdir())
        except OSError:
            return ()
        return tuple(cls(folder) for folder in folders if folder != own and _COMMIT.fullmatch(folder.name))

    @property
    def source_dir(self) -> Path:
        """The trainer's files."""
        return self.root_dir / "src"

    @property
    def venv_dir(self) -> Path:
        """The trainer's environment."""
        return self.root_dir / "venv"

    @property
    def python_path(self) -> Path:
        """The interpreter of that environment."""
        scripts = ("Scripts", "python.exe") if sys.platform == "win32" else ("bin", "python")
        return self.venv_dir.joinpath(*scripts)

    @property
    def marker_path(self) -> Path:
        """Written last: without it nothing here counts as installed."""
        return self.root_dir / "installation.json"

    @property
    def help_path(self) -> Path:
        """The help texts of its options, as its own parsers gave them."""
        return self.root_dir / "help.json"

    @property
    def partial(self) -> TrainerPaths:
        """Where an installation is built before it is moved into place."""
        return TrainerPaths(self.root_dir.with_name(f"{self.root_dir.name}.partial"))

    @property
    def replaced_dir(self) -> Path:
        """Where an unhealthy installation is put aside before it is deleted."""
        return self.root_dir.with_name(f"{self.root_dir.name}.replaced")

    @property
    def lock_path(self) -> Path:
        """Held while somebody installs."""
        return self.root_dir.with_name("install.lock")

    @property
    def install_log_path(self) -> Path:
        """What the installer wrote, kept after a failure."""
        return self.root_dir.with_name("install.log")
