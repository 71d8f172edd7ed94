"""GPU, driver and PyTorch's build."""

from __future__ import annotations

from pathlib import Path

import pytest

from loratpl.check.machine.cuda import cuda_problems, driver_version, has_compatibility_libraries, parse_driver_version
from loratpl.check.machine.trainer_environment import TorchBuild, parse_torch_build
from loratpl.config.machine import Gpu
from tests.check.given_rules import codes, text_of
from tests.given import only

CU130 = TorchBuild("2.13.0+cu130", "13.0", None)
CU126 = TorchBuild("2.13.0+cu126", "12.6", None)
CU128 = TorchBuild("2.13.0+cu128", "12.8", None)
OLD_CU128 = TorchBuild("2.8.0+cu128", "12.8", None)
CPU = TorchBuild("2.13.0+cpu", None, None)
P100, V100, T4 = Gpu("P100", 16_384, 6.0), Gpu("V100", 16_384, 7.0), Gpu("T4", 15_360, 7.5)
RTX4090, RTX5090 = Gpu("RTX 4090", 24_564, 8.9), Gpu("RTX 5090", 32_607, 12.0)
H100 = Gpu("H100", 81_559, 9.0)
NEW, MIDDLE, OLD = "580.65.06", "535.104.05", "470.57.02"


@pytest.mark.parametrize(
    ("torch", "gpu", "driver"),
    [
        (CU130, RTX4090, NEW), (CU130, RTX5090, NEW), (CU130, T4, NEW), (CU130, H100, None), (CU126, P100, MIDDLE),
        (CU126, V100, NEW), (CU126, H100, MIDDLE), (CU128, RTX5090, MIDDLE), (OLD_CU128, V100, MIDDLE),
        (TorchBuild("2.13.0+rocm7.0", None, "7.0"), RTX4090, NEW), (None, RTX4090, OLD),
        (TorchBuild("2.13.0a0+gitcf30153", "13.0", None), P100, NEW),  # somebody's own build may have anything in it
        (TorchBuild("2.13.0", "13.0", None), RTX5090, "581.15"),
        (TorchBuild("3.0.0", "15.0", None), RTX5090, "581.15"),  # nothing is known of it
    ],
)  # fmt: skip
def test_what_goes_together_is_left_alone(torch: TorchBuild | None, gpu: Gpu, driver: str | None) -> None:
    assert list(cuda_problems(torch, (gpu,), driver)) == []


def test_nothing_is_said_without_a_gpu() -> None:
    assert list(cuda_problems(CPU, (), None)) == []
    assert list(cuda_problems(CU130, (), OLD)) == []


@pytest.mark.parametrize(
    ("gpu", "driver", "build"),
    [(RTX4090, NEW, "--torch cu130"), (RTX4090, MIDDLE, "--torch cu126"), (RTX4090, None, "--torch auto"),
     (P100, NEW, "--torch cu126"), (RTX4090, OLD, "Update the driver")],
)  # fmt: skip
def test_a_build_for_cpus_beside_a_gpu_is_told_with_the_build_to_take(gpu: Gpu, driver: str | None, build: str) -> None:
    problem = only(cuda_problems(CPU, (gpu,), driver))
    assert (problem.severity, problem.code) == ("warning", "machine.torch.cpu")
    assert all(text in text_of(problem) for text in (gpu.name, "2.13.0+cpu", build, "kohyatpl trainer install"))


@pytest.mark.parametrize(
    ("torch", "driver", "named"),
    [(CU130, MIDDLE, ("535.104.05", "580", "13.0", "--torch cu126")), (CU130, OLD, ("470.57.02", "Update the driver")),
     (CU126, OLD, ("525", "12.6"))],
)  # fmt: skip
def test_a_driver_that_is_too_old_is_an_error(torch: TorchBuild, driver: str, named: tuple[str, ...]) -> None:
    problem = only(cuda_problems(torch, (RTX4090,), driver))
    assert (problem.severity, problem.code) == ("error", "machine.driver")
    assert all(text in text_of(problem) for text in named)
    assert codes(cuda_problems(torch, (RTX4090,), driver, may_be_compatible=True)) == [("warning", "machine.driver")]


@pytest.mark.parametrize(
    ("torch", "gpu", "fix"),
    [(CU126, RTX5090, "--torch cu130"), (CU130, P100, "--torch cu126"), (CU130, V100, "--torch cu126"),
     (CU128, V100, "--torch cu126"),
     (TorchBuild("2.9.0+cu130", "13.0", None), V100, "--torch cu126"), (OLD_CU128, P100, "--torch cu126"),
     (CU126, Gpu("K80", 11_441, 3.7), "another GPU")],
)  # fmt: skip
def test_a_gpu_that_a_build_has_no_code_for_is_an_error(torch: TorchBuild, gpu: Gpu, fix: str) -> None:
    problem = only(cuda_problems(torch, (gpu,), NEW))
    assert (problem.severity, problem.code) == ("error", "machine.torch.gpu")
    assert all(text in text_of(problem) for text in (gpu.name, str(gpu.compute_capability), torch.version, fix))


def test_one_unfit_gpu_among_others_is_a_warning() -> None:
    problem = only(cuda_problems(CU130, (RTX4090, P100), NEW))
    assert (problem.severity, problem.code) == ("warning", "machine.torch.gpu")
    assert "CUDA_VISIBLE_DEVICES" in problem.fix


def test_the_drivers_own_file_tells_its_version(odd_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = odd_path / "version"
    line = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  575.57.08  Release Build\nGCC version: 12.3.0\n"
    file.write_text(line, encoding="utf-8")
    assert driver_version(file) == "575.57.08"
    monkeypatch.setenv("PATH", str(odd_path))
    assert driver_version(odd_path / "missing") is None
    assert parse_driver_version("no devices were found") is None


@pytest.mark.parametrize(
    ("text", "build"),
    [
        ("__version__ = '2.13.0+cu130'\ncuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n", CU130),
        ("__version__ = '2.13.0+cpu'\ndebug = False\ncuda: Optional[str] = None\n", CPU),
        ("__version__ = '2.3.1+cu121'\ncuda = '12.1'\n", TorchBuild("2.3.1+cu121", "12.1", None)),
        ("", None),
    ],
)
def test_a_build_is_read_from_its_own_file(text: str, build: TorchBuild | None) -> None:
    assert parse_torch_build(text) == build


def test_compatibility_libraries_are_seen_where_they_are_looked_for(odd_path: Path) -> None:
    folder = odd_path / "compat"
    env = {"LD_LIBRARY_PATH": f"/usr/lib:{folder}"}
    before = has_compatibility_libraries(env)
    folder.mkdir()
    assert before == has_compatibility_libraries({})
    assert has_compatibility_libraries(env)
