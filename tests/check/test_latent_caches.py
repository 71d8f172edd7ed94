"""Caches that the trainer would believe."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loratpl.errors import Problem
from loratpl.project import open_project
from loratpl.render.prepare import judge
from tests.check.given_rules import codes, text_of
from tests.given import only, write_config
from tests.stand_in import write_picture

TO_DISK: dict[str, Any] = {"cache_latents": True, "cache_latents_to_disk": True}


def _project(root: Path, *names: str, size: tuple[int, int] = (256, 256), **options: Any) -> Path:
    """Returns the one concept folder of a project with these pictures."""
    values = {"resolution": "256", "mixed_precision": "no", "network_alpha": 1, "max_train_steps": 4, **options}
    write_config(root, values)
    folder = root / "image_dir" / "1_a cat"
    folder.mkdir(parents=True)
    for number, name in enumerate(names):
        write_picture(folder / name, number, size)
    return folder


def _cache(path: Path, **arrays: tuple[int, ...]) -> None:
    content: dict[str, Any] = {name: np.zeros(shape, np.float32) for name, shape in arrays.items()}
    np.savez(path, **content)


def _problems(root: Path) -> list[Problem]:
    judged = judge(open_project(root), gpu_count=lambda: 1, packages=lambda: None)
    return [problem for problem in judged.problems if ".cache." in problem.code or problem.code == "config.combination"]


def test_a_cache_of_an_earlier_picture_is_named(odd_path: Path) -> None:
    folder = _project(odd_path, "1.png")
    _cache(folder / "1_0768x0512_sd.npz", latents=(4, 32, 32))
    problem = only(_problems(odd_path))
    assert codes([problem]) == [("error", "dataset.cache.size")]
    assert problem.where == "image_dir/1_a cat/1.png"
    assert "is 256x256 and would be trained as 768x512" in problem.message
    assert "earlier picture" in problem.message
    assert "Delete" in problem.fix


def test_a_name_that_begins_alike_is_a_trap(tmp_path: Path) -> None:
    folder = _project(tmp_path, "1.png")
    write_picture(folder / "10.png", size=(768, 512))
    _cache(folder / "10_0768x0512_sd.npz", latents=(4, 24, 40))
    problem = only(_problems(tmp_path))
    assert (problem.code, problem.where) == ("dataset.cache.size", "image_dir/1_a cat/1.png")
    assert "10_0768x0512_sd.npz" in problem.message
    assert "Rename" in problem.fix


def test_a_name_without_a_size_ends_the_training(tmp_path: Path) -> None:
    folder = _project(tmp_path, "1.png")
    _cache(folder / "1_sd.npz", latents=(4, 32, 32))
    problem = only(_problems(tmp_path))
    assert (problem.severity, problem.code) == ("error", "dataset.cache.name")
    assert problem.where.endswith("1_sd.npz")


@pytest.mark.parametrize("options", [{}, TO_DISK])
def test_good_caches_and_those_of_other_families_are_no_matter(tmp_path: Path, options: dict[str, Any]) -> None:
    folder = _project(tmp_path, "1.png", "2.png", **options)
    _cache(folder / "1_0256x0256_sd.npz", latents=(4, 32, 32))
    _cache(folder / "2_0768x0512_sdxl.npz", latents=(4, 32, 32))
    assert _problems(tmp_path) == []


def test_a_picture_that_is_newer_than_its_cache_would_be_trained_as_it_was(tmp_path: Path) -> None:
    folder = _project(tmp_path, "1.png", **TO_DISK)
    cache = folder / "1_0256x0256_sd.npz"
    _cache(cache, latents=(4, 32, 32))
    os.utime(cache, (1_000_000, 1_000_000))
    problem = only(_problems(tmp_path))
    assert (problem.severity, problem.code) == ("error", "dataset.cache.stale")
    assert "older than 1.png" in problem.message


def test_where_latents_are_not_read_from_disk_the_age_is_no_matter(tmp_path: Path) -> None:
    folder = _project(tmp_path, "1.png", cache_latents=True)
    _cache(folder / "1_0256x0256_sd.npz", latents=(4, 32, 32))
    os.utime(folder / "1_0256x0256_sd.npz", (1_000_000, 1_000_000))
    assert _problems(tmp_path) == []


@pytest.mark.parametrize("name", ["1_0256x0256_sd.npz", "1.npz"])
def test_latents_of_another_resolution_are_stale(tmp_path: Path, name: str) -> None:
    folder = _project(tmp_path, "1.png", **TO_DISK)
    _cache(folder / name, latents=(4, 64, 64))
    problem = only(_problems(tmp_path))
    assert (problem.severity, problem.code) == ("error", "dataset.cache.stale")
    assert all(text in text_of(problem) for text in ("512x512", "256x256", name))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"x" * 5000])
def test_a_cache_that_cannot_be_read_ends_the_training(tmp_path: Path, content: bytes) -> None:
    folder = _project(tmp_path, "1.png", **TO_DISK)
    (folder / "1_0256x0256_sd.npz").write_bytes(content)
    assert codes(_problems(tmp_path)) == [("error", "dataset.cache.damaged")]


def test_several_resolutions_do_not_fit_into_one_cache(tmp_path: Path) -> None:
    block = {"datasets": [{"resolution": "256"}, {"resolution": "512"}]}
    _project(tmp_path, "1.png", **TO_DISK, kohyatpl=block)
    problem = only(_problems(tmp_path))
    assert (problem.severity, problem.code) == ("error", "config.combination")
    assert "cache_latents_to_disk" in text_of(problem)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_in_the_place_of_a_cache_is_not_waited_for(tmp_path: Path) -> None:
    folder = _project(tmp_path, "1.png", **TO_DISK)
    os.mkfifo(folder / "1_0256x0256_sd.npz")
    assert ("error", "dataset.cache.damaged") in codes(_problems(tmp_path))
