"""What is wrong with the picture files: each by itself, where they lie, and what they are to each other.

Facts: sd-scripts 48d368fa, `glob_images`, `load_image` and `DreamBoothDataset`; seen in real trainings.
One problem for each file, of one code for each kind of fault, so that thousands can be shown in groups.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import filterfalse

from loratpl.check.dataset_files.appearance import appearance_problems
from loratpl.check.dataset_files.damage import damage_problems
from loratpl.check.dataset_files.impostors import impostor_problems
from loratpl.check.dataset_files.lfs import is_pointer, lfs_problems
from loratpl.check.dataset_files.names import left_out_problems, long_name_problems
from loratpl.check.dataset_files.places import place_problems
from loratpl.check.dataset_files.stems import stem_problems
from loratpl.check.dataset_files.twins import twin_problems
from loratpl.config.settings import Settings
from loratpl.dataset.inspect import FORMAT_OF_SUFFIX, MAX_READ_BYTES, PIXELS_WARNED, InspectedTree, Inspection
from loratpl.errors import Problem
from loratpl.project import ProjectPaths

__all__ = ["dataset_file_problems", "is_pointer", "lfs_problems"]


def dataset_file_problems(project: ProjectPaths, settings: Settings, tree: InspectedTree) -> Iterator[Problem]:
    """Yields everything that is wrong with the picture files of a dataset; warnings among them.

    Args:
        project: For naming places.
        settings: Which captions and caches lie beside the pictures, and whether alpha is used.
        tree: As inspected.
    """
    pictures = tuple(tree.pictures)
    yield from place_problems(project, tree)
    yield from lfs_problems(project, [found.file_path for found in pictures if is_pointer(found)])
    for found in filterfalse(_is_ordinary, pictures):
        yield from impostor_problems(project, found)
        yield from damage_problems(project, found)
        yield from appearance_problems(project, found, uses_alpha=bool(settings["alpha_mask"]))
    for folder in tree.folders:
        yield from left_out_problems(project, folder)
        yield from long_name_problems(project, settings, folder)
        yield from stem_problems(project, settings, folder)
    yield from twin_problems(project, tree)


def _is_ordinary(found: Inspection) -> bool:
    """Returns whether nothing in a picture is of interest to any rule: of a hundred thousand, nearly all are so."""
    return (
        FORMAT_OF_SUFFIX.get(found.path[found.path.rfind(".") :].lower()) == found.format
        and not found.damage
        and found.width_px * found.height_px <= PIXELS_WARNED
        and found.size_bytes <= MAX_READ_BYTES
        and found.orientation == found.frames == 1
        and found.bit_depth <= 8
        and found.mode != "CMYK"
        and not (found.profile or found.transparent_share or found.is_blank)
    )
