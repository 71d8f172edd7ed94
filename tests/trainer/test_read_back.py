"""What we render, read by the pinned trainer's own parsers and its own schema of datasets: the values that we meant."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from loratpl.config.families import FAMILIES
from loratpl.config.machine import WITH_GPU
from loratpl.config.presets import preset_names, read_preset
from loratpl.config.settings import Settings
from loratpl.errors import ConfigError
from loratpl.plan.planner import TrainingPlan
from loratpl.project import ProjectPaths, RunPaths
from loratpl.render import renderer
from loratpl.render.prepare import judge, load_settings
from loratpl.resources import INSIDE_DIR
from loratpl.trainer.manifest import SCRIPTS
from loratpl.trainer.status import TrainerStatus
from tests.config.preset_given import make_preset_project
from tests.config.random_options import option_sets
from tests.given import outcome
from tests.stand_in import make_trainable_project, oddest

pytestmark = [pytest.mark.trainer, pytest.mark.xdist_group("read back")]

ANSWER_TIMEOUT_S = 120
RANDOM_SETS = 200
# The only texts that have a form of their own by the time the trainer reads its files.
FORMS: dict[str, list[str]] = {
    "resolution": ["512", "512,768", "1024,1024"],
    "face_crop_aug_range": ["1.0,2.0", "2.0,4.0"],
}
# Files that are not there are refused long before; what a training does not write is written elsewhere.
RENDERED = ("logging_dir", "lr_decay_steps", "lr_warmup_steps", "sample_prompts")


@dataclass
class Reader:
    """One process for each script, which is asked again and again: importing its parser takes seconds."""

    status: TrainerStatus
    children: dict[str, subprocess.Popen[str]] = field(default_factory=dict)

    def read(self, script: str, paths: RunPaths) -> dict[str, Any]:
        """Returns what the script makes of the files of a run."""
        child = self.children.get(script) or self._start(script)
        assert child.stdin is not None
        files = {"train": str(paths.train_toml_path), "dataset": str(paths.dataset_toml_path)}
        child.stdin.write(json.dumps(files) + "\n")
        child.stdin.flush()
        answer = self._answer(child)
        assert "error" not in answer, answer["error"]
        return answer

    def _start(self, script: str) -> subprocess.Popen[str]:
        paths = self.status.paths
        here = Path(__file__).with_name("read_back.py")
        child = subprocess.Popen(
            [paths.python_path, here, "--source", paths.source_dir, "--inside", INSIDE_DIR, script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
        self.children[script] = child
        assert self._answer(child) == {"ready": True}
        return child

    @staticmethod
    def _answer(child: subprocess.Popen[str]) -> dict[str, Any]:
        assert child.stdout is not None
        answer: dict[str, Any] = json.loads(child.stdout.readline())
        return answer

    def close(self) -> None:
        """Ends the processes."""
        for child in self.children.values():
            child.communicate(timeout=ANSWER_TIMEOUT_S)


@pytest.fixture(scope="module")
def reader(installed_trainer: TrainerStatus) -> Iterator[Reader]:
    """The trainer's own parsers, ready to read."""
    found = Reader(installed_trainer)
    yield found
    found.close()


def rendered(reader: Reader, settings: Settings, plan: TrainingPlan, folder: Path) -> tuple[Any, dict[str, Any]]:
    """Returns a run as it is rendered, and as the trainer reads it."""
    paths = RunPaths(folder)
    made = renderer.render(settings, plan, reader.status.paths, paths)
    renderer.write(made, settings, paths)
    return made, reader.read(settings.family.script, paths)


