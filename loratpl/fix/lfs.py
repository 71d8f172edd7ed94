"""Files that are only pointers into Git LFS: fetched where that is possible, by `git lfs pull` in the clone."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from loratpl.config.settings import Settings
from loratpl.dataset.captions import MAX_CAPTION_BYTES, Fault
from loratpl.dataset.captions.reading import judge_content
from loratpl.dataset.inspect import InspectedTree, inspect_file
from loratpl.errors import Problem, ProjectError
from loratpl.fix.actions import relative
from loratpl.fix.planning import settings_of
from loratpl.process import ProcessTimeoutError, child_environment, run_short
from loratpl.project import ProjectPaths

_ANSWER_TIMEOUT_S = 30.0
_PULL_TIMEOUT_S = 6 * 3600.0
_MAX_POINTER_BYTES = 1024


@dataclass(frozen=True, slots=True)
class LfsPull:
    """What `git lfs pull` shall fetch.

    Attributes:
        clone_dir: Where it is run.
        pointers: The files that are pointers.
    """

    clone_dir: Path
    pointers: tuple[Path, ...]


def find_pointers(settings: Settings, tree: InspectedTree) -> tuple[Path, ...]:
    """Returns the pictures and captions of a dataset that are Git LFS pointers."""
    found = [picture.file_path for picture in tree.pictures if picture.impostor == "lfs"]
    for folder in tree.folders:
        if not folder.contents.is_concept:
            continue
        extension = settings_of(settings, folder.path).caption_extension
        others = (folder.path / name for name in folder.contents.others if name.endswith(extension))
        found += [path for path in others if _is_pointer(path)]
        left_out = (folder.path / name for name in folder.contents.left_out)
        found += [path for path in left_out if inspect_file(os.fspath(path), "headers").impostor == "lfs"]
    return tuple(found)


def plan_pull(project: ProjectPaths, pointers: tuple[Path, ...]) -> LfsPull | Problem | None:
    """Returns what is to be fetched; a problem where it cannot be; None without pointers."""
    if not pointers:
        return None
    folder = pointers[0].parent
    where = relative(project.root_dir, pointers[0])
    count = f"{len(pointers)} files are Git LFS pointers" if len(pointers) > 1 else f"{where} is a Git LFS pointer"
    clone = _clone_of(folder)
    if clone is None:
        message = f"{count}, and {project.root_dir.name} is no clone of a git repository: there is nothing to fetch by."
        fix = "Clone the repository with git, run `git lfs pull` in the clone, and train from there."
        return Problem("dataset.lfs.clone", message, where, fix)
    if not _has_lfs():
        message = f"{count}, and git-lfs, which fetches the files themselves, is not installed."
        fix = "Install git-lfs (`apt install git-lfs`, `brew install git-lfs`), then run `kohyatpl check --fix` again."
        return Problem("dataset.lfs.tool", message, where, fix)
    return LfsPull(clone, pointers)


def pull(project: ProjectPaths, planned: LfsPull) -> None:
    """Runs `git lfs pull`; the dataset is then to be inspected anew. Cannot be undone, and need not be.

    Raises:
        ProjectError: It failed.
    """
    environment = child_environment({"GIT_TERMINAL_PROMPT": "0"})
    try:
        done = run_short(["git", "lfs", "pull"], cwd=planned.clone_dir, env=environment, timeout_s=_PULL_TIMEOUT_S)
        reason = "" if done.returncode == 0 else _last_line(done.stderr or done.stdout)
    except (OSError, ProcessTimeoutError) as error:
        reason = str(error)
    if reason:
        raise ProjectError(
            Problem(
                "dataset.lfs.failed",
                f"`git lfs pull` failed: {reason}.",
                relative(project.root_dir, planned.pointers[0]),
                f"Run `git lfs pull` in {planned.clone_dir} and see what it asks for; nothing else was changed.",
            )
        )


def _is_pointer(path: Path) -> bool:
    try:
        if not path.is_file() or path.stat().st_size > min(_MAX_POINTER_BYTES, MAX_CAPTION_BYTES):
            return False
        return judge_content("", path.read_bytes()).fault is Fault.LFS
    except OSError:
        return False


def _clone_of(folder: Path) -> Path | None:
    """Returns the root of the clone that a folder lies in."""
    folder = folder.resolve()
    return next((place for place in (folder, *folder.parents) if (place / ".git").exists()), None)


def _has_lfs() -> bool:
    if shutil.which("git") is None:
        return False
    try:
        return run_short(["git", "lfs", "version"], timeout_s=_ANSWER_TIMEOUT_S).returncode == 0
    except (OSError, ProcessTimeoutError):
        return False


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else "it said nothing"
