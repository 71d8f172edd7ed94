"""What the page of a plan says: pure data, no file is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

from loratpl import __version__
from loratpl.plan.cropping import BucketUse, bucket_uses, crops_of, losing_most, upscaled_most
from loratpl.ui import plan_words as words

if TYPE_CHECKING:
    from loratpl.config.settings import Settings
    from loratpl.plan.buckets import Placement
    from loratpl.plan.cropping import Crop
    from loratpl.plan.outputs import PlannedFile
    from loratpl.plan.planner import PlannedConcept, TrainingPlan

# A thumbnail is some 6 kB: 200 make a page that opens at once, and the rest loses less than these.
MAX_THUMBNAILS = 200
# Of more checkpoints than so many the first and the last are listed.
MAX_CHECKPOINTS = 60


@dataclass(frozen=True, slots=True)
class PageCheckpoint:
    """A weights file that will be written; `removed_at` is the step after which it is taken away again."""

    step: int
    name: str
    removed_at: int | None


@dataclass(frozen=True, slots=True)
class PageDataset:
    """One of the trainer's datasets; `views` are those of all its buckets."""

    heading: str
    buckets: tuple[BucketUse, ...]
    views: int
    is_cut_at_random: bool


@dataclass(frozen=True, slots=True)
class PagePicture:
    """A picture with all that becomes of it, the dataset in which it loses most first."""

    path: Path
    crops: tuple[Crop, ...]

    @property
    def placement(self) -> Placement:
        """In the dataset in which it loses most."""
        return self.crops[0].view.placement


@dataclass(frozen=True, slots=True)
class PlanPage:
    """All that the page of a plan says.

    Attributes:
        title: What the LoRA will be called.
        facts: What else is to be known of it, each with its name.
        plan: The plan.
        views: Per epoch, those of regularisation images among them.
        arithmetic: How the pictures become steps.
        remarks: What the arithmetic leaves open.
        datasets: Mostly one.
        checkpoints: The first and the last, in the order of writing.
        all_checkpoints: How many there are.
        cropped, upscaled: Pictures that are named for it, the worst first.
        pictures: Those that are shown, the one that loses most first.
        left_out: How many more pictures there are.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    plan: TrainingPlan
    views: int
    arithmetic: str
    remarks: tuple[str, ...]
    datasets: tuple[PageDataset, ...]
    checkpoints: tuple[PageCheckpoint, ...]
    all_checkpoints: int
    cropped: tuple[Crop, ...]
    upscaled: tuple[Crop, ...]
    pictures: tuple[PagePicture, ...]
    left_out: int

    @property
    def concepts(self) -> tuple[PlannedConcept, ...]:
        """The folders."""
        return self.plan.concepts


def plan_page(
    settings: Settings,
    plan: TrainingPlan,
    files: Sequence[PlannedFile],
    *,
    time: str | None = None,
    disk: str | None = None,
    made_at: datetime | None = None,
) -> PlanPage:
    """Returns what the page of a plan says; reads no file.

    Args:
        settings: The training's.
        plan: Its plan.
        files: As `planned_files` returns them.
        time: How long it will take, in words.
        disk: How much room it needs, in words.
        made_at: When; now unless given.
    """
    crops = crops_of(plan.datasets)
    checkpoints = [PageCheckpoint(file.step, words.shown(file.path.name), file.removed_at) for file in files]
    half = MAX_CHECKPOINTS // 2
    pictures = _pictures(crops)
    return PlanPage(
        title=words.shown(str(settings["output_name"])),
        facts=tuple(_facts(settings, time, disk, made_at or datetime.now().astimezone())),
        plan=plan,
        views=sum(concept.views for concept in plan.concepts),
        arithmetic=words.arithmetic(plan, crops),
        remarks=tuple(words.remarks(settings, plan, crops)),
        datasets=tuple(
            _dataset(plan, number, [crop for crop in crops if crop.dataset == number])
            for number in range(len(plan.datasets))
        ),
        checkpoints=tuple(
            checkpoints if len(checkpoints) <= MAX_CHECKPOINTS else checkpoints[:half] + checkpoints[-half:]
        ),
        all_checkpoints=len(checkpoints),
        cropped=losing_most(crops, words.NAMED_LOSS),
        upscaled=upscaled_most(crops, words.NAMED_SCALE),
        pictures=pictures[:MAX_THUMBNAILS],
        left_out=max(len(pictures) - MAX_THUMBNAILS, 0),
    )


def _dataset(plan: TrainingPlan, number: int, crops: Sequence[Crop]) -> PageDataset:
    dataset = plan.datasets[number]
    uses = bucket_uses(crops)
    return PageDataset(words.heading(dataset), uses, sum(use.views for use in uses), words.is_cut_at_random(dataset))


def _pictures(crops: Sequence[Crop]) -> tuple[PagePicture, ...]:
    of: dict[Path, list[Crop]] = {}
    for crop in crops:
        of.setdefault(crop.view.picture.path, []).append(crop)
    return tuple(
        PagePicture(path, tuple(sorted(of[path], key=lambda crop: crop.kept)))
        for path in (crop.view.picture.path for crop in losing_most(crops, -1.0))
    )


def _facts(settings: Settings, time: str | None, disk: str | None, made_at: datetime) -> list[tuple[str, str]]:
    facts = [("Family", settings.family.name), ("Base model", words.shown(_model_name(settings)))]
    if time is not None:
        facts.append(("Time", time))
    if disk is not None:
        facts.append(("Disk", disk))
    return [*facts, ("Planned", f"{made_at:%Y-%m-%d %H:%M}, kohyatpl {__version__}")]


def _model_name(settings: Settings) -> str:
    """Returns the name alone: a page is passed on, and the folders of a machine are nobody's business."""
    from loratpl.config.paths import is_hub_id

    model = str(settings["pretrained_model_name_or_path"] or "")
    if not model:
        return "not set yet"
    return model if is_hub_id(model) else PureWindowsPath(model).name or model
