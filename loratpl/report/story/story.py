"""What the report of a run tells, as values: nothing here reads a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratpl.records import RecordedProblem
from loratpl.report.ledger.detail import RunDetail

Number = float | None


@dataclass(frozen=True, slots=True)
class StepNumbers:
    """The numbers of every step that a training told, those of the runs it went on from as well; one entry a step.

    Attributes:
        steps: In their order, each once.
        times: When each ended, in seconds since 1970; None where that was not told.
        losses: Of each step; None where it was no number.
        average_losses: The trainer's moving average.
        rates: Learning rates by the trainer's names for them ("unet", "textencoder", "group1"); None for steps before
            or after the name was used.
        seconds: What each step took; None for the first of a run, and for a step in which something else was done as
            well: saving, sampling, a validation, the end of an epoch. Where that is every step, it is counted in.
    """

    steps: tuple[int, ...]
    times: tuple[Number, ...]
    losses: tuple[Number, ...]
    average_losses: tuple[Number, ...]
    rates: Mapping[str, tuple[Number, ...]]
    seconds: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class EpochMean:
    """The mean loss of an epoch as the trainer told it; `step` is the last one of it."""

    epoch: int
    step: int
    average_loss: Number


@dataclass(frozen=True, slots=True)
class Series:
    """Other numbers that the trainer told, such as those of a validation.

    Attributes:
        name: The trainer's ("loss/validation/step_average").
        steps: Where on the axis of steps; what is told of an epoch stands at its last step.
        values: One for each.
    """

    name: str
    steps: tuple[int, ...]
    values: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class MemoryReading:
    """What the trainer's first process held at a moment, in bytes; None for what could not be told."""

    time: float
    step: int
    process_bytes: int | None
    gpu_bytes: int | None


@dataclass(frozen=True, slots=True)
class CheckpointMade:
    """A weights file that the training wrote.

    Attributes:
        step: After which.
        time: In seconds since 1970.
        path: Where it lies now.
        size_bytes: As it was written.
        is_there: Whether a file of that size is there now.
        is_last: Whether it is what the training ended with.
        sha256: Where it was proven at the run's end.
    """

    step: int
    time: Number
    path: Path
    size_bytes: int | None
    is_there: bool
    is_last: bool
    sha256: str | None


@dataclass(frozen=True, slots=True)
class SamplePrompt:
    """A prompt that samples were drawn from.

    Attributes:
        index: Its number in the file of prompts, from 0, as the trainer's file names have it.
        text: What is asked for.
        negative: What is not wanted, "" for nothing.
        details: What else was said: width, height, steps, scale, seed, sampler; each with its name. Of a picture that
            guides it (ControlNet) the file name alone.
    """

    index: int
    text: str
    negative: str
    details: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SamplePicture:
    """A picture that the trainer drew.

    Attributes:
        step: After which it was drawn; 0 is before the first.
        prompt: The prompt's index.
        time: In seconds since 1970.
        path: Where it lies now.
        is_there: Whether a file is there.
    """

    step: int
    prompt: int
    time: Number
    path: Path
    is_there: bool


@dataclass(frozen=True, slots=True)
class ConceptStory:
    """A folder that was trained on.

    Attributes:
        folder: Its name then.
        images: Pictures in it then.
        repeats: Times each was seen per epoch.
        is_reg: Whether it holds regularisation images.
        content_sha256: Of its pictures and captions then, None where they were not hashed.
        folder_now: Where it lies now, None where it is gone; balancing since then changes the number alone.
        pictures: Some of those that are there now, to be shown.
        images_now: Pictures in it now, None where it is gone.
    """

    folder: str
    images: int
    repeats: int
    is_reg: bool
    content_sha256: str | None
    folder_now: Path | None
    pictures: tuple[Path, ...]
    images_now: int | None


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A setting that the run was trained with.

    Attributes:
        key: The trainer's option, or a dotted path of ours.
        value: As it was.
        source: Where it came from, as `config show` says it; "" where that was not recorded.
        default: The trainer's own; kohyatpl's for what is its.
    """

    key: str
    value: Any
    source: str
    default: Any


@dataclass(frozen=True, slots=True)
class RunStory:
    """Everything that the report of a run tells.

    Attributes:
        detail: Its record, where it stands, what it comes from, and what is left of it.
        numbers: Of its steps.
        epochs: Their means.
        series: Validation and whatever else was told.
        memory: Readings in their order.
        checkpoints: In their order.
        prompts: Those that samples were drawn from; one that is no longer known has the text "".
        samples: In their order.
        concepts: Folders in the order of the record.
        settings: Family and base model, then the others in the order of its config; secrets are never among them.
        unknown: What could not be found out, in whole sentences.
        problems: What was found while this run ran, also where it was killed before its record could say so.
    """

    detail: RunDetail
    numbers: StepNumbers
    epochs: tuple[EpochMean, ...]
    series: tuple[Series, ...]
    memory: tuple[MemoryReading, ...]
    checkpoints: tuple[CheckpointMade, ...]
    prompts: tuple[SamplePrompt, ...]
    samples: tuple[SamplePicture, ...]
    concepts: tuple[ConceptStory, ...]
    settings: tuple[SettingRow, ...]
    unknown: tuple[str, ...]
    problems: tuple[RecordedProblem, ...] = ()
