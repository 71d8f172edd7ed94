"""Which build of PyTorch the trainer's environment gets.

PyTorch publishes each release several times: one for CPUs and one for each CUDA version, on indexes of its own
(https://pytorch.org/get-started/locally/). The default package index has one of them, on Linux a CUDA build.
"""

from __future__ import annotations

import re
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from loratpl import process
from loratpl.errors import Problem, TrainerError, UsageError

INDEX_URL = "https://download.pytorch.org/whl"
REACH_TIMEOUT_S = 10.0
DRIVER_TIMEOUT_S = 20.0
AUTO, CPU, DEFAULT = "auto", "cpu", "default"
PACKAGES = ("torch", "torchvision")

_BUILD = re.compile(r"cpu|cu\d{3}")
# "torch==2.12.1", "torch @ https://…", a wheel; not "cu13" or "cuda", which an installer would look for by that name.
_REQUIREMENT = re.compile(r"torch\s*(?:$|[=<>!~@;\[(]).*|.+\.whl", re.DOTALL)
_DRIVER_CUDA = re.compile(r"CUDA Version:\s*(\d+)\.(\d+)")
# The newest build that a driver of at least that CUDA version runs
# (https://docs.nvidia.com/deploy/cuda-compatibility/: minor versions of one major version are compatible).
_BUILD_FOR_DRIVER = (((13, 0), "cu130"), ((12, 0), "cu126"))
KNOWN_BUILDS = tuple(build for _, build in _BUILD_FOR_DRIVER)


@dataclass(frozen=True, slots=True)
class TorchChoice:
    """What to install.

    Attributes:
        name: As it was chosen: cpu, cu130, default, or a requirement of the user's own.
        requirements: For the installer.
        index_url: A further index to look in, None for the default one alone.
        note: Why this one, a sentence for the user.
    """

    name: str
    requirements: tuple[str, ...]
    index_url: str | None
    note: str


def is_locked_build(name: str) -> bool:
    """Returns whether a choice of that name is the lock's version, whatever the build."""
    return name == DEFAULT or _BUILD.fullmatch(name) is not None


def choose_torch(
    wanted: str,
    locked: Mapping[str, str],
    *,
    driver_cuda: Callable[[], tuple[int, int] | None] | None = None,
    is_reachable: Callable[[str], bool] | None = None,
) -> TorchChoice:
    """Returns the build for this machine.

    Args:
        wanted: "auto", "cpu", "cu130" and the like, "default", or a requirement such as "torch==2.12.1".
        locked: Versions of the environment lock.
        driver_cuda: Tells the CUDA version of the driver; asks nvidia-smi unless given.
        is_reachable: Tells whether an index answers; asks it unless given.

    Raises:
        UsageError: `wanted` is none of these.
        TrainerError: There is no such build, or the GPU's driver is too old for any.
    """
    require_choice(wanted)
    if wanted == DEFAULT or (wanted == AUTO and sys.platform == "darwin"):
        return _from_default_index(locked, "PyTorch comes from the default package index")
    if wanted != AUTO and not _BUILD.fullmatch(wanted):
        return TorchChoice(wanted, (wanted, "torchvision"), None, f"PyTorch as asked for: {wanted}")
    build, why = (wanted, "as asked for") if wanted != AUTO else _build_for((driver_cuda or ask_driver)())
    index_url = f"{INDEX_URL}/{build}"
    reaches = is_reachable or answers
    if not reaches(index_url):
        # The index answers for a build that it does not have as it does where it is forbidden.
        if build not in (CPU, *KNOWN_BUILDS) and reaches(f"{INDEX_URL}/{CPU}"):
            raise _no_such_build(build)
        return _from_default_index(
            locked, f"PyTorch's own index cannot be reached for the {build} build; taking what the default index has"
        )
    requirements = tuple(f"{name}=={locked[name]}+{build}" for name in PACKAGES)
    return TorchChoice(build, requirements, index_url, f"PyTorch for {build}: {why}")


def require_choice(wanted: str) -> None:
    """Makes sure that a choice can be understood.

    Raises:
        UsageError: It cannot.
    """
    if wanted in (AUTO, DEFAULT) or _BUILD.fullmatch(wanted) or _REQUIREMENT.fullmatch(wanted):
        return
    raise UsageError(
        Problem(
            "usage.torch",
            f"`--torch {wanted}` cannot be understood: it is neither auto, cpu, default nor a CUDA build such as "
            f"{KNOWN_BUILDS[0]}, nor a requirement that begins with torch.",
            "--torch",
            f"For example `--torch {KNOWN_BUILDS[0]}` or `--torch torch==2.12.1`; without it the machine decides.",
        )
    )


def _no_such_build(build: str) -> TrainerError:
    return TrainerError(
        Problem(
            "trainer.torch.missing",
            f"PyTorch's index has no build {build}.",
            "--torch",
            f"Choose one of {', '.join((AUTO, CPU, *KNOWN_BUILDS))}, or `--torch default`.",
        )
    )


def _from_default_index(locked: Mapping[str, str], note: str) -> TorchChoice:
    return TorchChoice(DEFAULT, tuple(f"{name}=={locked[name]}" for name in PACKAGES), None, note)


def _build_for(driver_cuda: tuple[int, int] | None) -> tuple[str, str]:
    if driver_cuda is None:
        return CPU, "no NVIDIA driver answers on this machine"
    version = ".".join(map(str, driver_cuda))
    for least, build in _BUILD_FOR_DRIVER:
        if driver_cuda >= least:
            return build, f"the driver runs CUDA {version}"
    raise TrainerError(
        Problem(
            "trainer.torch.driver",
            f"The GPU's driver runs CUDA {version}; there is no build of PyTorch for that any more.",
            "nvidia-smi",
            "Update the driver (https://www.nvidia.com/drivers), or train on the CPU with `--torch cpu`.",
        )
    )


def ask_driver() -> tuple[int, int] | None:
    """Returns the CUDA version (major, minor) that the NVIDIA driver runs, None without one that answers."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    try:
        answer = process.run_short([program], timeout_s=DRIVER_TIMEOUT_S)
    except (OSError, process.ProcessTimeoutError):
        return None
    found = _DRIVER_CUDA.search(answer.stdout)
    return (int(found.group(1)), int(found.group(2))) if found else None


def answers(index_url: str) -> bool:
    """Returns whether the index can be reached from here, proxies of the environment included."""
    request = urllib.request.Request(f"{index_url}/torch/", method="HEAD")  # noqa: S310 - a fixed https address
    try:
        with urllib.request.urlopen(request, timeout=REACH_TIMEOUT_S):  # noqa: S310
            return True
    except (urllib.error.URLError, OSError, ValueError):
        return False
