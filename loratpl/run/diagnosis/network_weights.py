"""Files of an earlier training that do not go with this one: a LoRA to start from, a state to resume from."""

from __future__ import annotations

import re

from loratpl.run.diagnosis.evidence import Case, Explanation, row

_STATE_TRACES = ("load_state(", "load_accelerator_state")
_NETWORK_TRACES = ("network.load_weights", "load_weights(args.network_weights", "create_network_from_weights")


def _state(case: Case, found: re.Match[str]) -> Explanation | None:
    if not case.has_trace(*_STATE_TRACES):
        return None
    folder = case.settings["resume"]
    which = f" in {case.name(folder)}" if folder else ""
    return Explanation(
        f"The training state{which} is of another network or optimiser than the config's ({_said(found)}).",
        "Set `network_dim`, `network_module`, `network_args` and `optimizer_type` as they were when it was saved, or "
        "start a new training.",
    )


def _damaged_state(case: Case, found: re.Match[str]) -> Explanation | None:
    if not case.has_trace(*_STATE_TRACES):
        return None
    folder = case.settings["resume"]
    which = f" in {case.name(folder)}" if folder else ""
    return Explanation(
        f"The training state{which} is damaged or not whole ({_said(found)}).",
        "Resume from another state, or start a new training.",
    )


def is_of_lora(case: Case, found: re.Match[str]) -> bool:
    """Returns whether what could not be loaded is a LoRA or a state, and no model file."""
    is_named_so = "lora_" in found.string and "loading state_dict for" in found.string
    return is_named_so or case.has_trace(*_STATE_TRACES, *_NETWORK_TRACES)


def _network(case: Case, found: re.Match[str]) -> Explanation | None:
    named = case.settings["network_weights"]
    if named is None or case.has_trace(*_STATE_TRACES) or not is_of_lora(case, found):
        return None
    return Explanation(
        f"network_weights {case.name(named)} does not go with this training ({_said(found)}).",
        'Set `"dim_from_weights": true`, or `network_dim` and `network_module` as that LoRA was trained, of the same '
        "model family.",
    )


def _finished(_case: Case, found: re.Match[str]) -> Explanation | None:
    most, done = found.groups()
    return Explanation(
        f"The training to resume has done {done} steps already, and max_train_steps is {most}.",
        f"Set `max_train_steps` to more than {done}, or start a new training.",
    )


def _said(found: re.Match[str]) -> str:
    """The first words of what was matched, for brackets."""
    return found.group(0).strip().splitlines()[0].rstrip(".: ")[:160]


ROWS = (
    row(
        "run.resume.finished",
        r"max_train_steps should be greater than initial step.*: (\d+) vs (\d+)",
        _finished,
        "train_network.py's assertion before the first step",
    ),
    row(
        "run.resume.differs",
        r"size mismatch for[^\n]*|Error\(s\) in loading state_dict for[^\n]*"
        r"|parameter group that doesn't match the size[^\n]*|different number of parameter groups"
        r"|Missing key\(s\)[^\n]*",
        _state,
        "accelerate loads network and optimiser of the state into what the config made",
    ),
    row(
        "run.resume.damaged",
        r"Error while deserializing[^\n]*|PytorchStreamReader failed[^\n]*|pickle data was truncated|Ran out of input"
        r"|No such file or directory:[^\n]*|invalid load key[^\n]*|Weights only load failed",
        _damaged_state,
        "the same, before it can compare anything",
    ),
    row(
        "run.network_weights",
        r"size mismatch for[^\n]*|Error\(s\) in loading state_dict for[^\n]*|Error while deserializing[^\n]*"
        r"|PytorchStreamReader failed[^\n]*|KeyError[^\n]*",
        _network,
        "network.load_weights, after the base model was loaded",
    ),
)
