"""A project on disk: laid out, opened, its config found, its lock held by one process alone."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loratpl.errors import BusyError, ExitCode, ProjectError
from loratpl.project import (
    DEFAULT_TEMPLATE,
    ProjectPaths,
    RunPaths,
    create_project,
    find_config,
    locked,
    open_project,
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
        assert create_project(tmp_path / template, config=CONFIG, template=template).config_path.is_file()


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


@pytest.mark.parametrize("in_the_way", [".kohyatpl", ".kohyatpl/lock"])
def test_a_lock_that_cannot_be_made_is_an_error_of_the_project(tmp_path: Path, in_the_way: str) -> None:
    if in_the_way == ".kohyatpl":
        (tmp_path / in_the_way).write_text("", encoding="utf-8")
    else:
        (tmp_path / in_the_way).mkdir(parents=True)
    with pytest.raises(ProjectError) as caught, locked(ProjectPaths(tmp_path)):
        pytest.fail("the lock was had")
    problem = refusal(caught.value, ProjectError, "project.write", str(tmp_path / ".kohyatpl"))
    assert "may write" in problem.fix
