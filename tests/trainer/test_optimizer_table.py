"""The table of optimisers and schedulers says what the installed environment's classes take."""

from __future__ import annotations

import json
import subprocess

import pytest

from loratpl.check.optimizer_table import (
    OPTIMIZER_ARGUMENTS,
    SCHEDULER_ARGUMENTS,
    SCHEDULER_CLASS_ARGUMENTS,
    SPOKEN_OPTIMIZERS,
    UNFIT_OPTIMIZERS,
    UNFIT_SCHEDULERS,
)
from loratpl.trainer.status import TrainerStatus

_ASK = """
import importlib, inspect, json, sys, warnings
warnings.simplefilter("ignore")

def of(function):
    return sorted(set(inspect.signature(function).parameters) - {"self", "params", "lr", "optimizer"})

optimizers = {}
for path in json.loads(sys.argv[1]):
    module, _, name = path.rpartition(".")
    optimizers[path] = of(getattr(importlib.import_module(module), name).__init__)
import torch
from torch.optim import lr_scheduler
torch_names = [name for name, c in vars(torch.optim).items()
               if inspect.isclass(c) and issubclass(c, torch.optim.Optimizer) and c is not torch.optim.Optimizer]
from transformers.optimization import TYPE_TO_SCHEDULER_FUNCTION as functions
from diffusers.optimization import TYPE_TO_SCHEDULER_FUNCTION as more
functions = {kind.value: of(function) for table in (more, functions) for kind, function in table.items()}
classes = {name: of(getattr(lr_scheduler, name).__init__) for name in json.loads(sys.argv[2])}
print(json.dumps([optimizers, torch_names, functions, classes]))
"""
# What the trainer passes to a scheduler by itself (`get_scheduler_fix`), so that a config may not.
_PASSED = {
    "cosine_with_restarts": {"num_cycles"},
    "polynomial": {"power"},
    "inverse_sqrt": {"timescale"},
    "cosine_with_min_lr": {"num_cycles", "min_lr_rate"},
    "warmup_stable_decay": {"num_cycles", "min_lr_ratio", "num_stable_steps", "num_decay_steps"},
}


@pytest.mark.timeout(300)
def test_the_tables_are_the_environments(installed_trainer: TrainerStatus) -> None:
    asked = [json.dumps(list(table)) for table in (OPTIMIZER_ARGUMENTS, SCHEDULER_CLASS_ARGUMENTS)]
    answer = subprocess.run(
        [str(installed_trainer.paths.python_path), "-c", _ASK, *asked], capture_output=True, text=True, check=True
    )
    optimizers, torch_names, functions, classes = json.loads(answer.stdout.splitlines()[-1])
    assert {path: sorted(names) for path, names in OPTIMIZER_ARGUMENTS.items()} == optimizers
    known = {path.removeprefix("torch.optim.") for path in (*OPTIMIZER_ARGUMENTS, *UNFIT_OPTIMIZERS)}
    assert set(torch_names) <= known
    assert {name: sorted(names) for name, names in SCHEDULER_CLASS_ARGUMENTS.items()} == classes
    assert set(functions) == set(SCHEDULER_ARGUMENTS) | UNFIT_SCHEDULERS
    for name, arguments in SCHEDULER_ARGUMENTS.items():
        own = {"num_warmup_steps"} | _PASSED.get(name, set())
        own |= {"num_training_steps"} if name != "warmup_stable_decay" else set()
        assert sorted(arguments) == sorted(set(functions[name]) - own), name


def test_every_name_leads_to_a_class_of_the_table_but_those_of_a_package_that_is_not_there() -> None:
    missing = {path for path in SPOKEN_OPTIMIZERS.values() if path not in OPTIMIZER_ARGUMENTS}
    assert {path.partition(".")[0] for path in missing} == {"dadaptation"}
