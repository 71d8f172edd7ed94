"""The learning-rate scheduler: whether there is such a one, what it takes, and what makes the trainer pass it over."""

from __future__ import annotations

from collections.abc import Iterator, Set

from loratpl.check.optimizer import is_adafactor_relative, is_schedule_free, optimizer_path
from loratpl.check.optimizer_table import SCHEDULER_ARGUMENTS, SCHEDULER_CLASS_ARGUMENTS, UNFIT_SCHEDULERS
from loratpl.check.rule import Rule, is_chosen, judge_all
from loratpl.config.arguments import SCHEDULER_ARGS, parse_arguments
from loratpl.config.options import nearest
from loratpl.config.settings import Settings
from loratpl.errors import Problem

_CODE = "config.scheduler"
_ADAFACTOR = "adafactor"
_WARM_UP = "lr_warmup_steps"


def _scheduler(settings: Settings) -> str:
    """The scheduler that will be used: Adafactor brings its own, a schedule-free optimiser has none."""
    if is_schedule_free(settings):
        return ""
    if settings["lr_scheduler_type"]:
        return "lr_scheduler_type"
    return _ADAFACTOR if is_adafactor_relative(settings) else settings["lr_scheduler"] or "constant"


RULES = (
    Rule(
        "config.combination",
        _WARM_UP,
        lambda s: s[_WARM_UP] and _scheduler(s) == "constant",
        "lr_warmup_steps is {value}, but lr_scheduler constant has no warm-up; the trainer ends on it after the models "
        "were loaded.",
        'Set `"lr_scheduler": "constant_with_warmup"`, or `"lr_warmup_steps": 0`.',
    ),
    Rule(
        "config.combination",
        _WARM_UP,
        lambda s: s[_WARM_UP] and _scheduler(s) == "lr_scheduler_type",
        "lr_warmup_steps is {value}, but with lr_scheduler_type the trainer knows no warm-up and ends on it.",
        'Set `"lr_warmup_steps": 0`, or choose an `lr_scheduler` in place of `lr_scheduler_type`.',
    ),
    Rule(
        "config.combination",
        _WARM_UP,
        lambda s: s[_WARM_UP] and _scheduler(s) == _ADAFACTOR,
        "lr_warmup_steps is {value}, but Adafactor finds its rate itself (relative_step), without a warm-up; the "
        "trainer ends on it.",
        'Set `"lr_warmup_steps": 0`, or `optimizer_args` to `scale_parameter=False relative_step=False '
        "warmup_init=False`.",
    ),
    Rule(
        "config.ignored",
        _WARM_UP,
        lambda s: s[_WARM_UP] and (is_schedule_free(s) or _scheduler(s) == "piecewise_constant"),
        "lr_warmup_steps is {value}, but there is no warm-up in what the rate goes by here; it would do nothing.",
        "Take it out; schedule-free optimisers have `warmup_steps` among their `optimizer_args`.",
        "warning",
    ),
    Rule(
        "config.ignored",
        "lr_scheduler",
        lambda s: is_schedule_free(s) and is_chosen(s, "lr_scheduler") and s["lr_scheduler"] != "constant",
        "lr_scheduler is {value}, but a schedule-free optimiser is given no scheduler; the rate stays the same.",
        'Set `"lr_scheduler": "constant"`, or take it out.',
        "warning",
    ),
    Rule(
        "config.ignored",
        "lr_scheduler",
        lambda s: (
            is_adafactor_relative(s)
            and is_chosen(s, "lr_scheduler")
            and not s["lr_scheduler_type"]
            and s["lr_scheduler"] != _ADAFACTOR
        ),
        "lr_scheduler is {value}, but Adafactor finds its rate itself (relative_step is on unless it is switched off), "
        "and the trainer takes the scheduler adafactor.",
        "Take it out, or set `optimizer_args` to `scale_parameter=False relative_step=False warmup_init=False`.",
        "warning",
    ),
    Rule(
        "config.combination",
        "lr_scheduler",
        lambda s: (
            s["lr_scheduler"] == _ADAFACTOR
            and optimizer_path(s) != "transformers.optimization.Adafactor"
            and _scheduler(s) == _ADAFACTOR
        ),
        "lr_scheduler adafactor belongs to the optimiser Adafactor; the trainer ends on it.",
        'Set `"optimizer_type": "Adafactor"`, or another `lr_scheduler`.',
    ),
    Rule(
        "config.combination",
        "lr_scheduler",
        lambda s: (
            s["lr_scheduler"] == _ADAFACTOR
            and optimizer_path(s) == "transformers.optimization.Adafactor"
            and not is_adafactor_relative(s)
            and _scheduler(s) == _ADAFACTOR
        ),
        "lr_scheduler adafactor asks Adafactor for its own rate, and optimizer_args has relative_step=False; the "
        "trainer ends on it.",
        'Set `"lr_scheduler": "constant_with_warmup"`, or take `relative_step=False` out.',
    ),
    Rule(
        "config.combination",
        "lr_scheduler",
        lambda s: (
            _scheduler(s) == "cosine_with_min_lr"
            and (s["lr_scheduler_min_lr_ratio"] is None) is ("min_lr" not in parse_arguments(s[SCHEDULER_ARGS]))
        ),
        "lr_scheduler cosine_with_min_lr needs to know where the rate ends, said once; the trainer ends on it.",
        'Set `"lr_scheduler_min_lr_ratio": 0.1` or another share, and no `min_lr` in `lr_scheduler_args`.',
    ),
    Rule(
        "config.combination",
        "lr_scheduler",
        lambda s: _scheduler(s) == "piecewise_constant" and "step_rules" not in parse_arguments(s[SCHEDULER_ARGS]),
        "lr_scheduler piecewise_constant needs step_rules in lr_scheduler_args; the trainer ends without them.",
        "Set `lr_scheduler_args` to `step_rules='1:500,0.1'`, say: factor 1 up to step 500, then 0.1.",
    ),
    Rule(
        "config.value",
        "lr_scheduler_num_cycles",
        lambda s: _scheduler(s) == "cosine_with_restarts" and (s["lr_scheduler_num_cycles"] or 1) < 1,
        "lr_scheduler_num_cycles is {value}; cosine_with_restarts needs at least one cycle.",
        "Write 1 or more.",
    ),
)


