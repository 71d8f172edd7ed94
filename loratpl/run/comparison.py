"""Two trainings side by side, of whatever each is known: settings, base model, pictures, trainer, environment.

A side is a recorded run, or what would be trained now; nothing here reads pictures or plans.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from loratpl.config.block import BLOCK_KEY, Block, ConceptSettings
from loratpl.config.paths import exists
from loratpl.dataset.scan import parse_folder_name
from loratpl.records import ConceptRecord, RecordedDifference, RunRecord
from loratpl.run.harmless import reason_of
from loratpl.trainer.manifest import load_manifest

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


@dataclass(frozen=True, slots=True)
class Meaning:
    """A config as a run records it, by what it means to the trainer and to us.

    Attributes:
        options: The trainer's, as they are written.
        own: Ours by their dotted paths; what an earlier version did not know is at its default.
        defaults: The trainer's own, by option.
    """

    options: Mapping[str, Any]
    own: Mapping[str, Any]
    defaults: Mapping[str, Any]

    @property
    def keys(self) -> tuple[str, ...]:
        """Every setting that it has: the trainer's in their order, then ours."""
        return (*self.options, *sorted(self.own))

    def of(self, key: str) -> Any:
        """Returns what a setting means: unset it is the trainer's default, and a flag that is off is unset."""
        if key.startswith(f"{BLOCK_KEY}."):
            return self.own.get(key)
        value = self.options.get(key)
        value = self.defaults.get(key) if value is None else value
        return None if value is False else value

    def written(self, key: str) -> Any:
        """Returns a setting as it stands in the config, None where it does not."""
        return self.own.get(key) if key.startswith(f"{BLOCK_KEY}.") else self.options.get(key)


def meaning_of(values: Mapping[str, Any], script: str) -> Meaning:
    """Returns what a config means to a script of the trainer; one that is not known has no defaults."""
    options = {key: value for key, value in values.items() if key not in (BLOCK_KEY, MODEL_KEY)}
    return Meaning(options, _own(values.get(BLOCK_KEY)), _defaults(script))


@dataclass(frozen=True, slots=True)
class Side:
    """What a training is made from.

    Attributes:
        meaning: Of its settings.
        model: The base model's name or path.
        model_sha256: None where it was not hashed.
        concepts: Its folders.
        pin: The trainer's commit.
        versions: Of Python, kohyatpl and the trainer's packages.
        unhashed: Why a hash of this side may be missing, as a clause.
    """

    meaning: Meaning
    model: str
    model_sha256: str | None
    concepts: Sequence[ConceptRecord]
    pin: str
    versions: Mapping[str, str]
    unhashed: str


def recorded_side(record: RunRecord, values: Mapping[str, Any], script: str, unhashed: str) -> Side:
    """Returns what a recorded run was made from.

    Args:
        record: The run's.
        values: Its config, with the paths as they are now.
        script: Of the trainer; its defaults are what unset options mean.
        unhashed: Why a hash may be missing, as a clause.
    """
    return Side(
        meaning_of(values, script),
        values.get(MODEL_KEY, record.model),
        record.model_sha256,
        record.concepts,
        record.pin,
        {"kohyatpl": record.kohyatpl, "Python": record.python, **record.packages},
        unhashed,
    )


def differences_between(before: Side, now: Side, key_of: Callable[[ConceptRecord], str]) -> Comparison:
    """Returns what differs between two trainings.

    Args:
        before: The earlier one.
        now: The later one.
        key_of: Gives a concept's folder as differences name it.
    """
    unknown: list[str] = []
    found = [
        *_settings(before.meaning, now.meaning),
        *_model(before, now, unknown),
        *_concepts(before, now, key_of, unknown),
        *_trainer(before, now),
    ]
    return Comparison(tuple(sorted(found, key=lambda difference: not difference.matters)), tuple(unknown))


def _settings(before: Meaning, now: Meaning) -> Iterator[Difference]:
    options = dict.fromkeys((*before.options, *now.options))
    for key in (*options, *sorted(before.own.keys() | now.own.keys())):
        if before.of(key) != now.of(key):
            what: What = "network" if key.startswith(_NETWORK) else "settings"
            reason = reason_of(key)
            values = shown_value(before.written(key)), shown_value(now.written(key))
            yield Difference(what, key, *values, reason is None, reason or "")


@functools.cache
def _defaults(script: str) -> Mapping[str, Any]:
    return {name: option.default for name, option in load_manifest().options_of.get(script, {}).items()}


@functools.cache
def _default_block() -> Mapping[str, Any]:
    return Block().model_dump(exclude_none=True)


def _own(values: Any) -> dict[str, Any]:
    block = dict(_default_block())
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


def shown_value(value: Any) -> str | None:
    """Returns a setting's value as a text, None where it is unset."""
    return None if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _model(before: Side, now: Side, unknown: list[str]) -> Iterator[Difference]:
    if before.model_sha256 and now.model_sha256:
        if before.model_sha256 != now.model_sha256:
            yield Difference("model", MODEL_KEY, _hash(before.model_sha256), _hash(now.model_sha256))
        elif before.model != now.model:
            reason = "it is the same file elsewhere"
            yield Difference("model", MODEL_KEY, before.model, now.model, matters=False, reason=reason)
    elif before.model != now.model:
        yield Difference("model", MODEL_KEY, before.model, now.model)
    elif before.model_sha256 or now.model_sha256 or exists(Path(now.model)):  # else of the hub, by its name alone
        missing = _missing(before.model_sha256, before, now)
        unknown.append(f"whether the base model {now.model} is the same: {missing}")


def _concepts(
    before: Side, now: Side, key_of: Callable[[ConceptRecord], str], unknown: list[str]
) -> Iterator[Difference]:
    for then, after in _paired(before.concepts, now.concepts):
        one = after or then
        if one is None:  # never: a pair has at least one of them
            continue
        key = key_of(one)
        if then is None or after is None:
            yield Difference("dataset", key, _counted(then), _counted(after))
            continue
        if then.repeats != after.repeats:
            yield Difference("dataset", f"the repeats of {key}", str(then.repeats), str(after.repeats))
        if then.images != after.images:
            yield Difference("dataset", key, _counted(then), _counted(after))
        elif not (then.content_sha256 and after.content_sha256):
            unknown.append(f"whether {key} holds the same: {_missing(then.content_sha256, before, now)}")
        elif then.content_sha256 != after.content_sha256:
            hashed = _hash(then.content_sha256), _hash(after.content_sha256)
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


def _counted(concept: ConceptRecord | None) -> str | None:
    return None if concept is None else f"{concept.images} picture{'' if concept.images == 1 else 's'}"


def _trainer(before: Side, now: Side) -> Iterator[Difference]:
    if before.pin != now.pin:
        yield Difference("trainer", "the trainer's commit", _hash(before.pin), _hash(now.pin))
    reason = "the training is the same, its numbers may differ by rounding"
    for name in sorted(before.versions.keys() | now.versions.keys(), key=str.lower):
        versions = before.versions.get(name), now.versions.get(name)
        if versions[0] != versions[1]:
            yield Difference("environment", name, *versions, matters=False, reason=reason)


def _hash(text: str) -> str:
    return text[:_HASH_CHARS]


def _missing(recorded: str | None, before: Side, now: Side) -> str:
    return now.unhashed if recorded else before.unhashed
