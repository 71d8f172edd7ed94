"""Installs that are killed, stopped or started twice: real processes, nothing left running, nothing half counted."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import COMMAND, Done, eventually, kohyatpl
from tests.trainer.small_trainer import SmallTrainer, make_small_trainer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX; the installer is a script")

WAITING = "another install is at work; waiting for it"
# What an install says when it has come to the point at which it is killed.
MOMENTS = ("copying", "installing with uv", "downloading torch", "unpacking", "compiling", "asking all seven")
SLOWLY_S = 8.0


@pytest.fixture
def trainer(odd_path: Path) -> SmallTrainer:
    """A small trainer in a folder with a difficult name."""
    return make_small_trainer(odd_path)


@pytest.fixture
def plain_trainer(tmp_path: Path) -> SmallTrainer:
    """A small trainer."""
    return make_small_trainer(tmp_path)


class LiveInstall:
    """An install that is at work."""

    def __init__(self, trainer: SmallTrainer, *words: str, installer_s: float) -> None:
        self.log_path = trainer.pids_path.with_name(f"log{len(list(trainer.pids_path.parent.iterdir()))}")
        with self.log_path.open("wb") as log:
            self.popen = subprocess.Popen(
                [*COMMAND, "trainer", "install", "--source", str(trainer.source_dir), "--torch", "default", *words],
                env={**os.environ, **trainer.environment(installer_s=installer_s)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
            )

    @property
    def said(self) -> str:
        """What it has said so far."""
        return self.log_path.read_text(encoding="utf-8")

    def wait_for(self, text: str) -> None:
        """Waits until it says so."""
        eventually(lambda: text in self.said, f"{text!r} in {self.said!r}")

    def finish(self) -> Done:
        """Returns what it did, once it has ended."""
        stdout, _ = self.popen.communicate(timeout=60)
        return Done(self.popen.returncode, stdout.decode(), self.said)


@contextlib.contextmanager
def _install(trainer: SmallTrainer, *words: str, installer_s: float = 0.0) -> Iterator[LiveInstall]:
    """Starts an install; whatever becomes of the test, it does not outlive the body."""
    live = LiveInstall(trainer, *words, installer_s=installer_s)
    try:
        yield live
    finally:
        live.popen.kill()
        live.popen.communicate()


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _assert_nothing_runs(trainer: SmallTrainer) -> None:
    eventually(lambda: not any(map(_is_alive, trainer.installer_pids)), "the installer and its child have ended", 5.0)


def _assert_nothing_counts() -> None:
    done = kohyatpl("trainer", "status", "--json")
    assert (done.code, done.problem["code"]) == (5, "trainer.missing")
    assert done.envelope["data"]["installed"] is False


def _assert_installs(trainer: SmallTrainer) -> None:
    """A new install succeeds, and what it leaves is the installation alone."""
    with _install(trainer) as live:
        done = live.finish()
    assert done.code == 0, done.stderr
    _assert_healthy(trainer)


def _assert_healthy(trainer: SmallTrainer) -> None:
    assert kohyatpl("trainer", "status", "--json").envelope["data"]["healthy"] is True
    left = {path.name for path in trainer.paths.root_dir.parent.iterdir()}
    assert left - {"install.lock"} == {trainer.pin.commit, "install.log"}
    assert {path.name for path in trainer.paths.root_dir.iterdir()} == {
        "src",
        "venv",
        "requirements.txt",
        "installation.json",
    }


def test_a_whole_install_says_what_it_does(trainer: SmallTrainer) -> None:
    with _install(trainer) as live:
        done = live.finish()
    assert done.code == 0, done.stderr
    assert [line.split()[0] for line in done.stderr.splitlines()] == [moment.split()[0] for moment in MOMENTS]
    assert "downloading torch (2.5 GiB)" in done.stderr
    _assert_healthy(trainer)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_install_leaves_nothing_that_runs_or_counts(plain_trainer: SmallTrainer, moment: str) -> None:
    is_installers = moment in ("downloading torch", "unpacking")
    with _install(plain_trainer, installer_s=SLOWLY_S if moment == "downloading torch" else 0.4) as live:
        live.wait_for(moment)
        live.popen.kill()
        live.popen.wait()
        assert bool(plain_trainer.installer_pids) or not is_installers
        _assert_nothing_runs(plain_trainer)
        _assert_nothing_counts()
    _assert_installs(plain_trainer)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("as_json", [False, True])
def test_a_stopped_install_cleans_up(plain_trainer: SmallTrainer, number: signal.Signals, *, as_json: bool) -> None:
    with _install(plain_trainer, *(["--json"] if as_json else []), installer_s=SLOWLY_S) as live:
        eventually(lambda: len(plain_trainer.installer_pids) == 2, "the installer works")
        live.popen.send_signal(number)
        live.popen.send_signal(number)  # as `timeout` does
        done = live.finish()
    assert done.code == 128 + number
    if as_json:
        assert done.problem["code"] == "trainer.stopped"
        assert number.name in done.problem["message"]
    else:
        assert f"error: The installation was stopped by {number.name}" in done.stderr
    assert not plain_trainer.paths.partial.root_dir.exists()
    _assert_nothing_runs(plain_trainer)
    _assert_nothing_counts()


def test_of_two_installs_the_second_waits_and_both_succeed(plain_trainer: SmallTrainer) -> None:
    with _install(plain_trainer, installer_s=1.0) as first:
        first.wait_for("downloading")
        with _install(plain_trainer, installer_s=1.0) as second:
            second.wait_for(WAITING)
            codes = [first.finish().code, second.finish().code]
            assert second.said.splitlines() == [WAITING, "already installed"]
    assert codes == [0, 0]
    assert len(plain_trainer.installer_pids) == 2
    _assert_healthy(plain_trainer)


def test_when_the_first_of_two_installs_is_killed_the_second_takes_over(plain_trainer: SmallTrainer) -> None:
    with _install(plain_trainer, installer_s=SLOWLY_S) as first:
        first.wait_for("downloading")
        with _install(plain_trainer) as second:
            second.wait_for(WAITING)
            first.popen.kill()
            done = second.finish()
    assert done.code == 0, done.stderr
    assert "copying" in done.stderr
    _assert_nothing_runs(plain_trainer)
    _assert_healthy(plain_trainer)


def test_leftovers_of_other_commits_are_removed_as_well(plain_trainer: SmallTrainer) -> None:
    beside = plain_trainer.paths.root_dir.parent
    for name in ("1234567890" * 4 + ".partial", "1234567890" * 4 + ".replaced"):
        (beside / name / "venv").mkdir(parents=True)
    _assert_installs(plain_trainer)
