"""Nothing that the trainer would pass over in silence stays unsaid."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from loratpl.check.layout import layout_problems, unread_problems
from loratpl.dataset.scan import scan
from loratpl.errors import EXIT_CODE_OF, ExitCode, Problem
from loratpl.project import ProjectPaths
from tests.given import only
from tests.stand_in import write_picture


def _project(root_dir: Path, **folders: int) -> ProjectPaths:
    """Returns a project with so many pictures in each of these folders of image_dir."""
    project = ProjectPaths(root_dir)
    project.image_dir.mkdir(parents=True, exist_ok=True)
    for name, pictures in folders.items():
        folder = project.image_dir / name
        folder.mkdir()
        for number in range(pictures):
            write_picture(folder / f"{number}.png")
    return project


def _problems(project: ProjectPaths) -> list[Problem]:
    dataset = scan(project.image_dir, project.reg_dir)
    return [*layout_problems(project, dataset), *unread_problems(project, dataset)]


def test_folders_that_are_as_they_should_be_have_no_problem(odd_path: Path) -> None:
    project = _project(odd_path, **{"1_a": 1, "10_ohwx cat": 2, "7": 1})
    (project.reg_dir / "1_cat").mkdir(parents=True)
    write_picture(project.reg_dir / "1_cat" / "1.png")
    assert _problems(project) == []


@pytest.mark.parametrize("folders", [{}, {"1_a": 0}])
def test_a_project_without_pictures_cannot_be_trained(odd_path: Path, folders: dict[str, int]) -> None:
    problem = next(problem for problem in _problems(_project(odd_path, **folders)) if problem.code == "dataset.empty")
    assert EXIT_CODE_OF["dataset"] is ExitCode.PROJECT
    assert problem.where == "image_dir"
    assert "image_dir holds no concept" in problem.message
    assert "10_ohwx cat" in problem.fix


def test_a_missing_image_dir_cannot_be_trained(tmp_path: Path) -> None:
    assert only(_problems(ProjectPaths(tmp_path))).code == "dataset.empty"


def test_regularisation_images_alone_cannot_be_trained(tmp_path: Path) -> None:
    project = _project(tmp_path)
    (project.reg_dir / "1_cat").mkdir(parents=True)
    write_picture(project.reg_dir / "1_cat" / "1.png")
    assert only(_problems(project)).code == "dataset.empty"


@pytest.mark.parametrize(
    ("name", "reason", "new_name"),
    [
        ("ohwx cat", "does not start with a number", "1_ohwx cat"),
        ("1e2_ohwx cat", "does not start with a number", "1_1e2_ohwx cat"),
        ("0_ohwx cat", "repeats are 0", "1_ohwx cat"),
        ("-3_ohwx cat", "repeats are -3", "1_ohwx cat"),
    ],
)
def test_pictures_that_would_not_be_trained_are_named_with_a_name_that_would(
    tmp_path: Path, name: str, reason: str, new_name: str
) -> None:
    problem = only(_problems(_project(tmp_path, **{"1_a": 1, name: 2})))
    assert problem.code == "dataset.folder.ignored"
    assert problem.where == f"image_dir/{name}"
    assert f"The 2 pictures of image_dir/{name} would not be trained" in problem.message
    assert reason in problem.message
    assert f"`{new_name}`" in problem.fix


def test_a_folder_without_a_number_that_holds_no_picture_is_no_problem(tmp_path: Path) -> None:
    assert _problems(_project(tmp_path, **{"1_a": 1, "notes": 0})) == []


def test_a_concept_that_holds_no_picture_is_not_passed_over(tmp_path: Path) -> None:
    problem = only(_problems(_project(tmp_path, **{"1_a": 1, "5_ohwx cat": 0})))
    assert problem.where == "image_dir/5_ohwx cat"
    assert "5_ohwx cat" in problem.message


@pytest.mark.skipif(sys.platform == "win32", reason="there the case of a name makes no difference")
@pytest.mark.parametrize("name", ["b.Png", "b.Jpeg"])
def test_a_picture_whose_extension_the_trainer_does_not_read_is_not_passed_over(tmp_path: Path, name: str) -> None:
    project = _project(tmp_path, **{"1_a": 1})
    (project.image_dir / "1_a" / "0.png").with_name("x.png").write_bytes(b"")
    (project.image_dir / "1_a" / "x.png").rename(project.image_dir / "1_a" / name)
    assert name in only(_problems(project)).message


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\n"])
def test_a_picture_that_cannot_be_opened_is_named(odd_path: Path, content: bytes) -> None:
    project = _project(odd_path, **{"1_a": 1})
    (project.image_dir / "1_a" / "broken.png").write_bytes(content)
    problem = only(_problems(project))
    assert problem.code == "dataset.image.unreadable"
    assert problem.where == "image_dir/1_a/broken.png"
    assert "image_dir/1_a/broken.png" in problem.message
    assert "git lfs pull" in problem.fix


def test_many_pictures_that_cannot_be_opened_are_named_in_part_and_counted(tmp_path: Path) -> None:
    project = _project(tmp_path, **{"1_a": 1})
    for number in range(12):
        (project.image_dir / "1_a" / f"broken{number:02}.png").write_bytes(b"")
    problems = _problems(project)
    assert [problem.where for problem in problems[:-1]] == [f"image_dir/1_a/broken{n:02}.png" for n in range(5)]
    assert problems[-1].message == "7 more files are not pictures that can be opened."
    assert {problem.code for problem in problems} == {"dataset.image.unreadable"}


def test_every_problem_is_found_at_once(tmp_path: Path) -> None:
    project = _project(tmp_path, cats=1, dogs=2)
    codes = [problem.code for problem in _problems(project)]
    assert codes == ["dataset.empty", "dataset.folder.ignored", "dataset.folder.ignored"]


@pytest.mark.parametrize(
    ("files", "severity"),
    [((), "warning"), (("a.txt",), "warning"), (("a.gif",), "error"), (("a.heic", "b.Png"), "error")],
)
def test_a_concept_without_pictures_is_an_error_when_something_was_meant_to_be_trained(
    tmp_path: Path, files: tuple[str, ...], severity: str
) -> None:
    project = _project(tmp_path, **{"1_a": 1, "5_ohwx cat": 0})
    for name in files:
        (project.image_dir / "5_ohwx cat" / name).write_bytes(b"")
    problem = only(_problems(project))
    assert (problem.code, problem.severity) == ("dataset.folder.empty", severity)
    assert "Put pictures" in problem.fix


def test_pictures_of_other_kinds_beside_the_trained_ones_are_counted(tmp_path: Path) -> None:
    project = _project(tmp_path, **{"1_a": 1})
    for number in range(7):
        (project.image_dir / "1_a" / f"{number}.gif").write_bytes(b"")
    problem = only(_problems(project))
    assert (problem.code, problem.where) == ("dataset.image.left_out", "image_dir/1_a")
    assert "7 pictures of image_dir/1_a" in problem.message
    assert "0.gif, 1.gif, 2.gif, 3.gif, 4.gif and 2 more" in problem.message
    assert "png" in problem.fix
