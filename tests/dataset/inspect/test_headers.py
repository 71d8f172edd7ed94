"""What the header of every kind of picture says, in both tiers alike."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from loratpl.dataset.inspect import Tier, inspect_file
from tests.dataset.inspect.drawn import drawing, encoded, rotated, write

TIERS: tuple[Tier, ...] = ("headers", "full")
# Name, mode as drawn, options of the writer, and what is to be read.
_KINDS: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("a.png", "RGB", {}, {"format": "png", "mode": "RGB"}),
    ("a.png", "RGBA", {}, {"format": "png", "mode": "RGBA", "has_alpha": True}),
    ("a.png", "L", {}, {"format": "png", "mode": "L"}),
    ("a.png", "LA", {}, {"format": "png", "mode": "LA", "has_alpha": True}),
    ("a.png", "P", {}, {"format": "png", "mode": "P"}),
    ("a.png", "P", {"transparency": 0}, {"format": "png", "mode": "P", "has_alpha": True}),
    ("a.png", "1", {}, {"format": "png", "mode": "1", "bit_depth": 1}),
    ("a.png", "I;16", {}, {"format": "png", "mode": "L", "bit_depth": 16}),
    ("a.jpg", "RGB", {"quality": 90}, {"format": "jpeg", "mode": "RGB"}),
    ("a.jpeg", "RGB", {"progressive": True}, {"format": "jpeg", "mode": "RGB"}),
    ("a.jpg", "L", {}, {"format": "jpeg", "mode": "L"}),
    ("a.jpg", "CMYK", {}, {"format": "jpeg", "mode": "CMYK"}),
    ("a.webp", "RGB", {}, {"format": "webp", "mode": "RGB"}),
    ("a.webp", "RGBA", {}, {"format": "webp"}),
    ("a.webp", "RGB", {"lossless": True}, {"format": "webp", "mode": "RGB"}),
    ("a.bmp", "RGB", {}, {"format": "bmp", "mode": "RGB"}),
    ("a.bmp", "P", {}, {"format": "bmp", "mode": "P"}),
]


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize(("name", "mode", "options", "expected"), _KINDS)
def test_every_kind_of_picture_is_read(
    tmp_path: Path, tier: Tier, name: str, mode: str, options: dict[str, Any], expected: dict[str, Any]
) -> None:
    picture = drawing(1, (37, 53), "RGB" if mode == "I;16" else mode)
    if mode == "I;16":
        picture = Image.frombytes("I;16", (37, 53), random.Random(1).randbytes(2 * 37 * 53))
    path = tmp_path / name
    path.write_bytes(encoded(picture, path.suffix, **options))
    found = inspect_file(str(path), tier)
    assert (found.width_px, found.height_px, found.damage, found.impostor) == (37, 53, "", "")
    assert (found.size_bytes, found.tier, found.is_decoded) == (path.stat().st_size, tier, tier == "full")
    assert (found.frames, found.orientation, found.profile, found.is_blank) == (1, 1, "", False)
    assert {key: getattr(found, key) for key in expected} == expected


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_the_orientation_is_read_and_the_size_stays_as_stored(
    odd_path: Path, name: str, orientation: int, tier: Tier
) -> None:
    path = write(odd_path / name, 3, (80, 48), exif=rotated(orientation))
    found = inspect_file(str(path), tier)
    assert (found.width_px, found.height_px, found.orientation, found.damage) == (80, 48, orientation, "")


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("name", ["a.webp", "a.png", "a.gif"])
def test_an_animation_has_more_than_one_picture(tmp_path: Path, name: str, tier: Tier) -> None:
    path = write(tmp_path / name, 1, save_all=True, append_images=[drawing(2), drawing(3)])
    assert inspect_file(str(path), tier).frames >= 2


def _adobe_rgb() -> bytes:
    """Returns sRGB's own profile with the primaries of Adobe RGB (1998), and another name."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(profile[128:132], "big")
    for number in range(count):
        entry = 132 + 12 * number
        tag, offset = bytes(profile[entry : entry + 4]), int.from_bytes(profile[entry + 4 : entry + 8], "big")
        colours = {b"rXYZ": (0.60974, 0.31111, 0.01947), b"gXYZ": (0.20528, 0.62567, 0.06087),
                   b"bXYZ": (0.14919, 0.06322, 0.74457)}.get(tag)  # fmt: skip
        if colours:
            profile[offset + 8 : offset + 20] = b"".join(round(c * 65536).to_bytes(4, "big") for c in colours)
    return bytes(profile)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_a_profile_is_named_where_it_is_not_like_srgb(tmp_path: Path, name: str, tier: Tier) -> None:
    path = write(tmp_path / name, icc_profile=_adobe_rgb())
    assert inspect_file(str(path), tier).profile == "Adobe RGB (1998)"
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert inspect_file(str(write(tmp_path / name, icc_profile=srgb)), tier).profile == ""
    assert inspect_file(str(write(tmp_path / name, icc_profile=b"no profile at all" * 20)), tier).profile == ""


def test_a_profile_without_primaries_goes_by_its_name(tmp_path: Path) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert inspect_file(str(write(tmp_path / "a.png", icc_profile=lab)), "headers").profile


@pytest.mark.parametrize("tier", TIERS)
def test_what_phones_append_to_a_photograph_is_no_damage(tmp_path: Path, tier: Tier) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(drawing(), ".jpg") + b"\0\0\0\x18ftypmp42" + random.Random(1).randbytes(5000))
    assert inspect_file(str(path), tier).damage == ""


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp"])
def test_the_content_decides_and_not_the_name(tmp_path: Path, suffix: str, tier: Tier) -> None:
    path = tmp_path / ("a.png" if suffix == ".jpg" else "a.jpg")
    path.write_bytes(encoded(drawing(), suffix))
    found = inspect_file(str(path), tier)
    assert found.format == {".png": "png", ".jpg": "jpeg", ".webp": "webp", ".bmp": "bmp"}[suffix]
    assert (found.width_px, found.height_px, found.damage) == (96, 80, "")


@settings(deadline=None, max_examples=150)
@given(
    suffix=st.sampled_from([".png", ".jpg", ".webp", ".bmp", ".gif"]),
    cut=st.integers(0, 400),
    rest=st.binary(max_size=60),
    tier=st.sampled_from(TIERS),
)
def test_no_file_ends_the_inspection(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, cut: int, rest: bytes, tier: Tier
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.png"
    path.write_bytes(encoded(drawing(1, (9, 9)), suffix)[:cut] + rest)
    found = inspect_file(str(path), tier)
    assert found.impostor or found.format
