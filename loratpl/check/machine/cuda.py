"""Whether the GPU, its driver and the trainer's build of PyTorch go together; PyTorch itself is not asked."""

from __future__ import annotations

import functools
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from loratpl import process
from loratpl.check.machine.trainer_environment import TorchBuild, numbers_of
from loratpl.config.machine import QUERY_TIMEOUT_S, Gpu
from loratpl.errors import Problem

# The oldest driver for each CUDA major version; every minor version of one major version runs on it
# (https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html).
_OLDEST_DRIVER = {13: 580, 12: 525, 11: 450}
# The GPUs that PyTorch's own builds have code for: from this compute capability on. CUDA 13 can build for nothing
# older than Turing, and PyTorch 2.11 left Volta out of its builds for CUDA 12.8 and 12.9
# (https://github.com/pytorch/pytorch/issues/157517).
_TURING, _VOLTA, _MAXWELL, _HOPPER = 7.5, 7.0, 5.0, 9.0
_WITHOUT_VOLTA = (2, 11)
# Blackwell (10.0 and 12.0) came with the builds for CUDA 12.8; earlier ones end at Hopper and carry nothing that a
# driver could translate for later GPUs (the same place).
_FIRST_WITH_BLACKWELL = (12, 8)
_BUILD_FOR_NEW_GPUS, _BUILD_FOR_OLD_GPUS = "cu130", "cu126"
_DRIVER_FILE = Path("/proc/driver/nvidia/version")
_DRIVER_VERSION = re.compile(r"\b(\d{3,4}(?:\.\d+)+)\b")
_UPDATE = "update the driver (https://www.nvidia.com/drivers)"


def driver_version(driver_file: Path = _DRIVER_FILE) -> str | None:
    """Returns the version of the NVIDIA driver, None where nobody tells it."""
    try:
        return parse_driver_version(driver_file.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return _asked_driver_version()


@functools.cache
def _asked_driver_version() -> str | None:
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        answer = process.run_short(query, timeout_s=QUERY_TIMEOUT_S)
    except (OSError, process.ProcessTimeoutError):
        return None
    return parse_driver_version(answer.stdout) if answer.returncode == 0 else None


def parse_driver_version(text: str) -> str | None:
    """Returns the first version of a driver in a text, None where there is none.

    >>> parse_driver_version("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27 07:03:31 UTC 2025")
    '580.65.06'
    """
    found = _DRIVER_VERSION.search(text)
    return found.group(1) if found else None


def has_compatibility_libraries(env: Mapping[str, str]) -> bool:
    """Returns whether NVIDIA's libraries that let an older driver of a data centre run a newer CUDA may be in use."""
    folders = [*env.get("LD_LIBRARY_PATH", "").split(":"), "/usr/local/cuda/compat"]
    return any(Path(folder).name == "compat" and Path(folder).is_dir() for folder in folders if folder)


def cuda_problems(
    torch: TorchBuild | None, gpus: Sequence[Gpu], driver: str | None, *, may_be_compatible: bool = False
) -> Iterator[Problem]:
    """Yields why PyTorch would not use the GPUs of this machine.

    Args:
        torch: The trainer's; None where it is not installed, and nothing is said.
        gpus: What the driver lists; nothing is said without any.
        driver: Its version, None where that is not known.
        may_be_compatible: Whether there are libraries that let an older driver run a newer CUDA.
    """
    if torch is None or not gpus or torch.hip is not None:
        return
    cuda = torch.cuda_version
    if cuda is None:
        names = ", ".join(sorted({gpu.name for gpu in gpus}))
        yield Problem(
            "machine.torch.cpu",
            f"The trainer's PyTorch {torch.version} is a build for CPUs, and this machine has a GPU ({names}): the "
            "training would run on the CPU, many times slower.",
            "torch",
            _instead(_build_for(driver, gpus)),
            "warning",
        )
        return
    yield from _driver_problems(torch, cuda, driver, may_be_compatible=may_be_compatible)
    if torch.is_official:
        yield from _capability_problems(torch, cuda, gpus)


def _driver_problems(
    torch: TorchBuild, cuda: tuple[int, int], driver: str | None, *, may_be_compatible: bool
) -> Iterator[Problem]:
    oldest = _OLDEST_DRIVER.get(cuda[0])
    if driver is None or oldest is None or numbers_of(driver)[0] >= oldest:
        return
    build = _build_of_driver(driver)
    instead = f"{_instead(build)[:-1]}, or {_UPDATE}." if build else f"U{_UPDATE[1:]}."
    yield Problem(
        "machine.driver",
        f"The GPU's driver {driver} is too old for the trainer's PyTorch {torch.version}, which is built for CUDA "
        f"{torch.cuda} and needs {oldest} or newer: it would see no GPU.",
        "nvidia-smi",
        instead,
        "warning" if may_be_compatible else "error",
    )


def _capability_problems(torch: TorchBuild, cuda: tuple[int, int], gpus: Sequence[Gpu]) -> Iterator[Problem]:
    lowest, highest = _capabilities(numbers_of(torch.version), cuda)
    unfit = [gpu for gpu in gpus if gpu.compute_capability < lowest or gpu.compute_capability >= highest]
    if not unfit:
        return
    gpu = unfit[0]
    fix = "Train on another GPU."
    if gpu.compute_capability >= highest:
        fix = _instead(_BUILD_FOR_NEW_GPUS)
    elif gpu.compute_capability >= _MAXWELL and cuda >= _FIRST_WITH_BLACKWELL:
        fix = _instead(_BUILD_FOR_OLD_GPUS)
    if len(unfit) < len(gpus):
        fix = f"{fix[:-1]}, or choose another GPU with CUDA_VISIBLE_DEVICES."
    yield Problem(
        "machine.torch.gpu",
        f"The trainer's PyTorch {torch.version} has no code for the GPU {gpu.name} (compute capability "
        f"{gpu.compute_capability}): the training would end with `no kernel image is available`.",
        "torch",
        fix,
        "error" if len(unfit) == len(gpus) else "warning",
    )


def _capabilities(torch: tuple[int, int], cuda: tuple[int, int]) -> tuple[float, float]:
    """Returns the compute capability that a build begins with, and the one that it ends before."""
    if cuda >= (13, 0):
        return _TURING, float("inf")
    if cuda >= _FIRST_WITH_BLACKWELL:
        return (_TURING if torch >= _WITHOUT_VOLTA else _VOLTA), float("inf")
    return _MAXWELL, _HOPPER + 1


def _build_for(driver: str | None, gpus: Sequence[Gpu]) -> str | None:
    oldest_gpu = min(gpu.compute_capability for gpu in gpus)
    return _BUILD_FOR_OLD_GPUS if oldest_gpu < _TURING else _build_of_driver(driver) if driver else "auto"


def _build_of_driver(driver: str) -> str | None:
    """Returns the newest of PyTorch's builds that a driver runs, None where it runs none that there still is."""
    major = numbers_of(driver)[0]
    if major >= _OLDEST_DRIVER[13]:
        return _BUILD_FOR_NEW_GPUS
    return _BUILD_FOR_OLD_GPUS if major >= _OLDEST_DRIVER[12] else None


def _instead(build: str | None) -> str:
    if build is None:
        return f"U{_UPDATE[1:]}, then run `kohyatpl trainer remove` and `kohyatpl trainer install`."
    return f"Run `kohyatpl trainer remove`, then `kohyatpl trainer install --torch {build}`."
