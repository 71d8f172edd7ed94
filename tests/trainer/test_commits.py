"""Commits by their names: found in a repository of the user's or at the trainer's home, and their files."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from loratpl.errors import Problem, TrainerError
from loratpl.trainer.checkout import changed_files
from loratpl.trainer.commits import copy_commit, fetch_commit, find_commit
from loratpl.trainer.pin import Pin
from tests.given import refusal
from tests.trainer.repositories import FILES, git, make_checkout


class Repository:
    """A repository with three commits: the first, one with a tag and a branch of its own, and the last."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.original = replace(make_checkout(folder), url=folder.as_uri())
        git(folder, "branch", "--move", "main")
        git(folder, "tag", "v1")
        self.middle = self._commit("library/train_util.py", "middle")
        git(folder, "tag", "--annotate", "v2", "--message", "second")
        git(folder, "branch", "dev")
        self.last = self._commit("library/train_util.py", "last")

    def _commit(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text, encoding="utf-8")
        git(self.folder, "commit", "--quiet", "--all", "--message", text)
        return git(self.folder, "rev-parse", "HEAD")

    def commit_of(self, name: str) -> str:
        return {"first": self.original.commit, "middle": self.middle, "last": self.last}[name]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def _whole(folder: Path, pin: Pin, text: str) -> None:
    """Makes sure that a folder has exactly the files of a commit, and says so to git."""
    expected = {**FILES, "library/train_util.py": text}
    assert {name: (folder / name).read_bytes().decode() for name in expected} == expected
    assert git(folder, "rev-parse", "HEAD") == pin.commit


NAMES = [
    ("v2", "middle", ("v2", 0)),
    ("dev", "middle", ("v2", 0)),
    ("main", "last", ("v2", 1)),
    ("HEAD", "last", ("v2", 1)),
    ("refs/heads/dev", "middle", ("v2", 0)),
    ("v1", "first", ("v1", 0)),
]


@pytest.mark.parametrize(("name", "commit", "tag"), NAMES)
def test_a_name_is_found_in_a_repository(repository: Repository, name: str, commit: str, tag: tuple[str, int]) -> None:
    pin = find_commit(name, repository.original, repository.folder)
    assert pin.commit == repository.commit_of(commit)
    assert pin.tree == git(repository.folder, "rev-parse", f"{pin.commit}^{{tree}}")
    assert (pin.tag, pin.commits_after_tag) == tag
    assert (pin.licence, pin.python_min) == (repository.original.licence, repository.original.python_min)


@pytest.mark.parametrize("length", [7, 12, 40])
def test_a_commit_is_found_by_its_beginning(repository: Repository, length: int) -> None:
    name = repository.middle[:length]
    assert find_commit(name, repository.original, repository.folder).commit == repository.middle


def test_a_branch_of_the_origin_is_found_in_a_clone(repository: Repository, odd_path: Path) -> None:
    git(odd_path, "clone", "--quiet", str(repository.folder), str(odd_path / "clone"))
    assert find_commit("dev", repository.original, odd_path / "clone").commit == repository.middle
    git(odd_path / "clone", "branch", "dev", "v1")
    assert find_commit("dev", repository.original, odd_path / "clone").commit == repository.original.commit


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://me:secret@example.invalid/fork.git", "https://example.invalid/fork.git"),
        ("https://example.invalid:8443/fork", "https://example.invalid:8443/fork"),
        ("ssh://git@example.invalid/fork", "ssh://git@example.invalid/fork"),
        ("../fork", None),
    ],
)
def test_a_pin_names_the_home_of_the_clone_without_its_password(
    repository: Repository, url: str, expected: str | None
) -> None:
    git(repository.folder, "remote", "add", "origin", url)
    pin = find_commit("dev", repository.original, repository.folder)
    assert pin.url == (expected or repository.original.url)


UNKNOWN = ("nothing", "0" * 40, "1234567", "v1~1", "main^", "HEAD@{0}", "a b", "--all", "", "v1..v2", "main:library")


def _unknown(caught: TrainerError, name: str) -> None:
    problem = refusal(caught, TrainerError, "trainer.pin.unknown", f"`{name}`")
    assert "--source PATH" in problem.fix


@pytest.mark.parametrize("name", [*UNKNOWN, "main:library/__init__.py"])
def test_what_is_no_name_of_a_commit_is_refused(repository: Repository, name: str) -> None:
    with pytest.raises(TrainerError) as caught:
        find_commit(name, repository.original, repository.folder)
    _unknown(caught.value, name)


