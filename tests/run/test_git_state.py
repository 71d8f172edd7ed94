"""What git says of a project: true, quick, and without a trace."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loratpl.project import ProjectPaths
from loratpl.run.git_state import git_state, parse_status
from tests.stand_in import oddest


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def make_project(root_dir: Path, *, in_repository: Path | None = None) -> ProjectPaths:
    """Returns a project that is committed as a whole, in a repository of its own or in one around it."""
    project = ProjectPaths(root_dir)
    (project.image_dir / "1_cat").mkdir(parents=True)
    for path in (project.config_path, project.image_dir / "1_cat" / "1.txt"):
        path.write_text("{}", encoding="utf-8")
    repository = in_repository or root_dir
    git(repository, "init", "--quiet", "--initial-branch=main")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=all")
    return project


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Returns every file below a folder with its time and bytes."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_a_project_as_it_was_committed_is_clean(odd_path: Path) -> None:
    project = make_project(odd_path / "project")
    state = git_state(project)
    assert state is not None
    assert state.commit == git(project.root_dir, "rev-parse", "HEAD")
    assert (state.is_dirty, state.branch) == (False, "main")


def test_a_project_within_a_repository_is_looked_at_alone(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("a", encoding="utf-8")
    project = make_project(tmp_path / "-project", in_repository=tmp_path)
    (tmp_path / "other" / "file").write_text("b", encoding="utf-8")
    state = git_state(project)
    assert state is not None
    assert not state.is_dirty


@pytest.mark.parametrize("name", ["config.json", "image_dir/1_cat/1.txt", "image_dir/1_cat/2.txt", "notes"])
def test_what_a_training_is_made_from_makes_it_dirty(tmp_path: Path, name: str) -> None:
    project = make_project(oddest(tmp_path) / "project")
    (project.root_dir / name).write_text("another text", encoding="utf-8")
    state = git_state(project)
    assert state is not None
    assert state.is_dirty


@pytest.mark.parametrize("name", ["log/a/run.json", "output/lora.safetensors", ".kohyatpl/lock"])
def test_what_runs_write_does_not(tmp_path: Path, name: str) -> None:
    project = make_project(tmp_path / "project")
    path = project.root_dir / name
    path.parent.mkdir(parents=True)
    path.write_text("written", encoding="utf-8")
    state = git_state(project)
    assert state is not None
    assert not state.is_dirty


def test_without_a_branch_there_is_a_commit(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    git(project.root_dir, "checkout", "--quiet", "--detach")
    state = git_state(project)
    assert state is not None
    assert state.branch is None


def test_nothing_is_changed(tmp_path: Path) -> None:
    """A file whose time alone is another makes `git status` write a fresh index, unless told not to."""
    project = make_project(tmp_path / "project")
    os.utime(project.config_path, (1, 1))
    before = everything(project.root_dir)
    state = git_state(project)
    assert state is not None
    assert not state.is_dirty
    assert everything(project.root_dir) == before


def test_programs_that_a_repository_names_for_watching_files_are_not_started(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    trace = tmp_path / "trace"
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntouch '{trace}'\n", encoding="utf-8")
    hook.chmod(0o755)
    git(project.root_dir, "config", "core.fsmonitor", str(hook))
    assert git_state(project) is not None
    assert not trace.exists()


def no_repository(project: ProjectPaths) -> None:
    shutil.rmtree(project.root_dir / ".git")


def no_head(project: ProjectPaths) -> None:
    (project.root_dir / ".git" / "HEAD").write_text("nonsense", encoding="utf-8")


def broken_index(project: ProjectPaths) -> None:
    (project.root_dir / ".git" / "index").write_bytes(b"nonsense")


def no_commit(project: ProjectPaths) -> None:
    no_repository(project)
    git(project.root_dir, "init", "--quiet")


def ignored(project: ProjectPaths) -> None:
    """As in the home folder of those who keep their dot files in git."""
    no_repository(project)
    folder = project.root_dir.parent
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    git(folder, "init", "--quiet")
    git(folder, "commit", "--quiet", "--allow-empty", "--message=empty")


def no_folder(project: ProjectPaths) -> None:
    shutil.rmtree(project.root_dir)


@pytest.mark.parametrize("change", [no_repository, no_head, broken_index, no_commit, ignored, no_folder])
def test_where_git_knows_nothing_nothing_is_said(tmp_path: Path, change: object) -> None:
    folder = tmp_path / "around"
    folder.mkdir()
    project = make_project(folder / "project")
    assert callable(change)
    change(project)
    assert git_state(project) is None


def test_without_git_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project(tmp_path / "project")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(project) is None


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for git")
def test_a_git_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project(tmp_path / "project")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "git").write_text("#!/bin/sh\nexec sleep 60\n", encoding="utf-8")
    (programs / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    began = time.monotonic()
    assert git_state(project, timeout_s=0.5) is None
    assert time.monotonic() - began < 5


def test_an_environment_made_for_another_repository_does_not_mislead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, other = make_project(tmp_path / "project"), make_project(tmp_path / "other")
    (other.root_dir / "notes").write_text("dirty", encoding="utf-8")
    monkeypatch.setenv("GIT_DIR", str(other.root_dir / ".git"))
    state = git_state(project)
    assert state is not None
    assert not state.is_dirty


@pytest.mark.parametrize("ignore", [True, False])
def test_large_folders_that_are_no_part_of_it_cost_little(tmp_path: Path, ignore: bool) -> None:
    project = make_project(tmp_path / "project")
    folders = [project.log_dir / str(number) for number in range(20)]
    if ignore:
        (project.root_dir / ".gitignore").write_text("/big/\n", encoding="utf-8")
        folders = [project.root_dir / "big" / str(number) for number in range(20)]
    for folder in folders:
        folder.mkdir(parents=True)
        for number in range(500):
            (folder / str(number)).touch()
    began = time.perf_counter()
    assert git_state(project) is not None
    assert time.perf_counter() - began < 2


def test_a_status_without_heads_says_nothing() -> None:
    assert parse_status("") is None
