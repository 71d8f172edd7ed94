"""Memory of the machine and of its GPU, judged for base models of their real sizes (files full of holes)."""

from __future__ import annotations

import json
import math
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from loratpl.check.machine.machine_memory import MachineMemory, container_bytes, read_memory
from loratpl.check.machine.memory import memory_problems, read_denoiser
from loratpl.config.machine import WITH_GPU, Gpu
from loratpl.config.reading import read_config
from loratpl.config.settings import resolve
from loratpl.errors import Problem
from tests.check.given_rules import codes, settings_for, text_of
from tests.given import MODEL, only, write_config

GB = 1_000_000_000
_SIZE_OF = {"F32": 4, "BF16": 2, "F16": 2}
# Elements of a block and number of blocks, rounded: FLUX.1 dev has 11.9 thousand million in all.
FLUX = {"double_blocks": (340_000_000, 19), "single_blocks": (141_000_000, 38), "img_in": (80_000_000, 1)}
HUNYUAN = {"double_blocks": (420_000_000, 20), "single_blocks": (215_000_000, 40)}
SDXL = {"model.diffusion_model.input_blocks": (200_000_000, 13), "conditioner.embedders": (800_000_000, 1)}
SD3_LARGE = {"model.diffusion_model.joint_blocks": (212_000_000, 38)}


def write_model(folder: Path, shape: dict[str, tuple[int, int]], dtype: str = "BF16") -> Path:
    """Returns a whole safetensors file of these blocks; its bytes are a hole."""
    header: dict[str, Any] = {}
    end = 0
    for name, (elements, count) in shape.items():
        for number in range(count):
            size = elements * _SIZE_OF[dtype]
            header[f"{name}.{number}.weight"] = {"dtype": dtype, "shape": [elements], "data_offsets": [end, end + size]}
            end += size
    text = json.dumps(header).encode()
    path = folder / MODEL
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    os.truncate(path, 8 + len(text) + end)
    return path


def gpu(memory_gb: int) -> Gpu:
    return Gpu(f"GPU of {memory_gb} GB", memory_gb * 1024, 8.9)


def problems_for(
    folder: Path,
    family: str,
    shape: dict[str, tuple[int, int]],
    memory: MachineMemory,
    gpus: tuple[Gpu, ...] = (),
    *,
    cached_bytes: int = 0,
    dtype: str = "BF16",
    **options: Any,
) -> list[Problem]:
    raw = read_config(write_config(folder, {"family": family, **options}))
    settings, _ = resolve(raw, project_name="cats", machine=WITH_GPU)
    write_model(folder, shape, dtype)
    return list(memory_problems(settings, memory, gpus, cached_bytes=cached_bytes))


@pytest.mark.parametrize(
    ("family", "shape", "options", "memory_gb", "preset"),
    [
        ("flux", FLUX, {}, 20, "flux-16gb"),
        ("flux", FLUX, {}, 12, "flux-12gb"),
        ("flux", FLUX, {}, 8, "flux-8gb"),
        ("flux", FLUX, {"fp8_base": True}, 12, "flux-12gb"),
        ("flux", FLUX, {"mixed_precision": "no"}, 40, "flux-24gb"),
        ("flux", FLUX, {}, 6, None),
        ("sdxl", SDXL, {}, 4, None),
        ("anima", {"blocks": (200_000_000, 20)}, {"fp8_base": True}, 8, "anima-8gb"),  # which it does not know
        ("sd3", SD3_LARGE, {}, 16, "sd3-16gb-large"),
        ("hunyuan-image", HUNYUAN, {}, 24, "hunyuan-image-24gb"),
        ("hunyuan-image", HUNYUAN, {"fp8_base": True}, 12, "hunyuan-image-12gb"),  # which it does not know
    ],
)
def test_weights_that_do_not_fit_a_gpu_are_told_with_the_preset_that_does(
    tmp_path: Path, family: str, shape: dict[str, tuple[int, int]], options: dict[str, Any], memory_gb: int, preset: str
) -> None:
    options = {"mixed_precision": "bf16", **options}
    problem = only(problems_for(tmp_path, family, shape, MachineMemory(), (gpu(memory_gb),), **options))
    assert (problem.severity, problem.code) == ("warning", "machine.gpu_memory")
    assert all(text in text_of(problem) for text in (f"GPU of {memory_gb} GB", preset or "smaller base model"))