def _unreadable(folder: Path, original: Pin) -> Problem:
    with pytest.raises(TrainerError) as caught:
        find_commit("main", original, folder)
    return refusal(caught.value, TrainerError, "trainer.source.unreadable", str(folder))


def test_what_is_no_repository_is_refused(repository: Repository, odd_path: Path) -> None:
    _unreadable(odd_path, repository.original)
    _unreadable(odd_path / "missing", repository.original)
    (odd_path / ".git").mkdir()
    _unreadable(odd_path, repository.original)
    shutil.copytree(repository.folder, odd_path / "damaged")
    shutil.rmtree(odd_path / "damaged" / ".git" / "objects")
    _unreadable(odd_path / "damaged", repository.original)


# --- copied


def test_a_commit_that_is_not_checked_out_is_taken_out_of_the_repository(odd_path: Path) -> None:
    repository = Repository(odd_path / "repository")
    (repository.folder / "library" / "train_util.py").write_text("edited", encoding="utf-8")
    pin = find_commit("v2", repository.original, repository.folder)
    files = copy_commit(repository.folder, odd_path / "target", pin)
    _whole(odd_path / "target", pin, "middle")
    assert set(files.hashes) == set(FILES)
    assert files.left_out == ()
    assert changed_files(odd_path / "target", files.hashes) == []
    assert (repository.folder / "library" / "train_util.py").read_text(encoding="utf-8") == "edited"


