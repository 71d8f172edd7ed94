"""`trainer pin`: another commit is installed and put in force, or nothing has changed.

The repositories, git, the virtual environments and pip are real; the packages are empty ones.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import filelock
import pytest

from loratpl.errors import KohyatplError, Problem, TrainerError
from loratpl.trainer import own_pin
from loratpl.trainer.environment import locked_versions
from loratpl.trainer.install import install, remove
from loratpl.trainer.manifest import MANIFEST_PATH, SCRIPTS, load_manifest
from loratpl.trainer.paths import ORIGINAL_PIN, PinPaths, TrainerPaths
from loratpl.trainer.pin import load_lock, load_pin
from loratpl.trainer.repin import Repinned, go_back, repin
from loratpl.trainer.status import status
from tests.command_line import COMMAND, Done, kohyatpl
from tests.given import refusal
from tests.stand_in import StandIn
from tests.trainer.repositories import git
from tests.trainer.wheels import use_index, write_index, write_wheel

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pip is made the only installer by PATH")

ORIGINAL = load_pin(ORIGINAL_PIN.pin_path)
LOCK = load_lock(ORIGINAL_PIN.lock_path)
# The parsers are built from the shipped manifest, so that only what a test changes differs.
_SCRIPT = """
import argparse, json, pathlib
{before}
def setup_parser():
    parser = argparse.ArgumentParser()
    types = {{"str": str, "int": int, "float": float, "path": pathlib.Path}}
    def int_or_float(text):
        return float(text)
    types["int_or_float"] = int_or_float
    for row in json.loads(pathlib.Path("options.json").read_text(encoding="utf-8"))["{name}"]:
        name = "--" + row["name"]
        if row.get("flag"):
            parser.add_argument(name, action="store_true")
            continue
        words = {{key: row[key] for key in ("nargs", "choices", "default") if key in row}}
        parser.add_argument(name, type=types.get(row.get("type")), **words)
    return parser
"""


class Trainer:
    """A repository whose commits are versions of the trainer; the first one is as the shipped pin has it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        scripts = json.loads(MANIFEST_PATH.read_text(encoding="utf-8"))["scripts"]
        base = scripts["train_network.py"]
        self.options: dict[str, list[dict[str, Any]]] = {
            name: [*base, *rows] if name != "train_network.py" else list(rows) for name, rows in scripts.items()
        }
        self.files: dict[str, str | None] = {
            **{name: _SCRIPT.format(name=name, before="") for name in SCRIPTS},
            "library/__init__.py": "",
            "networks/lora.py": "",
            "requirements.txt": "".join(f"{line}\n" for line in (*ORIGINAL.requirements, "-e .", "# note")),
        }
        git(folder, "init", "--quiet", "--initial-branch", "main")
        self.first = self.commit()

    def commit(self, **files: str | None) -> str:
        """Returns the id of a new commit; of its files those that are named change, or go."""
        self.files.update(files)
        for name, text in {**self.files, "options.json": json.dumps(self.options)}.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True) if text is None else path.write_text(text, encoding="utf-8")
        git(self.folder, "add", "--all")
        git(self.folder, "commit", "--quiet", "--allow-empty", "--message", "a version")
        return git(self.folder, "rev-parse", "HEAD")

    def require(self, changes: Mapping[str, str]) -> dict[str, str]:
        """Returns the requirements with these lines changed, for `commit`."""
        text = self.files["requirements.txt"] or ""
        for before, after in changes.items():
            assert f"{before}\n" in text or not before
            text = text.replace(f"{before}\n", f"{after}\n") if before else f"{text}{after}\n"
        return {"requirements.txt": text}


@pytest.fixture
def trainer(tmp_path: Path) -> Trainer:
    return Trainer(tmp_path / "it's a trainer ñ")


@pytest.fixture(scope="session")
def shipped_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of what the shipped lock names; as PyTorch does it, torch brings a package of its own."""
    folder = tmp_path_factory.mktemp("index")
    requires = {"torch": ["nvidia-something", "sympy"], "transformers": ["tokenizers>=0.21,<0.22"]}
    write_index(folder, {**locked_versions(LOCK), "nvidia-something": "13.0"}, requires)
    return folder


@pytest.fixture
def index(shipped_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The index, as a folder of the test's own."""
    folder = tmp_path / "index"
    folder.mkdir()
    for wheel in shipped_index.iterdir():
        (folder / wheel.name).hardlink_to(wheel)
    use_index(folder, tmp_path / "bin", monkeypatch)
    return folder


