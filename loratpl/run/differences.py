"""What is not as it was in an earlier run: settings, pictures, base model, trainer, environment."""

from __future__ import annotations

from loratpl import __version__
from loratpl.records import ConceptRecord, RunRecord
from loratpl.render.prepare import Prepared
from loratpl.render.renderer import config_of
from loratpl.run.again import RecordedSettings
from loratpl.run.comparison import (
    MODEL_KEY,
    Comparison,
    Difference,
    Side,
    differences_between,
    meaning_of,
    recorded_side,
)
from loratpl.run.fingerprint import Hashes
from loratpl.trainer.pin import Pin
from loratpl.trainer.status import Marker

__all__ = ["MODEL_KEY", "Comparison", "Difference", "compare"]


def compare(
    record: RunRecord, settings: RecordedSettings, prepared: Prepared, hashes: Hashes, pin: Pin, marker: Marker
) -> Comparison:
    """Returns what differs between a recorded run and what would be trained now.

    Args:
        record: Of the earlier run.
        settings: The earlier run's, its paths as they are now.
        prepared: What would be trained.
        hashes: Of what would be trained.
        pin: The trainer's commit.
        marker: What the trainer's environment holds.
    """
    script = prepared.settings.family.script
    before = recorded_side(record, settings.values, script, "the earlier run ended before it was hashed")

    def key_of(concept: ConceptRecord) -> str:
        parent = prepared.settings.path("reg_data_dir" if concept.is_reg else "train_data_dir")
        return prepared.project.relative(parent / concept.folder)

    return differences_between(before, _side_now(prepared, hashes, pin, marker), key_of)


def _side_now(prepared: Prepared, hashes: Hashes, pin: Pin, marker: Marker) -> Side:
    folders = [concept.folder for concept in prepared.plan.dataset.concepts]
    concepts = [
        ConceptRecord(
            folder=planned.folder, images=planned.images, repeats=planned.repeats, is_reg=planned.is_reg,
            content_sha256=hashes.concepts.get(folder),
        )
        for planned, folder in zip(prepared.plan.concepts, folders, strict=True)
    ]  # fmt: skip
    return Side(
        meaning_of(config_of(prepared.settings), prepared.settings.family.script),
        prepared.settings[MODEL_KEY],
        hashes.model,
        concepts,
        pin.commit,
        {"kohyatpl": __version__, "Python": marker.python, **marker.packages},
        "it cannot be read now",
    )
