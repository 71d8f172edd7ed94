r"""Text as Markdown: whatever a person wrote is shown as it is, and nothing of it becomes markup.

Rules: CommonMark 0.31 (https://spec.commonmark.org), and for tables GitHub Flavored Markdown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from loratpl.config.modelspec import one_line

# Each of them begins markup somewhere in a line; "~~", "$" and "@" on sites that know more than CommonMark.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#&|~$!])")
# What begins a list, a heading's underline or a numbered list only where a line begins.
_FIRST = re.compile(r"^([-+=]|\d{1,9}(?=[.)]))")
_TICKS = re.compile(r"`+")


def plain(text: str) -> str:
    r"""Returns a text that stands in a line, a heading or a cell of a table, escaped.

    >>> print(plain("a *b* | <c>"))
    a \*b\* \| \<c\>
    >>> print(plain("- 1"), plain("1. a"))
    \- 1 1\. a
    """
    escaped = _SPECIAL.sub(r"\\\1", one_line(text))
    found = _FIRST.match(escaped)
    if found is None:
        return escaped
    end = found.end()
    return f"\\{escaped}" if not found[1].isdigit() else f"{escaped[:end]}\\{escaped[end:]}"


def code(text: str, *, in_table: bool = False) -> str:
    r"""Returns a text as code in a line.

    >>> code("a"), code("a`b"), code("`"), code("a|b", in_table=True)
    ('`a`', '``a`b``', '`` ` ``', '`a\\|b`')
    """
    text = one_line(text)
    fence = "`" * (max((len(ticks) for ticks in _TICKS.findall(text)), default=0) + 1)
    inner = f" {text} " if text.startswith("`") or text.endswith("`") or not text.strip() else text
    return f"{fence}{inner.replace('|', chr(92) + '|') if in_table else inner}{fence}"


def block(text: str, language: str = "") -> list[str]:
    """Returns the lines of a block of code."""
    fence = "`" * max(3, 1 + max((len(ticks) for ticks in _TICKS.findall(text)), default=0))
    return [f"{fence}{language}", *text.split("\n"), fence]


def picture(description: str, path: str) -> str:
    r"""Returns a picture; its path counts from the card.

    >>> picture("a [cat]", "my samples/1.jpg")
    '![a \\[cat\\]](my%20samples/1.jpg)'
    """
    return f"![{plain(description)}]({link(path)})"


def link(path: str) -> str:
    """Returns a relative path as an address."""
    return quote(path, safe="/-_.~")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Returns the lines of a table, of cells that are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]
