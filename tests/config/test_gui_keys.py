"""The table of the kohya_ss GUI's keys: what each value means, and that the documentation says the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import loratpl
from loratpl.config.gui_keys import GUI_KEYS, THREADS, documented_rows, gui_only_keys
from loratpl.config.options import ValueRefusedError
from loratpl.trainer.manifest import BASE_SCRIPT, load_manifest

DOCUMENT = Path(loratpl.__file__).parent.parent / "docs" / "config.md"
# What the LoRA tab wrote, with the value that each field had when nobody touched it.
FIRST_GENERATION: dict[str, Any] = {
    "pretrained_model_name_or_path": "model.safetensors", "v2": False, "v_parameterization": False,
    "logging_dir": "", "train_data_dir": "", "reg_data_dir": "", "output_dir": "", "max_resolution": "512,512",
    "learning_rate": "0.0001", "lr_scheduler": "cosine", "lr_warmup": "10", "train_batch_size": 1, "epoch": "1",
    "save_every_n_epochs": "1", "mixed_precision": "no", "save_precision": "fp16", "seed": "1234",
    "num_cpu_threads_per_process": 2, "cache_latents": True, "caption_extension": "", "enable_bucket": True,
    "gradient_checkpointing": False, "full_fp16": False, "no_token_padding": False, "stop_text_encoder_training": 0,
    "use_8bit_adam": True, "xformers": True, "save_model_as": "safetensors", "shuffle_caption": False,
    "save_state": False, "resume": "", "prior_loss_weight": 1.0, "text_encoder_lr": "5e-5", "unet_lr": "0.0001",
    "network_dim": 8, "lora_network_weights": "", "color_aug": False, "flip_aug": False, "clip_skip": 1,
    "gradient_accumulation_steps": 1.0, "mem_eff_attn": False, "output_name": "", "model_list": [],
    "max_token_length": "75", "max_train_epochs": "", "max_data_loader_n_workers": "", "network_alpha": 1,
    "training_comment": "", "keep_tokens": "0", "lr_scheduler_num_cycles": "", "lr_scheduler_power": "",
    "persistent_data_loader_workers": False, "bucket_no_upscale": True, "random_crop": False,
    "bucket_reso_steps": 64.0, "caption_dropout_every_n_epochs": 0.0, "caption_dropout_rate": 0,
}  # fmt: skip


def meaning(key: str, value: Any) -> Any:
    return GUI_KEYS[key].meaning(value)


def test_every_key_of_the_first_generation_has_a_row_with_its_reason() -> None:
    assert len(FIRST_GENERATION) == 57
    assert FIRST_GENERATION.keys() <= GUI_KEYS.keys()
    assert all(row.reason and row.name == name for name, row in GUI_KEYS.items())


def test_every_row_becomes_an_option_of_the_trainer_a_key_of_ours_or_nothing() -> None:
    options = load_manifest().options_of[BASE_SCRIPT].keys()
    became = {row.becomes for row in GUI_KEYS.values()} - {None, THREADS}
    assert became <= options
    nothing = {row.name for row in GUI_KEYS.values() if row.becomes is None}
    assert nothing == {"model_list", "no_token_padding", "stop_text_encoder_training"}


def test_what_only_the_gui_has_is_known_by_the_trainers_own_options() -> None:
    assert gui_only_keys() == {
        "max_resolution",
        "epoch",
        "lr_warmup",
        "num_cpu_threads_per_process",
        "no_token_padding",
        "stop_text_encoder_training",
        "lora_network_weights",
        "model_list",
    }


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("clip_skip", 1, None),
        ("clip_skip", "1", None),
        ("clip_skip", 2, 2),
        ("gradient_accumulation_steps", 1.0, None),
        ("gradient_accumulation_steps", "4", "4"),
        ("max_token_length", "75", None),
        ("max_token_length", 150, 150),
        ("keep_tokens", "0", None),
        ("keep_tokens", "1", "1"),
        ("max_train_epochs", "0", None),
        ("max_train_epochs", "3", "3"),
        ("save_every_n_epochs", 0, None),
        ("caption_dropout_rate", 0.0, None),
        ("caption_dropout_rate", 0.1, 0.1),
        ("caption_extension", "", ".caption"),
        ("caption_extension", "txt", "txt"),
        ("lr_warmup", "10", 0.1),
        ("lr_warmup", 7, 0.07),
        ("lr_warmup", "2.5", 0.025),
        ("lr_warmup", "0", None),
        ("lr_warmup", "", None),
        ("use_8bit_adam", True, "AdamW8bit"),
        ("use_8bit_adam", False, None),
        ("save_model_as", "same as source model", "safetensors"),
        ("save_model_as", "diffusers", "safetensors"),
        ("save_model_as", "ckpt", "ckpt"),
        ("num_cpu_threads_per_process", 8, 8),
        ("num_cpu_threads_per_process", "8.0", 8),
        ("num_cpu_threads_per_process", 0, None),
        ("max_resolution", 512, "512"),
        ("max_resolution", "768,512", "768,512"),
        ("seed", "0", "0"),
        ("max_data_loader_n_workers", "0", "0"),
    ],
)
def test_a_value_means_what_the_gui_made_of_it(key: str, value: Any, expected: Any) -> None:
    found = meaning(key, value)
    assert (found, type(found)) == (expected, type(expected))


def test_a_warm_up_of_all_steps_is_not_taken_for_one_step() -> None:
    assert 0.999 < meaning("lr_warmup", "100") < 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("lr_warmup", "ten"),
        ("lr_warmup", -1),
        ("lr_warmup", 101),
        ("lr_warmup", True),
        ("use_8bit_adam", "true"),
        ("use_8bit_adam", 1),
        ("num_cpu_threads_per_process", "many"),
        ("num_cpu_threads_per_process", 1.5),
        ("num_cpu_threads_per_process", -2),
        ("num_cpu_threads_per_process", 5000),
    ],
)
def test_a_value_that_means_nothing_is_refused_by_its_key(key: str, value: Any) -> None:
    with pytest.raises(ValueRefusedError, match=f"`{key}` takes") as caught:
        meaning(key, value)
    assert caught.value.fix


def test_the_document_has_the_table_as_it_is() -> None:
    _, _, section = DOCUMENT.read_text(encoding="utf-8").partition("## Keys of the kohya_ss GUI")
    rows = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("| `")]
    assert rows == list(documented_rows())
