"""Proves that what came out is what was planned: the trainer itself exits with 0 when it trained nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from loratpl.errors import Problem
from loratpl.plan.outputs import PlannedFile
from loratpl.project import RunPaths
from loratpl.records import Output
from loratpl.run.diagnosis import cause_from_log
from loratpl.trainer.environment import run_inside
from loratpl.trainer.paths import TrainerPaths
from loratpl.weights import WeightsFile, WeightsFileError, read_weights_file, sha256_of

PROVABLE_SUFFIX = ".safetensors"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found of a run's files; `problems` is empty when everything is as planned."""

    outputs: tuple[Output, ...]
    problems: tuple[Problem, ...]


def verify_outputs(
    planned: tuple[PlannedFile, ...], *, last_step: int, trainer: TrainerPaths, paths: RunPaths
) -> Verdict:
    """Returns what came out of a run that ended without an error.

    Args:
        planned: The files of the plan, the finished LoRA last.
        last_step: The last step that the trainer reported.
        trainer: Its interpreter looks at the tensors.
        paths: The run; gets the verdict on the tensors as a file.
    """
    final = planned[-1]
    if not final.path.is_file():
        return Verdict((), (_missing(final, last_step, paths),))
    problems = list(_step_problems(final, last_step))
    problems += [_gone(file) for file in planned[:-1] if file.removed_at is None and not file.path.is_file()]
    present = [file for file in planned if file.path.is_file() and file.path.suffix == PROVABLE_SUFFIX]
    if final not in present:
        return Verdict((), (*problems, _unproven(final)))
    headers = []
    for file in present:
        try:
            headers.append(read_weights_file(file.path))
        except (OSError, WeightsFileError) as error:
            problems.append(_damaged(file, error))
    judged = run_inside(trainer, "judge.py", *(header.path for header in headers)) if headers else []
    paths.verdict_path.write_text(json.dumps(judged, indent=1) + "\n", encoding="utf-8")
    steps_of = {file.path: file.step for file in present}
    outputs = []
    for header, tensors in zip(headers, judged, strict=True):
        problems += _header_problems(header, steps_of[header.path])
        problems += _tensor_problems(header.path, tensors["non_finite_count"], tensors["trained"])
        problems += _part_problems(header.path, tensors["trained"], tensors["parts"])
        outputs.append(
            Output(
                path=str(header.path),
                size_bytes=header.size_bytes,
                sha256=sha256_of(header.path),
                ss_steps=header.trained_steps,
                tensors=tensors["tensors"],
                trained=tensors["trained"],
                trainable=tensors["trainable"],
            )
        )
    return Verdict(tuple(outputs), tuple(problems))


def _missing(final: PlannedFile, last_step: int, paths: RunPaths) -> Problem:
    said = cause_from_log(paths.trainer_log_path)
    log = paths.trainer_log_path.relative_to(paths.run_dir.parent.parent).as_posix()
    return Problem(
        "run.output.missing",
        f"The trainer ended without an error after step {last_step} of {final.step}; there is no {final.path.name}."
        f"{f' Its log says: {said}' if said else ''}",
        str(final.path),
        f"The trainer's whole log is {log}.",
    )


def _gone(file: PlannedFile) -> Problem:
    return Problem(
        "run.output.missing",
        f"{file.path.name}, the checkpoint after step {file.step}, is not there any more, or was never written.",
        str(file.path),
        "Where nobody moved it, look into the trainer's log; the LoRA itself is proven.",
        "warning",
    )


def _unproven(final: PlannedFile) -> Problem:
    return Problem(
        "run.output.unproven",
        f"{final.path.name} was written, but its kind of file cannot be looked into; nothing is known of its tensors.",
        str(final.path),
        'Set `"save_model_as": "safetensors"`.',
        "warning",
    )


def _damaged(file: PlannedFile, error: Exception) -> Problem:
    return Problem(
        "run.output.damaged", f"{error}.", str(file.path), "Look whether the disk is full, then train again."
    )


def _step_problems(final: PlannedFile, last_step: int) -> Iterator[Problem]:
    if last_step != final.step:
        yield Problem(
            "run.steps",
            f"The trainer did {last_step} steps; {final.step} were planned.",
            str(final.path),
            "Please report this with the run's folder: the plan and the trainer should never differ.",
        )


def _header_problems(header: WeightsFile, planned_steps: int) -> Iterator[Problem]:
    # `--no_metadata` leaves the count out; what the trainer reported while training has been checked then.
    if header.trained_steps is not None and header.trained_steps != planned_steps:
        yield Problem(
            "run.output.steps",
            f"{header.path.name} says it was trained for {header.trained_steps} steps; {planned_steps} were planned.",
            str(header.path),
            "Please report this with the run's folder.",
        )


def _tensor_problems(path: Path, non_finite: int, trained: int) -> Iterator[Problem]:
    if non_finite:
        yield Problem(
            "run.output.nan",
            f"{path.name} has NaN or infinite values in {non_finite} tensors; it cannot be used.",
            str(path),
            "Train with a lower learning rate, or with mixed_precision bf16 or no.",
        )
    if not trained:
        yield Problem(
            "run.output.untrained",
            f"Nothing in {path.name} was changed by the training: every weight is still zero.",
            str(path),
            "Look at the learning rates: 0 trains nothing.",
        )


def _part_problems(path: Path, trained: int, parts: Mapping[str, Mapping[str, int]]) -> Iterator[Problem]:
    """Single modules may rightly stay zero (those behind `clip_skip`, or behind a penultimate layer); no whole part."""
    for part, counts in parts.items():
        if trained and not counts["trained"]:
            what = "denoiser" if part == "unet" else f"text encoder ({part})"
            yield Problem(
                "run.output.part_untrained",
                f"{path.name} has {counts['trainable']} modules for the {what}, and the training changed none of them.",
                str(path),
                "Look at the rate of this part (`unet_lr`, `text_encoder_lr`), or train the other part alone "
                "(`network_train_unet_only`, `network_train_text_encoder_only`).",
                "warning",
            )
