"""What may be another in a resumed run without a change of what is trained, each group with its reason.

Everything that is not here counts as a change of the training: a resume that is refused costs a `--force`, one that
silently trains something else costs the LoRA.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Harmless:
    """Options that change nothing of what is trained, and why.

    Attributes:
        reason: As a clause that follows "…, for".
        options: Their names; one that ends with `*` stands for all that begin so.
    """

    reason: str
    options: tuple[str, ...]

    def covers(self, name: str) -> bool:
        """Returns whether an option is one of these."""
        return any(name.startswith(o[:-1]) if o.endswith("*") else name == o for o in self.options)


_SAVING = "files are written apart from the training, which draws no random number for them"
_ROUNDING = "it is the same arithmetic, done in another place or order: results differ by rounding at most"

HARMLESS = (
    Harmless(_SAVING, ("save_every_*", "save_n_epoch_ratio", "save_last_n_*", "save_state*", "save_model_as")),
    Harmless(
        "the weights are trained in full and rounded only as they are written", ("save_precision", "no_metadata")
    ),
    Harmless("it only names the files", ("output_name", "output_dir")),
    # The trainer's `sample_images` puts torch's random numbers back; other ones it does not draw.
    Harmless("pictures are drawn with random numbers of their own", ("sample_*",)),
    # `switch_rng_state` and `restore_rng_state` around both validations of train_network.py; the share of pictures
    # that is held back is another matter: it takes them out of the training.
    Harmless(
        "the validation draws random numbers of its own",
        ("validate_every_*", "max_validation_steps"),
    ),
    Harmless(
        "it is a name or a note that goes to logs and files",
        (
            "metadata_*", "training_comment", "log_with", "log_prefix", "log_config", "log_tracker_*", "logging_dir",
            "wandb_*", "console_log_*", "huggingface_*", "async_upload",
        ),
    ),
    Harmless(
        _ROUNDING,
        (
            "gradient_checkpointing", "cpu_offload_checkpointing", "unsloth_offload_checkpointing", "blocks_to_swap",
            "lowram", "highvram", "xformers", "sdpa", "mem_eff_attn", "split_attn", "split_mode", "use_flash_attn",
            "torch_compile", "dynamo_backend", "disable_mmap_load_safetensors", "t5xxl_device", "text_encoder_cpu",
            "ddp_*", "kohyatpl.launch.threads",
        ),
    ),
    Harmless("it says where files lie, and what they hold is compared by itself", ("train_data_dir", "reg_data_dir")),
    Harmless("it says where files of the hub are kept", ("tokenizer_cache_dir",)),
    Harmless("it is for kohyatpl: the repeats of the folders are compared by themselves", ("kohyatpl.balance.*",)),
    Harmless("it is for kohyatpl, and not for the trainer", ("kohyatpl.run.*",)),
    # CUDA_VISIBLE_DEVICES and the allocator's settings, mostly: a resume on another GPU needs them changed.
    Harmless("variables choose devices and memory, not what is trained", ("kohyatpl.env.*",)),
)  # fmt: skip


def reason_of(name: str) -> str | None:
    """Returns why another value of an option changes nothing of what is trained, None where it may.

    Args:
        name: The trainer's option, or the dotted path of one of ours: "kohyatpl.balance.steps".

    >>> reason_of("metadata_author")
    'it is a name or a note that goes to logs and files'
    >>> reason_of("learning_rate") is None
    True
    """
    if name.startswith("kohyatpl.concepts.") and name.endswith(".weight"):
        name = "kohyatpl.balance.weight"
    return next((group.reason for group in HARMLESS if group.covers(name)), None)
