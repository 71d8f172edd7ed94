"""What each command but `new` and `run` shows to a person, and tells to a program."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import filelock
import pytest

from loratpl.trainer.paths import TrainerPaths
from loratpl.trainer.pin import load_pin
from tests.command_line import COMMAND, kohyatpl
from tests.stand_in import StandIn, make_trainable_project, oddest

# --- config show


def test_every_setting_is_shown_with_its_value_and_source(tmp_path: Path) -> None:
    odd_path = oddest(tmp_path)
    root = make_trainable_project(odd_path / "project")
    done = kohyatpl("config", "show", root, "--set", "network_dim=32")
    family, _, head, *rows = done.stdout.splitlines()
    found = {row.split()[0]: row.split(maxsplit=1)[1] for row in rows}
    assert (done.code, done.stderr) == (0, "")
    assert family == "family  sd15  (train_network.py)"
    assert head.split() == ["option", "value", "trainer's", "default", "from"]
    assert found["network_dim"].split() == ["32", "-", "command", "line"]
    assert found["max_train_steps"].split() == ["6", "1600", "config.json"]
    assert found["learning_rate"].split() == ["0.0001", "2e-06", "default"]
    assert found["optimizer_type"].split() == ['"AdamW"', '""', "default"]
    assert list(found) == sorted(found)


def test_the_same_settings_are_told_to_programs(tmp_path: Path) -> None:
    odd_path = oddest(tmp_path)
    root = make_trainable_project(odd_path / "project")
    data = kohyatpl("config", "show", root, "--json", "--set", "output_name=日本").envelope["data"]
    assert set(data) == {"family", "preset", "script", "options", "filled_in_by_render", "kohyatpl", "secrets"}
    assert data["options"]["output_name"] == {
        "value": "日本", "source": "command line", "trainer_default": None,
    }  # fmt: skip
    assert data["options"]["max_train_steps"] == {
        "value": 6, "source": "config.json", "trainer_default": 1600,
    }  # fmt: skip
    assert data["options"]["train_data_dir"] == {
        "value": str(root / "image_dir"), "source": "default", "trainer_default": None,
    }  # fmt: skip
    assert data["kohyatpl"]["env"]["STAND_IN_STEP_S"] == "0.01"


def test_the_project_is_the_current_folder_unless_named(tmp_path: Path) -> None:
    root = make_trainable_project(tmp_path / "project")
    assert kohyatpl("config", "show", cwd=root) == kohyatpl("config", "show", root)


def test_another_config_can_be_named(tmp_path: Path) -> None:
    odd_path = oddest(tmp_path)
    root = make_trainable_project(odd_path / "project")
    config = json.loads((root / "config.json").read_bytes())
    (root / "other.json").write_text(json.dumps({**config, "seed": 5}), encoding="utf-8")
    done = kohyatpl("config", "show", root, "--config", root / "other.json", "--json")
    assert done.envelope["data"]["options"]["seed"]["source"] == "other.json"


def test_settings_with_an_error_are_shown_all_the_same_and_exit_with_3(tmp_path: Path) -> None:
    root = make_trainable_project(tmp_path / "project", lerning_rate=1)
    done = kohyatpl("config", "show", root)
    assert done.code == 3
    assert done.stdout.startswith("family  sd15")
    before, _, _ = (root / "config.json").read_text(encoding="utf-8").partition('"lerning_rate"')
    place = f"config.json line {before.count(chr(10)) + 1}"
    assert done.stderr == (
        f"error: {place}: unknown key `lerning_rate`; did you mean `learning_rate`?\n"
        "  fix: Rename it to `learning_rate`.\n"
    )


READING_COMMANDS = [("config", "show"), ("check",), ("plan",), ("render",), ("run",)]
UNREADABLE = [
    (("nowhere",), 4, "project.missing", "nowhere"),
    (("empty",), 4, "project.config.missing", "config.json"),
    (("project", "--config", "nowhere.json"), 3, "config.unreadable", "nowhere.json"),
    (("project", "--set", "network_dim"), 2, "usage.set", "--set network_dim"),
    (("project", "--set", "network_dim=many"), 3, "config.value", "network_dim"),
    (("project", "--set", "nothing=1"), 3, "config.key.unknown", "nothing"),
]


@pytest.mark.parametrize(
    ("command", "arguments", "code", "problem", "named"),
    [
        *((command, *UNREADABLE[0]) for command in READING_COMMANDS),
        *((command, *UNREADABLE[-1]) for command in READING_COMMANDS),
        *((READING_COMMANDS[0], *case) for case in UNREADABLE[1:-1]),
    ],
)
def test_what_cannot_be_read_is_named(
    tmp_path: Path,
    stand_in: StandIn,
    command: tuple[str, ...],
    arguments: tuple[str, ...],
    code: int,
    problem: str,
    named: str,
) -> None:
    make_trainable_project(tmp_path / "project")
    (tmp_path / "empty").mkdir()
    done = kohyatpl(*command, *arguments, "--json", cwd=tmp_path)
    assert (done.code, done.problem["code"]) == (code, problem)
    assert named in done.problem["message"]
    assert done.problem["fix"]


# --- render


def test_the_trainers_files_and_command_are_written(tmp_path: Path, stand_in: StandIn) -> None:
    odd_path = oddest(tmp_path)
    root = make_trainable_project(odd_path / "project")
    done = kohyatpl("render", root)
    folder = root / ".kohyatpl" / "render"
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "6 steps in 3 epochs: 2 views of training images and 0 of regularisation images per epoch, 2 batches.",
        f"Written to {folder}:",
        "  train.toml",
        "  dataset.toml",
        "  command.txt",
        "The LoRA will say of itself:",
        "  trigger phrase: ohwx cat",
        "  tags: sd15, lora, text-to-image, ohwx cat",
        '  usage hint: Prompt with "ohwx cat"; a strength of 0.7 to 1 is usual.',
    ]
    assert {path.name for path in folder.iterdir()} == {"config.json", "train.toml", "dataset.toml", "command.txt"}
    assert list((root / "log").iterdir()) == []


def test_the_rendered_command_trains_when_it_is_pasted(tmp_path: Path, stand_in: StandIn) -> None:
    odd_path = oddest(tmp_path)
    root = make_trainable_project(odd_path / "project")
    out = odd_path / "rendered files"
    data = kohyatpl("render", root, "--out", out, "--json").envelope["data"]
    assert data["out"] == str(out.resolve())
    assert data["options"]["max_train_steps"] == 6
    command = (out / "command.txt").read_text(encoding="utf-8")
    subprocess.run(["sh", "-c", command], check=True, capture_output=True, timeout=60)
    assert (root / "output" / "lora.safetensors").is_file()


def test_a_missing_trainer_is_a_warning_before_a_run(tmp_path: Path) -> None:
    done = kohyatpl("render", make_trainable_project(tmp_path / "project"))
    assert done.code == 0
    assert done.stderr.startswith("warning: The trainer is not installed.\n  fix: ")
    assert "kohyatpl trainer install" in done.stderr
    assert "command.txt" in done.stdout


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, stand_in: StandIn) -> None:
    odd_path = oddest(tmp_path)
    root = make_trainable_project(odd_path / "project")
    (odd_path / "file").write_bytes(b"mine")
    done = kohyatpl("render", root, "--out", odd_path / "file", "--json")
    assert (done.code, done.problem["code"]) == (4, "project.write")
    assert str(odd_path.resolve() / "file") in done.problem["message"]
    assert "--out" in done.problem["fix"]
    assert (odd_path / "file").read_bytes() == b"mine"


# --- trainer


def test_a_healthy_trainer_is_described(stand_in: StandIn) -> None:
    done = kohyatpl("trainer", "status")
    assert (done.code, done.stderr) == (0, "")
    state, path, python, *_ = done.stdout.splitlines()
    pin = load_pin()
    assert state == f"sd-scripts {pin.tag}+{pin.commits_after_tag} ({pin.short_commit}): healthy"
    assert path.split() == ["path", str(stand_in.paths.root_dir)]
    assert python.split() == ["python", "3.11"]
    data = kohyatpl("trainer", "status", "--json").envelope["data"]
    assert data == {
        "installed": True,
        "healthy": True,
        "commit": pin.commit,
        "own_pin": False,
        "path": str(stand_in.paths.root_dir),
        "python": "3.11",
        "packages": {},
        "left_out": [],
    }


def test_a_missing_trainer_is_an_error_with_its_fix() -> None:
    done = kohyatpl("trainer", "status", "--json")
    assert (done.code, done.problem["code"]) == (5, "trainer.missing")
    assert done.problem["where"] == str(TrainerPaths.of(load_pin()).root_dir)
    assert "`kohyatpl trainer install" in done.problem["fix"]
    assert (done.envelope["data"]["installed"], done.envelope["data"]["healthy"]) == (False, False)
    assert ": not installed\n" in kohyatpl("trainer", "status").stdout


def change_file(stand_in: StandIn) -> None:
    marker = json.loads(stand_in.paths.marker_path.read_bytes())
    marker["hashes"] = {"train_network.py": "0" * 40}
    stand_in.paths.marker_path.write_text(json.dumps(marker), encoding="utf-8")


def remove_interpreter(stand_in: StandIn) -> None:
    stand_in.paths.python_path.unlink()


def change_package(stand_in: StandIn) -> None:
    marker = json.loads(stand_in.paths.marker_path.read_bytes())
    marker["packages"] = {"torch": "0.0.1"}
    stand_in.paths.marker_path.write_text(json.dumps(marker), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (change_file, "the first is train_network.py"),
        (remove_interpreter, "does not answer"),
        (change_package, "other versions than installed: torch"),
    ],
)
def test_an_unhealthy_trainer_says_what_is_wrong_with_it(
    stand_in: StandIn, change: Callable[[StandIn], None], says: str
) -> None:
    change(stand_in)
    done = kohyatpl("trainer", "status", "--json")
    assert done.code == 5
    assert {problem["code"] for problem in done.problems} == {"trainer.unhealthy"}
    assert says in done.problems[0]["message"]
    assert "trainer install" in done.problems[0]["fix"]
    assert ": unhealthy\n" in kohyatpl("trainer", "status").stdout


def test_without_a_network_a_checkout_can_be_named_instead() -> None:
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    done = kohyatpl("trainer", "install", "--json", "--torch", "default", env=nowhere)
    assert (done.code, done.problem["code"]) == (5, "trainer.fetch")
    assert f"cannot be fetched from {load_pin().url}" in done.problem["message"]
    assert "--source PATH" in done.problem["fix"]
    assert load_pin().commit in done.problem["fix"]
    assert not TrainerPaths.of(load_pin()).partial.root_dir.exists()


def test_what_is_installed_is_not_installed_again(stand_in: StandIn) -> None:
    done = kohyatpl("trainer", "install", "--source", "nowhere")
    assert done.code == 0
    assert done.stderr == "already installed\n"
    assert ": healthy\n" in done.stdout


@pytest.mark.parametrize("through_environment", [False, True])
def test_a_source_that_is_no_checkout_is_named(tmp_path: Path, *, through_environment: bool) -> None:
    odd_path = oddest(tmp_path)
    words = ["trainer", "install", "--json", "--torch", "default"]
    if through_environment:
        done = kohyatpl(*words, env={"KOHYATPL_SD_SCRIPTS": str(odd_path)})
    else:
        done = kohyatpl(*words, "--source", odd_path)
    assert (done.code, done.problem["code"]) == (5, "trainer.source.unreadable")
    assert done.problem["where"] == str(odd_path)
    assert f"{odd_path} is not a git checkout of sd-scripts" in done.problem["message"]
    assert load_pin().commit in done.problem["fix"]
    assert not TrainerPaths.of(load_pin()).root_dir.exists()
    assert not TrainerPaths.of(load_pin()).partial.root_dir.exists()


def test_a_source_is_looked_at_before_anything_is_asked_of_the_network(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        env = dict.fromkeys(("http_proxy", "https_proxy"), f"http://127.0.0.1:{proxy.getsockname()[1]}")
        done = kohyatpl("trainer", "install", "--json", "--source", tmp_path, env=env)
        asked, _, _ = select.select([proxy], [], [], 0)
    assert asked == []
    assert done.problem["code"] == "trainer.source.unreadable"


def test_without_git_the_fix_is_to_install_it(tmp_path: Path) -> None:
    words = ("trainer", "install", "--json", "--torch", "default", "--source", tmp_path)
    done = kohyatpl(*words, env={"PATH": str(tmp_path)})
    assert (done.code, done.problem["code"]) == (5, "trainer.git.missing")
    assert "git-scm.com" in done.problem["fix"]


def test_a_place_where_nothing_can_be_installed_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    env = {"KOHYATPL_HOME": str(tmp_path / "file")}
    done = kohyatpl("trainer", "install", "--json", "--torch", "default", "--source", tmp_path, env=env)
    assert (done.code, done.problem["code"]) == (5, "trainer.install.disk")
    assert str(tmp_path / "file") in done.problem["message"]
    assert "KOHYATPL_HOME" in done.problem["fix"]


def test_an_install_waits_for_another_one_and_can_be_interrupted() -> None:
    paths = TrainerPaths.of(load_pin())
    paths.lock_path.parent.mkdir(parents=True)
    with filelock.FileLock(paths.lock_path):
        waiting = subprocess.Popen(
            [*COMMAND, "trainer", "install", "--source", os.devnull], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert waiting.stderr is not None
        assert waiting.stderr.readline() == b"another install is at work; waiting for it\n"
        waiting.send_signal(signal.SIGINT)
        stdout, stderr = waiting.communicate(timeout=30)
    assert waiting.returncode == 130
    assert stdout == b""
    assert b"error: The installation was stopped by SIGINT" in stderr
    assert not paths.partial.root_dir.exists()


def test_a_trainer_can_be_removed(stand_in: StandIn) -> None:
    done = kohyatpl("trainer", "remove", "--json")
    assert done.envelope["data"]["freed_bytes"] > 0
    assert not stand_in.paths.root_dir.exists()
    assert kohyatpl("trainer", "status").code == 5
    again = kohyatpl("trainer", "remove")
    assert (again.code, again.stdout) == (0, "No trainer is installed.\n")


def test_a_trainer_is_not_removed_while_somebody_installs(stand_in: StandIn) -> None:
    with filelock.FileLock(stand_in.paths.lock_path):
        done = kohyatpl("trainer", "remove", "--json")
    assert (done.code, done.problem["code"]) == (7, "run.busy")
    assert done.problem["where"] == str(stand_in.paths.lock_path)
    assert stand_in.status.is_ready


def test_verifying_a_trainer_that_cannot_train_names_what_failed(stand_in: StandIn) -> None:
    """The stand-in's interpreter has nothing to make the tiny model with."""
    done = kohyatpl("trainer", "verify", "--json")
    assert (done.code, done.problem["code"]) == (5, "trainer.environment.broken")
    assert "tiny_model.py failed" in done.problem["message"]
    assert "No module named" in done.problem["message"]


