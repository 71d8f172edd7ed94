"""Picture files, looked at as closely as is asked for: what they are, what is broken, what they show."""

from loratpl.dataset.inspect.contents import FORMAT_OF_SUFFIX
from loratpl.dataset.inspect.inspection import (
    MAX_DECODED_PIXELS,
    MAX_READ_BYTES,
    PIXELS_REFUSED,
    PIXELS_WARNED,
    Impostor,
    Inspection,
    Tier,
)
from loratpl.dataset.inspect.one import inspect_file
from loratpl.dataset.inspect.tree import InspectedFolder, InspectedParent, InspectedTree, inspect_tree
from loratpl.dataset.inspect.work import Progress

__all__ = [
    "FORMAT_OF_SUFFIX",
    "MAX_DECODED_PIXELS",
    "MAX_READ_BYTES",
    "PIXELS_REFUSED",
    "PIXELS_WARNED",
    "Impostor",
    "InspectedFolder",
    "InspectedParent",
    "InspectedTree",
    "Inspection",
    "Progress",
    "Tier",
    "inspect_file",
    "inspect_tree",
]
