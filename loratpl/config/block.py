"""Our own settings: what stands under the config's key `kohyatpl`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

BLOCK_KEY = "kohyatpl"
_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)


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


class Block(BaseModel):
    """Everything under `kohyatpl`."""

    model_config = _STRICT

    launch: Launch = Launch()
    env: dict[str, str] = Field(default={}, description="Environment variables for the trainer.")
