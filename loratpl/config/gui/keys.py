"""The keys of the kohya_ss GUI: what each becomes, and why.

The first generation is the LoRA tab of v20.7.0 (55 keys) and v20.7.2 (57), February 2023, whose JSON the public
template of that time has; its rows are here. The second is every version since (287 keys in July 2026); its rows are in
the modules gui_rows_*. What a key means is what the GUI made of it on the trainer's command line; where the GUI is at
fault (a text that became another option, a zero that got lost, a count that was off), what its user meant.
"""

from __future__ import annotations

import functools

from loratpl.config.block import BLOCK_KEY
from loratpl.config.gui import rows_families, rows_network, rows_training
from loratpl.config.gui.key import GuiKey, same
from loratpl.config.gui.values import (
    as_written,
    asked_for,
    attention,
    eight_bit,
    instead_of_nothing,
    nothing,
    saved_as,
    share,
    text,
    threads,
    unset_at_zero,
    unset_up_to,
)
from loratpl.trainer.manifest import load_manifest

THREADS = f"{BLOCK_KEY}.launch.threads"
_NOT_DIFFUSION_TRANSFORMERS = ("sd15", "sd2", "sdxl")
_FIRST = (
    # The model.
    *same("pretrained_model_name_or_path"),
    *same(
        "v2",
        reason="the same option; true stands for the family `sd2`",
        families=(*_NOT_DIFFUSION_TRANSFORMERS, "sd3", "flux", "chroma", "anima", "lumina"),
    ),
    *same("v_parameterization"),
    GuiKey("model_list", None, nothing, "dropped: a list that the window shows, no setting"),
    # Folders.
    *same("train_data_dir", "output_dir"),
    *same("logging_dir", reason="the same option; empty is our default (the GUI logged to the root of the disk)"),
    GuiKey(
        "reg_data_dir",
        "reg_data_dir",
        as_written,
        "the same option; empty means no regularisation images, even where a folder `reg_dir` is there",
        no_default=True,
    ),
    GuiKey("output_name", "output_name", text, "the same option; empty is the project's name"),
    # Length.
    GuiKey(
        "epoch",
        "max_train_epochs",
        as_written,
        "the trainer counts the steps itself (the GUI's count was off); `max_train_epochs` wins over it, and so does "
        "`max_train_steps`",
    ),
    GuiKey("max_train_epochs", "max_train_epochs", unset_at_zero, "the same option; 0 and empty are unset"),
    GuiKey(
        "max_train_steps",
        "max_train_steps",
        unset_at_zero,
        "the same option; 0 and empty are unset (only later versions of the GUI write it)",
    ),
    GuiKey(
        "save_every_n_epochs",
        "save_every_n_epochs",
        unset_at_zero,
        "the same option; 0 and empty save at the end alone",
        no_default=True,
    ),
    # Pictures and captions.
    GuiKey("max_resolution", "resolution", text, "another name of the same"),
    *same("enable_bucket"),
    *same(
        "bucket_no_upscale",
        reason="as written, as v20.7.2 took it; v20.7.0 always switched it on, whatever its box said",
    ),
    *same("bucket_reso_steps", reason="the same option; 64.0 is 64"),
    *same("cache_latents", "color_aug", "flip_aug", "random_crop", "shuffle_caption"),
    GuiKey(
        "caption_extension",
        "caption_extension",
        instead_of_nothing(".caption"),
        "the same option, a missing dot is added; empty is `.caption`, which is what the trainer then read",
    ),
    GuiKey("keep_tokens", "keep_tokens", unset_up_to(0), "the same option; 0 is unset"),
    GuiKey("caption_dropout_rate", "caption_dropout_rate", unset_up_to(0), "the same option; 0 is unset"),
    GuiKey(
        "caption_dropout_every_n_epochs",
        "caption_dropout_every_n_epochs",
        unset_up_to(0),
        "the same option; 0 is unset, 2.0 is 2",
    ),
    *same(
        "max_token_length",
        reason="the same option, where its family has it; 75 is unset: it needs no option",
        meaning=unset_up_to(75),
        families=(*_NOT_DIFFUSION_TRANSFORMERS, "sd3"),
    ),
    GuiKey(
        "no_token_padding",
        None,
        asked_for,
        "no counterpart: a warning where it is true",
        instead="Take it out: the trainer always pads captions, and has no option for it any more.",
    ),
    GuiKey("prior_loss_weight", "prior_loss_weight", as_written, "the same option"),
    # Rates and steps.
    *same("learning_rate", "lr_scheduler"),
    GuiKey(
        "text_encoder_lr",
        "text_encoder_lr",
        unset_at_zero,
        "the same option; where it alone is 0 or empty: `network_train_unet_only`",
    ),
    GuiKey(
        "unet_lr",
        "unet_lr",
        unset_at_zero,
        "the same option; where it alone is 0 or empty: `network_train_text_encoder_only`; where both are, both parts "
        "train at `learning_rate`",
    ),
    GuiKey(
        "lr_warmup",
        "lr_warmup_steps",
        share,
        "a percentage becomes a share of the steps (10 is 0.1); dropped with a warning where `lr_scheduler` is "
        "`constant`, which knows no warm-up",
    ),
    GuiKey(
        "lr_warmup_steps",
        "lr_warmup_steps",
        unset_at_zero,
        "the same option; 0 is unset (only later versions of the GUI write it)",
    ),
    *same("lr_scheduler_num_cycles", reason="the same option; empty is the number in `epoch`, as the GUI filled it in"),
    *same("lr_scheduler_power", reason="the same option, as in v20.7.2; v20.7.0 made the name of the output of it"),
    GuiKey(
        "stop_text_encoder_training",
        None,
        unset_at_zero,
        "no counterpart: a warning unless it is 0",
        instead="Take it out: the trainer stops no earlier. A lower `text_encoder_lr` trains it less, 0 not at all.",
    ),
    GuiKey("use_8bit_adam", "optimizer_type", eight_bit, "true is `AdamW8bit`; false or left out is `AdamW`"),
    *same("train_batch_size"),
    GuiKey("gradient_accumulation_steps", "gradient_accumulation_steps", unset_up_to(1), "the same option; 1.0 is 1"),
    *same("seed", reason="the same option; 0 is a seed, empty is our default"),
    # The network.
    *same("network_dim", "network_alpha"),
    GuiKey("lora_network_weights", "network_weights", as_written, "another name of the same"),
    *same(
        "clip_skip",
        reason="the same option, where its family has it; 1 is unset: it skips nothing",
        meaning=unset_up_to(1),
        families=(*_NOT_DIFFUSION_TRANSFORMERS, "sd3", "flux", "chroma"),
    ),
    # Precision, memory and speed.
    *same("mixed_precision", "full_fp16", "mem_eff_attn", "gradient_checkpointing"),
    GuiKey(
        "xformers",
        "xformers",
        attention,
        "true and `xformers`: the same option; `sdpa`: the option `sdpa`; `none`: neither of them; false: our default",
    ),
    *same("max_data_loader_n_workers", reason="the same option; 0 is 0, empty is our default"),
    *same("persistent_data_loader_workers"),
    GuiKey("num_cpu_threads_per_process", THREADS, threads, "what accelerate was told; 0 and empty are unset"),
    # Files.
    GuiKey(
        "save_precision",
        "save_precision",
        as_written,
        "the same option; empty saves in the precision of the training",
        no_default=True,
    ),
    GuiKey(
        "save_model_as",
        "save_model_as",
        saved_as,
        "the same option; `same as source model` and the Diffusers forms are `safetensors`: a LoRA has no other",
    ),
    *same("save_state"),
    *same("resume", reason="the same option; empty is unset"),
    GuiKey("training_comment", "training_comment", text, "the same option"),
)
_SECOND = (*rows_training.ROWS, *rows_network.ROWS, *rows_families.ROWS)
_ROWS = (*_FIRST, *_SECOND)
GUI_KEYS = {row.name: row for row in _ROWS}


@functools.cache
def option_names() -> frozenset[str]:
    """Returns the options of all of the trainer's scripts."""
    return frozenset(name for options in load_manifest().options_of.values() for name in options)


@functools.cache
def gui_only_keys() -> frozenset[str]:
    """Returns the keys by which a file is known as one that the GUI wrote, or that was written for it.

    They are options of no script of the trainer, and no names of `network_args` either, which anyone may have put in
    the wrong place.
    """
    return frozenset(row.name for row in _ROWS if row.name not in option_names() and not row.argument)


@functools.cache
def second_generation_keys() -> frozenset[str]:
    """Returns the keys that no file of the first generation has, and no other config either."""
    return gui_only_keys() & {row.name for row in _SECOND}


def documented_rows() -> tuple[str, ...]:
    """Returns the table of docs/config.md, a line each, in the order of the keys' names."""
    return tuple(
        f"| `{row.name}` | {f'`{row.becomes}`' if row.becomes else '–'} | {row.reason} |"
        for row in sorted(_ROWS, key=lambda row: row.name)
    )