def _repin(trainer: Trainer, name: str = "main", said: list[str] | None = None) -> Repinned:
    return repin(name, trainer.folder, (list[str]() if said is None else said).append, torch="default")


def _refused(trainer: Trainer, code: str, *named: str, name: str = "main") -> Problem:
    """Returns the problem of a pin that is refused, once it is certain that nothing has changed."""
    before, in_force = load_pin(), PinPaths.in_force()
    with pytest.raises(KohyatplError) as caught:
        _repin(trainer, name)
    assert (load_pin(), PinPaths.in_force()) == (before, in_force)
    trainers_dir = TrainerPaths.of(before).root_dir.parent
    left = {path.name for path in trainers_dir.iterdir()} - {"install.lock", "install.log", before.commit}
    assert left == set()
    return refusal(caught.value, TrainerError, code, *named)


# --- pinned


def test_another_commit_is_installed_and_put_in_force(trainer: Trainer, index: Path) -> None:
    trainer.options["flux_train_network.py"].append({"name": "new_flux", "type": "float", "default": 0.5})
    commit = trainer.commit(**{"wan_train_network.py": "print()"})
    said: list[str] = []
    done = _repin(trainer, "main", said)
    assert (done.before, done.pin.commit, done.is_original) == (ORIGINAL, commit, False)
    assert done.pin.requirements == ORIGINAL.requirements
    changes = {script: [change.name for change in found] for script, found in done.differences.options.items()}
    assert changes == {script: ["new_flux"] if script == "flux_train_network.py" else [] for script in SCRIPTS}
    assert done.differences.packages == {}
    assert done.differences.new_scripts == ("wan_train_network.py",)
    assert [(found.code, found.severity) for found in done.warnings] == [("trainer.pin.unproven", "warning")]
    assert "kohyatpl trainer verify" in done.warnings[0].fix
    assert any("asking all seven" in sentence for sentence in said)
    # From now on everything is that commit's.
    assert load_pin() == done.pin
    assert load_manifest().options_of["flux_train_network.py"]["new_flux"].default == 0.5
    assert locked_versions(load_lock()) == locked_versions(LOCK)
    found = status(load_pin())
    assert found.is_ready
    assert found.marker is not None
    assert (found.marker.commit, found.marker.source) == (commit, str(trainer.folder))
    assert git(found.paths.source_dir, "rev-parse", "HEAD") == commit
    _goes_on(trainer, commit)


def _goes_on(trainer: Trainer, commit: str) -> None:
    """What comes after the first pin, in the same environment: it takes seconds to make."""
    again = _repin(trainer, commit[:8])
    assert (again.before.commit, again.pin.commit, again.warnings) == (commit, commit, ())
    assert not any(again.differences.options.values())
    # The command line says whose pin it is, and goes back.
    shown = kohyatpl("trainer", "status", "--json")
    assert (shown.code, shown.envelope["data"]["own_pin"], shown.envelope["data"]["commit"]) == (0, True, commit)
    assert "trainer pin --original" in kohyatpl("trainer", "status").stdout
    # An installation that was removed is made again from the user's lock.
    assert remove(load_pin()) > 0
    assert install(load_pin(), trainer.folder, list[str]().append, torch="default").is_ready
    done = kohyatpl("trainer", "pin", "--original")
    assert done.code == 0
    assert "  - option new_flux  [flux_train_network]" in done.stdout.splitlines()
    assert "trainer install" in done.stdout
    assert f"{TrainerPaths(TrainerPaths.of(ORIGINAL).root_dir.with_name(commit)).root_dir} stays" in done.stdout
    assert PinPaths.in_force().is_original
    assert not PinPaths.of_user().root_dir.exists()
    assert kohyatpl("trainer", "status").code == 5
    removed = kohyatpl("trainer", "remove", "--others", "--json")
    assert removed.envelope["data"]["freed_bytes"] > 0
    assert TrainerPaths.others(ORIGINAL) == ()
    assert "No trainer of another commit" in kohyatpl("trainer", "remove", "--others").stdout


