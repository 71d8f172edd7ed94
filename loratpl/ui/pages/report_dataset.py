"""What a run was trained on, as its report shows it: concepts, their pictures, buckets, and how they became steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loratpl.ui.plan_words import counted, number, shown

if TYPE_CHECKING:
    from loratpl.records import RunRecord
    from loratpl.report.story.story import ConceptStory, RunStory

MAX_BUCKETS = 40


@dataclass(frozen=True, slots=True)
class PageConcept:
    """A folder that was trained on.

    Attributes:
        folder: Its name then.
        images, repeats: As they were.
        views: Per epoch; of regularisation images as many as the trainer used.
        is_reg: Whether it holds regularisation images.
        since: What has become of it, "" where nothing has.
        pictures: Some of those that are there now.
    """

    folder: str
    images: int
    repeats: int
    views: int
    is_reg: bool
    since: str
    pictures: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class PageBucket:
    """Pictures that were trained at one size, by their views per epoch."""

    size: tuple[int, int]
    views: int


@dataclass(frozen=True, slots=True)
class PageDataset:
    """What one or several runs were trained on.

    Attributes:
        runs: The labels of the runs.
        concepts: In the order of the record.
        buckets: The fullest first.
        more_buckets: How many are not among them.
        arithmetic: How the pictures became steps; one sentence for each way that the runs have.
    """

    runs: tuple[str, ...]
    concepts: tuple[PageConcept, ...]
    buckets: tuple[PageBucket, ...]
    more_buckets: int
    arithmetic: tuple[str, ...]

    @property
    def views(self) -> int:
        """Per epoch."""
        return sum(concept.views for concept in self.concepts)

    @property
    def bucket_views(self) -> int:
        """Per epoch, of the buckets that are shown."""
        return sum(bucket.views for bucket in self.buckets)


def datasets_of(stories: Sequence[RunStory], labels: Sequence[str]) -> tuple[PageDataset, ...]:
    """Returns what the runs were trained on: runs with the same are together."""
    found: dict[Any, PageDataset] = {}
    for story, label in zip(stories, labels, strict=True):
        dataset = _dataset(story, label)
        contents = [one.content_sha256 or "" for one in story.concepts]
        same = (tuple(replace(one, pictures=()) for one in dataset.concepts), dataset.buckets, *contents)
        earlier = found.get(same)
        if earlier is None:
            found[same] = dataset
        else:
            ways = tuple(dict.fromkeys((*earlier.arithmetic, *dataset.arithmetic)))
            found[same] = replace(earlier, runs=(*earlier.runs, label), arithmetic=ways)
    return tuple(found.values())


def _dataset(story: RunStory, label: str) -> PageDataset:
    record = story.detail.record
    buckets = sorted(_buckets(record.plan), key=lambda bucket: (-bucket.views, bucket.size))
    views = _planned_views(record)
    return PageDataset(
        (label,),
        tuple(_concept(concept, views) for concept in story.concepts),
        tuple(buckets[:MAX_BUCKETS]),
        max(len(buckets) - MAX_BUCKETS, 0),
        tuple(filter(None, [_arithmetic(record.plan)])),
    )


def _concept(concept: ConceptStory, views: Mapping[str, int]) -> PageConcept:
    return PageConcept(
        shown(concept.folder),
        concept.images,
        concept.repeats,
        views.get(concept.folder, concept.images * concept.repeats),
        concept.is_reg,
        ", ".join(_since(concept)),
        concept.pictures,
    )


def _since(concept: ConceptStory) -> Iterator[str]:
    if concept.folder_now is None:
        yield "the folder is not there any more"
        return
    if concept.folder_now.name != concept.folder:
        yield f"now {shown(concept.folder_now.name)}"
    if concept.images_now is not None and concept.images_now != concept.images:
        yield f"now {counted(concept.images_now, 'image')}"


def _planned_views(record: RunRecord) -> dict[str, int]:
    """Returns the views of each folder as the plan has them: of regularisation images not all need be used."""
    return {
        str(one["folder"]): one["views"]
        for one in _dicts(record.plan.get("concepts"))
        if "folder" in one and isinstance(one.get("views"), int)
    }


def _buckets(plan: Mapping[str, Any]) -> Iterator[PageBucket]:
    for one in _dicts(plan.get("buckets")):
        width, height, images = (one.get(name) for name in ("width", "height", "images"))
        if isinstance(width, int) and isinstance(height, int) and isinstance(images, int):
            yield PageBucket((width, height), images)


def _arithmetic(plan: Mapping[str, Any]) -> str:
    """Returns how views became steps; "" where the record does not say."""
    images, batches, per_epoch, epochs, total = (
        plan.get(name) for name in ("train_images", "batches_per_epoch", "steps_per_epoch", "epochs", "total_steps")
    )
    if not all(isinstance(value, int) for value in (images, batches, per_epoch, epochs, total)):
        return ""
    text = f"{counted(int(images or 0), 'view')} per epoch"
    regularisation = sum(_views_of(one) for one in _dicts(plan.get("concepts")) if one.get("is_reg"))
    if regularisation:
        text += f" + {number(regularisation)} of regularisation images"
    text += f" → {number(int(batches or 0))} {'batch' if batches == 1 else 'batches'}"
    for name, words in (("processes", "{} processes"), ("gradient_accumulation_steps", "{} batches a step")):
        if isinstance(plan.get(name), int) and plan[name] > 1:
            text += f", {words.format(number(plan[name]))}"
    text += f" → {counted(int(per_epoch or 0), 'step')} per epoch"
    is_whole = int(per_epoch or 0) * int(epochs or 0) == total
    of_epochs = counted(int(epochs or 0), "epoch")
    link = f" × {of_epochs} =" if is_whole else f", in {of_epochs}:"
    return f"{text}{link} {counted(int(total or 0), 'step')}"


def _views_of(concept: Mapping[str, Any]) -> int:
    views = concept.get("views")
    return views if isinstance(views, int) else 0


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
