"""Files with a picture's name that are no picture; the trainer ends on each of them."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from loratpl.dataset.inspect import Inspection
from loratpl.errors import Problem
from loratpl.project import ProjectPaths

_CODE = "dataset.image.unreadable"
_ENDS = "the trainer would end on it"
_REPLACE = "Replace it, or take it out."
# What each is, and what mends it; `{detail}` is what the inspection says more. Pointers have a rule of their own.
_SAID = MappingProxyType({
    "empty": (f"is empty (0 bytes), not an image; {_ENDS}.", _REPLACE),
    "html": (f"is not an image but an HTML page saved under this name; {_ENDS}.", "Download it again, or take it out."),
    "text": (f"is not an image but text; {_ENDS}.", _REPLACE),
    "zeros": (f"is not an image: it holds nothing but zeros, as a download that broke off; {_ENDS}.", _REPLACE),
    "data": (f"is not an image of any kind that is known; {_ENDS}.", _REPLACE),
    "format": (f"is {{detail}} under another name, which the trainer cannot open; {_ENDS}.",
               "Convert it to png, or take it out."),
    "directory": (f"is a folder with a picture's name; the trainer takes it for a picture, and {_ENDS[12:]}.",
                  "Rename the folder, or move it out of the concept."),
    "special": ("is {detail}, not a file; the trainer would end on it or wait for it for ever.", "Delete it."),
    "broken_link": (f"is a link to {{detail}}, which does not exist; {_ENDS}.",
                    "Bring back what it leads to, or delete it."),
    "link_loop": (f"is a link that leads back to itself; {_ENDS}.", "Delete it."),
    "unreadable": (f"cannot be read ({{detail}}); {_ENDS}.", "Replace it from a copy, or take it out."),
})  # fmt: skip


def impostor_problems(project: ProjectPaths, found: Inspection) -> Iterator[Problem]:
    """Yields an error where a file is no picture that can be opened, Git LFS pointers apart."""
    where = project.relative(found.file_path)
    if found.impostor == "denied":
        message = f"{where} cannot be read: no permission; {_ENDS}."
        yield Problem("dataset.image.permission", message, where, f'`chmod +r "{where}"`, or take it out.')
    elif found.impostor in _SAID:
        said, fix = _SAID[found.impostor]
        yield Problem(_CODE, f"{where} {said.format(detail=found.detail)}", where, fix)
