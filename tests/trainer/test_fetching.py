"""Fetching from real servers, over lines that are good, cut, silent or corrupt."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import git as gitpython
import pytest

from loratpl.errors import TrainerError
from loratpl.trainer.checkout import fetch_checkout
from loratpl.trainer.fetching import fetch
from loratpl.trainer.install import install
from loratpl.trainer.paths import TrainerPaths
from loratpl.trainer.pin import Pin
from loratpl.trainer.status import status
from tests.given import refusal
from tests.trainer.repositories import FILES, git
from tests.trainer.servers import (
    HOST,
    Harm,
    at,
    bad_line,
    corrupt,
    cut,
    fall_silent,
    git_daemon,
    http_server,
    locked_server,
    make_origin,
)

SCHEMES: dict[str, Callable[[Path], AbstractContextManager[int]]] = {"git": git_daemon, "http": http_server}
OPENING_BYTES = 60  # within the first thing that a server says
MIDDLE_BYTES = 200_000  # within the files
SOON_S = 20.0


def _use_protocol(version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"COUNT": "1", "KEY_0": "protocol.version", "VALUE_0": str(version)}.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)


@contextmanager
def _served(scheme: str, folder: Path) -> Iterator[tuple[Pin, int]]:
    """A pin whose repository is served, and the server's port."""
    pin = make_origin(folder / "served" / "sd-scripts")
    with SCHEMES[scheme](folder / "served") as port:
        yield at(pin, f"{scheme}://{HOST}:{port}/sd-scripts/.git"), port


def _refused(pin: Pin, target: Path, code: str, *named: str) -> None:
    with pytest.raises(TrainerError) as caught:
        fetch_checkout(target, pin, lambda _: None)
    problem = refusal(caught.value, TrainerError, code, *named)
    assert problem.where == pin.url
    assert "kohyatpl trainer install --source PATH" in problem.fix


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("version", [0, 2])
def test_a_server_gives_out_the_one_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, version: int
) -> None:
    _use_protocol(version, monkeypatch)
    said: list[str] = []
    with _served(scheme, tmp_path) as (pin, _):
        git(tmp_path / "served" / "sd-scripts", "config", "uploadpack.allowReachableSHA1InWant", "true")
        files = fetch_checkout(tmp_path / "target", pin, said.append)
    assert said == []
    assert set(files.hashes) == {*FILES, "docs/figure.png"}
    assert git(tmp_path / "target", "rev-parse", "HEAD") == pin.commit
    assert git(tmp_path / "target", "rev-list", "--count", "HEAD") == "1"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("version", [0, 1])
def test_a_server_that_gives_out_no_single_commit_is_asked_for_its_branches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, version: int
) -> None:
    _use_protocol(version, monkeypatch)
    said: list[str] = []
    with _served(scheme, tmp_path) as (pin, _):
        files = fetch_checkout(tmp_path / "target", pin, said.append)
    assert said == ["the server does not give out a single commit; fetching its branches and tags"]
    assert set(files.hashes) == {*FILES, "docs/figure.png"}
    assert git(tmp_path / "target", "rev-parse", "HEAD") == pin.commit


@pytest.mark.parametrize("version", [0, 2])
def test_a_commit_that_the_server_does_not_have_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    _use_protocol(version, monkeypatch)
    with _served("git", tmp_path) as (pin, _):
        missing = replace(pin, commit="1234567890" * 4)
        _refused(missing, tmp_path / "target", "trainer.fetch", missing.commit)


def test_a_commit_with_other_files_than_the_pins_is_not_taken(tmp_path: Path) -> None:
    with _served("git", tmp_path) as (pin, _), pytest.raises(TrainerError) as caught:
        fetch_checkout(tmp_path / "target", replace(pin, tree="1234567890" * 4), lambda _: None)
    refusal(caught.value, TrainerError, "trainer.source.commit", pin.short_commit, "12345678", "not those that the pin")


