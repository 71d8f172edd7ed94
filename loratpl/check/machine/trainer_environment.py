"""What lies in the trainer's environment, read from its files: versions, PyTorch's build, byte code. Nothing is run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from loratpl.trainer.paths import TrainerPaths

_DIST_INFO = ".dist-info"
_TEXT_OF = re.compile(r"^(\w+)(?:: [^=\n]+)? = (?:'([^'\n]*)'|None)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class TorchBuild:
    """What PyTorch was built for, as its version.py says.

    Attributes:
        version: With its local part where it has one: 2.13.0+cu130.
        cuda: The CUDA version, None in a build without CUDA.
        hip: The ROCm version, None in a build without.
    """

    version: str
    cuda: str | None
    hip: str | None

    @property
    def cuda_version(self) -> tuple[int, int] | None:
        """CUDA's major and minor number, None without CUDA."""
        return None if self.cuda is None else numbers_of(self.cuda)

    @property
    def is_official(self) -> bool:
        """Whether this is one of PyTorch's own builds; a build of somebody's own may have other GPUs in it."""
        return re.fullmatch(r"\d+\.\d+\.\d+(?:\+(?:cpu|cu\d+))?", self.version) is not None


@dataclass(frozen=True, slots=True)
class TrainerEnvironment:
    """An environment as its files show it.

    Attributes:
        paths: Of the installation that it belongs to.
        site_dir: Where its packages lie.
        versions: Of the packages, by their normal names; empty where there are none.
    """

    paths: TrainerPaths
    site_dir: Path
    versions: Mapping[str, str]

    def torch(self) -> TorchBuild | None:
        """Returns PyTorch's build, None where its file cannot be read."""
        try:
            text = (self.site_dir / "torch" / "version.py").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        return parse_torch_build(text)

    def metadata(self, package: str) -> str:
        """Returns the METADATA of a package, "" where it has none."""
        for name, version, folder in _dist_infos(self.site_dir):
            if name == package and version == self.versions.get(package):
                try:
                    return (folder / "METADATA").read_text(encoding="utf-8", errors="replace")
                except OSError:
                    return ""
        return ""


def numbers_of(version: str) -> tuple[int, int]:
    """Returns major and minor number of a version, 0 for what it does not say.

    >>> numbers_of("13.0"), numbers_of("2.13.0+cu130"), numbers_of("580.65.06"), numbers_of("none")
    ((13, 0), (2, 13), (580, 65), (0, 0))
    """
    found = re.match(r"(\d+)(?:\.(\d+))?", version)
    return (int(found.group(1)), int(found.group(2) or 0)) if found else (0, 0)


def normal_name(name: str) -> str:
    """Returns a package's name as the index compares them.

    >>> normal_name("Lion_PyTorch")
    'lion-pytorch'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def parse_torch_build(text: str) -> TorchBuild | None:
    """Returns the build that torch/version.py tells, None where it tells none."""
    values = {name: value or None for name, value in _TEXT_OF.findall(text)}
    version = values.get("__version__")
    return None if version is None else TorchBuild(version, values.get("cuda"), values.get("hip"))


def read_environment(paths: TrainerPaths) -> TrainerEnvironment | None:
    """Returns the environment of an installation, None where there is no folder with packages."""
    site_dir = _site_dir(paths.venv_dir)
    if site_dir is None:
        return None
    versions = {name: version for name, version, _ in _dist_infos(site_dir)}
    return TrainerEnvironment(paths, site_dir, MappingProxyType(versions))


def _site_dir(venv_dir: Path) -> Path | None:
    """`lib/pythonX.Y/site-packages`; on Windows `Lib/site-packages`."""
    candidates = [venv_dir / "Lib" / "site-packages", *sorted(venv_dir.glob("lib/python*/site-packages"))]
    return next((folder for folder in candidates if folder.is_dir()), None)


def _dist_infos(site_dir: Path) -> Iterator[tuple[str, str, Path]]:
    """Yields name, version and folder of what is installed; the folder's name says both, and is all that is read."""
    try:
        names = sorted(path.name for path in site_dir.iterdir())
    except OSError:
        return
    for entry in names:
        name, dash, version = entry.removesuffix(_DIST_INFO).rpartition("-")
        # "~orch": what pip puts aside while it replaces a package, and leaves behind when it is interrupted.
        if entry.endswith(_DIST_INFO) and dash and not name.startswith("~"):
            yield normal_name(name), version, site_dir / entry
