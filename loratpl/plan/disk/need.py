"""How much disk a training needs: weights files, states, sample pictures, caches.

Exact: the number of files and when they are there; a weights file's tensors; latent caches. Estimated, and said so
where it is worked out: a file's metadata, what an optimiser keeps, sample pictures, caches of text encoders' outputs.
The log and TensorBoard's records, some kilobytes a thousand steps, are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from loratpl.config.settings import Settings
from loratpl.plan.disk.caches import latent_cache_bytes, text_cache_bytes
from loratpl.plan.disk.lora import LoraSize, UnknownSize, lora_size
from loratpl.plan.disk.samples import planned_samples
from loratpl.plan.outputs import PlannedFile, PlannedState, changes, planned_files, planned_states
from loratpl.plan.planner import TrainingPlan

# What an optimiser keeps for each number that it trains, in bytes where the training is in float32: two moments for
# the Adam family, one for Lion and for momentum, four for Prodigy, a byte and the 256th part of a float32 in 8 bit.
_EIGHT_BIT = 1 + 4 / 256
_BYTES_PER_NUMBER = {
    **dict.fromkeys(("adamw", "adam", "radam", "nadam", "adamax", "pagedadamw", "pagedadamw32bit"), 8.0),
    **dict.fromkeys(("adamwschedulefree", "radamschedulefree"), 8.0),
    **dict.fromkeys(("adamw8bit", "adam8bit", "pagedadamw8bit"), 2 * _EIGHT_BIT),
    **dict.fromkeys(("lion", "sgdnesterov", "sgdschedulefree", "adagrad", "rmsprop"), 4.0),
    **dict.fromkeys(("lion8bit", "pagedlion8bit", "sgdnesterov8bit"), _EIGHT_BIT),
    "prodigy": 16.0,
    "sgd": 0.0,
}
# It keeps a row and a column in the place of a matrix: a matrix of rank r holds r times as many numbers.
_ADAFACTOR = "adafactor"
# The optimiser's file holds for each of a module's two tensors their numbers and names; measured with AdamW.
_BYTES_PER_MODULE = 1_800
# The scheduler, the step, and the random states, of which there is one set for each process.
_STATE_BYTES, _STATE_BYTES_PER_PROCESS = 4_000, 16_000
# A PNG of 24 bits a pixel, of a drawn picture.
_SAMPLE_BYTES_PER_PIXEL = 1.6


@dataclass(frozen=True, slots=True)
class DiskNeed:
    """What a training adds to the disk; None where that is not known.

    Attributes:
        lora_bytes: One weights file.
        checkpoints_bytes, checkpoints_peak_bytes: All of them at the end, and the most at any time.
        state_bytes: One training state.
        states_bytes, states_peak_bytes: All that the trainer writes by itself, at the end and the most at any time.
        resume_states_bytes: The states that a run saves to go on from: the newest, and the next one beside it.
        samples_bytes: Sample pictures.
        latent_caches_bytes, text_caches_bytes: The caches beside the pictures that are not there yet.
        peak_bytes: The most of all together.
        unknown: Why something is None, "" where nothing is.
    """

    lora_bytes: int | None
    checkpoints_bytes: int | None
    checkpoints_peak_bytes: int | None
    state_bytes: int | None
    states_bytes: int | None
    states_peak_bytes: int | None
    resume_states_bytes: int | None
    samples_bytes: int | None
    latent_caches_bytes: int
    text_caches_bytes: int
    peak_bytes: int | None
    unknown: str

    def as_json(self) -> dict[str, Any]:
        """Returns the need as other programs read it: whole numbers of bytes, null where it is not known."""
        return asdict(self)


def disk_need(settings: Settings, plan: TrainingPlan) -> DiskNeed:
    """Returns what a training adds to the disk; the headers of the models are read, and no picture is."""
    size = lora_size(settings)
    files, states = planned_files(settings, plan), planned_states(settings, plan)
    lora = size.file_bytes if isinstance(size, LoraSize) else None
    state = state_bytes(settings, size, plan.processes) if isinstance(size, LoraSize) else None
    checkpoints = _over_time(files, (), lora, 0)
    of_states = _over_time((), states, 0, state)
    samples = _samples_bytes(settings, plan)
    latents, texts = latent_cache_bytes(settings, plan), text_cache_bytes(settings, plan)
    outputs, to_resume = _over_time(files, states, lora, state), _resume_states_bytes(settings, state)
    known = outputs is not None and samples is not None and to_resume is not None
    peak = (outputs or (0, 0))[1] + (samples or 0) + (to_resume or 0) + latents + texts if known else None
    return DiskNeed(
        lora_bytes=lora,
        checkpoints_bytes=None if checkpoints is None else checkpoints[0],
        checkpoints_peak_bytes=None if checkpoints is None else checkpoints[1],
        state_bytes=state,
        states_bytes=None if of_states is None else of_states[0],
        states_peak_bytes=None if of_states is None else of_states[1],
        resume_states_bytes=to_resume,
        samples_bytes=samples,
        latent_caches_bytes=latents,
        text_caches_bytes=texts,
        peak_bytes=peak,
        unknown=_reason(settings, size, state, samples),
    )


def _resume_states_bytes(settings: Settings, state: int | None) -> int | None:
    """One is written while the one before is still there."""
    interval = settings.block.run.state_interval
    if interval.seconds is None and interval.epochs is None:
        return 0
    return None if state is None else 2 * state


def state_bytes(settings: Settings, size: LoraSize, processes: int) -> int | None:
    """Returns the bytes of a training state, None for an optimiser that is not known; an estimate.

    A state holds the weights as they are trained, what the optimiser keeps of each number, and small files.
    """
    name = _optimizer(settings)
    if name == _ADAFACTOR:
        per_number: float | None = 8.0 / (settings["network_dim"] or 1)
    else:
        per_number = _BYTES_PER_NUMBER.get(name)
    if per_number is None:
        return None
    share = 0.5 if settings["full_fp16"] or settings["full_bf16"] else 1.0
    optimizer = int(size.trained_parameters * per_number * share) + size.modules * _BYTES_PER_MODULE
    return size.state_bytes + optimizer + _STATE_BYTES + _STATE_BYTES_PER_PROCESS * processes


def _optimizer(settings: Settings) -> str:
    """The class of the optimiser without its module, in small letters: the trainer knows most names in any case."""
    if settings["use_8bit_adam"]:
        return "adamw8bit"
    if settings["use_lion_optimizer"]:
        return "lion"
    name: str = settings["optimizer_type"] or "AdamW"
    return name.rpartition(".")[2].lower()


def _over_time(
    files: Sequence[PlannedFile], states: Sequence[PlannedState], file_bytes: int | None, one_state_bytes: int | None
) -> tuple[int, int] | None:
    """Returns the bytes at the end and the most at any time, None where something of them is not known."""
    if (files and file_bytes is None) or (states and one_state_bytes is None):
        return None
    now = most = 0
    for change in changes(files, states):
        size = (file_bytes if isinstance(change.output, PlannedFile) else one_state_bytes) or 0
        now += -size if change.is_removal else size
        most = max(most, now)
    return now, most


def _samples_bytes(settings: Settings, plan: TrainingPlan) -> int | None:
    samples = planned_samples(settings, plan)
    if samples.prompts is None:
        return None
    pixels = sum(width * height for width, height in samples.prompts)
    return int(len(samples.steps) * pixels * _SAMPLE_BYTES_PER_PIXEL)


def _reason(settings: Settings, size: LoraSize | UnknownSize, state: int | None, samples: int | None) -> str:
    if isinstance(size, UnknownSize):
        return size.reason
    if state is None:
        return f"kohyatpl does not know what the optimiser {settings['optimizer_type']} keeps"
    if samples is None:
        return f"the prompts in {settings.path('sample_prompts').name} cannot be read"
    return ""
