"""An estimate as a person reads it."""

from __future__ import annotations

from loratpl.plan.pace.estimate import TimeEstimate


def describe(found: TimeEstimate) -> str:
    """Returns an estimate for a person: "about 1 h 52 min (1 h 40 min to 2 h 10 min), from 3 runs …"."""
    text = (
        f"about {duration(found.seconds)} ({duration(found.low_s)} to {duration(found.high_s)}), from {_origin(found)}"
    )
    left_out = " and ".join(found.left_out)
    return f"{text}; {left_out} not counted" if left_out else text


def _origin(found: TimeEstimate) -> str:
    if found.is_measured:
        return "a short run of these settings just now"
    runs = (
        f"a run on this machine on {found.newest}"
        if found.runs == 1
        else f"{found.runs} runs on this machine, the last on {found.newest}"
    )
    scaled = "" if abs(found.scale - 1) < 0.02 else f", scaled by the pixels of a step (x {found.scale:.3g})"
    same = f"same settings but {', '.join(found.differences)}" if found.differences else "same settings"
    return f"{runs}, {same}{scaled}"


def duration(seconds: float) -> str:
    """Returns a time for a person.

    >>> [duration(seconds) for seconds in (0.4, 59, 119, 599, 600, 6720, 93_600, 7200)]
    ['1 s', '59 s', '1 min 59 s', '9 min 59 s', '10 min', '1 h 52 min', '26 h', '2 h']
    """
    whole = max(round(seconds), 1)
    if whole < 600:
        return _in_two(whole, 60, "min", "s")
    minutes = round(seconds / 60)
    if minutes < 48 * 60:
        return _in_two(minutes, 60, "h", "min")
    return _in_two(round(seconds / 3600), 24, "days", "h")


def _in_two(number: int, of_larger: int, larger: str, smaller: str) -> str:
    count, rest = divmod(number, of_larger)
    words = [f"{count} {larger}"] if count else []
    return " ".join([*words, f"{rest} {smaller}"] if rest else words)
