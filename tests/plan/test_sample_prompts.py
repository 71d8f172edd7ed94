"""Files of prompts, read as the trainer reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from loratpl.plan.sample_prompts import prompt_in, read_prompts


def test_a_line_may_say_everything_that_the_trainer_understands() -> None:
    line = "a cat --w 768 --H 512 --d 7 --s 5000 --l 7.5 --g 3.5 --n bad, worse --ss euler_a --ctr 0.25 --fs 3"
    assert prompt_in(line) == {
        "prompt": "a cat", "width": 768, "height": 512, "seed": 7, "sample_steps": 1000, "scale": 7.5,
        "guidance_scale": 3.5, "negative_prompt": "bad, worse", "sample_sampler": "euler_a", "cfg_trunc_ratio": 0.25,
        "flow_shift": "3",
    }  # fmt: skip


def test_a_flag_that_is_not_as_it_should_be_counts_for_nothing() -> None:
    assert prompt_in("a cat --w wide --l 1.2.3 --d -1") == {"prompt": "a cat"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.txt", "# of mine\n\n  a cat --w 64\na dog"),
        ("p.json", '["a cat --w 64", {"prompt": "a dog", "subset": []}]'),
        ("p.toml", '[prompt]\n[[prompt.subset]]\nprompt = "a cat"\nwidth = 64\n[[prompt.subset]]\nprompt = "a dog"'),
    ],
)
def test_every_kind_of_file_is_read(odd_path: Path, name: str, content: str) -> None:
    path = odd_path / name
    path.write_text(content, encoding="utf-8")
    assert read_prompts(path) == [{"prompt": "a cat", "width": 64}, {"prompt": "a dog"}]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.yaml", "- a cat"), ("p.json", "{"), ("p.json", "{}"), ("p.json", "[1]"), ("p.json", "[[]]"),
        ("p.toml", "a = 1"), ("p.toml", '[prompt]\nwidth = 64\n[[prompt.subset]]\nwidth = 32'), ("p.txt", "\udcff"),
    ],
)  # fmt: skip
def test_what_the_trainer_would_end_on_is_refused(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises((ValueError, KeyError, TypeError)):
        read_prompts(path)
