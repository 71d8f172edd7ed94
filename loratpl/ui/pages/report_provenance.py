"""How a run came about, as its report tells it, and how it is repeated."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loratpl.ui.disk_text import in_bytes
from loratpl.ui.pages.report_heads import WHEN, related
from loratpl.ui.pages.report_settings import setting_text
from loratpl.ui.plan_words import counted, number, shown
from loratpl.ui.runs_text import local_time

if TYPE_CHECKING:
    from loratpl.records import RunRecord
    from loratpl.report.ledger.detail import RunDetail
    from loratpl.report.story.story import RunStory
    from loratpl.ui.pages.report_places import Places

_SYSTEM = {"platform": "Machine", "cpus": "Processor cores", "gpus": "GPUs"}
# The trainer's own command is a few kB; what is not, somebody else wrote.
_MAX_COMMAND_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Command:
    """A command to be pasted, and what it does."""

    does: str
    text: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a run came about.

    Attributes:
        run: Its label.
        facts: Each with its name.
        packages: Of the trainer's environment, each with its version.
        hashes: Folders, each with the hash of what it held.
        commands: What can be done with the run.
        trainer_command: As the run started it, with every path; "" where it is not there.
        unknown: What could not be found out, in whole sentences.
    """

    run: str
    facts: tuple[tuple[str, str], ...]
    packages: tuple[tuple[str, str], ...]
    hashes: tuple[tuple[str, str], ...]
    commands: tuple[Command, ...]
    trainer_command: str
    unknown: tuple[str, ...]


def provenance_of(story: RunStory, label: str, places: Places) -> Provenance:
    """Returns how a run came about.

    Args:
        story: The run's.
        label: What it is called on the page.
        places: What must not be named.
    """
    detail, record = story.detail, story.detail.record
    return Provenance(
        label,
        tuple((name, shown(places.text(text))) for name, text in _facts(detail, places)),
        tuple((shown(name), shown(version)) for name, version in record.packages.items()),
        tuple((shown(one.folder), one.content_sha256 or "not hashed") for one in story.concepts),
        tuple(_commands(detail)),
        _read(detail.summary.run.paths.command_path),
        tuple(shown(places.text(sentence)) for sentence in story.unknown),
    )


def _facts(detail: RunDetail, places: Places) -> Iterator[tuple[str, str]]:
    record = detail.record
    yield "Run", record.run_id
    yield "Began", local_time(record.started_at, WHEN)
    yield "kohyatpl", record.kohyatpl
    yield "sd-scripts", record.pin
    yield "Python", record.python
    yield "Base model", str(places.value(record.model))
    yield "Its SHA-256", record.model_sha256 or "not hashed"
    yield "Seed", str(record.seed)
    yield from ((_SYSTEM.get(name, name), text) for name, text in record.system.items())
    if record.memory is not None:
        yield "Most memory", _memory(record)
    yield from _course(detail)
    if record.git is not None:
        branch = f" on {record.git.branch}" if record.git.branch else ""
        dirty = ", with changes that were not committed" if record.git.is_dirty else ""
        yield "Project's git commit", f"{record.git.commit}{branch}{dirty}"
    if record.config_file is not None:
        yield "Config", str(places.value(record.config_file))
    if record.overrides:
        told = ", ".join(f"{key} = {setting_text(key, value, places)}" for key, value in record.overrides.items())
        yield "Command line", told


def _course(detail: RunDetail) -> Iterator[tuple[str, str]]:
    """Where it comes from, and what came of it."""
    record = detail.record
    for name, relations in (("Goes on from", detail.parents), ("Gone on by", detail.children)):
        for relation in relations:
            yield name, f"{related(relation)}, after step {number(relation.step or 0)}"
    if detail.repeats is not None:
        yield "Repeats", related(detail.repeats)
    for relation in detail.repeated_by:
        yield "Repeated by", related(relation)
    for state in detail.states:
        exact = "exact" if state.state.is_exact else "not exact"
        usable = f"it cannot be gone on from: {state.fault}" if state.fault else f"going on from it is {exact}"
        yield "State left", f"after step {number(state.state.step)}, {in_bytes(state.size_bytes)}; {usable}"
    if record.returncode is not None:
        yield "Exit code", f"{record.returncode} (the trainer's)"
    for output in record.outputs:
        steps = "" if output.ss_steps is None else f" of {counted(output.ss_steps, 'step')}"
        proven = f"{number(output.trained)} of {number(output.trainable)} trainable tensors are trained"
        yield "Proven", f"{Path(output.path).name}{steps}: {proven}; SHA-256 {output.sha256}"


def _memory(record: RunRecord) -> str:
    memory = record.memory
    told = [("the process", memory.process_peak_bytes), ("the GPU", memory.gpu_peak_bytes)] if memory else []
    return ", ".join(f"{name} {in_bytes(count)}" for name, count in told if count is not None) or "not known"


def _commands(detail: RunDetail) -> Iterator[Command]:
    run_id = detail.record.run_id
    yield Command("Trains again with the settings of this run", f"kohyatpl run --from {_word(run_id)} --name NEW")
    if detail.can_be_resumed:
        yield Command("Goes on where it ended", f"kohyatpl run --from {_word(run_id)}")
    yield Command("Shows the whole record", f"kohyatpl runs show {_word(run_id)}")


def _word(run_id: str) -> str:
    from loratpl.ui.cli.parameters import quoted

    return shown(quoted(Path(run_id)))


def _read(path: Path) -> str:
    with contextlib.suppress(OSError):
        if path.is_file() and path.stat().st_size <= _MAX_COMMAND_BYTES:
            text = path.read_text(encoding="utf-8", errors="replace").strip()
            return "\n".join(shown(line) for line in text.splitlines())
    return ""
