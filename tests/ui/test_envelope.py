"""`--json`: one object of the documented form, whatever the command and its end (checked by `Done.envelope`)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from loratpl.errors import ExitCode, Problem
from loratpl.ui.result import CommandResult, envelope
from tests.command_line import kohyatpl
from tests.stand_in import StandIn, make_stand_in, make_trainable_project, oddest

# What stands for a project and for a model in the command lines below.
PROJECT, MODEL, NEW = "PROJECT", "MODEL", "NEW"


@pytest.fixture
def places(tmp_path: Path) -> Callable[[str], str]:
    """Returns what a word of a command line stands for."""
    project = make_trainable_project(tmp_path / "project")
    known = {PROJECT: project, MODEL: tmp_path / "model.safetensors", NEW: tmp_path / "new project"}
    return lambda word: str(known.get(word, word))


WITH_TRAINER = [
    (("new", NEW, "--model", MODEL), 0, "ok", "new"),
    (("new", NEW), 0, "warning", "new"),
    (("new", PROJECT), 4, "error", "new"),
    (("new", NEW, "--family", "sd9"), 2, "error", "new"),
    (("check", PROJECT), 0, "ok", "check"),
    (("check", PROJECT, "--set", "mixed_precision=fp16", "--for", "cpu"), 5, "error", "check"),
    (("plan", PROJECT), 0, "ok", "plan"),
    (("plan", PROJECT, "--set", "lerning_rate=1"), 3, "error", "plan"),
    (("render", PROJECT), 0, "ok", "render"),
    (("render", PROJECT, "--set", "network_dim=x"), 3, "error", "render"),
    (("run", PROJECT), 0, "ok", "run"),
    (("run", PROJECT, "--set", "save_model_as=ckpt"), 0, "warning", "run"),
    (("run", PROJECT, "--set", 'kohyatpl={"env": {"STAND_IN": "error"}}'), 6, "error", "run"),
    (("run", "nowhere"), 4, "error", "run"),
    (("config", "show", PROJECT), 0, "ok", "config show"),
    (("config", "show", PROJECT, "--set", "lerning_rate=1"), 3, "error", "config show"),
    (("config", "show", PROJECT, "--config", "nowhere.json"), 3, "error", "config show"),
    (("trainer", "status"), 0, "ok", "trainer status"),
    (("trainer", "install"), 0, "ok", "trainer install"),
    (("trainer", "remove"), 0, "ok", "trainer remove"),
    (("frobnicate",), 2, "error", ""),
    (("run", "--frobnicate"), 2, "error", "run"),
    (("trainer", "frobnicate"), 2, "error", "trainer"),
    (("trainer",), 2, "error", "trainer"),
    ((), 2, "error", ""),
]
WITHOUT_TRAINER = [
    (("check", PROJECT), 0, "warning", "check"),
    (("check", PROJECT, "--strict"), 5, "error", "check"),
    (("render", PROJECT), 0, "warning", "render"),
    (("run", PROJECT), 5, "error", "run"),
    (("trainer", "status"), 5, "error", "trainer status"),
    (("trainer", "install", "--source", "nowhere", "--torch", "default"), 5, "error", "trainer install"),
    (("trainer", "remove"), 0, "ok", "trainer remove"),
    (("trainer", "verify"), 5, "error", "trainer verify"),
]


@pytest.mark.parametrize(
    ("words", "code", "status", "command", "has_trainer"),
    [*((*case, True) for case in WITH_TRAINER), *((*case, False) for case in WITHOUT_TRAINER)],
)
def test_stdout_holds_the_envelope_and_nothing_else(
    places: Callable[[str], str],
    tmp_path: Path,
    words: tuple[str, ...],
    code: int,
    status: str,
    command: str,
    *,
    has_trainer: bool,
) -> None:
    if has_trainer:
        make_stand_in(Path(os.environ["KOHYATPL_HOME"]))
    arguments = [places(word) for word in words]
    done = kohyatpl("--json", *arguments, cwd=tmp_path)
    assert (done.code, done.envelope["status"], done.envelope["command"]) == (code, status, command)
    assert done.stderr == ""
    *events, last = done.stdout.splitlines()
    assert done.stdout == "".join(f"{line}\n" for line in (*events, last))
    assert all("event" in json.loads(line) for line in events)
    assert events == [] or words[0] == "run"
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("config", "show", PROJECT),
        ("render", PROJECT),
        ("trainer", "status"),
        ("trainer", "install"),
        ("run", "--frobnicate"),
        ("run", "nowhere", "--set", "nothing"),
        ("frobnicate",),
    ],
)
def test_json_means_the_same_before_and_after_the_command(
    places: Callable[[str], str], tmp_path: Path, words: tuple[str, ...]
) -> None:
    arguments = [places(word) for word in words]
    before, after = kohyatpl("--json", *arguments, cwd=tmp_path), kohyatpl(*arguments, "--json", cwd=tmp_path)
    assert before == after
    assert before.envelope == after.envelope


def test_data_survives_odd_names(tmp_path: Path, stand_in: StandIn) -> None:
    odd_path = oddest(tmp_path)
    project = make_trainable_project(odd_path / "project")
    data = kohyatpl("render", project, "--json").envelope["data"]
    assert data["dataset"]["datasets"][0]["subsets"][0]["image_dir"] == str(project / "image_dir" / "1_ohwx cat")


@pytest.mark.parametrize(
    ("problems", "exit_code", "status"),
    [
        ((), ExitCode.DONE, "ok"),
        ((Problem("dataset.empty", "No pictures.", severity="warning"),), ExitCode.DONE, "warning"),
        ((Problem("dataset.empty", "No pictures."),), ExitCode.PROJECT, "error"),
        ((), ExitCode.INTERRUPTED, "error"),
    ],
)
def test_the_status_follows_exit_code_and_problems(
    problems: tuple[Problem, ...], exit_code: ExitCode, status: str
) -> None:
    found = envelope(CommandResult("check", {"a": 1}, ("for people",), problems, exit_code))
    assert found == {
        "schema": "kohyatpl/1",
        "command": "check",
        "status": status,
        "exit_code": int(exit_code),
        "data": {"a": 1},
        "problems": [
            {"code": p.code, "severity": p.severity, "where": "", "message": p.message, "fix": ""} for p in problems
        ],
    }
