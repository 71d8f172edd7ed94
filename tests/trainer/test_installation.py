"""The installed trainer itself: its options, its files, what it says of its own version."""

from __future__ import annotations

import json
import subprocess

from loratpl.trainer.environment import installed_versions, locked_versions, parse_options
from loratpl.trainer.manifest import MANIFEST_PATH
from loratpl.trainer.pin import ENVIRONMENT_LOCK_PATH, load_pin
from tests.trainer.conftest import RealTrainer, kohyatpl


def test_the_manifest_is_what_the_parsers_say(trainer: RealTrainer) -> None:
    assert parse_options(trainer.status.paths, load_pin()) == MANIFEST_PATH.read_text(encoding="utf-8")


def test_the_copy_answers_with_the_pinned_commit(trainer: RealTrainer) -> None:
    answer = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=trainer.status.paths.source_dir, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == load_pin().commit


def test_the_environment_has_the_locked_versions(trainer: RealTrainer) -> None:
    found = installed_versions(trainer.status.paths)
    assert found is not None
    wanted = locked_versions(ENVIRONMENT_LOCK_PATH.read_text(encoding="utf-8"))
    here = {name: version.partition("+")[0] for name, version in found["packages"].items() if name in wanted}
    assert here == {name: version for name, version in wanted.items() if name in here}
    assert set(wanted) - set(here) <= {"colorama"}  # Windows alone


def test_status_says_healthy(trainer: RealTrainer) -> None:
    done = kohyatpl("--json", "trainer", "status")
    assert done.returncode == 0
    assert json.loads(done.stdout)["data"]["healthy"] is True