def test_a_setting_of_git_that_changes_files_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attributes_path = tmp_path / "attributes"
    attributes_path.write_text("*.py text eol=crlf\n", encoding="utf-8")
    for name, value in {"COUNT": "1", "KEY_0": "core.attributesFile", "VALUE_0": str(attributes_path)}.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    with _served("git", tmp_path) as (pin, _), pytest.raises(TrainerError) as caught:
        fetch_checkout(tmp_path / "target", pin, lambda _: None)
    refusal(caught.value, TrainerError, "trainer.source.changed", pin.url, "train_network.py", "core.attributesFile")


def test_a_server_without_that_repository_is_told_in_its_own_words(tmp_path: Path) -> None:
    with _served("git", tmp_path) as (pin, port):
        elsewhere = at(pin, f"git://{HOST}:{port}/other")
        _refused(elsewhere, tmp_path / "target", "trainer.fetch", "repository not exported")


def test_nobody_is_asked_for_a_password(tmp_path: Path) -> None:
    pin = make_origin(tmp_path / "origin")
    with locked_server() as port:
        locked = at(pin, f"http://{HOST}:{port}/sd-scripts")
        _refused(locked, tmp_path / "target", "trainer.fetch", "could not read Username")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("good_bytes", "harm"),
    [(0, cut), (OPENING_BYTES, cut), (MIDDLE_BYTES, cut), (MIDDLE_BYTES, corrupt)],
)
def test_a_broken_line_ends_in_an_error_and_leaves_nothing(
    tmp_path: Path, scheme: str, good_bytes: int, harm: Harm
) -> None:
    with _served(scheme, tmp_path) as (pin, port), bad_line(port, good_bytes, harm) as line:
        broken = at(pin, pin.url.replace(str(port), str(line)))
        with pytest.raises(TrainerError) as caught:
            install(broken, None, lambda _: None, torch="default")
    refusal(caught.value, TrainerError, "trainer.fetch", broken.url)
    paths = TrainerPaths.of(pin)
    assert not paths.partial.root_dir.exists()
    assert status(pin).marker is None


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("good_bytes", [0, OPENING_BYTES, MIDDLE_BYTES])
def test_a_line_that_falls_silent_is_given_up(tmp_path: Path, scheme: str, good_bytes: int) -> None:
    target = tmp_path / "target"
    target.mkdir()
    git(target, "init", "--quiet")
    with _served(scheme, tmp_path) as (pin, port), bad_line(port, good_bytes, fall_silent) as line:
        url = pin.url.replace(str(port), str(line))
        started_at = time.monotonic()
        with gitpython.Repo(target) as repo, pytest.raises(gitpython.GitCommandError) as caught:
            fetch(repo, ["--depth=1", url, pin.commit], lambda _: None, stall_s=1.0)
        assert time.monotonic() - started_at < SOON_S
    assert "nothing has come for 1 s" in str(caught.value.stderr)


def test_git_itself_gives_up_a_slow_web_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_HTTP_LOW_SPEED_TIME", "1")  # instead of the minute that is written into its config
    with _served("http", tmp_path) as (pin, port), bad_line(port, MIDDLE_BYTES, fall_silent) as line:
        silent = at(pin, pin.url.replace(str(port), str(line)))
        _refused(silent, tmp_path / "target", "trainer.fetch", "too slow")


def test_sizes_and_speed_are_told_while_files_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that lets a little through now and then, for longer than the meter waits between two sentences."""

    def trickle(client: socket.socket, data: bytes) -> bool:
        for start in range(0, len(data), 8192):
            time.sleep(0.1)
            client.sendall(data[start : start + 8192])
        return True

    # git tells nothing of fewer than a hundred objects unless it keeps them as they come.
    for name, value in {"COUNT": "1", "KEY_0": "fetch.unpackLimit", "VALUE_0": "1"}.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    said: list[str] = []
    with _served("git", tmp_path) as (pin, port), bad_line(port, OPENING_BYTES, trickle) as line:
        fetch_checkout(tmp_path / "target", at(pin, pin.url.replace(str(port), str(line))), said.append)
    assert any(sentence.startswith("fetching: Receiving objects:") and "iB" in sentence for sentence in said), said
