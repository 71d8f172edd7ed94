"""Why a text is no JSON, in the words of whoever wrote it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from loratpl.config.reading.raw import line_problem
from loratpl.errors import Problem

# A text that is not closed ends with its line, a comment that is not closed with the file.
_PIECE = re.compile(
    r'(?P<text>"(?:[^"\\\n]|\\.)*"?)|(?P<comment>//[^\n]*|#[^\n]*|(?s:/\*.*?(?:\*/|\Z)))|(?P<mark>[^\s"])'
)
_ESCAPE = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}|(?P<bad>))', re.DOTALL)
_TOML_START = re.compile(r"\s*(?:#[^\n]*\n\s*)*(?:\[+[\w.\"' -]+\]+\s*$|[\w.-]+\s*=)", re.MULTILINE)
_YAML_START = re.compile(r"\s*(?:#[^\n]*\n\s*)*(?:---|- |[\w.-]+\s*:(?:\s|$))", re.MULTILINE)
_PYTHON_WORDS = {"True": "true", "False": "false", "None": "null"}
_MEND = "Mend that place; an editor that knows JSON marks it."


@dataclass(frozen=True, slots=True)
class _Fault:
    start: int
    end: int


def syntax_problems(text: str, name: str, error: json.JSONDecodeError) -> list[Problem]:
    """Returns what keeps a text from being JSON: every place of the kind that the parser stumbled over first.

    Args:
        text: The whole file.
        name: The file's name.
        error: Of the parser that refused it.
    """
    other = _other_format(text)
    if other is not None:
        fix = f"Rename the file so that it ends in .{other.lower()}."
        return [line_problem(name, error.lineno, "config.syntax", f"this looks like {other}, not like JSON", fix)]
    comments, commas = _comments_and_commas(text)
    if _is_at(text, error.pos, comments) or _is_at(text, error.pos, commas):
        return [*_comment_problems(text, name, comments), *_comma_problems(text, name, commas)]
    if "escape" in error.msg:
        found = list(_backslash_problems(text, name))
        if found:
            return found
    reason = error.msg.removesuffix(" at")
    if "control character" in reason and text[error.pos : error.pos + 1] in "\r\n":
        reason = "The text is not closed in its line"
    what = f"{name} line {error.lineno}, column {error.colno}: {reason}."
    return [Problem("config.syntax", what, f"{name} line {error.lineno}", _fix(text, error))]


def _comments_and_commas(text: str) -> tuple[list[_Fault], list[_Fault]]:
    comments: list[_Fault] = []
    commas: list[_Fault] = []
    comma: int | None = None
    for piece in _PIECE.finditer(text):
        if piece.lastgroup == "comment":
            comments.append(_Fault(piece.start(), piece.end()))
            continue
        if comma is not None and piece.group() in ("}", "]"):
            commas.append(_Fault(comma, piece.end()))
        comma = piece.start() if piece.group() == "," else None
    return comments, commas


def _is_at(text: str, at: int, faults: Sequence[_Fault]) -> bool:
    """Returns whether the parser stopped at one of the faults, or at the blanks before it."""
    fault = next((fault for fault in faults if at < fault.end), None)
    return fault is not None and (fault.start <= at or not text[at : fault.start].strip())


def _comment_problems(text: str, name: str, faults: Sequence[_Fault]) -> Iterator[Problem]:
    if faults:
        lines = _lines(text, faults)
        reason = f"JSON has no comments; {_listed(lines, 'holds one', 'hold one each')}"
        yield line_problem(
            name,
            lines[0],
            "config.syntax",
            reason,
            "Take them out; or rename the file so that it ends in .yaml, where `#` begins a comment.",
        )


def _comma_problems(text: str, name: str, faults: Sequence[_Fault]) -> Iterator[Problem]:
    if faults:
        lines = _lines(text, faults)
        reason = f"JSON has no comma after the last entry; {_listed(lines, 'ends with one', 'end with one each')}"
        yield line_problem(name, lines[0], "config.syntax", reason, "Take the comma away.")


def _lines(text: str, faults: Sequence[_Fault]) -> list[int]:
    lines, seen_to, line = [], 0, 1
    for fault in faults:
        line += text.count("\n", seen_to, fault.start)
        seen_to = fault.start
        lines.append(line)
    return list(dict.fromkeys(lines))


def _listed(lines: Sequence[int], one: str, many: str) -> str:
    """Returns "line 3 holds one", "lines 3 and 7 hold one each"; of many lines only the first ones."""
    if len(lines) == 1:
        return f"line {lines[0]} {one}"
    shown = [str(line) for line in lines[:8]]
    rest = f"{len(lines) - 8} more" if len(lines) > 8 else shown.pop()
    return f"lines {', '.join(shown)} and {rest} {many}"


def _backslash_problems(text: str, name: str) -> Iterator[Problem]:
    """Yields each text in quotes that holds a backslash which begins no escape."""
    line, seen_to = 1, 0
    for piece in _PIECE.finditer(text):
        if piece.lastgroup != "text" or not any(escape["bad"] is not None for escape in _ESCAPE.finditer(piece[0])):
            continue
        line += text.count("\n", seen_to, piece.start())
        seen_to = piece.start()
        written = piece[0].strip('"')
        reason = f"a single backslash in `{_short(written)}`, where JSON wants two"
        yield line_problem(name, line, "config.syntax", reason, _backslash_fix(written))


def _backslash_fix(written: str) -> str:
    slashes = re.sub(r"\\+", "/", written)
    return f"Write `{_short(slashes)}`, with slashes; a backslash is written twice in JSON, as in `C:\\\\models`."


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"


def _fix(text: str, error: json.JSONDecodeError) -> str:
    line = text.split("\n")[error.lineno - 1]
    if "\\" in line and (
        "control character" in error.msg or "Unterminated" in error.msg or line.rstrip(" \t\r,}]").endswith('\\"')
    ):
        return (
            r"A backslash before the closing quote takes it into the text. In JSON a backslash is written twice: "
            r"`C:\\models\\`; a slash works as well: `C:/models/`."
        )
    if "property name" in error.msg:
        return "Write every key in double quotes, and take the comma after the last entry away."
    word = next((word for word in _PYTHON_WORDS if text.startswith(word, error.pos)), None)
    if word is not None:
        return f"JSON writes `{_PYTHON_WORDS[word]}`, not `{word}`."
    return _MEND


def _other_format(text: str) -> str | None:
    if text.lstrip().startswith("{"):
        return None
    return "TOML" if _TOML_START.match(text) else "YAML" if _YAML_START.match(text) else None
