"""The pixels of mended pictures: what people saw before is what is stored after."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageCms, ImageOps, ImageStat

from loratpl.dataset.inspect import inspect_file
from loratpl.fix import FixOptions
from tests.fix.mended import Mended, adobe_rgb, drawing, turned


@pytest.fixture
def mended(tmp_path: Path) -> Mended:
    return Mended(tmp_path)


def _difference(one: Image.Image, other: Image.Image) -> float:
    """Returns how far two pictures are apart on average, out of 255."""
    assert one.size == other.size
    return max(ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean)


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        picture.load()
        return picture


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_turned_as_people_see_it(mended: Mended, orientation: int, suffix: str) -> None:
    path = mended.folder / f"1{suffix}"
    options: dict[str, Any] = {"lossless": True} if suffix == ".webp" else {}
    drawing().save(path, exif=turned(orientation), **options)
    seen = ImageOps.exif_transpose(_opened(path))
    mended.fix()
    found = _opened(path)
    assert _difference(found, seen) < (1 if suffix == ".jpg" else 0.001)
    assert found.getexif().get(0x0112) is None
    assert found.getexif()[0x010F] == "Camera"  # the rest of what the camera said stays
    assert inspect_file(str(path)).orientation == 1


@pytest.mark.parametrize(("before", "at_least"), [(80, 95), (100, 100)])
def test_jpegs_stay_as_fine_as_they_came(mended: Mended, before: int, at_least: int) -> None:
    path = mended.folder / "1.jpg"
    drawing().save(path, exif=turned(6), quality=before)
    mended.fix()
    found = _opened(path)
    reference = io.BytesIO()
    drawing().save(reference, "JPEG", quality=at_least, subsampling=0)
    assert found.quantization == Image.open(reference).quantization  # type: ignore[attr-defined]
    assert [part[1:3] for part in found.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]


def test_16_bits_are_scaled_and_not_cut_off(mended: Mended) -> None:
    path = mended.folder / "1.png"
    values = [value * 257 for value in range(256)]
    deep = Image.new("I;16", (256, 1))
    deep.putdata(values)
    deep.save(path)
    mended.fix()
    found = _opened(path)
    assert found.mode == "RGB"
    assert [found.getpixel((x, 0)) for x in range(256)] == [(x, x, x) for x in range(256)]


@pytest.mark.parametrize(
    ("background", "colour"), [(FixOptions(), (255, 255, 255)), (FixOptions((0, 0, 255)), (0, 0, 255))]
)
@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_transparent_parts_are_put_onto_the_background(
    tmp_path: Path, background: FixOptions, colour: tuple[int, int, int], suffix: str
) -> None:
    mended = Mended(tmp_path, options=background)
    clear = Image.new("RGBA", (40, 40), (255, 0, 0, 0))  # red is hidden where nothing is to be seen
    clear.paste((0, 200, 0, 255), (0, 0, 20, 40))
    options: dict[str, Any] = {"lossless": True, "exact": True} if suffix == ".webp" else {}
    clear.save(mended.folder / f"1{suffix}", **options)
    mended.fix()
    found = _opened(mended.folder / f"1{suffix}")
    assert found.mode == "RGB"
    assert (found.getpixel((5, 5)), found.getpixel((35, 5))) == ((0, 200, 0), colour)


def test_a_transparent_palette(mended: Mended) -> None:
    path = mended.folder / "1.png"
    flat = Image.new("P", (20, 20), 1)
    flat.putpalette([255, 0, 0, 0, 128, 0])
    flat.paste(0, (0, 0, 10, 20))
    flat.save(path, transparency=0)
    mended.fix()
    found = _opened(path)
    assert (found.mode, found.getpixel((2, 2)), found.getpixel((15, 2))) == ("RGB", (255, 255, 255), (0, 128, 0))


def test_wide_colours_become_srgb(mended: Mended) -> None:
    path = mended.folder / "1.png"
    Image.new("RGB", (8, 8), (40, 200, 60)).save(path, icc_profile=adobe_rgb())
    expected = ImageCms.profileToProfile(
        Image.new("RGB", (8, 8), (40, 200, 60)),
        ImageCms.ImageCmsProfile(io.BytesIO(adobe_rgb())),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    assert mended.texts() == ["image_dir/10_ohwx cat/1.png: colours converted from Adobe RGB (1998) to sRGB"]
    mended.fix()
    found = _opened(path)
    assert expected is not None
    assert _difference(found, expected) <= 1
    red, green, _ = found.getpixel((0, 0))  # type: ignore[misc]
    assert red < 10  # Adobe's green is greener than what sRGB can show
    assert green >= 198
    assert "icc_profile" not in found.info


def test_cmyk_without_a_profile(mended: Mended) -> None:
    path = mended.folder / "1.jpg"
    drawing().convert("CMYK").save(path, quality=95)
    seen = _opened(path).convert("RGB")
    mended.fix()
    found = _opened(path)
    assert found.mode == "RGB"
    assert _difference(found, seen) < 1


def test_a_profile_that_cannot_be_used_leaves_the_picture(mended: Mended) -> None:
    path = mended.folder / "1.png"
    broken = adobe_rgb()[:300]
    drawing().save(path, icc_profile=broken[:128] + broken[128:132] + broken[132:])
    content = path.read_bytes()
    result = mended.fix()
    if result.done:
        pytest.fail(str(result.done))
    assert all("colour profile" in item.text for item in result.left)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("name", "format_name", "options"),
    [
        ("1.gif", "GIF", {}),
        ("1.tiff", "TIFF", {}),
        ("1.avif", "AVIF", {"quality": 100}),
        ("1.tif", "TIFF", {"compression": "tiff_lzw"}),
    ],
)
def test_other_formats_become_png(mended: Mended, name: str, format_name: str, options: dict[str, Any]) -> None:
    drawing().save(mended.folder / name, format_name, **options)
    with Image.open(mended.folder / name) as picture:
        seen = picture.convert("RGB")
    mended.fix()
    assert mended.names() == ["1.png"]
    assert _opened(mended.folder / "1.png").format == "PNG"
    assert _difference(_opened(mended.folder / "1.png"), seen) == 0


def test_what_is_trained_as_it_looks_is_left_alone(mended: Mended) -> None:
    picture = drawing()
    picture.quantize(8).save(mended.folder / "palette.png")
    picture.convert("RGBA").save(mended.folder / "opaque.png")
    picture.convert("L").save(mended.folder / "grey.PNG")
    picture.save(mended.folder / "photo.JPEG", "JPEG")
    frames = [drawing((20, 20)), drawing((20, 20)).rotate(90)]
    frames[0].save(mended.folder / "film.webp", save_all=True, append_images=frames[1:])
    assert mended.plan().actions == ()


@pytest.mark.parametrize(
    "values", [{"alpha_mask": True}, {"kohyatpl": {"concepts": {"ohwx cat": {"alpha_mask": True}}}}]
)
def test_an_alpha_that_is_the_mask_of_the_training_stays(tmp_path: Path, values: dict[str, Any]) -> None:
    mended = Mended(tmp_path, values)
    clear = drawing().convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    clear.save(mended.folder / "1.png", exif=turned(6))
    mended.fix()
    found = _opened(mended.folder / "1.png")
    assert (found.mode, found.size) == ("RGBA", (60, 80))
    assert found.getchannel("A").tobytes() == clear.getchannel("A").transpose(Image.Transpose.ROTATE_270).tobytes()


def test_what_is_broken_or_huge_or_moves_is_left(mended: Mended) -> None:
    drawing().save(mended.folder / "cut.jpg", exif=turned(6))
    content = (mended.folder / "cut.jpg").read_bytes()
    (mended.folder / "cut.jpg").write_bytes(content[: len(content) // 2])
    Image.new("1", (20_000, 9_500)).save(mended.folder / "huge.png", exif=turned(6))
    frames = [drawing((20, 20)), drawing((20, 20)).rotate(90)]
    frames[0].save(mended.folder / "film.gif", save_all=True, append_images=frames[1:])
    plan = mended.plan()
    assert plan.actions == ()
    assert sorted(item.path.name for item in plan.left) == ["film.gif", "huge.png"]
