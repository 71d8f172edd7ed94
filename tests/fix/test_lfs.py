"""Git LFS pointers: fetched in a clone that has the tool, told of everywhere else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from loratpl.dataset.inspect import inspect_tree
from loratpl.errors import Problem, ProjectError
from loratpl.fix import LfsPull, find_pointers, plan_pull, pull
from tests.fix.mended import Mended, drawing
from tests.given import refusal

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4665a5ea423c2713\nsize 12345\n"
# Stands in for git-lfs: says its version, and lays the pictures in the place of the pointers.
TOOL = """#!/bin/sh
case "$1" in
  version) echo git-lfs/3.4.0 ;;
  pull) {pull} ;;
esac
"""


@pytest.fixture
def mended(odd_path: Path) -> Mended:
    found = Mended(odd_path / "clone")
    for name in ("1.png", "1.txt", "2.Jpg"):
        (found.folder / name).write_bytes(POINTER)
    drawing().save(found.folder / "3.png")
    return found


@pytest.fixture
def tool_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin of the user"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def _put_tool(folder: Path, pull_line: str) -> None:
    (folder / "git-lfs").write_text(TOOL.format(pull=pull_line), encoding="utf-8")
    (folder / "git-lfs").chmod(0o755)


def _pointers(mended: Mended) -> tuple[Path, ...]:
    return find_pointers(mended.settings, inspect_tree(mended.paths.image_dir, None))


def _init(folder: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)


def test_no_pointers(tmp_path: Path) -> None:
    mended = Mended(tmp_path)
    drawing().save(mended.folder / "1.png")
    assert plan_pull(mended.paths, _pointers(mended)) is None


def test_not_in_a_clone(mended: Mended) -> None:
    found = plan_pull(mended.paths, _pointers(mended))
    assert isinstance(found, Problem)
    assert (found.code, "3 files" in found.message, "git lfs pull" in found.fix) == ("dataset.lfs.clone", True, True)


def test_without_the_tool(mended: Mended, monkeypatch: pytest.MonkeyPatch, tool_dir: Path) -> None:
    _init(mended.paths.root_dir)
    (tool_dir / "git-lfs").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    (tool_dir / "git-lfs").chmod(0o755)
    found = plan_pull(mended.paths, _pointers(mended))
    assert isinstance(found, Problem)
    assert (found.code, "Install git-lfs" in found.fix) == ("dataset.lfs.tool", True)


def test_fetched(mended: Mended, tool_dir: Path) -> None:
    _init(mended.paths.root_dir)
    real = tool_dir / "real.png"
    drawing().save(real)
    _put_tool(tool_dir, f'cp "{real}" "$PWD/image_dir/10_ohwx cat/1.png"')
    found = plan_pull(mended.paths, _pointers(mended))
    assert isinstance(found, LfsPull)
    assert {path.name for path in found.pointers} == {"1.png", "1.txt", "2.Jpg"}
    pull(mended.paths, found)
    assert (mended.folder / "1.png").read_bytes() == real.read_bytes()


def test_a_fetch_that_fails(mended: Mended, tool_dir: Path) -> None:
    _init(mended.paths.root_dir)
    _put_tool(tool_dir, "echo 'batch response: Repository not found.' >&2; exit 2")
    found = plan_pull(mended.paths, _pointers(mended))
    assert isinstance(found, LfsPull)
    with pytest.raises(ProjectError) as error:
        pull(mended.paths, found)
    refusal(error.value, ProjectError, "dataset.lfs.failed", "Repository not found", "git lfs pull")


def test_pointers_are_no_captions_to_mend(mended: Mended) -> None:
    assert mended.plan().actions == ()
