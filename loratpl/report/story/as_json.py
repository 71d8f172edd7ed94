"""A story as other programs read it: `report --json`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from loratpl.report.story.story import CheckpointMade, ConceptStory, RunStory, SamplePicture


def story_json(story: RunStory) -> dict[str, Any]:
    """Returns a run as `runs show --json` has it, and beside that everything that its report shows."""
    numbers = story.numbers
    return {
        "run": story.detail.as_json(),
        "counts": {
            "steps": len(numbers.steps),
            "epochs": len(story.epochs),
            "checkpoints": len(story.checkpoints),
            "samples": len(story.samples),
            "samples_there": sum(sample.is_there for sample in story.samples),
            "prompts": len(story.prompts),
            "problems": len(story.problems),
        },
        "steps": {
            "step": list(numbers.steps),
            "time": list(numbers.times),
            "loss": list(numbers.losses),
            "average_loss": list(numbers.average_losses),
            "seconds": list(numbers.seconds),
            "lr": {name: list(values) for name, values in numbers.rates.items()},
        },
        "epochs": [asdict(epoch) for epoch in story.epochs],
        "series": [
            {"name": series.name, "step": list(series.steps), "value": list(series.values)} for series in story.series
        ],
        "memory": [asdict(reading) for reading in story.memory],
        "checkpoints": [_checkpoint(checkpoint) for checkpoint in story.checkpoints],
        "prompts": [
            {"index": one.index, "text": one.text, "negative": one.negative, "details": dict(one.details)}
            for one in story.prompts
        ],
        "samples": [_sample(sample) for sample in story.samples],
        "concepts": [_concept(concept) for concept in story.concepts],
        "settings": [asdict(row) for row in story.settings],
        "problems": [problem.model_dump() for problem in story.problems],
        "unknown": list(story.unknown),
    }


def _checkpoint(checkpoint: CheckpointMade) -> dict[str, Any]:
    return {**asdict(checkpoint), "path": str(checkpoint.path)}


def _sample(sample: SamplePicture) -> dict[str, Any]:
    return {**asdict(sample), "path": str(sample.path)}


def _concept(concept: ConceptStory) -> dict[str, Any]:
    return {
        "folder": concept.folder,
        "images": concept.images,
        "repeats": concept.repeats,
        "is_reg": concept.is_reg,
        "content_sha256": concept.content_sha256,
        "folder_now": None if concept.folder_now is None else str(concept.folder_now),
        "images_now": concept.images_now,
    }
