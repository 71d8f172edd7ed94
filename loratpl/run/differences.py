"""What is not as it was in an earlier run: settings, pictures, base model, trainer, environment."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from loratpl import __version__
from loratpl.config.block import BLOCK_KEY, Block, ConceptSettings
from loratpl.config.paths import exists
from loratpl.config.settings import Settings
from loratpl.dataset.scan import parse_folder_name
from loratpl.project import ProjectPaths
from loratpl.records import ConceptRecord, RecordedDifference, RunRecord
from loratpl.render.prepare import Prepared
from loratpl.render.renderer import config_of
from loratpl.run.again import RecordedSettings
from loratpl.run.fingerprint import Hashes
from loratpl.run.harmless import reason_of
from loratpl.trainer.manifest import load_manifest
from loratpl.trainer.pin import Pin
from loratpl.trainer.status import Marker

What = Literal["network", "settings", "dataset", "model", "trainer", "environment"]
MODEL_KEY = "pretrained_model_name_or_path"
_NETWORK = ("network_", "dim_from_weights")
_HASH_CHARS = 12


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was.

    Attributes:
        what: Of which kind it is.
        key: An option, a folder below the project, a package.
        before, now: As texts; None where it was or is not there.
        matters: Whether it changes what is trained.
        reason: Why it does not.
    """

    what: What
    key: str
    before: str | None
    now: str | None
    matters: bool = True
    reason: str = ""

    @property
    def text(self) -> str:
        """The difference as a message names it."""
        gone = "unset" if self.what in ("network", "settings") else "not there"
        if self.before is None:
            return f"{self.key} is {self.now} and was {gone}"
        if self.now is None:
            return f"{self.key} was {self.before} and is {gone}"
        return f"{self.key} was {self.before} and is {self.now}"

    def as_record(self) -> RecordedDifference:
        """Returns the difference as it is recorded."""
        return RecordedDifference(what=self.what, key=self.key, before=self.before, now=self.now)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that differs, and what cannot be compared.

    Attributes:
        differences: Those that matter first.
        unknown: What was not recorded or cannot be read now, in words.
    """

    differences: tuple[Difference, ...]
    unknown: tuple[str, ...] = ()

    @property
    def that_matter(self) -> tuple[Difference, ...]:
        """Those that change what is trained."""
        return tuple(difference for difference in self.differences if difference.matters)

    @property
    def harmless(self) -> tuple[Difference, ...]:
        """Those that do not."""
        return tuple(difference for difference in self.differences if not difference.matters)


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
    unknown: list[str] = []
    found = [
        *_settings(settings.values, prepared.settings),
        *_model(record, settings.values, prepared.settings, hashes, unknown),
        *_concepts(record, prepared, hashes, unknown),
        *_trainer(record, pin, marker),
    ]
    return Comparison(tuple(sorted(found, key=lambda difference: not difference.matters)), tuple(unknown))


def _settings(before: Mapping[str, Any], settings: Settings) -> Iterator[Difference]:
    now = config_of(settings)
    script = settings.family.script
    own = load_manifest().options_of.get(script, {})

    def meant(values: Mapping[str, Any], name: str) -> Any:
        """What is unset is the trainer's default; a flag that is off is unset."""
        value = values.get(name)
        value = own[name].default if value is None and name in own else value
        return None if value is False else value

    keys = [key for key in (*before, *(key for key in now if key not in before)) if key not in (BLOCK_KEY, MODEL_KEY)]
    for key in keys:
        if meant(before, key) != meant(now, key):
            what: What = "network" if key.startswith(_NETWORK) else "settings"
            yield _difference(what, key, before.get(key), now.get(key))
    blocks = _own(before.get(BLOCK_KEY)), _own(now[BLOCK_KEY])
    for key in sorted(blocks[0].keys() | blocks[1].keys()):
        if blocks[0].get(key) != blocks[1].get(key):
            yield _difference("settings", key, blocks[0].get(key), blocks[1].get(key))


def _own(values: Any) -> dict[str, Any]:
    """Returns our settings by their paths; what an earlier version did not know is at its default."""
    block: dict[str, Any] = Block().model_dump(exclude_none=True)
    for key, value in (values if isinstance(values, dict) else {}).items():
        block[key] = {**block[key], **value} if _are_maps(block.get(key), value) else value
    return {path: value for path, value in _flat(block).items() if not _is_plain_weight(path, value)}


def _is_plain_weight(path: str, value: Any) -> bool:
    is_weight = path.startswith(f"{BLOCK_KEY}.concepts.") and path.endswith(".weight")
    return is_weight and value == ConceptSettings().weight


def _are_maps(one: Any, other: Any) -> bool:
    return isinstance(one, dict) and isinstance(other, dict)


def _flat(values: Mapping[str, Any], prefix: str = BLOCK_KEY) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}.{key}") if isinstance(value, dict) else {f"{prefix}.{key}": value}
    return flat


