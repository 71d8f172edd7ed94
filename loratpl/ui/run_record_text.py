"""What `runs show` says to a person: the record of one run in words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loratpl.ui.cli.parameters import quoted
from loratpl.ui.disk_text import in_bytes
from loratpl.ui.plan_words import counted, number
from loratpl.ui.run_panel import duration
from loratpl.ui.runs_text import local_time, loss_text, state_text, terminal_of_stdout, wrapped

if TYPE_CHECKING:
    from loratpl.records import RunRecord
    from loratpl.report.ledger.detail import LeftState, Relation, RunDetail

_LABEL_WIDTH = 14
_HASH_CHARS = 12
_MAX_VERSIONS = ("torch", "accelerate", "diffusers", "transformers", "bitsandbytes", "xformers", "numpy")

# A heading, or a label and its text; without a label the text stands for itself.
_Row = tuple[str, str] | str


def show_lines(detail: RunDetail, place: str) -> list[str]:
    """Returns the lines of `runs show`.

    Args:
        detail: The run.
        place: What a command says of the project: " --project DIR", or "" where it is the current folder.
    """
    terminal, _ = terminal_of_stdout()
    lines: list[str] = []
    for row in _rows(detail, place):
        if isinstance(row, str):
            lines += ["", *wrapped(row, terminal)] if lines else wrapped(row, terminal)
        else:
            label, text = row
            indents = (f"  {label.ljust(_LABEL_WIDTH)}", " " * (2 + _LABEL_WIDTH)) if label else ("  ", "    ")
            lines += wrapped(text or "-", terminal, *indents)
    return lines


def _rows(detail: RunDetail, place: str) -> Iterator[_Row]:
    record = detail.record
    yield f"{record.run_id}: {_outcome(detail)}"
    yield from _course(detail)
    yield "Trained"
    yield from _trained(detail)
    yield "Came out"
    yield from _came_out(detail)
    if record.problems or record.differences:
        yield "Found and accepted"
        yield from _found(record)
    yield "Settings (those of the command line are marked)"
    yield from _settings(detail)
    yield "Made with"
    yield from _made_with(record)
    yield "Again"
    yield from _again(detail, place)


def _outcome(detail: RunDetail) -> str:
    summary = detail.summary
    total = "?" if summary.total_steps is None else number(summary.total_steps)
    step = number(summary.last_step or 0)
    verb = {"running": "is being trained, at step", "lost": "lost after step", "finished": "finished after step"}
    return f"{verb.get(summary.state, f'{summary.state} after step')} {step} of {total}"


def _course(detail: RunDetail) -> Iterator[_Row]:
    record, summary = detail.record, detail.summary
    full = "%Y-%m-%d %H:%M:%S"
    yield "began", local_time(record.started_at, full)
    if record.ended_at is not None:
        yield "ended", local_time(record.ended_at, full)
    if summary.duration_s is not None:
        yield "took", duration(summary.duration_s)
    if not summary.is_settled:
        lost = "its record still says running, and nobody works on it: the next `run` settles it"
        yield "state", f"{state_text(summary)} ({lost})"
    if record.failure is not None:
        yield "why", " ".join(filter(None, (record.failure.cause, record.failure.fix)))
    if record.returncode is not None:
        yield "exit code", f"{record.returncode} (the trainer's)"
    if summary.average_loss is not None or summary.loss is not None:
        yield "loss", f"{loss_text(summary.loss)} at the last step, {loss_text(summary.average_loss)} on average"
    if record.memory is not None:
        yield "memory", _memory(record)
    yield "folder", f"{detail.project.relative(detail.summary.run.paths.run_dir)} ({in_bytes(detail.size_bytes)})"
    for name, relations in (("goes on from", detail.parents), ("gone on by", detail.children)):
        for relation in relations:
            yield name, f"{_related(relation)}, after step {relation.step}"
    if detail.repeats is not None:
        yield "repeats", _related(detail.repeats)
    for relation in detail.repeated_by:
        yield "repeated by", _related(relation)


def _related(relation: Relation) -> str:
    return relation.run_id if relation.is_there else f"{relation.run_id} (not there any more)"


def _memory(record: RunRecord) -> str:
    memory = record.memory
    parts = [("process", memory.process_peak_bytes), ("GPU", memory.gpu_peak_bytes)] if memory else []
    return ", ".join(f"{name} {in_bytes(count)}" for name, count in parts if count is not None) or "not known"


def _trained(detail: RunDetail) -> Iterator[_Row]:
    record, plan = detail.record, detail.record.plan
    yield "base model", record.model
    yield "its SHA-256", record.model_sha256 or "not known: a model of the hub, or the run ended before it was hashed"
    figures = (("epochs", "epoch"), ("steps_per_epoch", "step per epoch"), ("total_steps", "step in all"))
    words = [_figure(plan.get(key), word) for key, word in figures]
    yield "plan", ", ".join(word for word in words if word) or "not recorded"
    for concept in record.concepts:
        kind = ", regularisation" if concept.is_reg else ""
        content = concept.content_sha256[:_HASH_CHARS] if concept.content_sha256 else "not hashed"
        pictures = f"{counted(concept.images, 'picture')} × {counted(concept.repeats, 'repeat')}"
        yield "concept", f"{concept.folder}: {pictures}{kind} (content {content})"
    yield "seed", str(record.seed)


def _figure(value: Any, word: str) -> str:
    if not isinstance(value, int):
        return ""
    first, _, rest = word.partition(" ")
    return f"{counted(value, first)} {rest}".strip()


def _came_out(detail: RunDetail) -> Iterator[_Row]:
    for recorded, output in zip(detail.record.outputs, detail.summary.outputs, strict=True):
        proven = f"{recorded.trained} of {recorded.trainable} trainable tensors are trained"
        steps = "" if recorded.ss_steps is None else f", {counted(recorded.ss_steps, 'step')}"
        gone = "" if output.is_there else "; it is not there any more, or was changed"
        where = detail.project.relative(output.path)
        yield (
            "LoRA",
            (f"{where}: {in_bytes(output.size_bytes)}{steps}, {proven}, SHA-256 {output.sha256[:_HASH_CHARS]}{gone}"),
        )
    if not detail.record.outputs:
        yield "LoRA", "none was proven"
    for state in detail.states:
        yield "state", _state(state)


def _state(left: LeftState) -> str:
    text = f"after step {left.state.step}, {in_bytes(left.size_bytes)}"
    if left.fault:
        return f"{text}; it cannot be gone on from: {left.fault}"
    if not left.state.is_exact:
        return f"{text}; going on from it is not exact: {left.state.inexact_because or 'it does not say why'}"
    return f"{text}; going on from it is exact"


def _found(record: RunRecord) -> Iterator[_Row]:
    for problem in record.problems:
        yield problem.severity, f"after step {problem.step}: {problem.message}"
    for one in record.differences:
        before, now = one.before or "unset", one.now or "unset"
        yield "differs", f"{one.key}: {before} in the run before, {now} in this one"


def _settings(detail: RunDetail) -> Iterator[_Row]:
    meaning = detail.summary.meaning
    if meaning is None:
        yield "", "config.json of this run is missing or damaged"
        return
    told = detail.record.overrides
    for key in meaning.keys:
        value = meaning.written(key)
        if value is not None and not (isinstance(value, (list, dict)) and not value):
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield "", f"{key}: {text}" + "  (command line)" * (key in told)


def _made_with(record: RunRecord) -> Iterator[_Row]:
    yield "kohyatpl", record.kohyatpl
    yield "sd-scripts", record.pin
    yield "Python", record.python
    named = [name for name in _MAX_VERSIONS if name in record.packages]
    if named:
        more = f" and {len(record.packages) - len(named)} more in run.json"
        yield "packages", ", ".join(f"{name} {record.packages[name]}" for name in named) + more
    yield from record.system.items()
    if record.git is not None:
        branch = f" on {record.git.branch}" if record.git.branch else ""
        dirty = ", with changes that were not committed" if record.git.is_dirty else ""
        yield "git", f"{record.git.commit[:_HASH_CHARS]}{branch}{dirty}"
    if record.config_file is not None:
        yield "config", record.config_file


def _again(detail: RunDetail, place: str) -> Iterable[_Row]:
    run_id = detail.record.run_id
    project = place.replace(" --project", "")
    if detail.can_be_resumed:
        yield "go on", f"`kohyatpl run{project} --from {run_id}`"
    if detail.summary.state == "running":
        yield "follow", f"`kohyatpl runs follow {run_id}{place}`"
    yield "repeat", f"`kohyatpl run{project} --from {run_id} --name NEW`"
    command = quoted(Path(detail.project.relative(detail.summary.run.paths.command_path)))
    yield "by hand", f"{command} has the trainer's own command"
