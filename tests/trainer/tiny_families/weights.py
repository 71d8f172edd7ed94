"""Random weights for models that are too small to be anything but tests."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

DEVIATION = 0.02


class _BuiltError(Exception):
    """Carries a model out of the trainer's loader, once it is built and before it is filled."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model


# What stands for a file's tensors: the loader of byT5 renames this one before it looks at any other.
_READ = {"shared.weight": None}


def library(name: str) -> Any:
    """Returns a module of the trainer."""
    return importlib.import_module(f"library.{name}")


def built_by(load: Callable[..., Any], *args: Any, reads_with: str = "load_safetensors") -> Any:
    """Returns the model that one of the trainer's loaders builds, without a file for it to read.

    Args:
        load: The loader.
        args: What it is called with.
        reads_with: The name, in the loader's module, of the function that reads the file.
    """
    import torch

    def stop(model: Any, *_args: Any, **_kwargs: Any) -> None:
        raise _BuiltError(model)

    def read(*_args: Any, **_kwargs: Any) -> dict[str, Any]:
        return dict(_READ)

    with (
        patch.object(importlib.import_module(load.__module__), reads_with, read),
        patch.object(torch.nn.Module, "load_state_dict", stop),
    ):
        try:
            load(*args)
        except _BuiltError as built:
            return built.model
    raise RuntimeError(f"{load.__name__} has built no model")


def random_weights(model: Any, *, dtype: Any = None) -> dict[str, Any]:
    """Returns a tensor for each name of a model, which may be one without memory: norms stay norms."""
    import torch

    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for name, like in model.state_dict().items():
        if not like.is_floating_point():
            tensors[name] = torch.arange(like.numel()).reshape(like.shape).to(like.dtype)
        elif like.dim() < 2 and name.endswith(("weight", "scale", "gamma")):
            tensors[name] = torch.ones(like.shape, dtype=dtype)
        else:
            drawn = torch.randn(like.shape, generator=generator) * DEVIATION
            tensors[name] = drawn.to(dtype or drawn.dtype)
    return tensors


def written(tensors: Mapping[str, Any], path: Path) -> str:
    """Returns the path of the file that the tensors were written to."""
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous().clone() for name, tensor in tensors.items()}, str(path))
    return str(path)


def prefixed(prefix: str, tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the tensors under longer names."""
    return {prefix + name: tensor for name, tensor in tensors.items()}
