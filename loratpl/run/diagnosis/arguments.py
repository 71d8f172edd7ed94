"""Options that the trainer, an optimiser or a scheduler did not take."""

from __future__ import annotations

import re

from loratpl.run.diagnosis.evidence import Case, Explain, Explanation, row, saying

# Lists of NAME=VALUE, and the option that names who takes them.
_ARGUMENTS = (
    ("optimizer_args", "optimizer_type", "run.optimizer.argument"),
    ("lr_scheduler_args", "lr_scheduler", "run.scheduler.argument"),
    ("network_args", "network_module", "run.network.argument"),
)
_REPORT = "Please report this with the run's folder: `kohyatpl check` should have refused it."


def _names(case: Case, option: str) -> list[str]:
    return [str(item).partition("=")[0].strip() for item in case.settings[option] or []]


def _unexpected_of(option: str, owner: str) -> Explain:
    def explain(case: Case, found: re.Match[str]) -> Explanation | None:
        taker, name = found.groups()
        if name not in _names(case, option):
            return None
        return Explanation(
            f"`{option}` sets {name}, which {case.settings[owner]} does not take ({taker}).",
            f"Correct {name} in `{option}`, or take it out.",
        )

    return explain


def _value(case: Case, found: re.Match[str]) -> Explanation | None:
    """An optimiser refuses a value in its own words; those are the cause."""
    if not case.has_trace("get_optimizer(", "get_optimizer\n", "torch/optim/", "in get_optimizer"):
        return None
    given = ", ".join(case.settings["optimizer_args"] or []) or f"learning_rate {case.settings['learning_rate']}"
    return Explanation(
        f"The optimiser {case.settings['optimizer_type']} refused a value ({found.group(1).strip()}).",
        f"Correct `optimizer_args` or the learning rates (set: {given}).",
    )


def _empty(case: Case, _found: re.Match[str]) -> Explanation | None:
    both = case.settings["network_train_unet_only"] and case.settings["network_train_text_encoder_only"]
    reason = "network_train_unet_only and network_train_text_encoder_only leave nothing" if both else "nothing is left"
    return Explanation(
        f"There is nothing to train: {reason} for the optimiser.",
        "Take one of `network_train_unet_only` and `network_train_text_encoder_only` out, and look at the learning "
        "rates.",
    )


def _scheduler(case: Case, found: re.Match[str]) -> Explanation | None:
    verb, what = found.groups()
    return Explanation(
        f"lr_scheduler {case.settings['lr_scheduler']} {verb} `{what}`.",
        "Set `lr_warmup_steps` and `lr_scheduler` to what go together: constant takes no warm-up, "
        "constant_with_warmup does.",
    )


def _samples(case: Case, found: re.Match[str]) -> Explanation | None:
    if not case.has_trace("load_prompts", "sample_images", "sample_image_inference", "sample_prompts"):
        return None
    named = case.settings["sample_prompts"]
    which = case.name(named) if named else "sample_prompts, which is not set,"
    return Explanation(
        f"The sample pictures could not be drawn from {which} ({found.group(0).splitlines()[0].strip()[:160]}).",
        "Correct that file, one prompt a line in a .txt, or take `sample_prompts` out, then train again.",
    )


_ROWS_OF_ARGUMENTS = tuple(
    row(
        code,
        r"^TypeError: ([\w.]+)\(\) got an unexpected keyword argument '(\w+)'",
        _unexpected_of(option, owner),
        "Python's own word for it",
    )
    for option, owner, code in _ARGUMENTS
)

ROWS = (
    *_ROWS_OF_ARGUMENTS,
    row(
        "run.optimizer.argument",
        r"^ValueError: (Invalid (?:learning rate|epsilon value|beta parameter|weight_decay value|momentum)[^\n]*)",
        _value,
        "torch.optim's checks of its values",
    ),
    row(
        "run.optimizer.empty",
        r"optimizer got an empty parameter list",
        _empty,
        "torch.optim without parameters",
    ),
    row(
        "run.scheduler.argument",
        r"(does not require|requires) `(num_warmup_steps|num_training_steps|num_decay_steps)`",
        _scheduler,
        "train_util.get_scheduler_fix",
    ),
    row(
        "run.scheduler.argument",
        r"'([^'\n]*)' is not a valid SchedulerType",
        saying("lr_scheduler {1} is none that the trainer knows.", 'Set `"lr_scheduler": "cosine"`, or another one.'),
        "diffusers' list of schedulers",
    ),
    row(
        "run.samples",
        r"(?:JSONDecodeError|TomlDecodeError|UnboundLocalError|KeyError|ValueError|TypeError|AttributeError|FileNotFoundError"
        r"|UnicodeDecodeError)[^\n]*",
        _samples,
        "the trainer reads the prompts anew each time, and draws in the training's process",
    ),
    row(
        "run.trainer.arguments",
        r"the trainer refused its arguments: ([^\n]*)",
        saying("The trainer refused its arguments: {1}.", _REPORT),
        "argparse; kohyatpl writes these arguments",
    ),
    row(
        "run.trainer.arguments",
        r"MultipleInvalid: ([^\n]*)",
        saying("The trainer refused the dataset file that was written for it: {1}.", _REPORT),
        "the trainer's voluptuous schema; kohyatpl writes that file",
    ),
)
