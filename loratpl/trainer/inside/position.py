"""Where in its epochs a training is: what position.json and position.bin hold beside what accelerate saves."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from state_folder import POSITION_NAME

SCHEMA = 1
INNER_NAME = "position.bin"


@dataclass(frozen=True)
class Position:
    """What everybody may know of a state.

    Attributes:
        step: The last optimiser step in it.
        epoch: The epoch in progress, counted from 1.
        batches: How many batches of this epoch have been trained. 0: at its beginning. `batches_per_epoch`: all of
            them, but its end (validation, checkpoint, samples) is still to come.
        max_train_steps: Of the whole training.
        batches_per_epoch: As each process sees them.
        gradient_accumulation_steps: Batches in a step.
        processes: That trained together.
        workers: Of the data loader.
        persistent_workers: Whether they live on from epoch to epoch.
        is_exact: Going on from here gives what the uninterrupted training would have given, bit for bit.
        inexact_because: Why not.
    """

    step: int
    epoch: int
    batches: int
    max_train_steps: int
    batches_per_epoch: int
    gradient_accumulation_steps: int
    processes: int
    workers: int
    persistent_workers: bool
    is_exact: bool
    inexact_because: str | None

    def as_json(self) -> dict[str, Any]:
        """Returns what position.json says, the files apart."""
        return {"schema": SCHEMA, **asdict(self)}


def read_position(state_dir: Path) -> Position:
    """Returns the position of a state.

    Raises:
        SystemExit: There is none, or it is one of a later version; the message says so.
    """
    path = state_dir / POSITION_NAME
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        if read["schema"] != SCHEMA:
            raise SystemExit(f"{path} has schema {read['schema']}, and this version of kohyatpl reads {SCHEMA}.")
        return Position(**{name: read[name] for name in Position.__dataclass_fields__})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SystemExit(f"{path} cannot be read: {type(error).__name__}: {error}") from error


@dataclass
class Inner:
    """What only the entry needs of a state.

    Attributes:
        random: The generators as they were when the state was made.
        epoch_random: As they were before the epoch's first batch was asked for: its order comes from them.
        previous_epoch_random: The same of the epoch before, for workers that live on.
        pending: The batch that was read ahead and not trained yet; None where it can be read again.
        losses: Of each of the trainer's loss recorders: its list and its total.
        iteration: accelerate's own count of epochs.
        dataset_marks: Epoch and step of each dataset, as the collator has told them.
        step_mark: The step that the collator tells next.
        accumulation_step: accelerate's own count within an accumulation.
    """

    random: dict[str, Any]
    epoch_random: dict[str, Any]
    previous_epoch_random: dict[str, Any] | None
    pending: Any
    losses: list[tuple[list[float], float]]
    iteration: int
    dataset_marks: list[tuple[int, int]]
    step_mark: int
    accumulation_step: int

    def write(self, folder: Path) -> None:
        """Writes it into the folder of a state."""
        import torch

        torch.save({name: packed(value) for name, value in vars(self).items()}, str(folder / INNER_NAME))


def read_inner(state_dir: Path) -> Inner:
    """Returns what the entry wrote of itself into a state; a file that holds code is not run."""
    import torch

    # On the CPU: the batch waits there until it is its turn, as it did before.
    read = torch.load(str(state_dir / INNER_NAME), map_location="cpu", weights_only=True)
    return Inner(**{name: unpacked(value) for name, value in read.items()})


_ARRAY, _TUPLE = "kohyatpl:array", "kohyatpl:tuple"


def packed(value: Any) -> Any:
    """Returns a value made of nothing but tensors and plain types, which torch reads without running code.

    Raises:
        TypeError: There is something else in it.
    """
    if type(value) is dict:
        return {key: packed(item) for key, item in value.items()}
    if type(value) is tuple:
        return {_TUPLE: [packed(item) for item in value]}
    if isinstance(value, list):
        return [packed(item) for item in value]
    if value is None or type(value) in (bool, int, float, str):
        return value
    torch, numpy = sys.modules["torch"], sys.modules.get("numpy")
    if torch.is_tensor(value):
        return value
    if numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic)) and not value.dtype.hasobject:
        array = numpy.asarray(value)
        data = torch.frombuffer(bytearray(array.tobytes()), dtype=torch.uint8) if array.nbytes else None
        return {_ARRAY: [array.dtype.str, list(array.shape), data, isinstance(value, numpy.generic)]}
    raise TypeError(f"a {type(value).__name__} cannot be kept in a state")


def unpacked(value: Any) -> Any:
    """Returns what `packed` was given."""
    if isinstance(value, list):
        return [unpacked(item) for item in value]
    if not isinstance(value, dict):
        return value
    if _TUPLE in value:
        return tuple(unpacked(item) for item in value[_TUPLE])
    if _ARRAY in value:
        numpy: Any = importlib.import_module("numpy")
        dtype, shape, data, is_scalar = value[_ARRAY]
        content = b"" if data is None else data.numpy().tobytes()
        array = numpy.frombuffer(content, dtype=dtype).reshape(shape).copy()
        return array[()] if is_scalar else array
    return {key: unpacked(item) for key, item in value.items()}
