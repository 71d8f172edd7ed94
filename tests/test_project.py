"""A project on disk: laid out, opened, its config found, its lock held by one process alone."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from loratpl.errors import BusyError, ExitCode, ProjectError
from loratpl.process import Child
from loratpl.project import (
    DEFAULT_TEMPLATE,
    ConceptName,
    ProjectPaths,
    RunPaths,
    adopt_project,
    create_project,
    doubtful_name,
    find_config,
    is_busy,
    locked,
    open_project,
    read_template,
    template_names,
)
from tests.given import refusal

CONFIG: dict[str, object] = {"family": "sd15", "output_name": "ñ cats"}


def test_a_new_project_has_its_folders_and_its_config(odd_path: Path) -> None:
    project = create_project(
        odd_path / "my project", config=CONFIG, concepts=("ohwx cat", "日本 dog"), reg_classes=("cat",)
    )
    assert project.root_dir == odd_path / "my project"
    assert sorted(folder.name for folder in project.image_dir.iterdir()) == ["1_ohwx cat", "1_日本 dog"]
    assert [folder.name for folder in project.reg_dir.iterdir()] == ["1_cat"]
    assert project.log_dir.is_dir()
    assert project.output_dir.is_dir()
    assert json.loads(project.config_path.read_text(encoding="utf-8")) == CONFIG
    assert "ñ" in project.config_path.read_text(encoding="utf-8")
    assert open_project(odd_path / "my project") == project


def test_a_project_may_be_laid_out_in_an_empty_folder(tmp_path: Path) -> None:
    assert create_project(tmp_path, config=CONFIG).config_path.is_file()


def test_a_project_is_never_laid_out_over_something(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ProjectError) as caught:
        create_project(tmp_path, config=CONFIG)
    refusal(caught.value, ProjectError, "project.exists", str(tmp_path), "is not empty")
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


def test_a_project_is_never_laid_out_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(ProjectError) as caught:
        create_project(tmp_path / "file", config=CONFIG)
    refusal(caught.value, ProjectError, "project.exists", str(tmp_path / "file"), "is a file")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


def test_a_project_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ProjectError) as caught:
        create_project(tmp_path / "file" / "project", config=CONFIG)
    problem = refusal(caught.value, ProjectError, "project.write", str(tmp_path / "file" / "project"))
    assert "may write" in problem.fix


@pytest.mark.parametrize(
    "name", ["", " ", "a/b", "a\\b", "a:b", "a*", "a?", 'a"b', "<a", "a>", "a|b", "a\nb", "a\0b", " a", "a ", "a."]
)
@pytest.mark.parametrize("kind", ["concepts", "reg_classes"])
def test_a_name_that_is_no_folder_everywhere_is_refused_before_anything_is_made(
    tmp_path: Path, kind: str, name: str
) -> None:
    arguments: dict[str, Any] = {kind: ("ohwx cat", name)}
    with pytest.raises(ProjectError) as caught:
        create_project(tmp_path / "project", config=CONFIG, **arguments)
    problem = refusal(caught.value, ProjectError, "project.concept.name", repr(name))
    assert "ohwx cat" in problem.fix
    assert not (tmp_path / "project").exists()


@pytest.mark.parametrize("concepts", [("ohwx cat", "ohwx cat"), ("x" * 300,)], ids=["twice", "too long"])
def test_concepts_that_cannot_be_made_are_named_and_leave_nothing(tmp_path: Path, concepts: tuple[str, ...]) -> None:
    with pytest.raises(ProjectError) as caught:
        create_project(tmp_path / "project", config=CONFIG, concepts=concepts)
    assert concepts[0] in caught.value.problems[0].message
    assert not (tmp_path / "project").exists()


def test_the_templates_are_those_that_can_be_laid_out(tmp_path: Path) -> None:
    assert DEFAULT_TEMPLATE in template_names()
    for template in template_names():
        project = create_project(tmp_path / template, config=CONFIG, template=template)
        config_path = project.root_dir / read_template(template).config_name
        assert json.loads(config_path.read_text(encoding="utf-8")) == CONFIG
        assert [path.name for path in project.root_dir.glob("*.json")] == [config_path.name]
        assert (project.root_dir / "README.md").is_file()


def test_the_template_of_2023_has_its_own_layout(tmp_path: Path) -> None:
    project = create_project(tmp_path / "cats", config=CONFIG, concepts=["ohwx cat"], template="lora-concepts-2023")
    assert sorted(path.relative_to(project.root_dir).as_posix() for path in project.root_dir.rglob("*")) == [
        ".gitignore", "README.md", "config_v1_example.json", "image_dir", "image_dir/1_ohwx cat", "log",
        "log/log_files_here.txt", "output", "output/output_lora_here.txt", "reg_dir", "reg_dir/.gitkeep",
    ]  # fmt: skip
    assert (project.log_dir / "log_files_here.txt").stat().st_size == 0
    assert (project.output_dir / "output_lora_here.txt").stat().st_size == 0


@pytest.mark.parametrize("template", template_names())
def test_git_keeps_what_is_the_user_s_and_not_what_a_run_makes(tmp_path: Path, template: str) -> None:
    project = create_project(tmp_path / "cats", config=CONFIG, concepts=["ohwx cat"], template=template)
    concept = project.image_dir / "1_ohwx cat"
    run = project.run("20260101-120000-cats")
    ours = [concept / "1.png", concept / "1.txt"]
    theirs = [
        run.record_path, project.output_dir / "cats.safetensors", project.lock_path, concept / ".DS_Store",
        concept / "1_0064x0064_sd.npz",
    ]  # fmt: skip
    for path in (*ours, *theirs):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    git = ("git", "-C", str(project.root_dir))
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    listed = subprocess.run([*git, "ls-files", "-z"], check=True, capture_output=True, text=True).stdout.split("\0")
    template_files = [path.as_posix() for path in read_template(template).files()]
    config_name = read_template(template).config_name
    assert sorted(filter(None, listed)) == sorted(
        [*template_files, config_name, *(path.relative_to(project.root_dir).as_posix() for path in ours)]
    )


# --- all of it or nothing -------------------------------------------------------------------------------------------


def _fill_and_fail(error: BaseException) -> Callable[[ProjectPaths], None]:
    def fill(project: ProjectPaths) -> None:
        (project.image_dir / "1_ohwx cat" / "1.png").write_bytes(b"half")
        raise error

    return fill


@pytest.mark.parametrize("error", [ProjectError(), OSError(28, "No space left"), KeyboardInterrupt(), ValueError()])
@pytest.mark.parametrize("place", ["new", "deep/er/new", "empty"])
def test_what_goes_wrong_in_the_middle_leaves_nothing(odd_path: Path, place: str, error: BaseException) -> None:
    (odd_path / "empty").mkdir()
    inode = (odd_path / "empty").stat().st_ino
    with pytest.raises((ProjectError, KeyboardInterrupt, ValueError)) as caught:
        create_project(odd_path / place, config=CONFIG, concepts=["ohwx cat"], fill=_fill_and_fail(error))
    if isinstance(error, OSError):
        assert isinstance(caught.value, ProjectError)
        refusal(caught.value, ProjectError, "project.write", str(odd_path / place), "No space left")
    assert [path.relative_to(odd_path).as_posix() for path in odd_path.rglob("*")] == ["empty"]
    assert (odd_path / "empty").stat().st_ino == inode


def test_an_empty_folder_stays_the_same_one(tmp_path: Path) -> None:
    """A shell may stand in it."""
    inode = tmp_path.stat().st_ino
    assert create_project(tmp_path, config=CONFIG).root_dir.stat().st_ino == inode
    assert not list(tmp_path.glob(".kohyatpl-new-*"))


def test_a_place_that_fills_meanwhile_is_left_alone(tmp_path: Path) -> None:
    def fill(_: ProjectPaths) -> None:
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "note.txt").write_text("mine", encoding="utf-8")

    with pytest.raises(ProjectError) as caught:
        create_project(tmp_path / "new", config=CONFIG, fill=fill)
    refusal(caught.value, ProjectError, "project.write", str(tmp_path / "new"))
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["new", "new/note.txt"]


def test_an_entry_that_fills_an_empty_folder_meanwhile_is_left_alone(tmp_path: Path) -> None:
    def fill(_: ProjectPaths) -> None:
        (tmp_path / "log" / "mine").mkdir(parents=True)

    with pytest.raises(ProjectError) as caught:
        create_project(tmp_path, config=CONFIG, fill=fill)
    refusal(caught.value, ProjectError, "project.write", str(tmp_path))
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["log", "log/mine"]


def test_what_a_killed_one_has_left_is_named(tmp_path: Path) -> None:
    (tmp_path / ".kohyatpl-new-0a1b2c3d").mkdir()
    with pytest.raises(ProjectError) as caught:
        create_project(tmp_path, config=CONFIG)
    refusal(caught.value, ProjectError, "project.exists", ".kohyatpl-new-0a1b2c3d", "that was killed")


# --- names ----------------------------------------------------------------------------------------------------------


def test_a_concept_may_bring_its_repeats(tmp_path: Path) -> None:
    concepts: list[str | ConceptName] = [
        ConceptName("ohwx cat", 10),
        ConceptName("ohwx cat", 5),
        "90s_style",
        "4x4 car",
        "-dash",
        "日本 😀",
    ]
    project = create_project(tmp_path / "cats", config=CONFIG, concepts=concepts)
    assert sorted(folder.name for folder in project.image_dir.iterdir()) == sorted(
        ["10_ohwx cat", "5_ohwx cat", "1_90s_style", "1_4x4 car", "1_-dash", "1_日本 😀"]
    )


def test_a_name_is_composed_as_it_will_be_typed(tmp_path: Path) -> None:
    project = create_project(tmp_path / "cats", config=CONFIG, concepts=["cafe\u0301"])
    assert [folder.name for folder in project.image_dir.iterdir()] == ["1_caf\u00e9"]


@pytest.mark.parametrize("twin", ["OHWX café", "ohwx cafe\u0301"])
def test_names_that_are_one_folder_somewhere_are_refused(tmp_path: Path, twin: str) -> None:
    with pytest.raises(ProjectError) as caught:
        create_project(tmp_path / "cats", config=CONFIG, concepts=["ohwx café", twin])
    refusal(caught.value, ProjectError, "project.concept.name", "named twice")


def test_every_bad_name_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        create_project(tmp_path / "cats", config=CONFIG, concepts=["a/b", "fine", "caf\udce9", "c."])
    assert [problem.where for problem in caught.value.problems] == ["a/b", "caf\udce9", "c."]


@pytest.mark.parametrize(
    ("name", "is_doubtful"),
    [
        ("10_ohwx cat", True), ("2024_car", True), ("90s_style", False), ("4x4 car", False), ("10", False),
        ("10_", False), ("ohwx 10_cat", False), ("٣_car", True),
    ],
)  # fmt: skip
def test_a_name_that_starts_like_repeats_is_doubtful(name: str, is_doubtful: bool) -> None:
    problem = doubtful_name(ConceptName(name))
    assert (problem is not None) == is_doubtful
    if problem is not None:
        assert (problem.code, problem.severity) == ("project.concept.repeats", "warning")
        assert f"rename the folder 1_{name} to `{name}`" in problem.fix


@pytest.mark.parametrize(("name", "words"), [("{2.0}foo", "foo"), ("{2}_foo", "foo"), ("{x}foo", "{x}foo")])
def test_a_weight_is_no_word_of_a_caption_and_doubtful(name: str, words: str) -> None:
    problem = doubtful_name(ConceptName(name, 10))
    assert ConceptName(name).words == words
    assert (problem is not None) == (words == "foo")
    if problem is not None:
        assert (problem.code, problem.where) == ("project.concept.weight", f"10_{name}")


# --- a tree that is adopted -----------------------------------------------------------------------------------------


def test_a_tree_gets_its_config_and_the_folders_that_are_missing(odd_path: Path) -> None:
    (odd_path / "img").mkdir()
    (odd_path / "log").mkdir()
    project = adopt_project(odd_path, config=CONFIG, folders=("log", "model"))
    assert json.loads(project.config_path.read_text(encoding="utf-8")) == CONFIG
    assert sorted(path.name for path in odd_path.iterdir()) == ["config.json", "img", "log", "model"]


def test_a_config_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("mine", encoding="utf-8")
    with pytest.raises(ProjectError) as caught:
        adopt_project(tmp_path, config=CONFIG, folders=("log",))
    refusal(caught.value, ProjectError, "project.exists", "config.json", "kohyatpl check")
    assert (tmp_path / "config.json").read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "log").exists()


def test_a_tree_that_cannot_have_its_folders_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("a file", encoding="utf-8")
    with pytest.raises(ProjectError) as caught:
        adopt_project(tmp_path, config=CONFIG, folders=("log", "model"))
    refusal(caught.value, ProjectError, "project.write", str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_tree_that_is_none_is_an_error_of_the_project(tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        adopt_project(tmp_path / "missing", config=CONFIG, folders=())
    refusal(caught.value, ProjectError, "project.write", str(tmp_path / "missing"))


def test_a_folder_that_is_not_there_is_no_project(odd_path: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        open_project(odd_path / "missing")
    refusal(caught.value, ProjectError, "project.missing", str(odd_path / "missing"), "kohyatpl new")
    assert caught.value.exit_code is ExitCode.PROJECT


def test_a_file_is_no_project(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ProjectError) as caught:
        open_project(tmp_path / "file")
    refusal(caught.value, ProjectError, "project.missing", str(tmp_path / "file"))


def test_a_project_is_known_by_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_project(Path()).root_dir == tmp_path.resolve()


# --- paths ----------------------------------------------------------------------------------------------------------


def test_every_path_of_a_project_and_of_a_run_is_another_one() -> None:
    project = ProjectPaths(Path("p"))
    places = [getattr(project, name) for name, value in vars(ProjectPaths).items() if isinstance(value, property)]
    assert len(places) > 6
    assert len(set(places)) == len(places)
    run = project.run("20260101-120000-cats")
    assert run == RunPaths(project.log_dir / "20260101-120000-cats")
    assert run.run_id == "20260101-120000-cats"
    files = [getattr(run, name) for name, value in vars(RunPaths).items() if isinstance(value, property)]
    assert all(path.parent == run.run_dir for path in files if isinstance(path, Path))
    assert len(set(files)) == len(files)


def test_problems_name_paths_inside_the_project_from_its_root(tmp_path: Path) -> None:
    project = ProjectPaths(tmp_path)
    assert project.relative(project.image_dir / "1_a" / "b.png") == "image_dir/1_a/b.png"
    assert project.relative(Path("/elsewhere/a.png")) == str(Path("/elsewhere/a.png"))


# --- the config -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "configs", "expected"),
    [
        (("config.json", "a.json"), ("a.json",), "config.json"),
        (("a.json", "b.json"), ("b.json",), "b.json"),
        (("A.JSON", "b.txt"), ("A.JSON", "b.txt"), "A.JSON"),
    ],
)
def test_the_config_is_config_json_or_the_one_file_that_is_one(
    odd_path: Path, files: tuple[str, ...], configs: tuple[str, ...], expected: str
) -> None:
    for name in files:
        (odd_path / name).write_text("{}", encoding="utf-8")
    (odd_path / "folder.json").mkdir()
    assert find_config(ProjectPaths(odd_path), lambda path: path.name in configs) == odd_path / expected


def test_several_configs_are_an_error_that_names_them(tmp_path: Path) -> None:
    for name in ("b.json", "a.json", "c.json"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    with pytest.raises(ProjectError) as caught:
        find_config(ProjectPaths(tmp_path), lambda path: path.name != "c.json")
    problem = refusal(caught.value, ProjectError, "project.config.several", "a.json, b.json")
    assert problem.fix.endswith('`--config "a.json"`.')


def test_no_config_is_an_error_that_says_how_to_name_one(odd_path: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        find_config(ProjectPaths(odd_path), lambda _: True)
    refusal(caught.value, ProjectError, "project.config.missing", str(odd_path), "config.json", "--config FILE")


# --- the lock -------------------------------------------------------------------------------------------------------

_HOLDER = """
import sys
from pathlib import Path
from loratpl.project import locked, open_project
with locked(open_project(Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def _held(root_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(root_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            yield holder
        finally:
            holder.kill()


def test_a_project_that_another_process_works_on_is_busy(odd_path: Path) -> None:
    project = ProjectPaths(odd_path)
    with _held(odd_path) as holder:
        with pytest.raises(BusyError) as caught, locked(project):
            pytest.fail("the lock was had twice")
        problem = refusal(caught.value, BusyError, "run.busy", odd_path.name, ".kohyatpl/lock")
        assert caught.value.exit_code is ExitCode.BUSY
        assert "Ctrl-C" in problem.fix
        assert holder.poll() is None
        holder.communicate("")
        with locked(project):
            assert project.lock_path.exists()


def test_a_process_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    with _held(tmp_path) as holder:
        holder.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        holder.wait(10)
        with locked(ProjectPaths(tmp_path)):
            pass


def test_the_lock_is_given_back_when_the_work_fails(tmp_path: Path) -> None:
    with contextlib.suppress(ZeroDivisionError), locked(ProjectPaths(tmp_path)):
        raise ZeroDivisionError
    with _held(tmp_path):
        pass


def test_two_projects_can_be_worked_on_at_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with _held(tmp_path / "a"), locked(ProjectPaths(tmp_path / "b")):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="a lock is handed on through inherited files")
def test_a_trainer_that_outlives_kohyatpl_keeps_the_project_locked(tmp_path: Path) -> None:
    project = ProjectPaths(tmp_path)
    with locked(project) as lock:
        trainer = Child([sys.executable, "-c", "input()"], keep_open=(lock.trainer_fd,))
    assert is_busy(project)
    with pytest.raises(BusyError) as caught, locked(project):
        pytest.fail("the lock was had beside a trainer")
    problem = refusal(caught.value, BusyError, "run.busy", ".kohyatpl/trainer.lock")
    assert "kohyatpl was killed" in problem.message
    trainer.end()
    trainer.close()
    assert not is_busy(project)
    with locked(project):
        assert is_busy(project)


def test_a_project_that_nobody_works_on_is_not_busy(tmp_path: Path) -> None:
    project = ProjectPaths(tmp_path)
    assert not is_busy(project)
    assert not project.hidden_dir.exists()
    with _held(tmp_path):
        assert is_busy(project)


def test_a_lock_that_is_held_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    project = ProjectPaths(tmp_path)
    with contextlib.ExitStack() as held:
        held.enter_context(locked(project))
        given_back = threading.Timer(0.1, held.close)
        given_back.start()
        with locked(project, patience_s=20.0):
            given_back.join()


@pytest.mark.parametrize("in_the_way", [".kohyatpl", ".kohyatpl/lock", ".kohyatpl/trainer.lock"])
def test_a_lock_that_cannot_be_made_is_an_error_of_the_project(tmp_path: Path, in_the_way: str) -> None:
    if in_the_way == ".kohyatpl":
        (tmp_path / in_the_way).write_text("", encoding="utf-8")
    else:
        (tmp_path / in_the_way).mkdir(parents=True)
    with pytest.raises(ProjectError) as caught, locked(ProjectPaths(tmp_path)):
        pytest.fail("the lock was had")
    problem = refusal(caught.value, ProjectError, "project.write", str(tmp_path / ".kohyatpl"))
    assert "may write" in problem.fix
