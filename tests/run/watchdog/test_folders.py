"""Folders that are removed under a run."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.run.watchdog.watched import Watched


def test_the_folders_of_the_log_are_made_again_and_it_is_told(odd_path: Path) -> None:
    run = Watched(odd_path)
    assert run.train(1, 3) == []
    shutil.rmtree(run.paths.run_dir)
    (finding,) = run.train(4, 5)
    assert (finding.problem.code, finding.problem.severity) == ("run.folder.gone", "warning")
    assert finding.problem.where == "log/20260101-000000-cats"
    assert "made again" in finding.problem.message
    assert (run.paths.tensorboard_dir / "network_train").is_dir()


def test_every_removal_is_told(tmp_path: Path) -> None:
    run = Watched(tmp_path)
    run.train(1, 3)
    for step in (4, 10):
        shutil.rmtree(tmp_path / "log")
        assert len(run.train(step, step + 3)) == 1


def test_tensorboards_folder_alone_is_made_again_as_well(tmp_path: Path) -> None:
    run = Watched(tmp_path)
    run.train(1, 3)
    shutil.rmtree(run.paths.tensorboard_dir)
    (finding,) = run.train(4, 5)
    assert finding.problem.where.endswith("/tensorboard")
    assert (run.paths.tensorboard_dir / "network_train").is_dir()


def test_the_output_folder_is_left_to_the_trainer(odd_path: Path) -> None:
    run = Watched(odd_path)
    run.train(1, 3)
    run.output_dir.rmdir()
    (finding,) = run.train(4, 9)
    assert finding.problem.code == "run.folder.gone"
    assert finding.problem.where == "output"
    assert "checkpoints" in finding.problem.message
    assert not run.output_dir.exists()
    run.output_dir.mkdir()
    assert run.train(10, 12) == []
    run.output_dir.rmdir()
    assert len(run.train(13, 15)) == 1


def test_an_output_folder_that_is_still_to_be_made_is_not_gone(tmp_path: Path) -> None:
    run = Watched(tmp_path)
    run.output_dir.rmdir()
    assert run.train(1, 5) == []


def test_a_log_that_cannot_be_made_again_is_told_all_the_same(tmp_path: Path) -> None:
    run = Watched(tmp_path)
    run.train(1, 3)
    shutil.rmtree(tmp_path / "log")
    (tmp_path / "log").write_text("in the way")
    (finding,) = run.train(4, 9)
    assert "cannot be made again" in finding.problem.message
