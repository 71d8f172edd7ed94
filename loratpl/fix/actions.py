"""What a mending consists of: actions, each of one or a few steps on files of one folder. Nothing is touched here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from loratpl.errors import Problem, UsageError

Kind = Literal["picture", "name", "caption", "cache", "junk"]
Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)


class Make(Protocol):
    """Makes the new content of a file out of its old one."""

    def __call__(self, content: bytes, /) -> bytes:
        """Returns the new content.

        Raises:
            CannotMendError: It cannot be made; the file is left as it is.
        """
        ...


class CannotMendError(Exception):
    """A file that is left as it is after all; the message says why."""


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of one file.

    Attributes:
        source: Its name in the folder, None where it is made.
        target: The name that it has afterwards, None where it is taken out.
        make: Makes its new content; None where that stays.
        copied_from: Whose content a file that is made begins with.
        is_cache: Whether the trainer makes it anew by itself.
    """

    source: str | None
    target: str | None
    make: Make | None = None
    copied_from: str | None = None
    is_cache: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that is mended, done as a whole and undone as a whole.

    Attributes:
        folder: Where its files lie.
        kind: What sort of mending it is.
        name: The file that it is about, as it is called now.
        text: One sentence for a person.
        steps: What becomes of which file, in order.
    """

    folder: Path
    kind: Kind
    name: str
    text: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that could be mended only by someone who judges it: left as it is."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class FixOptions:
    """What a mending cannot know by itself.

    Attributes:
        background: What transparent pictures are put onto.
    """

    background: Colour = WHITE


@dataclass(frozen=True, slots=True)
class FixPlan:
    """What will be done, in order, and what is left to the user."""

    actions: tuple[Action, ...]
    left: tuple[LeftOut, ...] = ()

    def as_json(self, root_dir: Path) -> dict[str, Any]:
        """Returns what `--json` shows of it; paths are relative to `root_dir` where they lie in it."""
        return {
            "actions": [
                {
                    "kind": action.kind,
                    "where": relative(root_dir, action.folder / action.name),
                    "text": action.text,
                    "files": [{"from": step.source, "to": step.target} for step in action.steps],
                }
                for action in self.actions
            ],
            "left": [{"where": relative(root_dir, item.path), "text": item.text} for item in self.left],
        }


def relative(root_dir: Path, path: Path) -> str:
    """Returns a path as people are told of it: relative to the project where it lies in it."""
    return path.relative_to(root_dir).as_posix() if path.is_relative_to(root_dir) else str(path)


def parse_colour(text: str) -> Colour:
    """Returns a colour: a name ("white") or "#rrggbb".

    Raises:
        UsageError: It is none.

    >>> parse_colour("#ff0080"), parse_colour("Black")
    ((255, 0, 128), (0, 0, 0))
    """
    from PIL import ImageColor

    try:
        return ImageColor.getrgb(text.strip())[:3]
    except (ValueError, IndexError) as error:
        raise UsageError(
            Problem(
                "usage.colour",
                f"`{text}` is not a colour.",
                "--background",
                "Give a name such as `white`, or `#rrggbb`.",
            )
        ) from error


def colour_text(colour: Colour) -> str:
    """Returns how a colour is called.

    >>> colour_text(WHITE), colour_text((1, 2, 3))
    ('white', '#010203')
    """
    return {WHITE: "white", (0, 0, 0): "black"}.get(colour) or "#{:02x}{:02x}{:02x}".format(*colour)
