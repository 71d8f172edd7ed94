"""An environment of the trainer made of real files: packages, their versions, PyTorch's build, real byte code."""

from __future__ import annotations

import platform
import py_compile
import sys
from dataclasses import dataclass
from pathlib import Path

from loratpl.trainer.paths import TrainerPaths
from loratpl.trainer.status import Marker

PACKAGES = {"torch": "2.13.0+cpu", "accelerate": "1.6.0", "transformers": "4.54.1", "lion-pytorch": "0.2.3"}
_TORCH = """from typing import Optional

__all__ = ['__version__', 'debug', 'cuda', 'git_version', 'hip']
__version__ = '{version}'
debug = False
cuda: Optional[str] = {cuda!r}
git_version = 'cf30153c4c131c8164ee7798e5022d810682e2cb'
hip: Optional[str] = None
"""


@dataclass(frozen=True)
class MadeEnvironment:
    """An installation with its marker."""

    paths: TrainerPaths
    marker: Marker

    @property
    def site_dir(self) -> Path:
        """Where the packages lie."""
        return self.paths.venv_dir / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"

    def set_version(self, package: str, version: str | None) -> None:
        """Does what pip does to a package's versions: another one, or none."""
        for folder in self.site_dir.glob(f"{package.replace('-', '_')}-*.dist-info"):
            (folder / "METADATA").unlink()
            folder.rmdir()
        if version is not None:
            _install(self.site_dir, package, version)

    def compile(self) -> None:
        """Compiles every module, as the installer does."""
        for path in self.site_dir.rglob("*.py"):
            py_compile.compile(str(path), doraise=True)

    def remove_byte_code(self) -> None:
        """Leaves the sources alone."""
        for path in self.site_dir.rglob("*.pyc"):
            path.unlink()


def make_environment(root_dir: Path, *, torch: str = "2.13.0+cpu", cuda: str | None = None) -> MadeEnvironment:
    """Returns a healthy, compiled installation at `root_dir`."""
    paths = TrainerPaths(root_dir)
    packages = {**PACKAGES, "torch": torch}
    made = MadeEnvironment(
        paths,
        Marker(
            commit="c" * 40,
            source="made",
            installed_at="2026-01-01T00:00:00+00:00",
            python=platform.python_version(),
            packages=packages,
            hashes={},
            left_out=[],
        ),
    )
    made.site_dir.mkdir(parents=True)
    paths.python_path.parent.mkdir(parents=True)
    paths.python_path.symlink_to(Path(sys.executable).resolve())
    config = f"home = {Path(sys.executable).resolve().parent}\nversion = {platform.python_version()}\n"
    (paths.venv_dir / "pyvenv.cfg").write_text(config, encoding="utf-8")
    for name, version in packages.items():
        _install(made.site_dir, name, version)
    for module in ("torch/__init__", "torch/nn/modules/linear", "transformers/__init__", "accelerate/__init__"):
        path = made.site_dir / f"{module}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("answer = 42\n", encoding="utf-8")
    (made.site_dir / "torch" / "version.py").write_text(_TORCH.format(version=torch, cuda=cuda), encoding="utf-8")
    made.compile()
    return made


def _install(site_dir: Path, package: str, version: str) -> None:
    folder = site_dir / f"{package.replace('-', '_')}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Name: {package}\nVersion: {version}\n", encoding="utf-8")
