"""The GPUs as the driver tells of them, asked of an `nvidia-smi` that is a small script."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loratpl.config.machine import Gpu, known_gpu_count, nvidia_gpus, parse_gpus, this_machine
from tests.given import settings_of

H100 = "NVIDIA H100 80GB HBM3, 81559, 9.0"
T4 = "Tesla T4, 15360, 7.5"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{H100}\n{T4}\n", (Gpu("NVIDIA H100 80GB HBM3", 81559, 9.0), Gpu("Tesla T4", 15360, 7.5))),
        (f"{T4}\r\n", (Gpu("Tesla T4", 15360, 7.5),)),
        ("A GPU, with a comma, 8192, 8.6", (Gpu("A GPU, with a comma", 8192, 8.6),)),
        ("", ()),
        ("\n\n", ()),
        ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", ()),
        (f"Tesla K80, 11441, [N/A]\n{T4}", (Gpu("Tesla T4", 15360, 7.5),)),
        ("Tesla T4, [Unknown Error], 7.5", ()),
    ],
)
def test_the_drivers_answer_is_read(text: str, expected: tuple[Gpu, ...]) -> None:
    assert parse_gpus(text) == expected


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where `nvidia-smi` is looked for, alone."""
    if sys.platform == "win32":
        pytest.skip("the stand-in for nvidia-smi is a shell script")
    monkeypatch.setenv("PATH", str(tmp_path))
    nvidia_gpus.cache_clear()
    yield tmp_path / "nvidia-smi"
    nvidia_gpus.cache_clear()


def _write(program: Path, *lines: str, ending: str = "exit 0") -> None:
    text = "".join(f"echo '{line}'\n" for line in lines)
    program.write_text(f"#!/bin/sh\n{text}{ending}\n", encoding="utf-8")
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("lines", "precision"), [((H100,), "bf16"), ((T4,), "fp16"), ((H100, T4), "fp16"), (("A100, 1, 8.0",), "bf16")]
)
def test_the_weakest_gpu_decides_on_the_precision(
    program: Path, lines: tuple[str, ...], precision: str, tmp_path: Path
) -> None:
    _write(program, *lines)
    assert len(nvidia_gpus()) == known_gpu_count() == len(lines)
    assert this_machine().mixed_precision == precision
    assert settings_of(tmp_path / "project")["mixed_precision"] == precision
    assert settings_of(tmp_path / "project", {"mixed_precision": "no"})["mixed_precision"] == "no"


def test_the_driver_is_asked_for_name_memory_and_capability(program: Path) -> None:
    _write(program, ending='echo "$1 $2, 1, 2"')
    (gpu,) = nvidia_gpus()
    assert gpu.name == "--query-gpu=name,memory.total,compute_cap --format=csv,noheader,nounits"


@pytest.mark.parametrize("ending", ["exit 9", "kill -9 $$"])
def test_a_driver_that_fails_means_no_gpu(program: Path, ending: str) -> None:
    _write(program, H100, ending=ending)
    assert nvidia_gpus() == ()
    assert this_machine().mixed_precision == "no"


def test_a_machine_without_nvidia_smi_has_no_gpu(program: Path) -> None:
    assert nvidia_gpus() == ()
    assert this_machine().mixed_precision == "no"


def test_a_program_that_cannot_be_started_means_no_gpu(program: Path) -> None:
    program.write_text("#!/missing/interpreter\n", encoding="utf-8")
    program.chmod(0o755)
    assert nvidia_gpus() == ()
