"""Packages without content, and an index of them: what installers do with names and versions, without a download."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest


def write_wheel(folder: Path, name: str, version: str, requires: Sequence[str] = ()) -> None:
    """Writes a wheel of an empty package that requires others."""
    stem = f"{name.replace('-', '_')}-{version}"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"]
    metadata += [f"Requires-Dist: {line}\n" for line in requires]
    files = {
        f"{stem}.dist-info/METADATA": "".join(metadata),
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{stem}.dist-info/RECORD": "",
    }
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)


def write_index(folder: Path, versions: Mapping[str, str], requires: Mapping[str, Sequence[str]]) -> None:
    """Writes a wheel of each name and version; `requires` are the requirements by name."""
    for name, version in versions.items():
        write_wheel(folder, name, version, requires.get(name, ()))


def use_index(folder: Path, bin_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes `folder` the only index of pip, and pip the only installer there is."""
    bin_dir.mkdir()
    (bin_dir / "git").symlink_to(shutil.which("git") or "git")
    monkeypatch.setenv("PATH", str(bin_dir))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", folder.as_uri())
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
