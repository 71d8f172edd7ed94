"""The prompts that sample pictures are drawn from, read from their file as the trainer reads it.

Source: sd-scripts 48d368fa, `library/train_util.py:sample_images_common` and `line_to_prompt_dict`; its siblings in
the other families' libraries read the same files.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_MAX_SAMPLE_STEPS = 1000


def _sample_steps(text: str) -> int:
    return max(1, min(_MAX_SAMPLE_STEPS, int(text)))


# What may follow a prompt, each after " --", in the order in which the trainer tries them.
_FLAGS: tuple[tuple[str, re.Pattern[str], Callable[[str], Any]], ...] = tuple(
    (name, re.compile(pattern, re.IGNORECASE), read)
    for name, pattern, read in (
        ("width", r"w (\d+)", int),
        ("height", r"h (\d+)", int),
        ("seed", r"d (\d+)", int),
        ("sample_steps", r"s (\d+)", _sample_steps),
        ("scale", r"l ([\d.]+)", float),
        ("guidance_scale", r"g ([\d.]+)", float),
        ("negative_prompt", r"n (.+)", str),
        ("sample_sampler", r"ss (.+)", str),
        ("controlnet_image", r"cn (.+)", str),
        ("cfg_trunc_ratio", r"ctr (.+)", float),
        ("renorm_cfg", r"rcfg (.+)", float),
        ("flow_shift", r"fs (.+)", str),
    )
)


def read_prompts(path: Path) -> list[Mapping[str, Any]]:
    """Returns the prompts of a file, each by the trainer's names: "prompt", "negative_prompt", "width" and so on.

    Raises:
        OSError: It cannot be read.
        ValueError, KeyError, TypeError, RecursionError: The trainer would end on it.
    """
    if path.suffix == ".txt":
        with path.open(encoding="utf-8") as file:
            return [prompt_in(line.strip()) for line in file if line.strip() and not line.startswith("#")]
    if path.suffix == ".toml":
        from loratpl.config.reading.toml_parser import loads

        shared = loads(path.read_text(encoding="utf-8"))["prompt"]
        # What stands in both places is refused: by this call, as by the trainer's.
        return [_without_subset(dict(**shared, **subset)) for subset in shared["subset"]]
    if path.suffix == ".json":
        prompts = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(prompts, list):
            raise TypeError(type(prompts).__name__)
        return [_of_json(one) for one in prompts]
    raise ValueError(path.suffix)


def prompt_in(line: str) -> dict[str, Any]:
    """Returns what a line asks for; a flag that is not as it should be counts for nothing.

    >>> prompt_in("a cat --w 768 --n blurry --l 7.5")
    {'prompt': 'a cat', 'width': 768, 'negative_prompt': 'blurry', 'scale': 7.5}
    """
    parts = line.split(" --")
    found: dict[str, Any] = {"prompt": parts[0]}
    for part in parts:
        for name, pattern, read in _FLAGS:
            match = pattern.match(part)
            if match:
                with contextlib.suppress(ValueError):
                    found[name] = read(match[1])
                break
    return found


def _of_json(prompt: Any) -> dict[str, Any]:
    if isinstance(prompt, str):
        return prompt_in(prompt)
    if isinstance(prompt, dict):
        return _without_subset(prompt)
    raise TypeError(type(prompt).__name__)


def _without_subset(prompt: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in prompt.items() if name != "subset"}
