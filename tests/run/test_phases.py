"""The phases before the first step, told from the lines that the pinned trainer prints."""

from __future__ import annotations

import re

import pytest

from loratpl.run import phases
from loratpl.run.phases import TRAINING, phase_of
from loratpl.trainer.status import TrainerStatus

# Whatever says something in a training of an SD 1.5 LoRA.
SPEAKERS = ("train_network.py", "library/train_util.py", "library/strategy_sd.py", "networks/lora.py")


INFO = "                    INFO     "


@pytest.mark.parametrize(
    ("line", "phase"),
    [
        ("2026-11-22 15:06:31 INFO     Using v1 tokenizer            strategy_sd.py:26", "reading the tokenizer"),
        (f"{INFO}Loading dataset config from /p/dataset.toml  train_network.py:519", "reading pictures and captions"),
        (f"{INFO}preparing accelerator                        train_network.py:593", "loading the base model"),
        (f"{INFO}caching latents with caching strategy.         train_util.py:1120", "caching latents"),
        (f"{INFO}create LoRA network. base dim (rank): 4, alpha: 1.0     lora.py:935", "creating the network"),
        ("prepare optimizer, data loader etc.", "preparing the optimiser"),
        ("running training / 学習開始", TRAINING),
        ("saving checkpoint: /somewhere/out/t.safetensors", "saving"),
        (f"{INFO}generating sample images at step / サンプル画像生成 ステップ: 3", "drawing samples"),
        ("steps:  17%|█▋        | 1/6 [00:01<00:05,  1.00s/it, avr_loss=0.1]", None),
        ("  num epochs / epoch数: 3", None),
        ("", None),
    ],
)
def test_a_line_of_the_log_begins_a_phase_or_none(line: str, phase: str | None) -> None:
    assert phase_of(line) == phase


@pytest.mark.trainer
@pytest.mark.parametrize("piece", [piece for piece, _ in phases._BEGINNINGS])
def test_the_pinned_trainer_says_what_begins_a_phase(installed_trainer: TrainerStatus, piece: str) -> None:
    said = re.compile(rf"(?:info|print)\(\s*f?\"[^\"]*{re.escape(piece)}")
    texts = [(installed_trainer.paths.source_dir / name).read_text(encoding="utf-8") for name in SPEAKERS]
    assert any(said.search(text) for text in texts)
