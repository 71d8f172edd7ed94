"""The page of a plan: one file that needs nothing else, shows what the trainer sees and destroys nothing."""

from __future__ import annotations

import base64
import io
import os
import random
import re
import struct
import sys
import zlib
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as given_settings
from hypothesis import strategies as st
from PIL import Image

from loratpl.dataset.scan import Dataset, scan
from loratpl.errors import ProjectError, UsageError
from loratpl.plan.outputs import planned_files
from loratpl.plan.planner import make_plan
from loratpl.ui.pages import plan_content
from loratpl.ui.pages.plan_content import PlanPage, plan_page
from loratpl.ui.pages.plan_page import plan_html, refuse_page_path, write_plan_page
from loratpl.ui.pages.thumbnails import NoThumbnail, Thumbnail, thumbnails_of
from tests.given import refusal, settings_of
from tests.plan.made import concept, dataset
from tests.stand_in import write_picture
from tests.ui.pages.reading import Read, read_page

SQUARE = (512, 512)
WIDE = (768, 512)
NOON = datetime(2026, 11, 22, 12, 0)  # noqa: DTZ001 - shown as it is


def _page(folder: Path, pictures: Dataset, values: dict[str, Any] | None = None, **texts: str) -> PlanPage:
    settings = settings_of(folder, {"output_name": "ohwx", **(values or {})})
    plan = make_plan(pictures, settings)
    return plan_page(settings, plan, planned_files(settings, plan), made_at=NOON, **texts)


def _html(page: PlanPage) -> str:
    return plan_html(page, [NoThumbnail("is not drawn")] * len(page.pictures))


def _project(folder: Path, **sizes: tuple[int, int]) -> Dataset:
    """Returns a dataset of real pictures of these sizes."""
    (folder / "image_dir" / "2_ohwx cat").mkdir(parents=True, exist_ok=True)
    for number, (name, size) in enumerate(sizes.items()):
        write_picture(folder / "image_dir" / "2_ohwx cat" / f"{name}.png", number, size)
    return scan(folder / "image_dir", None)


def _written(path: Path, page: PlanPage) -> Read:
    write_plan_page(path, page)
    return read_page(path.read_text(encoding="utf-8"))


def test_a_page_says_what_is_planned(odd_path: Path) -> None:
    pictures = _project(odd_path, a=SQUARE, b=WIDE, c=(3000, 300), d=(200, 200))
    values = {"max_train_epochs": 10, "save_last_n_epochs": 3, "train_batch_size": 2}
    page = _page(odd_path, pictures, values, time="about 3 min", disk="144 MB")
    read = _written(odd_path / "pages" / "plan_page.html", page)
    text = " ".join(read.texts).replace("\N{NO-BREAK SPACE}", " ")
    assert "Training plan ohwx Family sd15 Base model model.safetensors Time about 3 min Disk 144 MB" in text
    assert "Planned 2026-11-22 12:00, kohyatpl" in text
    assert "40 steps in all 10 epochs 4 steps per epoch 4 batches per epoch 8 views per epoch" in text
    assert "4 images × 2 repeats = 8 views → in batches of 2: 4 batches → 4 steps per epoch × 10 epochs = 40" in text
    assert "2_ohwx cat 4 2 8 100 %" in text
    assert "512 × 512 2 4 50.0 % 100 % × 1.78" in text
    assert "ohwx-000001.safetensors 4 16" in text
    assert "ohwx.safetensors 40 stays" in text
    assert "1 picture loses more than 15 % of its area." in text
    assert "2_ohwx cat/c.png 60.0 % 3000 × 300 2560 × 256 1024 × 256" in text
    assert "1 picture is enlarged more than 1.5 times" in text
    assert "2_ohwx cat/d.png × 2.56 200 × 200 512 × 512 512 × 512" in text
    assert str(odd_path) not in text


def test_a_page_of_a_plan_with_nothing_to_say_says_that(tmp_path: Path) -> None:
    text = " ".join(read_page(_html(_page(tmp_path, dataset(concept(1, SQUARE))))).texts)
    assert "None loses more than 15 % of its area." in text
    assert "None is enlarged more than 1.5 times." in text
    assert " Time " not in text
    assert "regularisation" not in text
    assert "Dataset 1" not in text


