"""A model file that is damaged, missing, or of another family than the config says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from loratpl.config.families import FAMILIES
from loratpl.run.diagnosis.evidence import Case, Explanation, row
from loratpl.run.diagnosis.log import paths_in
from loratpl.run.diagnosis.network_weights import is_of_lora
from loratpl.weights import base_model_family

_BASE = "pretrained_model_name_or_path"
_FILE = re.compile(r"\.(?:safetensors|ckpt|pt|pth|bin|sft)$")
# Pickles are what Python's processes talk in as well: a file is meant where torch was reading one.
_PICKLE = re.compile(r"pickle data was truncated|Ran out of input|invalid load key")
_TORCH_LOADS = ("torch.load(", "torch/serialization.py", "torch\\serialization.py")
# Loaders of companions: a piece of the traceback, and the option.
_LOADERS = (
    (("load_vae",), "vae"), (("load_ae",), "ae"), (("load_clip_l",), "clip_l"), (("load_clip_g",), "clip_g"),
    (("load_t5xxl",), "t5xxl"), (("load_gemma2",), "gemma2"), (("load_qwen3",), "qwen3"),
    (("load_byt5",), "byt5"), (("load_qwen2_5_vl",), "text_encoder"),
)  # fmt: skip
# Class of the part that a wall of keys is about, and the option of its file where that is one of its own.
_PARTS = {
    "AutoEncoder": "ae",
    "AutoencoderKL": "vae",
    "T5EncoderModel": "t5xxl",
    "CLIPTextModelWithProjection": "clip_g",
}


def _which(case: Case) -> tuple[str, str]:
    """The file that could not be read, and the option that names it, "" where several may be meant."""
    for raised in case.log.last_chain:
        for path in filter(_FILE.search, paths_in(raised.message)):
            return case.name(path), _option_of(case, path)
    for pieces, option in _LOADERS:
        if case.settings[option] is not None and case.has_trace(*pieces):
            return case.name(case.settings[option]), option
    options = list(_named(case))
    if len(options) == 1 or case.has_trace("load_target_model", "_load_target_model", "load_models_from_"):
        return case.name(case.settings[_BASE]), _BASE
    return "one of the model files", ""


def _named(case: Case) -> Iterator[str]:
    for option in (
        _BASE,
        "vae",
        "network_weights",
        *(companion.option for companion in case.settings.family.companions),
    ):
        if case.settings[option] is not None:
            yield option


def _option_of(case: Case, path: str) -> str:
    return next((option for option in _named(case) if Path(path).is_relative_to(case.settings.path(option))), "")


def _setting(case: Case, option: str) -> str:
    if option:
        return f"`{option}`"
    return "the file that is meant (" + ", ".join(f"`{name}`" for name in _named(case)) + ")"


def _damaged(case: Case, found: re.Match[str]) -> Explanation | None:
    if is_of_lora(case, found) or (_PICKLE.search(found.string) and not case.has_trace(*_TORCH_LOADS)):
        return None
    file, option = _which(case)
    said = found.group(0).strip().splitlines()[0].rstrip(".")[:120]
    return Explanation(
        f"{file} is damaged or was not copied whole ({said}).",
        "Fetch the file again and compare its size with the page that it is from, or correct "
        f"{_setting(case, option)}.",
    )


def _other_family(case: Case, found: re.Match[str]) -> Explanation | None:
    """A wall of tensors of other sizes or names: how high it is tells a model of another family from a stray key."""
    if is_of_lora(case, found):
        return None
    text, family = found.string, case.settings.family
    part = found.group(1)
    option = _PARTS.get(part, _BASE)
    if case.settings[option] is None:
        option = _BASE
    sizes, missing = text.count("size mismatch for "), len(re.findall(r'"[^"\n]+"', text))
    what = f"{sizes} tensors of other sizes" if sizes else f"{missing} tensors with other names" if missing else part
    return Explanation(
        f"{case.name(case.settings[option])} is not a model of the family {family.name}: the trainer met {what} in "
        f"{part}.",
        f"{_right_family(case)}, or correct `{option}`.",
    )


def _right_family(case: Case) -> str:
    """What to set `family` to: the file itself tells, unless it is one that nobody knows."""
    now, model = case.settings.family.name, case.settings.path(_BASE)
    told = base_model_family(model) if model.exists() else None
    if told is not None and told != now:
        return f'Set `"family": "{told}"`'
    return f"Set `family` to what the file is ({', '.join(name for name in FAMILIES if name != now)})"


def _other_names(case: Case, found: re.Match[str]) -> Explanation | None:
    family = case.settings.family
    return Explanation(
        f"{case.name(case.settings[_BASE])} is not a model of the family {family.name}: it has no {found.group(1)}.",
        f"{_right_family(case)}, or correct `{_BASE}`.",
    )


def _missing(case: Case, found: re.Match[str]) -> Explanation | None:
    paths = paths_in(found.string) or [group for group in found.groups() if group]
    path = next((path for path in paths if _option_of(case, path)), None)
    if path is None:
        return None
    option = _option_of(case, path)
    return Explanation(
        f"The model file {case.name(path)} is not there any more.",
        f"Put it back, or correct {_setting(case, option)}; leave it where it is until the training has begun.",
    )


ROWS = (
    row(
        "run.model.damaged",
        r"Error while deserializing(?: header)?: [^\n]*|HeaderTooLarge|HeaderTooSmall|InvalidHeader\w*"
        r"|MetadataIncompleteBuffer|incomplete metadata, file not fully covered",
        _damaged,
        "safetensors' reader: the header says how long the file must be",
    ),
    row(
        "run.model.damaged",
        r"PytorchStreamReader failed[^\n]*|failed finding central directory|invalid load key, [^\n]*"
        r"|pickle data was truncated|Ran out of input|Weights only load failed[^\n]*"
        r"|Unable to load weights from checkpoint file",
        _damaged,
        "torch.load and diffusers: a file that was cut, or is none of theirs (a web page saved as a model)",
    ),
    row(
        "run.model.family",
        r"Error\(s\) in loading state_dict for (\w+):",
        _other_family,
        "torch's load_state_dict into the model that the family's script makes",
    ),
    row(
        "run.model.family",
        r"^KeyError: '((?:model\.diffusion_model|first_stage_model|cond_stage_model|conditioner|double_blocks|"
        r"single_blocks|joint_blocks|time_embed|input_blocks|img_in|txt_in|x_embedder|cap_embedder)\.[\w.]+)'",
        _other_names,
        "the trainer's conversion of a checkpoint looks tensors up by name",
    ),
    row(
        "run.model.missing",
        r"No such file or directory|No file found at ([^\n]+)|Error no file named",
        _missing,
        "the system, for a file that a setting names",
    ),
)
