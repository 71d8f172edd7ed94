"""The optimiser: whether the trainer finds it, what its arguments are, and what it does with the learning rate."""

from __future__ import annotations

from collections.abc import Iterator

from loratpl.check.optimizer_table import OPTIMIZER_ARGUMENTS, SPOKEN_OPTIMIZERS, UNFIT_OPTIMIZERS
from loratpl.check.rule import Rule, is_chosen, judge_all
from loratpl.config.arguments import OPTIMIZER_ARGS, parse_arguments
from loratpl.config.options import nearest
from loratpl.config.settings import Settings
from loratpl.errors import Problem

_CODE = "config.optimizer"
_ADAFACTOR = "transformers.optimization.Adafactor"
_SPOKEN = {name.lower(): path for name, path in SPOKEN_OPTIMIZERS.items()}
_TORCH = "torch.optim."
_TORCH_NAMES = frozenset(
    path.removeprefix(_TORCH) for path in (*OPTIMIZER_ARGUMENTS, *UNFIT_OPTIMIZERS) if path.startswith(_TORCH)
)


def optimizer_name(settings: Settings) -> str:
    """Returns the optimiser as the config names it; the trainer's old flags win over nothing else."""
    if settings["use_8bit_adam"]:
        return "AdamW8bit"
    if settings["use_lion_optimizer"]:
        return "Lion"
    return settings["optimizer_type"] or "AdamW"


def optimizer_path(settings: Settings) -> str:
    """Returns module and class of the optimiser, as the trainer would look them up.

    The names that it knows may be written in any case; anything else is a class of torch.optim, or a full path.
    """
    name = optimizer_name(settings)
    return _SPOKEN.get(name.lower()) or (name if "." in name else f"{_TORCH}{name}")


def is_adafactor_relative(settings: Settings) -> bool:
    """Returns whether Adafactor finds its rate itself, which is what it does unless it is told otherwise."""
    if optimizer_path(settings) != _ADAFACTOR:
        return False
    arguments = parse_arguments(settings[OPTIMIZER_ARGS])
    return arguments.get("relative_step", "True") not in ("False", "0")


def is_schedule_free(settings: Settings) -> bool:
    """Returns whether the trainer gives this optimiser no scheduler: it goes by the end of the name."""
    return optimizer_name(settings).lower().endswith("schedulefree")


def finds_its_rate(settings: Settings) -> bool:
    """Returns whether the optimiser adapts the learning rate by itself, and takes ours as a factor of about 1."""
    path = optimizer_path(settings).lower()
    return path.startswith("dadaptation.") or "prodigy" in path or "dadapt" in path


def _is_adafactor(settings: Settings) -> bool:
    return optimizer_path(settings) == _ADAFACTOR


RULES = (
    Rule(
        "config.combination",
        "use_8bit_adam",
        lambda s: s["use_8bit_adam"] and s["use_lion_optimizer"],
        "use_8bit_adam and use_lion_optimizer choose two optimisers; the trainer ends on it.",
        "Take both out, and name one in `optimizer_type`.",
    ),
    Rule(
        "config.combination",
        "use_8bit_adam",
        lambda s: s["use_8bit_adam"] and s["optimizer_type"] is not None,
        "use_8bit_adam is on and optimizer_type is set; the trainer takes one of the two alone, and ends on both.",
        "Take `use_8bit_adam` out; `optimizer_type` `AdamW8bit` is the same.",
    ),
    Rule(
        "config.combination",
        "use_lion_optimizer",
        lambda s: s["use_lion_optimizer"] and s["optimizer_type"] is not None,
        "use_lion_optimizer is on and optimizer_type is set; the trainer takes one of the two alone, and ends on both.",
        "Take `use_lion_optimizer` out; `optimizer_type` `Lion` is the same.",
    ),
    Rule(
        "config.combination",
        "fused_backward_pass",
        lambda s: s["fused_backward_pass"] and not _is_adafactor(s),
        "fused_backward_pass works with Adafactor alone; the trainer ends on it.",
        'Set `"optimizer_type": "Adafactor"`, or take `fused_backward_pass` out.',
    ),
    Rule(
        "config.combination",
        "fused_backward_pass",
        lambda s: s["fused_backward_pass"] and (s["gradient_accumulation_steps"] or 1) > 1,
        "fused_backward_pass updates at each batch, so gradient_accumulation_steps must be 1; the trainer ends on it.",
        'Set `"gradient_accumulation_steps": 1`, or take `fused_backward_pass` out.',
    ),
    Rule(
        "config.ignored",
        "learning_rate",
        lambda s: is_adafactor_relative(s) and (is_chosen(s, "unet_lr") or is_chosen(s, "text_encoder_lr")),
        "Adafactor finds its learning rate itself (relative_step is on unless it is switched off), and the trainer "
        "drops unet_lr and text_encoder_lr.",
        "Take them out, or set `optimizer_args` to `scale_parameter=False relative_step=False warmup_init=False`.",
        "warning",
    ),
    Rule(
        "config.combination",
        OPTIMIZER_ARGS,
        lambda s: (
            _is_adafactor(s)
            and not is_adafactor_relative(s)
            and parse_arguments(s[OPTIMIZER_ARGS]).get("warmup_init") in ("True", "1")
        ),
        "optimizer_args has relative_step=False and warmup_init=True; the trainer turns relative_step on again, and "
        "drops the learning rates.",
        "Set `warmup_init=False`, or take `relative_step=False` out.",
    ),
)


