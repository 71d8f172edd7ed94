"""Our own settings: what stands under the config's key `kohyatpl`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

BLOCK_KEY = "kohyatpl"
# Far beyond what can be trained; bounds keep the folders' names, and the numbers in them, sane.
MAX_STEPS = 10_000_000
MIN_WEIGHT, MAX_WEIGHT = 0.001, 1000.0
MIN_TOLERANCE, MAX_TOLERANCE = 0.001, 0.5
_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)
# Each state interrupts the training for as long as writing a few files takes: more often would cost, not help.
MIN_STATE_INTERVAL_S = 1.0
NEVER = "never"
_INTERVAL = r"^\s*(\d+(?:\.\d+)?)\s*(s|min|h|epochs?)\s*$|^\s*never\s*$"
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class StateInterval:
    """How often a training state is saved; both None: never."""

    seconds: float | None = None
    epochs: int | None = None


def state_interval(text: str) -> StateInterval:
    """Returns what `save_state_every` means.

    >>> state_interval("10 min"), state_interval("2 epochs"), state_interval("never")
    (StateInterval(seconds=600.0, epochs=None), StateInterval(seconds=None, epochs=2), \
StateInterval(seconds=None, epochs=None))

    Raises:
        ValueError: It means nothing, or less than a second or an epoch.
    """
    match = re.match(_INTERVAL, text)
    if match is None:
        raise ValueError(f'{text!r} is no interval; write "10 min", "1.5 h", "2 epochs" or "never"')
    number, unit = match.groups()
    if number is None:
        return StateInterval()
    if unit.startswith("epoch"):
        if not number.isdecimal() or int(number) < 1:
            raise ValueError(f"{text!r}: a state can be saved every 1, 2, 3 … epochs")
        return StateInterval(epochs=int(number))
    seconds = float(number) * _SECONDS[unit]
    if seconds < MIN_STATE_INTERVAL_S:
        raise ValueError(f"{text!r} is less than {MIN_STATE_INTERVAL_S:.0f} s")
    return StateInterval(seconds=seconds)


class Launch(BaseModel):
    """How the trainer is started."""

    model_config = _STRICT

    processes: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Processes, one for each GPU; more than one go through accelerate.",
    )
    threads: int | None = Field(
        default=None, ge=1, le=1024, description="CPU threads of each process (OMP_NUM_THREADS)."
    )
    tiny_unet: bool = Field(
        default=False, description="The base model is the tiny one of `trainer verify`; for tests only."
    )


class Running(BaseModel):
    """What a run does by itself while it trains."""

    model_config = _STRICT

    save_state_every: str = Field(
        default="10 min",
        json_schema_extra={"pattern": _INTERVAL},
        description='How often a state to resume from is saved: "10 min", "2 epochs", "never"; the newest is kept.',
    )

    @field_validator("save_state_every")
    @classmethod
    def _is_an_interval(cls, text: str) -> str:
        state_interval(text)
        return text

    @property
    def state_interval(self) -> StateInterval:
        """How often that is."""
        return state_interval(self.save_state_every)


class Balance(BaseModel):
    """What `balance` aims at."""

    model_config = _STRICT

    steps: int | None = Field(
        default=None, ge=1, le=MAX_STEPS, description="Views of each concept per epoch; found when unset."
    )
    tolerance: float = Field(
        default=0.05,
        ge=MIN_TOLERANCE,
        le=MAX_TOLERANCE,
        description="How far a concept's views may be off, as a share of its target.",
    )
    max_repeats: int | None = Field(default=None, ge=1, description="The most repeats that a folder is given.")


class ConceptSettings(BaseModel):
    """What is wanted of one concept, by its class tokens or its folder's whole name.

    Beside these fields it may hold options of the trainer, those of config/parts.py; they are judged there.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    weight: float = Field(
        default=1.0, ge=MIN_WEIGHT, le=MAX_WEIGHT, description="Its views, as a multiple of the other concepts'."
    )
    match: str | None = Field(
        default=None,
        min_length=1,
        description="The class of regularisation images that it belongs to, where its name does not end with it.",
    )

    @property
    def is_for_trainer_alone(self) -> bool:
        """Whether it holds options of the trainer, and nothing that balancing asks for."""
        return bool(self.model_extra) and not self.model_fields_set & set(ConceptSettings.model_fields)


class Block(BaseModel):
    """Everything under `kohyatpl`."""

    model_config = _STRICT

    launch: Launch = Launch()
    env: dict[str, str] = Field(default={}, description="Environment variables for the trainer.")
    run: Running = Running()
    balance: Balance = Balance()
    concepts: dict[str, ConceptSettings] = Field(
        default={}, description="Settings of single concepts, by class tokens or folder name."
    )
    datasets: list[dict[str, Any]] = Field(
        default=[],
        description="Each picture is trained once in every one of these, with its resolution, batch size and buckets.",
    )

    @field_validator("env")
    @classmethod
    def _can_be_set(cls, env: dict[str, str]) -> dict[str, str]:
        for name, value in env.items():
            if not name or "=" in name or "\0" in name + value:
                raise ValueError(f"{name!r} cannot be an environment variable")
        return env
