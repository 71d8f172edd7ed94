"""Short real trainings of the tiny model: steps, epochs, files and states come out as they were planned."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from loratpl.plan.outputs import planned_files, planned_states
from loratpl.resources import INSIDE_DIR
from loratpl.trainer.paths import TrainerPaths
from loratpl.weights import read_weights_file
from tests.stand_in import oddest
from tests.trainer.conftest import ONE_THREAD, RealTrainer
from tests.trainer.planned_trainings import TRAININGS, PlannedTraining, planned

# All of them take a minute of a machine that has nothing else to do.
ALL_TIMEOUT_S = 600
pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="the trainings are forks of one process"),
    pytest.mark.timeout(ALL_TIMEOUT_S),
]

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Trained:
    """What came of a training."""

    planned: PlannedTraining
    exit_code: int
    log: str

    @property
    def steps(self) -> list[int]:
        """The steps that the trainer told of; while it gathers the gradients of the first it tells of step 0."""
        lines = self.planned.paths.events_path.read_text(encoding="utf-8").splitlines()
        events = map(json.loads, lines)
        return sorted({event["step"] for event in events if event["event"] == "step"} - {0})

    def number(self, title: str) -> int:
        """Returns a number of the trainer's summary, by how its line begins."""
        found = re.search(rf"{re.escape(title)}[^:\n]*: (\d+)", self.log)
        assert found is not None, self.log[-2000:]
        return int(found.group(1))

    def named(self, title: str) -> list[Path]:
        """Returns the files that the log names after these words."""
        return [Path(name) for name in re.findall(rf"{re.escape(title)}: (.+)", self.log)]


@pytest.fixture(scope="module")
def trained(real_trainer: RealTrainer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trained]:
    """All of them: those of one process one after the other in forks of one process, the others beside that."""
    folder = oddest(tmp_path_factory.mktemp("trainings"))
    trainer = real_trainer.status.paths
    all_planned = [
        planned(training, folder / f"{number} {training.name}", real_trainer.model, trainer)
        for number, training in enumerate(TRAININGS)
    ]
    alone = [one for one in all_planned if one.plan.processes == 1]
    with _server(trainer) as server:
        assert server.stdin is not None
        for one in alone:
            request = {
                "argv": one.rendered.argv[1:],
                "env": dict(one.rendered.env),
                "log": str(one.paths.trainer_log_path),
            }
            server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        codes = {one.training.name: _launch(one) for one in all_planned if one.plan.processes > 1}
        answers, _ = server.communicate(timeout=ALL_TIMEOUT_S)
    for one, line in zip(alone, answers.splitlines(), strict=True):
        codes[one.training.name] = json.loads(line)["exit_code"]
    return {
        one.training.name: Trained(
            one, codes[one.training.name], one.paths.trainer_log_path.read_text(encoding="utf-8", errors="replace")
        )
        for one in all_planned
    }


def _server(trainer: TrainerPaths) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [trainer.python_path, HERE / "many_trainings.py", "--source", trainer.source_dir, "--inside", INSIDE_DIR],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **ONE_THREAD},
        encoding="utf-8",
    )


def _launch(one: PlannedTraining) -> int:
    """Runs the command as it was rendered, but for what trained_on_cpus.py tells of itself."""
    entry = str(INSIDE_DIR / "entry.py")
    at = one.rendered.argv.index(entry)
    argv = [*one.rendered.argv[:at], str(HERE / "trained_on_cpus.py"), *one.rendered.argv[at:]]
    env = {**os.environ, **one.rendered.env, "CUDA_VISIBLE_DEVICES": ""}
    with one.paths.trainer_log_path.open("wb") as log:
        return subprocess.run(
            argv,
            cwd=one.rendered.cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=ALL_TIMEOUT_S,
            check=False,
        ).returncode


@pytest.mark.parametrize("name", [training.name for training in TRAININGS])
def test_a_training_is_what_was_planned(trained: dict[str, Trained], name: str) -> None:
    one = trained[name]
    assert one.exit_code == 0, one.log[-3000:]
    plan = one.planned.plan
    assert one.number("num train images * repeats") == plan.train_images
    assert one.number("num reg images") == plan.reg_images
    assert one.number("num validation images * repeats") == plan.validation_images
    assert one.number("num batches per epoch") == -(-plan.batches_per_epoch // plan.processes)  # of each process
    assert one.number("num epochs") == plan.epochs
    assert one.number("total optimization steps") == plan.total_steps
    assert one.steps == list(range(1, plan.total_steps + 1))
    assert_files(one)


def assert_files(one: Trained) -> None:
    settings, plan = one.planned.settings, one.planned.plan
    files, states = planned_files(settings, plan), planned_states(settings, plan)
    assert one.named("saving checkpoint") == [file.path for file in files]
    removed = sorted((file for file in files if file.removed_at is not None), key=lambda file: file.removed_at or 0)
    assert one.named("removing old checkpoint") == [file.path for file in removed]
    left = {file.path: file.step for file in files if file.removed_at is None}
    left |= {state.path: state.step for state in states if state.removed_at is None}
    assert set(settings.path("output_dir").iterdir()) == left.keys()
    for path, step in left.items():
        assert steps_in(path) == step
    assert len(re.findall(r"saving (?:last )?state", one.log)) == len(states)
    state_removals = [state for state in states if state.removed_at is not None]
    assert len(re.findall(r"removing old state", one.log)) == len(state_removals)


def steps_in(path: Path) -> int:
    """Returns after how many steps a weights file or a state was written, as it says itself."""
    if path.is_dir():
        return int(json.loads((path / "train_state.json").read_text(encoding="utf-8"))["current_step"])
    return int(read_weights_file(path).metadata["ss_steps"])


def test_there_is_something_of_every_kind(trained: dict[str, Trained]) -> None:
    """The trainings would prove little if no plan had removed anything, or cut an epoch short."""
    plans = [one.planned for one in trained.values()]
    outputs = [(planned_files(one.settings, one.plan), planned_states(one.settings, one.plan)) for one in plans]
    assert sum(any(file.removed_at for file in files) for files, _ in outputs) >= 4
    assert sum(any(state.removed_at for state in states) for _, states in outputs) >= 2
    assert any(one.plan.total_steps % one.plan.steps_per_epoch for one in plans)
    assert any(one.plan.validation_images for one in plans)
    assert any(len(one.plan.datasets) > 1 for one in plans)
    assert any(one.plan.batches_per_epoch % one.plan.processes for one in plans)
    assert len(plans) == 20
