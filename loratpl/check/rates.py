"""Learning rates and alpha: what trains nothing, or burns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from loratpl.check.optimizer import finds_its_rate, is_adafactor_relative, optimizer_name, optimizer_path
from loratpl.check.rule import is_chosen
from loratpl.config.settings import DEFAULT, Settings
from loratpl.errors import Problem

# Families whose script trains a text encoder unless it is told not to.
_TRAINING_TEXT = frozenset({"sd15", "sd2", "sdxl", "sd3", "flux", "lumina", "anima"})
# The network's own update is scaled by alpha / rank, so rates are judged with it.
_HIGHEST = {"torch.optim.AdamW": 5e-3, "torch.optim.Adam": 5e-3, "bitsandbytes.optim.AdamW8bit": 5e-3}
_HIGHEST |= {f"bitsandbytes.optim.PagedAdamW{bits}": 5e-3 for bits in ("", "8bit", "32bit")}
# Lion makes every step full size, so its rates are three to ten times smaller (https://arxiv.org/abs/2302.06675).
_HIGHEST |= {"lion_pytorch.Lion": 1e-3, "bitsandbytes.optim.Lion8bit": 1e-3, "bitsandbytes.optim.PagedLion8bit": 1e-3}
_LOWEST = 1e-6
# Below this the trainer itself warns (`get_optimizer`): the rate is a factor there.
_LOWEST_FACTOR = 0.1


def rate_problems(settings: Settings) -> Iterator[Problem]:
    """Yields rates that cannot be what was meant."""
    rates = _rates(settings)
    yield from _alpha_problems(settings)
    if rates and max(rates.values()) == 0:
        name = next(iter(rates))
        yield Problem(
            "config.rate",
            f"{' and '.join(rates)} {'is' if len(rates) == 1 else 'are'} 0: nothing would be trained.",
            settings.where(name),
            'Set `"learning_rate": 1e-4`, say.',
        )
        return
    yield from _unused_problems(settings, rates)
    if is_adafactor_relative(settings):
        return
    if finds_its_rate(settings):
        yield from _factor_problems(settings, rates)
    else:
        yield from _size_problems(settings, rates)


def _rates(settings: Settings) -> Mapping[str, float]:
    """The rate of each part that is trained, by the option that gives it."""
    base = settings["learning_rate"]
    names = []
    if settings["network_train_unet_only"] or settings.family.name not in _TRAINING_TEXT:
        names = ["unet_lr"]
    else:
        names = ["text_encoder_lr"] if settings["network_train_text_encoder_only"] else ["text_encoder_lr", "unet_lr"]
    rates: dict[str, float] = {}
    for name in names:
        value = settings[name]
        if isinstance(value, list):
            value = value[0] if value else None
        if value is not None:
            rates[name] = value
        elif base is not None:
            rates["learning_rate"] = base
    return rates


def _alpha_problems(settings: Settings) -> Iterator[Problem]:
    alpha, dim = settings["network_alpha"], settings["network_dim"]
    if not str(settings["network_module"]).startswith("networks.lora") or alpha is None or not dim:
        return
    where = settings.where("network_alpha")
    if alpha == 0:
        message = f"network_alpha is 0, which the trainer takes for network_dim ({dim}): the LoRA is not scaled at all."
        fix = f'Write `"network_alpha": {dim}` if that is meant, else 1 or half of network_dim.'
        yield Problem("config.rate", message, where, fix, "warning")
    elif alpha > dim > 0:
        message = (
            f"network_alpha {alpha:g} is above network_dim {dim}: each update counts {alpha / dim:g} times, which "
            "burns at the usual rates."
        )
        fix = f"Set network_alpha to {dim} or less, or lower the learning rate by as much."
        yield Problem("config.rate", message, where, fix, "warning")


def _unused_problems(settings: Settings, rates: Mapping[str, float]) -> Iterator[Problem]:
    if not is_chosen(settings, "learning_rate") or "learning_rate" in rates or is_adafactor_relative(settings):
        return
    base = settings["learning_rate"]
    if rates and base not in rates.values():
        given = " and ".join(f"{name} {rate:g}" for name, rate in rates.items())
        yield Problem(
            "config.ignored",
            f"learning_rate {base:g} trains nothing: {given} {'takes' if len(rates) == 1 else 'take'} its place.",
            settings.where("learning_rate"),
            f"Take `learning_rate` out, or {' and '.join(rates)}.",
            "warning",
        )


def _factor_problems(settings: Settings, rates: Mapping[str, float]) -> Iterator[Problem]:
    name, first = next(iter(rates.items()), ("", 1.0))
    optimizer = optimizer_name(settings)
    if first <= _LOWEST_FACTOR:
        origin = " by default" if settings.options[name].source == DEFAULT else ""
        yield Problem(
            "config.rate",
            f"optimizer_type {optimizer} finds the learning rate itself and takes {name} as a factor, which is "
            f"{first:g}{origin}: it would hardly learn.",
            settings.where(name),
            f'Set `"{name}": 1.0`.',
            "warning",
        )
    if len(set(rates.values())) > 1:
        yield Problem(
            "config.ignored",
            f"optimizer_type {optimizer} has one rate for all; of {' and '.join(rates)} it goes by the first.",
            settings.where("unet_lr"),
            "Set `learning_rate` alone.",
            "warning",
        )


def _size_problems(settings: Settings, rates: Mapping[str, float]) -> Iterator[Problem]:
    highest = _HIGHEST.get(optimizer_path(settings))
    if highest is None or not rates:
        return
    name = max(rates, key=lambda option: rates[option])
    rate, scale = rates[name], _scale(settings)
    if rate * scale > highest:
        reason = f" (with alpha / rank of {scale:g})" if scale != 1 else ""
        yield Problem(
            "config.rate",
            f"{name} {rate:g} is far above what {optimizer_name(settings)} can take{reason}: the LoRA would burn.",
            settings.where(name),
            "The usual rates lie between 1e-5 and 1e-3; Prodigy and DAdaptation are the ones that want 1.",
            "warning",
        )
    elif rate < _LOWEST:
        yield Problem(
            "config.rate",
            f"{name} {rate:g} is so low that {optimizer_name(settings)} would hardly learn.",
            settings.where(name),
            "The usual rates lie between 1e-5 and 1e-3.",
            "warning",
        )


def _scale(settings: Settings) -> float:
    alpha, dim = settings["network_alpha"], settings["network_dim"]
    return 1.0 if not alpha or not dim else min(alpha / dim, 1.0)
