"""The defaults of ours, each written once for all families or once for a family, with its reason beside it.

`render` writes every one of them into the trainer's config, so that a run never leans on the trainer's own defaults
(a learning rate of 2e-6, 1600 steps, captions in `.caption` files, a guidance scale that FLUX is not trained with).
What a family's own guide says is in the trainer's docs/<family>_train_network.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from loratpl.config.families import FAMILIES

IMAGE_DIR = "image_dir"
REG_DIR = "reg_dir"


@dataclass(frozen=True, slots=True)
class Default:
    """One default.

    Attributes:
        name: Of the option.
        value: Of the option.
        unless: Options, or entries of `network_args`, that say the same thing in another way when they are set, or do
            not go together with it.
        needs: An option that must be on for this default to be right, "" for none. It comes earlier in the order.
    """

    name: str
    value: Any
    unless: tuple[str, ...] = ()
    needs: str = ""


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

# What changes a caption from step to step: the text encoders' outputs cannot be kept then.
_CHANGING_CAPTIONS = (
    "shuffle_caption", "caption_dropout_rate", "caption_tag_dropout_rate", "caption_dropout_every_n_epochs",
    "token_warmup_step", "enable_wildcard",
)  # fmt: skip
_TRAINED_TEXT = ("text_encoder_lr", "network_train_text_encoder_only", "train_t5xxl")

# Larger models: made for a megapixel, and too large for most GPUs without recomputing activations. That costs time and
# changes no result.
_LARGE = (
    Default("resolution", "1024,1024"),
    Default("max_bucket_reso", 2048),
    Default("gradient_checkpointing", True),
)
# Of these families the guides and the peers train the transformer alone, for the text encoders are larger than most
# GPUs; what they make of each caption is then worked out once. HunyuanImage, Chroma and Anima refuse or break when the
# one is set without the other.
_TRANSFORMER_ALONE = (
    *_LARGE,
    Default("network_train_unet_only", True, _TRAINED_TEXT),
    Default("cache_text_encoder_outputs", True, _CHANGING_CAPTIONS, needs="network_train_unet_only"),
    Default("weighting_scheme", "uniform"),
)
_OF_FAMILY: Mapping[str, tuple[Default, ...]] = MappingProxyType({
    "sdxl": (
        *_LARGE,
        # Its VAE overflows in fp16; the trainer ends on the NaN in the latents.
        Default("no_half_vae", True),
        # The trainer refuses to keep the outputs of text encoders that it trains.
        Default("cache_text_encoder_outputs", True, needs="cache_text_encoder_outputs_to_disk"),
        Default("network_train_unet_only", True, _TRAINED_TEXT, needs="cache_text_encoder_outputs"),
    ),
    "sd3": (*_TRANSFORMER_ALONE, Default("training_shift", 1.0)),
    "flux": (
        *_TRANSFORMER_ALONE,
        # The guide: distilled guidance is off at 1.0 (the trainer's own default of 3.5 is for rendering), and the
        # shift is that of a megapixel.
        Default("guidance_scale", 1.0),
        Default("timestep_sampling", "shift"),
        Default("discrete_flow_shift", 3.1582),
        Default("model_prediction_type", "raw"),
    ),
    "chroma": (
        *_TRANSFORMER_ALONE,
        # The guide: Chroma has no guidance to embed.
        Default("guidance_scale", 0.0),
        Default("timestep_sampling", "sigmoid"),
        Default("model_prediction_type", "raw"),
    ),
    "lumina": (
        *_TRANSFORMER_ALONE,
        Default("timestep_sampling", "nextdit_shift"),  # as the guide recommends; the trainer's own is `shift`
        Default("discrete_flow_shift", 6.0),
        Default("model_prediction_type", "raw"),
    ),
    "hunyuan-image": (
        *_TRANSFORMER_ALONE,
        # From memory the trainer cannot make a batch of them (numpy 2: "TypeError" in FloatTensor); from disk it can.
        Default("cache_text_encoder_outputs_to_disk", True, needs="cache_text_encoder_outputs"),
        Default("timestep_sampling", "sigma"),
        Default("discrete_flow_shift", 5.0),
        Default("model_prediction_type", "raw"),
    ),
    "anima": (
        *_TRANSFORMER_ALONE,
        # The guide's 1e-4 is for an alpha of 1; with half the rank as alpha its users go down to half of that and less.
        Default("learning_rate", 5e-5),
        Default("timestep_sampling", "sigmoid"),
        Default("discrete_flow_shift", 1.0),
    ),
})  # fmt: skip


def defaults_of(family: str) -> tuple[Default, ...]:
    """Returns the defaults for a family: its own stand in the place of those for all."""
    return _DEFAULTS_OF[family]


def _merged(own: tuple[Default, ...]) -> Iterator[Default]:
    by_name = {default.name: default for default in own}
    for default in DEFAULTS:
        yield by_name.pop(default.name, default)
    yield from by_name.values()


_DEFAULTS_OF = {name: tuple(_merged(_OF_FAMILY.get(name, ()))) for name in FAMILIES}
