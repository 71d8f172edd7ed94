"""Pictures and latent caches that vanish or change while the trainer still reads them.

The trainer lists its pictures once. Without cached latents it opens each of them in every epoch; with caches on the
disk it opens those, and the pictures no more; with latents in memory it opens nothing after the first step. Captions
are read at the beginning alone (sd-scripts 48d368fa, `library/train_util.py:BaseDataset.__getitem__`).

A look walks on through the files for a moment and stops: all of them come round, none is asked for twice in a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from loratpl.config.settings import Settings
from loratpl.dataset.latent_caches import LatentCache, latent_cache_of
from loratpl.dataset.scan import Picture
from loratpl.errors import Problem
from loratpl.plan.planner import TrainingPlan
from loratpl.run.watchdog.finding import shown

# Of each second, spent on asking for files; a file server that answers slowly is asked accordingly less.
BUDGET_S_PER_S = 0.001
# The clock is read once for so many files; a local disk answers for one in some microseconds.
_FILES_PER_CLOCK = 8

What = Literal["gone", "changed"]
# What tells one content from another without a look inside: size and time of the last change.
Signature = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Watched:
    """A file to look at.

    Attributes:
        picture: The picture.
        is_read: Whether the trainer opens it again.
        cache: How its latents are cached, where the cache is what is looked at.
    """

    picture: Picture
    is_read: bool
    cache: LatentCache | None = None

    def path(self) -> Path:
        """Returns the file as it lies there now; a cache can have one of two names."""
        if self.cache is None:
            return self.picture.path
        return self.cache.path_of(self.picture.path, self.picture.trained_px)


def watched_files(settings: Settings, plan: TrainingPlan) -> tuple[Watched, ...]:
    """Returns the files of a training that must stay as they are, in the trainer's order; asks the disk nothing."""
    is_on_disk, is_cached = settings["cache_latents_to_disk"], settings["cache_latents"]
    kind = latent_cache_of(settings.family.name)
    files = []
    for concept in plan.dataset.concepts:
        for picture in concept.pictures:
            files.append(Watched(picture, is_read=not (is_on_disk or is_cached)))
            if is_on_disk:
                files.append(Watched(picture, is_read=True, cache=kind))
    return tuple(files)


class PictureWatch:
    """Looks at the files in turn; tells once of one that is gone, and once of one that changed."""

    def __init__(self, files: Sequence[Watched], base_dir: Path, clock: Callable[[], float]) -> None:
        self._files, self._base_dir, self._clock = files, base_dir, clock
        self._seen: dict[int, tuple[Path, Signature]] = {}
        self._index = 0
        self._next_s = 0.0
        self._told: set[What] = set()

    def look(self) -> Iterator[Problem]:
        """Yields what the next few files show."""
        began_s = self._clock()
        if began_s < self._next_s:
            return
        for walked in range(1, len(self._files) + 1):
            problem = self._problem_of(self._index)
            self._index = (self._index + 1) % len(self._files)
            if problem is not None:
                yield problem
            if walked % _FILES_PER_CLOCK == 0 and self._clock() - began_s >= BUDGET_S_PER_S / 2:
                break
        now_s = self._clock()
        self._next_s = now_s + (now_s - began_s) / BUDGET_S_PER_S

    def _problem_of(self, index: int) -> Problem | None:
        file, seen = self._files[index], self._seen.get(index)
        path = file.path() if seen is None else seen[0]
        try:
            stat = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            # A cache that was never there is none to miss; a picture was there when it was planned.
            return None if file.cache is not None and seen is None else self._told_once("gone", file, path)
        except OSError:  # a file server that is away for a moment
            return None
        signature = (stat.st_size, stat.st_mtime_ns)
        self._seen[index] = (path, signature)
        return None if seen is None or seen[1] == signature else self._told_once("changed", file, path)

    def _told_once(self, what: What, file: Watched, path: Path) -> Problem | None:
        if what in self._told:
            return None
        self._told.add(what)
        name = shown(path, self._base_dir)
        event = "is gone" if what == "gone" else "was written anew"
        effect, fix = _EFFECTS[what if file.is_read else "unread", file.cache is not None]
        return Problem("run.dataset.changed", f"{name} {event} while it is trained on. {effect}", name, fix, "warning")


_RESUME = "`kohyatpl run --resume`"
# By what happened and whether it is a cache: what it leads to, and what to do.
_EFFECTS = {
    ("gone", False): (
        "Latents are not cached: the trainer opens every picture in each epoch, and ends where it finds none.",
        "Put it back under the same name; the training then goes on as if it had never been away.",
    ),
    ("gone", True): (
        "The trainer opens every cache in each epoch, and ends where it finds none.",
        f"Put it back, or stop (Ctrl-C) and go on with {_RESUME}, which makes it anew.",
    ),
    ("changed", False): (
        "Latents are not cached: the training goes on with what is there now, and ends if that is no picture.",
        "Put the earlier picture back, unless the new one is meant.",
    ),
    ("changed", True): (
        "The training goes on with what is there now, and ends if that is no cache of this picture.",
        f"If nothing was meant to write it, stop (Ctrl-C), remove it, and go on with {_RESUME}, which makes it anew.",
    ),
    ("unread", False): (
        "Its latents are cached: this training goes on unharmed, but a resume of it would find other pictures.",
        f"Put it back as it was before {_RESUME}.",
    ),
}