# --- quiet


@pytest.mark.parametrize(
    "words",
    [
        ("--quiet", "config", "show", "project"),
        ("config", "show", "project", "--quiet"),
        ("check", "project", "--quiet"),
        ("plan", "project", "--quiet"),
        ("render", "project", "--quiet"),
        ("--quiet", "run", "project"),
        ("run", "project", "--quiet"),
        ("trainer", "status", "--quiet"),
        ("new", "cats", "--model", "a/b", "--quiet"),
    ],
    ids=" ".join,
)
def test_quiet_commands_say_nothing_when_nothing_is_wrong(
    tmp_path: Path, stand_in: StandIn, words: tuple[str, ...]
) -> None:
    make_trainable_project(tmp_path / "project")
    done = kohyatpl(*words, cwd=tmp_path)
    assert (done.code, done.stdout, done.stderr) == (0, "", "")


def test_quiet_commands_still_show_problems(tmp_path: Path) -> None:
    root = make_trainable_project(tmp_path / "project", lerning_rate=1)
    done = kohyatpl("--quiet", "config", "show", root)
    assert (done.code, done.stdout) == (3, "")
    assert done.stderr.startswith("error: config.json line ")
    assert "unknown key `lerning_rate`" in done.stderr


def test_quiet_does_not_silence_json(stand_in: StandIn) -> None:
    assert kohyatpl("--quiet", "--json", "trainer", "status").envelope["data"]["healthy"] is True
