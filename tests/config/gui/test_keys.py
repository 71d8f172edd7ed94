"""The table of the kohya_ss GUI's keys: what each value means, and that the documentation says the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import loratpl
from loratpl.config.families import FAMILIES
from loratpl.config.gui.key import GuiKey
from loratpl.config.gui.keys import GUI_KEYS, THREADS, documented_rows, gui_only_keys, second_generation_keys
from loratpl.config.gui.network import LORAPLUS, NETWORKS
from loratpl.config.gui.rows_training import PROCESSES, VISIBLE_DEVICES
from loratpl.config.gui.values import Instead
from loratpl.config.options import ValueRefusedError
from loratpl.trainer.manifest import load_manifest
from tests.config.gui.second_generation import SECOND_GENERATION

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


def test_every_key_of_the_second_generation_has_a_row_with_its_reason() -> None:
    assert len(SECOND_GENERATION) == 287
    assert SECOND_GENERATION.keys() <= GUI_KEYS.keys()


@pytest.mark.parametrize("row", GUI_KEYS.values(), ids=lambda row: row.name)
def test_every_row_becomes_an_option_of_its_families_a_key_of_ours_or_nothing(row: GuiKey) -> None:
    if row.becomes is None:
        assert row.instead or row.reason.startswith(("dropped", "each of the trainer's options"))
    elif row.becomes not in (THREADS, PROCESSES, VISIBLE_DEVICES, "family"):
        options_of = load_manifest().options_of
        for family in row.families or ("sd15",):
            assert row.becomes in options_of[FAMILIES[family].script], family


def test_every_item_of_network_args_is_sent_by_a_network() -> None:
    sent = {key for network in NETWORKS.values() for key in (*network.always, *network.said)} | set(LORAPLUS)
    items = {row.name for row in GUI_KEYS.values() if row.argument} - {"train_lora_ggpo"}
    assert items == sent
    assert all(key in GUI_KEYS for network in NETWORKS.values() for key, _ in network.renamed)


def test_a_file_is_known_by_keys_that_the_trainer_does_not_have() -> None:
    first = gui_only_keys() - second_generation_keys()
    assert first == {
        "max_resolution",
        "epoch",
        "lr_warmup",
        "num_cpu_threads_per_process",
        "no_token_padding",
        "stop_text_encoder_training",
        "lora_network_weights",
        "model_list",
    }
    assert {"LoRA_type", "optimizer", "flux1_checkbox", "num_processes"} <= second_generation_keys()
    # What anyone may have put beside network_args instead of into it, and what other families' scripts know.
    assert not {"conv_dim", "factor", "clip_l", "ae", "guidance_scale"} & gui_only_keys()


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
        ("caption_extension", None, None),
        ("xformers", True, True),
        ("xformers", False, None),
        ("xformers", "xformers", True),
        ("xformers", "sdpa", Instead("sdpa", True)),
        ("xformers", "none", Instead("sdpa", False)),
        ("noise_offset", 0, None),
        ("max_grad_norm", 0, 0),
        ("multires_noise_discount", 0, 0),
        ("guidance_scale", 0, 0),
        ("dynamo_backend", "no", None),
        ("dynamo_backend", "inductor", "inductor"),
        ("num_processes", 1, None),
        ("num_processes", "2", 2),
        ("num_machines", 1, None),
        ("gpu_ids", "0, 1", "0,1"),
        ("gpu_ids", "", None),
        ("gpu_ids", 0, "0"),
        ("gpu_ids", "all", None),
        ("use_wandb", "True", "wandb"),
        ("use_wandb", True, "wandb"),
        ("use_wandb", "", None),
        ("resume_from_huggingface", "yes", True),
        ("resume_from_huggingface", "", None),
        ("wandb_api_key", False, None),
        ("sample_prompts", " \n", None),
        ("sdxl", True, "sdxl"),
        ("sdxl", False, None),
        ("hunyuan_image_checkbox", True, "hunyuan-image"),
        ("anima_attn_mode", "torch", None),
        ("anima_attn_mode", "flash", "flash"),
        ("optimizer_args", "weight_decay = 0.1", ["weight_decay=0.1"]),
        ("optimizer_args", '"d0=1e-5" betas=(0.9, 0.99)', ["d0=1e-5", "betas=(0.9,0.99)"]),
        ("optimizer_args", "betas=0.9, 0.99 stray", ["betas=0.9,0.99", "stray"]),
        ("optimizer_args", ["a=1"], ["a=1"]),
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
        ("num_processes", "two"),
        ("num_processes", 1000),
        ("sdxl", "yes"),
        ("flux1_checkbox", 1),
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
