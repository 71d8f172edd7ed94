"""Pictures and caches that vanish or change in mid-run."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from loratpl.dataset.latent_caches import latent_cache_of
from loratpl.dataset.scan import Picture
from loratpl.errors import Problem
from loratpl.run.watchdog.pictures import BUDGET_S_PER_S, PictureWatch, Watched
from tests.run.watchdog import watched

OPENED = {"cache_latents": False}
IN_MEMORY = {"cache_latents": True}
ON_DISK = {"cache_latents": True, "cache_latents_to_disk": True}


@pytest.mark.parametrize(("values", "ends"), [(OPENED, True), (IN_MEMORY, False)])
def test_a_picture_that_vanishes_is_named_with_what_it_leads_to(
    odd_path: Path, values: dict[str, bool], *, ends: bool
) -> None:
    run = watched.Watched(odd_path, values)
    assert run.train(1, 3) == []
    run.pictures[2].unlink()
    (finding,) = run.train(4, 5)
    problem = finding.problem
    assert (problem.code, problem.severity, finding.action) == ("run.dataset.changed", "warning", "tell")
    assert problem.where == "image_dir/5_ohwx cat/2.png"
    assert "is gone" in problem.message
    assert ("ends where it finds none" in problem.message) == ends
    assert ("goes on unharmed" in problem.message) != ends
    assert "Put it back" in problem.fix
    run.pictures[1].unlink()
    assert run.train(6, 9) == []


@pytest.mark.parametrize("values", [OPENED, IN_MEMORY])
def test_a_picture_that_changes_is_told_beside_one_that_vanished(tmp_path: Path, values: dict[str, bool]) -> None:
    run = watched.Watched(tmp_path, values)
    run.train(1, 3)
    run.pictures[0].unlink()
    run.pictures[3].write_bytes(b"half a picture")
    gone, changed = (finding.problem for finding in run.train(4, 5))
    assert gone.where.endswith("0.png")
    assert changed.where.endswith("3.png")
    assert "was written anew" in changed.message


def test_a_whole_folder_that_is_moved_away_is_told_once(tmp_path: Path) -> None:
    run = watched.Watched(tmp_path, OPENED)
    run.train(1, 3)
    (tmp_path / "image_dir").rename(tmp_path / "elsewhere")
    (finding,) = run.train(4, 9)
    assert finding.problem.where.endswith("0.png")


def test_a_cache_that_the_trainer_opens_must_stay(odd_path: Path) -> None:
    run = watched.Watched(odd_path, ON_DISK)
    caches = [latent_cache_of("sd15").path_of(picture, (64, 64)) for picture in run.pictures]
    assert run.train(1, 2) == []  # no cache is none to miss
    for cache in caches:
        cache.write_bytes(b"latents")
    assert run.train(3, 4) == []
    caches[1].unlink()
    caches[2].write_bytes(b"other latents")
    gone, changed = (finding.problem for finding in run.train(5, 6))
    assert gone.where == f"image_dir/5_ohwx cat/{caches[1].name}"
    assert "--resume" in gone.fix
    assert changed.where.endswith(caches[2].name)
    assert "cache of this picture" in changed.message


def test_a_cache_of_the_older_name_is_watched_under_it(tmp_path: Path) -> None:
    run = watched.Watched(tmp_path, ON_DISK)
    older = run.pictures[0].with_suffix(".npz")
    older.write_bytes(b"latents")
    run.train(1, 2)
    older.unlink()
    (finding,) = run.train(3, 4)
    assert finding.problem.where.endswith("0.npz")


def test_before_the_first_step_nothing_is_looked_at(tmp_path: Path) -> None:
    run = watched.Watched(tmp_path, OPENED)
    run.pictures[0].unlink()
    assert run.wait(60) == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a folder that may not be looked into")
def test_a_folder_that_may_not_be_looked_into_is_not_gone(tmp_path: Path) -> None:
    run = watched.Watched(tmp_path, OPENED)
    run.train(1, 2)
    run.pictures[0].parent.chmod(0)
    try:
        assert run.train(3, 4) == []
    finally:
        run.pictures[0].parent.chmod(0o755)


def test_many_files_are_looked_at_in_turn_and_take_hardly_any_time(tmp_path: Path) -> None:
    pictures = [Picture(tmp_path / f"{number:05}.png", 64, 64) for number in range(2000)]
    for picture in pictures:
        picture.path.touch()
    now_s = 0.0
    asked = 0

    class Slow(Watched):
        """A file that a server takes a tenth of a millisecond to tell of."""

        def path(self) -> Path:
            nonlocal now_s, asked
            now_s, asked = now_s + 1e-4, asked + 1
            return super().path()

    watch = PictureWatch([Slow(picture, is_read=True) for picture in pictures], tmp_path, lambda: now_s)
    while asked < len(pictures):
        before_s, before = now_s, asked
        assert list(watch.look()) == []
        assert asked - before <= 8  # the clock is read after so many
        assert now_s - before_s <= BUDGET_S_PER_S
        now_s += 1.0
    assert now_s >= len(pictures) / 8  # looks, of a second each


def test_a_file_among_many_is_found(tmp_path: Path) -> None:
    pictures = [Picture(tmp_path / f"{number:05}.png", 64, 64) for number in range(3000)]
    for picture in pictures:
        picture.path.touch()
    began_s = time.monotonic()
    seconds = iter(range(100_000))
    watch = PictureWatch(
        [Watched(picture, is_read=True) for picture in pictures], tmp_path, lambda: time.monotonic() - began_s + now_s
    )
    now_s = float(next(seconds))
    found: list[Problem] = []
    pictures[2999].path.unlink()
    while not found:
        found = list(watch.look())
        now_s = float(next(seconds))
    assert found[0].where == "02999.png"
