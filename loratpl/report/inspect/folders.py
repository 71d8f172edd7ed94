"""The weights files that a folder stands for."""

from __future__ import annotations

from pathlib import Path

# The first kind that is there counts: beside a safetensors file, those of PyTorch are its older copies or states.
_KINDS = ((".safetensors",), (".ckpt", ".pt", ".pth", ".bin"))


def files_of(path: Path) -> tuple[Path, ...]:
    """Returns the weights files in a folder by name; what is none, or has none, stands for itself."""
    try:
        names = sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []
    except (OSError, ValueError):  # whoever reads it will say what is wrong
        return (path,)
    for suffixes in _KINDS:
        found = tuple(path / name for name in names if name.lower().endswith(suffixes))
        if found:
            return found
    return (path,)
