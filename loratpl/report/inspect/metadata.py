"""What a LoRA's metadata says of its making, in plain words; nothing in it is believed to be what it should be."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from loratpl.report.inspect.words import (
    FIELDS,
    NEEDS,
    NO_HASH,
    OFF_AT_ZERO,
    REPEATED,
    SILENT,
    TOLD_APART,
    UNSET,
    ZEROS,
)

# A text of JSON inside of the metadata that is longer, or has more in it, is left as a text; so is what comes after all
# that a training on ten thousand pictures has.
MAX_JSON_CHARACTERS = 4_000_000
MAX_JSON_PARTS = 120_000
_RESOLUTION = re.compile(r"\(?\s*(\d+)\s*,\s*(\d+)\s*\)?")
_TIMES = frozenset({"ss_training_started_at", "ss_training_finished_at"})
_LAST_SECOND = 253_402_300_799  # of the year 9999


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the metadata.

    Attributes:
        key: As it stands in the file.
        heading: What it belongs to.
        words: What it is called.
        text: What it says, in words where it has any.
    """

    key: str
    heading: str
    words: str
    text: str


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder that was trained on."""

    name: str
    repeats: int
    images: int
    is_reg: bool


@dataclass(frozen=True, slots=True)
class Bucket:
    """One size that pictures were brought to; `images` with repeats."""

    width: int
    height: int
    images: int


@dataclass(frozen=True, slots=True)
class Description:
    """What the metadata says.

    Attributes:
        fields: What is set, by heading.
        off: Keys of what was left unset or off, or does not count beside the others.
        unknown: Keys and texts of what no trainer that is known here writes.
        folders: What was trained on.
        buckets: The sizes.
        tags: Tags with their counts over all folders, the most frequent first.
        faults: Keys whose text is not what the trainer writes there, or more than is read.
    """

    fields: tuple[Field, ...]
    off: tuple[str, ...]
    unknown: tuple[tuple[str, str], ...]
    folders: tuple[Folder, ...]
    buckets: tuple[Bucket, ...]
    tags: tuple[tuple[str, int], ...]
    faults: tuple[str, ...]


def describe(metadata: Mapping[str, str]) -> Description:
    """Returns what the metadata says."""
    fields, off, unknown = [], [], []
    for key, text in metadata.items():
        known = FIELDS.get(key)
        if known is None:
            unknown.append((key, text))
        elif _is_off(key, metadata):
            off.append(key)
        elif key not in TOLD_APART | SILENT and not _is_repeated(key, metadata):
            fields.append(Field(key, *known, _in_words(key, text)))
    order = {key: place for place, key in enumerate(FIELDS)}
    fields.sort(key=lambda field: order[field.key])
    faults: list[str] = []
    parsed = _parsed(metadata, faults)
    datasets = [dataset for dataset in _list(parsed["ss_datasets"]) if isinstance(dataset, dict)]
    folders = (*_folders(parsed), *(folder for dataset in datasets for folder in _folders_of_dataset(dataset)))
    infos = [parsed["ss_bucket_info"], *(dataset.get("bucket_info") for dataset in datasets)]
    buckets = tuple(bucket for info in infos for bucket in _buckets(info))
    frequencies = [parsed["ss_tag_frequency"]] if parsed["ss_tag_frequency"] else []
    frequencies += [] if frequencies else [dataset.get("tag_frequency") for dataset in datasets]
    return Description(
        tuple(fields),
        tuple(off),
        tuple(unknown),
        _distinct(folders),
        buckets,
        _tags(frequencies),
        tuple(sorted(faults)),
    )


def parsed_json(text: str | None, max_parts: int = MAX_JSON_PARTS) -> Any:
    """Returns what a text of JSON holds, None where it is none or too much to be held."""
    if not text or len(text) > MAX_JSON_CHARACTERS or _parts(text) > max_parts:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _parts(text: str) -> int:
    return sum(text.count(mark) for mark in "[{,")


def _is_off(key: str, metadata: Mapping[str, str]) -> bool:
    text = metadata[key]
    if text in UNSET or (key in OFF_AT_ZERO and text in ZEROS):
        return True
    deciding, without = NEEDS.get(key, ("", frozenset()))
    return metadata.get(deciding) in without


def _is_repeated(key: str, metadata: Mapping[str, str]) -> bool:
    other = metadata.get(REPEATED.get(key, ""), "")
    return bool(metadata[key]) and other.endswith(metadata[key])


def _parsed(metadata: Mapping[str, str], faults: list[str]) -> dict[str, Any]:
    """Returns what the fields of several lines hold; together they are no more than one may be."""
    found: dict[str, Any] = {}
    left = MAX_JSON_PARTS
    for key in (key for key in FIELDS if key in TOLD_APART and key.startswith("ss_")):
        text = metadata.get(key, "")
        value = found[key] = parsed_json(text, left)
        if isinstance(value, (dict, list)):
            left -= _parts(text)
        elif text not in (*UNSET, "null"):
            faults.append(key)
    return found


def _in_words(key: str, text: str) -> str:
    if key in _TIMES:
        return _moment(text)
    if key == "ss_resolution" and (match := _RESOLUTION.fullmatch(text)):
        return f"{match[1]}x{match[2]}"
    if key.endswith("_hash") and text in NO_HASH:
        return NO_HASH[text]
    if text == "True":
        return "yes"
    if text.startswith("{"):
        value = parsed_json(text)
        if isinstance(value, dict) and all(not isinstance(part, (dict, list)) for part in value.values()):
            return ", ".join(
                f"{name} {part}" if key == "training_info" else f"{name}={part}" for name, part in value.items()
            )
    return text


def _moment(text: str) -> str:
    try:
        seconds = float(text)
        if not 0 <= seconds <= _LAST_SECOND:
            return text
        return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return text


def _folders(parsed: Mapping[str, Any]) -> Iterator[Folder]:
    for key, is_reg in (("ss_dataset_dirs", False), ("ss_reg_dataset_dirs", True)):
        folders = parsed[key]
        for name, entry in folders.items() if isinstance(folders, dict) else ():
            if isinstance(entry, dict):
                yield Folder(name, _count(entry.get("n_repeats")), _count(entry.get("img_count")), is_reg)


def _folders_of_dataset(dataset: Mapping[str, Any]) -> Iterator[Folder]:
    for subset in _list(dataset.get("subsets")):
        if isinstance(subset, dict):
            name = str(subset.get("image_dir") or subset.get("metadata_file") or subset.get("class_tokens") or "?")
            is_reg = subset.get("is_reg") is True
            yield Folder(name, _count(subset.get("num_repeats")), _count(subset.get("img_count")), is_reg)


def _distinct(folders: tuple[Folder, ...]) -> tuple[Folder, ...]:
    # A dataset's folders stand in two fields; the first has the counts of both kinds.
    seen: dict[tuple[str, bool], Folder] = {}
    for folder in folders:
        seen.setdefault((folder.name, folder.is_reg), folder)
    return tuple(seen.values())


def _buckets(info: Any) -> Iterator[Bucket]:
    buckets = info.get("buckets") if isinstance(info, dict) else None
    for bucket in buckets.values() if isinstance(buckets, dict) else ():
        sides = bucket.get("resolution") if isinstance(bucket, dict) else None
        if isinstance(sides, list) and len(sides) == 2 and all(type(side) is int for side in sides):
            yield Bucket(sides[0], sides[1], _count(bucket.get("count")))


def _tags(frequencies: list[Any]) -> tuple[tuple[str, int], ...]:
    counts: Counter[str] = Counter()
    for frequency in frequencies:
        for tags in frequency.values() if isinstance(frequency, dict) else ():
            for tag, count in tags.items() if isinstance(tags, dict) else ():
                counts[tag.strip()] += _count(count)
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _count(value: Any) -> int:
    return value if type(value) is int else 0


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
