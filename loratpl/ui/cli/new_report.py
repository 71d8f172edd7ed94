"""What `new` says: where everything is, what became of the pictures, and what comes next."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loratpl.errors import Problem
from loratpl.ui.cli.parameters import quoted
from loratpl.ui.result import CommandResult

if TYPE_CHECKING:
    from loratpl.dataset.intake.planning import Reason
    from loratpl.dataset.intake.sources import Intake, SourceIntake
    from loratpl.ui.cli.new_pictures import Wanted

# `Intake().as_json()`, without what it takes to import that.
NOTHING_TAKEN: dict[str, Any] = {"taken": 0, "captions_written": 0, "left_out": [], "renamed": []}
_SHOWN_CONCEPTS = 12
_SHOWN_FILES = 4
# A name may hold what would move the cursor.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def new_result(
    root_dir: Path, given_path: Path, config_name: str, plan: Wanted, *, family: str, model: str
) -> CommandResult:
    """Returns what `new` says of a project that it has laid out.

    Args:
        root_dir: The project.
        given_path: The same as it was typed: what the next command line shall say.
        config_name: Of its config.
        plan: What was asked for, and what was taken in.
        family: Of the base model.
        model: The base model, "" when it is yet to be named.
    """
    from loratpl.project import doubtful_name

    intake = plan.intake
    doubts = filter(None, map(doubtful_name, (*plan.concepts, *plan.reg_classes)))
    problems = (*doubts, *_left_out_problems(intake), *missing_models(config_name, family, model))
    data = {
        "project": str(root_dir),
        "config": str(root_dir / config_name),
        "concepts": sorted(concept.folder_name for concept in plan.concepts),
        **(intake.as_json() if intake else NOTHING_TAKEN),
    }
    return CommandResult("new", data, tuple(_lines(root_dir, given_path, config_name, plan)), problems)


def _lines(root_dir: Path, given_path: Path, config_name: str, plan: Wanted) -> Iterator[str]:
    concepts, intake = plan.concepts, plan.intake
    yield f"{root_dir} is laid out."
    filled = intake.folders if intake else ()
    yield from _picture_lines(filled)
    taken = {item.source.concept for item in filled if not item.source.is_reg}
    empty = [concept.folder_name for concept in concepts if concept not in taken]
    if empty or not filled:
        yield f"  pictures and captions go into image_dir/{empty[0] if empty else '10_ohwx cat'}/"
    yield from _file_lines(intake)
    yield f"  settings are in {config_name}"
    if len(concepts) > 1:
        yield f"  balance: kohyatpl balance {quoted(given_path)}"
    yield f"  then: kohyatpl run {quoted(given_path)}"


def _picture_lines(filled: Sequence[SourceIntake]) -> Iterator[str]:
    for item in filled[:_SHOWN_CONCEPTS]:
        parent = "reg_dir" if item.source.is_reg else "image_dir"
        said = [counted(item.files.picture_count, "picture")]
        if item.files.caption_count:
            said.append(counted(item.files.caption_count, "caption"))
        if item.files.written:
            said.append(f"{counted(len(item.files.written), 'caption')} written")
        yield f"  {parent}/{item.source.concept.folder_name}: {', '.join(said)}"
    if len(filled) > _SHOWN_CONCEPTS:
        rest = filled[_SHOWN_CONCEPTS:]
        pictures = sum(item.files.picture_count for item in rest)
        yield f"  and {counted(len(rest), 'more folder')}: {counted(pictures, 'picture')}"


def _file_lines(intake: Intake | None) -> Iterator[str]:
    if intake is None:
        return
    renamed = [f"{path.name} → {name}" for path, name in intake.renamed]
    if renamed:
        yield f"  {counted(len(renamed), 'file')} renamed: {_first(renamed)}"
    harmless = [f"{path.name}" for path, reason in intake.left_out if not reason.fix]
    if harmless:
        yield f"  left where they are: {_first(harmless)}"


def _left_out_problems(intake: Intake | None) -> Iterator[Problem]:
    """Yields one warning for each reason why files that somebody may miss were not taken."""
    of_reason: dict[Reason, list[Path]] = {}
    for path, reason in intake.left_out if intake else ():
        if reason.fix:
            of_reason.setdefault(reason, []).append(path)
    for reason, paths in of_reason.items():
        names = _first([f"{path.parent.name}/{path.name}" for path in paths])
        yield Problem(
            "dataset.source.left_out",
            f"Not taken, {reason.text}: {names}.",
            str(paths[0]),
            reason.fix,
            "warning",
        )


def missing_models(config_name: str, family: str, model: str) -> Iterator[Problem]:
    """Yields a warning for each model that a config does not name yet."""
    from loratpl.config.families import FAMILIES

    if not model:
        yield Problem(
            "config.model.missing",
            "The config names no base model yet.",
            "pretrained_model_name_or_path",
            f'Set `"pretrained_model_name_or_path"` in {config_name}.',
            "warning",
        )
    for companion in FAMILIES[family].companions:
        yield Problem(
            "config.model.missing",
            f"The config names no {companion.title} yet; models of the family {family} are not trained without.",
            companion.option,
            f'Set `"{companion.option}"` in {config_name}.',
            "warning",
        )


def _first(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN_FILES
    shown = [_CONTROL.sub("?", name) for name in names[:_SHOWN_FILES]]
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def counted(count: int, what: str) -> str:
    """Returns "1 picture" or "2 pictures"."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