@pytest.mark.parametrize(
    ("family", "shape", "options", "memory_gb"),
    [
        ("flux", FLUX, {}, 32), ("flux", FLUX, {"fp8_base": True}, 16), ("flux", FLUX, {"preset": "flux-12gb"}, 12),
        ("flux", FLUX, {"preset": "flux-8gb"}, 8), ("flux", FLUX, {"fp8_base": True, "blocks_to_swap": 16}, 12),
        ("flux", FLUX, {"blocks_to_swap": 20}, 24),
        ("sdxl", SDXL, {}, 8), ("sd15", {"model.diffusion_model.x": (860_000_000, 1)}, {}, 4),
        ("hunyuan-image", HUNYUAN, {"preset": "hunyuan-image-12gb"}, 12), ("sd3", SD3_LARGE, {}, 24),
        ("sd3", SD3_LARGE, {"preset": "sd3-16gb-large"}, 16),
    ],
)  # fmt: skip
def test_what_may_fit_is_left_alone(
    tmp_path: Path, family: str, shape: dict[str, tuple[int, int]], options: dict[str, Any], memory_gb: int
) -> None:
    options = {"mixed_precision": "bf16", **options}
    assert problems_for(tmp_path, family, shape, MachineMemory(), (gpu(6), gpu(memory_gb)), **options) == []


@pytest.mark.parametrize(
    ("available_gb", "gpus", "dtype", "options", "cached_gb", "is_said"),
    [
        (16, (), "BF16", {}, 0, False),
        (3, (), "F32", {}, 0, True),
        (10, (), "BF16", {}, 0, True),  # in float32 the weights are 10.4 GB on a CPU
        (3, (gpu(24),), "BF16", {"mixed_precision": "bf16"}, 0, False),  # mapped from the file
        (3, (gpu(24),), "BF16", {"mixed_precision": "fp16"}, 0, False),
        (3, (gpu(24),), "F32", {"mixed_precision": "fp16"}, 0, True),  # converted
        (0.4, (gpu(24),), "F16", {"mixed_precision": "fp16"}, 0, True),
        (8, (gpu(24),), "F16", {"mixed_precision": "fp16"}, 9, True),
    ],
)
def test_memory_that_is_surely_too_little_is_told(
    tmp_path: Path,
    available_gb: float,
    gpus: tuple[Gpu, ...],
    dtype: str,
    options: dict[str, Any],
    cached_gb: int,
    is_said: bool,
) -> None:
    memory = MachineMemory(available_bytes=int(available_gb * GB))
    options = {"mixed_precision": "no", **options}
    found = problems_for(tmp_path, "sdxl", SDXL, memory, gpus, cached_bytes=cached_gb * GB, dtype=dtype, **options)
    assert codes(found) == ([("warning", "machine.memory")] if is_said else [])
    assert all(("cache_latents_to_disk" in problem.fix) is bool(cached_gb) for problem in found)


def test_nothing_is_said_of_memory_that_cannot_be_told(tmp_path: Path) -> None:
    assert problems_for(tmp_path, "sdxl", SDXL, MachineMemory(), cached_bytes=10**15) == []


def test_a_limit_on_a_process_is_an_error(tmp_path: Path) -> None:
    problem = only(problems_for(tmp_path, "sdxl", SDXL, MachineMemory(address_limit_bytes=6 * GB)))
    assert (problem.severity, problem.code) == ("error", "machine.memory")
    assert all(text in text_of(problem) for text in ("memory", "ulimit -v", "6.0 GB", "8.8 GB"))
    assert problems_for(tmp_path, "sdxl", SDXL, MachineMemory(address_limit_bytes=60 * GB)) == []


