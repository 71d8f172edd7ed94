"""Pages as files: rendered from templates/pages/, written whole or not at all, and never over a file of somebody's."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from loratpl import __version__
from loratpl.errors import Problem, ProjectError, UsageError
from loratpl.resources import TEMPLATES_DIR
from loratpl.ui import plan_words as words

PAGES_DIR = TEMPLATES_DIR / "pages"
GENERATOR = f"kohyatpl {__version__}"
# Stands near the top of each of our pages, of whatever version.
_OURS = re.compile(rb"""<meta name="generator" content="kohyatpl [^"]*">""")
_LOOKED_AT_BYTES = 4096


def rendered(template: str, values: Mapping[str, Any], filters: Mapping[str, Callable[..., str]]) -> str:
    """Returns a page; whatever is put into it is escaped.

    Args:
        template: A file's name in templates/pages/.
        values: What the template names; one that it names and that is missing is an error.
        filters: What it formats values with.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(PAGES_DIR),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    return environment.get_template(template).render(values, generator=GENERATOR)


def common_filters() -> dict[str, Callable[..., str]]:
    """Returns what templates format values with; a number and its unit stay on one line."""
    kept_together = {function.__name__: unbroken(function) for function in (words.number, words.percent, words.size)}
    return {**kept_together, "counted": words.counted, "shown": words.shown}


def unbroken(function: Callable[[Any], str]) -> Callable[[Any], str]:
    """Returns a filter whose text stays on one line."""
    return lambda value: function(value).replace(" ", "\N{NO-BREAK SPACE}")


def refuse_foreign(path: Path, option: str) -> None:
    """Refuses a place that is taken by anything but a page of ours.

    Args:
        path: Where a page shall be.
        option: The command line's, which named it.

    Raises:
        UsageError: Something else is there.
        ProjectError: What is there cannot be looked at.
    """
    try:
        is_taken = os.path.lexists(path) and not _is_replaceable(path)
    except OSError as error:
        raise _not_written(path, option, error) from error
    if is_taken:
        what = "is a folder" if path.is_dir() else "is there already and is no page that kohyatpl wrote"
        raise UsageError(
            Problem(
                "usage.html.exists",
                f"{path} {what}; it is left as it is.",
                option,
                f"Name a new file with `{option}`, or move that one away.",
            )
        )


def write_page(path: Path, text: str, option: str) -> None:
    """Writes a page, all of it or nothing; one of ours that is there is replaced.

    Args:
        path: The file; its folder is made. A link stays one, and what it points to is written.
        text: The page.
        option: The command line's, which named it.

    Raises:
        UsageError: Something else is there.
        ProjectError: It cannot be written.
    """
    refuse_foreign(path, option)
    try:
        target = path.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".kohyatpl-{os.getpid()}.partial")
        try:
            partial.write_text(text, encoding="utf-8", newline="\n")
            partial.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a null character in the name
        raise _not_written(path, option, error) from error


def _is_replaceable(path: Path) -> bool:
    """Whether there is a page of ours, or a link that leads nowhere yet."""
    if not path.exists():
        return True
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return _OURS.search(file.read(_LOOKED_AT_BYTES)) is not None


def _not_written(path: Path, option: str, error: Exception) -> ProjectError:
    reason = (error.strerror if isinstance(error, OSError) else None) or error
    return ProjectError(
        Problem(
            "project.write",
            f"{path} cannot be written: {reason}.",
            str(path),
            f"Make room on the disk, or name a file with `{option}` in a folder that you may write to.",
        )
    )
