"""Which class of regularisation images belongs to which concepts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loratpl.balance.counting import CountedFolder
from loratpl.balance.named import Named, config_keys
from loratpl.balance.weights import refuse_unknown
from loratpl.config.block import BLOCK_KEY, Block
from loratpl.errors import Problem, UsageError
from loratpl.project import ProjectPaths


@dataclass(frozen=True, slots=True)
class Matches:
    """The concepts of each regularisation folder.

    Attributes:
        concepts_of: None of a folder whose class is no concept's.
        problems: Classes that are no concept's, and settings that name no class.
    """

    concepts_of: Mapping[CountedFolder, tuple[CountedFolder, ...]]
    problems: tuple[Problem, ...]


def match_classes(
    project: ProjectPaths,
    training: Sequence[CountedFolder],
    reg: Sequence[CountedFolder],
    block: Block,
    wanted: Sequence[tuple[str, str]],
) -> Matches:
    """Returns which concepts each regularisation folder is for.

    A concept belongs to the longest class that its class tokens end with, word by word and in any case: "ohwx maine
    coon cat" to "coon cat" rather than "cat", and to "oon cat" never. One class alone belongs to all the concepts when
    it is the end of none.

    Args:
        project: Problems name paths from its root.
        training: The concepts.
        reg: The regularisation folders.
        block: Its `concepts.NAME.match` names a concept's class; it wins over the class tokens.
        wanted: (class, concept) of the command line; they win over the config.

    Raises:
        UsageError: The command line names a class or a concept that there is not.
    """
    if not reg and not wanted:
        return Matches({}, ())
    refuse_unknown(training, [concept for _, concept in wanted], "match")
    _refuse_unknown_classes(reg, [name for name, _ in wanted])
    problems = list(_unknown_matches(training, reg, block, [concept for _, concept in wanted]))
    found = concepts_of_classes(training, reg, block, wanted)
    problems += (_unmatched(project, folder) for folder in reg if not found[folder.folder])
    by_folder = {item.folder: item for item in training}
    concepts_of = {folder: tuple(by_folder[path] for path in found[folder.folder]) for folder in reg}
    return Matches(concepts_of, tuple(problems))


def concepts_of_classes(
    training: Sequence[Named], reg: Sequence[Named], block: Block, wanted: Sequence[tuple[str, str]] = ()
) -> dict[Path, tuple[Path, ...]]:
    """Returns the concepts' folders of each regularisation folder; the arguments are those of `match_classes`."""
    concepts_of_class: dict[tuple[str, ...], list[Path]] = {}
    keys = config_keys(training, block.concepts)
    for item in training:
        asked = [name for name, concept in wanted if concept in item.names]
        configured = [match for key in keys[item.folder] if (match := block.concepts[key].match)][:1]
        name = next(iter((*asked[::-1], *(match for match in configured if _is_class(reg, match)))), None)
        if name:
            found = next((words(folder.class_tokens) for folder in reg if _is_called(folder, name)), ())
        else:
            found = _by_words(item, reg)
        if found:
            concepts_of_class.setdefault(found, []).append(item.folder)
    if not concepts_of_class and len({words(folder.class_tokens) for folder in reg}) == 1:
        return {folder.folder: tuple(item.folder for item in training) for folder in reg}
    return {folder.folder: tuple(concepts_of_class.get(words(folder.class_tokens), ())) for folder in reg}


def _unknown_matches(
    training: Sequence[Named], reg: Sequence[Named], block: Block, asked: Sequence[str]
) -> Iterator[Problem]:
    keys = config_keys(training, block.concepts)
    for item in training:
        if any(concept in item.names for concept in asked):
            continue
        key = next((key for key in keys[item.folder] if block.concepts[key].match), None)
        match = block.concepts[key].match if key is not None else None
        if match and not _is_class(reg, match):
            yield _no_such_class(key, match)


def _is_class(reg: Sequence[Named], name: str) -> bool:
    return any(_is_called(folder, name) for folder in reg)


def words(class_tokens: str) -> tuple[str, ...]:
    """Returns the words of class tokens, in one case; underscores and commas part words as blanks do.

    >>> words("ohwx_Maine Coon, cat")
    ('ohwx', 'maine', 'coon', 'cat')
    """
    return tuple(re.split(r"[\s_,]+", unicodedata.normalize("NFC", class_tokens).casefold().strip(" _,")))


def _by_words(item: Named, reg: Sequence[Named]) -> tuple[str, ...]:
    tokens = words(item.class_tokens)
    ends = (words(folder.class_tokens) for folder in reg)
    return max((end for end in ends if any(end) and tokens[-len(end) :] == end), key=len, default=())


def _is_called(folder: Named, name: str) -> bool:
    return name == folder.folder.name or words(name) == words(folder.class_tokens)


def _refuse_unknown_classes(reg: Sequence[CountedFolder], names: Sequence[str]) -> None:
    classes = ", ".join(folder.class_tokens or folder.folder.name for folder in reg) or "none"
    unknown = [
        Problem(
            "usage.match",
            f"There is no class {name!r} of regularisation images.",
            "--match",
            f"The classes are: {classes}. Write it as `--match CLASS=CONCEPT`.",
        )
        for name in names
        if not any(_is_called(folder, name) for folder in reg)
    ]
    if unknown:
        raise UsageError(*unknown)


def _no_such_class(key: str | None, name: str) -> Problem:
    return Problem(
        "config.match.unknown",
        f"The config matches the concept {key!r} to regularisation images of {name!r}, and no folder is called that.",
        f"{BLOCK_KEY}.concepts.{key}.match",
        "Name a class: a folder's name after the number and the underscore.",
        "warning",
    )


def _unmatched(project: ProjectPaths, folder: CountedFolder) -> Problem:
    where = project.relative(folder.folder)
    name = folder.class_tokens or folder.folder.name
    return Problem(
        "plan.balance.match",
        f"{where} keeps its repeats: no concept's class tokens end with {name!r}. The trainer shows its pictures all "
        "the same.",
        where,
        f'Say which concept it belongs to, `--match "{name}=CONCEPT"` or `match` in the config, or move it away.',
        "warning",
    )
