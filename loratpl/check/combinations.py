"""Options that the trainer refuses together, or of which one makes the other do nothing; for every script."""

from __future__ import annotations

from collections.abc import Iterator

from loratpl.check.rule import (
    FLOW_FAMILIES,
    UNET_FAMILIES,
    Rule,
    is_chosen,
    is_on,
    judge_all,
    number,
    samples_pictures,
)
from loratpl.config.modelspec import DROPPED_BY_THEM, FAMILIES_WITH_FEW_FIELDS
from loratpl.config.settings import Settings
from loratpl.errors import Problem

_REFUSED = "config.combination"
_IGNORED = "config.ignored"
_HUBER = ("huber", "smooth_l1")
_ATTENTIONS = ("mem_eff_attn", "xformers", "sdpa")


def _attentions(settings: Settings) -> list[str]:
    return [name for name in _ATTENTIONS if settings[name]]


# Facts: sd-scripts 48d368fa, `verify_training_args` and the asserts of `train_network.py`, most tried on the trainer.
RULES = (
    Rule(
        _REFUSED,
        "adaptive_noise_scale",
        lambda s: s["adaptive_noise_scale"] is not None and s["noise_offset"] is None,
        "adaptive_noise_scale changes noise_offset, which is unset; the trainer ends on it.",
        'Set `"noise_offset": 0.05`, or take `adaptive_noise_scale` out.',
    ),
    Rule(
        _REFUSED,
        "scale_v_pred_loss_like_noise_pred",
        lambda s: s["scale_v_pred_loss_like_noise_pred"] and not s["v_parameterization"],
        "scale_v_pred_loss_like_noise_pred is for models of v prediction, and v_parameterization is off; the trainer "
        "ends on it.",
        "Take `scale_v_pred_loss_like_noise_pred` out; for a model of v prediction set `v_parameterization` as well.",
    ),
    Rule(
        _REFUSED,
        "v_pred_like_loss",
        lambda s: s["v_pred_like_loss"] and s["v_parameterization"],
        "v_pred_like_loss is for models of noise prediction, and v_parameterization is on; the trainer ends on it.",
        "Take one of the two out.",
    ),
    Rule(
        "config.target",
        "zero_terminal_snr",
        lambda s: s["zero_terminal_snr"] and not s["v_parameterization"],
        "zero_terminal_snr without v_parameterization asks the model to predict noise where there is nothing but "
        "noise; what comes out is not what was meant.",
        "Set `v_parameterization` as well where the base model has v prediction, or take `zero_terminal_snr` out.",
        "warning",
        UNET_FAMILIES,
    ),
    Rule(
        _IGNORED,
        "clip_skip",
        lambda s: s["clip_skip"] is not None,
        "clip_skip is {value}, but SD 2 was trained on the last layer but one, which the trainer uses by itself.",
        "Take `clip_skip` out.",
        "warning",
        frozenset({"sd2"}),
    ),
    Rule(
        _IGNORED,
        "clip_skip",
        lambda s: s["clip_skip"] is not None,
        "clip_skip is {value}, but the trainer does not use it for {family}.",
        "Take `clip_skip` out.",
        "warning",
        frozenset({"sdxl"}) | FLOW_FAMILIES,
    ),
    Rule(
        _REFUSED,
        "cache_latents",
        lambda s: (s["cache_latents"] or s["cache_latents_to_disk"]) and s["color_aug"],
        "cache_latents keeps each picture as it was encoded once, and color_aug wants to change it at each step; the "
        "trainer ends on the two.",
        "Turn `cache_latents` or `color_aug` off.",
    ),
    Rule(
        _REFUSED,
        "cache_latents",
        lambda s: (s["cache_latents"] or s["cache_latents_to_disk"]) and s["random_crop"],
        "cache_latents keeps each picture as it was encoded once, and random_crop wants to cut it anew at each step; "
        "the trainer ends on the two.",
        "Turn `cache_latents` or `random_crop` off.",
    ),
    Rule(
        _IGNORED,
        "cache_latents",
        lambda s: s["cache_latents_to_disk"] and s["cache_latents"] is False,
        "cache_latents is false, but cache_latents_to_disk is on, and the trainer turns both on.",
        "Take one of the two out.",
        "warning",
    ),
    Rule(
        _REFUSED,
        "full_fp16",
        lambda s: s["full_fp16"] and s["mixed_precision"] != "fp16",
        "full_fp16 needs mixed_precision fp16; the trainer ends on it after the base model was loaded.",
        'Set `"mixed_precision": "fp16"`, or take `full_fp16` out.',
    ),
    Rule(
        _REFUSED,
        "full_bf16",
        lambda s: s["full_bf16"] and s["mixed_precision"] != "bf16",
        "full_bf16 needs mixed_precision bf16; the trainer ends on it after the base model was loaded.",
        'Set `"mixed_precision": "bf16"`, or take `full_bf16` out.',
    ),
    Rule(
        _REFUSED,
        "network_train_unet_only",
        lambda s: s["network_train_unet_only"] and s["network_train_text_encoder_only"],
        "network_train_unet_only and network_train_text_encoder_only together leave nothing to train; the trainer ends "
        "on it.",
        "Keep one of the two.",
    ),
    Rule(
        _REFUSED,
        "dim_from_weights",
        lambda s: s["dim_from_weights"] and s["network_weights"] is None,
        "dim_from_weights reads the rank from network_weights, which is unset; the trainer ends on it.",
        "Name the LoRA to go on with in `network_weights`, or take `dim_from_weights` out.",
    ),
    Rule(
        _REFUSED,
        "base_weights_multiplier",
        lambda s: len(s["base_weights_multiplier"] or ()) > len(s["base_weights"] or ()),
        "base_weights_multiplier has more numbers than base_weights has files.",
        "Write one multiplier for each file.",
    ),
    Rule(
        _REFUSED,
        "persistent_data_loader_workers",
        lambda s: s["persistent_data_loader_workers"] and s["max_data_loader_n_workers"] == 0,
        "persistent_data_loader_workers needs workers, and max_data_loader_n_workers is 0; torch ends on it.",
        "Turn `persistent_data_loader_workers` off, or set `max_data_loader_n_workers` to 1 or more.",
    ),
    Rule(
        _REFUSED,
        "loss_type",
        lambda s: s["loss_type"] in _HUBER and s["huber_schedule"] in (None, "snr"),
        "loss_type {value} goes by huber_schedule snr unless another is set, and {family} has no such ratio; the "
        "trainer ends in the first step.",
        'Set `"huber_schedule": "constant"` or `"exponential"`.',
        families=FLOW_FAMILIES,
    ),
    Rule(
        "config.value",
        "huber_c",
        lambda s: s["loss_type"] in _HUBER and s["huber_c"] is not None and s["huber_c"] <= 0,
        "huber_c is {value}, and with loss_type huber or smooth_l1 the loss would be zero at every step.",
        "Write a small number such as 0.1.",
    ),
    Rule(
        "config.value",
        "discrete_flow_shift",
        lambda s: s["discrete_flow_shift"] == 0 and s["timestep_sampling"] in (None, "sigma", "shift"),
        "discrete_flow_shift is 0: every step would be trained at the same timestep.",
        "Write 1 for no shift, or take it out.",
        families=FLOW_FAMILIES,
    ),
    Rule(
        _IGNORED,
        "mem_eff_attn",
        lambda s: s["mem_eff_attn"] and len(_attentions(s)) > 1,
        "mem_eff_attn is on besides xformers or sdpa; the trainer takes mem_eff_attn, the slowest of the three, alone.",
        "Keep one of mem_eff_attn, xformers and sdpa.",
        "warning",
        UNET_FAMILIES,
    ),
    Rule(
        _IGNORED,
        "sdpa",
        lambda s: _attentions(s) == ["xformers", "sdpa"],
        "xformers and sdpa are both on; the trainer takes xformers.",
        "Keep one of the two.",
        "warning",
        UNET_FAMILIES,
    ),
    Rule(
        _IGNORED,
        "save_last_n_steps",
        lambda s: s["save_last_n_steps"] is not None and s["save_every_n_steps"] is None,
        "save_last_n_steps is {value}, but without save_every_n_steps no checkpoint of a step is written.",
        "Set `save_every_n_steps` as well, or take `save_last_n_steps` out.",
        "warning",
    ),
    Rule(
        _IGNORED,
        "save_last_n_epochs",
        lambda s: (
            s["save_last_n_epochs"] is not None
            and s["save_every_n_epochs"] is None
            and s["save_n_epoch_ratio"] is None
        ),
        "save_last_n_epochs is {value}, but without save_every_n_epochs no checkpoint of an epoch is written.",
        "Set `save_every_n_epochs` as well, or take `save_last_n_epochs` out.",
        "warning",
    ),
    Rule(
        _IGNORED,
        "sample_prompts",
        lambda s: s["sample_prompts"] is not None and not samples_pictures(s),
        "sample_prompts is set, but nothing says when to draw: no sample would be made.",
        'Set `"sample_every_n_epochs": 1`, or take `sample_prompts` out.',
        "warning",
    ),
    Rule(
        "config.samples",
        "sample_prompts",
        lambda s: s["sample_prompts"] is None and samples_pictures(s),
        "Samples are to be drawn, but sample_prompts is unset; the trainer ends at the first of them, maybe hours into "
        "the training.",
        "Name a text file with one prompt a line in `sample_prompts`, or take the `sample_…` options out.",
    ),
    Rule(
        _IGNORED,
        "cpu_offload_checkpointing",
        lambda s: s["cpu_offload_checkpointing"] and not s["gradient_checkpointing"],
        "cpu_offload_checkpointing does nothing without gradient_checkpointing.",
        'Set `"gradient_checkpointing": true` as well, or take it out.',
        "warning",
    ),
    Rule(
        _IGNORED,
        "text_encoder_lr",
        lambda s: len(set(s["text_encoder_lr"] or ())) > 1,
        "text_encoder_lr has several rates, but the trainer uses the first of them alone for {family}.",
        "Write one rate.",
        "warning",
        UNET_FAMILIES,
    ),
    Rule(
        _IGNORED,
        "initial_step",
        lambda s: s["initial_step"] is not None and s["initial_epoch"] is not None,
        "initial_step and initial_epoch are both set; the trainer takes the step.",
        "Take one of the two out.",
        "warning",
    ),
    *(
        Rule(
            _IGNORED,
            name,
            is_on(name),
            f"{name} works on noise prediction; the trainer does not use it for {{family}}.",
            f"Take `{name}` out.",
            "warning",
            FLOW_FAMILIES,
        )
        for name in (
            "min_snr_gamma", "debiased_estimation_loss", "noise_offset", "multires_noise_iterations",
            "v_parameterization", "zero_terminal_snr",
        )
    ),
    *(
        Rule(
            _IGNORED,
            name,
            is_on(name),
            f"{name} is set, and the trainer does not write it into the files of {{family}}.",
            "Say it in `metadata_description` or `metadata_tags`, which it does write.",
            "warning",
            FAMILIES_WITH_FEW_FIELDS,
        )
        for name in DROPPED_BY_THEM
    ),
)  # fmt: skip


def combination_problems(settings: Settings) -> Iterator[Problem]:
    """Yields what is wrong between a config's options, whatever the family's script."""
    yield from judge_all(RULES, settings)
    for name in ("sample_every_n_epochs", "sample_every_n_steps"):
        if number(settings, name) < 0:
            yield Problem(
                _IGNORED,
                f"{name} is {settings[name]}, which the trainer takes for off.",
                settings.where(name),
                f"Write 1 or more, or take `{name}` out.",
                "warning",
            )
    if is_chosen(settings, "save_last_n_epochs_state") and not settings["save_state"]:
        yield Problem(
            _IGNORED,
            "save_last_n_epochs_state has no effect while save_state is off.",
            settings.where("save_last_n_epochs_state"),
            "Set `save_state` as well, or take it out.",
            "warning",
        )
