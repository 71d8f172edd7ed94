"""Where the entry hooks into accelerate, torch and the trainer; each method is wrapped and runs as it is.

A hook whose place is gone raises AttributeError at once, before anything is trained.
"""

from __future__ import annotations

import importlib
from typing import Any

from event_tracker import make_tracker_class
from resuming import ResumedEpoch
from training_watch import TrainingWatch

TRAIN_UTIL = "library.train_util"


def install(watch: TrainingWatch) -> None:
    """Lets a watch see the training that this process is going to do."""
    _hook_tracking(watch)
    _hook_loaders(watch)
    _hook_train_util(watch)


def _hook_tracking(watch: TrainingWatch) -> None:
    """`log_with` would be accelerate's own way in, but it is the trainer that fills it."""
    from accelerate import Accelerator

    tracker_class = make_tracker_class()
    init_trackers = Accelerator.init_trackers

    def with_event_tracker(accelerator: Any, *args: Any, **kwargs: Any) -> None:
        init_trackers(accelerator, *args, **kwargs)
        if accelerator.is_main_process:
            config = kwargs.get("config") or {}
            watch.accelerator = accelerator
            watch.events.write(
                "training",
                max_train_steps=config.get("max_train_steps"),
                device=str(accelerator.device),
                step=watch.step,
            )
            accelerator.trackers.append(tracker_class(watch))
        watch.stop.is_training = True

    Accelerator.init_trackers = with_event_tracker


def _hook_loaders(watch: TrainingWatch) -> None:
    """The loader of accelerate shows the moments between two steps, torch's below it what has been read ahead."""
    from accelerate import Accelerator
    from accelerate.data_loader import DataLoaderShard
    from torch.utils.data import DataLoader

    iterate_shard, iterate_loader = DataLoaderShard.__iter__, DataLoader.__iter__
    skip_first_batches = Accelerator.skip_first_batches

    def iterate_watched_shard(shard: Any) -> Any:
        if watch.is_training_loader(shard):
            return watch.epoch_of(shard, iterate_shard)
        return iterate_shard(shard)

    def iterate_watched_loader(loader: Any) -> Any:
        return watch.feed_of(loader, iterate_loader)

    def skip(accelerator: Any, dataloader: Any, num_batches: int = 0) -> Any:
        if watch.resumption is not None:
            return ResumedEpoch(watch.resumption, watch, dataloader, iterate_shard)
        watch.skips(num_batches)
        return skip_first_batches(accelerator, dataloader, num_batches)

    DataLoaderShard.__iter__ = iterate_watched_shard
    DataLoader.__iter__ = iterate_watched_loader
    Accelerator.skip_first_batches = skip


def _hook_train_util(watch: TrainingWatch) -> None:
    """The trainer's function that resumes is the last thing that it does before it works out where to begin."""
    train_util: Any = importlib.import_module(TRAIN_UTIL)
    resume = train_util.resume_from_local_or_hf_if_specified

    def resume_watched(accelerator: Any, args: Any) -> None:
        watch.args = args
        if watch.resumption is None:
            resume(accelerator, args)
        else:
            watch.resumption.load(resume, accelerator, args)

    class WatchedLossRecorder(train_util.LossRecorder):  # type: ignore[misc]  # the trainer has no types
        """A loss recorder that is known to the watch."""

        def __init__(self) -> None:
            super().__init__()
            watch.recorders.append(self)

        def add(self, *, epoch: int, step: int, loss: float) -> None:
            super().add(epoch=epoch, step=watch.count_in_epoch(self, step), loss=loss)

    train_util.resume_from_local_or_hf_if_specified = resume_watched
    train_util.LossRecorder = WatchedLossRecorder
