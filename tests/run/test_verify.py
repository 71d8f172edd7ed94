"""The proof of what came out, on files as trainings leave them."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import pytest

from loratpl.errors import TrainerError
from loratpl.plan.outputs import PlannedFile
from loratpl.project import RunPaths
from loratpl.run.verify import Verdict, verify_outputs
from tests.stand_in import StandIn, write_safetensors

DOWN, UP = "lora_unet_x.lora_down.weight", "lora_unet_x.lora_up.weight"


def write_lora(path: Path, *, up: tuple[float, ...] = (0.5, 0.0), steps: int | None = 6) -> None:
    metadata = {} if steps is None else {"ss_steps": str(steps)}
    write_safetensors(path, {DOWN: [1.0, 2.0], UP: list(up)}, metadata)


def verdict_on(folder: Path, stand_in: StandIn, *names: tuple[str, int], last_step: int = 6) -> Verdict:
    planned = tuple(PlannedFile(folder / name, step) for name, step in names)
    return verify_outputs(planned, last_step=last_step, trainer=stand_in.paths, paths=made(folder))


def made(folder: Path) -> RunPaths:
    paths = RunPaths(folder / "run")
    paths.run_dir.mkdir()
    return paths


def test_what_is_as_planned_is_described_and_has_no_problem(odd_path: Path, stand_in: StandIn) -> None:
    write_lora(odd_path / "lora-step00000003.safetensors", steps=3)
    write_lora(odd_path / "lora.safetensors")
    verdict = verdict_on(odd_path, stand_in, ("lora-step00000003.safetensors", 3), ("lora.safetensors", 6))
    assert verdict.problems == ()
    assert [output.ss_steps for output in verdict.outputs] == [3, 6]
    final = verdict.outputs[-1]
    content = (odd_path / "lora.safetensors").read_bytes()
    assert final.path == str(odd_path / "lora.safetensors")
    assert (final.size_bytes, final.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert (final.tensors, final.trained, final.trainable) == (2, 1, 1)
    kept = json.loads((odd_path / "run" / "verdict.json").read_bytes())
    assert [judged["path"] for judged in kept] == [output.path for output in verdict.outputs]


def test_a_checkpoint_that_the_trainer_removed_again_is_no_problem(tmp_path: Path, stand_in: StandIn) -> None:
    """`save_last_n_steps` makes it remove the earlier ones."""
    write_lora(tmp_path / "lora.safetensors")
    removed = PlannedFile(tmp_path / "lora-step00000003.safetensors", 3, removed_at=5)
    planned = (removed, PlannedFile(tmp_path / "lora.safetensors", 6))
    verdict = verify_outputs(planned, last_step=6, trainer=stand_in.paths, paths=made(tmp_path))
    assert verdict.problems == ()
    assert len(verdict.outputs) == 1


def test_a_checkpoint_that_is_gone_is_missed(tmp_path: Path, stand_in: StandIn) -> None:
    write_lora(tmp_path / "lora.safetensors")
    verdict = verdict_on(tmp_path, stand_in, ("lora-step00000003.safetensors", 3), ("lora.safetensors", 6))
    (problem,) = verdict.problems
    assert (problem.code, problem.severity) == ("run.output.missing", "warning")
    assert "after step 3" in problem.message


def test_a_file_without_metadata_is_judged_by_its_tensors(tmp_path: Path, stand_in: StandIn) -> None:
    write_lora(tmp_path / "lora.safetensors", steps=None)
    verdict = verdict_on(tmp_path, stand_in, ("lora.safetensors", 6))
    assert verdict.problems == ()
    assert verdict.outputs[0].ss_steps is None


@pytest.mark.parametrize(
    ("up", "steps", "last_step", "codes", "says"),
    [
        ((math.nan, 1.0), 6, 6, ["run.output.nan"], "NaN or infinite values in 1 tensors"),
        ((math.inf, 1.0), 6, 6, ["run.output.nan"], "NaN or infinite values in 1 tensors"),
        ((0.0, -0.0), 6, 6, ["run.output.untrained"], "every weight is still zero"),
        ((1.0, 1.0), 5, 6, ["run.output.steps"], "trained for 5 steps; 6 were planned"),
        ((1.0, 1.0), 6, 5, ["run.steps"], "did 5 steps; 6 were planned"),
        ((math.nan, 1.0), 4, 5, ["run.steps", "run.output.steps", "run.output.nan"], "did 5 steps"),
    ],
)
def test_what_is_not_as_planned_is_an_error_that_says_so(
    tmp_path: Path,
    stand_in: StandIn,
    up: tuple[float, ...],
    steps: int,
    last_step: int,
    codes: list[str],
    says: str,
) -> None:
    write_lora(tmp_path / "lora.safetensors", up=up, steps=steps)
    problems = verdict_on(tmp_path, stand_in, ("lora.safetensors", 6), last_step=last_step).problems
    assert [problem.code for problem in problems] == codes
    assert {problem.severity for problem in problems} == {"error"}
    assert says in problems[0].message
    assert "lora.safetensors" in problems[-1].message + problems[-1].where


def test_every_bad_file_is_named_at_once(tmp_path: Path, stand_in: StandIn) -> None:
    write_lora(tmp_path / "a.safetensors", up=(0.0, 0.0), steps=2)
    write_lora(tmp_path / "b.safetensors", steps=4)
    (tmp_path / "b.safetensors").write_bytes((tmp_path / "b.safetensors").read_bytes()[:-2])
    write_lora(tmp_path / "lora.safetensors", up=(math.nan, 0.0))
    verdict = verdict_on(tmp_path, stand_in, ("a.safetensors", 2), ("b.safetensors", 4), ("lora.safetensors", 6))
    found = {(problem.code, Path(problem.where).name) for problem in verdict.problems}
    assert found == {
        ("run.output.untrained", "a.safetensors"),
        ("run.output.damaged", "b.safetensors"),
        ("run.output.nan", "lora.safetensors"),
    }
    assert [Path(output.path).name for output in verdict.outputs] == ["a.safetensors", "lora.safetensors"]


def test_a_cut_file_is_told_by_its_missing_bytes(tmp_path: Path, stand_in: StandIn) -> None:
    write_lora(tmp_path / "lora.safetensors")
    (tmp_path / "lora.safetensors").write_bytes((tmp_path / "lora.safetensors").read_bytes()[:-2])
    (problem,) = verdict_on(tmp_path, stand_in, ("lora.safetensors", 6)).problems
    assert problem.code == "run.output.damaged"
    assert problem.message == "lora.safetensors is cut: 2 bytes are missing at its end."
    assert "disk is full" in problem.fix


def test_a_missing_lora_is_named_with_how_far_the_trainer_came(tmp_path: Path, stand_in: StandIn) -> None:
    verdict = verdict_on(tmp_path, stand_in, ("lora.safetensors", 6), last_step=0)
    (problem,) = verdict.problems
    assert problem.code == "run.output.missing"
    assert "after step 0 of 6; there is no lora.safetensors" in problem.message
    assert verdict.outputs == ()


@pytest.mark.parametrize("suffix", ["ckpt", "pt"])
def test_a_file_that_cannot_be_looked_into_is_a_warning(tmp_path: Path, stand_in: StandIn, suffix: str) -> None:
    (tmp_path / f"lora.{suffix}").write_bytes(b"pickle")
    (problem,) = verdict_on(tmp_path, stand_in, (f"lora.{suffix}", 6)).problems
    assert (problem.code, problem.severity) == ("run.output.unproven", "warning")
    assert f"lora.{suffix}" in problem.message
    assert '"save_model_as": "safetensors"' in problem.fix


def test_a_type_of_tensor_that_nobody_can_judge_is_no_proof(tmp_path: Path, stand_in: StandIn) -> None:
    path = tmp_path / "lora.safetensors"
    write_lora(path)
    path.write_bytes(path.read_bytes().replace(b'"F32"', b'"F4X"'))
    with pytest.raises(TrainerError) as caught:
        verdict_on(tmp_path, stand_in, ("lora.safetensors", 6))
    (problem,) = caught.value.problems
    assert problem.code == "trainer.environment.broken"
    assert str(path) in problem.message
    assert "'F4X'" in problem.message


def write_parts(path: Path, **trained: list[bool]) -> None:
    """Writes a LoRA of these parts; each value says for one module whether training changed it."""
    tensors = {
        f"lora_{part}_{number}.lora_up.weight": [0.5 if changed else 0.0]
        for part, modules in trained.items()
        for number, changed in enumerate(modules)
    }
    write_safetensors(path, tensors, {"ss_steps": "6"})


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"te1": [True], "te2": [False, False], "unet": [True]}, "2 modules for the text encoder (te2)"),
        ({"te": [False], "unet": [True, False]}, "1 modules for the text encoder (te)"),
        ({"te3": [True], "unet": [False, False, False]}, "3 modules for the denoiser"),
    ],
)
def test_a_part_that_was_not_trained_at_all_is_a_warning(
    tmp_path: Path, stand_in: StandIn, parts: dict[str, list[bool]], says: str
) -> None:
    write_parts(tmp_path / "lora.safetensors", **parts)
    (problem,) = verdict_on(tmp_path, stand_in, ("lora.safetensors", 6)).problems
    assert (problem.code, problem.severity) == ("run.output.part_untrained", "warning")
    assert says in problem.message
    assert "text_encoder_lr" in problem.fix


def test_single_modules_may_stay_as_they_were(tmp_path: Path, stand_in: StandIn) -> None:
    """What lies behind the layer whose output is used gets no gradient: with `clip_skip`, and in SDXL and Lumina."""
    write_parts(tmp_path / "lora.safetensors", te=[True, False], unet=[True])
    verdict = verdict_on(tmp_path, stand_in, ("lora.safetensors", 6))
    assert verdict.problems == ()
    assert (verdict.outputs[-1].trained, verdict.outputs[-1].trainable) == (2, 3)


def test_where_nothing_was_trained_that_alone_is_said(tmp_path: Path, stand_in: StandIn) -> None:
    write_parts(tmp_path / "lora.safetensors", te=[False], unet=[False])
    (problem,) = verdict_on(tmp_path, stand_in, ("lora.safetensors", 6)).problems
    assert problem.code == "run.output.untrained"
