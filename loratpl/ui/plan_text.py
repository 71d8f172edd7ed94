"""What `plan` says to a person: concepts, buckets, the way from pictures to steps, crops, files."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loratpl.ui.columns import shortened, table, width_of
from loratpl.ui.plan_words import (
    NAMED_LOSS,
    NAMED_SCALE,
    arithmetic,
    counted,
    heading,
    is_cut_at_random,
    number,
    percent,
    picture_name,
    remarks,
    shown,
    size,
    times,
)

if TYPE_CHECKING:
    from loratpl.config.settings import Settings
    from loratpl.plan.cropping import BucketUse, Crop
    from loratpl.plan.outputs import PlannedFile
    from loratpl.plan.planner import PlannedConcept, PlannedDataset, TrainingPlan

# Off a terminal, and the widest that is easily read on one.
DEFAULT_WIDTH = 80
MAX_WIDTH = 100
# Of more concepts than so many, and of more buckets, only the largest and the smallest are shown.
MAX_CONCEPTS = 24
MAX_BUCKETS = 24
MAX_NAMED = 5
_EIGHTHS = " ▏▎▍▌▋▊▉"
_PLAIN = str.maketrans({"×": "x", "→": "->", "…": "~", "█": "#"})


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where the lines go: how wide it is, and what it can write."""

    width: int
    encoding: str

    @property
    def has_blocks(self) -> bool:
        """Whether bars, arrows and the multiplication sign can be written."""
        return self.can_write(f"{_EIGHTHS}█×→…")

    def can_write(self, text: str) -> bool:
        """Whether the encoding has all of a text."""
        try:
            text.encode(self.encoding)
        except (UnicodeEncodeError, LookupError):
            return False
        return True

    def plain(self, text: str) -> str:
        """Returns a text with our own signs as the terminal can write them."""
        return text if self.has_blocks else text.translate(_PLAIN)

    def name(self, text: str) -> str:
        """Returns a name as it will be seen, so that its width is known: what cannot be written is written out."""
        return text if self.can_write(text) else text.encode("ascii", "backslashreplace").decode()

    def bar(self, share: float, width: int) -> str:
        """Returns a bar that fills its share of `width` columns; it is never empty."""
        if not self.has_blocks:
            return ("#" * max(round(share * width), 1)).ljust(width)
        whole, eighths = divmod(max(round(share * width * 8), 1), 8)
        return ("█" * whole + _EIGHTHS[eighths].strip()).ljust(width)


def this_terminal() -> Terminal:
    """Returns where standard output goes."""
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else DEFAULT_WIDTH
    return Terminal(min(columns, MAX_WIDTH), sys.stdout.encoding or "ascii")


def plan_lines(
    settings: Settings, plan: TrainingPlan, files: Sequence[PlannedFile], terminal: Terminal | None = None
) -> list[str]:
    """Returns the lines of `plan`.

    Args:
        settings: The training's.
        plan: Its plan.
        files: As `planned_files` returns them.
        terminal: Where they go; standard output unless given.
    """
    from loratpl.plan.cropping import crops_of

    terminal = terminal or this_terminal()
    crops = crops_of(plan.datasets)
    lines = list(_concepts(plan.concepts, terminal))
    for index, dataset in enumerate(plan.datasets):
        lines += ["", *_buckets(index, plan, [crop for crop in crops if crop.dataset == index], terminal)]
        lines += _wrapped(_random_remark(dataset), terminal)
    lines += ["", *_wrapped(arithmetic(plan, crops), terminal, hanging=2)]
    for remark in remarks(settings, plan, crops):
        lines += _wrapped(remark, terminal)
    for block in (_losses(crops, terminal), _upscaled(crops, terminal)):
        named = list(block)
        lines += ["", *named] if named else []
    return [*lines, "", *_files(files, sum(file.removed_at is not None for file in files), terminal)]


