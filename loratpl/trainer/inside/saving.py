"""What is saved of a training between two of its steps, and whether that is all of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import random_states
from position import Inner, Position, packed
from state_folder import size_bytes_of, write_state

if TYPE_CHECKING:
    from training_watch import Point, TrainingWatch


@dataclass(frozen=True)
class SavingRules:
    """When and where states are saved.

    Attributes:
        states_dir: None: nowhere.
        every_s: Seconds from one state to the next; None: not by the clock.
        every_epochs: Epochs from one state to the next; None: not by epochs.
    """

    states_dir: Path | None = None
    every_s: float | None = None
    every_epochs: int | None = None


class BrokenWeightsError(Exception):
    """The weights are no numbers; a state of them would take the place of a good one."""


class TrainingState:
    """A state of a training at a point between two steps."""

    def __init__(self, watch: TrainingWatch, point: Point) -> None:
        self._watch, self._point = watch, point
        self._pending: Any = None
        self._reasons = list(reasons_for_inexactness(watch))
        if self._is_in_epoch and not watch.shard.num_workers and watch.feed is not None:
            try:
                self._pending = packed(watch.feed.waiting)
            except TypeError as error:
                self._reasons.append(f"a batch was read ahead that has to be read again ({error})")

    @property
    def _is_in_epoch(self) -> bool:
        return 0 < self._point.batches < len(self._watch.shard)

    @property
    def position(self) -> Position:
        """Where the training is."""
        watch, args, shard = self._watch, self._watch.args, self._watch.shard
        return Position(
            step=watch.step,
            epoch=watch.epoch,
            batches=self._point.batches,
            max_train_steps=int(args.max_train_steps),
            batches_per_epoch=len(shard),
            gradient_accumulation_steps=int(args.gradient_accumulation_steps),
            processes=watch.accelerator.num_processes,
            workers=shard.num_workers,
            persistent_workers=bool(shard.persistent_workers),
            is_exact=not self._reasons,
            inexact_because="; ".join(self._reasons) or None,
        )

    def write(self, states_dir: Path) -> tuple[Path, int]:
        """Returns the folder of the state and its size in bytes.

        Raises:
            Exception: It could not be written.
        """
        path = write_state(states_dir, self._watch.step, self.position.as_json(), self._fill)
        return path, size_bytes_of(path)

    def _fill(self, folder: str) -> None:
        accelerator = self._watch.accelerator
        handle = accelerator.register_save_state_pre_hook(_refuse_broken_weights)
        try:
            accelerator.save_state(folder)
        finally:
            handle.remove()
        self._inner().write(Path(folder))

    def _inner(self) -> Inner:
        watch, point = self._watch, self._point
        if watch.epoch_random is None:
            raise RuntimeError("the epoch was not seen to begin")
        return Inner(
            random={**point.random, **random_states.of_devices()},
            epoch_random=watch.epoch_random,
            previous_epoch_random=watch.previous_epoch_random if watch.shard.persistent_workers else None,
            pending=self._pending,
            losses=[(list(recorder.loss_list), float(recorder.loss_total)) for recorder in watch.recorders],
            iteration=watch.shard.iteration,
            dataset_marks=point.dataset_marks,
            step_mark=point.step_mark,
            accumulation_step=watch.accelerator.step,
        )


def _refuse_broken_weights(_models: list[Any], weights: list[dict[str, Any]], _folder: str) -> None:
    import torch

    for state in weights:
        for name, tensor in state.items():
            if not bool(torch.isfinite(tensor).all()):
                raise BrokenWeightsError(f"{name} holds NaN or infinite values")


def reasons_for_inexactness(watch: TrainingWatch) -> Iterator[str]:
    """Yields what of the training is in no state, one sentence without a full stop each."""
    args, shard, accelerator = watch.args, watch.shard, watch.accelerator
    if accelerator.num_processes > 1:
        yield "only the first of several processes saves its random numbers"
    if shard.num_workers and any(_counts_steps(dataset) for dataset in getattr(shard.dataset, "datasets", ())):
        yield "with loader workers, token_warmup_step depends on how far ahead they happen to be"
    if any(str(argument).startswith("ggpo") for argument in args.network_args or ()):
        yield "what GGPO knows of the gradients is in no state"
    if watch.is_skipped_into:
        yield "the trainer itself skipped into this epoch"
    if shard.persistent_workers and len(shard) < shard.num_workers:
        yield "an epoch has fewer batches than there are persistent loader workers"
    active = accelerator.gradient_state.active_dataloader
    if args.gradient_accumulation_steps > 1 and active is not None and active is not shard:
        yield "after a shortened validation, accelerate no longer sees the end of an epoch"


def _counts_steps(dataset: Any) -> bool:
    return any(getattr(subset, "token_warmup_step", 0) for subset in getattr(dataset, "subsets", ()))
