"""Lets torchvision be imported beside a torch that cannot load torchvision's C++ library.

A CPU build of torch next to a CUDA build of torchvision is a common mismatch: torchvision then goes on
without its operators, but the import dies all the same with "operator torchvision::nms does not exist",
because `torchvision._meta_registrations` describes two operators that it never checked for. The trainer
needs torchvision only for its transforms, which are plain torch. Declaring the two schemas is enough, and
calling such an operator still ends in torchvision's own message about incompatible versions.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

SCHEMA_BY_OPERATOR = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}

# torchvision loads its C++ library (`torchvision.extension`) before it imports this module, so this is the
# one moment at which the operators are there or are known to be missing, and nothing has failed yet.
FIRST_MODULE_THAT_NEEDS_THEM = "torchvision._meta_registrations"

# torch takes a schema back when the Library object that declared it is collected.
_kept_alive: list[Any] = []


def declare_missing_operators() -> bool:
    """Returns whether `nms` and `qnms` had to be declared, which is never so on a healthy install.

    To be called when torchvision has tried to load its C++ library and not before: a schema declared ahead
    of that library makes the library's own registration fail.
    """
    import torch

    # `nms` is as old as the C++ library: where it exists, the library was loaded and owns its schemas.
    if hasattr(torch.ops.torchvision, "nms"):
        return False
    # FRAGMENT, because DEF may exist only once in a process for each library name.
    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in SCHEMA_BY_OPERATOR.values():
        library.define(schema)
    _kept_alive.append(library)
    return True


class _OperatorsFirst(MetaPathFinder):
    """Finds nothing itself; declares the operators when torchvision is about to describe them."""

    def find_spec(  # the import machinery says which arguments there are
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Returns None always, so that the ordinary finders go on to find the module."""
        if fullname == FIRST_MODULE_THAT_NEEDS_THEM:
            sys.meta_path.remove(self)
            # Already imported at this point by every torchvision seen so far; then this costs nothing.
            importlib.import_module("torchvision.extension")
            declare_missing_operators()
        return None


def install() -> None:
    """Makes the first `import torchvision` of this process declare what is missing; imports nothing itself."""
    if FIRST_MODULE_THAT_NEEDS_THEM in sys.modules:
        return
    if not any(isinstance(finder, _OperatorsFirst) for finder in sys.meta_path):
        sys.meta_path.insert(0, _OperatorsFirst())
