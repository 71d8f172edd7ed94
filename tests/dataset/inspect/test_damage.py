"""Broken pictures are found, whole ones are not, and what the trainer does with them is told."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from loratpl.dataset.inspect import Tier, inspect_file
from tests.dataset.inspect.drawn import drawing, encoded

_SIZE = (300, 260)
_KINDS: list[tuple[str, dict[str, Any]]] = [
    (".png", {}),
    (".jpg", {"quality": 90}),
    (".jpg", {"quality": 80, "progressive": True}),
    (".webp", {}),
    (".bmp", {}),
]


def _trainer_opens(path: Path) -> bool:
    """Returns whether the trainer's way to a picture's pixels succeeds."""
    try:
        with Image.open(path) as picture:
            picture.convert("RGB")
    except Exception:  # noqa: BLE001 - whatever it is, it would end the training
        return False
    return True


@pytest.mark.parametrize("tier", ["headers", "full"])
@pytest.mark.parametrize(("suffix", "options"), _KINDS)
@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.95])
def test_a_picture_that_is_cut_off_is_found(
    tmp_path: Path, suffix: str, options: dict[str, Any], share: float, tier: Tier
) -> None:
    whole = encoded(drawing(4, _SIZE), suffix, **options)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(whole[: int(len(whole) * share)])
    found = inspect_file(str(path), tier)
    assert "truncated" in found.damage or tier == "full"
    assert found.damage
    assert found.is_fatal
    assert not _trainer_opens(path)


@pytest.mark.parametrize("options", [{"quality": 92}, {"quality": 92, "progressive": True}])
def test_most_jpegs_with_a_lost_block_are_found_though_the_trainer_does_not_mind(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    # Not all: zeros can be valid codes, and the format has no checksum.
    path, found_count = tmp_path / "a.jpg", 0
    for seed in range(12):
        data = bytearray(encoded(drawing(seed, (700, 600)), ".jpg", **options))
        start = random.Random(seed).randrange(len(data) // 4, len(data) * 3 // 4)
        data[start : start + 4096] = bytes(4096)
        path.write_bytes(data)
        found = inspect_file(str(path))
        found_count += bool(found.damage)
        assert found.is_decoded
        assert found.is_fatal is not _trainer_opens(path)
    assert found_count >= 9


@pytest.mark.parametrize("tier", ["headers", "full"])
@pytest.mark.parametrize("seed", range(12))
def test_every_flipped_bit_of_a_png_is_found(tmp_path: Path, seed: int, tier: Tier) -> None:
    data = bytearray(encoded(drawing(seed, _SIZE)))
    data[random.Random(seed).randrange(8, len(data))] ^= 1 << seed % 8
    path = tmp_path / "a.png"
    path.write_bytes(data)
    found = inspect_file(str(path), tier)
    assert found.damage
    if tier == "full" and found.width_px:
        assert found.is_fatal is not _trainer_opens(path)


def test_a_png_without_its_end_is_broken_but_trained(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(drawing(1, _SIZE))[:-2])
    for tier in ("headers", "full"):
        found = inspect_file(str(path), "full" if tier == "full" else "headers")
        assert "end is missing" in found.damage
        assert found.is_fatal is False
    assert _trainer_opens(path)


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"\xff\xd8\xff\xe0",
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff" + b"\xff" * 200,
        b"RIFF\x10\0\0\0WEBPVP8 ",
        b"RIFF\x10\0\0\0WEBPVP8X" + bytes(3),
        b"BM" + bytes(12) + b"\x28\0\0\0" + bytes(10),
        b"GIF89a",
        b"II*\0\xff\xff\xff\xff",
    ],
)
@pytest.mark.parametrize("tier", ["headers", "full"])
def test_a_header_that_makes_no_sense_is_damage(tmp_path: Path, content: bytes, tier: Tier) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    found = inspect_file(str(path), tier)
    assert found.damage
    assert found.is_fatal


@pytest.mark.parametrize("tier", ["headers", "full"])
def test_a_png_of_countless_chunks_does_not_keep_us(tmp_path: Path, tier: Tier) -> None:
    empty = b"\0\0\0\0IDAT\x35\xaf\x06\x1e"  # a chunk of nothing, with its checksum
    path = tmp_path / "a.png"
    whole = encoded(drawing(1, (8, 8)))
    path.write_bytes(whole[:33] + empty * 250_000 + whole[33:])
    assert "too many chunks" in inspect_file(str(path), tier).damage


@pytest.mark.parametrize(("suffix", "options"), _KINDS)
def test_whole_pictures_of_all_sizes_are_whole(tmp_path: Path, suffix: str, options: dict[str, Any]) -> None:
    numbers = random.Random(suffix)
    for number in range(25):
        size = (numbers.randint(1, 300), numbers.randint(1, 300))
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(encoded(drawing(number, size), suffix, **options))
        for tier in ("headers", "full"):
            found = inspect_file(str(path), "full" if tier == "full" else "headers")
            assert (found.damage, found.width_px, found.height_px) == ("", *size)