@pytest.mark.parametrize(
    ("options", "free_mb", "is_said"),
    [
        ({"cache_latents": False, "resolution": "1024,1024"}, 64, False),
        ({"cache_latents": False, "resolution": "1024,1024"}, 50, True),
        ({"cache_latents": False, "resolution": "1024,1024", "train_batch_size": 4}, 64, True),
        ({"cache_latents": False, "resolution": "1024,1024", "max_data_loader_n_workers": 0}, 1, False),
        ({"cache_latents": True, "train_batch_size": 4}, 1, False),
    ],
)
def test_workers_without_shared_memory_are_told(
    tmp_path: Path, options: dict[str, Any], free_mb: int, is_said: bool
) -> None:
    memory = MachineMemory(shared_free_bytes=free_mb * 1_000_000)
    found = list(memory_problems(settings_for(tmp_path, **options), memory, ()))
    assert codes(found) == ([("warning", "machine.shared_memory")] if is_said else [])


def test_the_weights_of_a_checkpoint_are_counted_without_its_text_encoders(odd_path: Path) -> None:
    denoiser = read_denoiser(write_model(odd_path, SDXL))
    assert denoiser is not None
    assert denoiser.elements == 13 * 200_000_000
    assert denoiser.stored_bytes == 2
    assert denoiser.file_bytes > 2 * (13 * 200_000_000 + 800_000_000)


def test_swapped_blocks_are_counted_as_the_trainer_swaps_them(tmp_path: Path) -> None:
    denoiser = read_denoiser(write_model(tmp_path, FLUX))
    assert denoiser is not None
    assert denoiser.swapped_elements(0) == 0
    assert denoiser.swapped_elements(9) == 4 * 340_000_000 + 10 * 141_000_000
    assert denoiser.swapped_elements(1000) == 19 * 340_000_000 + 38 * 141_000_000
    joint = read_denoiser(write_model(tmp_path, SD3_LARGE))
    assert joint is not None
    assert math.isclose(joint.swapped_elements(3), 3 * 212_000_000)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\xff" * 64])
def test_a_file_that_is_no_model_is_not_weighed(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    assert read_denoiser(path) is None
    assert read_denoiser(tmp_path / "model.ckpt") is None


_VERSION_2 = {
    "memory.max": "8000000000",
    "memory.current": "5000000000",
    "memory.stat": "anon 3\nactive_file 1000000000\ninactive_file 500000000\n",
}
_VERSION_1 = {"memory/memory.limit_in_bytes": "3000", "memory/memory.usage_in_bytes": "1000"}


@pytest.mark.parametrize(
    ("files", "left"),
    [
        (_VERSION_2, 4_500_000_000),
        ({**_VERSION_2, "memory.max": "max"}, None),
        ({**_VERSION_2, "memory.current": "9000000000", "memory.stat": ""}, 0),
        (_VERSION_1, 2000),
        ({**_VERSION_1, "memory/memory.limit_in_bytes": "9223372036854771712"}, None),
        ({}, None),
    ],
)
def test_a_container_leaves_what_is_not_used_of_its_limit(
    odd_path: Path, files: dict[str, str], left: int | None
) -> None:
    for name, text in files.items():
        path = odd_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{text}\n", encoding="utf-8")
    assert container_bytes(odd_path) == left


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_this_machine_tells_its_memory(tmp_path: Path) -> None:
    memory = read_memory()
    assert memory.available_bytes
    assert memory.available_bytes > 10_000_000
    assert read_memory(tmp_path / "no", tmp_path / "no", tmp_path / "no").available_bytes is None


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
def test_a_limit_of_the_shell_is_seen() -> None:
    code = "from loratpl.check.machine.machine_memory import read_memory; print(read_memory().address_limit_bytes)"
    command = f'ulimit -v 1855468; exec "{sys.executable}" -c "{code}"'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == str(1855468 * 1024)
