"""What the base model predicts, noise or v, against what the config says of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from loratpl.check.rule import UNET_FAMILIES
from loratpl.config.settings import Settings
from loratpl.errors import Problem

_CODE = "config.target"
_MODEL = "pretrained_model_name_or_path"
# How Stability named the two kinds of SD 2, and those that trained on from there.
_V_NAME = re.compile(r"768-?v|v-?768|2-?1[_-]768|stable-diffusion-2(-1)?$", re.IGNORECASE)
_NOISE_NAME = re.compile(r"512-?base|2(-1)?-base|base-?512", re.IGNORECASE)


def target_problems(settings: Settings) -> Iterator[Problem]:
    """Yields an error where the LoRA would be trained for what its base model does not predict.

    The trainer knows nothing of it: it trains to the end, and the LoRA is useless.
    """
    if settings.family.name not in UNET_FAMILIES or settings[_MODEL] is None:
        return
    wants_v = bool(settings["v_parameterization"])
    where = settings.where("v_parameterization" if wants_v else _MODEL)
    model = Path(settings[_MODEL])
    predicts = _prediction_type(model)
    if predicts is not None and (predicts == "v_prediction") != wants_v:
        yield Problem(
            _CODE,
            f"v_parameterization is {str(wants_v).lower()}, but {model.name} says of itself that it predicts "
            f"{'noise' if wants_v else 'v'}: the LoRA would be useless.",
            where,
            f'Write `"v_parameterization": {str(not wants_v).lower()}`.',
        )
    elif predicts is None and wants_v and settings.family.name == "sd15" and not _says_v(model, settings):
        yield Problem(
            _CODE,
            "v_parameterization is on, but models of SD 1 predict noise: the LoRA would be useless.",
            where,
            'Write `"v_parameterization": false`. Of the few models of SD 1 that were retrained for v, '
            "`zero_terminal_snr` is true as well.",
        )
    elif predicts is None and settings.family.name == "sd2":
        yield from _named_otherwise(settings, model, wants_v)


def _named_otherwise(settings: Settings, model: Path, wants_v: bool) -> Iterator[Problem]:
    is_v, is_noise = (bool(pattern.search(model.stem)) for pattern in (_V_NAME, _NOISE_NAME))
    if is_v in (is_noise, wants_v):
        return
    yield Problem(
        _CODE,
        f"v_parameterization is {str(wants_v).lower()}, but by its name {model.name} predicts "
        f"{'v' if is_v else 'noise'}; trained for the wrong one, the LoRA is useless.",
        settings.where("v_parameterization"),
        f'Write `"v_parameterization": {str(is_v).lower()}`, unless the name misleads.',
        "warning",
    )


def _prediction_type(model: Path) -> str | None:
    """What the scheduler of a Diffusers folder says, None for anything else."""
    try:
        data = json.loads((model / "scheduler" / "scheduler_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    kind = data.get("prediction_type") if isinstance(data, dict) else None
    return kind if isinstance(kind, str) else None


def _says_v(model: Path, settings: Settings) -> bool:
    """Whether it is one of the few: their own config lies beside them, or they need another noise schedule."""
    if settings["zero_terminal_snr"]:
        return True
    try:
        text = model.with_suffix(".yaml").read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return False
    return re.search(r"""parameterization:\s*["']?v\b""", text) is not None
