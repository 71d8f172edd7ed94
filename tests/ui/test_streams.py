"""Output that goes to pipes: closed early, full, of another encoding; and never a control character in it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import COMMAND, kohyatpl
from tests.stand_in import StandIn, make_trainable_project


@pytest.fixture
def closed_pipe() -> Iterator[int]:
    """A pipe whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


READING_COMMANDS = [
    ("--help",),
    ("--version",),
    ("config", "show", "project"),
    ("config", "show", "project", "--json"),
    ("render", "project"),
    ("trainer", "status", "--json"),
]


@pytest.mark.parametrize("words", READING_COMMANDS, ids=" ".join)
def test_a_reader_that_goes_away_ends_a_command_quietly(
    tmp_path: Path, stand_in: StandIn, closed_pipe: int, words: tuple[str, ...]
) -> None:
    make_trainable_project(tmp_path / "project")
    done = subprocess.run(
        [*COMMAND, *words], cwd=tmp_path, stdout=closed_pipe, stderr=subprocess.PIPE, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_exit_code_stays_when_the_reader_goes_away(tmp_path: Path, closed_pipe: int) -> None:
    done = subprocess.run(
        [*COMMAND, "--json", "run", tmp_path / "nowhere"],
        stdout=closed_pipe,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (4, "")


def test_the_first_line_can_be_had_with_head(tmp_path: Path) -> None:
    root = make_trainable_project(tmp_path / "project")
    command = subprocess.Popen([*COMMAND, "config", "show", root], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    head = subprocess.run(["head", "-n", "1"], stdin=command.stdout, capture_output=True, check=True, timeout=60)
    _, stderr = command.communicate(timeout=60)
    assert head.stdout == b"family  sd15  (train_network.py)\n"
    assert (command.returncode, stderr) == (0, b"")


@pytest.mark.parametrize("words", READING_COMMANDS, ids=" ".join)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_that_cannot_be_written_is_an_error_in_a_sentence(
    tmp_path: Path, stand_in: StandIn, words: tuple[str, ...]
) -> None:
    make_trainable_project(tmp_path / "project")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, *words], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60
        )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "No space left on device" in done.stderr


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_a_training_goes_on_when_nobody_reads_any_more(
    tmp_path: Path, stand_in: StandIn, closed_pipe: int, stream: str, options: tuple[str, ...]
) -> None:
    root = make_trainable_project(tmp_path / "project")
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: closed_pipe}
    done = subprocess.run(
        [*COMMAND, "run", root, *options], stdout=streams["stdout"], stderr=streams["stderr"], check=False, timeout=60
    )
    (record,) = (root / "log").glob("*/run.json")
    assert json.loads(record.read_bytes())["state"] == "finished"
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "encoding"),
    [
        (("new", "犬"), 0, "ascii"),
        (("new", "犬", "--json"), 0, "ascii"),
        (("config", "show", "日本"), 0, "ascii"),
        (("config", "show", "日本"), 0, "cp1252"),
        (("run", "nowhere 日本"), 4, "ascii"),
        (("run", "nowhere 日本", "--json"), 4, "cp1252"),
    ],
)
def test_a_stream_of_another_encoding_ends_no_command(
    tmp_path: Path, words: tuple[str, ...], code: int, encoding: str
) -> None:
    """What a pipe has on Windows, and on servers without a locale."""
    make_trainable_project(tmp_path / "日本")
    done = kohyatpl(*words, cwd=tmp_path, env={"PYTHONIOENCODING": encoding})
    assert "Traceback" not in done.stderr
    assert done.code == code


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_json_of_an_odd_name_is_the_same_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    root = make_trainable_project(tmp_path / "project", output_name="ñandú 日本 😀")
    done = kohyatpl("config", "show", root, "--json", env={"PYTHONIOENCODING": encoding})
    assert done.envelope == kohyatpl("config", "show", root, "--json").envelope


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("config", "show", "project"),
        ("config", "show", "project", "--set", "lerning_rate=1"),
        ("render", "project"),
        ("run", "project"),
        ("run", "project", "--set", 'kohyatpl={"env": {"STAND_IN": "error"}}'),
        ("frobnicate",),
    ],
    ids=" ".join,
)
def test_what_goes_into_a_pipe_has_no_control_characters(
    tmp_path: Path, stand_in: StandIn, words: tuple[str, ...]
) -> None:
    make_trainable_project(tmp_path / "project")
    done = kohyatpl(*words, cwd=tmp_path, env={"TERM": "xterm-256color"})
    assert done.stdout + done.stderr != ""
    assert [character for character in done.stdout + done.stderr if ord(character) < 32 and character != "\n"] == []
