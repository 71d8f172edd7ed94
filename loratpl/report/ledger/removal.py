"""Removes runs so that a kill at any moment leaves each of them whole or gone.

A folder is renamed aside, which is one step, and deleted there; what a kill left aside goes with the next pruning.
Links are removed and never followed.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loratpl.errors import Problem, ProjectError
from loratpl.project import ProjectPaths, make_hidden_dir
from loratpl.records import write_record
from loratpl.report.ledger.detail import size_of_tree
from loratpl.report.ledger.outputs import RemovableOutput
from loratpl.report.ledger.pruning import PrunePlan, Removal
from loratpl.weights import sha256_of

_ASIDE = "pruned-"


@dataclass(frozen=True, slots=True)
class Removed:
    """What a pruning did.

    Attributes:
        removals: What is gone of each run, with the LoRAs that are.
        freed_bytes: What the disk has more of, leftovers of an earlier pruning counted in.
        problems: What could not be removed, and what was left for a reason.
    """

    removals: tuple[Removal, ...]
    freed_bytes: int
    problems: tuple[Problem, ...]


def prune(project: ProjectPaths, plan: PrunePlan) -> Removed:
    """Removes what the plan says, and what an earlier pruning left aside.

    To be called with the project's lock held, and a plan made since.

    Raises:
        ProjectError: There is no place to put runs aside.
    """
    trash = _Trash(project)
    freed = trash.empty()
    done, problems = [], []
    for removal in plan.removals:
        outputs, left = _remove_outputs(project, removal)
        problems += left
        freed += sum(output.size_bytes for output in outputs)
        if any(problem.severity == "error" for problem in left):
            continue
        try:
            trash.take(removal.path)
            if plan.only_states:
                write_record(
                    removal.run.paths.record_path, removal.record.model_copy(update={"state_dir": None})
                )  # fmt: skip
        except OSError as error:
            problems.append(_refused(project, removal.path, error))
        else:
            freed += removal.size_bytes
            done.append(Removal(removal.run, removal.record, removal.path, removal.size_bytes, tuple(outputs)))
    problems += trash.left()
    return Removed(tuple(done), freed, tuple(problems))


def leftovers(project: ProjectPaths) -> int:
    """Returns the bytes that an earlier pruning, which was killed, left aside."""
    return sum(size_of_tree(path) for place in _places(project) for path in _aside(place))


class _Trash:
    """Where folders go before they are deleted: on the disk that they are on."""

    def __init__(self, project: ProjectPaths) -> None:
        self._project = project
        for place in _places(project):
            if place.is_symlink():
                raise ProjectError(
                    Problem(
                        "project.prune.link",
                        f"{project.relative(place)} is a link; what is removed would be moved to another place.",
                        project.relative(place),
                        "Remove the link.",
                    )
                )

    def empty(self) -> int:
        """Deletes what is there, and returns its bytes."""
        return sum(_deleted(path) for place in _places(self._project) for path in _aside(place))

    def take(self, path: Path) -> None:
        """Makes a folder be gone at once, and deletes it.

        Raises:
            OSError: It cannot be moved; it is as it was.
        """
        first, second = _places(self._project)
        make_hidden_dir(self._project)
        try:
            aside = _moved(path, first)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            aside = _moved(path, second)
        _deleted(aside)
        with contextlib.suppress(OSError):
            aside.parent.rmdir()

    def left(self) -> Iterator[Problem]:
        """Yields what there is to say of what could not be deleted."""
        for place in _places(self._project):
            left = list(_aside(place))
            if left:
                yield Problem(
                    "project.prune.left",
                    f"{len(left)} of the folders could not be deleted whole. They are no runs any more.",
                    self._project.relative(place),
                    "See to it that you may write in them; the next `kohyatpl runs prune` tries again.",
                    "warning",
                )


def _places(project: ProjectPaths) -> tuple[Path, Path]:
    """The second is for a log folder on another disk; with no record directly in it, it is no run."""
    return project.hidden_dir / "trash", project.log_dir / ".trash"


def _aside(place: Path) -> Iterator[Path]:
    if place.is_symlink():
        return
    with contextlib.suppress(OSError):
        for path in sorted(place.iterdir()):
            if path.name.startswith(_ASIDE) and not path.is_symlink() and path.is_dir():
                yield path


def _moved(path: Path, place: Path) -> Path:
    if not stat.S_ISDIR(path.lstat().st_mode):
        raise OSError(errno.ENOTDIR, "it is no folder any more", str(path))
    place.mkdir(exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=place))
    try:
        path.rename(aside / path.name)
    except OSError:
        aside.rmdir()
        raise
    return aside


def _deleted(path: Path) -> int:
    """Deletes what can be deleted of a folder, and returns how many bytes less there are."""
    before = size_of_tree(path)
    shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        path.parent.rmdir()
    return before - size_of_tree(path)


def _remove_outputs(project: ProjectPaths, removal: Removal) -> tuple[list[RemovableOutput], list[Problem]]:
    """LoRAs go before the record that tells whose they are: killed in between, the next pruning finds the rest."""
    done, problems = [], []
    for output in removal.outputs:
        where = project.relative(output.path)
        try:
            if output.sha256 is not None and sha256_of(output.path) != output.sha256:
                message = f"{where} is not what {removal.run.run_id} wrote: its content is another. It stays."
                problems.append(Problem("project.prune.output", message, where, severity="warning"))
                continue
            output.path.unlink()
            done.append(output)
        except OSError as error:
            problems.append(_refused(project, output.path, error))
    return done, problems


def _refused(project: ProjectPaths, path: Path, error: OSError) -> Problem:
    where = project.relative(path)
    return Problem(
        "project.prune.failed",
        f"{where} cannot be removed: {error.strerror or error}. It is as it was.",
        where,
        "See to it that you may write there, and that no other program has its files open.",
    )
