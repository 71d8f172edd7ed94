"""Other commits than the pin's: what their names mean, and their files (git: here and in checkout.py)."""

from __future__ import annotations

import contextlib
import re
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from loratpl.errors import Problem, TrainerError
from loratpl.trainer.checkout import (
    SourceFiles,
    answer_head,
    changed_files,
    copy_checkout,
    fetch_failed,
    fetch_one,
    git_reason,
    listed,
    needed_files,
    open_for_fetching,
    require_git,
)
from loratpl.trainer.pin import Pin

if TYPE_CHECKING:
    import git

# A branch, a tag or a commit id; neither an option of git nor one of its expressions (a~2, a:b, a..b).
_NAME = re.compile(r"(?![-/.])(?!.*\.\.)[^\s:~^?*{\[\\+\x00-\x1f]+")
_FETCHED_TAG = re.compile(r"\ttag '([^']+)' of ")
_DESCRIBED = re.compile(r"(.+)-(\d+)-g[0-9a-f]+")
_REMOTE_BRANCH = "refs/remotes/origin/"
_NO_SUCH_NAME = 1  # git's exit code; a repository that it cannot read gives another


def fetch_commit(
    name: str, original: Pin, target_dir: Path, progress: Callable[[str], None]
) -> tuple[Pin, SourceFiles]:
    """Returns the commit that `name` means at the trainer's home and its files, fetched into `target_dir`.

    Args:
        name: A commit id, whole or its beginning, a branch or a tag.
        original: The pin that kohyatpl comes with; it knows the home and the licence.
        target_dir: A new folder.
        progress: Is told how the fetching goes on.

    Raises:
        TrainerError: There is no git, no network, no such commit.
    """
    require_git()
    import git

    if not _NAME.fullmatch(name):
        raise _unknown(name, original.url)
    try:
        with open_for_fetching(target_dir, original.url) as repo:
            is_alone = fetch_one(repo, name, progress)
            found = _commit_of(repo, "FETCH_HEAD" if is_alone else name)
            if found is None:
                raise _unknown(name, original.url)
            repo.git.checkout("--quiet", "--detach", found.hexsha)
            tag, commits_after_tag = _fetched_tag(target_dir) if is_alone else _described(repo, found)
            pin = _pin_of(found, original, original.url, tag, commits_after_tag)
            hashes = _blob_ids(found)
    except git.GitError as error:
        raise fetch_failed(original.url, error, f"`kohyatpl trainer pin {name} --source PATH`") from error
    _refuse_changed(target_dir, hashes, pin)
    return pin, SourceFiles(hashes, ())


def find_commit(name: str, original: Pin, source_dir: Path) -> Pin:
    """Returns the commit that `name` means in a repository of the user's.

    Raises:
        TrainerError: There is no git, no repository, no such commit in it.
    """
    with _reading(source_dir) as repo:
        found = _commit_of(repo, name) if _NAME.fullmatch(name) else None
        if found is None:
            raise _unknown(name, str(source_dir))
        return _pin_of(found, original, _origin_url(repo) or original.url, *_described(repo, found))


def copy_commit(source_dir: Path, target_dir: Path, pin: Pin) -> SourceFiles:
    """Returns what was copied of a commit from a repository of the user's to `target_dir`, each file hashed.

    Where the commit is checked out, its files are taken, and refused if they were edited; else they are taken out of
    the repository, which may be a bare one or one without the objects of files that a training does not need.

    Raises:
        TrainerError: The files were edited, or the repository lacks needed ones.
    """
    with _reading(source_dir) as repo:
        if (source_dir / ".git").exists() and repo.head.is_valid() and repo.head.commit.hexsha == pin.commit:
            return copy_checkout(source_dir, target_dir, pin)
        # A repository without some objects must say so, instead of asking its remote for one after the other.
        repo.git.update_environment(GIT_NO_LAZY_FETCH="1")
        hashes = _blob_ids(repo.commit(pin.commit))
        left_out = tuple(
            name for name, blob in sorted(hashes.items()) if not _write_blob(repo, blob, target_dir / name)
        )
    needed = needed_files(left_out)
    if needed:
        raise TrainerError(
            Problem(
                "trainer.source.incomplete",
                f"{source_dir} lacks files of {pin.short_commit} that every training needs: {listed(needed)}.",
                str(source_dir),
                f'Run `git -C "{source_dir}" checkout {pin.commit}`, which gets them, then try again.',
            )
        )
    present = {name: blob for name, blob in hashes.items() if name not in left_out}
    _refuse_changed(target_dir, present, pin)
    answer_head(target_dir, pin.commit)
    return SourceFiles(present, left_out)


