"""Captions without the trigger word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.check.captions.given_captions import CAT, captioned, problems_of
from tests.given import only


def test_captions_of_which_some_lack_the_trigger_are_a_warning_with_their_number(odd_path: Path) -> None:
    problem = only(problems_of(odd_path, captioned("ohwx cat", "a cat on a mat", "OHWX, sitting", "an ohwxy cat")))
    assert (problem.severity, problem.code, problem.where) == ("warning", "dataset.caption.trigger", CAT)
    assert f"2 of 4 captions of {CAT} lack the trigger word `ohwx`: 2.png, 4.png." in problem.message
    assert "`ohwx`" in problem.fix


def test_captions_that_all_lack_it_are_one_warning_that_leaves_the_choice(tmp_path: Path) -> None:
    problem = only(problems_of(tmp_path, captioned("a cat", "a tabby cat")))
    assert f"None of the captions of {CAT} has the word `ohwx`" in problem.message
    assert "caption_prefix" in problem.fix
    assert "style" in problem.fix


@pytest.mark.parametrize(
    ("folder", "text"),
    [
        ("10_hatsune_miku", "1girl, hatsune miku, twintails"),
        ("10_hatsune_miku \\(vocaloid\\)", "hatsune_miku (vocaloid)"),
        ("10_an ohwx cat", "ohwx"),
        ("10_猫", "赤い猫がいる"),
        ("10_КОШКА", "красная кошка"),
        ("10_ohwx, cat", "ohwx"),
        ("10_!!", "anything"),
        ("10_", "anything"),
        ("10_😀 cat", "anything"),
    ],
)
def test_the_trigger_is_found_however_it_is_written(tmp_path: Path, folder: str, text: str) -> None:
    assert problems_of(tmp_path, captioned(text, folder=f"image_dir/{folder}")) == []


def test_a_prefix_puts_the_trigger_into_every_caption(tmp_path: Path) -> None:
    assert problems_of(tmp_path, captioned("a cat", "a dog"), caption_prefix="ohwx,") == []


def test_regularisation_images_have_no_trigger(tmp_path: Path) -> None:
    assert problems_of(tmp_path, captioned("ohwx") | captioned("a pet", folder="reg_dir/1_cat")) == []
