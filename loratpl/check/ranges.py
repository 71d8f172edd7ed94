"""Numbers that are of the right type and out of the range in which the trainer works, or does what was meant."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from loratpl.config.settings import Settings
from loratpl.errors import Problem

_INF = math.inf


@dataclass(frozen=True, slots=True)
class Range:
    """What an option's number must lie in, both ends included, and what the trainer makes of any other."""

    option: str
    lowest: float
    highest: float
    reason: str
    families: frozenset[str] | None = None

    @property
    def allowed(self) -> str:
        """The range as a fix says it."""
        if self.highest == _INF:
            return f"{self.lowest:g} or more"
        return f"a number from {self.lowest:g} to {self.highest:g}"


_ENDS = "the trainer ends on it"
_SHARE = "it is the probability of dropping something, so more than 1 would drop everything"
_WRONG_SIGN = "a negative one turns the training round"
# What blocks there are in the largest model of a family: the trainer keeps two of them on the GPU. FLUX and
# HunyuanImage swap half the number in double blocks, and twice the rest in single ones.
_BLOCKS = "the trainer can swap all blocks of the model but two, and ends on more"

RANGES = (
    Range("network_dim", 1, _INF, "a network of rank 0 has nothing to train"),
    Range("network_alpha", 0, _INF, "a negative one turns the LoRA round"),
    Range("network_dropout", 0, 0.999999, _SHARE),
    Range("scale_weight_norms", 0, _INF, _WRONG_SIGN),
    Range("learning_rate", 0, _INF, _ENDS),
    Range("unet_lr", 0, _INF, _ENDS),
    Range("text_encoder_lr", 0, _INF, _ENDS),
    Range("lr_warmup_steps", 0, _INF, "there is no negative warm-up"),
    Range("lr_decay_steps", 0, _INF, "there is no negative decay"),
    Range("max_grad_norm", 0, _INF, "a negative norm turns the gradients round; 0 switches clipping off"),
    Range("min_snr_gamma", 0, _INF, _WRONG_SIGN),
    Range("prior_loss_weight", 0, _INF, "a negative one teaches the opposite of the regularisation images"),
    Range("min_timestep", 0, 1000, "there are 1000 timesteps"),
    Range("max_timestep", 1, 1000, "there are 1000 timesteps"),
    Range("clip_skip", 1, 12, "the text encoder of SD 1 has 12 layers", frozenset({"sd15"})),
    Range("clip_skip", 1, 23, "the text encoder of SD 2 has 23 layers", frozenset({"sd2"})),
    Range("seed", 0, 2**32 - 1, "numpy takes seeds below 2^32, and the trainer ends on any other"),
    Range("keep_tokens", 0, _INF, "a negative one keeps all but the last tags"),
    Range("caption_dropout_rate", 0, 1, _SHARE),
    Range("caption_tag_dropout_rate", 0, 1, _SHARE),
    Range("caption_dropout_every_n_epochs", 0, _INF, "epochs are counted from 1"),
    Range("token_warmup_step", 0, _INF, "steps are counted from 1"),
    Range("max_data_loader_n_workers", 0, _INF, "torch ends on a negative number of workers"),
    Range("vae_batch_size", 1, _INF, "no picture would be encoded"),
    Range("save_last_n_epochs", 1, _INF, "each checkpoint would be deleted as soon as it is written"),
    Range("save_last_n_steps", 1, _INF, "each checkpoint would be deleted as soon as it is written"),
    Range("save_last_n_epochs_state", 1, _INF, "each state would be deleted as soon as it is written"),
    Range("save_last_n_steps_state", 1, _INF, "each state would be deleted as soon as it is written"),
    Range("ip_noise_gamma", 0, _INF, "it is the strength of a noise"),
    Range("multires_noise_discount", 0, 1, "each level of the noise must be weaker than the one before"),
    Range("t5xxl_max_token_length", 1, 512, "T5 was trained on 512 tokens at most"),
    Range("discrete_flow_shift", 0, _INF, "a negative shift leaves the range of timesteps"),
    Range("blocks_to_swap", 0, 35, _BLOCKS, frozenset({"flux", "chroma"})),
    Range("blocks_to_swap", 0, 36, _BLOCKS, frozenset({"sd3"})),
    Range("blocks_to_swap", 0, 24, _BLOCKS, frozenset({"lumina"})),
    Range("blocks_to_swap", 0, 37, _BLOCKS, frozenset({"hunyuan-image"})),
    Range("blocks_to_swap", 0, 26, _BLOCKS, frozenset({"anima"})),
)


def range_problems(settings: Settings) -> Iterator[Problem]:
    """Yields an error for each number that lies out of its range."""
    for row in RANGES:
        value = settings[row.option]
        if value is None or (row.families is not None and settings.family.name not in row.families):
            continue
        numbers = value if isinstance(value, list) else [value]
        wrong = next((item for item in numbers if not row.lowest <= item <= row.highest), None)
        if wrong is not None:
            message = f"`{row.option}` is {wrong}: {row.reason}."
            yield Problem("config.value", message, settings.where(row.option), f"Write {row.allowed}, or take it out.")
    yield from _timestep_problems(settings)
    yield from _crop_problems(settings)
    yield from _size_problems(settings)


def _timestep_problems(settings: Settings) -> Iterator[Problem]:
    lowest, highest = settings["min_timestep"], settings["max_timestep"]
    if lowest is not None and highest is not None and lowest > highest:
        yield Problem(
            "config.value",
            f"min_timestep is {lowest} and max_timestep is {highest}; every step would be trained at {highest}.",
            settings.where("min_timestep"),
            "Swap the two.",
        )


def _crop_problems(settings: Settings) -> Iterator[Problem]:
    text = settings["face_crop_aug_range"]
    if text is None:
        return
    try:
        lowest, highest = (float(part) for part in text.split(","))
        is_right = 1.0 <= lowest <= highest
    except ValueError:
        is_right = False
    if not is_right:
        yield Problem(
            "config.value",
            f"face_crop_aug_range is {text!r}; the trainer takes two factors, the smaller one first.",
            settings.where("face_crop_aug_range"),
            'Write two numbers of 1 or more with a comma: `"2.0,4.0"`.',
        )


def _size_problems(settings: Settings) -> Iterator[Problem]:
    """Without buckets every picture has exactly this size, and the VAE makes one value of 8 x 8 pixels."""
    if settings["enable_bucket"]:
        return
    try:
        sides = [int(side) for side in settings["resolution"].split(",")]
    except ValueError:
        return  # said by the plan's own rules
    if any(side > 0 and side % 8 for side in sides):
        rounded = ",".join(str(max(64, round(side / 64) * 64)) for side in sides)
        yield Problem(
            "config.value",
            f"The resolution is {settings['resolution']} and enable_bucket is off; each side must be a multiple of 8, "
            "since the VAE encodes 8 x 8 pixels at once.",
            settings.where("resolution"),
            f'Write `"{rounded}"`, or set `"enable_bucket": true`.',
        )