def test_regularisation_datasets_and_validation_are_named(tmp_path: Path) -> None:
    pictures = dataset(concept(1, *[WIDE] * 10), concept(1, SQUARE, is_reg=True, name="cat"))
    two = {"datasets": [{"resolution": "512"}, {"resolution": "768"}]}
    values = {"kohyatpl": two, "validation_split": 0.2, "validation_seed": 1}
    page = _page(tmp_path, pictures, values)
    read = read_page(_html(page))
    text = " ".join(read.texts).replace("\N{NO-BREAK SPACE}", " ")
    assert "1_cat regularisation 1 1 16 50.0 %" in text
    assert "Dataset 1 of 2: 512 × 512, batch size 1, 1 concept" in text
    assert "Dataset 2 of 2: 768 × 768, batch size 1, 1 concept" in text
    assert text.count("640 × 384, keeps 89.9 %, validation") == 2
    assert text.count("640 × 384, keeps 89.9 %") == 10
    assert len(page.pictures) == 11


def test_random_crop_is_told(tmp_path: Path) -> None:
    pictures = dataset(concept(1, WIDE))
    assert "random_crop" not in _html(_page(tmp_path, pictures))
    assert "random_crop" in _html(_page(tmp_path, pictures, {"random_crop": True, "cache_latents": False}))


def test_a_page_needs_nothing_else(tmp_path: Path) -> None:
    pictures = _project(tmp_path, a=WIDE, b=SQUARE)
    html = tmp_path / "plan_page.html"
    read = _written(html, _page(tmp_path, pictures))
    without_pictures = re.sub(r"data:image/jpeg;base64,[\w+/=]+", "", html.read_text(encoding="utf-8"))
    assert not re.search(r"//|@import|url\(", without_pictures)
    assert {tag for tag, _ in read.elements} & {"script", "iframe", "object", "embed", "video", "base", "form"} == set()
    for tag, attributes in read.elements:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith("data:"), (tag, attributes)
    policy = [meta["content"] for meta in read.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_a_page_can_be_read_without_eyes(tmp_path: Path) -> None:
    pictures = _project(tmp_path, a=(3000, 300), b=(200, 200))
    read = _written(tmp_path / "plan_page.html", _page(tmp_path, pictures))
    tags = [tag for tag, _ in read.elements]
    assert tags.count("h1") == 1
    assert read.all("html") == [{"lang": "en"}]
    identifiers = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(set(identifiers)) == len(identifiers)
    assert [section["aria-labelledby"] for section in read.all("section")] == identifiers
    assert {heading.get("scope") for heading in read.all("th")} == {"col", "row"}
    assert sorted(str(image["alt"]) for image in read.all("img")) == [
        "2_ohwx cat/a.png: 40.0\N{NO-BREAK SPACE}% of it is kept",
        "2_ohwx cat/b.png: 100\N{NO-BREAK SPACE}% of it is kept",
    ]


def test_thumbnails_show_what_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "image_dir" / "1_ohwx cat"
    folder.mkdir(parents=True)
    picture = Image.new("RGB", (3000, 300), "red")  # resized to 2560 × 256, of which 768 to 1792 are kept
    picture.paste("blue", (900, 0, 2100, 300))
    picture.save(folder / "1.png")
    read = _written(tmp_path / "plan_page.html", _page(tmp_path, scan(tmp_path / "image_dir", None)))
    (kept,) = (span for span in read.all("span") if span.get("class") == "kept")
    assert kept["style"] == "left:30.000%;top:0.000%;width:40.000%;height:100.000%"
    (image,) = read.all("img")
    assert (image["width"], image["height"]) == ("160", "16")
    data = base64.b64decode(str(image["src"]).removeprefix("data:image/jpeg;base64,"))
    with Image.open(io.BytesIO(data)) as drawn:
        assert drawn.size == (160, 16)
        shares = [drawn.getpixel((x, 8)) for x in (40, 56, 104, 120)]
    assert [isinstance(share, tuple) and share[2] > 128 for share in shares] == [False, True, True, False]


def test_a_picture_that_is_kept_whole_is_not_dimmed(tmp_path: Path) -> None:
    read = _written(tmp_path / "plan_page.html", _page(tmp_path, _project(tmp_path, a=SQUARE)))
    assert len(read.all("img")) == 1
    assert [span for span in read.all("span") if span.get("class") == "kept"] == []


def test_a_picture_is_shown_as_it_is_stored(tmp_path: Path) -> None:
    folder = tmp_path / "image_dir" / "1_ohwx cat"
    folder.mkdir(parents=True)
    for name, orientation in (("turned.jpg", 6), ("upright.jpg", 1), ("odd.jpg", 99)):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.new("RGB", (800, 400), "teal").save(folder / name, exif=exif)
    page = _page(tmp_path, scan(tmp_path / "image_dir", None))
    found = thumbnails_of([(picture.path, picture.placement.resized) for picture in page.pictures])
    turned = {p.path.name: t.is_turned for p, t in zip(page.pictures, found, strict=True) if isinstance(t, Thumbnail)}
    assert turned == {"turned.jpg": True, "upright.jpg": False, "odd.jpg": False}
    read = _written(tmp_path / "plan_page.html", page)
    assert {(image["width"], image["height"]) for image in read.all("img")} == {("160", "80")}
    assert sum("as it is stored" in text for text in read.texts) == 1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "I", "F"])
