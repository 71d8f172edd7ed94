"""The panel of a live run: as many rows whatever happens, each within its width, whatever a name is made of."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from loratpl.run.gauges import Reading
from loratpl.ui.columns import shortened, visible, width_of
from loratpl.ui.run_view import RunView, Saved

MAX_WIDTH = 110
# With less than this the frame would be most of what is there.
MIN_FRAME_WIDTH, MIN_FRAME_HEIGHT = 24, 6
MIN_NAME_WIDTH = 12
LABEL_WIDTH = 11
SEPARATOR = "  "
AVERAGE_WIDTH = len("average 1.00e-04")
MIN_FILL, MAX_BAR, MAX_TREND = 5, 40, 32
# Joiners and selectors within emoji: terminals do not agree on how wide what they make is.
_WITHOUT_JOINERS = dict.fromkeys((0x200D, 0xFE0E, 0xFE0F))


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What the panel is drawn with."""

    corners: str
    line: str
    side: str
    done: str
    open: str
    trend: str
    ellipsis: str


FULL = Glyphs("╭╮╰╯", "─", "│", "━", "─", "▁▂▃▄▅▆▇█", "…")
ASCII = Glyphs("++++", "-", "|", "#", ".", "", "~")


def glyphs_for(encoding: str | None) -> Glyphs:
    """Returns what a stream of that encoding can show.

    >>> glyphs_for("utf-8") is FULL, glyphs_for("cp1252") is ASCII
    (True, True)
    """
    try:
        f"{FULL.corners}{FULL.line}{FULL.side}{FULL.done}{FULL.trend}{FULL.ellipsis}".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return FULL


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a row; styles are "", "dim", "bold", "good", "warn" and "bad"."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the panel.

    Attributes:
        spans: From the left border on, without the right one.
        edge: The right border, which stands in the panel's last column.
    """

    spans: tuple[Span, ...]
    edge: str = ""

    def text(self, width: int) -> str:
        """Returns the row as plain text of that many columns."""
        text = "".join(span.text for span in self.spans)
        return text + " " * (width - len(self.edge) - width_of(text)) + self.edge if self.edge else text


def panel(
    view: RunView, reading: Reading, now: float, *, width: int, height: int = 100, glyphs: Glyphs = FULL
) -> tuple[Row, ...]:
    """Returns the panel of a run.

    Args:
        view: The run.
        reading: What it takes of the machine.
        now: Unix time.
        width: Columns that the panel fills.
        height: Rows that it may fill; the least important ones are left out first.
        glyphs: What it is drawn with.
    """
    content = _Content(view, reading, now, glyphs)
    if width < MIN_FRAME_WIDTH or height < MIN_FRAME_HEIGHT:
        return (Row((Span(_fitted(_clean(content.one_line(), glyphs), max(1, width), glyphs)),)),)
    inner = width - 4
    rows = content.rows(inner)
    while len(rows) > height - 2:
        rows.remove(max(rows, key=lambda row: row.rank))
    return (
        _top(_clean(view.run_id, glyphs), width, glyphs),
        *(Row((Span(f"{glyphs.side} ", "dim"), *row.spans(inner)), glyphs.side) for row in rows),
        Row((Span(glyphs.corners[2] + glyphs.line * (width - 2), "dim"),), glyphs.corners[3]),
    )


def _top(title: str, width: int, glyphs: Glyphs) -> Row:
    title = _fitted(title, width - 6, glyphs)
    title = f" {title} " if title else ""
    rest = glyphs.line * (width - 3 - _columns_of(title))
    begin = Span(f"{glyphs.corners[0]}{glyphs.line}", "dim")
    return Row((begin, Span(title, "bold"), Span(rest, "dim")), glyphs.corners[1])


@dataclass(frozen=True, slots=True)
class _Line:
    """A label and its fields; a field that does not fit any more is left out with all that come after it.

    `rank` says how dispensable the line is, 0 being the last to go.
    """

    label: str
    fields: Sequence[Span]
    rank: int

    def spans(self, inner: int) -> Iterator[Span]:
        """Yields what fits into so many columns."""
        yield Span(self.label.ljust(LABEL_WIDTH), "dim")
        room = inner - LABEL_WIDTH
        separator = ""
        for field in self.fields:
            room -= len(separator) + _columns_of(field.text)
            if room < 0:
                return
            yield Span(separator + field.text, field.style)
            separator = SEPARATOR


class _Content:
    """The rows' words for one moment."""

    def __init__(self, view: RunView, reading: Reading, now: float, glyphs: Glyphs) -> None:
        self._view, self._reading, self._now, self._glyphs = view, reading, now, glyphs

    def one_line(self) -> str:
        """Returns the most important of it in one line."""
        loss = _loss(self._view.average_loss) if self._view.step else ""
        return " ".join(word for word in (self._steps(), loss, self._view.phase) if word)

    def rows(self, inner: int) -> list[_Line]:
        """Returns the rows, always as many."""
        room = inner - LABEL_WIDTH
        return [
            _Line("phase", self._phase(room), 0),
            _Line("step", self._progress(room), 0),
            _Line("epoch", (Span(self._epoch()),), 5),
            _Line("loss", self._loss(room), 1),
            _Line("time", self._time(), 2),
            _Line(*self._machine(), 4),
            _Line("checkpoint", self._saved(self._view.checkpoint, room), 6),
            _Line("state", self._saved(self._view.state, room), 7),
            _Line("problems", self._problems(room), 3),
        ]

    def _short(self, text: str, width: int) -> str:
        return _fitted(_clean(text, self._glyphs), max(1, width), self._glyphs)

    def _phase(self, room: int) -> list[Span]:
        view = self._view
        name = Span(self._short(view.phase or "beginning", room), "bold")
        if view.phase_begins_at is None:
            return [name]
        return [name, Span(f"for {duration(self._now - view.phase_begins_at)}", "dim")]

    def _steps(self) -> str:
        if self._view.total is None:
            return f"{self._view.step:,}"
        total = f"{self._view.total:,}"
        return f"{self._view.step:,}".rjust(len(total)) + f"/{total}"

    def _progress(self, room: int) -> list[Span]:
        steps = self._steps()
        if not self._view.total:
            return [Span(steps)]
        share = min(1.0, self._view.step / self._view.total)
        percent = f"{int(100 * share):3d} %"
        size = min(MAX_BAR, room - len(steps) - len(percent) - 2 * len(SEPARATOR))
        if size < MIN_FILL:
            return [Span(steps), Span(percent)]
        done = self._glyphs.done * int(size * share)
        return [Span(steps), Span(done + self._glyphs.open * (size - len(done)), "good"), Span(percent)]

    def _epoch(self) -> str:
        epoch, epochs = self._view.epoch, self._view.epochs
        if epoch is None:
            return "-"
        return f"{epoch:,}" if epochs is None else f"{epoch:,}/{epochs:,}"

    def _loss(self, room: int) -> list[Span]:
        view = self._view
        if view.step <= view.first_step:
            return [Span("-")]
        now = Span(f"{_loss(view.loss):<8}", "bad" if view.loss is None else "")
        average = f"average {_loss(view.average_loss)}"
        size = min(MAX_TREND, room - len(now.text) - AVERAGE_WIDTH - 2 * len(SEPARATOR))
        trend = sparkline(view.trend.points(size), self._glyphs.trend) if size >= MIN_FILL else ""
        return [now, Span(average.ljust(AVERAGE_WIDTH)), Span(trend, "good")] if trend else [now, Span(average)]

    def _time(self) -> list[Span]:
        view = self._view
        pace = view.pace.seconds_per_step
        elapsed = Span(f"elapsed {duration(self._now - view.begins_at)}" if view.begins_at is not None else "-")
        if pace is None or view.total is None or view.stepped_at is None:
            return [elapsed]
        since = min(pace, max(0.0, self._now - view.stepped_at))
        left = max(0.0, (view.total - view.step) * pace - since)
        return [Span(f"left {duration(left)}", "bold"), elapsed, Span(rate(pace))]

    def _machine(self) -> tuple[str, list[Span]]:
        reading = self._reading
        if reading.gpus and reading.gpu_used_bytes is not None and reading.gpu_total_bytes is not None:
            used, total = reading.gpu_used_bytes / 1e9, reading.gpu_total_bytes / 1e9
            memory = Span(f"{used:.1f} of {total:.1f} GB")
            busy = [] if reading.gpu_busy_percent is None else [Span(f"{reading.gpu_busy_percent:3d} % busy")]
            return "GPU" if reading.gpus == 1 else f"{reading.gpus} GPUs", [memory, *busy]
        if reading.ram_bytes is None:
            return "memory", [Span("-")]
        return "memory", [Span(f"{reading.ram_bytes / 1e9:.1f} GB")]

    def _saved(self, saved: Saved | None, room: int) -> list[Span]:
        if saved is None:
            return [Span("none yet", "dim")]
        if saved.error:
            return [Span(self._short(f"not saved after step {saved.step:,}: {saved.error}", room), "bad")]
        after = Span(f"step {saved.step:,}")
        ago = Span(f"{duration(self._now - saved.time)} ago", "dim")
        if saved is self._view.state:  # its folder is named by the step
            return [after, ago]
        rest = room - len(after.text) - len(ago.text) - 2 * len(SEPARATOR)
        if rest >= MIN_NAME_WIDTH:
            return [Span(self._short(saved.name, rest)), after, ago]
        return [after, ago]

    def _problems(self, room: int) -> list[Span]:
        view = self._view
        if not view.problems:
            return [Span("none", "dim")]
        count = f"{view.problems:,}"
        rest = room - len(count) - len(SEPARATOR)
        last = [Span(self._short(view.last_problem, rest), "warn")] if rest >= MIN_NAME_WIDTH else []
        return [Span(count, "warn"), *last]


