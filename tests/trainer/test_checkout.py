"""The trainer's files are taken from real repositories, and only as they are in the pinned commit."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from loratpl.errors import ExitCode, Problem, TrainerError
from loratpl.trainer.checkout import SourceFiles, changed_files, copy_checkout, fetch_checkout
from loratpl.trainer.manifest import SCRIPTS
from loratpl.trainer.pin import Pin
from tests.given import only, refusal
from tests.trainer.repositories import FILES, git, make_checkout, pin_of

UNNEEDED = ("docs/a guide.md", "tools/convert.py")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder for a checkout."""
    (tmp_path / "source").mkdir()
    return tmp_path / "source"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A folder that is not there yet."""
    return tmp_path / "target"


def _refused(source: Path, target: Path, pin: Pin, code: str, *named: str) -> Problem:
    with pytest.raises(TrainerError) as caught:
        copy_checkout(source, target, pin)
    assert caught.value.exit_code is ExitCode.TRAINER
    return refusal(caught.value, TrainerError, code, *named)


def test_the_pinned_files_are_copied_byte_for_byte(odd_path: Path) -> None:
    pin = make_checkout(odd_path / "source")
    files = copy_checkout(odd_path / "source", odd_path / "target", pin)
    assert {name: (odd_path / "target" / name).read_bytes() for name in FILES} == {
        name: text.encode() for name, text in FILES.items()
    }
    answer = git(odd_path / "source", "-c", "core.quotePath=false", "ls-tree", "-r", "HEAD")
    listed = (line.split(maxsplit=3) for line in answer.splitlines())
    assert dict(files.hashes) == {name: blob for _, _, blob, name in listed}
    assert files.left_out == ()


def test_the_copy_answers_with_the_pinned_commit(odd_path: Path) -> None:
    pin = make_checkout(odd_path / "source")
    copy_checkout(odd_path / "source", odd_path / "target", pin)
    assert git(odd_path / "target", "rev-parse", "HEAD") == pin.commit
    assert git(odd_path / "source", "status", "--porcelain") == ""


def test_what_is_not_tracked_is_not_copied(source: Path, target: Path) -> None:
    pin = make_checkout(source)
    (source / "notes.txt").write_text("mine", encoding="utf-8")
    (source / "library" / "train_util.pyc").write_bytes(b"byte code")
    files = copy_checkout(source, target, pin)
    assert set(files.hashes) == set(FILES)
    copied = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    assert {name for name in copied if not name.startswith(".git/")} == set(FILES)


@pytest.mark.parametrize("form", ["worktree", "clone"])
def test_a_checkout_of_any_form_will_do(source: Path, target: Path, tmp_path: Path, form: str) -> None:
    pin = make_checkout(source)
    if form == "worktree":
        git(source, "worktree", "add", "--quiet", "--detach", str(tmp_path / "other"))
    else:
        git(tmp_path, "clone", "--quiet", "--depth=1", source.as_uri(), "other")
    assert set(copy_checkout(tmp_path / "other", target, pin).hashes) == set(FILES)


def test_variables_that_git_sets_in_hooks_do_not_mislead(
    source: Path, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin = make_checkout(source)
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    with monkeypatch.context() as hook:
        hook.setenv("GIT_DIR", str(other / ".git"))
        hook.setenv("GIT_WORK_TREE", str(other))
        files = copy_checkout(source, target, pin)
    assert set(files.hashes) == set(FILES)
    assert git(target, "rev-parse", "HEAD") == pin.commit


# --- files that are left out ----------------------------------------------------------------------------------------


def test_a_sparse_checkout_without_unneeded_files_will_do(source: Path, target: Path) -> None:
    pin = make_checkout(source)
    git(source, "sparse-checkout", "set", "library", "networks")
    assert not (source / "docs").exists()
    files = copy_checkout(source, target, pin)
    assert files.left_out == UNNEEDED
    assert set(files.hashes) == set(FILES) - set(UNNEEDED)


def test_a_checkout_may_lack_the_objects_of_what_it_leaves_out(source: Path, target: Path) -> None:
    pin = make_checkout(source)
    for name in UNNEEDED:
        blob = git(source, "rev-parse", f"HEAD:{name}")
        (source / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
        (source / name).unlink()
    assert copy_checkout(source, target, pin).left_out == UNNEEDED


@pytest.mark.parametrize(
    "name", ["train_network.py", "flux_train_network.py", "library/train_util.py", "networks/lora.py"]
)
def test_a_missing_file_that_every_training_needs_is_named(source: Path, target: Path, name: str) -> None:
    pin = make_checkout(source)
    (source / name).unlink()
    problem = _refused(source, target, pin, "trainer.source.incomplete", str(source), name)
    assert f'`git -C "{source}" restore .`' in problem.fix


def test_many_missing_files_are_named_in_part_and_counted(source: Path, target: Path) -> None:
    pin = make_checkout(source)
    for name in SCRIPTS:
        (source / name).unlink()
    _refused(source, target, pin, "trainer.source.incomplete", f"and {len(SCRIPTS) - 5} more")


def test_a_folder_in_the_place_of_a_needed_file_is_a_missing_file(source: Path, target: Path) -> None:
    pin = make_checkout(source)
    (source / "train_network.py").unlink()
    (source / "train_network.py").mkdir()
    _refused(source, target, pin, "trainer.source.incomplete", "train_network.py")


# --- files that are not the pin's -----------------------------------------------------------------------------------


@pytest.mark.parametrize("hiding", [None, "--assume-unchanged", "--skip-worktree"])
@pytest.mark.parametrize("name", ["train_network.py", "docs/a guide.md"])
def test_a_changed_file_is_refused_however_it_is_hidden(
    source: Path, target: Path, name: str, hiding: str | None
) -> None:
    pin = make_checkout(source)
    if hiding:
        git(source, "update-index", hiding, name)
    with (source / name).open("a", encoding="utf-8") as file:
        file.write("# mine\n")
    if hiding:
        assert git(source, "status", "--porcelain") == ""
    problem = _refused(source, target, pin, "trainer.source.changed", str(source), name)
    assert "diff" in problem.fix


def test_other_line_ends_are_another_file(source: Path, target: Path) -> None:
    pin = make_checkout(source)
    (source / "networks" / "lora.py").write_bytes(FILES["networks/lora.py"].replace("\n", "\r\n").encode())
    problem = _refused(source, target, pin, "trainer.source.changed", "networks/lora.py")
    assert "core.autocrlf=false" in problem.fix


def test_changed_files_are_those_that_are_missing_or_different(tmp_path: Path) -> None:
    make_checkout(tmp_path)
    hashes = {name: git(tmp_path, "rev-parse", f"HEAD:{name}") for name in FILES}
    assert changed_files(tmp_path, hashes) == []
    (tmp_path / "library" / "__init__.py").write_text(" ", encoding="utf-8")
    (tmp_path / "networks" / "lora.py").unlink()
    assert changed_files(tmp_path, hashes) == ["library/__init__.py", "networks/lora.py"]


# --- what is no checkout of the pin ---------------------------------------------------------------------------------


def test_another_commit_is_refused_with_the_command_that_checks_out_the_pin(odd_path: Path) -> None:
    source = odd_path / "source"
    pin = make_checkout(source)
    git(source, "commit", "--quiet", "--allow-empty", "--message", "one more")
    head = git(source, "rev-parse", "HEAD")
    problem = _refused(source, odd_path / "target", pin, "trainer.source.commit", str(source), head[:8], pin.commit[:8])
    assert problem.fix.startswith(f'Run `git -C "{source}" checkout {pin.commit}`')
    assert not (odd_path / "target").exists()


def test_a_commit_with_other_files_is_refused(source: Path, target: Path) -> None:
    pin = make_checkout(source)
    _refused(source, target, replace(pin, tree="0" * 40), "trainer.source.commit", str(source))


def test_a_folder_that_is_no_repository_is_refused(odd_path: Path) -> None:
    pin = make_checkout(odd_path / "source")
    plain = odd_path / "plain"
    shutil.copytree(odd_path / "source", plain, ignore=shutil.ignore_patterns(".git"))
    problem = _refused(plain, odd_path / "target", pin, "trainer.source.unreadable", str(plain))
    assert pin.url in problem.fix
    assert pin.commit in problem.fix


@pytest.mark.parametrize("place", ["missing", "library", "train_network.py"])
def test_a_place_that_is_no_checkout_is_refused(source: Path, target: Path, place: str) -> None:
    pin = make_checkout(source)
    _refused(source / place, target, pin, "trainer.source.unreadable", str(source / place))


def test_a_repository_without_a_commit_is_refused(source: Path, target: Path, tmp_path: Path) -> None:
    pin = make_checkout(source)
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "--quiet")
    _refused(tmp_path / "empty", target, pin, "trainer.source.unreadable", str(tmp_path / "empty"))


@pytest.mark.parametrize("lost", ["HEAD", "HEAD^{tree}", "HEAD:networks"])
def test_a_damaged_repository_is_refused(source: Path, target: Path, lost: str) -> None:
    pin = make_checkout(source)
    name = git(source, "rev-parse", lost)
    (source / ".git" / "objects" / name[:2] / name[2:]).unlink()
    _refused(source, target, pin, "trainer.source.unreadable", str(source))


@pytest.mark.skipif(sys.platform == "win32", reason="programs are also found beside the interpreter there")
def test_without_git_nothing_can_be_told(
    source: Path, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin = make_checkout(source)
    monkeypatch.setenv("PATH", str(tmp_path))
    problem = _refused(source, target, pin, "trainer.git.missing", "git")
    assert "https://git-scm.com/downloads" in problem.fix
    assert not target.exists()


def test_a_commit_is_the_pins_whatever_branch_it_is_on(source: Path, target: Path) -> None:
    make_checkout(source)
    git(source, "switch", "--quiet", "--create", "mine")
    assert set(copy_checkout(source, target, pin_of(source)).hashes) == set(FILES)


# --- fetched --------------------------------------------------------------------------------------------------------


def _fetched(pin: Pin, target: Path) -> SourceFiles:
    return fetch_checkout(target, pin, lambda _: None)


def _origin(folder: Path) -> Pin:
    """Returns the pin of a repository that is fetched from, in which one commit follows the pinned one."""
    pin = replace(make_checkout(folder), url=folder.as_uri())
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "one more")
    return pin


def test_the_pinned_commit_is_fetched_whole_and_alone(odd_path: Path) -> None:
    (odd_path / "origin").mkdir()
    pin, target = _origin(odd_path / "origin"), odd_path / "target"
    files = _fetched(pin, target)
    assert {name: (target / name).read_bytes() for name in FILES} == {n: text.encode() for n, text in FILES.items()}
    assert set(files.hashes) == set(FILES)
    assert changed_files(target, files.hashes) == []
    assert files.left_out == ()
    assert git(target, "rev-parse", "HEAD") == pin.commit
    assert git(target, "rev-list", "--count", "HEAD") == "1"


def test_a_server_that_hands_out_branches_alone_is_asked_for_them(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin, said = _origin(source), list[str]()
    # Version 0 of git's protocol: only what a branch or a tag ends in can be asked for.
    for name, value in {"COUNT": "1", "KEY_0": "protocol.version", "VALUE_0": "0"}.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    assert set(fetch_checkout(target, pin, said.append).hashes) == set(FILES)
    assert any("branches" in sentence for sentence in said)
    assert git(target, "rev-parse", "HEAD") == pin.commit


@pytest.mark.parametrize("wanted", ["commit", "tree"])
def test_what_is_fetched_must_be_the_pin(source: Path, target: Path, wanted: str) -> None:
    pin, other = _origin(source), "1234567890" * 4
    pin = replace(pin, commit=other) if wanted == "commit" else replace(pin, tree=other)
    with pytest.raises(TrainerError) as caught:
        _fetched(pin, target)
    assert only(caught.value.problems).code in ("trainer.fetch", "trainer.source.commit")


def test_a_home_that_cannot_be_reached_is_named_with_gits_own_reason(odd_path: Path) -> None:
    pin = replace(make_checkout(odd_path / "source"), url=(odd_path / "missing").as_uri())
    with pytest.raises(TrainerError) as caught:
        _fetched(pin, odd_path / "target")
    problem = refusal(caught.value, TrainerError, "trainer.fetch", pin.url, "remote repository")
    assert "kohyatpl trainer install --source PATH" in problem.fix
    assert pin.commit in problem.fix


@pytest.mark.skipif(sys.platform == "win32", reason="programs are also found beside the interpreter there")
def test_without_git_nothing_can_be_fetched(
    source: Path, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin = _origin(source)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TrainerError) as caught:
        _fetched(pin, target)
    refusal(caught.value, TrainerError, "trainer.git.missing", "git")


def test_a_setting_of_the_user_does_not_change_what_is_fetched(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin = _origin(source)
    for name, value in {"COUNT": "1", "KEY_0": "core.eol", "VALUE_0": "crlf"}.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    assert changed_files(target, _fetched(pin, target).hashes) == []
