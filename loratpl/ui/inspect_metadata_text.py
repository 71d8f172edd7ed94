"""What a file says of its making, heading by heading."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from loratpl.report.inspect.words import HEADINGS, PICTURES
from loratpl.ui.columns import shortened
from loratpl.ui.labelled import INDENT, labelled
from loratpl.ui.plan_words import counted, number, shown

if TYPE_CHECKING:
    from loratpl.report.inspect.metadata import Description
    from loratpl.ui.plan_text import Terminal

MAX_TAGS = 20
MAX_ROWS = 24
MAX_BUCKETS = 12
_MAX_VALUE = 400
_MAX_KEY = 200
_FIELD_WIDTH = 26
_TAG_WIDTH = 40

# A label and its text.
_Row = tuple[str, str]


def description_lines(said: Description, peft: Sequence[_Row], terminal: Terminal) -> Iterator[str]:
    """Yields what the metadata says.

    Args:
        said: The metadata, as far as it is understood.
        peft: What PEFT's config beside the file says.
        terminal: Where the lines go.
    """
    for heading in HEADINGS:
        rows = [(field.words, field.text) for field in said.fields if field.heading == heading]
        yield from _section(heading, [*rows, *(_pictures(said) if heading == PICTURES else ())], terminal)
    yield from _section("adapter_config.json beside it", peft, terminal)
    unknown = [(shortened(shown(key[:_MAX_KEY]), _TAG_WIDTH), text) for key, text in said.unknown[:MAX_ROWS]]
    if len(said.unknown) > MAX_ROWS:
        unknown.append(("…", f"and {number(len(said.unknown) - MAX_ROWS)} more; `--json` has them all"))
    yield from _section("Other fields", unknown, terminal)
    if said.off:
        yield ""
        yield from labelled("off or unset", f"{counted(len(said.off), 'setting')}; `--json` has them", terminal.width)


def _section(heading: str, rows: Sequence[_Row], terminal: Terminal) -> Iterator[str]:
    if rows:
        yield from ("", f"{INDENT}{heading}")
    for label, text in rows:
        cut = text if len(text) <= _MAX_VALUE else f"{text[:_MAX_VALUE]}… ({number(len(text))} characters)"
        yield from labelled(label, cut, terminal.width, indent=INDENT * 2, label_width=_FIELD_WIDTH)


def _pictures(said: Description) -> Iterator[_Row]:
    for folder in said.folders[:MAX_ROWS]:
        images = f"{counted(folder.images, 'image')} × {counted(folder.repeats, 'repeat')}"
        yield "regularisation" if folder.is_reg else "concept", f"{folder.name[:_MAX_VALUE]}: {images}"
    if len(said.folders) > MAX_ROWS:
        yield "…", f"and {number(len(said.folders) - MAX_ROWS)} more folders; `--json` has them all"
    if said.buckets:
        largest = sorted(said.buckets, key=lambda bucket: -bucket.images)
        texts = [f"{bucket.width}x{bucket.height} ({number(bucket.images)})" for bucket in largest[:MAX_BUCKETS]]
        more = f" and {number(len(largest) - MAX_BUCKETS)} more" if len(largest) > MAX_BUCKETS else ""
        yield "buckets", ", ".join(texts) + more
    if said.tags:
        texts = [
            f"{shortened(shown(tag[:_MAX_KEY]), _TAG_WIDTH)} {number(count)}" for tag, count in said.tags[:MAX_TAGS]
        ]
        others = len(said.tags) - MAX_TAGS
        yield "tags", ", ".join(texts) + (f"; and {number(others)} others" if others > 0 else "")
    for key in said.faults:
        yield key, "cannot be told in words: it is not what the trainer writes there, or too long"
