"""What `balance` says to a person: the table of before and after, and what it means for the training."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from loratpl.balance import BalancedProject, percent
from loratpl.config.block import BLOCK_KEY
from loratpl.errors import Problem
from loratpl.journal import Recovery, Rename, Undone
from loratpl.plan.outlook import Outlook
from loratpl.project import ProjectPaths
from loratpl.ui.columns import table, visible


def balanced_lines(
    paths: ProjectPaths, judged: BalancedProject, outlook: Outlook, config_path: Path, undo_hint: str | None
) -> list[str]:
    """Returns what is said of a balancing; without `undo_hint` it is of one that was not carried out."""
    lines = [*table(_rows(paths, judged), _terminal_width()), ""]
    lines += [f"Target: {judged.target} views of each concept per epoch, {judged.reason}.", _worst(paths, judged)]
    lines += [*_regularisation(judged, outlook), _steps(outlook)]
    renames = judged.renames
    if not renames and not judged.new_weights:
        return [*lines, "Already balanced: every folder has the right name."]
    if renames:
        lines.append(f"{folders(len(renames))} {'renamed' if undo_hint else 'would be renamed'}:")
        lines += rename_lines(paths, renames)
    if judged.new_weights:
        done = "written to" if undo_hint else "to be written to"
        lines.append(f"Weights from folder names, {done} {visible(paths.relative(config_path))}:")
        lines += [
            f"  {BLOCK_KEY}.concepts.{visible(name)}.weight = {weight:g}" for name, weight in judged.new_weights.items()
        ]
    return [*lines, undo_hint] if undo_hint else lines


def undone_lines(paths: ProjectPaths, undone: Undone) -> list[str]:
    """Returns what is said of an undoing."""
    lines = [f"{folders(len(undone.renames))} got the old name back:", *rename_lines(paths, undone.renames)]
    lines += [f"{visible(paths.relative(path))} is as it was before." for path in undone.restored]
    return lines


def rename_lines(paths: ProjectPaths, renames: Iterable[Rename]) -> list[str]:
    """Returns one line for each rename."""
    return [f"  {visible(paths.relative(item.source))} → {visible(item.target.name)}" for item in renames]


def folders(count: int) -> str:
    """Returns so many folders, in words."""
    return f"{count} folder{'' if count == 1 else 's'}"


def recovery_problems(paths: ProjectPaths, recovery: Recovery | None) -> tuple[Problem, ...]:
    """Returns what must be said of renames that had been interrupted."""
    if recovery is None:
        return ()
    what = "The undoing of a balancing" if recovery.is_undo else "An earlier balancing"
    became = (
        "every rename had been done, so the names stay" if recovery.is_done else "the names from before it are back"
    )
    message = f"{what} had been interrupted ({folders(len(recovery.renames))}); {became}."
    recovered = Problem("project.rename.recovered", message, severity="warning")
    return (recovered, *kept_problems(paths, recovery.kept))


def kept_problems(paths: ProjectPaths, kept: Iterable[Path]) -> Iterator[Problem]:
    """Yields what must be said of files that were not put back, since somebody has changed them meanwhile."""
    for path in kept:
        where = paths.relative(path)
        yield Problem(
            "project.rename.kept",
            f"{where} was changed after the balancing that is taken back; it is left as it is.",
            where,
            f"Look under `{BLOCK_KEY}.concepts` in it: the weights that were in folders' names may stand there.",
            "warning",
        )


def _rows(paths: ProjectPaths, judged: BalancedProject) -> list[tuple[str, ...]]:
    is_weighted = any(item.weight != 1 for item in judged.folders)
    head = ("concept", "images", *(("weight",) if is_weighted else ()), "repeats", "views per epoch")
    return [
        head,
        *(
            (
                paths.relative(item.folder),
                str(item.images),
                *((f"{item.weight:g}",) if is_weighted else ()),
                str(item.repeats) if item.repeats == item.repeats_before else f"{item.repeats_before} → {item.repeats}",
                str(item.views_per_epoch),
            )
            for item in judged.folders
        ),
    ]


def _terminal_width() -> int | None:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _worst(paths: ProjectPaths, judged: BalancedProject) -> str:
    worst = judged.worst
    off = worst.imbalance(judged.target)
    if not off:
        return "Worst imbalance: none, every concept has exactly its views."
    return f"Worst imbalance: {percent(off)}, {visible(paths.relative(worst.folder.with_name(worst.new_folder)))}."


def _regularisation(judged: BalancedProject, outlook: Outlook) -> Iterator[str]:
    if not outlook.reg_views:
        return
    named = sum(item.views_per_epoch for item in judged.folders if item.is_reg)
    used = sum(outlook.reg_views.values())
    what = (
        f"which the trainer repeats to {used}"
        if used > named
        else f"of which the trainer uses {used}"
        if used < named
        else "all used"
    )
    yield f"Regularisation: {named} views by name, {what} (concepts: {outlook.train_views})."
    for item in judged.folders:
        views = outlook.reg_views.get(item.new_folder) if item.is_reg else None
        if views is not None and views != item.views_per_epoch:
            yield f"  {visible(item.new_folder)}: {item.views_per_epoch} by name, {views} in the training"


def _steps(outlook: Outlook) -> str:
    if outlook.steps_per_epoch is None:
        return "Steps per epoch: not known while `kohyatpl check` finds errors in pictures or settings."
    return (
        f"Steps per epoch: {outlook.steps_per_epoch} ({outlook.batches_per_epoch} batches, "
        f"batch size {outlook.batch_size})."
    )
