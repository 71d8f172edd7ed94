"""Which caption every picture gets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loratpl.dataset.captions import CaptionSettings, ConceptCaptions, Origin, read_captions, read_concept
from loratpl.dataset.captions.collecting import caption_paths
from loratpl.dataset.scan import scan
from tests.check.given_rules import settings_for
from tests.stand_in import write_picture

FOLDER = "10_ohwx cat"


def _read(root_dir: Path, files: Mapping[str, str], extension: str = ".txt") -> ConceptCaptions:
    folder = root_dir / "image_dir" / FOLDER
    folder.mkdir(parents=True)
    for name, text in files.items():
        if name.endswith((".png", ".jpg")):
            write_picture(folder / name)
        else:
            (folder / name).write_text(text, encoding="utf-8")
    (concept,) = scan(root_dir / "image_dir", None).concepts
    return read_concept(concept, CaptionSettings(extension))


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        ("p/a_b_c_d.png", ("p/a_b_c_d.txt",)),
        ("p/a_b_c_d_e.png", ("p/a_b_c_d_e.txt", "p/a.txt")),
        ("p_1/q_2/a.b_3_4.png", ("p_1/q_2/a.b_3_4.txt", "p.txt")),
        ("p/_____.png", ("p/_____.txt", "p/_.txt")),
        ("p/a.PNG.png", ("p/a.PNG.txt",)),
    ],
)
def test_the_trainer_looks_in_these_files(picture: str, expected: tuple[str, ...]) -> None:
    assert caption_paths(picture, ".txt") == expected


@given(st.text("ab_./", min_size=1), st.sampled_from([".txt", ".caption"]))
def test_the_files_are_those_of_the_trainer_s_rule(picture: str, extension: str) -> None:
    stem = os.path.splitext(picture)[0]  # noqa: PTH122 - the trainer's own words
    parts = stem.split("_")
    crop = "_".join(parts[:-4]) if len(parts) >= 5 else stem
    assert tuple(dict.fromkeys((stem + extension, crop + extension))) == caption_paths(picture, extension)


def test_each_picture_has_the_text_of_its_own_file(odd_path: Path) -> None:
    read = _read(odd_path, {"1.png": "", "1.txt": "one", "a.b.jpg": "", "a.b.txt": "two", "3.png": ""})
    assert {c.picture.name: (c.text, c.origin) for c in read.captions} == {
        "1.png": ("one", Origin.OWN),
        "3.png": ("ohwx cat", Origin.CLASS_TOKENS),
        "a.b.jpg": ("two", Origin.OWN),
    }
    assert len(read.written) == 2
    assert read.unused == ()


def test_pictures_of_one_stem_share_a_file_that_is_read_once(tmp_path: Path) -> None:
    first, second = _read(tmp_path, {"1.png": "", "1.jpg": "", "1.txt": "one"}).captions
    assert first.file is second.file


def test_a_face_that_was_cut_out_has_the_text_of_the_picture(odd_path: Path) -> None:
    read = _read(odd_path, {"ann.png": "", "ann.txt": "ann", "ann_0100_0200_0300_0400.png": ""})
    assert [(c.text, c.origin) for c in read.captions] == [("ann", Origin.OWN), ("ann", Origin.FACE_CROP)]


def test_an_own_file_comes_before_the_one_of_the_whole_picture(tmp_path: Path) -> None:
    files = {"ann_1_2_3_4.png": "", "ann_1_2_3_4.txt": "face", "ann.txt": "ann"}
    read = _read(tmp_path, files)
    assert [caption.text for caption in read.captions] == ["face"]
    assert read.unused == ("ann.txt",)


def test_files_that_look_like_captions_and_are_nobody_s_are_kept_in_mind(odd_path: Path) -> None:
    files = dict.fromkeys(("1.png", "1.tags", "2.TXT", "3.caption", "4.foo", "notes.md", ".hidden.txt", "5.json"), "x")
    assert _read(odd_path, files, ".foo").unused == ("1.tags", "2.TXT", "3.caption", "4.foo")


def test_a_whole_dataset_is_read_by_its_settings(odd_path: Path) -> None:
    for parent, folder in (("image_dir", FOLDER), ("reg_dir", "1_cat")):
        (odd_path / parent / folder).mkdir(parents=True)
        write_picture(odd_path / parent / folder / "1.png")
        (odd_path / parent / folder / "1.cap").write_text("\n a \n\nb\n", encoding="utf-8")
    settings = settings_for(odd_path, caption_extension="cap", enable_wildcard=True, shuffle_caption=True)
    read = read_captions(scan(odd_path / "image_dir", odd_path / "reg_dir"), lambda _: settings)
    assert [(item.concept.is_reg, [c.text for c in item.captions]) for item in read] == [
        (False, ["a\nb"]),
        (True, ["a\nb"]),
    ]
    assert {item.settings for item in read} == {
        CaptionSettings(".cap", enable_wildcard=True, shuffle_caption=True, cuts_tags=True)
    }


@pytest.mark.parametrize("option", [{"caption_tag_dropout_rate": 0.5}, {"token_warmup_step": 10}])
def test_captions_are_taken_apart_by_more_than_shuffling(tmp_path: Path, option: dict[str, float]) -> None:
    (tmp_path / "image_dir" / FOLDER).mkdir(parents=True)
    write_picture(tmp_path / "image_dir" / FOLDER / "1.png")
    (read,) = read_captions(scan(tmp_path / "image_dir", None), lambda _: settings_for(tmp_path, **option))
    assert read.settings.cuts_tags
    assert not read.settings.shuffle_caption