def test_changed_requirements_are_carried_into_the_lock(trainer: Trainer, index: Path) -> None:
    write_wheel(index, "einops", "0.8.0")
    write_wheel(index, "tabulate", "0.9.0", ["helper-of-tabulate"])
    write_wheel(index, "helper-of-tabulate", "1.5")
    changes = {"einops==0.7.0": "einops==0.8.0", "voluptuous==0.15.2": "", "safetensors==0.4.5": "safetensors==0.5.3"}
    requirements = trainer.require({**changes, "": "tabulate\n-r more.txt"})
    trainer.commit(**requirements)
    done = _repin(trainer)
    assert done.differences.packages == {
        "einops": ("0.7.0", "0.8.0"),
        "helper-of-tabulate": (None, "1.5"),
        "tabulate": (None, "0.9.0"),
        "voluptuous": ("0.15.2", None),
    }
    assert "einops==0.8.0" in done.pin.requirements
    notes = [found.message for found in done.warnings if found.code == "trainer.pin.package"]
    assert len(notes) == 2
    assert "safetensors==0.8.0 stays" in notes[0]
    assert "-r more.txt" in notes[1]
    assert "nvidia-something" not in load_lock()


def test_packages_that_need_other_versions_of_ours_get_them(trainer: Trainer, index: Path) -> None:
    write_wheel(index, "transformers", "4.57.1", ["tokenizers>=0.22"])
    write_wheel(index, "tokenizers", "0.22.1")
    trainer.commit(**trainer.require({"transformers==4.54.1": "transformers==4.57.1"}))
    said: list[str] = []
    done = _repin(trainer, "main", said)
    changed = {"tokenizers": ("0.21.4", "0.22.1"), "transformers": ("4.54.1", "4.57.1")}
    assert done.differences.packages == changed
    assert any("looking for others" in sentence for sentence in said)


