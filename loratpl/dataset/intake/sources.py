"""The folders that a new project takes its pictures from: each looked into, refused, or planned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratpl.dataset.intake.captions import CaptionTemplate
from loratpl.dataset.intake.listing import Kind, listing
from loratpl.dataset.intake.planning import FolderIntake, Reason, is_hidden, loose_entries, plan_intake
from loratpl.dataset.scan import parse_folder_name
from loratpl.errors import Problem, raise_errors
from loratpl.project import WEIGHT_BEFORE_NAME, ConceptName

# A folder with a larger number before its name is called after a year, not after repeats.
_MAX_REPEATS_IN_A_NAME = 999


@dataclass(frozen=True, slots=True)
class Source:
    """A folder whose pictures become one concept, or the regularisation images of one class."""

    folder: Path
    concept: ConceptName
    is_reg: bool = False


@dataclass(frozen=True, slots=True)
class SourceIntake:
    """What is taken of a source."""

    source: Source
    files: FolderIntake


@dataclass(frozen=True, slots=True)
class Intake:
    """What a new project takes in.

    Attributes:
        folders: One for each concept that brings pictures.
        left_out: Every file that is not taken, and why.
    """

    folders: tuple[SourceIntake, ...] = ()
    left_out: tuple[tuple[Path, Reason], ...] = ()

    @property
    def renamed(self) -> Iterator[tuple[Path, str]]:
        """The files that have another name in the project, and that name."""
        for item in self.folders:
            for file in item.files.taken:
                if file.name != file.new_name:
                    yield item.source.folder / file.name, file.new_name

    @property
    def copied_bytes(self) -> int:
        """What a copy of all of it takes on the disk."""
        return sum(file.size_bytes for item in self.folders for file in item.files.taken)

    def as_json(self) -> dict[str, Any]:
        """Returns the part of `new --json` that says what became of the files."""
        taken = {item.source.folder / file.name for item in self.folders for file in item.files.taken}
        return {
            "taken": len(taken),
            "captions_written": sum(len(item.files.written) for item in self.folders),
            "left_out": [{"path": str(path), "reason": reason.text} for path, reason in self.left_out],
            "renamed": [{"path": str(path), "new_name": name} for path, name in self.renamed],
        }


def named_source(name: str, folder: Path, *, is_reg: bool) -> Source:
    """Returns the source of a concept whose name was given.

    A folder that is called `<repeats>_<the same name>` already brings its repeats.
    """
    concept, parsed = ConceptName(name), parse_folder_name(folder.resolve().name)
    if parsed is not None:
        same = ConceptName(parsed[1], max(1, parsed[0]))
        concept = same if same.class_tokens == concept.class_tokens else concept
    return Source(folder, concept, is_reg)


def concept_of_folder(name: str) -> ConceptName:
    """Returns the concept that a folder of that name is, by the trainer's rule for the repeats.

    >>> concept_of_folder("10_ohwx cat")
    ConceptName(class_tokens='ohwx cat', repeats=10)
    >>> concept_of_folder("90s_style"), concept_of_folder("2024_car")
    (ConceptName(class_tokens='90s_style', repeats=1), ConceptName(class_tokens='2024_car', repeats=1))
    >>> concept_of_folder("{2.0}10_foo").folder_name
    '10_{2.0}foo'
    """
    # A weight of kohya_ss goes behind the number, where `balance` finds it: the trainer wants the number first.
    found = WEIGHT_BEFORE_NAME.match(name)
    weight, rest = (found.group(), name[found.end() :]) if found else ("", name)
    parsed = parse_folder_name(rest)
    if parsed is None or not parsed[1].strip() or parsed[0] > _MAX_REPEATS_IN_A_NAME:
        return ConceptName(name.strip())
    return ConceptName(weight.strip(" _") + parsed[1].strip(), max(1, parsed[0]))


def look_into_sources(
    root_dir: Path, sources: Sequence[Source], flat_dir: Path | None = None, caption: CaptionTemplate | None = None
) -> Intake:
    """Returns what a new project at `root_dir` would take in; nothing is touched.

    Args:
        root_dir: Where the project shall be.
        sources: The folders that were named, each with its concept.
        flat_dir: A folder of which each sub-folder is a concept.
        caption: For the concepts' pictures that have none; regularisation images are left to their class.

    Raises:
        ProjectError: With everything that is wrong with the folders.
    """
    folders = [*(source.folder for source in sources), *([flat_dir] if flat_dir else [])]
    raise_errors(_overlaps(root_dir, folders))
    found = [_planned(source, caption) for source in sources]
    problems = [_empty(item) for item in found if not item.files.picture_count]
    left_out = [(item.source.folder / entry.name, entry.reason) for item in found for entry in item.files.left_out]
    if flat_dir:
        flat, flat_left_out = _look_into_flat(flat_dir, caption)
        raise_errors(_overlaps(root_dir, [item.source.folder for item in flat]))
        if not flat:
            problems.append(_no_concepts(flat_dir, flat_left_out))
        found += flat
        left_out += flat_left_out
    raise_errors(problems)
    return Intake(tuple(found), tuple(left_out))


def _planned(source: Source, caption: CaptionTemplate | None) -> SourceIntake:
    wanted = None if source.is_reg else caption
    files = plan_intake(listing(source.folder), class_tokens=source.concept.words, caption=wanted)
    return SourceIntake(source, files)


def _look_into_flat(
    flat_dir: Path, caption: CaptionTemplate | None
) -> tuple[list[SourceIntake], list[tuple[Path, Reason]]]:
    entries = listing(flat_dir)
    left_out = [(flat_dir / item.name, item.reason) for item in loose_entries(entries)]
    found = []
    for entry in entries:
        folder = flat_dir / entry.name
        if entry.kind is not Kind.FOLDER or is_hidden(entry.name):
            continue
        item = _planned(Source(folder, concept_of_folder(entry.name)), caption)
        if item.files.picture_count:
            found.append(item)
        elif not item.files.left_out:
            left_out.append((folder, Reason.NO_PICTURE))
        left_out += [(folder / file.name, file.reason) for file in item.files.left_out]
    return found, sorted(left_out, key=lambda item: item[0])


def _overlaps(root_dir: Path, folders: Iterable[Path]) -> Iterator[Problem]:
    root = root_dir.resolve()
    for folder in folders:
        source = folder.resolve()
        if root == source or source in root.parents or root in source.parents:
            yield Problem(
                "dataset.source.overlap",
                f"The project {root_dir} and the folder of pictures {folder} lie in one another; what pictures are "
                "taken from is never changed.",
                str(folder),
                "Name a place for the project that is outside of it.",
            )


def _empty(item: SourceIntake) -> Problem:
    folder = item.source.folder
    fix = "Name a folder that holds pictures (png, jpg, jpeg, webp, bmp) itself."
    if any(entry.reason is Reason.FOLDER for entry in item.files.left_out):
        fix = f'If its sub-folders hold them, name one of those, or take each for a concept: `--flat "{folder}"`.'
    reasons = counted_reasons(entry.reason for entry in item.files.left_out)
    message = f"{folder} holds no picture that can be taken{f': {reasons}' if reasons else ''}."
    return Problem("dataset.source.empty", message, str(folder), fix)


def _no_concepts(flat_dir: Path, left_out: Sequence[tuple[Path, Reason]]) -> Problem:
    reasons = counted_reasons(reason for _, reason in left_out)
    fix = "Name the folder whose sub-folders hold the pictures; a tree of kohya_ss becomes a project with `--adopt`."
    if any(reason is Reason.LOOSE for _, reason in left_out):
        fix = f'If it is one concept itself, name that: `--concept "ohwx cat={flat_dir}"`.'
    return Problem(
        "dataset.source.empty",
        f"No sub-folder of {flat_dir} holds a picture that can be taken{f': {reasons}' if reasons else ''}.",
        str(flat_dir),
        fix,
    )


def counted_reasons(reasons: Iterable[Reason]) -> str:
    """Returns the reasons with their counts, the most frequent first."""
    return ", ".join(f"{count} {reason.text}" for reason, count in Counter(reasons).most_common())
