"""The second generation of the GUI's keys, the parts of the window that belong to one model family."""

from __future__ import annotations

from loratpl.config.gui.key import GuiKey, same
from loratpl.config.gui.values import as_written, asked_for, beyond_default, box, nothing, unset_at_zero

# The box that switches a family on.
BOXES = {
    "sdxl": "sdxl",
    "flux1_checkbox": "flux",
    "sd3_checkbox": "sd3",
    "hunyuan_image_checkbox": "hunyuan-image",
    "anima_checkbox": "anima",
    "lumina_checkbox": "lumina",
}
_FLUX = ("flux", "chroma")
_SWAPPING = (*_FLUX, "sd3", "hunyuan-image", "anima", "lumina")
_CACHES = ("cache_text_encoder_outputs", "cache_text_encoder_outputs_to_disk")


def _prefixed(prefix: str, families: tuple[str, ...], *names: str) -> tuple[GuiKey, ...]:
    reason = "the option without the prefix, where its family is trained"
    return tuple(GuiKey(f"{prefix}_{name}", name, as_written, reason, families=families) for name in names)


def _of(families: tuple[str, ...], *names: str) -> tuple[GuiKey, ...]:
    return same(*names, reason="the same option, where its family is trained", families=families)


def _without_counterpart(
    families: tuple[str, ...], fix: str, *names: str, default: object = False
) -> tuple[GuiKey, ...]:
    meaning = asked_for if default is False else beyond_default(default)
    reason = "no counterpart in the pinned trainer: a warning where its family is trained and it was changed"
    return tuple(GuiKey(name, None, meaning, reason, instead=fix, families=families) for name in names)


_NO_COMPILING = "Take it out: of compiling the pinned trainer has `torch_compile` and `dynamo_backend` alone."
ROWS = (
    *(
        GuiKey(
            name,
            "family",
            box(name, family),
            f"true is the family `{family}`"
            + (", or `chroma` where `model_type` says so" if family == "flux" else "")
            + "; two such boxes at once are an error (the GUI took the first)",
        )
        for name, family in BOXES.items()
    ),
    *_prefixed("sdxl", ("sdxl",), "cache_text_encoder_outputs", "no_half_vae"),
    # FLUX and Chroma.
    *_prefixed("flux1", _FLUX, *_CACHES),
    GuiKey(
        "model_type",
        "model_type",
        beyond_default("flux"),
        "`chroma` is the family `chroma`; `flux` is dropped: the box says it",
        families=_FLUX,
    ),
    *_of(
        _FLUX,
        "ae",
        "t5xxl",
        "t5xxl_max_token_length",
        "model_prediction_type",
        "timestep_sampling",
        "split_mode",
        "apply_t5_attn_mask",
        "cpu_offload_checkpointing",
        "fp8_base_unet",
    ),
    *_of(("flux",), "clip_l"),
    *same(
        "discrete_flow_shift",
        "guidance_scale",
        reason="the same option, where its family is trained; 0 is kept (the GUI dropped it, and the trainer took its "
        "own default)",
        families=_FLUX,
    ),
    *_without_counterpart(_FLUX, "Take it out: the LoRA script has no such option.", "mem_eff_save"),
    *_without_counterpart(_FLUX, "Use `blocks_to_swap`.", "single_blocks_to_swap", "double_blocks_to_swap", default=0),
    *same(
        "blocks_to_swap",
        reason="the same option, where the family has it; 0 is unset",
        meaning=unset_at_zero,
        families=_SWAPPING,
    ),
    GuiKey(
        "show_timesteps",
        None,
        asked_for,
        "no counterpart: a warning where it is set",
        instead="Take it out: it shows a chart and trains nothing.",
        families=(*_FLUX, "sd3", "anima", "lumina"),
    ),
    GuiKey("show_timesteps_resolution", None, nothing, "dropped: it belongs to `show_timesteps`"),
    # Stable Diffusion 3.
    *_of(
        ("sd3",),
        "clip_g",
        "clip_g_dropout_rate",
        "logit_mean",
        "logit_std",
        "mode_scale",
        "pos_emb_random_crop_rate",
        "save_clip",
        "save_t5xxl",
        "t5xxl_device",
        "t5xxl_dtype",
        "weighting_scheme",
    ),
    *_prefixed(
        "sd3",
        ("sd3",),
        *_CACHES,
        "clip_l",
        "clip_l_dropout_rate",
        "t5xxl",
        "t5_dropout_rate",
        "enable_scaled_pos_embed",
        "fused_backward_pass",
        "disable_mmap_load_safetensors",
        "text_encoder_batch_size",
    ),
    # HunyuanImage.
    *_prefixed("hunyuan_image", ("hunyuan-image",), *_CACHES),
    *_prefixed(
        "hunyuan",
        ("hunyuan-image",),
        "text_encoder",
        "byt5",
        "vae",
        "discrete_flow_shift",
        "model_prediction_type",
        "timestep_sampling",
        "sigmoid_scale",
        "attn_mode",
        "split_attn",
        "fp8_scaled",
        "fp8_vl",
        "text_encoder_cpu",
    ),
    GuiKey(
        "hunyuan_vae_chunk_size",
        "vae_chunk_size",
        unset_at_zero,
        "the option without the prefix, where its family is trained; 0 is unset",
        families=("hunyuan-image",),
    ),
    # Anima.
    *_prefixed(
        "anima",
        ("anima",),
        *_CACHES,
        "qwen3",
        "vae",
        "llm_adapter_path",
        "t5_tokenizer_path",
        "discrete_flow_shift",
        "timestep_sampling",
        "sigmoid_scale",
        "qwen3_max_token_length",
        "t5_max_token_length",
        "split_attn",
        "vae_disable_cache",
        "unsloth_offload_checkpointing",
        "torch_compile",
    ),
    GuiKey(
        "anima_attn_mode",
        "attn_mode",
        beyond_default("torch"),
        "the option without the prefix, where its family is trained; `torch` is unset: it needs no option",
        families=("anima",),
    ),
    GuiKey(
        "anima_vae_chunk_size",
        "vae_chunk_size",
        unset_at_zero,
        "the option without the prefix, where its family is trained; 0 is unset",
        families=("anima",),
    ),
    *_without_counterpart(
        ("anima",), "Take it out: the pinned trainer reads the VAE in one way.", "anima_qwen_image_vae_2d"
    ),
    *_without_counterpart(("anima",), _NO_COMPILING, "anima_compile", "anima_compile_fullgraph"),
    *_without_counterpart(("anima",), _NO_COMPILING, "anima_compile_backend", default="inductor"),
    *_without_counterpart(("anima",), _NO_COMPILING, "anima_compile_mode", default="default"),
    *_without_counterpart(("anima",), _NO_COMPILING, "anima_compile_dynamic", default="auto"),
    *_without_counterpart(("anima",), _NO_COMPILING, "anima_compile_cache_size_limit", default=0),
    # Lumina.
    *_prefixed(
        "lumina",
        ("lumina",),
        *_CACHES,
        "gemma2",
        "ae",
        "discrete_flow_shift",
        "model_prediction_type",
        "timestep_sampling",
        "sigmoid_scale",
        "gemma2_max_token_length",
        "system_prompt",
        "use_flash_attn",
        "use_sage_attn",
    ),
)
