"""The sizes that the trainer takes from the names of latent caches."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from loratpl.config.families import FAMILIES
from loratpl.dataset.latent_caches import LATENT_CACHES, find_caches, size_in_name
from loratpl.dataset.scan import scan
from tests.stand_in import write_picture


def _sizes(folder: Path, *names: str, suffix: str = "_sd.npz") -> dict[str, tuple[int, int] | None]:
    pictures = sorted(name for name in names if name.endswith(".png"))
    return {name: found.size_px for name, found in find_caches(folder, names, pictures, suffix).items()}


def test_every_family_has_a_cache() -> None:
    assert set(LATENT_CACHES) == set(FAMILIES)


def test_a_picture_has_the_size_in_the_name_of_its_cache(odd_path: Path) -> None:
    names = ("1.png", "1_0768x0512_sd.npz", "2.png", "3.png", "3_0064x0128_sd.npz", "3_0064x0128_sdxl.npz")
    assert _sizes(odd_path, *names) == {"1.png": (768, 512), "3.png": (64, 128)}
    assert _sizes(odd_path, *names, suffix="_sdxl.npz") == {"3.png": (64, 128)}


def test_a_name_that_begins_alike_is_taken_for_the_picture(tmp_path: Path) -> None:
    assert _sizes(tmp_path, "a1.png", "a10.png", "a10_0768x0512_sd.npz") == {
        "a1.png": (768, 512),
        "a10.png": (768, 512),
    }


def test_of_several_caches_the_first_by_name_without_size_counts(tmp_path: Path) -> None:
    names = ("a.png", "a_0512x0512_sd.npz", "a_0100x0100_sd.npz")
    assert _sizes(tmp_path, *names) == {"a.png": (512, 512)}  # they sort alike, so the order they came in stays
    assert _sizes(tmp_path, "a.png", "a_b_0100x0100_sd.npz", "a_0512x0512_sd.npz") == {"a.png": (512, 512)}


@pytest.mark.parametrize("name", ["a_sd.npz", "a_x_sd.npz", "a_12x_sd.npz", "a_1x2x3_sd.npz", "a_0x5_sd.npz"])
def test_a_name_without_a_size_has_none(tmp_path: Path, name: str) -> None:
    assert size_in_name(str(tmp_path / name)) is None
    assert _sizes(tmp_path, "a.png", name) == {"a.png": None}


def test_hidden_caches_are_not_seen(tmp_path: Path) -> None:
    assert _sizes(tmp_path, "a.png", ".a_0512x0512_sd.npz") == {}


@pytest.mark.skipif(os.name == "nt", reason="brackets are a pattern all the same, but names differ")
def test_brackets_in_a_folder_name_are_a_pattern_for_the_trainer(tmp_path: Path) -> None:
    bracketed, plain = tmp_path / "image" / "1_[ab]", tmp_path / "image" / "1_a"
    for folder in (bracketed, plain):
        folder.mkdir(parents=True)
        write_picture(folder / "1.png", size=(70, 50))
    (bracketed / "1_0512x0512_sd.npz").touch()
    (plain / "1_0768x0768_sd.npz").touch()
    found = scan(tmp_path / "image", None, cache_suffix="_sd.npz")
    sizes = {concept.folder.name: concept.pictures[0].trained_px for concept in found.concepts}
    assert sizes == {"1_[ab]": (70, 50), "1_a": (768, 768)}


def test_a_scan_keeps_both_sizes(odd_path: Path) -> None:
    (odd_path / "image" / "1_a").mkdir(parents=True)
    write_picture(odd_path / "image" / "1_a" / "1.png", size=(70, 50))
    (odd_path / "image" / "1_a" / "1_0512x0256_sd.npz").touch()
    (picture,) = scan(odd_path / "image", None, cache_suffix="_sd.npz").concepts[0].pictures
    assert (picture.width_px, picture.height_px) == (70, 50)
    assert picture.trained_px == (512, 256)
    (ignored,) = scan(odd_path / "image", None).concepts[0].pictures
    assert ignored.trained_px == (70, 50)
