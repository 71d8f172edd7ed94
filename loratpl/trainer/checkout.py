"""The trainer's files: fetched, or taken from a checkout, each hashed against the pin (git: here and in commits.py)."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loratpl.errors import Problem, TrainerError
from loratpl.trainer.failures import disk_full, is_disk_full
from loratpl.trainer.fetching import fetch
from loratpl.trainer.manifest import SCRIPTS
from loratpl.trainer.pin import Pin

if TYPE_CHECKING:
    import git

# What a training imports or reads whatever the family; the rest of the tree (pictures, documents, converters) may be
# left out by a sparse checkout.
_NEEDED_FOLDERS = ("library/", "networks/")
_SHOWN_FILES = 5
_GIT_COMPLAINT = re.compile(r"(?:fatal|error|remote): (.+)")
# What servers say that do not give out a commit which no branch ends in.
_REFUSALS = ("not our ref", "unadvertised object", "no such remote ref", "couldn't find remote ref")


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """The files of a checkout that are there and are the pin's.

    Attributes:
        hashes: For each file that was copied, by its path in the tree, its git blob id.
        left_out: Tracked files that the checkout does not have and a training does not need.
    """

    hashes: Mapping[str, str]
    left_out: tuple[str, ...]


def copy_checkout(source_dir: Path, target_dir: Path, pin: Pin) -> SourceFiles:
    """Returns what was copied from `source_dir` to `target_dir`: the tracked files that are there, each hashed.

    The copy answers `git rev-parse HEAD` with the pin's commit: the trainer writes that into the LoRA's metadata.

    Raises:
        TrainerError: There is no git, no checkout, another commit, or a file that is not the pin's.
    """
    require_git()
    tree = _pinned_tree(source_dir, pin)
    present = {name: blob for name, blob in tree.items() if (source_dir / name).is_file()}
    left_out = tuple(sorted(set(tree) - set(present)))
    _refuse_incomplete(source_dir, left_out)
    for name in present:
        target = target_dir / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source_dir / name, target)
    changed = changed_files(target_dir, present)
    if changed:
        raise _changed_source(source_dir, changed)
    answer_head(target_dir, pin.commit)
    return SourceFiles(present, left_out)


def answer_head(target_dir: Path, commit: str) -> None:
    """Makes `git rev-parse HEAD` answer with the commit in a folder that has its files alone."""
    import git

    with git.Repo.init(target_dir):
        (target_dir / ".git" / "HEAD").write_text(f"{commit}\n", encoding="ascii")


def fetch_checkout(target_dir: Path, pin: Pin, progress: Callable[[str], None]) -> SourceFiles:
    """Returns what was fetched into `target_dir`: exactly the pinned commit, without history where that can be had.

    Raises:
        TrainerError: There is no git, no network, or what came is not the pin.
    """
    require_git()
    import git

    try:
        with open_for_fetching(target_dir, pin.url) as repo:
            fetch_one(repo, pin.commit, progress)
            repo.git.checkout("--quiet", "--detach", pin.commit)
    except git.GitError as error:
        fix = f"`kohyatpl trainer install --source PATH` (commit {pin.commit})"
        raise fetch_failed(pin.url, error, fix) from error
    tree = _pinned_tree(target_dir, pin)
    changed = changed_files(target_dir, tree)
    if changed:
        raise _changed_while_fetched(pin, changed)
    return SourceFiles(tree, ())


def open_for_fetching(target_dir: Path, url: str) -> git.Repo:
    """Returns a new repository in `target_dir` whose origin is `url`."""
    import git

    target_dir.mkdir(parents=True, exist_ok=True)
    repo = git.Repo.init(target_dir)
    with repo.config_writer() as config:
        config.set_value("core", "autocrlf", "false")  # the files must hash to the pin's
        # A connection that has died must end, not hang: less than 1 kB/s for a minute.
        config.set_value("http", "lowSpeedLimit", "1000")
        config.set_value("http", "lowSpeedTime", "60")
    repo.create_remote("origin", url)
    return repo


def fetch_one(repo: git.Repo, name: str, progress: Callable[[str], None]) -> bool:
    """Returns whether the one commit came, as FETCH_HEAD; a server that does not hand it out gives its branches."""
    import git

    try:
        fetch(repo, ["--depth=1", "origin", name], progress)
    except git.GitCommandError as error:
        if not any(word in str(error) for word in _REFUSALS):
            raise
        progress("the server does not give out a single commit; fetching its branches and tags")
        fetch(repo, ["--tags", "origin", "+refs/heads/*:refs/remotes/origin/*"], progress)
        return False
    return True


def fetch_failed(url: str, error: Exception, by_hand: str) -> TrainerError:
    """Returns the error in git's own words; `by_hand` is the command that takes a checkout instead."""
    stderr = str(getattr(error, "stderr", "") or error)
    if is_disk_full(stderr):
        return disk_full(f"The trainer cannot be fetched from {url}", stderr, "trainer checkout")
    return TrainerError(
        Problem(
            "trainer.fetch",
            f"The trainer cannot be fetched from {url}: {git_reason(error)}.",
            url,
            f"Check the network and run the command again, or take a checkout that you have: {by_hand}.",
        )
    )