@functools.lru_cache(maxsize=256)
def _fitted(text: str, width: int, glyphs: Glyphs) -> str:
    """A panel shows the same names many times a second: what is not ASCII takes long to measure."""
    return shortened(text, width).replace("…", glyphs.ellipsis)


@functools.lru_cache(maxsize=256)
def _clean(text: str, glyphs: Glyphs) -> str:
    """A text that takes as many columns as it seems to."""
    text = visible(text).translate(_WITHOUT_JOINERS)
    return text.encode("ascii", "backslashreplace").decode() if glyphs is ASCII else text


@functools.lru_cache(maxsize=256)
def _columns_of(text: str) -> int:
    return width_of(text)


def sparkline(values: Sequence[float], levels: str) -> str:
    """Returns the course of numbers as one character each, the lowest of `levels` for the least.

    >>> sparkline([0.1, 0.3, 0.2], "▁▂▃▄▅▆▇█"), sparkline([1.0, 1.0], "▁▂▃"), sparkline([1.0], "")
    ('▁█▅', '▁▁', '')
    """
    if not values or not levels:
        return ""
    low, high = min(values), max(values)
    scale = (len(levels) - 1) / (high - low) if high > low else 0.0
    return "".join(levels[round((value - low) * scale)] for value in values)


def duration(seconds: float) -> str:
    """Returns a time as a clock has it.

    >>> duration(75), duration(3675), duration(90061)
    ('1:15', '1:01:15', '1 d 1:01:01')
    """
    whole = max(0, int(seconds))
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, second = divmod(rest, 60)
    if days:
        return f"{days} d {hours}:{minutes:02}:{second:02}"
    return f"{hours}:{minutes:02}:{second:02}" if hours else f"{minutes}:{second:02}"


def rate(seconds_per_step: float) -> str:
    """Returns a pace as the trainer's bar has it.

    >>> rate(0.25), rate(4.0)
    ('4.00 it/s', '4.00 s/it')
    """
    if seconds_per_step <= 0:
        return "-"
    return f"{seconds_per_step:.2f} s/it" if seconds_per_step > 1 else f"{1 / seconds_per_step:.2f} it/s"


def _loss(value: float | None) -> str:
    if value is None:
        return "nan"
    return f"{value:.4f}" if 0.001 <= value < 1000 or value == 0 else f"{value:.2e}"