def scheduler_problems(settings: Settings) -> Iterator[Problem]:
    """Yields what is wrong with the scheduler and its arguments."""
    yield from judge_all(RULES, settings)
    class_name = settings["lr_scheduler_type"]
    if is_schedule_free(settings):
        return
    if class_name:
        yield from _class_problems(settings, class_name)
        return
    name = settings["lr_scheduler"]
    if name is not None and name != _ADAFACTOR and name not in SCHEDULER_ARGUMENTS:
        yield _unknown(settings, "lr_scheduler", name, SCHEDULER_ARGUMENTS.keys())
    elif _scheduler(settings) in SCHEDULER_ARGUMENTS:
        yield from _argument_problems(settings, _scheduler(settings), SCHEDULER_ARGUMENTS[_scheduler(settings)])


def _class_problems(settings: Settings, class_name: str) -> Iterator[Problem]:
    short = class_name.removeprefix("torch.optim.lr_scheduler.")
    if short in SCHEDULER_CLASS_ARGUMENTS:
        yield from _argument_problems(settings, class_name, SCHEDULER_CLASS_ARGUMENTS[short])
    elif "." not in class_name:
        yield _unknown(settings, "lr_scheduler_type", class_name, SCHEDULER_CLASS_ARGUMENTS.keys())
    elif settings[SCHEDULER_ARGS]:
        yield Problem(
            "config.arguments.unjudged",
            f"lr_scheduler_args are not checked: {class_name} is a scheduler that kohyatpl knows nothing of.",
            settings.where(SCHEDULER_ARGS),
            "Look them up in its documentation; the trainer ends on one that it does not take.",
            "warning",
        )


def _unknown(settings: Settings, option: str, name: str, known: Set[str]) -> Problem:
    near = nearest(name, known)
    reason = "which the trainer cannot use" if name in UNFIT_SCHEDULERS else "which is no scheduler of the trainer's"
    return Problem(
        _CODE,
        f"{option} is {name!r}, {reason}.",
        settings.where(option),
        f'Write `"{option}": "{near[0]}"`.' if near else f"It knows {', '.join(sorted(known))}.",
    )


def _argument_problems(settings: Settings, scheduler: str, known: Set[str]) -> Iterator[Problem]:
    for name in parse_arguments(settings[SCHEDULER_ARGS]):
        if name not in known:
            near = nearest(name, known)
            guess = f"; did you mean `{near[0]}`?" if near else "."
            yield Problem(
                "config.arguments",
                f"lr_scheduler_args has `{name}`, which {scheduler} does not take{guess}",
                settings.where(SCHEDULER_ARGS),
                f"Rename it to `{near[0]}`." if near else f"It takes {', '.join(sorted(known))}.",
            )