def optimizer_problems(settings: Settings) -> Iterator[Problem]:
    """Yields what is wrong with the optimiser and its arguments."""
    yield from judge_all(RULES, settings)
    path = optimizer_path(settings)
    if path in UNFIT_OPTIMIZERS:
        yield Problem(
            _CODE,
            f"The trainer cannot make a step with the optimiser {optimizer_name(settings)}.",
            settings.where("optimizer_type"),
            'Write `"optimizer_type": "AdamW"`, or another one.',
        )
    elif path.startswith(_TORCH) and path not in OPTIMIZER_ARGUMENTS:
        yield _unknown(settings)
    elif path in OPTIMIZER_ARGUMENTS:
        yield from _argument_problems(settings, path)
    elif settings[OPTIMIZER_ARGS] and not path.startswith("dadaptation."):
        yield Problem(
            "config.arguments.unjudged",
            f"optimizer_args are not checked: {path} is an optimiser that kohyatpl knows nothing of.",
            settings.where(OPTIMIZER_ARGS),
            "Look them up in its documentation; the trainer ends on one that it does not take.",
            "warning",
        )


def _unknown(settings: Settings) -> Problem:
    name = optimizer_name(settings)
    # The trainer knows AdEMAMix8bit, say, by its full path alone.
    full = {path.rpartition(".")[2]: path for path in OPTIMIZER_ARGUMENTS}
    near = nearest(name.removeprefix(_TORCH), (*SPOKEN_OPTIMIZERS, *_TORCH_NAMES, *full))
    best = next((full[word] if word not in (*SPOKEN_OPTIMIZERS, *_TORCH_NAMES) else word for word in near), None)
    return Problem(
        _CODE,
        f"optimizer_type is {name!r}, which is no optimiser of the trainer's.",
        settings.where("optimizer_type"),
        f'Write `"optimizer_type": "{best}"`.' if best else "Write `AdamW`, `AdamW8bit`, `Prodigy` or a full path.",
    )


def _argument_problems(settings: Settings, path: str) -> Iterator[Problem]:
    known = OPTIMIZER_ARGUMENTS[path]
    where = settings.where(OPTIMIZER_ARGS)
    own = {"lr", "params"} | ({"nesterov"} if optimizer_name(settings).lower().startswith("sgdnesterov") else set())
    for name in parse_arguments(settings[OPTIMIZER_ARGS]):
        if name in own:
            message = f"optimizer_args has {name}, which the trainer sets itself and then ends on."
            fix = "Set `learning_rate` instead." if name == "lr" else f"Take `{name}` out."
            yield Problem("config.arguments", message, where, fix)
        elif name not in known:
            near = nearest(name, known)
            guess = f"; did you mean `{near[0]}`?" if near else "."
            yield Problem(
                "config.arguments",
                f"optimizer_args has `{name}`, which {optimizer_name(settings)} does not take{guess}",
                where,
                f"Rename it to `{near[0]}`." if near else f"It takes {', '.join(sorted(known))}.",
            )
