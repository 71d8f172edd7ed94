"""What git says of a project's folder: nothing is changed, and nothing is waited for long."""

from __future__ import annotations

import shutil
import time

from loratpl import process
from loratpl.project import ProjectPaths
from loratpl.records import GitState

TIMEOUT_S = 5.0
_ENV = {
    "GIT_OPTIONAL_LOCKS": "0",  # `git status` would write a refreshed index otherwise
    "GIT_NO_LAZY_FETCH": "1",  # a partial clone would ask the network for what it lacks
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
# A program of the user's that git would start to learn what has changed, and one that would be left behind.
_CONFIG = ("-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false")


def git_state(project: ProjectPaths, *, timeout_s: float = TIMEOUT_S) -> GitState | None:
    """Returns the commit and branch of a project, and whether what it is trained from differs from that commit.

    What runs write (log, output, the hidden folder) does not count; neither does what git ignores. None where the
    project is in no work tree, is ignored by the one around it, has no commit yet, or where git is missing, refuses,
    or takes longer than `timeout_s`.
    """
    git = shutil.which("git")
    if git is None:
        return None
    deadline = time.monotonic() + timeout_s
    answer = _answer(git, project, deadline, "check-ignore", "--quiet", ".")
    if answer is None or answer.returncode != 1:  # 0: ignored; all else: no work tree
        return None
    answer = _answer(
        git, project, deadline, "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal",
        "--no-renames", "--ignore-submodules=dirty", "--", ".", *(f":(exclude){name}" for name in _written(project)),
    )  # fmt: skip
    if answer is None or answer.returncode != 0:
        return None
    return parse_status(answer.stdout)


def parse_status(text: str) -> GitState | None:
    r"""Returns what a status in git's format v2 says, None where there is no commit.

    >>> parse_status("# branch.oid 0123\0# branch.head main\0" + "? new.txt\0")
    GitState(commit='0123', is_dirty=True, branch='main')
    >>> parse_status("# branch.oid (initial)\0# branch.head main\0") is None
    True
    """
    entries = [entry for entry in text.split("\0") if entry]
    heads = dict(entry[2:].split(" ", 1) for entry in entries if entry.startswith("# branch."))
    commit, branch = heads.get("branch.oid", ""), heads.get("branch.head")
    if not commit or commit == "(initial)":
        return None
    is_dirty = any(not entry.startswith("# ") for entry in entries)
    return GitState(commit=commit, is_dirty=is_dirty, branch=None if branch == "(detached)" else branch)


def _written(project: ProjectPaths) -> tuple[str, ...]:
    return tuple(project.relative(path) for path in (project.log_dir, project.output_dir, project.hidden_dir))


def _answer(git: str, project: ProjectPaths, deadline: float, *words: str) -> process.Completed | None:
    env = process.child_environment(_ENV)
    left_s = max(0.0, deadline - time.monotonic())
    try:
        return process.run_short([git, *_CONFIG, *words], cwd=project.root_dir, env=env, timeout_s=left_s)
    except (OSError, process.ProcessTimeoutError):
        return None
