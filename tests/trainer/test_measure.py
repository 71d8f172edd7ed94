"""A measurement with the real trainer."""

from __future__ import annotations

import json
import os
from pathlib import Path

from loratpl.plan.pace.estimate import estimate_time
from loratpl.plan.pace.store import read_paces
from loratpl.project import open_project
from loratpl.render.prepare import prepare
from loratpl.run.measure import measure
from loratpl.run.watch import Unwatched
from loratpl.trainer.paths import UserPaths
from loratpl.trainer.pin import load_pin
from tests.trainer.conftest import RealTrainer
from tests.trainer.test_training import new_project

MIB = 2**20


def test_a_real_short_run_measures_and_leaves_nothing(tmp_path: Path, trainer: RealTrainer) -> None:
    project = new_project(
        tmp_path / "it's a project",
        trainer,
        max_train_steps=None,
        max_train_epochs=100,
        cache_latents_to_disk=True,
        lr_scheduler="cosine",
        lr_warmup_steps=50,
        save_every_n_epochs=10,
        save_state=True,
    )
    before = {path: path.read_bytes() for path in project.root_dir.rglob("*") if path.is_file()}
    prepared = prepare(open_project(project.root_dir))
    assert prepared.plan.steps_per_epoch < 20 < prepared.plan.total_steps
    found = measure(prepared, trainer.status, load_pin(), Unwatched())
    after = {path: path.read_bytes() for path in project.root_dir.rglob("*") if path.is_file()}
    locks = {project.lock_path, project.trainer_lock_path}
    of_others = {*locks, project.hidden_dir / ".gitignore", project.inspections_path}
    assert {path: data for path, data in after.items() if path not in of_others} == before
    assert not project.measure_dir.exists()
    assert found.steps == 20
    assert found.pace.steps >= 10
    assert found.pace.caching_s > 0
    # torch alone is more than this, and the tiny model far less than that.
    assert found.memory.process_peak_bytes is not None
    assert 200 * MIB < found.memory.process_peak_bytes < 8000 * MIB
    assert (found.memory.gpu_peak_bytes is None) == (found.pace.facts.device == "cpu")
    assert found.whole.low_s <= found.whole.seconds <= found.whole.high_s
    assert found.whole.seconds > prepared.plan.total_steps * found.pace.low_step_s
    # Kept where the test looks, and nowhere in the user's own folder.
    assert UserPaths.of_user().root_dir == Path(os.environ["KOHYATPL_HOME"]).resolve() != trainer.home
    assert read_paces(UserPaths.of_user()) == (found.pace,)
    predicted = estimate_time(prepared.settings, prepared.plan, [found.pace], found.pace.facts.device)
    assert predicted is not None
    assert predicted.seconds == found.whole.seconds
    assert json.loads(json.dumps(found.as_json())) == found.as_json()
