"""Where an installed trainer lies."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from loratpl.trainer.pin import Pin

HOME_VARIABLE = "KOHYATPL_HOME"


def data_dir() -> Path:
    """Returns the user's data folder for kohyatpl; `KOHYATPL_HOME` moves it."""
    moved = os.environ.get(HOME_VARIABLE)
    if moved:
        return Path(moved).expanduser().resolve()
    import platformdirs

    return platformdirs.user_data_path("kohyatpl", appauthor=False)


@dataclass(frozen=True, slots=True)
class TrainerPaths:
    """Every place of one commit's installation: `<data dir>/sd-scripts/<commit>/`."""

    root_dir: Path

    @classmethod
    def of(cls, pin: Pin) -> TrainerPaths:
        """Returns where the pinned commit is or would be installed."""
        return cls(data_dir() / "sd-scripts" / pin.commit)

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
