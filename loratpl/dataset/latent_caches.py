"""Latent caches beside the pictures, and the sizes that the trainer takes from their names.

Before the trainer opens a picture for its size it looks for a cache, `<stem>_<width>x<height><suffix>`, and believes
the name: whether latents are to be cached or not, and even where the cache is another picture's whose name begins
alike (sd-scripts 48d368fa, `DreamBoothDataset.load_dreambooth_dir` and `LatentsCachingStrategy`).
"""

from __future__ import annotations

import ast
import glob
import os
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

_MAX_HEADER = 10_000


@dataclass(frozen=True, slots=True)
class LatentCache:
    """How a family's latents are cached.

    Attributes:
        suffix: What the names of its caches end with.
        channels: Of its latents.
        stride: Pixels of the picture to one of the latents, in each direction.
        holds_several: Whether one file holds the latents of several resolutions, each under a name of its own.
    """

    suffix: str
    channels: int
    stride: int
    holds_several: bool = True

    def path_of(self, picture: Path, size_px: tuple[int, int]) -> Path:
        """Returns the cache that the trainer reads or writes for a picture of that size."""
        older = picture.with_suffix(".npz")
        if not self.holds_several and older.exists():  # as its first versions wrote them
            return older
        return picture.with_name(f"{picture.stem}_{size_px[0]:04d}x{size_px[1]:04d}{self.suffix}")


_SD = LatentCache("_sd.npz", 4, 8, holds_several=False)
_FLUX = LatentCache("_flux.npz", 16, 8)
# From the strategies of each script (`library/strategy_*.py`).
LATENT_CACHES = MappingProxyType({
    "sd15": _SD,
    "sd2": _SD,
    "sdxl": LatentCache("_sdxl.npz", 4, 8, holds_several=False),
    "sd3": LatentCache("_sd3.npz", 16, 8),
    "flux": _FLUX,
    "chroma": _FLUX,
    "lumina": LatentCache("_lumina.npz", 16, 8),
    "hunyuan-image": LatentCache("_hi.npz", 64, 32),
    "anima": LatentCache("_anima.npz", 16, 8),
})  # fmt: skip


def latent_cache_of(family: str) -> LatentCache:
    """Returns how the latents of a family (`sdxl`) are cached."""
    return LATENT_CACHES[family]


@dataclass(frozen=True, slots=True)
class FoundCache:
    """A cache that the trainer takes for a picture's.

    Attributes:
        path: The cache.
        size_px: (width, height) in its name; None where the name has none, and the trainer ends on it.
    """

    path: Path
    size_px: tuple[int, int] | None


def find_caches(folder: Path, names: Iterable[str], pictures: Sequence[str], suffix: str) -> dict[str, FoundCache]:
    """Returns the cache of each picture that the trainer finds one for, by the picture's file name.

    Args:
        folder: The concept folder.
        names: All that lies in it, in the order of the disk.
        pictures: File names of the pictures in it, sorted.
        suffix: Of the family's caches.
    """
    prefix = os.path.join(folder, "")  # noqa: PTH118 - with a separator at its end
    if glob.has_magic(prefix):  # the trainer does not escape the folder here: brackets in its name are a pattern
        caches = glob.glob(f"{prefix}*{suffix}")  # noqa: PTH207
    else:
        caches = [prefix + name for name in names if name.endswith(suffix) and not name.startswith(".")]
    caches.sort(key=lambda path: path.rsplit("_", maxsplit=2)[0])
    found: dict[str, FoundCache] = {}
    index = 0
    for name in pictures:
        stem = os.path.splitext(prefix + name)[0]  # noqa: PTH122 - a Path for each file costs twice the time
        while index < len(caches) and caches[index][: len(stem)] < stem:
            index += 1
        if index < len(caches) and caches[index][: len(stem)] == stem:
            found[name] = FoundCache(Path(caches[index]), size_in_name(caches[index]))
    return found


def size_in_name(path: str) -> tuple[int, int] | None:
    """Returns the (width, height) that the trainer reads in a cache's name, None where it would end on it.

    >>> size_in_name("10_a/1_0768x0512_sd.npz")
    (768, 512)
    >>> size_in_name("10_a/1_sd.npz") is None
    True
    """
    fields = os.path.splitext(path)[0].split("_")[-2:-1]  # noqa: PTH122 - as the trainer does
    sides = fields[0].split("x") if fields else []
    if len(sides) != 2:
        return None
    try:
        width, height = int(sides[0]), int(sides[1])
    except ValueError:
        return None
    return (width, height) if width > 0 and height > 0 else None


def cached_shapes(path: Path) -> dict[str, tuple[int, ...]] | None:
    """Returns the shape of each array in a cache, None where it cannot be read; the arrays themselves are not."""
    if not path.is_file():  # opening a pipe would wait for ever
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy"): _shape_of(archive, name) for name in archive.namelist()}
    except (OSError, ValueError, SyntaxError, KeyError, TypeError, zipfile.BadZipFile):
        return None


def _shape_of(archive: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    """The .npy format: a magic text, two bytes of version, the header's length, and the header as a Python dict."""
    with archive.open(name) as array:
        start = array.read(8)
        if start[:6] != b"\x93NUMPY":
            raise ValueError(name)
        length = int.from_bytes(array.read(2 if start[6] == 1 else 4), "little")
        shape = ast.literal_eval(array.read(min(length, _MAX_HEADER)).decode("latin-1"))["shape"]
    return tuple(int(side) for side in shape)