def test_a_commit_is_fetched_from_the_trainers_home(
    trainer: Trainer, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = trainer.commit()
    git(trainer.folder, "tag", "v9")
    for name, value in {
        "COUNT": "1",
        "KEY_0": f"url.{trainer.folder.as_uri()}.insteadOf",
        "VALUE_0": ORIGINAL.url,
    }.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    done = kohyatpl("trainer", "pin", "v9", "--torch", "default", "--json")
    assert done.code == 0
    data = done.envelope["data"]
    assert (data["commit"], data["tag"], data["commits_after_tag"]) == (commit, "v9", 0)
    assert (data["own_pin"], data["healthy"], data["before"]["commit"]) == (True, True, ORIGINAL.commit)
    assert load_pin().url == ORIGINAL.url
    assert done.problem["code"] == "trainer.pin.unproven"


# --- refused


def test_a_script_that_is_missing_is_named(trainer: Trainer) -> None:
    trainer.commit(**{"anima_train_network.py": None})
    _refused(trainer, "trainer.pin.scripts", "anima_train_network.py")


def test_requirements_that_are_missing_are_named(trainer: Trainer) -> None:
    trainer.commit(**{"requirements.txt": None})
    _refused(trainer, "trainer.pin.requirements", "requirements.txt")


def test_a_name_that_nobody_has_is_refused(trainer: Trainer, tmp_path: Path) -> None:
    _refused(trainer, "trainer.pin.unknown", "v77", str(trainer.folder), name="v77")
    trainer.folder = tmp_path
    _refused(trainer, "trainer.source.unreadable", str(tmp_path))


def test_parsers_that_fail_change_nothing(trainer: Trainer, index: Path) -> None:
    own_pin.put_in_force(replace(ORIGINAL, commit="1" * 40), MANIFEST_PATH.read_text(encoding="utf-8"), LOCK)
    script = _SCRIPT.format(name="sd3_train_network.py", before="import nowhere_to_be_found")
    commit = trainer.commit(**{"sd3_train_network.py": script})
    problem = _refused(trainer, "trainer.pin.options", commit[:8], "nowhere_to_be_found")
    assert "trainer install" not in problem.fix


def test_a_sibling_that_differs_from_the_base_script_is_refused(trainer: Trainer, index: Path) -> None:
    (row,) = [row for row in trainer.options["lumina_train_network.py"] if row["name"] == "network_dim"]
    trainer.options["lumina_train_network.py"][trainer.options["lumina_train_network.py"].index(row)] = {
        **row,
        "default": 4,
    }
    trainer.commit()
    _refused(trainer, "trainer.pin.options", "lumina_train_network.py does not have network_dim")


def test_packages_that_cannot_be_had_change_nothing(trainer: Trainer, index: Path) -> None:
    trainer.commit(**trainer.require({"einops==0.7.0": "einops==9.9.9"}))
    problem = _refused(trainer, "trainer.environment.packages", "einops==9.9.9")
    assert "kohyatpl trainer pin main" in problem.fix
    assert "kohyatpl trainer install" not in problem.fix


def test_a_damaged_pin_is_said_and_can_be_left(trainer: Trainer, stand_in: StandIn) -> None:
    own_pin.put_in_force(replace(ORIGINAL, commit="1" * 40), "{", LOCK)
    pinning: tuple[str, ...] = ("trainer", "pin", "main", "--source", str(trainer.folder))
    for words in (pinning, ("config", "show"), ("run",)):
        done = kohyatpl(*words, "--json", cwd=_project(trainer))
        assert (done.code, done.problem["code"]) == (5, "trainer.pin.damaged")
        assert "kohyatpl trainer pin --original" in done.problem["fix"]
    PinPaths.of_user().pin_path.write_text('{"schema": 99}', encoding="utf-8")
    for words in (("trainer", "pin"), ("trainer", "status"), ("trainer", "remove"), ("trainer", "verify")):
        done = kohyatpl(*words, "--json", cwd=_project(trainer))
        assert (done.code, done.problem["code"]) == (5, "trainer.pin.newer")
    back = kohyatpl("trainer", "pin", "--original", "--json")
    assert (back.code, back.envelope["data"]["healthy"]) == (0, True)
    assert kohyatpl("trainer", "status").code == 0


def _project(trainer: Trainer) -> Path:
    folder = trainer.folder.parent / "project"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text('{"learning_rate": 1e-4}', encoding="utf-8")
    return folder


# --- the pin that kohyatpl comes with


def _said(done: Done) -> str:
    assert done.code == 0
    return done.stdout


def test_without_a_commit_the_pin_in_force_is_shown(stand_in: StandIn) -> None:
    text = _said(kohyatpl("trainer", "pin"))
    assert f"sd-scripts {ORIGINAL.title}: the pin that kohyatpl comes with" in text
    own_pin.put_in_force(replace(ORIGINAL, commit="1" * 40, tag="", url="https://example.invalid/fork"), "", LOCK)
    text = _said(kohyatpl("trainer", "pin", env={"KOHYATPL_SD_SCRIPTS": "anywhere"}))
    assert "sd-scripts 11111111: a pin of your own" in text
    assert "https://example.invalid/fork" in text
    assert f"comes with {ORIGINAL.title}" in text
    data = kohyatpl("trainer", "pin", "--json").envelope["data"]
    assert (data["commit"], data["tag"], data["own_pin"]) == ("1" * 40, None, True)
    assert data["original"]["commit"] == ORIGINAL.commit


@pytest.mark.parametrize("name", [ORIGINAL.commit, ORIGINAL.short_commit, ORIGINAL.commit[:7]])
def test_the_commit_that_is_in_force_needs_no_network(stand_in: StandIn, name: str) -> None:
    done = kohyatpl("trainer", "pin", name)
    assert (done.code, done.stderr) == (0, "")
    assert "stays in force" in done.stdout
    assert "no differences" in done.stdout
    assert not PinPaths.of_user().root_dir.exists()


def test_the_commit_that_kohyatpl_comes_with_is_never_a_pin_of_the_users(stand_in: StandIn) -> None:
    own_pin.put_in_force(replace(ORIGINAL, commit="1" * 40), MANIFEST_PATH.read_text(encoding="utf-8"), LOCK)
    done = repin(ORIGINAL.commit, None, list[str]().append)
    assert (done.before.commit, done.pin, done.is_original) == ("1" * 40, ORIGINAL, True)
    assert done.trainer.is_ready
    assert done.warnings == ()
    assert PinPaths.in_force().is_original


def test_going_back_twice_is_no_error(stand_in: StandIn) -> None:
    assert go_back().is_original
    assert "stays in force" in _said(kohyatpl("trainer", "pin", "--original"))


def test_nobody_goes_back_while_somebody_installs() -> None:
    own_pin.put_in_force(replace(ORIGINAL, commit="1" * 40), MANIFEST_PATH.read_text(encoding="utf-8"), LOCK)
    paths = TrainerPaths.of(ORIGINAL)
    paths.lock_path.parent.mkdir(parents=True)
    with filelock.FileLock(paths.lock_path):
        done = kohyatpl("trainer", "pin", "--original", "--json")
    assert (done.code, done.problem["code"]) == (7, "run.busy")
    assert load_pin().commit == "1" * 40


def test_a_pin_that_cannot_be_removed_is_named() -> None:
    own_pin.put_in_force(replace(ORIGINAL, commit="1" * 40), MANIFEST_PATH.read_text(encoding="utf-8"), LOCK)
    in_the_way = TrainerPaths.of(ORIGINAL).root_dir.parent
    in_the_way.write_text("mine", encoding="utf-8")
    done = kohyatpl("trainer", "pin", "--original", "--json")
    assert (done.code, done.problem["code"]) == (5, "trainer.install.disk")
    assert str(in_the_way) in done.problem["message"]
    assert str(PinPaths.of_user().root_dir) in done.problem["fix"]
    assert load_pin().commit == "1" * 40


def test_a_home_that_cannot_be_written_is_refused(
    trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOHYATPL_HOME", str(tmp_path / "file"))
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(TrainerError) as caught:
        _repin(trainer)
    refusal(caught.value, TrainerError, "trainer.install.disk", str(tmp_path / "file"))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--original", "main"), "a commit"),
        (("--original", "--source", "x"), "--source"),
        (("--original", "--torch", "cpu", "v1"), "a commit, --torch"),
        (("--source", "x"), "--source"),
        (("--torch", "cpu"), "--torch"),
    ],
)
def test_words_that_do_not_go_together_are_refused(words: tuple[str, ...], named: str) -> None:
    done = kohyatpl("trainer", "pin", *words, "--json")
    assert (done.code, done.problem["code"]) == (2, "usage.pin")
    assert named in done.problem["message"]


