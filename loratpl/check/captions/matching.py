"""Pictures and caption files that do not find each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loratpl.check.captions.borrowed import borrowed_problems
from loratpl.check.captions.extension import extension_problems
from loratpl.check.captions.matches import Matches, find_matches
from loratpl.check.captions.wording import counted, listed, place
from loratpl.config.settings import Settings
from loratpl.dataset.captions import ConceptCaptions, split_name
from loratpl.errors import Problem, Severity
from loratpl.project import ProjectPaths

_MOST = 0.5


def matching_problems(
    project: ProjectPaths, settings: Settings, captions: Sequence[ConceptCaptions]
) -> Iterator[Problem]:
    """Yields what keeps a caption from its picture: an error where that leaves none in use."""
    matches = [find_matches(concept) for concept in captions]
    yield from extension_problems(project, settings, matches)
    pictures = sum(len(concept.captions) for concept in captions)
    misnamed = sum(len(item.misnamed) for item in matches)
    is_all = misnamed >= pictures * _MOST and not any(item.has_own for item in matches)
    others_have = any(item.has_own for item in matches if not item.captions.concept.is_reg)
    for item in matches:
        yield from _name_problems(project, item, is_all=is_all)
        yield from _missing_problems(project, item, others_have=others_have and not item.captions.concept.is_reg)
        yield from borrowed_problems(project, item.captions)


def _name_problems(project: ProjectPaths, item: Matches, *, is_all: bool) -> Iterator[Problem]:
    folder = item.captions.concept.folder
    if item.misnamed:
        names = [name for name, _ in item.misnamed]
        name, right_name = item.misnamed[0]
        are = "is" if len(names) == 1 else "are"
        message = (
            f"{listed(names)} in {project.relative(folder)} {are} not used: the trainer looks for `{right_name}`, to "
            "the letter."
        )
        others = " and the others alike" if len(names) > 1 else ""
        fix = f"Rename `{name}` to `{right_name}`{others}."
        severity: Severity = "error" if is_all else "warning"
        yield Problem("dataset.caption.name", message, place(project, folder, names), fix, severity)
    for caption in item.captions.captions:
        if caption.obstacle:
            name = split_name(caption.picture.name)[0] + item.captions.settings.extension
            where = project.relative(folder / name)
            message = f"{where} is {caption.obstacle}, which the trainer passes over: it is no caption for the picture."
            yield Problem("dataset.caption.no_file", message, where, "Put a caption file in its place.", "warning")
    if item.orphans:
        where = place(project, folder, item.orphans)
        one = len(item.orphans) == 1
        message = (
            f"{counted(len(item.orphans), 'caption')} of {project.relative(folder)} {'belongs' if one else 'belong'} "
            f"to no picture and {'is' if one else 'are'} not used: {listed(item.orphans)}."
        )
        fix = f"Put the {'picture' if one else 'pictures'} back, or delete {'the file' if one else 'the files'}."
        yield Problem("dataset.caption.orphan", message, where, fix, "warning")


def _missing_problems(project: ProjectPaths, item: Matches, *, others_have: bool) -> Iterator[Problem]:
    """A project without any caption is as it should be: the folders' names are its captions."""
    concept = item.captions.concept
    missing = item.missing
    if not missing or (concept.class_tokens and not item.has_own and not others_have):
        return
    folder = project.relative(concept.folder)
    where = place(project, concept.folder, missing)
    if len(missing) == len(concept.pictures):
        subject = f"{folder} has no captions"
    else:
        verb = "has" if len(missing) == 1 else "have"
        subject = f"{len(missing)} of {len(concept.pictures)} pictures of {folder} {verb} no caption: {listed(missing)}"
    them = "It" if len(missing) == 1 else "They"
    if concept.class_tokens:
        end = f"{them} would be trained on the folder's name, `{concept.class_tokens}`."
        fix = f"Write a `{item.captions.settings.extension}` file for each, if the other captions are meant to be used."
    else:
        end = f"{them} would be trained on an empty caption, since the folder's name says nothing after its number."
        fix = "Give the folder a name, such as `10_ohwx cat`, or write captions."
    yield Problem("dataset.caption.missing", f"{subject}. {end}", where, fix, "warning")
