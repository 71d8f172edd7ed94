"""Captions of which the end is cut off."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from loratpl.check.captions.tokens import clip_counter, estimated_tokens
from tests.check.captions.given_captions import CAT, captioned, problems_of
from tests.given import only

# Counted with `transformers.CLIPTokenizer` and CLIP's vocabulary.
COUNTED = {
    "Kurisu Makise, looking at viewer, long hair, standing, 1girl, hair ornament, hair flower, cute, jacket": 26,
    "sks dog, a golden retriever puppy lying on a wooden floor beside a red ball, soft daylight from the window": 22,
    "1boy, armor, sword, cape, holding weapon, glowing eyes, castle, night, full moon, dutch angle, gauntlets": 27,
    "“ｃａｔ” &amp; dog, it's D'Arc, 3.14, e\u0301, ﬁre": 20,
    "猫が赤いマットの上に座っている、窓の光": 32,
}
HAS_VOCABULARY = importlib.util.find_spec("instant_clip_tokenizer") is not None


@pytest.mark.parametrize(("text", "tokens"), COUNTED.items())
def test_the_estimate_is_near_what_the_trainer_counts(text: str, tokens: int) -> None:
    assert abs(estimated_tokens(text) - tokens) <= (0.1 if text.isascii() else 0.4) * tokens + 1


@pytest.mark.skipif(not HAS_VOCABULARY, reason="the extra `tokens` is not installed")
@pytest.mark.parametrize(("text", "tokens"), COUNTED.items())
def test_the_vocabulary_counts_as_the_trainer_does(text: str, tokens: int) -> None:
    counter = clip_counter()
    assert counter.is_exact
    assert counter.count(text) == tokens


@pytest.mark.skipif(HAS_VOCABULARY, reason="the extra `tokens` is installed")
def test_without_the_vocabulary_the_count_is_an_estimate(tmp_path: Path) -> None:
    problem = only(problems_of(tmp_path, captioned("ohwx " + "red " * 80)))
    assert "about 81 tokens (an estimate" in problem.message
    assert "kohyatpl[tokens]" in problem.fix


@pytest.mark.parametrize(
    ("words", "family", "options", "said", "fix"),
    [
        (80, "sd15", {}, "CLIP takes 75", '"max_token_length": 150'),
        (80, "sdxl", {}, "CLIP takes 75", '"max_token_length": 150'),
        (160, "sd15", {"max_token_length": 150}, "CLIP takes 150", '"max_token_length": 225'),
        (300, "sd15", {"max_token_length": 225}, "CLIP takes 225", "Shorten it"),
        (300, "sd3", {}, "T5 takes 256", "Shorten it"),
        (600, "flux", {}, "T5 takes 512", "Shorten it"),
        (200, "flux", {"t5xxl_max_token_length": 128}, "T5 takes 128", "Shorten it"),
        (300, "lumina", {}, "Gemma takes 256", "Shorten it"),
        (80, "sd15", {"caption_suffix": "red " * 70}, "CLIP takes 75", "225"),
    ],
)
def test_a_caption_that_is_cut_is_a_warning(
    tmp_path: Path, words: int, family: str, options: dict[str, Any], said: str, fix: str
) -> None:
    files = captioned("ohwx cat", "ohwx " + "red " * words)
    problem = next(p for p in problems_of(tmp_path, files, family, **options) if p.where == f"{CAT}/2.txt")
    assert (problem.severity, problem.code) == ("warning", "dataset.caption.long")
    assert said in problem.message
    assert fix in problem.fix


@pytest.mark.parametrize(
    ("text", "family", "options"),
    [
        ("red " * 70, "sd15", {}),
        ("red " * 140, "sdxl", {"max_token_length": 150}),
        ("red " * 200, "sd3", {}),
        ("red " * 80, "flux", {}),
        ("red " * 900, "hunyuan-image", {}),
        ("red " * 40 + "\n" + "ohwx " + "blue " * 40, "sd15", {"enable_wildcard": True}),
        ("{" + "red " * 40 + "|" + "blue " * 40 + "}", "sd15", {"enable_wildcard": True}),
        ("(red:1.1), " * 24, "sd15", {"weighted_captions": True}),
    ],
)
def test_a_caption_that_fits_is_no_problem(tmp_path: Path, text: str, family: str, options: dict[str, Any]) -> None:
    assert problems_of(tmp_path, captioned(f"ohwx {text}"), family, **options) == []
