"""Pictures that are there twice: byte for byte, or so alike that they teach nearly the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from loratpl.check.dataset_files.likeness import groups_of_alike
from loratpl.dataset.inspect import InspectedFolder, InspectedTree, Inspection
from loratpl.errors import Problem
from loratpl.project import ProjectPaths

_SHOWN = 5
_Place = tuple[InspectedFolder, Inspection]


def twin_problems(project: ProjectPaths, tree: InspectedTree) -> Iterator[Problem]:
    """Yields a warning for each picture that is there before, and for each group that looks nearly the same."""
    by_hash: dict[str, list[_Place]] = defaultdict(list)
    for folder in tree.folders:
        for found in folder.pictures:
            if found.content_hash and found.is_picture:
                by_hash[found.content_hash].append((folder, found))
    copies: set[str] = set()
    for places in by_hash.values():
        for number, place in enumerate(places[1:], 1):
            copies.add(place[1].path)
            yield _copy(project, place, places[:number])
    for folder in tree.folders:
        once = [found for found in folder.pictures if found.path not in copies and not found.is_blank]
        for group in groups_of_alike(once):
            yield _alike(project, folder, group)


def _copy(project: ProjectPaths, place: _Place, earlier: Sequence[_Place]) -> Problem:
    """Returns what is said of a picture that is there before: in its own folder, if it is there as well."""
    folder, found = place
    in_folder, original = next((other for other in earlier if other[0] is folder), earlier[0])
    where, of = project.relative(found.file_path), project.relative(original.file_path)
    if in_folder is folder:
        harm, fix = "it would be seen twice as often as the others", "Take one of them out."
    elif in_folder.is_reg != folder.is_reg:
        harm = "the class would be taught what only the concept shall learn, and the training works against itself"
        fix = "Take it out of the regularisation images."
    elif folder.is_reg:
        harm, fix = "both classes would be taught by it", "Take one of them out."
    else:
        harm, fix = "two concepts would be taught by it, and mix", "Keep it where it belongs, unless it shows both."
    message = f"{where} is the same picture as {of}: {harm}."
    return Problem("dataset.image.duplicate", message, where, fix, "warning")


def _alike(project: ProjectPaths, folder: InspectedFolder, group: Sequence[Inspection]) -> Problem:
    names = [found.file_path.name for found in group]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    message = f"{', '.join(names[:_SHOWN])}{more} of {project.relative(folder.path)} look nearly the same."
    fix = "Keep the best of them, unless that is how often it shall be seen."
    return Problem("dataset.image.alike", message, project.relative(group[0].file_path), fix, "warning")
