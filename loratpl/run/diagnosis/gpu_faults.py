"""The GPU failed at work: what CUDA says, and what its driver told the kernel's log meanwhile."""

from __future__ import annotations

import re

from loratpl.run.diagnosis.evidence import Case, Explanation, row, saying
from loratpl.run.diagnosis.ladder import advice

# https://docs.nvidia.com/deploy/xid-errors: the numbers that speak of the hardware.
_HARDWARE_XIDS = {"48": "memory that could not be corrected", "62": "an internal halt", "63": "worn memory",
                  "64": "worn memory", "74": "its NVLink", "79": "it fell off the bus", "92": "memory errors",
                  "94": "memory that could not be corrected", "95": "memory that could not be corrected",
                  "119": "its own controller", "120": "its own controller"}  # fmt: skip
_XID = re.compile(r"Xid \([^)]*\): (\d+)")
_COOL = "Look at the GPU's power, temperature and seat, take overclocking back, restart the machine, then train again."


def _xids(case: Case) -> list[str]:
    lost = ["79"] if any("fallen off the bus" in line for line in case.machine.gpu_errors) else []
    return lost + [xid for line in case.machine.gpu_errors for xid in _XID.findall(line)]


def hardware(case: Case) -> Explanation | None:
    """Explains that the GPU itself failed, where its driver said so; None where it did not."""
    xid = next((xid for xid in _xids(case) if xid in _HARDWARE_XIDS), None)
    if xid is None:
        return None
    return Explanation(
        f"The GPU itself failed: its driver reported Xid {xid} ({_HARDWARE_XIDS[xid]}) meanwhile.", _COOL
    )


def _lost(case: Case, found: re.Match[str]) -> Explanation | None:
    return hardware(case) or Explanation(f"The GPU itself failed ({found.group(0)}).", _COOL)


def _suspects(case: Case) -> list[str]:
    """What to change, one after the other: the libraries with GPU code of their own, then the GPU."""
    suspects = []
    if case.settings["xformers"]:
        suspects.append('set `"sdpa": true` in the place of `xformers`')
    if "8bit" in str(case.settings["optimizer_type"]) or case.settings["use_8bit_adam"]:
        suspects.append('set `"optimizer_type": "AdamW"`')
    return [*suspects, "take overclocking back", "update the GPU's driver"]


def _wrong_access(case: Case, found: re.Match[str]) -> Explanation | None:
    told = _xids(case)
    also = f", Xid {told[0]} in the kernel's log" if told else ""
    what = f"{found.group(1) or found.group(2)}{also}"
    return hardware(case) or Explanation(
        f"The GPU ended the training's work ({what}), which a library's fault or an unsteady GPU does.",
        f"Train again; if it comes back, {', '.join(_suspects(case))}.",
    )


ROWS = (
    row(
        "run.gpu.fault",
        r"uncorrectable ECC error encountered|GPU is lost|fallen off the bus|CUDA error: (?:hardware stack error"
        r"|ECC\b[^\n]*|uncorrectable NVLink error)|[Uu]nable to determine the device handle",
        _lost,
        "CUDA errors 214, 220 and 714, and NVML's word for a GPU that does not answer",
    ),
    row(
        "run.gpu.assert",
        r"device-side assert triggered|srcIndex < srcSelectDimSize",
        saying(
            "The GPU met an index beyond its table ({0}), as when a text encoder gets a token that it does not have.",
            "See to it that base model, tokenizer and text encoders belong together, then train again with "
            '`kohyatpl.env: {{"CUDA_LAUNCH_BLOCKING": "1"}}` to have the place named in the log.',
        ),
        "CUDA error 710: an assertion in a kernel; in a training it is nearly always that of an embedding",
    ),
    row(
        "run.gpu.library",
        r"(?:CUBLAS|CUDNN)_STATUS_NOT_INITIALIZED",
        lambda case, found: Explanation(
            f"A library of CUDA could not begin its work ({found.group(0)}), as when the GPU's memory is nearly full.",
            advice(case),
        ),
        "cublasCreate and cudnnCreate want memory of their own; a driver that does not fit them says the same",
    ),
    row(
        "run.gpu.fault",
        r"CUDA (?:driver )?error: (the launch timed out and was terminated)",
        saying(
            "The system stopped the GPU because one piece of work took too long ({1}).",
            "Train on a GPU that shows no desktop, or raise Windows' limit (TdrDelay) to 60 s.",
        ),
        "CUDA error 702: the watchdog of a GPU with a display",
    ),
    row(
        "run.gpu.fault",
        r"CUDA (?:driver )?error: (an illegal memory access was encountered|unspecified launch failure"
        r"|misaligned address|an illegal instruction was encountered|invalid program counter"
        r"|invalid address space|unknown error)"
        r"|(?:CUDA|cuDNN) error: ((?:CUBLAS|CUDNN)_STATUS_(?!ALLOC_FAILED|NOT_INITIALIZED)\w+)",
        _wrong_access,
        "CUDA errors 700, 719, 716, 715, 718, 717 and 999, and failures inside its libraries",
    ),
)