def git_reason(error: Exception) -> str:
    """Returns what git says of an error, without its full stop."""
    stderr = str(getattr(error, "stderr", "") or error)
    said = _GIT_COMPLAINT.findall(stderr) or stderr.strip().splitlines() or ["git gave no reason"]
    # The first says what happened, the last what git could not do because of it.
    return "; ".join(dict.fromkeys(line.strip().rstrip(".' ") for line in (said[0], said[-1])))


def changed_files(folder: Path, hashes: Mapping[str, str]) -> list[str]:
    """Returns the files below `folder` that are missing or do not have the git blob id they should have."""
    return [name for name, wanted in hashes.items() if _blob_id(folder / name) != wanted]


def _blob_id(path: Path) -> str | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    # https://git-scm.com/book/en/v2/Git-Internals-Git-Objects: the id is the SHA-1 of a header and the content.
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def require_git() -> None:
    """Makes sure that there is a git, and that it looks at the repository that it is told.

    Raises:
        TrainerError: There is none.
    """
    # GitPython otherwise ends its own import with a page of advice when there is no git.
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"):
        os.environ.pop(name, None)  # set inside hooks: git would look at the wrong repository
    if shutil.which("git") is None:
        raise TrainerError(
            Problem(
                "trainer.git.missing",
                "There is no git on this machine; without it the trainer's files cannot be told from others.",
                "git",
                "Install git (https://git-scm.com/downloads), then run the command again.",
            )
        )


def _pinned_tree(source_dir: Path, pin: Pin) -> dict[str, str]:
    import git

    try:
        with git.Repo(source_dir) as repo:
            head = repo.head.commit.hexsha
            tree = repo.head.commit.tree
            if head != pin.commit or tree.hexsha != pin.tree:
                raise _wrong_commit(source_dir, head, pin)
            return {str(item.path): item.hexsha for item in tree.traverse() if isinstance(item, git.Blob)}
    except (git.InvalidGitRepositoryError, git.NoSuchPathError, git.GitError, ValueError, OSError) as error:
        raise TrainerError(
            Problem(
                "trainer.source.unreadable",
                f"{source_dir} is not a git checkout of sd-scripts that can be read: {error}.",
                str(source_dir),
                f"Clone {pin.url} and check out {pin.commit} there, then name that folder.",
            )
        ) from error


def _wrong_commit(source_dir: Path, head: str, pin: Pin) -> TrainerError:
    if head == pin.commit:
        return _other_tree(source_dir, pin)
    return TrainerError(
        Problem(
            "trainer.source.commit",
            f"{source_dir} is at commit {head[:8]}; this version of kohyatpl is made for {pin.short_commit}.",
            str(source_dir),
            f'Run `git -C "{source_dir}" checkout {pin.commit}`, then try again.',
        )
    )


def _other_tree(source_dir: Path, pin: Pin) -> TrainerError:
    return TrainerError(
        Problem(
            "trainer.source.commit",
            f"{source_dir} is at commit {pin.short_commit}, but its files are not those that the pin names "
            f"({pin.tree[:8]}).",
            str(source_dir),
            "Reinstall kohyatpl: its pin is damaged. If that does not help, do not use that checkout.",
        )
    )


def _refuse_incomplete(source_dir: Path, left_out: Sequence[str]) -> None:
    needed = needed_files(left_out)
    if needed:
        raise TrainerError(
            Problem(
                "trainer.source.incomplete",
                f"{source_dir} lacks files that every training needs: {listed(needed)}.",
                str(source_dir),
                f'Run `git -C "{source_dir}" restore .`, or widen the sparse checkout with '
                f'`git -C "{source_dir}" sparse-checkout disable`.',
            )
        )


def _changed_source(source_dir: Path, changed: Sequence[str]) -> TrainerError:
    return TrainerError(
        Problem(
            "trainer.source.changed",
            f"{source_dir} has files that are not the pinned commit's: {listed(changed)}.",
            str(source_dir),
            f'See them with `git -C "{source_dir}" diff`; take a fresh clone, on Windows with '
            "`git clone -c core.autocrlf=false`.",
        )
    )


def _changed_while_fetched(pin: Pin, changed: Sequence[str]) -> TrainerError:
    return TrainerError(
        Problem(
            "trainer.source.changed",
            f"What git wrote from {pin.url} is not what the pinned commit holds: {listed(changed)}.",
            pin.url,
            "A setting of git changes files as it writes them: see `git config --global --list` for filters, line "
            "ends and core.attributesFile, then run the command again.",
        )
    )


def needed_files(names: Sequence[str]) -> list[str]:
    """Returns the files among these that every training needs."""
    return [name for name in names if name in SCRIPTS or name.startswith(_NEEDED_FOLDERS)]


def listed(names: Sequence[str]) -> str:
    """Returns the first few names, and how many more there are."""
    more = len(names) - _SHOWN_FILES
    return ", ".join(names[:_SHOWN_FILES]) + (f" and {more} more" if more > 0 else "")
