"""Going on from a state, exactly where it was made.

The trainer can begin with a later epoch and skip batches, but counts its steps from there and reads other pictures
with other random numbers. It is left to do its own arithmetic, with a step number that keeps its value, and asks for a
loader without the batches before that step: what it is given instead has everything put back as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import random_states
from batches import MakeIterator, Replay, datasets_of
from position import read_inner, read_position

if TYPE_CHECKING:
    from training_watch import TrainingWatch

MOVED = "sd-scripts does not resume as the version that kohyatpl was made for"


class StepCount(int):
    """The number of a step, as the trainer's resume takes it through its arithmetic.

    It multiplies the number by the batches of a step, divides it by the steps of an epoch to find the epoch to begin
    with, and takes the batches of each epoch before that one away to find what is left to skip. Of these, only the
    division has an answer here; otherwise the number stays what it is, and so becomes the trainer's count of steps.
    """

    steps_per_epoch: int
    epochs_before: int

    def __mul__(self, _batches_in_a_step: object) -> StepCount:
        """Returns the same number of steps."""
        return self

    def __isub__(self, _batches_of_an_epoch: object) -> StepCount:
        """Returns the same number of steps."""
        return self

    def __floordiv__(self, steps_per_epoch: int) -> int:
        """Returns how many epochs lie before the one that the training goes on in."""
        if steps_per_epoch == self.steps_per_epoch:
            return self.epochs_before
        return int(self) // steps_per_epoch  # the data is no longer that of the state


class Resumption:
    """A state that the training goes on from.

    Attributes:
        position: Where it is.
        is_taken_up: The training has come to that place.
    """

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.position = read_position(state_dir)
        self.is_taken_up = False
        self._is_checked = False
        self._models: list[Any] = []
        self._weights: list[tuple[Any, Any]] = []

    def load(self, resume: Any, accelerator: Any, args: Any) -> None:
        """Loads the state by the trainer's own function, then tells the trainer where to begin.

        Args:
            resume: `library.train_util.resume_from_local_or_hf_if_specified`.
            accelerator: The trainer's.
            args: The trainer's options, which are changed.
        """
        if accelerator.num_processes > 1:
            raise SystemExit("A state can be gone on from with one process only.")
        handle = accelerator.register_load_state_pre_hook(lambda models, _folder: self._models.extend(models))
        args.resume, args.resume_from_huggingface = str(self.state_dir), False
        try:
            resume(accelerator, args)
        finally:
            handle.remove()
        if not self._models:
            raise SystemExit(f"{MOVED}: it loaded no state.")
        # What runs before the first step may change them: schedule-free optimisers are switched to and fro.
        for model in self._models:
            trained = [weight for weight in model.parameters() if weight.requires_grad]
            self._weights += [(weight, weight.detach().to("cpu", copy=True)) for weight in trained]
        position = self.position
        count = StepCount(position.step)
        count.steps_per_epoch = -(-position.batches_per_epoch // position.gradient_accumulation_steps)
        count.epochs_before = position.epoch - 1
        args.initial_step, args.initial_epoch, args.skip_until_initial_step = count, None, True
        args.sample_at_first = False

    def take_up(self, watch: TrainingWatch) -> int:
        """Returns how many batches of the epoch have been trained, with all put back that a state holds.

        The random numbers come last, when the first batch is asked for that the state does not have.
        """
        if self.is_taken_up:
            raise RuntimeError(f"{MOVED}: it skipped into an epoch twice.")
        self.is_taken_up = True
        position, shard, inner = self.position, watch.shard, read_inner(self.state_dir)
        accumulation = int(watch.args.gradient_accumulation_steps)
        is_same = (len(shard), accumulation) == (position.batches_per_epoch, position.gradient_accumulation_steps)
        if is_same and watch.epoch != position.epoch:
            raise RuntimeError(f"{MOVED}: it went on in epoch {watch.epoch}, not in epoch {position.epoch}.")
        batches = position.batches if is_same else 0
        for (loss_list, loss_total), recorder in zip(inner.losses, watch.recorders, strict=True):
            recorder.loss_list[:], recorder.loss_total = loss_list, loss_total
        watch.accelerator.step = inner.accumulation_step
        shard.iteration = inner.iteration
        watch.epoch_random = inner.epoch_random if batches else inner.random
        watch.previous_epoch_random = inner.previous_epoch_random
        marks = inner.dataset_marks if is_same else [(watch.epoch - 1, position.step)] * len(inner.dataset_marks)

        def finish() -> None:
            shard.collate_fn.current_step.value = inner.step_mark
            # Workers begin with datasets that know of no epoch, and are told by the collator.
            for dataset, (epoch, step) in zip([] if shard.num_workers else datasets_of(shard), marks, strict=False):
                dataset.set_current_epoch(epoch)
                dataset.set_current_step(step)
            self._put_weights_back()
            random_states.put_back(inner.random)

        if batches == len(shard):
            shard.iteration += 1
            finish()
            watch.replay = Replay(
                batches=0,
                epoch=position.epoch + 1,
                epoch_random=inner.epoch_random,
                previous_epoch_random=inner.epoch_random,
                pending=None,
                finish=_nothing,
                look=watch.look_up_from_replay,
            )
        else:
            watch.replay = Replay(
                batches=batches,
                epoch=watch.epoch,
                epoch_random=inner.epoch_random,
                previous_epoch_random=inner.previous_epoch_random if is_same else None,
                pending=inner.pending,
                finish=finish,
                look=watch.look_up_from_replay,
            )
        return batches

    def check_step(self, step: int, *, is_whole: bool) -> None:
        """Is told the number of a step that was logged.

        Args:
            step: Its number.
            is_whole: Whether the weights were updated; not so within an accumulation.

        Raises:
            RuntimeError: The trainer is not where the state was.
        """
        if not self.is_taken_up:
            raise RuntimeError(f"{MOVED}: it trains without having asked for the batches after the state.")
        if not self._is_checked and step != self.position.step + is_whole:
            raise RuntimeError(f"{MOVED}: after step {self.position.step} it went on with step {step}.")
        self._is_checked = True

    def _put_weights_back(self) -> None:
        import torch

        with torch.no_grad():
            for weight, kept in self._weights:
                weight.copy_(kept)
        self._weights.clear()


def _nothing() -> None:
    """All is in its place already."""


class ResumedEpoch:
    """What the trainer asks for batches in the epoch that it goes on in; it throws the first one away."""

    def __init__(self, resumption: Resumption, watch: TrainingWatch, shard: Any, make: MakeIterator) -> None:
        self._resumption, self._watch, self._shard, self._make = resumption, watch, shard, make

    def __iter__(self) -> Iterator[Any]:
        """Yields nothing of use, then the batches that the state has not trained."""
        yield None
        yield from self._watch.epoch_of(self._shard, self._make, self._resumption)
