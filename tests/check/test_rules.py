"""Each row of the rules' tables: settings that go against it, settings close by that do not, and no row untried."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loratpl.check import caching, combinations, network, optimizer, scheduler, siblings
from loratpl.check.rule import FLOW_FAMILIES, Rule
from loratpl.config.families import FAMILIES
from loratpl.config.modelspec import DROPPED_BY_THEM, FAMILIES_WITH_FEW_FIELDS, FILLED_IN
from tests.check.given_rules import settings_for

_TABLES = (caching, combinations, network, optimizer, scheduler, siblings)
_RULES: tuple[Rule, ...] = tuple(rule for table in _TABLES for rule in table.RULES)
_RELATIVE = {"optimizer_type": "Adafactor"}
_FIXED = {
    "optimizer_type": "Adafactor",
    "optimizer_args": "scale_parameter=False relative_step=False warmup_init=False",
}
_SAMPLES = {"sample_prompts": "p.txt", "sample_every_n_epochs": 1}
_CACHE = {
    "cache_text_encoder_outputs": True,
    "cache_text_encoder_outputs_to_disk": True,
    "network_train_unet_only": False,
}
_ALONE = {**_CACHE, "network_train_unet_only": True}
_TEXT = dict.fromkeys(_CACHE, False)  # the text encoders are trained, and nothing of them is cached
_FREE = {"optimizer_type": "AdamWScheduleFree"}

# family, code, option, what goes against the rule, what close by does not.
CASES: list[tuple[str, str, str, dict[str, Any], dict[str, Any]]] = [
    ("sd15", "config.combination", "adaptive_noise_scale", {"adaptive_noise_scale": 0.1},
     {"adaptive_noise_scale": 0.1, "noise_offset": 0.05}),
    ("sd15", "config.combination", "scale_v_pred_loss_like_noise_pred", {"scale_v_pred_loss_like_noise_pred": True},
     {"scale_v_pred_loss_like_noise_pred": True, "v_parameterization": True}),
    ("sd2", "config.combination", "v_pred_like_loss", {"v_pred_like_loss": 0.5, "v_parameterization": True},
     {"v_pred_like_loss": 0.5}),
    ("sdxl", "config.target", "zero_terminal_snr", {"zero_terminal_snr": True},
     {"zero_terminal_snr": True, "v_parameterization": True}),
    ("sd2", "config.ignored", "clip_skip", {"clip_skip": 2}, {}),
    ("sdxl", "config.ignored", "clip_skip", {"clip_skip": 2}, {}),
    ("flux", "config.ignored", "clip_skip", {"clip_skip": 2}, {}),
    ("sd15", "config.combination", "cache_latents", {"cache_latents": True, "color_aug": True}, {"color_aug": True}),
    ("sd15", "config.combination", "cache_latents", {"cache_latents": True, "random_crop": True},
     {"cache_latents": True, "flip_aug": True}),
    ("sd15", "config.ignored", "cache_latents", {"cache_latents": False, "cache_latents_to_disk": True},
     {"cache_latents_to_disk": True}),
    ("sd15", "config.combination", "full_fp16", {"full_fp16": True, "mixed_precision": "bf16"},
     {"full_fp16": True, "mixed_precision": "fp16"}),
    ("sd15", "config.combination", "full_bf16", {"full_bf16": True}, {"full_bf16": True, "mixed_precision": "bf16"}),
    ("sd15", "config.combination", "network_train_unet_only",
     {"network_train_unet_only": True, "network_train_text_encoder_only": True}, {"network_train_unet_only": True}),
    ("sd15", "config.combination", "dim_from_weights", {"dim_from_weights": True},
     {"dim_from_weights": True, "network_weights": "a.safetensors"}),
    ("sd15", "config.combination", "base_weights_multiplier",
     {"base_weights": ["a.safetensors"], "base_weights_multiplier": [1, 0.5]},
     {"base_weights": ["a.safetensors"], "base_weights_multiplier": [0.5]}),
    ("sd15", "config.combination", "persistent_data_loader_workers",
     {"persistent_data_loader_workers": True, "max_data_loader_n_workers": 0},
     {"persistent_data_loader_workers": True}),
    ("flux", "config.combination", "loss_type", {"loss_type": "huber"},
     {"loss_type": "smooth_l1", "huber_schedule": "constant"}),
    ("sd15", "config.value", "huber_c", {"loss_type": "huber", "huber_c": 0}, {"huber_c": 0}),
    ("flux", "config.value", "discrete_flow_shift", {"discrete_flow_shift": 0},
     {"discrete_flow_shift": 0, "timestep_sampling": "sigmoid"}),
    ("sd15", "config.ignored", "mem_eff_attn", {"mem_eff_attn": True, "sdpa": True}, {"mem_eff_attn": True}),
    ("sd15", "config.ignored", "sdpa", {"xformers": True, "sdpa": True}, {"xformers": True}),
    ("sd15", "config.ignored", "save_last_n_steps", {"save_last_n_steps": 100},
     {"save_last_n_steps": 100, "save_every_n_steps": 50}),
    ("sd15", "config.ignored", "save_last_n_epochs", {"save_last_n_epochs": 2, "save_every_n_steps": 50},
     {"save_last_n_epochs": 2}),
    ("sd15", "config.ignored", "sample_prompts", {"sample_prompts": "p.txt", "sample_every_n_steps": 0}, _SAMPLES),
    ("sd15", "config.samples", "sample_prompts", {"sample_at_first": True}, {"sample_every_n_steps": 0}),
    ("sd15", "config.ignored", "cpu_offload_checkpointing", {"cpu_offload_checkpointing": True}, {}),
    ("sdxl", "config.ignored", "text_encoder_lr", {"text_encoder_lr": [1e-5, 2e-5]}, {"text_encoder_lr": [1e-5, 1e-5]}),
    ("sd15", "config.ignored", "initial_step", {"initial_step": 5, "initial_epoch": 2}, {"initial_epoch": 2}),
    *(
        (family, "config.ignored", name, {name: value}, {})
        for family in sorted(FLOW_FAMILIES)
        for name, value in {
            "min_snr_gamma": 5, "debiased_estimation_loss": True, "noise_offset": 0.05,
            "multires_noise_iterations": 6, "v_parameterization": True, "zero_terminal_snr": True,
        }.items()
    ),
    *(
        (family, "config.ignored", name, {name: "a"}, {"metadata_tags": "a", name: False if name in FILLED_IN else ""})
        for family in sorted(FAMILIES_WITH_FEW_FIELDS)
        for name in DROPPED_BY_THEM
    ),
    *(
        (family, "config.caching", name, {**_ALONE, name: value}, {**_TEXT, name: value})
        for family in ("sdxl", "sd3", "flux", "chroma", "lumina", "hunyuan-image", "anima")
        for name, value in {
            "shuffle_caption": True, "caption_tag_dropout_rate": 0.1, "token_warmup_step": 10,
            "caption_dropout_every_n_epochs": 2,
        }.items()
    ),
    *(
        (family, "config.caching", "caption_dropout_rate", {**_ALONE, "caption_dropout_rate": 0.1},
         {**_ALONE, "caption_dropout_rate": 0})
        for family in ("sdxl", "sd3", "flux", "chroma", "lumina", "hunyuan-image")
    ),
    *(
        (family, "config.caching", "cache_text_encoder_outputs", _CACHE, _ALONE)
        for family in ("sdxl", "anima", "chroma", "hunyuan-image")
    ),
    *(
        (family, "config.caching", "cache_text_encoder_outputs", {**_ALONE, "network_args": {"train_t5xxl": True}},
         {**_ALONE, "network_args": {"train_t5xxl": False}})
        for family in ("sd3", "flux", "chroma")
    ),
    ("hunyuan-image", "config.caching", "cache_text_encoder_outputs",
     {**_ALONE, "cache_text_encoder_outputs_to_disk": False}, _ALONE),
    *(
        (family, "config.combination", "fp8_base", {option: True}, {option: True, "mixed_precision": "bf16"})
        for family in ("sd15", "sdxl", "sd3", "flux", "chroma", "lumina")
        for option in ("fp8_base", "fp8_base_unet")
    ),
    ("hunyuan-image", "config.combination", "fp8_base", {"fp8_base": True}, {"fp8_base": True, "fp8_scaled": True}),
    ("hunyuan-image", "config.ignored", "fp8_base", {"fp8_base": True, "mixed_precision": "bf16"},
     {"fp8_scaled": True, "mixed_precision": "bf16"}),
    ("anima", "config.ignored", "fp8_base", {"fp8_base": True}, {}),
    *(
        (family, "config.combination", "cpu_offload_checkpointing",
         {"cpu_offload_checkpointing": True, "gradient_checkpointing": True}, {"gradient_checkpointing": True})
        for family in ("sd15", "sd2", "sdxl", "sd3", "hunyuan-image")
    ),
    *(
        (family, "config.combination", "cpu_offload_checkpointing",
         {"cpu_offload_checkpointing": True, "blocks_to_swap": 2},
         {"cpu_offload_checkpointing": True, "gradient_checkpointing": True, "blocks_to_swap": 0})
        for family in ("flux", "chroma", "anima")
    ),
    ("anima", "config.combination", "unsloth_offload_checkpointing",
     {"unsloth_offload_checkpointing": True, "blocks_to_swap": 2}, {"unsloth_offload_checkpointing": True}),
    ("chroma", "config.combination", "apply_t5_attn_mask", {"apply_t5_attn_mask": False}, {"apply_t5_attn_mask": True}),
    ("flux", "config.deprecated", "split_mode", {"split_mode": True}, {"blocks_to_swap": 18}),
    ("flux", "config.deprecated", "split_mode", {"split_mode": True, "blocks_to_swap": 2}, {"blocks_to_swap": 2}),
    ("sd3", "config.ignored", "max_token_length", {"max_token_length": 225}, {}),
    ("hunyuan-image", "config.precision", "mixed_precision", {"mixed_precision": "fp16"}, {"mixed_precision": "bf16"}),
    ("hunyuan-image", "config.precision", "mixed_precision", _TEXT, _ALONE),
    ("hunyuan-image", "config.samples", "sample_prompts", {**_ALONE, **_SAMPLES},
     {**_SAMPLES, "mixed_precision": "bf16"}),
    ("lumina", "config.samples", "sample_prompts", {**_TEXT, **_SAMPLES},
     {**_TEXT, **_SAMPLES, "network_train_unet_only": True}),
    ("hunyuan-image", "config.combination", "network_train_text_encoder_only",
     {"network_train_text_encoder_only": True}, {"network_train_unet_only": True}),
    ("chroma", "config.combination", "network_train_text_encoder_only", {"network_train_text_encoder_only": True},
     {"network_train_text_encoder_only": True, "network_args": "train_t5xxl=true"}),
    ("sd15", "config.deprecated", "caption_extention", {"caption_extention": ".cap"}, {"caption_extension": ".cap"}),
    ("sd15", "config.deprecated", "use_lion_optimizer", {"use_lion_optimizer": True}, {"optimizer_type": "Lion"}),
    ("sd15", "config.combination", "use_lion_optimizer", {"use_lion_optimizer": True, "optimizer_type": "Lion"},
     {"optimizer_type": "Lion"}),
    ("sd15", "config.combination", "fused_backward_pass", {"fused_backward_pass": True},
     {"fused_backward_pass": True, **_RELATIVE}),
    ("sd15", "config.combination", "fused_backward_pass",
     {"fused_backward_pass": True, **_RELATIVE, "gradient_accumulation_steps": 2},
     {"fused_backward_pass": True, **_RELATIVE}),
    ("sd15", "config.ignored", "learning_rate", {**_RELATIVE, "unet_lr": 1e-4}, {**_FIXED, "unet_lr": 1e-4}),
    ("sd15", "config.combination", "optimizer_args",
     {"optimizer_type": "adafactor", "optimizer_args": {"relative_step": False, "warmup_init": True}}, _FIXED),
    ("sd15", "config.combination", "lr_warmup_steps", {"lr_scheduler": "constant", "lr_warmup_steps": 0.1},
     {"lr_scheduler": "constant_with_warmup", "lr_warmup_steps": 0.1}),
    ("sd15", "config.combination", "lr_warmup_steps", {"lr_scheduler_type": "ConstantLR", "lr_warmup_steps": 5},
     {"lr_scheduler_type": "ConstantLR", "lr_warmup_steps": 0}),
    ("sd15", "config.combination", "lr_warmup_steps", {**_RELATIVE, "lr_warmup_steps": 5},
     {**_FIXED, "lr_warmup_steps": 5}),
    ("sd15", "config.ignored", "lr_warmup_steps", {**_FREE, "lr_warmup_steps": 5}, {**_FREE, "lr_warmup_steps": 0}),
    ("sd15", "config.ignored", "lr_scheduler", {**_FREE, "lr_scheduler": "cosine"}, {**_FREE}),
    ("sd15", "config.ignored", "lr_scheduler", {**_RELATIVE, "lr_scheduler": "cosine"},
     {**_RELATIVE, "lr_scheduler": "adafactor"}),
    ("sd15", "config.combination", "lr_scheduler", {"lr_scheduler": "adafactor"},
     {**_RELATIVE, "lr_scheduler": "adafactor"}),
    ("sd15", "config.combination", "lr_scheduler", {**_FIXED, "lr_scheduler": "adafactor"},
     {**_FIXED, "lr_scheduler": "constant_with_warmup"}),
    ("sd15", "config.combination", "lr_scheduler", {"lr_scheduler": "cosine_with_min_lr"},
     {"lr_scheduler": "cosine_with_min_lr", "lr_scheduler_min_lr_ratio": 0.1}),
    ("sd15", "config.combination", "lr_scheduler", {"lr_scheduler": "piecewise_constant"},
     {"lr_scheduler": "piecewise_constant", "lr_scheduler_args": {"step_rules": "1:10,0.1"}}),
    ("sd15", "config.value", "lr_scheduler_num_cycles",
     {"lr_scheduler": "cosine_with_restarts", "lr_scheduler_num_cycles": -1},
     {"lr_scheduler": "cosine", "lr_scheduler_num_cycles": -1}),
    ("flux", "config.arguments", "network_args", {"network_args": {"split_qkv": True}},
     {"network_args": {"split_qkv": True, "train_blocks": "single"}}),
    ("lumina", "config.arguments", "network_args", {"network_args": "split_qkv=true"},
     {"network_args": "split_qkv=false"}),
    ("hunyuan-image", "config.arguments", "network_args", {"network_args": {"ggpo_beta": 0.01}},
     {"network_args": {"ggpo_beta": 0.01, "ggpo_sigma": 0.03, "split_qkv": True}}),
    ("sd15", "config.arguments", "network_args",
     {"network_module": "networks.dylora", "network_dim": 8, "network_args": "conv_dim=4"},
     {"network_module": "networks.dylora", "network_dim": 8, "network_args": "conv_dim=8"}),
    ("sd15", "config.arguments", "network_dim",
     {"network_module": "networks.dylora", "network_dim": 8, "network_args": "unit=3"},
     {"network_module": "networks.dylora", "network_dim": 8, "network_args": "unit=4"}),
    ("sd15", "config.combination", "network_train_text_encoder_only",
     {"network_module": "networks.oft", "network_train_text_encoder_only": True}, {"network_module": "networks.oft"}),
    ("flux", "config.ignored", "network_args", {"network_args": "conv_dim=4"}, {"network_args": "img_attn_dim=4"}),
]  # fmt: skip


def _found(rules: tuple[Rule, ...], folder: Path, family: str, options: dict[str, Any]) -> list[Rule]:
    settings = settings_for(folder, family, **options)
    return [rule for rule in rules if rule.judge(settings)]


@pytest.mark.parametrize(("family", "code", "option", "wrong", "right"), CASES)
def test_a_rule_finds_what_goes_against_it_and_nothing_close_by(
    tmp_path: Path, family: str, code: str, option: str, wrong: dict[str, Any], right: dict[str, Any]
) -> None:
    rules = tuple(rule for rule in _RULES if (rule.code, rule.option) == (code, option))
    (rule,) = _found(rules, tmp_path, family, wrong)
    problem = rule.judge(settings_for(tmp_path, family, **wrong))
    assert problem is not None
    assert option in f"{problem.message} {problem.where}"
    assert "{" not in problem.message
    assert problem.message.endswith(".")
    assert problem.fix.endswith(".")
    assert rule not in _found(rules, tmp_path, family, right)


def test_the_old_flags_of_the_optimiser_contradict_each_other_and_the_new_option(tmp_path: Path) -> None:
    both = settings_for(tmp_path, use_8bit_adam=True, use_lion_optimizer=True)
    assert [rule.fix for rule in optimizer.RULES if rule.judge(both)] == [
        "Take both out, and name one in `optimizer_type`."
    ]


def test_every_rule_is_tried(tmp_path: Path) -> None:
    tried = {
        id(rule)
        for number, (family, *_, wrong, _right) in enumerate(CASES)
        for rule in _found(_RULES, tmp_path / str(number), family, wrong)
    }
    # These go by what a config of the kohya_ss GUI, or a contradiction of the family's own, would have to say.
    elsewhere = {"use_8bit_adam", "model_type"}
    assert [rule for rule in _RULES if id(rule) not in tried and rule.option not in elsewhere] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_a_rule_never_fires_at_the_defaults(tmp_path: Path, family: str) -> None:
    settings = settings_for(tmp_path, family)
    found = [problem for rule in _RULES if (problem := rule.judge(settings))]
    assert found == []
