"""What counts as an installed trainer, and that a failing install leaves nothing that does."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import toml

from loratpl.errors import BusyError, ExitCode, KohyatplError, Problem, TrainerError
from loratpl.trainer.install import install, remove, source_from_environment
from loratpl.trainer.paths import TrainerPaths
from loratpl.trainer.pin import Pin, load_pin
from loratpl.trainer.status import Marker, require_trainer, status
from tests.given import only, refusal
from tests.stand_in import StandIn
from tests.trainer.repositories import git, make_checkout

posix = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in's interpreter is a shell script")


def _remark(stand_in: StandIn, **changes: Any) -> None:
    """Changes what the marker of the stand-in says."""
    path = stand_in.paths.marker_path
    marker = Marker.model_validate_json(path.read_bytes()).model_copy(update=changes)
    path.write_text(marker.model_dump_json(), encoding="utf-8")


def _tree(folder: Path) -> dict[str, bytes | None]:
    """Every file and folder below a folder."""
    paths = sorted(folder.rglob("*"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in paths}


# --- status ---------------------------------------------------------------------------------------------------------


def test_without_an_installation_the_trainer_is_missing() -> None:
    found = status(load_pin())
    assert (found.is_ready, found.marker, found.ill) == (False, None, ())
    problem = only(found.problems())
    assert problem.code == "trainer.missing"
    assert problem.where == str(TrainerPaths.of(load_pin()).root_dir)
    assert "kohyatpl trainer install" in problem.fix
    with pytest.raises(TrainerError) as caught:
        require_trainer(load_pin())
    assert caught.value.exit_code is ExitCode.TRAINER
    assert caught.value.problems == (problem,)


@posix
def test_a_whole_installation_is_ready(stand_in: StandIn) -> None:
    found = status(load_pin())
    assert found.is_ready
    assert found.problems() == ()
    assert require_trainer(load_pin()) == stand_in.paths


@posix
@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"[]", b"\xff", b'{"commit": "48d368fa"}'])
def test_a_damaged_marker_is_no_installation(stand_in: StandIn, content: bytes) -> None:
    stand_in.paths.marker_path.write_bytes(content)
    found = status(load_pin())
    assert not found.is_ready
    assert "installation.json" in only(found.problems()).message


@posix
def test_a_marker_of_a_newer_version_is_no_installation(stand_in: StandIn) -> None:
    _remark(stand_in, schema_version=2)
    assert not status(load_pin()).is_ready


def _change_a_file(stand_in: StandIn) -> None:
    name = git(stand_in.paths.source_dir, "hash-object", "train_network.py")
    _remark(stand_in, hashes={"train_network.py": name})
    assert status(load_pin()).is_ready
    (stand_in.paths.source_dir / "train_network.py").write_text("print('mine')", encoding="utf-8")


def _lose_a_file(stand_in: StandIn) -> None:
    _remark(stand_in, hashes={"library/lost.py": "0" * 40})


def _lose_the_interpreter(stand_in: StandIn) -> None:
    stand_in.paths.python_path.unlink()


def _break_the_interpreter(stand_in: StandIn) -> None:
    stand_in.paths.python_path.write_text("#!/bin/sh\necho Segmentation fault\nexit 139\n", encoding="utf-8")


def _move_the_commit(stand_in: StandIn) -> None:
    _remark(stand_in, commit="1234567890" * 4)


def _change_a_version(stand_in: StandIn) -> None:
    _remark(stand_in, packages={"toml": "9.9"})


@posix
@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (_change_a_file, "1 of the trainer's files were changed or are missing, the first is train_network.py"),
        (_lose_a_file, "library/lost.py"),
        (_lose_the_interpreter, "does not answer"),
        (_break_the_interpreter, "does not answer"),
        (_move_the_commit, "at 12345678, not at the pin 48d368fa"),
        (_change_a_version, "other versions than installed: toml"),
    ],
)
def test_what_is_wrong_with_an_installation_is_said(
    stand_in: StandIn, harm: Callable[[StandIn], None], named: str
) -> None:
    harm(stand_in)
    found = status(load_pin())
    assert not found.is_ready
    assert any(named in sentence for sentence in found.ill)
    for problem in found.problems():
        assert (problem.code, problem.where) == ("trainer.unhealthy", str(stand_in.paths.root_dir))
        assert "kohyatpl trainer install" in problem.fix
    with pytest.raises(TrainerError) as caught:
        require_trainer(load_pin())
    assert caught.value.problems == found.problems()


@posix
def test_an_environment_of_another_lock_is_unhealthy(stand_in: StandIn) -> None:
    _remark(stand_in, packages={"toml": toml.__version__})
    assert status(load_pin()).is_ready
    _remark(stand_in, packages={"toml": toml.__version__, "pytest": pytest.__version__})
    assert "another lock; it differs in pytest" in only(status(load_pin()).problems()).message


def test_the_checkout_can_be_named_by_a_variable(odd_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert source_from_environment() is None
    monkeypatch.setenv("KOHYATPL_SD_SCRIPTS", str(odd_path))
    assert source_from_environment() == odd_path
    monkeypatch.setenv("KOHYATPL_SD_SCRIPTS", "~/sd-scripts")
    assert source_from_environment() == Path(os.environ["HOME"]) / "sd-scripts"
    monkeypatch.setenv("KOHYATPL_SD_SCRIPTS", "")
    assert source_from_environment() is None


# --- install --------------------------------------------------------------------------------------------------------


def _install(pin: Pin, source: Path, *, torch: str = "default") -> list[str]:
    """Returns what was said of an install; no index but the default one is looked for, so no network is."""
    said: list[str] = []
    assert install(pin, source, said.append, torch=torch).is_ready
    return said


def _refused(pin: Pin, source: Path, code: str, *named: str) -> Problem:
    """Returns the problem of an install that fails and leaves nothing that counts as installed."""
    with pytest.raises(KohyatplError) as caught:
        _install(pin, source)
    paths = TrainerPaths.of(pin)
    assert not paths.partial.root_dir.exists()
    assert not paths.replaced_dir.exists()
    return refusal(caught.value, TrainerError, code, *named)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder for a checkout."""
    (tmp_path / "source").mkdir()
    return tmp_path / "source"


