"""YAML with the line of each key, its plain values read as YAML 1.2 reads them.

YAML 1.1 takes `no` for false, `1:30` for 90 and `1e-4` for a text. Nobody who writes `mixed_precision: no` means
false, so what only 1.1 takes for something else is a text here, and the option's own type decides what it becomes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from loratpl.config.reading.json_file import MAX_DIGITS
from loratpl.config.reading.raw import MAX_DEPTH, KeyPath, Parsed, duplicate_problem, line_problem, too_deep
from loratpl.config.reading.yaml_nodes import Alias, Branch, Node, Scalar, root_of
from loratpl.errors import ConfigError, Problem

# What aliases may stand for in all; a few lines of them can stand for billions ("billion laughs").
MAX_REPEATED = 10_000
_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+")


def _whole(text: str) -> int | float:
    return int(text) if len(text) <= MAX_DIGITS else math.inf  # what is infinite is refused with its key


_NUMBERS: tuple[tuple[re.Pattern[str], Callable[[str], int | float]], ...] = (
    (re.compile(r"[-+]?(?:0|[1-9][0-9]*)"), _whole),
    (re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+"), lambda text: int(text, 0)),
    (re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"), float),
    (re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"), lambda text: float(text.replace(".", ""))),
)


def parse_yaml(text: str, name: str) -> Parsed:
    """Returns what a YAML text says; keys are always texts, as they are written.

    Args:
        text: Without a byte order mark.
        name: The file's name, for problems.

    Raises:
        ConfigError: It is no YAML that a config needs: tags, several documents, a key twice, aliases without end.
    """
    root = root_of(text, name)
    builder = _Builder(name)
    is_blank = root is None or (isinstance(root, Scalar) and not root.text and not root.is_text)
    value = {} if root is None or is_blank else builder.value_of(root, (), 0, is_repeated=False)
    if builder.problems:
        raise ConfigError(*dict.fromkeys(builder.problems))  # an alias repeats the problems of what it stands for
    return Parsed(value, builder.lines)


class _Builder:
    """Turns nodes into values, and notes the line of each key."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[Problem] = []
        self._repeated = 0
        self._within: set[int] = set()  # the mappings and lists that are being built

    def value_of(self, node: Node, path: KeyPath, depth: int, *, is_repeated: bool) -> Any:
        """Returns the value of a node that stands at a path."""
        if depth > MAX_DEPTH:
            raise too_deep(self.name, node.line)
        if isinstance(node, Alias):
            self._refuse_endless(node)
            return self.value_of(node.target, path, depth, is_repeated=True)
        if is_repeated:
            self._count(node)
        if isinstance(node, Scalar):
            return node.text if node.is_text else self._plain(node)
        self._within.add(id(node))
        value = self._branch(node, path, depth, is_repeated=is_repeated)
        self._within.discard(id(node))
        return value

    def _branch(self, node: Branch, path: KeyPath, depth: int, *, is_repeated: bool) -> Any:
        if not node.is_mapping:
            return [self.value_of(item, path, depth + 1, is_repeated=is_repeated) for item in node.items]
        values = {}
        for key, (line, item, from_merge) in self._members(node, path, depth).items():
            self.lines[(*path, key)] = line
            values[key] = self.value_of(item, (*path, key), depth + 1, is_repeated=is_repeated or from_merge)
        return values

    def _members(self, branch: Branch, path: KeyPath, depth: int) -> dict[str, tuple[int, Node, bool]]:
        """Returns line and value of each key; what `<<` takes from other mappings is given way to by own keys."""
        own: dict[str, tuple[int, Node, bool]] = {}
        merged: dict[str, tuple[int, Node, bool]] = {}
        for key, value in zip(branch.items[::2], branch.items[1::2], strict=True):
            scalar = key.target if isinstance(key, Alias) else key
            if not isinstance(scalar, Scalar):
                reason, fix = (
                    "a list or mapping as a key",
                    "A key is a text; a value that begins with { or [ stands in quotes.",
                )
                self._refuse(key.line, "config.syntax", reason, fix)
            elif scalar.text == "<<" and not scalar.is_text:
                for source in self._sources(value, depth):
                    for name, (line, item, _) in self._members(source, path, depth + 1).items():
                        self._count(item)
                        merged.setdefault(name, (line, item, True))
            elif scalar.text in own:
                first = own[scalar.text][0]
                self.problems.append(duplicate_problem(self.name, (*path, scalar.text), first, key.line))
            else:
                own[scalar.text] = (key.line, value, False)
        return {**merged, **own}

    def _sources(self, node: Node, depth: int) -> list[Branch]:
        if depth > MAX_DEPTH:
            raise too_deep(self.name, node.line)
        target = node.target if isinstance(node, Alias) else node
        found = [node] if isinstance(target, Scalar) or target.is_mapping else target.items
        for item in found:
            self._refuse_endless(item)
        targets = [item.target if isinstance(item, Alias) else item for item in found]
        mappings = [item for item in targets if isinstance(item, Branch) and item.is_mapping]
        if len(mappings) < len(targets):
            fix = "Name a mapping that `&` gave a name: `<<: *name`."
            self._refuse(node.line, "config.syntax", "`<<` takes over the keys of a mapping, and this is none", fix)
        return mappings

    def _plain(self, scalar: Scalar) -> Any:
        """Returns the value of what stands without quotes."""
        text = scalar.text
        if text in _WORDS:
            return _WORDS[text]
        if _LEADING_ZERO.fullmatch(text):
            digits = text.replace("_", "").lstrip("+-0") or "0"
            reason = f"`{text[:40]}` is one number to some programs and another to others, since it begins with 0"
            fix = f"Write {digits[:40]} for the number, or put it in quotes for the text."
            return self._refuse(scalar.line, "config.value", reason, fix)
        return next((read(text) for form, read in _NUMBERS if form.fullmatch(text)), text)

    def _refuse_endless(self, node: Node) -> None:
        if isinstance(node, Alias) and id(node.target) in self._within:
            reason, fix = "an alias stands for something that it is a part of", "Write the values themselves."
            raise ConfigError(line_problem(self.name, node.line, "config.nesting", reason, fix))

    def _count(self, node: Node) -> None:
        self._repeated += 1
        if self._repeated > MAX_REPEATED:
            reason = f"the aliases of this file stand for more than {MAX_REPEATED:,} values"
            fix = "Write the values themselves; a config needs no alias."
            raise ConfigError(line_problem(self.name, node.line, "config.nesting", reason, fix))

    def _refuse(self, line: int, code: str, reason: str, fix: str) -> None:
        self.problems.append(line_problem(self.name, line, code, reason, fix))
