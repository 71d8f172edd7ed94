"""What happens to an environment after it was installed."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loratpl.check.machine.environment_health import environment_problems
from loratpl.check.machine.trainer_environment import read_environment
from loratpl.errors import Problem
from loratpl.trainer.status import TrainerStatus
from tests.check.given_rules import codes, text_of
from tests.check.machine.made_environment import MadeEnvironment, make_environment
from tests.given import only

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the made environment is laid out as on POSIX")
_CHANGED, _BYTE_CODE, _BROKEN = (f"trainer.environment.{word}" for word in ("changed", "byte_code", "broken"))


@pytest.fixture
def made(tmp_path: Path) -> MadeEnvironment:
    return make_environment(tmp_path / "trainer")


def problems_of(made: MadeEnvironment, **env: str) -> list[Problem]:
    return list(environment_problems(made.paths, made.marker, env))


def test_an_environment_as_it_was_installed_is_healthy(odd_path: Path) -> None:
    assert problems_of(make_environment(odd_path / "trainer")) == []


def test_an_environment_that_was_moved_is_healthy(made: MadeEnvironment, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    made.paths.root_dir.rename(moved)
    assert problems_of(MadeEnvironment(type(made.paths)(moved), made.marker)) == []


def test_the_installed_environment_is_healthy(installed_trainer: TrainerStatus) -> None:
    assert installed_trainer.marker is not None
    assert list(environment_problems(installed_trainer.paths, installed_trainer.marker, {})) == []


def test_versions_are_read_as_the_environment_itself_tells_them(installed_trainer: TrainerStatus) -> None:
    environment = read_environment(installed_trainer.paths)
    assert environment is not None
    assert installed_trainer.marker is not None
    assert environment.versions.items() >= installed_trainer.marker.packages.items()
    torch = environment.torch()
    assert torch is not None
    assert torch.version == installed_trainer.marker.packages["torch"]
    assert "safetensors" in environment.metadata("accelerate")
    assert environment.metadata("no-such-package") == ""


def test_a_package_that_somebody_changed_is_named_with_both_versions(made: MadeEnvironment) -> None:
    made.set_version("accelerate", "1.9.0")
    problem = only(problems_of(made))
    assert (problem.severity, problem.code) == ("warning", _CHANGED)
    assert all(text in text_of(problem) for text in ("accelerate", "1.9.0", "1.6.0", "kohyatpl trainer install"))


def test_packages_of_ones_own_are_nobodys_business(made: MadeEnvironment) -> None:
    made.set_version("wandb", "0.20.0")
    (made.site_dir / "~orch-2.12.0.dist-info").mkdir()  # what an interrupted pip leaves
    assert problems_of(made) == []


@pytest.mark.parametrize(("package", "severity"), [("accelerate", "error"), ("lion-pytorch", "warning")])
def test_a_lost_package_is_an_error_where_every_training_needs_it(
    made: MadeEnvironment, package: str, severity: str
) -> None:
    made.set_version(package, None)
    problem = only(problems_of(made))
    assert (problem.severity, problem.code) == (severity, _CHANGED)
    assert package in problem.message


def test_many_changes_are_named_in_part(made: MadeEnvironment) -> None:
    more = {f"pkg{number}": "1.0" for number in range(9)}
    marker = made.marker.model_copy(update={"packages": {**made.marker.packages, **more}})
    problem = only(environment_problems(made.paths, marker, {}))
    assert "pkg0" in problem.message
    assert "and 5 more" in problem.message


@pytest.mark.parametrize("lost", ["pyvenv.cfg", "lib"])
def test_an_environment_without_its_parts_is_broken(made: MadeEnvironment, lost: str) -> None:
    path = made.paths.venv_dir / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    problem = only(problems_of(made))
    assert (problem.severity, problem.code) == ("error", _BROKEN)


def test_an_environment_of_which_nothing_is_left_is_told_elsewhere(made: MadeEnvironment) -> None:
    for lost in ("lib", "bin"):
        shutil.rmtree(made.paths.venv_dir / lost)
    (made.paths.venv_dir / "pyvenv.cfg").unlink()
    assert problems_of(made) == []


def test_an_environment_whose_python_was_removed_is_broken(made: MadeEnvironment, tmp_path: Path) -> None:
    config = made.paths.venv_dir / "pyvenv.cfg"
    config.write_text(f"home = {tmp_path / 'gone'}\nversion = 3.11.7\n", encoding="utf-8")
    assert "gone" in only(problems_of(made)).message


def test_an_environment_whose_python_became_another_is_broken(made: MadeEnvironment, tmp_path: Path) -> None:
    replaced = tmp_path / "python3.99"
    replaced.write_text("#!/bin/sh\n", encoding="utf-8")
    made.paths.python_path.unlink()
    made.paths.python_path.symlink_to(replaced)
    problem = only(problems_of(made))
    assert problem.code == _BROKEN
    assert "3.99" in problem.message


def test_a_missing_interpreter_is_said_elsewhere(made: MadeEnvironment) -> None:
    made.paths.python_path.unlink()
    assert problems_of(made) == []


def test_missing_byte_code_is_told_with_the_command_that_makes_it(made: MadeEnvironment) -> None:
    made.remove_byte_code()
    problem = only(problems_of(made))
    assert (problem.severity, problem.code) == ("warning", _BYTE_CODE)
    assert "the next start" in problem.message
    command = problem.fix.removeprefix("Run `").removesuffix("`.")
    subprocess.run(shlex.split(command), check=True, timeout=60)
    assert problems_of(made) == []


def test_byte_code_that_nobody_writes_costs_at_every_start(made: MadeEnvironment) -> None:
    assert problems_of(made, PYTHONDONTWRITEBYTECODE="1") == []
    made.remove_byte_code()
    assert "every start" in only(problems_of(made, PYTHONDONTWRITEBYTECODE="1")).message


def test_byte_code_of_other_sources_counts_for_none(made: MadeEnvironment) -> None:
    for path in made.site_dir.rglob("*.py"):
        os.utime(path, (1_000_000_000, 1_000_000_000))  # as `cp -r` leaves them, without the times
    assert codes(problems_of(made)) == [("warning", _BYTE_CODE)]


def test_byte_code_kept_elsewhere_is_found_there(made: MadeEnvironment, tmp_path: Path) -> None:
    prefix = tmp_path / "cache"
    assert codes(problems_of(made, PYTHONPYCACHEPREFIX=str(prefix))) == [("warning", _BYTE_CODE)]
    for path in made.site_dir.rglob("*.pyc"):
        kept = Path(prefix, *path.parent.parent.parts[1:], path.name)
        kept.parent.mkdir(parents=True, exist_ok=True)
        path.rename(kept)
    assert problems_of(made, PYTHONPYCACHEPREFIX=str(prefix)) == []
    assert codes(problems_of(made)) == [("warning", _BYTE_CODE)]


def test_an_installation_without_packages_is_not_judged(made: MadeEnvironment) -> None:
    shutil.rmtree(made.paths.venv_dir)
    assert list(environment_problems(made.paths, made.marker.model_copy(update={"packages": {}}), {})) == []
