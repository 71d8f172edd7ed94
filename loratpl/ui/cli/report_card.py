"""The model card of a run, as `kohyatpl report --card` writes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from loratpl.ui.result import CommandResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loratpl.project import ProjectPaths
    from loratpl.report.story.story import RunStory


def refuse_contradictions(*, card: bool, html: Path | None, runs: Sequence[str]) -> None:
    """Raises UsageError where the options of a card do not go together; one of `--card` and `--out` is given."""
    from loratpl.errors import Problem, UsageError

    pairs = (
        (not card, "--out", "`--out` says where a card goes, and no card is asked for.", "Say `--card` as well."),
        (
            card and html is not None,
            "--card",
            "`--card` writes a card in the place of the page that `--html` names.",
            "Leave one of `--card` and `--html` out; `--out` names the card's file.",
        ),
        (len(runs) > 1, "--card", "A card is of one run, and several are named.", "Name one run."),
    )
    for is_so, option, sentence, fix in pairs:
        if is_so:
            raise UsageError(Problem("usage.arguments", sentence, option, fix))


def write_card_of(project: ProjectPaths, runs: Sequence[str], out: Path | None) -> CommandResult:
    """Writes the card of the run that is named, or of the last one.

    Raises:
        UsageError: No run is meant, or something else is in the card's place.
        ProjectError: The run cannot be read, or the card not be written.
    """
    from loratpl.report.story.reading import story_of
    from loratpl.run.history import LAST, find_run

    return card_result(project, story_of(project, find_run(project, runs[0] if runs else LAST)), out)


def card_result(project: ProjectPaths, story: RunStory, out: Path | None) -> CommandResult:
    """Writes the card of a run and returns what there is to say of it.

    Args:
        project: The run's.
        story: The run's.
        out: Where the card goes; beside the LoRA unless given.

    Raises:
        UsageError: Something else is there.
        ProjectError: It cannot be written.
    """
    from loratpl.errors import Problem
    from loratpl.report.card.text import missing
    from loratpl.report.card.writing import write_card
    from loratpl.report.story.as_json import story_json

    written = write_card(story, out)
    shown = project.relative(written.path)
    lines = [f"Card of {story.detail.record.run_id}: {shown}"]
    if written.pictures:
        count = len(written.pictures)
        place = project.relative(written.pictures[0].parent)
        lines.append(f"  {count} sample{'' if count == 1 else 's'} beside it in {place}")
    lines += [f"  to do: {one}" for one in missing(written.card)]
    problems = tuple(
        Problem(
            "run.sample.unreadable",
            f"The sample {path.name} cannot be read; the card does without it.",
            project.relative(path),
            severity="warning",
        )
        for path in written.unread
    )
    data = {
        "page": None,
        "card": str(written.path),
        "pictures": [str(path) for path in written.pictures],
        "trigger_words": list(written.card.triggers),
        "missing": list(missing(written.card)),
        "runs": [story_json(story)],
    }
    return CommandResult("report", data, lines, problems)
