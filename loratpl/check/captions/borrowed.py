"""Pictures that are trained on another picture's caption, by the trainer's rule for faces cut out of pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from loratpl.check.captions.wording import listed, place
from loratpl.dataset.captions import Caption, ConceptCaptions, Origin, split_name
from loratpl.errors import Problem
from loratpl.project import ProjectPaths

_CROP_PARTS = 4
_CROP_DIGITS = 4  # the trainer's own tool writes x, y, width and height with at least four digits


def borrowed_problems(project: ProjectPaths, captions: ConceptCaptions) -> Iterator[Problem]:
    """Yields captions that were written for other pictures: an error where a path matches the rule by chance."""
    borrowed: dict[tuple[str, bool], list[str]] = defaultdict(list)
    for caption in captions.captions:
        if caption.origin is Origin.FACE_CROP and caption.file is not None and not _is_face_crop(caption):
            borrowed[caption.file.path, _could_be_face_crop(caption)].append(caption.picture.name)
    for (path, could_be), names in borrowed.items():
        where = place(project, captions.concept.folder, names)
        source = project.relative(Path(path))
        message = (
            f"{listed(names)} in {project.relative(captions.concept.folder)} would be trained on the text of {source}: "
            f"without a caption of {'its' if len(names) == 1 else 'their'} own, the trainer cuts the last four parts "
            "between underscores off the path, a rule for faces that were cut out of pictures."
        )
        extension = captions.settings.extension
        fix = f"Write a `{extension}` file for each, or use fewer underscores in the names of files and folders."
        yield Problem("dataset.caption.borrowed", message, where, fix, "warning" if could_be else "error")


def _crop_numbers(caption: Caption) -> list[str]:
    parts = split_name(caption.picture.name)[0].split("_")
    return parts[-_CROP_PARTS:] if len(parts) > _CROP_PARTS else []


def _could_be_face_crop(caption: Caption) -> bool:
    numbers = _crop_numbers(caption)
    return bool(numbers) and all(part.isdecimal() for part in numbers)


def _is_face_crop(caption: Caption) -> bool:
    return _could_be_face_crop(caption) and all(len(part) >= _CROP_DIGITS for part in _crop_numbers(caption))
