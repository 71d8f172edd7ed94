"""Random projects for the comparison of the plan with the trainer: odd folders, odd files and odd settings.

Each is made from its seed alone. Pictures are headers without pixels: nothing that plans ever looks further.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratpl.config.families import FAMILIES
from loratpl.project import ProjectPaths
from tests.trainer.picture_headers import NO_PICTURES, WRITERS, png
from tests.trainer.random_settings import random_block, random_options

ROOT_NAMES = ("project", "it's [a] 日本 project", "x_1_2_3_4", "a*b?", "[p]")
# (share of all folders, names); `{}` becomes a letter of the folder's own, so that no two are the same.
TRAINED_NAMES = (
    "10_{} cat", "3_{}", "1_{} dog", "+3_{}", "0010_{}", " 2_{}", "２_{}", "٣_{}", "1_0_{}k", "2__dbl{}", "4_[{}]",
    "1_{}*", "2_{}?", "1_it's {}", "2_{} 😀", "1_ñ{}", "5_{}_x_y", "1_512x768_{}", "1_-{}",
)  # fmt: skip
NUMBER_ALONE = ("7", "12", "1_", "2_")
QUOTED_NAMES = ('1_"{}"', "2_'{}'")  # the trainer's reader of TOML files stumbles over some of these
IGNORED_NAMES = ("0_{}", "-1_{}", "1e2_{}", "_{}", "10-{}", "3.0_{}", "{} cat", ".5_{}", ".hidden{}", "x10_{}")
EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
STEMS = (
    "a", "a1", "a10", "a1_b", "a_2", "b", "b b", "B", "z9", "ä", "画像", "c.d", "c", "_lead", "a_0768x0512", "[x]",
    "x*", "😀", "it's", "0001", "0002", "0010", "e_1_2_3_4",
)  # fmt: skip
SIZES = ((512, 512), (768, 512), (512, 768), (640, 448), (1024, 1024), (300, 300), (1000, 667), (1920, 1080))
EXTREME_SIZES = ((1, 1), (63, 64), (64, 63), (4000, 30), (30, 4000), (1, 900), (900, 1), (4000, 3000), (65, 64))


@dataclass(frozen=True)
class RandomProject:
    """A project, and what its config says.

    Attributes:
        seed: What it was made from.
        paths: Of the project.
        family: Of base models.
        options: Of the trainer; what is unset is not in it.
        block: What stands under `kohyatpl`.
    """

    seed: int
    paths: ProjectPaths
    family: str
    options: dict[str, Any]
    block: dict[str, Any]

    def write_config(self, block: Mapping[str, Any]) -> Path:
        """Returns the config with this under `kohyatpl`."""
        values = {"family": self.family, "pretrained_model_name_or_path": "model", **self.options, "kohyatpl": block}
        self.paths.config_path.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")
        return self.paths.config_path


def make_project(seed: int, folder: Path) -> RandomProject:
    """Makes the random project of a seed in `folder`, which is new."""
    rng = random.Random(seed)
    paths = ProjectPaths(folder / (rng.choice(ROOT_NAMES[1:]) if rng.random() < 0.3 else ROOT_NAMES[0]))
    paths.root_dir.mkdir(parents=True)
    family = rng.choice(("sd15", "sd15", "sdxl", "sd3", "flux", "lumina", "hunyuan-image", "anima"))
    make = _Maker(rng, family)
    make.parent(paths.image_dir, make.count(1, 4), must_have_pictures=rng.random() < 0.95)
    if rng.random() < 0.9:
        make.parent(paths.reg_dir, make.count(0, 3), must_have_pictures=False)
    step = FAMILIES[family].bucket_step_px
    block = random_block(rng, step, make.used, make.unused)
    return RandomProject(seed, paths, family, random_options(rng, step), block)


class _Maker:
    """Makes folders; each kind of oddity is for the whole project likely or not there at all."""

    def __init__(self, rng: random.Random, family: str) -> None:
        self.used: list[str] = []
        self.unused: list[str] = []
        self._rng = rng
        self._family = family
        self._has_ignored = rng.random() < 0.3
        self._has_broken = rng.random() < 0.12
        self._has_odd_extensions = rng.random() < 0.3
        self._has_caches = rng.random() < 0.35
        self._has_bad_caches = rng.random() < 0.2
        self._bad_cache_size = rng.choice(BAD_CACHE_SIZES)
        self._is_extreme = rng.random() < 0.2
        self._letters = 0

    def count(self, lowest: int, highest: int) -> int:
        return self._rng.randint(lowest, highest)

    def parent(self, parent: Path, folders: int, *, must_have_pictures: bool) -> None:
        parent.mkdir()
        for number in range(folders):
            folder = parent / self._folder_name()
            if folder.exists():
                continue
            folder.mkdir()
            is_trained = must_have_pictures and number == 0
            is_empty = not is_trained and self._rng.random() < 0.06
            self._fill(folder, 0 if is_empty else self._rng.randint(1, 12))
            (self.used if _is_used(folder) else self.unused).append(folder.name)
        if self._rng.random() < 0.2:
            self._picture(parent / "loose.png")
        if self._rng.random() < 0.1:
            (parent / "10_file").write_bytes(b"no folder")

    def _folder_name(self) -> str:
        self._letters += 1
        letter = chr(ord("a") + self._letters)
        kind = self._rng.random()
        if self._has_ignored and kind < 0.3:
            return self._rng.choice(IGNORED_NAMES).format(letter)
        if kind < 0.36:
            return self._rng.choice(NUMBER_ALONE)
        if kind < 0.38:
            return self._rng.choice(QUOTED_NAMES).format(letter)
        return self._rng.choice(TRAINED_NAMES).format(letter)

    def _fill(self, folder: Path, pictures: int) -> None:
        stems = self._rng.sample(STEMS, min(pictures, len(STEMS)))
        for stem in stems:
            self._picture(folder / f"{stem}{self._extension()}")
            if self._rng.random() < 0.05:  # the same name again, as another kind of picture
                self._picture(folder / f"{stem}{self._extension()}")
            if self._has_caches:
                self._caches(folder, stem)
        if self._has_broken and pictures:
            self._broken(folder)
        if self._rng.random() < 0.2:
            (folder / ".hidden.png").write_bytes(png(64, 64))
            (folder / "1.txt").write_text("a caption", encoding="utf-8")
        if self._rng.random() < 0.1:
            nested = folder / "3_nested"
            nested.mkdir()
            self._picture(nested / "a.png")

    def _extension(self) -> str:
        extension = self._rng.choice(EXTENSIONS)
        if not self._has_odd_extensions:
            return extension.upper() if self._rng.random() < 0.2 else extension
        return self._rng.choice((extension, extension.title(), extension.upper(), ".gif", ".tiff", ".avif", ".JpG"))

    def _size(self) -> tuple[int, int]:
        kind = self._rng.random()
        if self._is_extreme and kind < 0.1:
            return self._rng.choice(EXTREME_SIZES)
        if kind < 0.5:
            return self._rng.choice(SIZES)
        return int(10 ** self._rng.uniform(2.0, 3.6)), int(10 ** self._rng.uniform(2.0, 3.6))

    def _picture(self, path: Path) -> None:
        path.write_bytes(self._rng.choice(WRITERS)(*self._size()))

    def _caches(self, folder: Path, stem: str) -> None:
        own = CACHE_SUFFIXES[self._family]
        for _ in range(self._rng.choice((0, 0, 1, 1, 2, 3))):
            suffix = own if self._rng.random() < 0.8 else self._rng.choice(sorted(set(CACHE_SUFFIXES.values())))
            other = self._rng.choice(("", "", "", "0", "_b", " b"))  # of a longer name: a picture that is gone
            size = self._rng.choice(("0768x0512", "0512x0768", "0640x0640", "1000x0300", "2048x2048", "64x64"))
            if self._has_bad_caches and self._rng.random() < 0.2:
                size = self._bad_cache_size
            field = f"_{size}" if size else ""
            (folder / f"{stem}{other}{field}{suffix}").write_bytes(b"PK")

    def _broken(self, folder: Path) -> None:
        kind = self._rng.random()
        path = folder / f"broken{self._rng.choice(EXTENSIONS)}"
        if kind < 0.15:
            path.mkdir()
        elif kind < 0.25 and os.name != "nt":
            path.symlink_to(folder / "nowhere.png")
        else:
            path.write_bytes(self._rng.choice(NO_PICTURES))


def _is_used(folder: Path) -> bool:
    has_pictures = any(path.suffix in (*EXTENSIONS, *map(str.upper, EXTENSIONS)) for path in folder.iterdir())
    return has_pictures and folder.name.partition("_")[0].strip().lstrip("+0").isdecimal()


# What each family's caches end with, written here once more: the product's own table is under test.
CACHE_SUFFIXES = {
    "sd15": "_sd.npz", "sdxl": "_sdxl.npz", "sd3": "_sd3.npz", "flux": "_flux.npz", "lumina": "_lumina.npz",
    "hunyuan-image": "_hi.npz", "anima": "_anima.npz",
}  # fmt: skip
BAD_CACHE_SIZES = (
    "",
    "12x",
    "x",
    "12x13x14",
    "0x0",
    "5x0",
    "0x5",
    "-5x10",
    "-64x-64",
    "-512x512",
    "abc",
    " 7x+800",
    "７００x５００",
    "1_0x64",
)
