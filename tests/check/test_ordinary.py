"""No false alarm: what people train with every day has no problem, and neither have the defaults of any family."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loratpl.check.machine.gpus import machine_problems
from loratpl.check.machine.packages import locked_packages, package_problems
from loratpl.check.registry import settings_problems
from loratpl.config.families import FAMILIES
from loratpl.trainer.pin import load_lock
from tests.check.given_rules import settings_for

_PACKAGES = locked_packages(load_lock())
# Written by us after what the trainer's documentation and the public notebooks recommend.
ORDINARY: list[tuple[str, dict[str, Any]]] = [
    ("sd15", {"optimizer_type": "AdamW8bit", "mixed_precision": "fp16", "lr_scheduler": "cosine_with_restarts",
              "lr_scheduler_num_cycles": 3, "lr_warmup_steps": 0.05, "clip_skip": 2, "min_snr_gamma": 5,
              "network_dim": 32, "network_alpha": 16, "unet_lr": 1e-4, "text_encoder_lr": 5e-5}),
    ("sd15", {"network_args": {"conv_dim": 8, "conv_alpha": 4}, "network_dim": 16, "network_alpha": 8}),
    ("sd15", {"optimizer_type": "Prodigy", "learning_rate": 1, "network_alpha": 16, "optimizer_args": [
        "decouple=True", "weight_decay=0.01", "d_coef=2", "use_bias_correction=True", "safeguard_warmup=True"]}),
    ("sd15", {"network_dim": 128, "network_alpha": 1, "learning_rate": 5e-4, "shuffle_caption": True}),
    ("sd15", {"lr_scheduler": "constant", "max_train_steps": 1500, "max_token_length": 225, "flip_aug": True}),
    ("sd15", {"network_module": "networks.lora_fa", "optimizer_type": "AdamW", "optimizer_args": "weight_decay=0.1"}),
    ("sd2", {"v_parameterization": True, "resolution": "768", "mixed_precision": "bf16"}),
    ("sdxl", {"optimizer_type": "Adafactor", "lr_scheduler": "constant_with_warmup", "lr_warmup_steps": 100,
              "optimizer_args": "scale_parameter=False relative_step=False warmup_init=False",
              "mixed_precision": "bf16", "full_bf16": True, "cache_text_encoder_outputs": True,
              "network_train_unet_only": True, "gradient_checkpointing": True, "max_grad_norm": 0}),
    ("sdxl", {"v_parameterization": True, "zero_terminal_snr": True, "noise_offset": 0.0357, "no_half_vae": True}),
    ("sdxl", {"optimizer_type": "Adafactor"}),
    ("flux", {"mixed_precision": "bf16", "fp8_base": True, "network_args": ["train_blocks=single"],
              "timestep_sampling": "shift", "discrete_flow_shift": 3.1582, "guidance_scale": 1.0,
              "model_prediction_type": "raw", "cache_text_encoder_outputs_to_disk": True,
              "cache_text_encoder_outputs": True, "network_train_unet_only": True, "blocks_to_swap": 18,
              "optimizer_type": "AdamW8bit", "gradient_checkpointing": True}),
    ("flux", {"mixed_precision": "bf16", "network_args": {"train_t5xxl": True}, "network_train_unet_only": False,
              "cache_text_encoder_outputs": False, "cache_text_encoder_outputs_to_disk": False}),
    ("chroma", {"mixed_precision": "bf16", "apply_t5_attn_mask": True, "timestep_sampling": "sigmoid",
                "network_train_unet_only": True, "cache_text_encoder_outputs": True}),
    ("sd3", {"mixed_precision": "bf16", "network_args": "context_attn_dim=8 emb_dims=4,4,4,4,4,4",
             "weighting_scheme": "logit_normal", "training_shift": 3.0}),
    ("lumina", {"mixed_precision": "bf16", "timestep_sampling": "nextdit_shift", "gemma2_max_token_length": 256}),
    ("hunyuan-image", {"mixed_precision": "bf16", "fp8_scaled": True, "attn_mode": "torch", "split_attn": True,
                       "cache_text_encoder_outputs": True, "cache_text_encoder_outputs_to_disk": True,
                       "network_train_unet_only": True, "network_args": "split_qkv=True", "blocks_to_swap": 20}),
    ("anima", {"mixed_precision": "bf16", "learning_rate": 2e-5, "attn_mode": "torch",
               "network_args": {"exclude_patterns": [".*llm.*"], "train_llm_adapter": True}}),
]  # fmt: skip


@pytest.mark.parametrize(("family", "options"), ORDINARY)
def test_an_ordinary_config_has_no_problem(tmp_path: Path, family: str, options: dict[str, Any]) -> None:
    settings = settings_for(tmp_path, family, **options)
    assert [*settings_problems(settings), *package_problems(settings, _PACKAGES), *machine_problems(settings, 1)] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_the_defaults_have_no_problem_on_any_machine(tmp_path: Path, family: str) -> None:
    settings = settings_for(tmp_path, family)
    assert [*settings_problems(settings), *package_problems(settings, _PACKAGES)] == []
    assert all(list(machine_problems(settings, count)) == [] for count in (None, 0, 1))