def _difference(what: What, key: str, before: Any, now: Any) -> Difference:
    reason = reason_of(key)
    return Difference(what, key, _shown(before), _shown(now), reason is None, reason or "")


def _shown(value: Any) -> str | None:
    return None if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _model(
    record: RunRecord, before: Mapping[str, Any], settings: Settings, hashes: Hashes, unknown: list[str]
) -> Iterator[Difference]:
    then, now = before.get(MODEL_KEY, record.model), settings[MODEL_KEY]
    if record.model_sha256 and hashes.model:
        if record.model_sha256 != hashes.model:
            yield Difference("model", MODEL_KEY, _hash(record.model_sha256), _hash(hashes.model))
        elif then != now:
            yield Difference("model", MODEL_KEY, then, now, matters=False, reason="it is the same file elsewhere")
    elif then != now:
        yield Difference("model", MODEL_KEY, then, now)
    elif record.model_sha256 or hashes.model or exists(Path(now)):  # else of the hub, where its name says which it is
        unknown.append(f"whether the base model {now} is the same: {_missing(record.model_sha256)}")


def _concepts(record: RunRecord, prepared: Prepared, hashes: Hashes, unknown: list[str]) -> Iterator[Difference]:
    folders = [concept.folder for concept in prepared.plan.dataset.concepts]
    now = [
        ConceptRecord(
            folder=planned.folder, images=planned.images, repeats=planned.repeats, is_reg=planned.is_reg,
            content_sha256=hashes.concepts.get(folder),
        )
        for planned, folder in zip(prepared.plan.concepts, folders, strict=True)
    ]  # fmt: skip
    project, settings = prepared.project, prepared.settings
    for before, after in _paired(record.concepts, now):
        one = after or before
        if one is None:  # never: a pair has at least one of them
            continue
        key = _concept_key(project, settings, one)
        if before is None or after is None:
            yield Difference("dataset", key, _counted(before), _counted(after))
            continue
        if before.repeats != after.repeats:
            yield Difference("dataset", f"the repeats of {key}", str(before.repeats), str(after.repeats))
        if before.images != after.images:
            yield Difference("dataset", key, _counted(before), _counted(after))
        elif not (before.content_sha256 and after.content_sha256):
            unknown.append(f"whether {key} holds the same: {_missing(before.content_sha256)}")
        elif before.content_sha256 != after.content_sha256:
            hashed = _hash(before.content_sha256), _hash(after.content_sha256)
            yield Difference("dataset", f"the pictures and captions of {key}", *hashed)


def _paired(
    before: Sequence[ConceptRecord], now: Sequence[ConceptRecord]
) -> Iterator[tuple[ConceptRecord | None, ConceptRecord | None]]:
    """By whole name, else by what follows the number: `balance` changes that alone."""
    left = list(now)
    pairs: list[tuple[ConceptRecord, ConceptRecord | None]] = []
    for same in (_same_folder, _same_tokens):
        known = {id(pair[0]) for pair in pairs}
        for one in before:
            found = next((other for other in left if same(one, other)), None) if id(one) not in known else None
            if found is not None:
                left.remove(found)
                pairs.append((one, found))
    known = {id(pair[0]) for pair in pairs}
    yield from pairs
    yield from ((one, None) for one in before if id(one) not in known)
    yield from ((None, other) for other in left)


def _same_folder(one: ConceptRecord, other: ConceptRecord) -> bool:
    return (one.folder, one.is_reg) == (other.folder, other.is_reg)


def _same_tokens(one: ConceptRecord, other: ConceptRecord) -> bool:
    then, now = parse_folder_name(one.folder), parse_folder_name(other.folder)
    return one.is_reg == other.is_reg and then is not None and now is not None and then[1] == now[1]


def _concept_key(project: ProjectPaths, settings: Settings, concept: ConceptRecord) -> str:
    parent = settings.path("reg_data_dir" if concept.is_reg else "train_data_dir")
    return project.relative(parent / concept.folder)


def _counted(concept: ConceptRecord | None) -> str | None:
    return None if concept is None else f"{concept.images} picture{'' if concept.images == 1 else 's'}"


def _trainer(record: RunRecord, pin: Pin, marker: Marker) -> Iterator[Difference]:
    if record.pin != pin.commit:
        yield Difference("trainer", "the trainer's commit", _hash(record.pin), _hash(pin.commit))
    reason = "the training is the same, its numbers may differ by rounding"
    before = {"kohyatpl": record.kohyatpl, "Python": record.python, **record.packages}
    now = {"kohyatpl": __version__, "Python": marker.python, **marker.packages}
    for name in sorted(before.keys() | now.keys(), key=str.lower):
        if before.get(name) != now.get(name):
            yield Difference("environment", name, before.get(name), now.get(name), matters=False, reason=reason)


def _hash(text: str) -> str:
    return text[:_HASH_CHARS]


def _missing(recorded: str | None) -> str:
    return "it cannot be read now" if recorded else "the earlier run ended before it was hashed"