def test_pictures_of_every_mode_have_a_thumbnail(tmp_path: Path, mode: str) -> None:
    path = tmp_path / f"1.{'jpg' if mode == 'CMYK' else 'tiff'}"
    Image.new(mode, (64, 32)).save(path)
    (found,) = thumbnails_of([(path, (512, 256))])
    assert isinstance(found, Thumbnail)


def test_what_is_hidden_by_transparency_is_seen_as_the_trainer_sees_it(tmp_path: Path) -> None:
    Image.new("RGBA", (64, 64), (250, 0, 0, 0)).save(tmp_path / "1.png")
    (found,) = thumbnails_of([(tmp_path / "1.png", (64, 64))])
    assert isinstance(found, Thumbnail)
    with Image.open(io.BytesIO(found.jpeg)) as drawn:
        seen = drawn.getpixel((80, 80))
    assert isinstance(seen, tuple)
    assert seen[0] > 200
    assert max(seen[1:]) < 50


def _png_header(size: tuple[int, int]) -> bytes:
    """Returns a PNG that says it is of this size and holds next to nothing."""
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0" * 99)))
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def test_what_cannot_be_drawn_has_a_placeholder(tmp_path: Path) -> None:
    pictures = _project(tmp_path, whole=SQUARE)
    folder = tmp_path / "image_dir" / "2_ohwx cat"
    noise = Image.frombytes("RGB", (300, 300), random.Random(1).randbytes(270_000))
    noise.save(folder / "cut.png")
    (folder / "cut.png").write_bytes((folder / "cut.png").read_bytes()[:90_000])
    (folder / "bomb.png").write_bytes(_png_header((60_000, 60_000)))
    (folder / "large.png").write_bytes(_png_header((10_000, 9_000)))
    pictures = scan(tmp_path / "image_dir", None)
    page = _page(tmp_path, pictures)
    read = _written(tmp_path / "plan_page.html", page)
    assert len(read.all("img")) == 1
    assert read.texts.count("This picture cannot be decoded.") == 1
    assert read.texts.count("This picture is too large to be shown.") == 2
    for name in ("whole", "cut", "bomb", "large"):
        assert f"2_ohwx cat/{name}.png" in read.texts
    for path in folder.iterdir():
        path.unlink()
    assert _written(tmp_path / "plan_page.html", page).texts.count("This picture is no file.") == 4


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes in folders")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "1.png")
    assert thumbnails_of([(tmp_path / "1.png", SQUARE)]) == [NoThumbnail("is no file")]


def test_many_pictures_are_left_out_and_counted(tmp_path: Path) -> None:
    count = plan_content.MAX_THUMBNAILS + 3
    page = _page(tmp_path, dataset(concept(1, *[SQUARE] * count, (3000, 300))))
    assert (len(page.pictures), page.left_out) == (plan_content.MAX_THUMBNAILS, 4)
    assert page.pictures[0].path.name == f"{count}.png"
    assert "4 more pictures that lose no more than the last of these are not shown" in _html(page)


def test_many_checkpoints_are_left_out_and_counted(tmp_path: Path) -> None:
    page = _page(tmp_path, dataset(concept(1, SQUARE)), {"max_train_epochs": 100})
    assert [file.step for file in page.checkpoints] == [*range(1, 31), *range(71, 101)]
    text = " ".join(read_page(_html(page)).texts)
    assert "100 files, the last is ohwx.safetensors after step 100" in text
    assert "40 more files between them" in text


def test_many_named_pictures_are_counted(tmp_path: Path) -> None:
    page = _page(tmp_path, dataset(concept(1, *[(100, 100)] * 29)))
    text = " ".join(read_page(_html(page)).texts)
    assert "29 pictures are enlarged more than 1.5 times" in text
    assert "And 9 more pictures." in text


