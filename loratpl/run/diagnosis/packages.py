"""Python packages that are missing from the trainer's environment, or do not work on this machine."""

from __future__ import annotations

import re

from loratpl.run.diagnosis.evidence import Case, Explanation, row, saying

# The trainer's own words name a package by its title; modules by theirs.
_TITLES = {"Prodigy": "prodigyopt"}
# Each with the setting that asks for it and what does without: module, setting, values that ask for it, what to write.
_ASKED_BY = {
    "bitsandbytes": ("optimizer_type", 'Write `"optimizer_type": "AdamW"`'),
    "lion_pytorch": ("optimizer_type", 'Write `"optimizer_type": "AdamW"`'),
    "dadaptation": ("optimizer_type", 'Write `"optimizer_type": "Prodigy"`'),
    "prodigyopt": ("optimizer_type", 'Write `"optimizer_type": "AdamW"`'),
    "schedulefree": ("optimizer_type", 'Write `"optimizer_type": "AdamW"`'),
    "xformers": ("xformers", 'Write `"sdpa": true` in the place of `xformers`'),
    "flash_attn": ("attn_mode", 'Write `"attn_mode": "torch"`'),
    "sageattention": ("attn_mode", 'Write `"attn_mode": "torch"`'),
    "triton": ("torch_compile", "Take `torch_compile` out"),
    "wandb": ("log_with", 'Write `"log_with": "tensorboard"`'),
    "deepspeed": ("deepspeed", "Take `deepspeed` out"),
    "lycoris": ("network_module", 'Write `"network_module": "networks.lora"`'),
}
_REINSTALL = "`kohyatpl trainer remove` and `kohyatpl trainer install`"


def _missing(case: Case, found: re.Match[str]) -> Explanation | None:
    said = found.group(1) or found.group(2)
    name = _TITLES.get(said, said)
    top = name.partition(".")[0]
    module = str(case.settings["network_module"])
    if top == module.partition(".")[0] and top not in _ASKED_BY:
        return Explanation(
            f"network_module {module} is no module of the trainer.",
            f'Write `"network_module": "{case.settings.family.network_module}"`.',
        )
    optimizer = str(case.settings["optimizer_type"])
    if "." in optimizer and top == optimizer.partition(".")[0]:
        return Explanation(
            f"optimizer_type {optimizer} needs the Python package {top}, which is not in the trainer's environment.",
            'Write `"optimizer_type": "AdamW"`, or another one that is there.',
        )
    option, instead = _ASKED_BY.get(top, ("", ""))
    if not option:
        return Explanation(
            f"The trainer's environment lacks the Python package {top}.",
            f"Run {_REINSTALL}.",
        )
    value = case.settings[option]
    asked = "" if value in (None, False) else f" for {option}" if value is True else f" for {option} {value}"
    return Explanation(
        f"The Python package {top}, needed{asked}, is not in the trainer's environment.",
        f"{instead}, or install it.",
    )


ROWS = (
    row(
        "run.package.missing",
        r"No module named '([\w.]+)'|^ImportError: No (?=(\w+) /)",
        _missing,
        "Python's import, and the trainer's own words for the packages that it does not require",
    ),
    row(
        "run.package.broken",
        r"bitsandbytes was compiled without GPU support|CUDA Setup failed despite GPU being available"
        r"|libbitsandbytes_\w+|'NoneType' object has no attribute 'c(?:adam|get|quantize|lion)\w+'"
        r"|Native code library failed to load",
        saying(
            "bitsandbytes has no library that goes with this GPU and its CUDA ({0}).",
            'Write `"optimizer_type": "AdamW"`, or run `kohyatpl trainer remove` and `kohyatpl trainer install`.',
        ),
        "bitsandbytes loads its library for the CUDA version of PyTorch",
    ),
    row(
        "run.package.broken",
        r"No operator found for `memory_efficient_attention|xFormers wasn't build with CUDA support|xformers\S*\.so",
        saying(
            "xformers has no code for this GPU, its precision or this PyTorch.",
            'Write `"sdpa": true` in the place of `xformers`: it is as fast, and part of PyTorch.',
        ),
        "xformers' choice among its kernels",
    ),
    row(
        "run.package.broken",
        r"[Cc]annot find a working triton installation|TritonMissing|Triton Error|triton\.compiler\.errors|"
        r"torch\._inductor\.exc|torch\._dynamo\.exc\.BackendCompilerFailed",
        saying(
            "torch_compile needs a working Triton and C compiler, which are not here ({0}).",
            "Take `torch_compile` out of the config.",
        ),
        "torch.compile's back end",
    ),
    row(
        "run.package.broken",
        r"^ImportError: (?:[\w.+-]+\.so[\w.]*: (?:cannot open shared object file|undefined symbol)|DLL load failed)"
        r"[^\n]*",
        saying(
            "A package of the trainer's environment does not go with the others or with this system ({0}).",
            f"Run {_REINSTALL}.",
        ),
        "the system's loader of libraries",
    ),
    row(
        "run.package.broken",
        r"^ImportError: cannot import name '(\w+)' from '([\w.]+)'"
        r"|module '(?:numpy|diffusers|transformers|huggingface_hub)' "
        r"has no attribute",
        saying(
            "The packages of the trainer's environment do not go together ({0}).",
            f"Run {_REINSTALL}, which puts the versions back that are known to.",
        ),
        "what a package ends with when another one was changed beside it",
    ),
)