def test_a_bare_repository_will_do(repository: Repository, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    git(tmp_path, "clone", "--quiet", "--bare", str(repository.folder), str(bare))
    pin = find_commit("main", repository.original, bare)
    assert set(copy_commit(bare, tmp_path / "target", pin).hashes) == set(FILES)
    _whole(tmp_path / "target", pin, "last")


def test_the_commit_that_is_checked_out_must_not_have_been_edited(repository: Repository, tmp_path: Path) -> None:
    pin = find_commit("main", repository.original, repository.folder)
    copy_commit(repository.folder, tmp_path / "whole", pin)
    _whole(tmp_path / "whole", pin, "last")
    (repository.folder / "networks" / "lora.py").write_text("edited", encoding="utf-8")
    with pytest.raises(TrainerError) as caught:
        copy_commit(repository.folder, tmp_path / "target", pin)
    refusal(caught.value, TrainerError, "trainer.source.changed", "networks/lora.py")


def _without(repository: Repository, name: str, *, promised: bool) -> None:
    """Takes a file's object out of the repository; a promised one would be asked of a remote that is not there."""
    blob = git(repository.folder, "rev-parse", f"v2:{name}")
    path = repository.folder / ".git" / "objects" / blob[:2] / blob[2:]
    path.chmod(0o600)
    path.unlink()
    if promised:
        git(repository.folder, "remote", "add", "origin", (repository.folder.parent / "gone").as_uri())
        git(repository.folder, "config", "remote.origin.promisor", "true")
        git(repository.folder, "config", "remote.origin.partialclonefilter", "blob:none")


@pytest.mark.parametrize("promised", [True, False])
def test_a_missing_object_that_no_training_needs_is_left_out(
    repository: Repository, tmp_path: Path, promised: bool
) -> None:
    _without(repository, "docs/a guide.md", promised=promised)
    pin = find_commit("v2", repository.original, repository.folder)
    files = copy_commit(repository.folder, tmp_path / "target", pin)
    assert files.left_out == ("docs/a guide.md",)
    assert set(files.hashes) == set(FILES) - {"docs/a guide.md"}


def test_a_missing_object_that_a_training_needs_is_said(repository: Repository, tmp_path: Path) -> None:
    _without(repository, "library/train_util.py", promised=False)
    pin = find_commit("v2", repository.original, repository.folder)
    with pytest.raises(TrainerError) as caught:
        copy_commit(repository.folder, tmp_path / "target", pin)
    problem = refusal(caught.value, TrainerError, "trainer.source.incomplete", "library/train_util.py")
    assert f"checkout {pin.commit}" in problem.fix


# --- fetched


def _fetch(name: str, original: Pin, target: Path, said: list[str] | None = None) -> Pin:
    pin, files = fetch_commit(name, original, target, (list[str]() if said is None else said).append)
    assert set(files.hashes) == set(FILES)
    assert files.left_out == ()
    return pin


@pytest.mark.parametrize(("name", "commit", "tag"), NAMES)
def test_a_name_is_fetched_without_history(
    repository: Repository, tmp_path: Path, name: str, commit: str, tag: tuple[str, int]
) -> None:
    target = tmp_path / "target"
    pin = _fetch(name, repository.original, target)
    assert pin.commit == repository.commit_of(commit)
    _whole(target, pin, {"first": FILES["library/train_util.py"]}.get(commit, commit))
    assert git(target, "rev-list", "--count", "HEAD") == "1"
    # Without the history nobody knows how far a commit is ahead of a release.
    assert (pin.tag, pin.commits_after_tag) in {tag if tag[1] == 0 else ("", 0), ("", 0)}
    assert pin.url == repository.original.url


def test_a_tag_that_is_fetched_names_the_release(repository: Repository, odd_path: Path) -> None:
    pin = _fetch("v2", repository.original, odd_path / "target")
    assert (pin.title, pin.commit) == (f"v2 ({repository.middle[:8]})", repository.middle)


def test_a_whole_commit_id_is_fetched_alone(repository: Repository, tmp_path: Path) -> None:
    pin = _fetch(repository.middle, repository.original, tmp_path / "target")
    assert pin.commit == repository.middle
    assert git(tmp_path / "target", "rev-list", "--count", "HEAD") == "1"


def test_the_beginning_of_a_commit_id_takes_all_branches(repository: Repository, tmp_path: Path) -> None:
    said: list[str] = []
    pin = _fetch(repository.last[:9], repository.original, tmp_path / "target", said)
    assert (pin.commit, pin.tag, pin.commits_after_tag) == (repository.last, "v2", 1)
    assert any("branches" in sentence for sentence in said)


def test_a_server_that_hands_out_branches_alone_will_do(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"COUNT": "1", "KEY_0": "protocol.version", "VALUE_0": "0"}.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    git(repository.folder, "branch", "--force", "dev", "main")
    git(repository.folder, "tag", "--delete", "v2")
    assert _fetch(repository.middle, repository.original, tmp_path / "target").commit == repository.middle


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_name_that_the_home_does_not_have_is_refused(repository: Repository, tmp_path: Path, name: str) -> None:
    with pytest.raises(TrainerError) as caught:
        _fetch(name, repository.original, tmp_path / "target")
    _unknown(caught.value, name)


def test_a_home_that_cannot_be_reached_is_named_in_gits_words(repository: Repository, tmp_path: Path) -> None:
    original = replace(repository.original, url=(tmp_path / "missing").as_uri())
    with pytest.raises(TrainerError) as caught:
        _fetch("dev", original, tmp_path / "target")
    problem = refusal(caught.value, TrainerError, "trainer.fetch", original.url)
    assert "kohyatpl trainer pin dev --source PATH" in problem.fix


@pytest.mark.skipif(sys.platform == "win32", reason="programs are also found beside the interpreter there")
def test_without_git_nothing_is_found_or_fetched(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TrainerError) as found:
        find_commit("main", repository.original, repository.folder)
    refusal(found.value, TrainerError, "trainer.git.missing")
    with pytest.raises(TrainerError) as fetched:
        _fetch("main", repository.original, tmp_path / "target")
    refusal(fetched.value, TrainerError, "trainer.git.missing")


def test_a_repository_of_somebody_else_is_refused_in_gits_words(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As git does it for a folder that another user owns, when it is asked from outside."""
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    seen = subprocess.run(["git", "-C", repository.folder, "log"], capture_output=True, text=True, check=False)
    if seen.returncode == 0:
        pytest.skip("this git knows no way to make believe that somebody else owns a folder")
    problem = _unreadable(repository.folder, repository.original)
    assert "dubious ownership" in problem.message


def test_files_that_do_not_come_as_they_are_in_the_commit_are_refused(repository: Repository, tmp_path: Path) -> None:
    (repository.folder / ".gitattributes").write_text("*.py text eol=crlf\n", encoding="utf-8")
    git(repository.folder, "add", "--all")
    git(repository.folder, "commit", "--quiet", "--message", "Windows line ends")
    with pytest.raises(TrainerError) as caught:
        fetch_commit("main", repository.original, tmp_path / "target", list[str]().append)
    refusal(caught.value, TrainerError, "trainer.source.changed", "anima_train_network.py")
