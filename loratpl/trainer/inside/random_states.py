"""The random number generators that a training draws from: looked at and put back."""

from __future__ import annotations

import random
import sys
from typing import Any

RandomStates = dict[str, Any]


def of_host() -> RandomStates:
    """Returns the states of Python, NumPy and torch on the CPU: those that reading a picture can change."""
    import torch

    states: RandomStates = {"python": random.getstate(), "torch": torch.get_rng_state()}
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        states["numpy"] = numpy.random.get_state()
    return states


def of_devices() -> RandomStates:
    """Returns the states of the GPUs."""
    import torch

    states: RandomStates = {}
    for name in ("cuda", "xpu"):
        device = getattr(torch, name, None)
        if device is not None and device.is_available():
            states[name] = device.get_rng_state_all()
    mps = getattr(getattr(torch, "backends", None), "mps", None)
    if mps is not None and mps.is_available():
        states["mps"] = torch.mps.get_rng_state()
    return states


def put_back(states: RandomStates) -> None:
    """Sets the generators to states that were looked at before; those it says nothing of are left alone."""
    import torch

    random.setstate(states["python"])
    torch.set_rng_state(states["torch"])
    if "numpy" in states:
        sys.modules["numpy"].random.set_state(states["numpy"])
    for name in ("cuda", "xpu"):
        kept = states.get(name)
        device = getattr(torch, name, None)
        # Another machine may have another number of GPUs: the training uses the first one.
        if kept and device is not None and device.is_available():
            for index, state in enumerate(kept[: device.device_count()]):
                device.set_rng_state(state, index)
    if "mps" in states and torch.backends.mps.is_available():
        torch.mps.set_rng_state(states["mps"])
