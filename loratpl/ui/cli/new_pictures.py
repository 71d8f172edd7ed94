"""The command line of `new` → the folders that pictures are taken from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loratpl.errors import Problem, UsageError
from loratpl.project import ConceptName

if TYPE_CHECKING:
    from loratpl.dataset.intake.captions import CaptionTemplate
    from loratpl.dataset.intake.sources import Intake


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a new project shall hold.

    Attributes:
        concepts: Its concepts, as named.
        reg_classes: The classes of its regularisation images.
        intake: What is taken in; None where no folder of pictures was named.
    """

    concepts: tuple[ConceptName, ...]
    reg_classes: tuple[ConceptName, ...]
    intake: Intake | None


def wanted(
    path: Path, concepts: Sequence[str], reg_classes: Sequence[str], flat: Path | None, caption: CaptionTemplate | None
) -> Wanted:
    """Returns what the options of `new` ask for, once every folder that they name was looked into.

    Raises:
        UsageError: A `NAME=DIR` names no folder, or a caption is wanted and no pictures are taken.
        ProjectError: There are no pictures in a folder, or the project would lie in it.
    """
    given = [
        (*split_concept(text, option), option == "--reg")
        for option, texts in (("--concept", concepts), ("--reg", reg_classes))
        for text in texts
    ]
    flat_dir = None if flat is None else _flat_folder(flat)
    if flat_dir is None and not any(folder for _, folder, _ in given):
        return _wanted([(ConceptName(name), is_reg) for name, _, is_reg in given], None)
    # Only here: what reads pictures takes its time to import.
    from loratpl.dataset.intake.sources import look_into_sources, named_source

    sources = [named_source(name, folder, is_reg=is_reg) if folder else None for name, folder, is_reg in given]
    intake = look_into_sources(path, [source for source in sources if source], flat_dir, caption)
    named = [
        (source.concept if source else ConceptName(name), is_reg)
        for source, (name, _, is_reg) in zip(sources, given, strict=True)
    ]
    from_flat = [(item.source.concept, False) for item in intake.folders if item.source not in sources]
    return _wanted([*named, *from_flat], intake)


def _wanted(concepts: Sequence[tuple[ConceptName, bool]], intake: Intake | None) -> Wanted:
    return Wanted(
        tuple(concept for concept, is_reg in concepts if not is_reg),
        tuple(concept for concept, is_reg in concepts if is_reg),
        intake,
    )


def _flat_folder(path: Path) -> Path:
    folder = _folder(str(path))
    if folder is None:
        raise _refused(
            f"`--flat {path}`: there is no folder {path}.", "--flat", "Name a folder of folders of pictures."
        )
    return folder


def split_concept(text: str, option: str) -> tuple[str, Path | None]:
    """Returns name and folder of a "NAME=DIR"; a "NAME", or a "NAME=" with nothing behind it, has none.

    Both may hold a "=" of their own: it is the last one behind which there is a folder.

    Raises:
        UsageError: There is a "=" and no folder behind it, or a folder and no name.
    """
    for place in range(len(text) - 1, -1, -1):
        folder = _folder(text[place + 1 :]) if text[place] == "=" else None
        if folder is not None:
            return text[:place], folder
    if text.endswith("="):
        return text[:-1], None
    name, equals, rest = text.partition("=")
    if equals:
        raise _refused(
            f"`{option} {text}`: there is no folder {rest}.",
            option,
            f'Name a folder of pictures. If the "=" is a part of the name, end with another one: `{option} "{text}="`.',
        )
    if any(separator in text for separator in (os.sep, os.altsep) if separator) and _folder(text):
        fix = f'Put the name before it: `{option} "ohwx cat={text}"`.'
        raise _refused(f"`{option} {text}` is a folder without a name for what its pictures show.", option, fix)
    return name, None


def _folder(text: str) -> Path | None:
    """Returns the folder of that name, None where there is none."""
    try:
        # A shell expands "~" at the beginning of a word alone.
        folder = Path(text).expanduser() if text else None
        return folder if folder is not None and folder.is_dir() else None
    except (OSError, RuntimeError, ValueError):  # no name that a file system takes, or nobody's home
        return None


def _refused(message: str, option: str, fix: str) -> UsageError:
    return UsageError(Problem("usage.folder", message, option, fix))