@posix
def test_a_healthy_installation_is_left_as_it_is(stand_in: StandIn, tmp_path: Path) -> None:
    before = _tree(stand_in.paths.root_dir)
    assert _install(load_pin(), tmp_path / "missing") == ["already installed"]
    assert _tree(stand_in.paths.root_dir) == before


@pytest.mark.parametrize(("low", "high"), [((3, 8), (3, 9)), ((4, 0), (4, 1))])
def test_a_python_that_the_environment_does_not_exist_for_is_refused(
    source: Path, low: tuple[int, int], high: tuple[int, int]
) -> None:
    pin = replace(load_pin(), python_min=low, python_max=high)
    here = ".".join(map(str, sys.version_info[:3]))
    problem = _refused(pin, source, "trainer.python", f"Python {low[0]}.{low[1]} to {high[0]}.{high[1]}", here)
    assert f"python{high[0]}.{high[1]}" in problem.fix
    assert not TrainerPaths.of(pin).root_dir.parent.exists()


def test_a_source_that_is_not_the_pins_is_refused(odd_path: Path) -> None:
    (odd_path / "source").mkdir()
    pin = make_checkout(odd_path / "source")
    git(odd_path / "source", "commit", "--quiet", "--allow-empty", "--message", "one more")
    _refused(pin, odd_path / "source", "trainer.source.commit", str(odd_path / "source"), pin.short_commit)
    _refused(pin, odd_path / "missing", "trainer.source.unreadable", str(odd_path / "missing"))
    assert status(pin).marker is None


