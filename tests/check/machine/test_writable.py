"""Folders of pictures that caches are written into."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from loratpl.check.machine.writable import cache_folder_problems, is_read_only, may_write
from loratpl.config.settings import Settings
from loratpl.dataset.scan import Concept, scan
from loratpl.errors import Problem
from tests.check.given_rules import settings_for, text_of
from tests.given import only
from tests.stand_in import write_picture

TO_DISK = {"cache_latents_to_disk": True, "cache_text_encoder_outputs_to_disk": True}


def concepts_in(folder: Path, *names: str) -> tuple[Concept, ...]:
    for name in names:
        (folder / "image_dir" / name).mkdir(parents=True, exist_ok=True)
        write_picture(folder / "image_dir" / name / "1.png")
    return scan(folder / "image_dir", folder / "reg_dir").concepts


def problems_of(settings: Settings, concepts: tuple[Concept, ...], *, read_only: bool = False) -> list[Problem]:
    locked = [concept.folder for concept in concepts]
    return list(
        cache_folder_problems(
            settings, concepts, may_write=lambda folder: folder not in locked, is_read_only=lambda _: read_only
        )
    )


def test_caches_need_a_folder_that_can_be_written_to(odd_path: Path) -> None:
    concepts = concepts_in(odd_path, "2_sks cat", "2_sks dog")
    settings = settings_for(odd_path, "sdxl", cache_latents_to_disk=True)
    problem = only(problems_of(settings, concepts))
    assert (problem.severity, problem.code) == ("error", "dataset.folder.unwritable")
    for text in ("cache_latents_to_disk", "2_sks cat", "one more folder cannot", "chmod u+w", '"cache_latents": true'):
        assert text in text_of(problem)
    assert list(cache_folder_problems(settings, concepts)) == []


def test_no_right_helps_on_a_disk_that_is_mounted_read_only(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, "sdxl", cache_text_encoder_outputs_to_disk=True)
    problem = only(problems_of(settings, concepts_in(tmp_path, "2_sks cat"), read_only=True))
    assert "mounted read-only" in problem.message
    assert "chmod" not in problem.fix
    assert '"cache_text_encoder_outputs": true' in problem.fix


def test_nothing_is_written_where_there_are_no_pictures(tmp_path: Path) -> None:
    (concept,) = concepts_in(tmp_path, "2_sks cat")
    assert problems_of(settings_for(tmp_path, "sdxl", **TO_DISK), (replace(concept, pictures=()),)) == []


def test_nothing_is_written_where_nothing_is_cached_to_disk(tmp_path: Path) -> None:
    assert problems_of(settings_for(tmp_path, "sdxl"), concepts_in(tmp_path, "2_sks cat")) == []


@pytest.mark.parametrize(
    ("caches", "is_whole"),
    [((), False), (("1_0064x0064_sdxl.npz",), False), (("1_te_outputs.npz",), False),
     (("1_0064x0064_sdxl.npz", "1_te_outputs.npz"), True), (("11_0064x0064_sdxl.npz", "1_te_outputs.npz"), False)],
)  # fmt: skip
def test_nothing_is_written_where_every_picture_has_its_caches(
    tmp_path: Path, caches: tuple[str, ...], is_whole: bool
) -> None:
    concepts = concepts_in(tmp_path, "2_sks cat")
    for name in caches:
        (concepts[0].folder / name).touch()
    assert (problems_of(settings_for(tmp_path, "sdxl", **TO_DISK), concepts) == []) is is_whole


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="this user may write everywhere")
def test_the_system_is_asked_for_rights(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    assert not may_write(tmp_path)
    tmp_path.chmod(0o755)
    assert may_write(tmp_path)


def test_the_system_is_asked_how_a_disk_is_mounted(tmp_path: Path) -> None:
    assert not is_read_only(tmp_path)
    assert not is_read_only(tmp_path / "missing")


@pytest.mark.skipif(not Path("/sys/kernel").is_dir() or not is_read_only(Path("/sys/kernel")), reason="no such mount")
def test_a_mount_that_is_read_only_is_seen() -> None:
    assert not may_write(Path("/sys/kernel"))
