"""`plan` with its questions, as a command."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import kohyatpl
from tests.stand_in import StandIn, make_trainable_project


def _plan(root: Path, *words: str) -> dict[str, Any]:
    done = kohyatpl("plan", root, "--json", *words)
    assert done.code == 0, done.stdout
    data: dict[str, Any] = done.envelope["data"]
    return data


@pytest.fixture
def project(tmp_path: Path, stand_in: StandIn) -> Path:
    """A project that can be planned."""
    return make_trainable_project(tmp_path / "project")


def test_what_if(project: Path) -> None:
    plain = _plan(project)
    batches = plain["batches_per_epoch"]
    assert _plan(project, "--epochs", "3")["total_steps"] == 3 * plain["steps_per_epoch"]
    assert _plan(project, "--steps", "7")["total_steps"] == 7
    halved = _plan(project, "--batch", "2")
    assert halved["datasets"][0]["batch_size"] == 2
    assert batches / 2 <= halved["batches_per_epoch"] <= batches
    shared = _plan(project, "--processes", "2")
    assert (shared["processes"], shared["steps_per_epoch"]) == (2, -(-batches // 2))
    assert _plan(project, "--folder-mode")["batches_per_epoch"] == batches


def test_epochs_and_steps_at_once_are_refused(project: Path) -> None:
    refused = kohyatpl("plan", project, "--epochs", "3", "--steps", "7")
    assert refused.code == 2
    assert "--epochs" in refused.stderr


def test_proposals_are_data_and_text(project: Path) -> None:
    data = _plan(project, "--for-steps", "100")["for_steps"]
    assert data["target"] == 100
    best = data["proposals"][-1]
    assert best["total_steps"] == best["epochs"] * best["steps_per_epoch"]
    text = kohyatpl("plan", project, "--for-steps", "100").stdout
    assert "For about 100 steps in whole epochs:" in text
    assert f"--set max_train_epochs={best['epochs']}" in text


def test_disk_time_and_checkpoints_are_said(project: Path) -> None:
    data = _plan(project)
    assert data["disk"]["latent_caches_bytes"] == 0
    assert data["time"] is None
    assert data["checkpoints"][-1]["step"] == data["total_steps"]
    assert "plan --measure" in kohyatpl("plan", project).stdout


def test_the_page_is_written_and_nothing_else_is_written_over(project: Path, tmp_path: Path) -> None:
    page = tmp_path / "a page.html"
    assert _plan(project, "--html", str(page))["html"] == str(page)
    parser = HTMLParser()
    parser.feed(page.read_text(encoding="utf-8"))
    parser.close()
    other = tmp_path / "other.html"
    other.write_text("mine", encoding="utf-8")
    refused = kohyatpl("plan", project, "--html", other)
    assert (refused.code, other.read_text(encoding="utf-8")) == (2, "mine")


def test_a_measurement_needs_the_trainer(tmp_path: Path) -> None:
    root = make_trainable_project(tmp_path / "project")
    refused = kohyatpl("plan", root, "--measure", "--json").envelope
    assert refused["exit_code"] == 5
    assert refused["problems"][0]["code"] == "trainer.missing"