@contextlib.contextmanager
def _reading(source_dir: Path) -> Iterator[git.Repo]:
    require_git()
    import git

    try:
        repo = git.Repo(source_dir)
    except (git.GitError, OSError) as error:
        raise _unreadable(source_dir, error) from error
    try:
        with repo:
            yield repo
    except (git.GitError, ValueError, BrokenPipeError) as error:  # another OSError is the disk's that is written to
        raise _unreadable(source_dir, error) from error


def _unreadable(source_dir: Path, error: Exception) -> TrainerError:
    return TrainerError(
        Problem(
            "trainer.source.unreadable",
            f"{source_dir} is not a git repository of sd-scripts that can be read: {git_reason(error)}.",
            str(source_dir),
            "Name a clone of sd-scripts, or leave `--source` out to fetch the commit.",
        )
    )


def _commit_of(repo: git.Repo, name: str) -> git.Commit | None:
    """A tag wins over a branch, as it does for git; what is no local branch may be one of the origin's."""
    import git

    for full in (f"refs/tags/{name}", f"refs/heads/{name}", f"{_REMOTE_BRANCH}{name}", name):
        try:
            return repo.commit(repo.git.rev_parse("--verify", "--quiet", f"{full}^{{commit}}"))
        except git.GitCommandError as error:
            if error.status != _NO_SUCH_NAME:
                raise
    return None


def _fetched_tag(target_dir: Path) -> tuple[str, int]:
    """Without the history only a tag itself tells which release this is."""
    found = _FETCHED_TAG.search((target_dir / ".git" / "FETCH_HEAD").read_text(encoding="utf-8"))
    return (found.group(1) if found else "", 0)


def _described(repo: git.Repo, commit: git.Commit) -> tuple[str, int]:
    import git

    with contextlib.suppress(git.GitCommandError):
        found = _DESCRIBED.fullmatch(repo.git.describe("--tags", "--long", commit.hexsha))
        if found:
            return found.group(1), int(found.group(2))
    return "", 0


def _origin_url(repo: git.Repo) -> str | None:
    """The address that the repository was cloned from, when others can use it too, without a password in it."""
    urls = [remote.url for remote in repo.remotes if remote.name == "origin"]
    if not urls or "://" not in urls[0]:
        return None
    parts = urllib.parse.urlsplit(urls[0])
    if parts.scheme not in ("http", "https"):
        return urls[0]
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _pin_of(commit: git.Commit, original: Pin, url: str, tag: str, commits_after_tag: int) -> Pin:
    return replace(
        original,
        url=url,
        commit=commit.hexsha,
        tree=commit.tree.hexsha,
        tag=tag,
        commits_after_tag=commits_after_tag,
        requirements=(),
    )


def _blob_ids(commit: git.Commit) -> dict[str, str]:
    import git

    return {str(item.path): item.hexsha for item in commit.tree.traverse() if isinstance(item, git.Blob)}


def _write_blob(repo: git.Repo, blob_id: str, path: Path) -> bool:
    """Returns whether the repository has the file."""
    try:
        *_, content = repo.git.get_object_data(blob_id)
    except ValueError:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return True


def _refuse_changed(target_dir: Path, hashes: dict[str, str], pin: Pin) -> None:
    changed = changed_files(target_dir, hashes)
    if changed:
        raise TrainerError(
            Problem(
                "trainer.source.changed",
                f"Files of {pin.short_commit} did not come as they are in that commit: {listed(changed)}.",
                str(target_dir),
                "Check the disk, and the attributes that the commit or your git gives its files; then try again.",
            )
        )


def _unknown(name: str, place: str) -> TrainerError:
    return TrainerError(
        Problem(
            "trainer.pin.unknown",
            f"There is no commit, branch or tag `{name}` in {place}.",
            place,
            "Name a commit id (whole or its beginning), a branch or a tag; a clone of yours with `--source PATH`.",
        )
    )
