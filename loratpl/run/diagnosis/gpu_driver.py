"""The GPU, its driver and the trainer's PyTorch do not go together, or there is no GPU."""

from __future__ import annotations

import re

from loratpl.check.machine.cuda import driver_version
from loratpl.run.diagnosis.evidence import Case, Explanation, row, saying

_INSTALL = "Run `kohyatpl trainer remove`, then `kohyatpl trainer install --torch auto`"
_UPDATE = "update the GPU's driver (https://www.nvidia.com/drivers)"


def _no_code(case: Case, _found: re.Match[str]) -> Explanation | None:
    gpus = case.machine.gpus
    which = f" {gpus[0].name} (compute capability {gpus[0].compute_capability})" if gpus else ""
    return Explanation(f"The trainer's PyTorch has no code for the GPU{which}.", f"{_INSTALL}.")


def _old_driver(_case: Case, found: re.Match[str]) -> Explanation | None:
    driver = driver_version()
    version = f" {driver}" if driver else ""
    most = int(found.group(1) or 0)
    knows = f", as it knows CUDA {most // 1000}.{most % 1000 // 10} at most" if most else ""
    return Explanation(
        f"The GPU's driver{version} is too old for the CUDA version of the trainer's PyTorch{knows}.",
        f"Either {_UPDATE}, or run `kohyatpl trainer remove`, then `kohyatpl trainer install --torch auto`.",
    )


def _half_on_cpu(case: Case, _found: re.Match[str]) -> Explanation | None:
    precision = case.settings["mixed_precision"]
    if precision in (None, "no") or case.machine.gpus:
        return None
    return Explanation(
        f"The training ran without a GPU, and its mixed_precision {precision} needs one.",
        'Set `"mixed_precision": "no"`, or see to it that the GPU is seen (`nvidia-smi`, `kohyatpl check`).',
    )


def _needs_gpu(case: Case, found: re.Match[str]) -> Explanation | None:
    seen = f", although the driver lists {case.machine.gpus[0].name}" if case.machine.gpus else ""
    fix = f"{_INSTALL}." if seen else 'Set `"mixed_precision": "no"`, or see to it that `nvidia-smi` lists the GPU.'
    return Explanation(f"mixed_precision {found.group(1)} needs a GPU, and PyTorch sees none{seen}.", fix)


ROWS = (
    row(
        "run.gpu.build",
        r"no kernel image is available for execution on the device|cudaErrorNoKernelImageForDevice",
        _no_code,
        "CUDA error 209: the build has neither machine code nor PTX for the GPU",
    ),
    row(
        "run.gpu.driver",
        r"CUDA driver version is insufficient|NVIDIA driver on your system is too old(?: \(found version (\d+)\))?"
        r"|forward compatibility was attempted on non supported HW",
        _old_driver,
        "CUDA errors 35 and 804, and torch's own check of the driver (torch/csrc/cuda/Module.cpp)",
    ),
    row(
        "run.gpu.driver",
        r"[Dd]river/library version mismatch",
        saying(
            "The GPU's driver was updated while the old one is still in use ({0}).",
            "Restart the machine, then train again.",
        ),
        "NVML error 18",
    ),
    row(
        "run.gpu.build",
        r"Torch not compiled with CUDA enabled",
        saying(
            "The trainer's PyTorch is a build without CUDA, and the config asks for a GPU.",
            f"{_INSTALL}, or take what needs a GPU out of the config (`kohyatpl check --for cpu` names it).",
        ),
        "torch.cuda._lazy_init",
    ),
    row(
        "run.gpu.missing",
        r"(fp16|bf16|fp8) mixed precision requires (?:a GPU|PyTorch >= \S+ and a supported device)",
        _needs_gpu,
        "accelerate refuses it when its device is the CPU (Accelerator.__init__)",
    ),
    row(
        "run.gpu.missing",
        r"not implemented for '(?:Half|BFloat16)'|to have the same dtype, but got: c10::(?:Half|BFloat16) != float",
        _half_on_cpu,
        "what half precision ends with on a CPU",
    ),
    row(
        "run.gpu.missing",
        r"Found no NVIDIA driver|No CUDA GPUs are available|no CUDA-capable device is detected"
        r"|CUDA-capable device\(s\) is/are busy or unavailable|torch\.cuda\.is_available\(\) is False",
        saying(
            "PyTorch could use no GPU ({0}).",
            "See to it that `nvidia-smi` lists it, that CUDA_VISIBLE_DEVICES does not hide it, and that no other "
            "program has it for itself.",
        ),
        "torch.cuda and CUDA errors 46 and 100",
    ),
)
