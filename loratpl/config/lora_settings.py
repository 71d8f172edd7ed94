"""The settings back out of a LoRA: what the trainer wrote into the file's header of the training that made it.

Every value there is a text (`None` for what was unset), some are JSON (facts: sd-scripts 48d368fa, `train_network.py`,
where the metadata is built). Paths, what was saved when, and how fast things went are not in it.
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from loratpl.config.defaults import defaults_of
from loratpl.config.families import DEFAULT_FAMILY, FAMILIES
from loratpl.config.gui.draft import Mapped
from loratpl.config.modelspec import FILLED_IN, is_filled_in
from loratpl.config.options import ValueRefusedError, convert, number_of
from loratpl.errors import ConfigError, Problem
from loratpl.trainer.manifest import Manifest, load_manifest
from loratpl.weights import WeightsFile

PREFIX = "ss_"
# Options that stand in the header under another name, or in another form that needs no more than its reading.
_OTHER_NAMES = {"debiased_estimation": "debiased_estimation_loss", "batch_size_per_device": "train_batch_size"}
# Read with others below, or no option though an option has the name.
_APART = frozenset({
    "max_train_steps", "num_epochs", "network_args", "optimizer", "resolution", "text_encoder_lr", "datasets",
    "base_model_version", "vae_name", "sd_model_name",
})  # fmt: skip
# What a training is told that its LoRA does not tell again; whoever repeats it has to set it.
LOST = (
    "pretrained_model_name_or_path", "train_data_dir", "reg_data_dir", "output_dir", "caption_extension",
    "bucket_reso_steps", "bucket_no_upscale", "lr_scheduler_num_cycles", "lr_scheduler_power", "lr_scheduler_args",
    "min_timestep", "max_timestep", "v_parameterization", "full_bf16", "xformers", "sdpa", "cache_latents_to_disk",
    "save_every_n_epochs", "save_every_n_steps", "sample_prompts", "max_data_loader_n_workers", "kohyatpl",
)  # fmt: skip
_SUBSET_OPTIONS = (
    "color_aug", "flip_aug", "random_crop", "shuffle_caption", "keep_tokens", "keep_tokens_separator",
    "secondary_separator", "enable_wildcard", "caption_prefix", "caption_suffix",
)  # fmt: skip
_DATASET_OPTIONS = ("enable_bucket", "min_bucket_reso", "max_bucket_reso", "resize_interpolation")
# The trainer's own names of optimisers, by the class that it took for them.
_OPTIMISERS = {
    "torch.optim.adamw.AdamW": "AdamW",
    "torch.optim.sgd.SGD": "SGDNesterov",
    "bitsandbytes.optim.adamw.AdamW8bit": "AdamW8bit",
    "bitsandbytes.optim.adamw.PagedAdamW": "PagedAdamW",
    "bitsandbytes.optim.adamw.PagedAdamW8bit": "PagedAdamW8bit",
    "bitsandbytes.optim.adamw.PagedAdamW32bit": "PagedAdamW32bit",
    "bitsandbytes.optim.lion.Lion8bit": "Lion8bit",
    "bitsandbytes.optim.lion.PagedLion8bit": "PagedLion8bit",
    "bitsandbytes.optim.sgd.SGD8bit": "SGDNesterov8bit",
    "transformers.optimization.Adafactor": "Adafactor",
    "lion_pytorch.lion_pytorch.Lion": "Lion",
    "prodigyopt.prodigy.Prodigy": "Prodigy",
    "dadaptation.dadapt_adam.DAdaptAdam": "DAdaptAdam",
    "dadaptation.experimental.dadapt_adam_preprint.DAdaptAdamPreprint": "DAdaptation",
    "dadaptation.dadapt_adagrad.DAdaptAdaGrad": "DAdaptAdaGrad",
    "dadaptation.dadapt_adan.DAdaptAdan": "DAdaptAdan",
    "dadaptation.dadapt_lion.DAdaptLion": "DAdaptLion",
    "dadaptation.dadapt_sgd.DAdaptSGD": "DAdaptSGD",
    "schedulefree.adamw_schedulefree.AdamWScheduleFree": "AdamWScheduleFree",
}
_DESCRIPTIONS = ("author", "description", "license")
_PRECISIONS = {"F16": "fp16", "BF16": "bf16", "F32": "float"}


@dataclass(frozen=True, slots=True)
class LoraSettings:
    """What a LoRA says of its training.

    Attributes:
        values: A config of ours.
        mapping: Where each value was found.
        lost: Options that no LoRA tells, or this one does not.
        base_model: The name of the base model's file, "" where it is not said.
        folders: The concept folders that were trained.
    """

    values: Mapping[str, Any]
    mapping: tuple[Mapped, ...]
    lost: tuple[str, ...]
    base_model: str
    folders: tuple[str, ...]


def settings_of_lora(weights: WeightsFile) -> LoraSettings:
    """Returns the settings that a LoRA's header tells.

    Raises:
        ConfigError: The trainer has written none into it.
    """
    metadata = {key.removeprefix(PREFIX): text for key, text in weights.metadata.items() if key.startswith(PREFIX)}
    if "network_module" not in metadata:
        raise ConfigError(
            Problem(
                "config.lora.metadata",
                f"{weights.path.name} does not say how it was trained: its header has no settings of sd-scripts.",
                str(weights.path),
                "Name a LoRA that sd-scripts has trained and no other program has stripped or converted.",
            )
        )
    return _Reader(metadata, weights).settings()


class _Reader:
    """One reading in progress."""

    def __init__(self, metadata: Mapping[str, str], weights: WeightsFile) -> None:
        self._metadata = metadata
        self._weights = weights
        self._mapping: list[Mapped] = []
        self._manifest: Manifest = load_manifest()

    def settings(self) -> LoraSettings:
        family = self._family()
        script = FAMILIES[family or DEFAULT_FAMILY].script
        found = (
            *self._plain(),
            *self._length(),
            *self._lists(),
            *self._of_dataset(),
            *self._of_tensors(),
            *self._described(),
        )
        values: dict[str, Any] = {"family": family} if family else {}
        if family:
            self._note("base_model_version", "family", family)
        options = self._manifest.options_of[script]
        for key, name, value in found:
            if name not in options:
                continue
            try:
                converted = convert(options[name], value)
            except ValueRefusedError:
                continue
            # A flag that is off needs no word, unless our default is on.
            if converted is False and not any(
                default.name == name for default in defaults_of(family or DEFAULT_FAMILY)
            ):
                continue
            if converted is not None and name not in values:
                values[name] = converted
                self._note(key, name, converted)
        lost = tuple(name for name in LOST if name not in values and (name in options or name == "kohyatpl"))
        base_model = _read(self._metadata.get("sd_model_name")) or ""
        return LoraSettings(MappingProxyType(values), tuple(self._mapping), lost, str(base_model), self._folders())

    def _note(self, key: str, name: str, value: Any) -> None:
        is_whole = key == "tensors" or key.startswith("modelspec.")
        self._mapping.append(Mapped(key if is_whole else f"{PREFIX}{key}", name, value))

    def _family(self) -> str | None:
        version = self._metadata.get("base_model_version", "")
        found = (family.name for family in FAMILIES.values() if version in family.base_versions)
        return next(found, None)

    def _plain(self) -> Iterator[tuple[str, str, Any]]:
        for key, text in self._metadata.items():
            if key not in _APART:
                yield key, _OTHER_NAMES.get(key, key), _read(text)

    def _length(self) -> Iterator[tuple[str, str, Any]]:
        """Epochs where the steps are whole epochs; they were asked for then, or come to the same."""
        steps, epochs, batches, accumulation = (
            number_of(self._metadata.get(key))
            for key in ("max_train_steps", "num_epochs", "num_batches_per_epoch", "gradient_accumulation_steps")
        )
        if steps is None:
            return
        per_epoch = math.ceil(batches / (accumulation or 1)) if batches else None
        if per_epoch and epochs and steps == per_epoch * epochs:
            yield "num_epochs", "max_train_epochs", epochs
        else:
            yield "max_train_steps", "max_train_steps", steps

    def _described(self) -> Iterator[tuple[str, str, Any]]:
        for word in _DESCRIPTIONS:
            yield _field(f"metadata_{word}"), f"metadata_{word}", self._said(f"metadata_{word}")
        title = self._said("metadata_title")
        if title != _read(self._metadata.get("output_name")):  # what it is without a title
            yield _field("metadata_title"), "metadata_title", title
        said = {name: text for name in FILLED_IN if (text := self._said(name)) is not None}
        family, module = self._family() or DEFAULT_FAMILY, self._metadata.get("network_module", "")
        for name, text in said.items():
            if not is_filled_in(name, said, self._folders(), family, module):  # else render makes it again
                yield _field(name), name, text
        if self._metadata.get("base_model_version", "").endswith("_v"):
            yield "base_model_version", "v_parameterization", True

    def _said(self, option: str) -> str | None:
        return self._weights.metadata.get(_field(option))

    def _lists(self) -> Iterator[tuple[str, str, Any]]:
        arguments = _json(self._metadata.get("network_args"))
        if isinstance(arguments, dict):
            # The trainer adds network_dropout under this name.
            items = [f"{name}={value}" for name, value in arguments.items() if name != "dropout"]
            yield "network_args", "network_args", items
        yield "text_encoder_lr", "text_encoder_lr", _literal(self._metadata.get("text_encoder_lr"))
        name, _, inside = self._metadata.get("optimizer", "").partition("(")
        if name:
            yield "optimizer", "optimizer_type", _OPTIMISERS.get(name, name)
            yield "optimizer", "optimizer_args", list(_arguments(inside.removesuffix(")")))

    def _of_dataset(self) -> Iterator[tuple[str, str, Any]]:
        resolution = _literal(self._metadata.get("resolution"))
        if resolution is not None:
            yield "resolution", "resolution", _sides(resolution)
        datasets = _json(self._metadata.get("datasets"))
        if not isinstance(datasets, list) or not datasets or not isinstance(datasets[0], dict):
            return
        dataset = datasets[0]
        yield "datasets", "resolution", _sides(dataset.get("resolution"))
        yield "datasets", "train_batch_size", dataset.get("batch_size_per_device")
        for name in _DATASET_OPTIONS:
            yield "datasets", name, dataset.get(name)
        subsets = dataset.get("subsets")
        subsets = [subset for subset in subsets if isinstance(subset, dict)] if isinstance(subsets, list) else []
        for name in _SUBSET_OPTIONS:
            values = {json.dumps(subset.get(name)) for subset in subsets}
            if len(values) == 1:  # where the folders differ, no one option says it
                yield "datasets", name, json.loads(values.pop())

    def _of_tensors(self) -> Iterator[tuple[str, str, Any]]:
        names = self._weights.tensors
        has_text, has_image = (any(name.startswith(start) for name in names) for start in ("lora_te", "lora_unet"))
        if has_image and not has_text and self._family() in ("sd15", "sd2", "sdxl"):
            yield "tensors", "network_train_unet_only", True
        if has_text and not has_image:
            yield "tensors", "network_train_text_encoder_only", True
        types = {tensor.dtype for tensor in names.values()}
        if len(types) == 1:
            yield "tensors", "save_precision", _PRECISIONS.get(types.pop())

    def _folders(self) -> tuple[str, ...]:
        found = (_json(self._metadata.get(key)) for key in ("dataset_dirs", "reg_dataset_dirs"))
        return tuple(name for folders in found if isinstance(folders, dict) for name in folders)


def _field(option: str) -> str:
    """Returns the field of the header that an option is written into."""
    return f"modelspec.{option.removeprefix('metadata_')}"


def _read(text: str | None) -> Any:
    """Returns what a text of the header stands for."""
    return {"None": None, "True": True, "False": False}.get(text, text) if text is not None else None


def _literal(text: str | None) -> Any:
    try:
        return ast.literal_eval(text) if text else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _json(text: str | None) -> Any:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None


def _sides(value: Any) -> str | None:
    sides = value if isinstance(value, (list, tuple)) else (value,)
    return None if None in sides else ",".join(str(side) for side in sides)


def _arguments(text: str) -> Iterator[str]:
    """Yields the arguments of a call as the trainer wrote it, whose values may hold commas."""
    try:
        call = ast.parse(f"f({text})", mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return
    for keyword in call.keywords if isinstance(call, ast.Call) else ():
        if keyword.arg:
            yield f"{keyword.arg}={ast.unparse(keyword.value)}"
