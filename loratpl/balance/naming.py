"""What a concept folder's name says: repeats, class tokens, and the weight of the kohya_ss GUI's balancer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from loratpl.config.block import MAX_WEIGHT, MIN_WEIGHT
from loratpl.dataset.scan import parse_folder_name

# That balancer wants a digit before the point; who writes {.5} means one half all the same.
_WEIGHT = re.compile(r"\{\s*(\d+(?:\.\d*)?|\.\d+)\s*\}[ _]*")

_BRACES = re.compile(r"^(?:\{[^}]*\}[ _]*)+")


@dataclass(frozen=True, slots=True)
class FolderName:
    """A folder's name, read.

    Attributes:
        repeats: The number in front; 0 where there is none and only a weight says that it is a concept.
        class_tokens: What follows it, without a weight.
        weight: The weight in braces; None where the name has none.
    """

    repeats: int
    class_tokens: str
    weight: float | None = None


def read_folder_name(name: str) -> FolderName | str:
    """Returns what a folder's name says, or why the trainer passes the folder over.

    The trainer would pass over `{2.0}10_foo` and would learn `10_{2}foo` under the words "{2}foo"; who writes that
    means a concept called foo, seen twice as often.

    >>> read_folder_name("{2.0}10_foo")
    FolderName(repeats=10, class_tokens='foo', weight=2.0)
    >>> read_folder_name("foo")
    'its name does not start with a number and an underscore'
    """
    front = _WEIGHT.match(name)
    rest = name[front.end() :] if front else name
    parsed = parse_folder_name(rest)
    if parsed is None and front is None:
        return "its name does not start with a number and an underscore"
    repeats, tokens = parsed or (0, rest)
    inner = _WEIGHT.match(tokens)
    weight = front or inner
    if weight is None:
        return FolderName(repeats, tokens) if repeats >= 1 else f"its repeats are {repeats}"
    tokens = tokens[inner.end() :] if inner else tokens
    if (front and inner) or _WEIGHT.match(tokens):
        return "its name holds two weights in braces"
    if not tokens:
        return "its name is a weight and no concept's"
    value = float(weight[1])
    if not MIN_WEIGHT <= value <= MAX_WEIGHT:
        return f"the weight {{{weight[1]}}} in its name is not from {MIN_WEIGHT:g} to {MAX_WEIGHT:g}"
    return FolderName(max(repeats, 0), tokens, value)


def right_name(name: str) -> str:
    """Returns a name under which the trainer would use a folder that it passes over.

    >>> right_name("notes"), right_name("0_x"), right_name("{0}10_foo")
    ('1_notes', '1_x', '1_foo')
    """
    text = _BRACES.sub("", name) or name
    parsed = parse_folder_name(text)
    return f"1_{_BRACES.sub('', parsed[1]) if parsed else text}"