def assert_as_meant(settings: Settings, made: Any, read: Mapping[str, Any]) -> None:
    assert read["unknown"] == []
    options = read["options"]
    for name, setting in settings.options.items():
        if name in ("train_data_dir", "reg_data_dir"):  # the dataset file names the folders
            assert options[name] is None
            continue
        meant = made.options.get(name) if name in RENDERED else setting.value
        assert (options[name], type(options[name])) == (meant, type(meant)), name
    assert {name: options[name] for name in made.filled_in} == made.filled_in
    assert not made.filled_in.keys() & settings.options.keys()
    (dataset,) = made.dataset["datasets"]
    assert_holds(read["dataset"], dataset, settings)
    for subset, meant in zip(read["subsets"], dataset["subsets"], strict=True):
        assert_holds(subset, meant, settings)


def assert_holds(read: Mapping[str, Any], meant: Mapping[str, Any], settings: Settings) -> None:
    """What the dataset file says, and for the rest what the options of the same name say."""
    assert meant.keys() - read.keys() <= {"subsets"}
    for name, value in read.items():
        if name in meant:
            assert value == meant[name], name
        elif name == "face_crop_aug_range" and settings[name] is not None:
            assert value == [float(part) for part in settings[name].split(",")]
        elif settings[name] is not None and name != "resolution":
            assert value == settings[name], name


@pytest.mark.parametrize("preset", preset_names())
def test_a_preset_comes_out_as_it_was_meant(reader: Reader, tmp_path: Path, preset: str) -> None:
    project = make_preset_project(oddest(tmp_path) / "cats", preset)
    judged = judge(project, gpu_count=lambda: None, machine=WITH_GPU, is_this_machine=False, packages=lambda: None)
    assert judged.problems == ()
    assert judged.plan is not None
    made, read = rendered(reader, judged.settings, judged.plan, tmp_path / "run")
    assert_as_meant(judged.settings, made, read)
    for option, entry in read_preset(preset).options.items():
        if option == "lr_warmup_steps" and isinstance(entry.value, float):
            assert read["options"][option] == int(entry.value * judged.plan.total_steps)
        elif not isinstance(entry.value, dict):
            assert read["options"][option] == entry.value


def settings_of(project: ProjectPaths, values: dict[str, Any]) -> Settings:
    """Returns the settings of a project's config with these values, each of which can be."""
    config = {"pretrained_model_name_or_path": "model.safetensors", **values}
    project.config_path.write_text(json.dumps(config), encoding="utf-8")
    found, problems = load_settings(project, None, machine=WITH_GPU)
    assert [problem for problem in problems if problem.code.startswith(("config.value", "config.key"))] == []
    return found


@pytest.mark.parametrize("script", SCRIPTS)
def test_random_options_come_out_as_they_were_meant(
    reader: Reader, tmp_path_factory: pytest.TempPathFactory, script: str
) -> None:
    folder = tmp_path_factory.mktemp("random")
    project = ProjectPaths(make_trainable_project(folder / "project"))
    plan = judge(project, gpu_count=lambda: None).plan
    assert plan is not None
    families = [family.name for family in FAMILIES.values() if family.script == script]
    forms = st.fixed_dictionaries({}, optional={name: st.sampled_from(texts) for name, texts in FORMS.items()})
    asked = 0

    @settings(
        max_examples=RANDOM_SETS,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        database=None,
    )
    @given(
        values=option_sets(script),
        formed=forms,
        family=st.sampled_from(families),
    )
    def come_out(values: dict[str, Any], formed: dict[str, str], family: str) -> None:
        nonlocal asked
        implied = FAMILIES[family].implied
        values = {name: value for name, value in values.items() if name not in FORMS and name not in implied}
        found = settings_of(project, {"family": family, **values, **formed})
        both, refused = outcome(ConfigError, lambda: rendered(reader, found, plan, folder / "run"))
        # Our reader of what was written says that the trainer's would misread it: refused, and not trained wrong.
        assert refused is None or [problem.code for problem in refused.problems] == ["config.value"]
        assume(both is not None)
        assert both is not None
        assert_as_meant(found, *both)
        asked += 1

    come_out()
    assert asked >= RANDOM_SETS
