"""Compares trainings that were stopped and gone on with, with the same training that never was, on the real trainer.

`python -m tests.benchmarks.resume_equality [CASE …] [--seed N]`: stops at every epoch's end, at five random steps, and
at five in one training. For each it prints the greatest difference over all tensors of all files, and whether the
losses, the files' names, ss_steps and ss_epoch are the same; then the losses side by side. On a CPU every difference
has to be 0. A last row shows what the random numbers are worth: a training with another seed.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from loratpl.selfcheck import make_tiny_model
from loratpl.trainer.pin import load_pin
from loratpl.trainer.status import status
from tests.trainer.resumed_trainings import Case, Trained, Trainings, greatest_difference

RANDOM_STOPS = 5
_WORKERS = {"max_data_loader_n_workers": 2, "caption_dropout_rate": 0.2, "caption_tag_dropout_rate": 0.1}
CASES = {
    case.name: case
    for case in (
        Case("plain", {"save_every_n_steps": 7}),
        Case("uncached", {"flip_aug": True, "color_aug": True, "random_crop": True, "caption_dropout_rate": 0.2}),
        Case("accumulation", {"gradient_accumulation_steps": 3, "save_every_n_steps": 2}, steps=12),
        Case("workers", _WORKERS),
        Case("persistent", {**_WORKERS, "persistent_data_loader_workers": True}),
        Case("noise", {"noise_offset": 0.1, "noise_offset_random_strength": True, "ip_noise_gamma": 0.1}),
        Case("schedule-free", {"optimizer_type": "AdamWScheduleFree", "lr_scheduler": "constant"}),
        Case("prodigy", {"optimizer_type": "Prodigy", "learning_rate": 1.0}),
        Case("validation", {"validation_split": 0.3, "validate_every_n_steps": 2, "max_validation_steps": 1}, steps=18),
    )
}


def compared(parted: Trained, whole: Trained) -> str:
    """Returns a table's cells: greatest difference, losses, files."""
    greatest = max(
        (
            greatest_difference(parted.output_dir / name, whole.output_dir / name)
            if (parted.output_dir / name).exists()
            else math.inf
        )
        for name in whole.files
    )
    losses = sum(a == b for a, b in zip(parted.losses, whole.losses, strict=False))
    of = max(len(parted.losses), len(whole.losses))
    same_files = "same" if parted.files == whole.files else "differ"
    return f"{greatest:.3g} | {losses} of {of} | {same_files}"


def side_by_side(parted: Trained, whole: Trained) -> str:
    """Returns the losses of two trainings, a step a line."""
    pairs = zip(whole.losses, parted.losses, strict=False)
    return "\n".join(f"  {a[0]:4d}  {a[1]:.9f}  {b[0]:4d}  {b[1]:.9f}" for a, b in pairs)


def run_case(trainings: Trainings, case: Case, choice: random.Random) -> bool:
    """Prints a case's rows; returns whether nothing differed."""
    whole = trainings.train(case)
    if whole.returncode != 0:
        print(whole.stderr[-2000:], file=sys.stderr)
        return False
    ends = range(case.steps_per_epoch, case.steps, case.steps_per_epoch)
    steps = range(1, case.steps - 1)  # a stop may come a step late, and after the last one there is none
    ways: list[tuple[str, Sequence[int]]] = [(f"end of epoch {number}", (step,)) for number, step in enumerate(ends, 1)]
    ways += [("a random step", (step,)) for step in sorted(choice.sample(steps, RANDOM_STOPS))]
    ways += [("five times", sorted(choice.sample(steps, RANDOM_STOPS)))]
    is_same = True
    for way, stops in ways:
        parted = trainings.train(case, stops=stops)
        cells = compared(parted, whole)
        is_same &= parted.returncode == 0 and cells.startswith("0 |") and cells.endswith("same")
        is_same &= parted.losses == whole.losses and parted.epochs == whole.epochs
        places = ", ".join(f"{event['step']} ({event['epoch']}:{event['batches']})" for event in parted.events("state"))
        print(f"| {case.name} | {way} | {places} | {cells} |", flush=True)
    other = trainings.train(replace(case, name=f"{case.name}-other", options={**case.options, "seed": 43}))
    print(f"| {case.name} | another seed | - | {compared(other, whole)} |", flush=True)
    print(f"\nstep and loss of {case.name}, whole and stopped five times:\n{side_by_side(parted, whole)}\n", flush=True)
    return is_same


def main(names: Sequence[str], seed: int) -> int:
    """Prints all rows; returns 1 when something differed."""
    trainer = status(load_pin())
    choice = random.Random(seed)
    print(f"random steps drawn with seed {seed}\n")
    print("| training | stopped at | state after step (epoch:batches) | greatest difference | losses | files |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        model = make_tiny_model(trainer, folder / "model")
        with Trainings(trainer, model, folder) as trainings:
            is_same = [run_case(trainings, CASES[name], choice) for name in names or CASES]
    return 0 if all(is_same) else 1


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    arguments.add_argument("--seed", type=int, default=1, help="of the random steps")
    given = arguments.parse_args()
    sys.exit(main(given.cases, given.seed))