def _concepts(concepts: Sequence[PlannedConcept], terminal: Terminal) -> Iterator[str]:
    views = sum(concept.views for concept in concepts)
    has_reg = any(concept.is_reg for concept in concepts)
    chosen, left_out = list(concepts), 0
    if len(chosen) > MAX_CONCEPTS:
        chosen.sort(key=lambda concept: -concept.views)
        middle = chosen[MAX_CONCEPTS // 2 : -(MAX_CONCEPTS // 2)]
        chosen = [concept for concept in chosen if concept not in middle]
        left_out = len(middle)
    rows = [("concept", "images", "repeats", "views", "share", *(("",) if has_reg else ()))]
    rows += [
        (
            terminal.name(shown(concept.folder)),
            number(concept.images),
            number(concept.repeats),
            number(concept.views),
            percent(concept.views / views),
            *(("reg" if concept.is_reg else "",) if has_reg else ()),
        )
        for concept in chosen
    ]
    lines = [terminal.plain(line).rstrip() for line in table(rows, terminal.width)]
    if not left_out:
        yield from lines
        return
    half = 1 + MAX_CONCEPTS // 2
    yield from lines[:half]
    least, most = middle[-1].views, middle[0].views
    each = number(least) if least == most else f"{number(least)} to {number(most)}"
    yield terminal.plain(f"  … {counted(left_out, 'more concept')}, {each} views each …")
    yield from lines[half:]


def _buckets(index: int, plan: TrainingPlan, crops: Sequence[Crop], terminal: Terminal) -> Iterator[str]:
    from loratpl.plan.cropping import bucket_uses

    dataset = plan.datasets[index]
    prefix = f"Dataset {index + 1} of {len(plan.datasets)}: " if len(plan.datasets) > 1 else "Buckets: "
    yield terminal.plain(prefix + heading(dataset))
    uses = bucket_uses(crops)
    most = sorted(uses, key=lambda use: -use.views)
    shown_uses = [use for use in uses if use in most[:MAX_BUCKETS]] if len(uses) > MAX_BUCKETS else uses
    yield from _chart(shown_uses, sum(use.views for use in uses), most[0].views, terminal)
    rest = most[len(shown_uses) :]
    if rest:
        views = counted(sum(use.views for use in rest), "view")
        yield terminal.plain(f"  … {counted(len(rest), 'smaller bucket')} with {views} in all")


def _chart(uses: Sequence[BucketUse], all_views: int, most: int, terminal: Terminal) -> Iterator[str]:
    head = ("bucket", "pictures", "views", "share", "kept", "scale")
    rows = [
        (
            size(use.size),
            number(use.pictures),
            number(use.views),
            percent(use.views / all_views),
            percent(use.kept),
            times(use.scale),
        )
        for use in uses
    ]
    cells = [[terminal.plain(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(width_of, column)) for column in zip(*cells, strict=True)]
    room = max(terminal.width - sum(widths) - 2 * len(widths), 4)
    bars = ["", *(terminal.bar(use.views / most, room) for use in uses)]
    for row, bar in zip(cells, bars, strict=True):
        texts = [" " * (width - width_of(cell)) + cell for cell, width in zip(row, widths, strict=True)]
        yield "  ".join((*texts[:4], bar.ljust(room), *texts[4:])).rstrip()


def _losses(crops: Sequence[Crop], terminal: Terminal) -> Iterator[str]:
    from loratpl.plan.cropping import losing_most

    found = losing_most(crops, NAMED_LOSS)
    if found:
        what = "1 picture loses" if len(found) == 1 else f"{number(len(found))} pictures lose"
        yield f"{what} more than {NAMED_LOSS * 100:g} % to cropping{_of_these(found)}:"
    for crop in found[:MAX_NAMED]:
        yield _named(f"{percent(1 - crop.kept):>7}", crop, terminal)


def _upscaled(crops: Sequence[Crop], terminal: Terminal) -> Iterator[str]:
    from loratpl.plan.cropping import upscaled_most

    found = upscaled_most(crops, NAMED_SCALE)
    if found:
        what = "1 picture is" if len(found) == 1 else f"{number(len(found))} pictures are"
        yield terminal.plain(f"{what} enlarged more than {NAMED_SCALE:g} times{_of_these(found)}:")
    for crop in found[:MAX_NAMED]:
        yield _named(f"{times(crop.scale):>7}", crop, terminal)


def _of_these(found: Sequence[Crop]) -> str:
    return f", the first {MAX_NAMED}" if len(found) > MAX_NAMED else ""


def _named(value: str, crop: Crop, terminal: Terminal) -> str:
    placed = f"{size(crop.view.picture.trained_px)} → {size(crop.view.placement.bucket)}"
    start = terminal.plain(f"{value}  {placed:<25}  ")
    name = shortened(terminal.name(picture_name(crop)), max(terminal.width - width_of(start), 12))
    return start + terminal.plain(name)


def _files(files: Sequence[PlannedFile], removed: int, terminal: Terminal) -> Iterator[str]:
    if len(files) == 1:
        yield "One file will be written:"
    else:
        again = f"; {number(removed)} of them {'is' if removed == 1 else 'are'} removed again" if removed else ""
        yield f"{number(len(files))} files will be written{again}:"
    for what, file in (("first", files[0]), ("last", files[-1]))[len(files) == 1 :]:
        start = f"  {what:<5}  step {number(file.step):<9}  "
        name = terminal.name(shown(file.path.name))
        yield start + terminal.plain(shortened(name, max(terminal.width - len(start), 12)))


def _random_remark(dataset: PlannedDataset) -> str:
    return "`random_crop` moves the part that is kept each time; how much that is stays." * is_cut_at_random(dataset)


def _wrapped(text: str, terminal: Terminal, hanging: int = 0) -> list[str]:
    text = terminal.plain(text)
    return textwrap.wrap(text, terminal.width, subsequent_indent=" " * hanging, break_on_hyphens=False)
