"""Puts off the import of packages that a training may never use until something is asked of them.

diffusers imports bitsandbytes as soon as it is installed, and bitsandbytes imports torch's compiler: more than a second
at every start, while only the 8-bit optimisers need it. So the module is there from the start, and runs at the first
access to what it defines; whoever uses it sees no difference. `importlib.util.LazyLoader` would do the same but for one
thing: it runs the module as soon as somebody asks whether it can be found, which diffusers and transformers do.
"""

from __future__ import annotations

import importlib.machinery
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

PUT_OFF = ("bitsandbytes",)


class _PutOffModule(ModuleType):
    """A package that has not run yet; it knows its name and spec, anything else makes it run."""

    def __getattr__(self, name: str) -> Any:
        """Runs the package, then returns the attribute; called only for what is not there yet."""
        spec = self.__spec__
        if spec is None or not isinstance(spec.loader, _PutOffLoader):
            raise AttributeError(name)
        spec.loader = spec.loader.real
        self.__class__ = ModuleType  # type: ignore[assignment]  # from here on an ordinary module
        self.__loader__ = spec.loader
        self.__path__ = list(spec.submodule_search_locations or ())
        spec.loader.exec_module(self)
        return getattr(self, name)


class _PutOffLoader(Loader):
    """Makes such modules; keeps the loader that will run them."""

    def __init__(self, real: Loader) -> None:
        self.real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Returns an ordinary module: the import system looks at its attributes before it runs it."""
        return ModuleType(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Runs nothing: the module waits from now on, and has no search path, so that a submodule runs it first."""
        del module.__path__
        module.__class__ = _PutOffModule


class _PutOffFinder(MetaPathFinder):
    """Finds the named packages as the path finder does, with a loader that waits."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Returns the spec of a package that is to be put off, None for every other name."""
        if fullname not in PUT_OFF:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _PutOffLoader(spec.loader)
        return spec


def install() -> None:
    """Makes the first import of each of these packages a waiting one; imports nothing itself."""
    sys.meta_path.insert(0, _PutOffFinder())
