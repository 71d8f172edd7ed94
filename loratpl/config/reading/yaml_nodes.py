"""The nodes of a YAML text with their lines, made from the parser's events: nothing of it is ever constructed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from loratpl.config.reading.raw import MAX_DEPTH, line_problem, too_deep
from loratpl.errors import ConfigError, Problem

if TYPE_CHECKING:
    import yaml

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_CORE = "tag:yaml.org,2002:"
_TEXT_TAGS = ("!", f"{_CORE}str")
_BRANCH_TAGS = (None, "!", f"{_CORE}map", f"{_CORE}seq")
_QUOTE = "Put the value in quotes."
_FIXES = (
    ("unknown escape", "Put a path in single quotes, 'C:\\models', or write it with slashes, \"C:/models\"."),
    ("decimal number", "Put a path in single quotes, 'C:\\models', or write it with slashes, \"C:/models\"."),
    ("'\\t'", "Indent with blanks: YAML takes no tabs there."),
    ("mapping values are not allowed", "A text that holds a colon and a blank stands in quotes."),
    ("cannot start any token", _QUOTE),
    ("alphabetic or numeric", "A text that begins with `*` or `&` stands in quotes."),
    ("expected ':'", "Write `key: value`, with a blank after the colon."),
    ("quoted scalar", "Close each text with the quote that it begins with."),
    ("block end", "Indent the keys of one level alike."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value as it is written; `is_text` where quotes or a tag say that it is a text."""

    line: int
    text: str
    is_text: bool


@dataclass(frozen=True, slots=True)
class Branch:
    """A list, or a mapping with its keys and values in turn."""

    line: int
    is_mapping: bool
    items: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Alias:
    """A place where another node is meant."""

    line: int
    target: Scalar | Branch


Node: TypeAlias = "Scalar | Branch | Alias"


def root_of(text: str, name: str) -> Node | None:
    """Returns the root of the one document in a text, None where it holds nothing but comments.

    Raises:
        ConfigError: It is no YAML, has several documents, a tag, an alias of nothing, or is nested without end.
    """
    import yaml  # a tenth of a second that only a YAML config costs

    odd = _UNPRINTABLE.search(text)
    if odd:
        line = text.count("\n", 0, odd.start()) + 1
        reason = f"the character U+{ord(odd[0]):04X}, which YAML takes only as an escape"
        raise ConfigError(line_problem(name, line, "config.syntax", reason, "Take it out."))
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is ten times as fast
    composer = _Composer(name)
    try:
        for event in yaml.parse(text, Loader=loader):
            composer.take(event)
    except yaml.YAMLError as error:
        raise ConfigError(_syntax_problem(text, name, error)) from error
    if composer.problems:
        raise ConfigError(*composer.problems)
    return composer.root


class _Composer:
    def __init__(self, name: str) -> None:
        self.name = name
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._open: list[Branch] = []
        self._anchors: dict[str, Scalar | Branch] = {}
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        """Takes the parser's next event."""
        import yaml

        line = (event.start_mark.line if event.start_mark else 0) + 1
        if isinstance(event, yaml.AliasEvent):
            target = self._anchors.get(event.anchor or "")
            if target is None:
                reason, fix = f"`*{event.anchor}` repeats a value that no `&{event.anchor}` names before it", _QUOTE
                raise ConfigError(line_problem(self.name, line, "config.syntax", reason, fix))
            self._add(Alias(line, target))
        elif isinstance(event, yaml.ScalarEvent):
            self._judge_tag(event.tag, (None, *_TEXT_TAGS), line)
            scalar = Scalar(line, event.value, event.tag in _TEXT_TAGS or not event.implicit[0])
            self._name(event.anchor, scalar)
            self._add(scalar)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._judge_tag(event.tag, _BRANCH_TAGS, line)
            branch = Branch(line, isinstance(event, yaml.MappingStartEvent))
            self._name(event.anchor, branch)
            self._add(branch)
            self._open.append(branch)
            if len(self._open) > MAX_DEPTH:
                raise too_deep(self.name, line)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                reason = "a second document begins here, and a config is one"
                fix = "Take the `---` out, or put the other document into a file of its own."
                raise ConfigError(line_problem(self.name, line, "config.syntax", reason, fix))

    def _add(self, node: Node) -> None:
        if self._open:
            self._open[-1].items.append(node)
        else:
            self.root = node

    def _name(self, anchor: str | None, node: Scalar | Branch) -> None:
        if anchor is not None:
            self._anchors[anchor] = node

    def _judge_tag(self, tag: str | None, known: tuple[str | None, ...], line: int) -> None:
        if tag not in known:
            shown = f"{tag}".replace(_CORE, "!!")
            reason, fix = f"the tag `{shown}` is not read", "Write the value itself, without a tag."
            self.problems.append(line_problem(self.name, line, "config.syntax", reason, fix))


def _syntax_problem(text: str, name: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    reason = " ".join(part for part in (getattr(error, "context", None), getattr(error, "problem", None)) if part)
    reason = reason or str(error).partition("\n")[0]
    fix = next((fix for sign, fix in _FIXES if sign in reason), "Mend that place; an editor that knows YAML marks it.")
    if mark is None:
        return Problem("config.syntax", f"{name}: {reason}.", name, fix)
    rest = text.split("\n")[mark.line][mark.column :] if mark.line <= text.count("\n") else ""
    if rest.startswith("\t"):
        fix = "Indent with blanks: YAML takes no tabs there."
    line = min(mark.line, text.rstrip().count("\n")) + 1  # what is not closed is noticed behind the last line
    place = f"{name} line {line}"
    return Problem("config.syntax", f"{place}, column {mark.column + 1}: {reason}.", place, fix)
