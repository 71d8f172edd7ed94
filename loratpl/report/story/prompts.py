"""The prompts that the samples of a run were drawn from, as far as they are still known."""

from __future__ import annotations

import ntpath
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from loratpl.plan.sample_prompts import read_prompts
from loratpl.project import ProjectPaths, RunPaths
from loratpl.report.ledger.event_lines import RunPart
from loratpl.report.story.story import SamplePrompt
from loratpl.run.again import project_dir_then, re_anchored
from loratpl.run.samples import MAX_PROMPTS_BYTES, PROMPT_SUFFIXES

_TEXT, _NEGATIVE, _CONTROL = "prompt", "negative_prompt", "controlnet_image"
# The trainer's names, and what a reader calls them; a setting of another name is shown by that.
_DETAILS = {
    "width": "width", "height": "height", "sample_steps": "steps", "scale": "scale",
    "guidance_scale": "guidance scale", "seed": "seed", "sample_sampler": "sampler", _CONTROL: "ControlNet image",
    "cfg_trunc_ratio": "CFG truncation ratio", "renorm_cfg": "CFG renormalisation", "flow_shift": "flow shift",
}  # fmt: skip


def prompts_of(
    project: ProjectPaths,
    drawn_by: Iterable[tuple[RunPart, Mapping[str, Any], frozenset[int]]],
    unknown: list[str],
) -> tuple[SamplePrompt, ...]:
    """Returns the prompts of samples by their indices.

    Args:
        project: The runs'.
        drawn_by: The runs that drew them, the last one first, with their settings and the indices of their prompts.
        unknown: Gets a sentence for what cannot be told.
    """
    found: dict[int, SamplePrompt] = {}
    for part, options, indices in drawn_by:
        prompts = _prompts_of(project, part, options, unknown)
        known = {index: _prompt(index, prompts[index]) for index in indices if index < len(prompts)}
        others = sorted(index for index, prompt in known.items() if index in found and found[index] != prompt)
        if others:
            unknown.append(
                f"The samples that {part.run.run_id} drew are of other prompts than those of the runs after it: "
                f"{', '.join(f'no. {index}' for index in others)}, counted from 0."
            )
        for index in indices:
            found.setdefault(index, known.get(index, SamplePrompt(index, "", "", ())))
    return tuple(found[index] for index in sorted(found))


def _prompts_of(
    project: ProjectPaths, part: RunPart, options: Mapping[str, Any], unknown: list[str]
) -> list[Mapping[str, Any]]:
    run_id = part.run.run_id
    kept = _kept(part.run.paths)
    if kept is not None:
        prompts = _read(kept)
        if prompts is None:
            unknown.append(f"The prompts of {run_id} cannot be read: {kept.name} in its folder is damaged.")
        return prompts or []
    named = options.get("sample_prompts")
    record = part.run.record
    old_dir = None if record is None else project_dir_then(record)
    if not isinstance(named, str):
        unknown.append(f"The prompts of {run_id} are not known: its config does not name them.")
        return []
    path = Path(named if old_dir is None else re_anchored(named, old_dir, project.root_dir.resolve()))
    prompts = _read(path)
    if prompts is None:
        unknown.append(f"The prompts of {run_id} are not known: {path.name} is gone, or cannot be read.")
        return []
    unknown.append(f"The prompts of {run_id} were not kept: what is shown is what {path.name} holds today.")
    return prompts


def _kept(paths: RunPaths) -> Path | None:
    return next((path for path in map(paths.sample_prompts_path, PROMPT_SUFFIXES) if path.exists()), None)


def _read(path: Path) -> list[Mapping[str, Any]] | None:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_PROMPTS_BYTES:
            return None
        return read_prompts(path)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):  # ValueError: of every decoder
        return None


def _prompt(index: int, values: Mapping[str, Any]) -> SamplePrompt:
    details = []
    for key in (*_DETAILS, *(key for key in values if key not in _DETAILS)):
        value = values.get(key)
        if key not in (_TEXT, _NEGATIVE) and value is not None:
            # A report is passed on: where the picture lies is nobody's business.
            text = ntpath.basename(str(value)) if key == _CONTROL else str(value)
            details.append((_DETAILS.get(key, key), text))
    return SamplePrompt(index, _text(values.get(_TEXT)), _text(values.get(_NEGATIVE)), tuple(details))


def _text(value: Any) -> str:
    return "" if value is None else str(value)