# --- stopped


def _live(trainer: Trainer, until: bytes) -> subprocess.Popen[bytes]:
    """Starts to pin, and returns once it has said `until`."""
    words = ("trainer", "pin", "main", "--source", str(trainer.folder), "--torch", "default")
    pinning = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert pinning.stderr is not None
    for line in pinning.stderr:
        if until in line:
            return pinning
    raise AssertionError(f"it never said {until!r}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_nothing_has_changed_and_nothing_is_left(trainer: Trainer, index: Path, number: signal.Signals) -> None:
    with _live(trainer, b"installing with pip") as pinning:
        pinning.send_signal(number)
        _, stderr = pinning.communicate(timeout=60)
    assert pinning.returncode == 128 + number
    assert b"kohyatpl trainer pin main" in stderr
    assert load_pin() == ORIGINAL
    left = {path.name for path in TrainerPaths.of(ORIGINAL).root_dir.parent.iterdir()}
    assert left <= {"install.lock", "install.log"}


def test_killed_nothing_has_changed_and_what_is_left_can_be_removed(trainer: Trainer, index: Path) -> None:
    with _live(trainer, b"installing with pip") as pinning:
        pinning.kill()
    trainers_dir = TrainerPaths.of(ORIGINAL).root_dir.parent
    assert load_pin() == ORIGINAL
    assert list(trainers_dir.glob("pin.partial"))

    assert kohyatpl("trainer", "remove", "--json").envelope["data"]["freed_bytes"] > 0
    assert not list(trainers_dir.glob("pin.partial"))
