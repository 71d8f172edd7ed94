"""The batches of the training's data loader: what is waiting, and how an epoch is taken up in its middle."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import random_states

MakeIterator = Callable[[Any], Iterator[Any]]


class Feed:
    """Hands batches on, and remembers the last one: accelerate reads one ahead, so that one is not trained yet."""

    def __init__(self, batches: Iterator[Any], on_error: Callable[[Exception], None]) -> None:
        self.waiting: Any = None
        self._batches, self._on_error = batches, on_error
        self._first: list[Any] = []
        self._before_next: Callable[[], None] | None = None

    def start_with(self, batch: Any, before_next: Callable[[], None]) -> None:
        """Hands this batch on first, and calls `before_next` when the one after it is asked for."""
        self._first.append(batch)
        self._before_next = before_next

    def __iter__(self) -> Feed:
        """Returns itself, as every iterator does."""
        return self

    def __next__(self) -> Any:
        """Returns the next batch; what goes wrong while it is read is told before it goes on its way."""
        if self._first:
            self.waiting = self._first.pop()
            return self.waiting
        before_next, self._before_next = self._before_next, None
        if before_next is not None:
            before_next()
        try:
            self.waiting = next(self._batches)
        except StopIteration:
            raise
        except Exception as error:
            self._on_error(error)
            raise
        return self.waiting


@dataclass
class Replay:
    """How to bring a new data loader to where one of another process was.

    Attributes:
        batches: Of the epoch in progress, how many have been trained.
        epoch: Its number.
        epoch_random: The generators before its first batch was asked for.
        previous_epoch_random: The same of the epoch before.
        pending: The batch that was waiting; None where it is to be read again.
        finish: Puts back everything else; called when no more is to be read again.
        look: Called after each batch that was read again, which may be a whole epoch of them.
    """

    batches: int
    epoch: int
    epoch_random: random_states.RandomStates
    previous_epoch_random: random_states.RandomStates | None
    pending: Any
    finish: Callable[[], None]
    look: Callable[[], None]

    def feed(self, loader: Any, make: MakeIterator, on_error: Callable[[Exception], None]) -> Feed:
        """Returns the rest of the epoch.

        Args:
            loader: The training's data loader, as torch knows it.
            make: Its own `__iter__`.
            on_error: For the feed.
        """
        if loader.num_workers and loader.persistent_workers and self.epoch > 1:
            before = random_states.of_host()
            self._relive_previous_epoch(loader, make)
            random_states.put_back(before)
        if self.batches == 0:
            self.finish()
            return Feed(make(loader), on_error)
        random_states.put_back(self.epoch_random)
        batches = make(loader)
        if loader.num_workers:
            # Each worker has random numbers of its own: only by reading the same pictures does it come to the same.
            for _ in range(self.batches):
                next(batches)
                self.look()
            pending = next(batches)
        else:
            skipped = self.batches if self.pending is None else self.batches + 1
            with nothing_read(type(loader.dataset)):
                for _ in range(skipped):
                    next(batches)
            pending = next(batches) if self.pending is None else self.pending
        feed = Feed(batches, on_error)
        feed.start_with(pending, self.finish)
        return feed

    def _relive_previous_epoch(self, loader: Any, make: MakeIterator) -> None:
        """Lets workers that live on read the epoch before once more.

        Of the epochs before that nothing is left in them: the trainer seeds a worker's generator anew in each epoch,
        after the worker's first batch, and puts its pictures in an order that depends on the epoch alone.
        """
        import torch

        if self.previous_epoch_random is None:
            return  # said to be inexact by the state
        epoch_told = loader.collate_fn.current_epoch
        told_before, generator_before = epoch_told.value, loader.generator
        if self.epoch > 2:
            loader.dataset.set_current_epoch(self.epoch - 2)
            # The seed of the workers was drawn in epoch 1; here it must not be drawn from where the order comes from.
            loader.generator = torch.Generator()
        random_states.put_back(self.previous_epoch_random)
        epoch_told.value = self.epoch - 1
        try:
            for _ in make(loader):
                self.look()
        finally:
            loader.generator = generator_before
            epoch_told.value = told_before


@contextlib.contextmanager
def nothing_read(dataset_class: type[Any]) -> Iterator[None]:
    """Lets a dataset hand out nothing at all: batches are counted without reading a picture."""
    kept = {name: vars(dataset_class).get(name) for name in ("__getitem__", "__getitems__")}
    dataset_class.__getitem__ = lambda _self, _index: None
    if hasattr(dataset_class, "__getitems__"):
        dataset_class.__getitems__ = lambda _self, indices: [None] * len(indices)
    try:
        yield
    finally:
        for name, method in kept.items():
            if method is not None:
                setattr(dataset_class, name, method)
            elif name in vars(dataset_class):
                delattr(dataset_class, name)


def datasets_of(shard: Any) -> list[Any]:
    """Returns the datasets that a loader reads from."""
    return list(getattr(shard.dataset, "datasets", [shard.dataset]))
