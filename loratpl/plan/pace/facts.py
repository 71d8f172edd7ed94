"""How fast a run was, and what decided that: the values that times are predicted from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import AwareDatetime, Field

from loratpl.config.machine import known_gpu_count, nvidia_gpus
from loratpl.config.settings import Settings
from loratpl.plan.planner import Bucket, PlannedDataset, TrainingPlan

CPU = "cpu"
# A GPU of a kind that cannot be asked without torch.
UNKNOWN_DEVICE = ""
_ATTENTION = ("xformers", "mem_eff_attn", "sdpa", "use_flash_attn", "use_sage_attn")
_FP8 = ("fp8_base", "fp8_base_unet", "fp8_scaled", "fp8_vl")
_CHECKPOINTING = ("cpu_offload_checkpointing", "unsloth_offload_checkpointing", "gradient_checkpointing")
_OPTIMIZER_FLAGS = ("use_8bit_adam", "use_lion_optimizer")

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Bytes = Annotated[int, Field(ge=0)]


@dataclass(frozen=True, slots=True)
class Facts:
    """What decides how long a step takes; names of options where it is one option.

    Attributes:
        device: Names of the GPUs, or "cpu".
        pixels_per_step: Of the pictures that one process sees for one optimiser update, the mean over an epoch.
        train_batch_size: The largest, where the datasets have different ones.
        trained_parts: "all", "unet" or "text encoder".
        precision: "full_bf16" or "full_fp16" where the weights are in it as well, else "".
    """

    family: str
    device: str
    processes: int
    tiny_unet: bool
    pixels_per_step: Positive
    network_module: str
    network_dim: int
    train_batch_size: int
    gradient_accumulation_steps: int
    mixed_precision: str
    precision: str
    optimizer_type: str
    gradient_checkpointing: str
    attention: str
    fp8: str
    blocks_to_swap: int
    cache_latents: bool
    cache_text_encoder_outputs: bool
    trained_parts: str
    torch_compile: bool
    threads: int


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a run was.

    Attributes:
        time: When it ended.
        steps: How many steps were timed: not the first ones, and not those with a pause in them.
        step_s: The mean; what took ten times the median was no step.
        low_step_s, high_step_s: 10 % of the steps were faster, 10 % slower.
        load_s: Until the first step began, without `caching_s`.
        caching_s: What the caching of latents took, for pictures of `cached_px` pixels in all.
        epoch_s, checkpoint_s, sample_s: What the end of an epoch, a checkpoint, a set of sample images adds to a step;
            None where there was none.
        end_s: From the last step until the trainer had ended, the last file saved; None for a run that did not end.
    """

    time: AwareDatetime
    facts: Facts
    steps: Annotated[int, Field(ge=1)]
    step_s: Positive
    median_step_s: Positive
    low_step_s: Positive
    high_step_s: Positive
    load_s: Seconds
    caching_s: Seconds
    cached_px: Seconds
    epoch_s: Seconds | None = None
    checkpoint_s: Seconds | None = None
    sample_s: Seconds | None = None
    end_s: Seconds | None = None
    process_peak_bytes: Bytes | None = None
    gpu_peak_bytes: Bytes | None = None


def this_device() -> str:
    """Returns what this machine trains on, `UNKNOWN_DEVICE` where only torch could tell."""
    if nvidia_gpus():
        return device_named("cuda")
    return UNKNOWN_DEVICE if known_gpu_count() is None else CPU


def device_named(torch_device: str) -> str:
    """Returns the device that torch calls "cuda:0" or "cpu"; different GPUs in one machine are one device together.

    >>> device_named("cpu"), device_named("mps:0")
    ('cpu', 'mps')
    """
    kind = torch_device.partition(":")[0]
    names = sorted({gpu.name for gpu in nvidia_gpus()}) if kind == "cuda" else []
    return " / ".join(names) or kind


def facts_of(settings: Settings, plan: TrainingPlan, device: str) -> Facts:
    """Returns what decides the pace of a plan.

    Args:
        settings: Resolved and without errors.
        plan: Made for these settings.
        device: What it is trained on.
    """
    only_unet, only_text = settings["network_train_unet_only"], settings["network_train_text_encoder_only"]
    optimizer = _first_set(settings, _OPTIMIZER_FLAGS) or settings["optimizer_type"] or ""
    attention = [name for name in _ATTENTION if settings[name]]
    return Facts(
        family=settings.family.name,
        device=device,
        processes=plan.processes,
        tiny_unet=settings.block.launch.tiny_unet,
        pixels_per_step=_pixels(plan.buckets) / (plan.steps_per_epoch * plan.processes),
        network_module=settings["network_module"] or "",
        network_dim=settings["network_dim"] or 0,
        train_batch_size=max(dataset.batch_size for dataset in plan.datasets),
        gradient_accumulation_steps=plan.accumulation,
        mixed_precision=settings["mixed_precision"] or "",
        precision=_first_set(settings, ("full_bf16", "full_fp16")),
        optimizer_type=optimizer.lower(),
        gradient_checkpointing=_first_set(settings, _CHECKPOINTING),
        attention=settings["attn_mode"] or "+".join(attention),
        fp8="+".join(name for name in _FP8 if settings[name]),
        blocks_to_swap=settings["blocks_to_swap"] or 0,
        cache_latents=_is_cached(settings, "cache_latents"),
        cache_text_encoder_outputs=_is_cached(settings, "cache_text_encoder_outputs"),
        trained_parts="unet" if only_unet else "text encoder" if only_text else "all",
        torch_compile=bool(settings["torch_compile"]),
        threads=settings.block.launch.threads or 0,
    )


def pixels_to_cache(settings: Settings, plan: TrainingPlan) -> float:
    """Returns the pixels of all pictures whose latents are cached before the first step, 0 where none are."""
    return sum(map(_pixels_of, plan.datasets)) if _is_cached(settings, "cache_latents") else 0.0


def _pixels_of(dataset: PlannedDataset) -> float:
    """Pixels of a dataset's pictures without repeats; near enough, from the mean of the views."""
    spec = dataset.spec
    pictures = sum(len(concept.pictures) for concept in (*spec.training, *spec.regularisation))
    views = sum(bucket.images for bucket in dataset.buckets)
    return _pixels(dataset.buckets) / views * pictures if views else 0.0


def _pixels(buckets: Iterable[Bucket]) -> float:
    return float(sum(bucket.width * bucket.height * bucket.images for bucket in buckets))


def _is_cached(settings: Settings, option: str) -> bool:
    """Whether it is kept, in memory or on the disk: the trainer takes the latter to mean the former as well."""
    return bool(settings[option] or settings[f"{option}_to_disk"])


def _first_set(settings: Settings, names: tuple[str, ...]) -> str:
    return next((name for name in names if settings[name]), "")
