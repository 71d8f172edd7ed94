"""Names that are good on every system: of the folders that a project starts with, and of what goes into them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from loratpl.errors import Problem, ProjectError

# A folder of a new concept starts with one view per picture and epoch; `balance` changes that.
NEW_CONCEPT_REPEATS = 1
# What Windows refuses, and the halves of characters that stand for bytes which are no Unicode.
UNSAFE_IN_NAMES = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f\ud800-\udfff]')
_NUMBER_BEFORE_NAME = re.compile(r"(\d+)_.")
# What the balancer of kohya_ss reads as a concept's weight.
WEIGHT_BEFORE_NAME = re.compile(r"\{ *[\d.]+ *\}[ _]*")
# Every file system takes 255 bytes; repeats and an underscore come before the name.
_MAX_NAME_BYTES = 240


@dataclass(frozen=True, slots=True)
class ConceptName:
    """The folder of one concept, or of the regularisation images of one class, before it is made."""

    class_tokens: str
    repeats: int = NEW_CONCEPT_REPEATS

    def __post_init__(self) -> None:
        # Composed, as it will be typed in prompts: the names that macOS gives to files are not.
        object.__setattr__(self, "class_tokens", unicodedata.normalize("NFC", self.class_tokens))

    @property
    def folder_name(self) -> str:
        """What the folder is called: the trainer reads the number before the first underscore as the repeats.

        So class tokens that start with digits stay what they are.

        >>> ConceptName("90s_style").folder_name
        '1_90s_style'
        """
        return f"{self.repeats}_{self.class_tokens}"

    @property
    def words(self) -> str:
        """What a caption calls it: the class tokens without a weight before them."""
        weight = WEIGHT_BEFORE_NAME.match(self.class_tokens)
        return self.class_tokens[weight.end() :] if weight else self.class_tokens


def name_key(name: str) -> str:
    r"""Returns what two names share that are one file on some system: macOS composes letters, Windows ignores case.

    >>> name_key("CAFE\u0301") == name_key("café")
    True
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def checked_names(concepts: Iterable[str | ConceptName]) -> tuple[ConceptName, ...]:
    """Returns the concepts, all with names that are good.

    Raises:
        ProjectError: Names that cannot be folders on every system, or that would be one folder; all of them at once.
    """
    found: list[ConceptName] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    for given in concepts:
        concept = given if isinstance(given, ConceptName) else ConceptName(given)
        name = concept.class_tokens
        fault = _fault(name)
        if fault is None and name_key(concept.folder_name) in seen:
            fault = Problem("project.concept.name", f"{name!r} is named twice.", name, "Name each concept once.")
        if fault is not None:
            problems.append(fault)
        seen.add(name_key(concept.folder_name))
        found.append(concept)
    if problems:
        raise ProjectError(*problems)
    return tuple(found)


def doubtful_name(concept: ConceptName) -> Problem | None:
    """Returns what is said of a name that can be read as more than class tokens: a number or a weight before it."""
    if WEIGHT_BEFORE_NAME.match(concept.class_tokens):
        return Problem(
            "project.concept.weight",
            f"{concept.class_tokens!r} starts with a weight, which the trainer would take for a part of the caption.",
            concept.folder_name,
            "`kohyatpl balance` takes it off the folder's name and writes it into the config.",
            "warning",
        )
    number = _NUMBER_BEFORE_NAME.match(concept.class_tokens)
    if number is None:
        return None
    return Problem(
        "project.concept.repeats",
        f"{concept.class_tokens!r} starts with a number; that was taken for a part of the name, not for the repeats.",
        concept.folder_name,
        f"If {number.group(1)} was meant as repeats, rename the folder {concept.folder_name} to "
        f"`{concept.class_tokens}`.",
        "warning",
    )


def _fault(name: str) -> Problem | None:
    if len(name.encode("utf-8", errors="surrogateescape")) > _MAX_NAME_BYTES:
        return Problem(
            "project.concept.name",
            f"{name!r} is too long for a folder: it has more than {_MAX_NAME_BYTES} bytes.",
            name,
            "Shorten it.",
        )
    bad = UNSAFE_IN_NAMES.search(name)
    if not name.strip() or bad or name != name.strip() or name.endswith("."):
        reason = f"holds {bad.group()!r}" if bad else "is empty, or starts or ends with a blank or a full stop"
        return Problem(
            "project.concept.name",
            f"{name!r} cannot be the name of a folder on every system: it {reason}.",
            name,
            'Write the trigger word and the class, for example `--concept "ohwx cat"`.',
        )
    return None
