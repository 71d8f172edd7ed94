"""Files that the trainer's own networks, PEFT and Diffusers have written, and the proof that they load."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from loratpl.report.inspect import Inspection, inspect_file
from loratpl.report.inspect.loading import Loaded, load_onto
from loratpl.trainer.status import TrainerStatus
from tests.report.inspect.made_files import lora, weights_file

pytestmark = [pytest.mark.trainer, pytest.mark.xdist_group("inspected files")]
ROOT_DIR = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def made_dir(installed_trainer: TrainerStatus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model of Stable Diffusion 1, and LoRAs for it from each of the programs."""
    out_dir = tmp_path_factory.mktemp('made "here" é')
    paths = installed_trainer.paths
    command = [
        str(paths.python_path), "-m", "tests.report.inspect.made_by_trainer", "--source", str(paths.source_dir),
        "--out", str(out_dir),
    ]  # fmt: skip
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT_DIR, env=env, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    return out_dir


def inspected(path: Path) -> Inspection:
    found = inspect_file(path, with_values=True)
    assert found.problems == ()
    assert found.values is not None
    assert found.values.dead == ()
    assert sum(norm.modules for norm in found.values.norms) == len(found.modules)
    return found


@pytest.mark.parametrize(
    ("name", "network", "precision", "modules"),
    [
        ("lora-f32", "LoRA", "F32", 264),
        ("lora-fp16", "LoRA", "F16", 264),
        ("lora-bf16", "LoRA", "BF16", 264),
        ("locon", "LoCon (LoRA with wide convolutions)", "F32", 349),
        ("dylora", "DyLoRA", "F32", 264),
        ("oft", "OFT", "F32", 192),
    ],
)
def test_files_of_the_trainers_networks(made_dir: Path, name: str, network: str, precision: str, modules: int) -> None:
    found = inspected(made_dir / f"{name}.safetensors")
    assert (found.kind, found.network, found.program, found.naming) == ("adapter", network, "sd-scripts", "sd-scripts")
    assert [dtype for dtype, _ in found.precisions] == [precision]
    assert len(found.modules) == modules
    assert found.guess.families == ("sd15",)
    assert found.hash.state == "equal"
    alphas = {alpha for block in found.blocks for alpha in block.alphas}
    expected = {"oft": {1e-3}, "locon": {1.0, 2.0}}.get(name, {2.0})
    assert {round(alpha, 6) for alpha in alphas} == expected


def test_the_norms_are_the_same_in_every_precision(made_dir: Path) -> None:
    norms = {}
    for name in ("lora-f32", "lora-fp16", "lora-bf16"):
        values = inspected(made_dir / f"{name}.safetensors").values
        assert values is not None
        norms[name] = [norm.mean for norm in values.norms]
    assert norms["lora-fp16"] == pytest.approx(norms["lora-f32"], rel=1e-3)
    assert norms["lora-bf16"] == pytest.approx(norms["lora-f32"], rel=1e-2)


def test_a_file_without_metadata(made_dir: Path) -> None:
    found = inspected(made_dir / "no-metadata.safetensors")
    assert (found.network, found.program) == ("LoRA", "")
    assert "sd15" in found.guess.families
    assert len(found.modules) == 264


@pytest.mark.parametrize(
    ("name", "network", "naming", "alphas"),
    [
        ("peft/adapter_model", "LoRA", "PEFT", (8.0,)),
        ("peft-dora/adapter_model", "DoRA", "PEFT", (8.0,)),
        ("diffusers/pytorch_lora_weights", "LoRA", "Diffusers with PEFT", ()),
    ],
)
def test_files_of_other_programs(
    made_dir: Path, name: str, network: str, naming: str, alphas: tuple[float, ...]
) -> None:
    found = inspected(made_dir / f"{name}.safetensors")
    assert (found.network, found.naming, len(found.modules)) == (network, naming, 64)
    assert {block.alphas for block in found.blocks} == {alphas}
    assert {block.dims for block in found.blocks} == {(4,)}
    assert "sd15" in found.guess.families
    assert "the text encoder (72 layers)" in found.untrained


def test_an_old_file_of_pytorch_is_refused(made_dir: Path) -> None:
    (problem,) = inspect_file(made_dir / "old.pt", with_values=True).problems
    assert problem.code == "project.weights.pickle"
    assert "PyTorch's own format" in problem.message


# --- the proof that it loads


@pytest.fixture(scope="module")
def loaded(
    installed_trainer: TrainerStatus, made_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Loaded]:
    """What came of loading them all, one after the other onto one model: each must find it as it was."""
    folder = tmp_path_factory.mktemp("others")
    content = (made_dir / "lora-f32.safetensors").read_bytes()
    data_begin = 8 + int.from_bytes(content[:8], "little")
    zeros = folder / "zeros.safetensors"
    zeros.write_bytes(content[:data_begin] + bytes(len(content) - data_begin))
    wide = weights_file(folder / "wide.safetensors", lora("lora_unet_mid_block_attentions_0_proj_in", shape=(77, 77)))
    names = ("lora-fp16", "oft", "lora-f32", "diffusers/pytorch_lora_weights")
    paths = [wide, *(made_dir / f"{name}.safetensors" for name in names), zeros]
    proof = load_onto(paths, made_dir / "model", installed_trainer.paths)
    assert proof.problems == ()
    return {one.path.stem: one for one in proof.loras}


def test_loras_that_fit_load_with_all_their_layers(loaded: dict[str, Loaded]) -> None:
    for name, layers in (("lora-fp16", 264), ("lora-f32", 264), ("pytorch_lora_weights", 64)):
        one = loaded[name]
        assert one.problems == ()
        assert (one.layers, one.wanted, one.unmatched) == (layers, layers, ())
        assert one.max_difference > one.mean_difference > 0
    # The same numbers in two precisions do the same, whatever was loaded in between.
    assert loaded["lora-f32"].mean_difference == pytest.approx(loaded["lora-fp16"].mean_difference, rel=0.01)


def test_what_diffusers_cannot_load_is_told(loaded: dict[str, Loaded]) -> None:
    oft = loaded["oft"].problems
    assert {problem.code for problem in oft} <= {"project.weights.load", "project.weights.no_effect"}
    assert any(problem.severity == "error" for problem in oft)
    (problem,) = loaded["wide"].problems
    assert (problem.code, problem.severity) == ("project.weights.load", "error")
    assert "size mismatch" in problem.message


def test_a_lora_of_zeros_has_no_effect(loaded: dict[str, Loaded]) -> None:
    assert [problem.code for problem in loaded["zeros"].problems] == ["project.weights.no_effect"]


def test_a_base_model_that_diffusers_cannot_load_is_told(
    installed_trainer: TrainerStatus, made_dir: Path, tmp_path: Path
) -> None:
    base = tmp_path / "model.safetensors"
    base.write_bytes(b"nothing that could be loaded")
    (problem,) = load_onto([made_dir / "lora-f32.safetensors"], base, installed_trainer.paths).problems
    assert (problem.code, problem.where) == ("project.weights.base", str(base))
    assert "SafetensorError" in problem.message
