"""What single values of the kohya_ss GUI mean: each rule returns an option's value, None where the GUI had it unset.

A number of the GUI is a text as often as not, and a text box that was left alone is "".
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from loratpl.config.options import ValueRefusedError, number_of

MAX_THREADS = 1024
MAX_PROCESSES = 64


@dataclass(frozen=True, slots=True)
class Instead:
    """Another option than the row's, and its value."""

    becomes: str
    value: Any


def as_written(value: Any) -> Any:
    """Returns the value itself."""
    return value


def text(value: Any) -> Any:
    """Returns a number as the text that a text box makes of it, anything else as it is."""
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def unset_at_zero(value: Any) -> Any:
    """Returns None for 0."""
    return None if number_of(value) == 0 else value


def unset_up_to(limit: float) -> Callable[[Any], Any]:
    """Returns the rule of an option that the GUI passed on only above a limit."""

    def meaning(value: Any) -> Any:
        number = number_of(value)
        return None if number is not None and number <= limit else value

    return meaning


def instead_of_nothing(stand_in: Any) -> Callable[[Any], Any]:
    """Returns the rule of an option whose empty field meant something."""
    return lambda value: stand_in if value == "" else value


def share(value: Any) -> Any:
    """Returns a percentage as a share of all steps; 100 is the largest number below 1, for 1 would be one step.

    >>> share("10"), share(0)
    (0.1, None)

    Raises:
        ValueRefusedError: It is no percentage.
    """
    if value in ("", None):
        return None
    percent = number_of(value)
    if percent is None or not 0 <= percent <= 100:
        raise ValueRefusedError(
            f"`lr_warmup` takes a percentage from 0 to 100, not {shown(value)}", "Write a number, for example 10."
        )
    return min(percent / 100, math.nextafter(1.0, 0.0)) or None


def threads(value: Any) -> Any:
    """Returns a number of threads, None for 0.

    Raises:
        ValueRefusedError: It is no number of threads.
    """
    number = number_of(value)
    if value in ("", None) or number == 0:
        return None
    if number is None or not number.is_integer() or not 1 <= number <= MAX_THREADS:
        raise ValueRefusedError(
            f"`num_cpu_threads_per_process` takes a whole number from 1 to {MAX_THREADS}, not {shown(value)}",
            "Write how many CPU threads each process may use, or take it out.",
        )
    return int(number)


def eight_bit(value: Any) -> Any:
    """Returns the optimiser that the box `use_8bit_adam` chose when it was ticked.

    Raises:
        ValueRefusedError: It is neither true nor false.
    """
    if isinstance(value, bool) or value in ("", None):
        return "AdamW8bit" if value else None
    raise ValueRefusedError(
        f"`use_8bit_adam` takes true or false, not {shown(value)}", "Write true or false, without quotes."
    )


def saved_as(value: Any) -> Any:
    """Returns the file format; a LoRA has none that `same as source model` or a Diffusers form could be."""
    return "safetensors" if value in ("same as source model", "diffusers", "diffusers_safetensors") else value


def attention(value: Any) -> Any:
    """Returns what the box or list `xformers` chose; `none` is a choice too, an empty box is none."""
    if not isinstance(value, str):
        return value or None
    return {"xformers": True, "sdpa": Instead("sdpa", True), "none": Instead("sdpa", False)}.get(value, value)


def box(name: str, family: str) -> Callable[[Any], Any]:
    """Returns the rule of a box that chooses a model family."""

    def meaning(value: Any) -> Any:
        if isinstance(value, bool) or value in ("", None):
            return family if value else None
        raise ValueRefusedError(
            f"`{name}` takes true or false, not {shown(value)}", f'Write `"family": "{family}"`, or take it out.'
        )

    return meaning


def beyond_default(*defaults: Any) -> Callable[[Any], Any]:
    """Returns the rule of a field that says nothing while it holds what it held at first."""

    def meaning(value: Any) -> Any:
        number = number_of(value)
        is_default = value in defaults or (number is not None and number in defaults)
        return None if is_default or value in (None, "") else value

    return meaning


def argument_words(value: Any) -> Any:
    """Returns the `NAME=VALUE` items of a text; a value may hold blanks, and quotes around an item are no part of it.

    >>> argument_words('"d0=1e-5" betas=(0.9, 0.99)')
    ['d0=1e-5', 'betas=(0.9,0.99)']
    >>> argument_words("weight_decay = 0.1")
    ['weight_decay=0.1']
    """
    if not isinstance(value, str):
        return value
    items: list[str] = []
    for word in value.replace('"', "").split():
        if items and _goes_on(items[-1], word):
            items[-1] += word
        else:
            items.append(word)
    return items


def _goes_on(item: str, word: str) -> bool:
    is_open = sum(item.count(bracket) for bracket in "([{") > sum(item.count(bracket) for bracket in ")]}")
    return is_open or item.endswith(("=", ",")) or (word.startswith("=") and "=" not in item)


def processes(value: Any) -> Any:
    """Returns a number of processes, None for one and fewer.

    Raises:
        ValueRefusedError: It is no number of processes.
    """
    number = number_of(value)
    if value in ("", None) or (number is not None and number <= 1):
        return None
    if number is None or not number.is_integer() or number > MAX_PROCESSES:
        raise ValueRefusedError(
            f"`num_processes` takes a whole number from 1 to {MAX_PROCESSES}, not {shown(value)}",
            "Write one process for each GPU, or take it out.",
        )
    return int(number)


def devices(value: Any) -> Any:
    """Returns the numbers of GPUs as CUDA_VISIBLE_DEVICES takes them, None for all."""
    chosen = str(value if value is not None else "").replace(" ", "").strip(",")
    return None if chosen in ("", "all") else chosen


def prompts(value: Any) -> Any:
    """Returns the prompts as they are, None where there is none."""
    return None if isinstance(value, str) and not value.strip() else value


def ticked(value: Any) -> Any:
    """Returns true for any text: the trainer's flag is one that the GUI had a text box for."""
    return True if isinstance(value, str) and value.strip() else value or None


def wandb(value: Any) -> Any:
    """Returns the tracker that the box `use_wandb` chose."""
    return "wandb" if value is True or str(value).lower() == "true" else None


def secret_text(value: Any) -> Any:
    """Returns a key or token, None for none."""
    return value or None


def nothing(_value: Any) -> Any:
    """Returns None: the key is no setting."""
    return None


def asked_for(value: Any) -> Any:
    """Returns None for a box that was not ticked."""
    return value or None


def shown(value: Any) -> str:
    """Returns a value as it stands in a config, cut where it is long."""
    return json.dumps(value, ensure_ascii=False, default=str)[:60]