def test_a_home_that_cannot_be_written_is_refused(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("KOHYATPL_HOME", str(tmp_path / "file"))
    problem = _refused(load_pin(), source, "trainer.install.disk", str(tmp_path / "file"))
    assert "KOHYATPL_HOME" in problem.fix


def test_what_a_killed_install_left_is_removed(source: Path) -> None:
    pin = make_checkout(source)
    paths = TrainerPaths.of(pin)
    for left in (paths.partial, TrainerPaths(paths.replaced_dir)):
        left.source_dir.mkdir(parents=True)
        left.marker_path.write_text("{}", encoding="utf-8")
    (source / "train_network.py").write_text("changed", encoding="utf-8")
    _refused(pin, source, "trainer.source.changed", "train_network.py")
    assert status(pin).marker is None


@posix
def test_an_installation_that_cannot_be_replaced_stays(stand_in: StandIn, tmp_path: Path) -> None:
    _remark(stand_in, commit="1234567890" * 4)
    before = _tree(stand_in.paths.root_dir)
    _refused(load_pin(), tmp_path, "trainer.source.unreadable", str(tmp_path))
    assert _tree(stand_in.paths.root_dir) == before


@posix
def test_packages_that_cannot_be_had_leave_nothing_installed(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin = make_checkout(source)
    (tmp_path / "no wheels").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").symlink_to(shutil.which("git") or "git")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))  # no uv: it would be used instead of pip
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", (tmp_path / "no wheels").as_uri())
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    problem = _refused(pin, source, "trainer.environment.packages", "No matching distribution found for torch==")
    assert "kohyatpl trainer install" in problem.fix
    paths = TrainerPaths.of(pin)
    assert "No matching distribution" in paths.install_log_path.read_text(encoding="utf-8")
    assert not paths.root_dir.exists()
    assert status(pin).marker is None


@posix
def test_an_environment_that_cannot_be_made_is_told_in_the_tools_own_words(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin = make_checkout(source)
    monkeypatch.setenv("KOHYATPL_HOME", str(tmp_path / "a:b"))
    _refused(pin, source, "trainer.environment.venv", "Refusing to create a venv")
    assert status(pin).marker is None


_HOLDER = """
import sys, filelock
with filelock.FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def _another_install(paths: TrainerPaths) -> Iterator[Callable[[], object]]:
    """Another process that holds the lock of installs; yields what ends it."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(paths.lock_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == b"held\n"
        yield holder.stdin.close


@posix
def test_a_second_install_waits_for_the_first_and_finds_its_work(stand_in: StandIn, tmp_path: Path) -> None:
    said: list[str] = []
    with _another_install(stand_in.paths) as end_of_first:

        def progress(sentence: str) -> None:
            said.append(sentence)
            end_of_first()

        assert install(load_pin(), tmp_path / "missing", progress).is_ready
    assert said == ["another install is at work; waiting for it", "already installed"]


# --- remove ---------------------------------------------------------------------------------------------------------


@posix
def test_a_trainer_that_is_removed_frees_its_bytes(stand_in: StandIn) -> None:
    paths = stand_in.paths
    paths.partial.source_dir.mkdir(parents=True)
    (paths.partial.source_dir / "left.py").write_bytes(b"x" * 1000)
    files = [path for path in paths.root_dir.rglob("*") if path.is_file() and path != paths.marker_path]
    size = sum(path.stat().st_size for path in files)
    assert remove(load_pin()) >= size + 1000
    assert not paths.root_dir.exists()
    assert not paths.partial.root_dir.exists()
    assert status(load_pin()).marker is None
    assert remove(load_pin()) == 0


@posix
def test_a_trainer_that_is_being_installed_is_not_removed(stand_in: StandIn) -> None:
    before = _tree(stand_in.paths.root_dir)
    with _another_install(stand_in.paths) as end_of_install:
        with pytest.raises(BusyError) as caught:
            remove(load_pin())
        end_of_install()
    refusal(caught.value, BusyError, "run.busy", str(stand_in.paths.lock_path), "being installed")
    assert _tree(stand_in.paths.root_dir) == before
