"""Settings of single datasets and concepts: trainer options that need not be the same for all pictures.

The trainer's dataset file takes them for each `[[datasets]]` and `[[datasets.subsets]]` (sd-scripts 48d368fa,
`library/config_util.py:ConfigSanitizer`); a value there wins over the option of the same name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from loratpl.config.block import BLOCK_KEY, Block, ConceptSettings
from loratpl.config.options import ValueRefusedError, convert, nearest
from loratpl.config.reading import RawConfig
from loratpl.config.setting import COMMAND_LINE, Setting
from loratpl.errors import Problem
from loratpl.trainer.manifest import Option

# What a dataset has of its own; pictures that differ in one of these are in datasets of their own.
DATASET_OPTIONS = (
    "resolution", "train_batch_size", "enable_bucket", "min_bucket_reso", "max_bucket_reso", "bucket_reso_steps",
    "bucket_no_upscale",
)  # fmt: skip
# What a folder has of its own within a dataset.
SUBSET_OPTIONS = (
    "alpha_mask", "caption_dropout_every_n_epochs", "caption_dropout_rate", "caption_extension", "caption_prefix",
    "caption_separator", "caption_suffix", "caption_tag_dropout_rate", "color_aug", "enable_wildcard",
    "face_crop_aug_range", "flip_aug", "keep_tokens", "keep_tokens_separator", "random_crop", "resize_interpolation",
    "secondary_separator", "shuffle_caption", "token_warmup_min", "token_warmup_step",
)  # fmt: skip

Part = Mapping[str, Setting]


def dataset_parts(
    block: Block, entry: Setting | None, raw: RawConfig, options: Mapping[str, Option], problems: list[Problem]
) -> tuple[Part, ...]:
    """Returns the options of each of `kohyatpl.datasets`, judged; what is wrong is added to `problems`.

    Args:
        block: Our own settings.
        entry: Where they stand.
        raw: The config, for lines.
        options: The trainer's, of the family's script.
        problems: Is added to.
    """
    judge = _Judge(entry, raw, options, problems)
    return tuple(
        judge.part(values, DATASET_OPTIONS, (), ("datasets",), f"[{index}]", "a dataset")
        for index, values in enumerate(block.datasets)
    )


def concept_parts(
    block: Block, entry: Setting | None, raw: RawConfig, options: Mapping[str, Option], problems: list[Problem]
) -> Mapping[str, Part]:
    """Returns the trainer's options of each of `kohyatpl.concepts`, by its name there; as `dataset_parts`."""
    judge = _Judge(entry, raw, options, problems)
    own = tuple(ConceptSettings.model_fields)
    found = {}
    for name, concept in block.concepts.items():
        values = concept.model_extra or {}
        found[name] = judge.part(values, (*DATASET_OPTIONS, *SUBSET_OPTIONS), own, ("concepts", name), "", "a concept")
    return MappingProxyType(found)


class _Judge:
    def __init__(
        self, entry: Setting | None, raw: RawConfig, options: Mapping[str, Option], problems: list[Problem]
    ) -> None:
        self._entry, self._raw, self._options, self._problems = entry, raw, options, problems

    def part(
        self,
        values: Mapping[str, Any],
        known: Iterable[str],
        own: Iterable[str],
        path: tuple[str, ...],
        index: str,
        what: str,
    ) -> Part:
        """Returns those of the values that can be used and are set."""
        found = {}
        for key, value in values.items():
            where = self._where(path, index, key)
            if key not in known:
                self._problems.append(_unknown(key, where, (*known, *own), what, self._options))
                continue
            try:
                converted = convert(self._options[key], value)
            except ValueRefusedError as error:
                place = where.partition(": ")[0]
                self._problems.append(Problem("config.value", f"{place}: {error.reason}.", where, error.fix))
                continue
            if key == "caption_extension" and converted and not converted.startswith("."):
                converted = f".{converted}"
            if converted is not None:
                found[key] = Setting(converted, self._source, where)
        return MappingProxyType(found)

    @property
    def _source(self) -> str:
        return self._raw.path.name if self._entry is None else self._entry.source

    def _where(self, path: tuple[str, ...], index: str, key: str) -> str:
        if self._source == COMMAND_LINE:
            return f"{COMMAND_LINE}: {'.'.join((BLOCK_KEY, *path))}{index}.{key}"
        if index:
            return f"{self._raw.where(BLOCK_KEY, *path)}{index}.{key}"
        return self._raw.where(BLOCK_KEY, *path, key)


def _unknown(key: str, where: str, known: Iterable[str], what: str, options: Mapping[str, Option]) -> Problem:
    place, _, full = where.partition(": ")
    near = nearest(key.replace("-", "_"), known)
    if key in options:
        reason = f"`{full}`: it is set for the whole training, not for {what} by itself"
        return Problem("config.key.unknown", f"{place}: {reason}.", where, "Move it to the top of the config.")
    if near:
        text = f"{place}: unknown key `{full}`; did you mean `{near[0]}`?"
        return Problem("config.key.unknown", text, where, f"Rename it to `{near[0]}`.")
    text = f"{place}: unknown key `{full}`."
    return Problem("config.key.unknown", text, where, f"Take it out; {what} may have {', '.join(sorted(known))}.")
