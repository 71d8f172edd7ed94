"""The defaults of ours, each written once, with its reason beside it.

`render` writes every one of them into the trainer's config, so that a run never leans on the trainer's own defaults
(a learning rate of 2e-6, 1600 steps, captions in `.caption` files).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

IMAGE_DIR = "image_dir"
REG_DIR = "reg_dir"


@dataclass(frozen=True, slots=True)
class Default:
    """One default; `unless` names options that, when set, say the same thing in another way."""

    name: str
    value: Any
    unless: tuple[str, ...] = ()


DEFAULTS = (
    # Where things are (design: a project on disk); relative to the config file.
    Default("train_data_dir", IMAGE_DIR),
    Default("reg_data_dir", REG_DIR),
    Default("output_dir", "output"),
    Default("logging_dir", "log"),
    # The network: rank 16 with half of it as alpha, the usual choice for SD 1.5 in the public notebooks.
    Default("network_dim", 16),
    Default("network_alpha", 8.0),
    # 1e-4 is what the trainer's documentation gives for a LoRA.
    Default("learning_rate", 1e-4),
    Default("optimizer_type", "AdamW", ("use_8bit_adam", "use_lion_optimizer")),
    Default("lr_scheduler", "cosine", ("lr_scheduler_type",)),
    Default("max_grad_norm", 1.0),
    # An epoch count: steps follow from the pictures.
    Default("max_train_epochs", 10, ("max_train_steps",)),
    Default("train_batch_size", 1),
    Default("gradient_accumulation_steps", 1),
    Default("seed", 42),
    # Pictures: the size SD 1.5 was trained at, buckets instead of cropping to a square.
    Default("resolution", "512,512"),
    Default("enable_bucket", True),
    Default("min_bucket_reso", 256),
    Default("max_bucket_reso", 1024),
    Default("bucket_reso_steps", 64),
    Default("bucket_no_upscale", False),
    Default("caption_extension", ".txt"),
    Default("prior_loss_weight", 1.0),
    # Speed without a change of result; augmentations of the picture itself need the picture at each step.
    Default("cache_latents", True, ("color_aug", "random_crop")),
    Default("sdpa", True, ("xformers", "mem_eff_attn")),
    Default("max_data_loader_n_workers", 2),
    # Files: one LoRA an epoch to choose from.
    Default("save_every_n_epochs", 1, ("save_every_n_steps", "save_n_epoch_ratio")),
    Default("save_model_as", "safetensors"),
    Default("save_precision", "fp16"),
)
