"""What to say when the loss is no number any more: what to change, the most likely first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratpl.check.optimizer import finds_its_rate
from loratpl.check.rates import rate_problems
from loratpl.config.settings import Settings
from loratpl.errors import Problem
from loratpl.run.watchdog.finding import shown

# What breaks this early was broken before anything was learnt: precision, caches, the model itself.
EARLY_STEPS = 3
_SAID = {"nan": "not a number (NaN)", "inf": "infinite", "-inf": "infinite"}


@dataclass(frozen=True, slots=True)
class _Advice:
    """One thing to change: the option that it is about, and the words for it."""

    option: str
    text: str


def broken_problem(event: Mapping[str, Any], settings: Settings, last_good: Path | None) -> Problem:
    """Returns what a `broken` event means: which step, what to change in which order, and what is kept.

    Args:
        event: With the step, the value (`nan`, `inf`, `-inf`), and the newest state or null.
        settings: The run's.
        last_good: The newest weights file that the run wrote before.
    """
    step = event.get("step")
    is_early = isinstance(step, int) and step <= EARLY_STEPS
    advice = list(_advice(settings, is_early=is_early))
    steps = [f"{number}. {item.text}" for number, item in enumerate(advice, 1)]
    state = event.get("state_dir")
    return Problem(
        "run.loss.nan",
        f"The loss of step {step} is {_SAID.get(str(event.get('value')), 'no number')}: from there on nothing but "
        f"NaN would be trained and saved. The training was ended at once. {_kept(settings, state, last_good)}",
        settings.where(advice[0].option),
        f"Change, in this order: {'; '.join(steps)}. Then {_again(state)}",
    )


def _advice(settings: Settings, *, is_early: bool) -> Iterator[_Advice]:
    """Yields what to change, the most likely cause first."""
    yield from _certain(settings)
    rate = _rate(settings)
    if is_early and not _rate_is_absurd(settings):
        yield from _precision(settings)
        yield from _inputs(settings)
        yield rate
    else:
        yield rate
        yield from _precision(settings)
        yield from _inputs(settings)
    yield from _optimizer(settings)


def _certain(settings: Settings) -> Iterator[_Advice]:
    """What divides by zero at the last timestep, where there is nothing but noise."""
    if not settings["zero_terminal_snr"] or settings["v_parameterization"]:
        return
    for name in ("min_snr_gamma", "debiased_estimation_loss"):
        if settings[name]:
            yield _Advice(
                "zero_terminal_snr",
                f"take `zero_terminal_snr` out: with `{name}` and without `v_parameterization` it divides by zero",
            )
            return


def _rate_is_absurd(settings: Settings) -> bool:
    return any("above" in problem.message for problem in rate_problems(settings) if problem.code == "config.rate")


def _rate(settings: Settings) -> _Advice:
    names = [name for name in ("unet_lr", "text_encoder_lr", "learning_rate") if settings[name]]
    name = names[0] if names else "learning_rate"
    value = settings[name]
    value = value[0] if isinstance(value, list) else value
    if value is None:
        return _Advice(name, "set a lower `learning_rate`, 1e-5 say")
    if finds_its_rate(settings):
        return _Advice(name, f'lower `{name}`, a factor for this optimiser, from {value:g}: `"{name}": {value / 2:g}`')
    return _Advice(name, f'lower `{name}` from {value:g} to a tenth: `"{name}": {value / 10:g}`')


def _precision(settings: Settings) -> Iterator[_Advice]:
    is_half = settings["mixed_precision"] == "fp16"
    if settings.family.name == "sdxl" and is_half and not settings["no_half_vae"]:
        yield _Advice("no_half_vae", '`"no_half_vae": true`: the VAE of SDXL overflows in fp16')
    if settings["full_fp16"]:
        yield _Advice("full_fp16", "take `full_fp16` out: weights in fp16 overflow easily")
    if is_half:
        yield _Advice(
            "mixed_precision", '`"mixed_precision": "bf16"` on a GPU from 2020 or later (RTX 30), else `"no"`, for fp16'
        )
    fp8 = next((name for name in ("fp8_base", "fp8_base_unet", "fp8_scaled") if settings[name]), None)
    if fp8 is not None:
        yield _Advice(fp8, f"take `{fp8}` out")


def _inputs(settings: Settings) -> Iterator[_Advice]:
    if settings["cache_latents_to_disk"]:
        yield _Advice(
            "cache_latents_to_disk",
            "remove the latent caches (`*.npz` beside the pictures), made anew by the next run, as one may be damaged",
        )
    if settings["vae"]:
        yield _Advice("vae", f"train without `vae` ({settings['vae']}), the model's own will be used")


def _optimizer(settings: Settings) -> Iterator[_Advice]:
    if settings["max_grad_norm"] == 0:
        yield _Advice("max_grad_norm", '`"max_grad_norm": 1.0`: gradients are not clipped now')
    if settings["optimizer_args"]:
        given = " ".join(str(argument) for argument in settings["optimizer_args"])
        yield _Advice("optimizer_args", f"take `optimizer_args` out ({given}), a small `eps` above all")


def _kept(settings: Settings, state: object, last_good: Path | None) -> str:
    kept = []
    if last_good is not None:
        kept.append(f"the last good file, {shown(last_good, settings.base_dir)}")
    if state:
        kept.append(f"the state in {shown(Path(str(state)), settings.base_dir)}")
    if not kept:
        return "Nothing had been saved before."
    return f"Kept {'is' if len(kept) == 1 else 'are'} {' and '.join(kept)}."


def _again(state: object) -> str:
    if not state:
        return "train again with `kohyatpl run`."
    return (
        "go on from that state with `kohyatpl run --resume --force` (the changed settings are why it must be forced), "
        "or train anew with `kohyatpl run`."
    )
