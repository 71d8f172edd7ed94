"""The folders that a run was trained on, found again in its project as that is now."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, TypeVar

from loratpl.dataset.scan import parse_folder_name, picture_paths
from loratpl.project import ProjectPaths
from loratpl.records import ConceptRecord
from loratpl.report.story.story import ConceptStory
from loratpl.run.again import re_anchored

# What a page shows of a folder.
MAX_PICTURES = 8

Item = TypeVar("Item")


def concepts_of(
    project: ProjectPaths, concepts: Sequence[ConceptRecord], options: Mapping[str, Any], old_dir: PurePath | None
) -> tuple[ConceptStory, ...]:
    """Returns the folders of a record with what is there of them now.

    Args:
        project: The run's.
        concepts: Those of its record.
        options: Of its config, which may name other folders than the project's own.
        old_dir: Where the project was then.
    """
    stories: dict[int, ConceptStory] = {}
    for is_reg, option, own_dir in (
        (False, "train_data_dir", project.image_dir),
        (True, "reg_data_dir", project.reg_dir),
    ):
        named = options.get(option)
        if isinstance(named, str) and named:
            parent = Path(named if old_dir is None else re_anchored(named, old_dir, project.root_dir.resolve()))
        else:
            parent = own_dir
        wanted = {number: one for number, one in enumerate(concepts) if one.is_reg == is_reg}
        found = _found_again([one.folder for one in wanted.values()], _folders_in(parent))
        for (number, concept), name in zip(wanted.items(), found, strict=True):
            stories[number] = _story(concept, None if name is None else parent / name)
    return tuple(stories[number] for number in sorted(stories))


def spread_over(items: Sequence[Item], count: int) -> tuple[Item, ...]:
    """Returns at most `count` of some items at equal distances, the first and the last among them.

    >>> spread_over(range(10), 4)
    (0, 3, 6, 9)
    >>> spread_over(range(3), 8), spread_over(range(9), 1)
    ((0, 1, 2), (0,))
    """
    if len(items) <= count:
        return tuple(items)
    if count == 1:
        return (items[0],)
    return tuple(items[round(number * (len(items) - 1) / (count - 1))] for number in range(count))


def _found_again(names: Sequence[str], there: Sequence[str]) -> list[str | None]:
    """By its whole name, else by what follows the number: `balance` changes that alone."""
    left = list(there)
    found: dict[int, str] = {}
    for is_same in (str.__eq__, _have_same_tokens):
        for number, name in enumerate(names):
            same = next((other for other in left if is_same(name, other)), None) if number not in found else None
            if same is not None:
                left.remove(same)
                found[number] = same
    return [found.get(number) for number in range(len(names))]


def _have_same_tokens(name: str, other: str) -> bool:
    then, now = parse_folder_name(name), parse_folder_name(other)
    return then is not None and now is not None and then[1] == now[1]


def _folders_in(parent: Path) -> list[str]:
    try:
        with os.scandir(parent) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir())
    except OSError:
        return []


def _story(concept: ConceptRecord, folder: Path | None) -> ConceptStory:
    pictures: tuple[Path, ...] | None = None
    if folder is not None:
        try:
            pictures = tuple(picture_paths(folder))
        except OSError:
            folder = None
    shown = spread_over(pictures or (), MAX_PICTURES)
    return ConceptStory(
        concept.folder,
        concept.images,
        concept.repeats,
        concept.is_reg,
        concept.content_sha256,
        folder,
        tuple(path for path in shown if _is_file(path)),
        None if pictures is None else len(pictures),
    )


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False