_NAME = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=30)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for a config."""
    return tmp_path_factory.mktemp("law")


@given_settings(deadline=None, max_examples=25)
@given(name=st.one_of(_NAME, st.sampled_from(("</title><script>", '"><img src=x onerror=y>', "&amp;&#60;", "{{ 7 }}"))))
def test_names_are_shown_and_never_become_part_of_the_page(place: Path, name: str) -> None:
    page = _page(place, dataset(concept(1, WIDE, name=name.replace("/", "|"))), {"output_name": name})
    thumbnail = Thumbnail(b"jpeg", (160, 107), WIDE, is_turned=True)
    read = read_page(plan_html(page, [thumbnail]))
    plain = read_page(
        plan_html(_page(place, dataset(concept(1, WIDE, name="cat")), {"output_name": "cat"}), [thumbnail])
    )
    assert [tag for tag, _ in read.elements] == [tag for tag, _ in plain.elements]
    assert [set(attributes) for _, attributes in read.elements] == [set(attributes) for _, attributes in plain.elements]
    assert name in read.texts
    folder = f"1_{name.replace('/', '|')}"
    assert folder in read.texts
    assert read.all("img")[0]["alt"] == f"{folder}/000.png: 89.9\N{NO-BREAK SPACE}% of it is kept"


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux alone")
def test_names_that_no_encoding_has_are_written_out(tmp_path: Path) -> None:
    name = os.fsdecode(b"bad\xff\xe2\x80\xaegnp.png")
    _project(tmp_path, a=SQUARE)
    write_picture(tmp_path / "image_dir" / "2_ohwx cat" / name, 1, SQUARE)
    read = _written(tmp_path / "plan_page.html", _page(tmp_path, scan(tmp_path / "image_dir", None)))
    assert r"2_ohwx cat/bad\udcff\u202egnp.png" in read.texts
    assert len(read.all("img")) == 2


def test_a_page_is_replaced_and_nothing_is_left_beside_it(odd_path: Path) -> None:
    path = odd_path / "plan_page.html"
    page = _page(odd_path / "project", dataset(concept(1, SQUARE)))
    write_plan_page(path, page)
    older = path.read_text(encoding="utf-8").replace('content="kohyatpl ', 'content="kohyatpl 0.0.1 ')
    path.write_text(older, encoding="utf-8")
    refuse_page_path(path)
    write_plan_page(path, page)
    assert "0.0.1" not in path.read_text(encoding="utf-8")
    assert sorted(entry.name for entry in odd_path.iterdir()) == ["plan_page.html", "project"]


@pytest.mark.parametrize("content", ["", "my notes", '<meta name="generator" content="another">', "x" * 9000])
def test_a_file_of_somebody_else_is_never_replaced(odd_path: Path, content: str) -> None:
    path = odd_path / "plan_page.html"
    path.write_text(content, encoding="utf-8")
    page = _page(odd_path / "project", dataset(concept(1, SQUARE)))
    with pytest.raises(UsageError) as error:
        refuse_page_path(path)
    refusal(error.value, UsageError, "usage.html.exists", str(path), "--html")
    with pytest.raises(UsageError):
        write_plan_page(path, page)
    assert path.read_text(encoding="utf-8") == content


def test_a_folder_is_never_replaced(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        refuse_page_path(tmp_path)
    refusal(error.value, UsageError, "usage.html.exists", f"{tmp_path} is a folder", "--html")


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "plan_page.html").symlink_to(tmp_path / "pages" / "real.html")
    page = _page(tmp_path / "project", dataset(concept(1, SQUARE)))
    for _ in range(2):
        write_plan_page(tmp_path / "plan_page.html", page)
        assert (tmp_path / "plan_page.html").is_symlink()
        assert "<!DOCTYPE html>" in (tmp_path / "pages" / "real.html").read_text(encoding="utf-8")
    (tmp_path / "circle.html").symlink_to(tmp_path / "circle.html")
    with pytest.raises(ProjectError) as error:
        write_plan_page(tmp_path / "circle.html", page)
    refusal(error.value, ProjectError, "project.write", "circle.html", "--html")


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    page = _page(tmp_path / "project", dataset(concept(1, SQUARE)))
    for path in (tmp_path / "file" / "plan_page.html", tmp_path / ("long" * 100 + ".html")):
        with pytest.raises(ProjectError) as error:
            write_plan_page(path, page)
        refusal(error.value, ProjectError, "project.write", str(path), "cannot be written", "--html")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "project"]
