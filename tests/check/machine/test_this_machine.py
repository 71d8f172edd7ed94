"""The rules of a machine together: what they make of the same facts."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loratpl.check.machine.machine_memory import MachineMemory
from loratpl.check.machine.packages import known_packages
from loratpl.check.machine.this_machine import MachineFacts, facts_of_another, read_facts, this_machine_problems
from loratpl.check.machine.trainer_environment import TorchBuild, read_environment
from loratpl.config.machine import Gpu
from loratpl.config.settings import Settings
from loratpl.trainer.pin import load_pin
from loratpl.trainer.status import TrainerStatus, status
from tests.check.given_rules import codes, settings_for, text_of
from tests.check.machine.made_environment import make_environment
from tests.given import only
from tests.hub_cache import cache_tokenizers
from tests.stand_in import StandIn

RTX4090 = Gpu("RTX 4090", 24_564, 8.9)


@pytest.fixture
def facts(tmp_path: Path) -> MachineFacts:
    """A machine with one GPU on which nothing is wrong."""
    made = make_environment(tmp_path / "trainer", torch="2.13.0+cu130", cuda="13.0")
    environment = read_environment(made.paths)
    assert environment is not None
    cache_tokenizers(tmp_path / "hub")
    return MachineFacts(
        gpu_count=1,
        gpus=(RTX4090,),
        packages={*environment.versions, "tensorboard"},
        trainer=TrainerStatus(made.paths, made.marker, ()),
        environment=environment,
        torch=environment.torch(),
        driver="580.65.06",
        memory=MachineMemory(64_000_000_000, None, 8_000_000_000),
        env={"HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"},
    )


def problems(settings: Settings, facts: MachineFacts, **changes: Any) -> list[tuple[str, str]]:
    return codes(this_machine_problems(settings, replace(facts, **changes)))


def test_nothing_is_wrong_with_a_machine_that_has_everything(tmp_path: Path, facts: MachineFacts) -> None:
    for precision in ("no", "fp16", "bf16"):
        assert problems(settings_for(tmp_path, mixed_precision=precision), facts) == []


def test_a_build_for_cpus_takes_the_gpu_from_what_needs_one(tmp_path: Path, facts: MachineFacts) -> None:
    torch = TorchBuild("2.13.0+cpu", None, None)
    assert problems(settings_for(tmp_path), facts, torch=torch) == [("warning", "machine.torch.cpu")]
    settings = settings_for(tmp_path, mixed_precision="fp16")
    precision, build = this_machine_problems(settings, replace(facts, torch=torch))
    assert (precision.code, build.code) == ("machine.precision", "machine.torch.cpu")
    assert "build for CPUs" in precision.message


def test_a_hidden_gpu_is_none(tmp_path: Path, facts: MachineFacts) -> None:
    env = {**facts.env, "CUDA_VISIBLE_DEVICES": ""}
    assert problems(settings_for(tmp_path), facts, env=env) == [("warning", "machine.gpus.hidden")]
    found = problems(settings_for(tmp_path, mixed_precision="fp16"), facts, env=env)
    assert found == [("warning", "machine.gpus.hidden"), ("error", "machine.precision")]


def test_one_of_two_gpus_is_hidden_from_two_processes(tmp_path: Path, facts: MachineFacts) -> None:
    settings = settings_for(tmp_path, kohyatpl={"launch": {"processes": 2}})
    both = replace(facts, gpu_count=2, gpus=(RTX4090, RTX4090))
    assert problems(settings, both) == []
    assert problems(settings, both, env={**facts.env, "CUDA_VISIBLE_DEVICES": "1"}) == [("error", "machine.gpus")]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"driver": "535.104.05"}, [("error", "machine.driver")]),
        ({"packages": {"torch"}}, [("error", "trainer.package")]),
        ({"memory": MachineMemory(100_000_000)}, [("warning", "machine.memory")]),
        ({"env": {"HF_HUB_OFFLINE": "1", "HF_HOME": "/nowhere"}}, [("error", "machine.offline")]),
        ({"gpu_count": None, "gpus": ()}, []),
        ({"trainer": None, "packages": None}, []),
    ],
)
def test_each_fact_is_judged(
    tmp_path: Path, facts: MachineFacts, changes: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert problems(settings_for(tmp_path), facts, **changes) == expected


def test_nothing_of_this_machine_is_said_of_another(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, mixed_precision="fp16")
    assert list(this_machine_problems(settings, facts_of_another(None, None))) == []
    problem = only(this_machine_problems(settings, facts_of_another(0, None)))
    assert problem.code == "machine.precision"
    assert "no driver" in text_of(problem)


def test_a_stand_in_is_no_trouble(tmp_path: Path, stand_in: StandIn) -> None:
    settings = settings_for(tmp_path, kohyatpl={"env": {"HF_HUB_OFFLINE": "0"}})
    facts = read_facts(settings, stand_in.status, 0, (), known_packages())
    assert facts.env["HF_HUB_OFFLINE"] == "0"
    assert list(this_machine_problems(settings, facts)) == []


def test_without_a_trainer_the_machine_is_judged_all_the_same(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, optimizer_type="AdamW8bit", kohyatpl={"env": {"HF_HUB_OFFLINE": "0"}})
    facts = read_facts(settings, status(load_pin()), 0, (), known_packages())
    assert codes(this_machine_problems(settings, facts)) == [("error", "machine.optimizer")]


def test_this_machine_is_judged_in_a_moment(tmp_path: Path, installed_trainer: TrainerStatus) -> None:
    settings = settings_for(tmp_path, kohyatpl={"env": {"HF_HUB_OFFLINE": "0"}})
    began_at = time.process_time()
    facts = read_facts(settings, installed_trainer, 0, (), None)
    assert list(this_machine_problems(settings, facts)) == []
    assert time.process_time() - began_at < 0.5
    assert facts.torch is not None
