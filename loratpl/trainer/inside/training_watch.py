"""A training between its steps: where it is, when a state is saved, and how it ends when it is asked to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import random_states
from batches import Feed, MakeIterator, Replay, datasets_of
from process_memory import memory_now
from run_events import Events
from saving import SavingRules, TrainingState
from stop_requests import STOPPED_EXIT_CODE, StopRequest

if TYPE_CHECKING:
    from resuming import Resumption

BROKEN_EXIT_CODE = 76
# So that whoever watches for a training that hangs sees that this one does not.
REPLAY_TOLD_EVERY_S = 10.0
# A reading costs a fraction of a millisecond and 200 bytes; what a night's training held is a curve of 3,000 points.
MEMORY_TOLD_EVERY_S = 10.0


@dataclass
class Point:
    """A place between two steps, as it was before the next batch was asked for.

    Attributes:
        batches: How many of the epoch have been trained.
        random: The generators.
        dataset_marks: Epoch and step of each dataset, as the collator has told them.
        step_mark: The step that the collator tells next.
    """

    batches: int
    random: random_states.RandomStates
    dataset_marks: list[tuple[int, int]]
    step_mark: int


class TrainingWatch:
    """Follows the training's own data loader, epoch by epoch and batch by batch.

    accelerate's loader reads one batch ahead. When it is asked for the next one, all that belongs to the batches that
    it handed out is done: trained, logged, validated. These moments are the ones between two steps, and the first of an
    epoch is the one between two epochs.

    Attributes:
        accelerator: Known once the training begins.
        args: The trainer's options, known before its first epoch.
        recorders: The trainer's loss recorders, in the order in which it made them.
        step: The last step that was logged.
        newest_state: The folder of the newest state.
        shard: accelerate's loader of what is trained.
        epoch: The one in progress, counted from 1.
        epoch_random: The generators before its first batch was asked for.
        previous_epoch_random: The same of the epoch before.
        replay: What the loader has to be brought to first.
        feed: What gives the loader its batches.
    """

    def __init__(
        self, events: Events, stop: StopRequest, rules: SavingRules, resumption: Resumption | None = None
    ) -> None:
        self.events, self.stop, self.rules = events, stop, rules
        self.accelerator: Any = None
        self.args: Any = None
        self.recorders: list[Any] = []
        self.step = stop.start_step
        self.newest_state = stop.state_dir
        self.shard: Any = None
        self.epoch = 0
        self.epoch_random: random_states.RandomStates | None = None
        self.previous_epoch_random: random_states.RandomStates | None = None
        self.replay: Replay | None = None
        self.feed: Feed | None = None
        self.resumption = resumption
        self.is_skipped_into = False
        self._skipped_batches = 0
        self._count_offset = 0
        self._saved_step = -1
        self._saved_at = 0.0
        self._told_at = 0.0
        self._memory_told_at = -MEMORY_TOLD_EVERY_S
        self._point: Point | None = None

    # --- the loaders

    def is_training_loader(self, shard: Any) -> bool:
        """Returns whether this is a loader of what is trained: the first one that a training asks for batches."""
        if self.args is None or not hasattr(shard.collate_fn, "current_epoch"):
            return False
        return self.shard is None or shard.dataset is self.shard.dataset

    def epoch_of(self, shard: Any, make: MakeIterator, resumption: Resumption | None = None) -> Iterator[Any]:
        """Yields the batches of an epoch: all of them, or those that a state has not trained.

        Args:
            shard: accelerate's loader.
            make: Its own `__iter__`.
            resumption: What goes on in this epoch.
        """
        self._begin_epoch(shard)
        batches, self._skipped_batches = self._skipped_batches, 0
        self.is_skipped_into = batches > 0
        if resumption is not None:
            batches = resumption.take_up(self)
            self._count_offset = batches - 1
            if batches == len(shard):
                return
        must_look = resumption is None
        inner = make(shard)
        while True:
            if must_look:
                self._between_steps(batches)
            must_look = True
            try:
                batch = next(inner)
            except StopIteration:
                return
            yield batch
            batches += 1

    def feed_of(self, loader: Any, make: MakeIterator) -> Iterator[Any]:
        """Returns the batches of one of torch's loaders; those of the training's own are watched."""
        if self.shard is None or loader is not self.shard.base_dataloader:
            return make(loader)
        replay, self.replay = self.replay, None
        self.feed = Feed(make(loader), self.lose_data) if replay is None else replay.feed(loader, make, self.lose_data)
        return self.feed

    def skips(self, batches: int) -> None:
        """Is told that the trainer itself skips the first batches of the next epoch."""
        self._skipped_batches = batches

    def count_in_epoch(self, recorder: Any, count: int) -> int:
        """Returns which batch of its epoch a loss is of: in a resumed one the trainer counts from its own start."""
        return count + self._count_offset if self.recorders and recorder is self.recorders[0] else count

    def _begin_epoch(self, shard: Any) -> None:
        if self.shard is None:
            self._saved_at = time.monotonic()
        self.shard = shard
        self.epoch = shard.collate_fn.current_epoch.value
        self.previous_epoch_random, self.epoch_random = self.epoch_random, None
        self.feed = None
        self._count_offset = 0

    # --- between two steps

    def point_at(self, batches: int) -> Point:
        """Returns the present as a point that a state can be made of."""
        datasets = datasets_of(self.shard)
        marks = [(int(dataset.current_epoch), int(dataset.current_step)) for dataset in datasets]
        return Point(batches, random_states.of_host(), marks, int(self.shard.collate_fn.current_step.value))

    def _between_steps(self, batches: int) -> None:
        self._point = self.point_at(batches)
        if batches == 0:
            self.epoch_random = self._point.random
        # Of several processes the first one saves, and its launcher ends the others when it leaves.
        if self.accelerator is None:
            return
        if self.stop.is_asked and (self._is_between_updates or not self._has_trained):
            self._leave()
        elif self._is_due(batches) and self._is_between_updates:
            self._save()

    def look_up_from_replay(self) -> None:
        """Is called now and then while batches are read again; says that it is so, and leaves when it is to stop."""
        if self.accelerator is None:
            return
        if self.stop.is_asked and not self._has_trained:
            self._leave()
        if time.monotonic() - self._told_at >= REPLAY_TOLD_EVERY_S:
            self._told_at = time.monotonic()
            self.events.write("reading_again", step=self.step)

    @property
    def _has_trained(self) -> bool:
        return self.step > self.stop.start_step

    @property
    def _is_between_updates(self) -> bool:
        # Inside an accumulation the gradients gathered so far are in no state.
        return self._has_trained and bool(self.accelerator.sync_gradients)

    def _is_due(self, batches: int) -> bool:
        if self.rules.every_s is not None:
            return time.monotonic() - self._saved_at >= self.rules.every_s
        every = self.rules.every_epochs
        return every is not None and batches == 0 and (self.epoch - 1) % every == 0

    def _leave(self) -> None:
        error = self._save() if self._has_trained and self.rules.states_dir is not None else None
        has_state = error is None and self.rules.states_dir is not None
        state_dir = self.newest_state if has_state or not self._has_trained else None
        self.events.write("stopped", step=self.step, state_dir=state_dir, error=error)
        raise SystemExit(STOPPED_EXIT_CODE)

    def _save(self) -> str | None:
        """Saves a state; returns why it could not."""
        if self.rules.states_dir is None or self._point is None or self._saved_step == self.step:
            return None
        started_at = time.monotonic()
        told: dict[str, Any] = {"state_dir": None, "error": None, "size_bytes": None}
        try:
            state_dir, size_bytes = TrainingState(self, self._point).write(self.rules.states_dir)
        except Exception as error:  # noqa: BLE001 - a full disk or anything else must not end the training
            told["error"] = f"{type(error).__name__}: {error}"
        else:
            self._saved_step, self.newest_state = self.step, str(state_dir)
            told.update(state_dir=self.newest_state, size_bytes=size_bytes)
        self._saved_at = time.monotonic()
        seconds = round(self._saved_at - started_at, 3)
        place = {"step": self.step, "epoch": self.epoch, "batches": self._point.batches}
        self.events.write("state", **place, **told, seconds=seconds)
        error_told: str | None = told["error"]
        return error_told

    def reach(self, step: int) -> None:
        """Is told the number of a step that was logged; within an accumulation, that of the step before."""
        if self.resumption is not None:
            self.resumption.check_step(step, is_whole=bool(self.accelerator.sync_gradients))
        self.step = step
        now = time.monotonic()  # all that most steps cost
        if now - self._memory_told_at >= MEMORY_TOLD_EVERY_S and self._is_between_updates:
            self._memory_told_at = now
            self.tell_memory()

    def tell_memory(self) -> None:
        """Tells how much memory the training holds, and has held at most."""
        self.events.write("memory", step=self.step, **memory_now())

    # --- what goes wrong

    def lose_data(self, error: Exception) -> None:
        """Saves what has been trained when the next batch cannot be read; the error itself goes on its way."""
        if self.accelerator is None:
            return
        if self._point is not None and self._is_between_updates:
            random_states.put_back(self._point.random)  # the failed attempt has drawn from them
            self._save()
        self.events.write("data_lost", step=self.step, error=sentence_of(error), state_dir=self.newest_state)

    def break_off(self, value: float) -> None:
        """Ends a training whose loss is no number: all that follows would be none either."""
        self.events.write("broken", step=self.step, what="loss", value=str(float(value)), state_dir=self.newest_state)
        raise SystemExit(BROKEN_EXIT_CODE)


def sentence_of(error: Exception) -> str:
    """Returns an error in a line; torch wraps that of a worker in a text that ends with it."""
    lines = str(error).strip().splitlines()
    if lines and lines[0].startswith("Caught "):
        return lines[-1].strip()
    return f"{type(error).__name__}: {' '.join(lines)}"
