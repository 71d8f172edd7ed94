"""What the pixels show: one colour, colours below transparent ones, and which pictures look alike."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from loratpl.dataset.inspect import Inspection, inspect_file
from loratpl.dataset.inspect.decode import jpeg_decoder
from tests.dataset.inspect.drawn import drawing, encoded, write


def _inspected(path: Path, picture: Image.Image, **options: object) -> Inspection:
    path.write_bytes(encoded(picture, path.suffix, **options))
    return inspect_file(str(path))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size", [(1, 1), (64, 64), (500, 300)])
def test_one_colour_is_blank(tmp_path: Path, suffix: str, mode: str, size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size, (200, 30, 90)).convert(mode)
    assert _inspected(tmp_path / f"a{suffix}", picture).is_blank
    if size != (1, 1):
        ImageDraw.Draw(picture).rectangle((0, 0, size[0] // 3, size[1] // 3), fill=0)
        assert not _inspected(tmp_path / f"a{suffix}", picture).is_blank


def test_a_pattern_that_is_even_from_afar_is_not_blank(tmp_path: Path) -> None:
    picture = Image.new("L", (512, 512), 128)
    picture.putpixel((301, 77), 255)
    assert not _inspected(tmp_path / "a.png", picture).is_blank
    checks = Image.frombytes("L", (512, 512), bytes(255 * ((x + y) % 2) for y in range(512) for x in range(512)))
    assert not _inspected(tmp_path / "a.jpg", checks, quality=95).is_blank


def test_sixteen_bit_pictures_are_blank_only_where_they_are(tmp_path: Path) -> None:
    ramp = b"".join((x * 300).to_bytes(2, "little") for _ in range(200) for x in range(200))
    assert not _inspected(tmp_path / "a.png", Image.frombytes("I;16", (200, 200), ramp)).is_blank
    assert _inspected(tmp_path / "a.png", Image.new("I;16", (200, 200), 40_000)).is_blank


def _with_hole(below: Image.Image) -> Image.Image:
    alpha = Image.new("L", below.size, 255)
    alpha.paste(0, (0, 0, below.width // 2, below.height))
    picture = below.convert("RGBA")
    picture.putalpha(alpha)
    return picture


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_colours_below_transparent_pixels_are_found(tmp_path: Path, suffix: str) -> None:
    options = {"lossless": True, "exact": True} if suffix == ".webp" else {}
    several = _inspected(tmp_path / f"a{suffix}", _with_hole(drawing()), **options)
    assert several.transparent_share == pytest.approx(0.5)
    assert several.hidden == "several colours"
    flat = drawing()
    flat.paste((255, 0, 255), (0, 0, flat.width // 2, flat.height))
    one = _inspected(tmp_path / f"a{suffix}", _with_hole(flat), **options)
    assert one.transparent_share == pytest.approx(0.5)
    assert one.hidden == "#ff00ff"


def test_alpha_that_hides_nothing_is_nothing(tmp_path: Path) -> None:
    found = _inspected(tmp_path / "a.png", drawing(mode="RGBA"))
    assert (found.has_alpha, found.transparent_share, found.hidden) == (True, 0.0, "")


def test_a_palette_with_a_transparent_colour_is_looked_through(tmp_path: Path) -> None:
    picture = Image.new("P", (40, 40), 1)
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.paste(0, (0, 0, 10, 40))
    found = _inspected(tmp_path / "a.png", picture, transparency=0)
    assert (found.transparent_share, found.hidden, found.damage) == (0.25, "#ff0000", "")
    in_bytes = _inspected(tmp_path / "a.png", picture, transparency=bytes([0, 255]))
    assert (in_bytes.transparent_share, in_bytes.hidden, in_bytes.damage) == (0.25, "#ff0000", "")
    unused = _inspected(tmp_path / "a.png", Image.new("P", (40, 40), 1), transparency=0)
    assert unused.transparent_share == 0.0


def test_the_hash_of_the_content_is_computed_where_it_is_asked_for(tmp_path: Path) -> None:
    import hashlib

    path = write(tmp_path / "a.png")
    assert inspect_file(str(path)).content_hash == ""
    assert inspect_file(str(path), wants_hash=True).content_hash == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def no_simplejpeg(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Makes the import of simplejpeg fail, as where there is none for a system."""
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    jpeg_decoder.cache_clear()
    yield
    jpeg_decoder.cache_clear()


@pytest.mark.usefixtures("no_simplejpeg")
def test_without_the_strict_decoder_pillow_looks_at_jpegs(tmp_path: Path) -> None:
    assert jpeg_decoder() is None
    path = write(tmp_path / "a.jpg", 1, (300, 200))
    whole = inspect_file(str(path))
    assert (whole.is_decoded, whole.damage, whole.is_blank) == (True, "", False)
    assert _inspected(tmp_path / "b.jpg", Image.new("RGB", (300, 200), "red")).is_blank
    path.write_bytes(path.read_bytes()[:-900])
    cut = inspect_file(str(path))
    assert (cut.is_fatal, "truncated" in cut.damage) == (True, True)


def _distance(one: Inspection, other: Inspection) -> int:
    assert one.dhash is not None
    assert other.dhash is not None
    return (one.dhash ^ other.dhash).bit_count()


@pytest.mark.parametrize("number", range(10))
def test_the_same_picture_stored_otherwise_has_nearly_the_same_hash(tmp_path: Path, number: int) -> None:
    picture = drawing(number, (640, 480))
    original = _inspected(tmp_path / "a.png", picture)
    others = [
        _inspected(tmp_path / "a.jpg", picture, quality=85),
        _inspected(tmp_path / "a.webp", picture, quality=85),
        _inspected(tmp_path / "a.bmp", picture.resize((320, 240), Image.Resampling.LANCZOS)),
    ]
    assert all(_distance(original, other) <= 3 for other in others)
    another = _inspected(tmp_path / "b.png", drawing(number + 1000, (640, 480)))
    assert _distance(original, another) > 3


def test_hashes_of_many_different_pictures_differ(tmp_path: Path) -> None:
    found = [_inspected(tmp_path / "a.png", drawing(number)) for number in range(80)]
    pairs = random.Random(1).sample([(a, b) for a in range(80) for b in range(a)], 500)
    assert min(_distance(found[a], found[b]) for a, b in pairs) > 3
