"""run.json is whole or old, never in between; events are read line by line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loratpl.errors import ExitCode, ProjectError
from loratpl.records import (
    RECORD_SCHEMA,
    ConceptRecord,
    EventReader,
    Failure,
    Memory,
    Output,
    RunRecord,
    append_event,
    read_record,
    write_record,
)
from tests.given import refusal


def _record(**changes: Any) -> RunRecord:
    values: dict[str, Any] = {
        "run_id": "20260101-120000-ñ cats",
        "state": "running",
        "kohyatpl": "0.1.0",
        "pin": "48d368fa",
        "python": "3.11",
        "packages": {"torch": "2.13.0"},
        "argv": ["python", "it's"],
        "env": {},
        "model": "/models/a.safetensors",
        "seed": 42,
        "plan": {"total_steps": 6},
        "concepts": [ConceptRecord(folder="1_ohwx cat", images=2, repeats=1, is_reg=False)],
        "started_at": "2026-01-01T12:00:00+00:00",
    }
    return RunRecord(**{**values, **changes})


def test_a_record_is_read_as_it_was_written(odd_path: Path) -> None:
    output = Output(path="a", size_bytes=1, sha256="x", ss_steps=6, tensors=2, trained=1, trainable=1)
    record = _record(state="failed", outputs=[output], failure=Failure(cause="disk full", fix="make room"))
    write_record(odd_path / "run.json", record)
    assert read_record(odd_path / "run.json") == record
    assert [path.name for path in odd_path.iterdir()] == ["run.json"]


def test_a_record_from_before_memory_and_sources_were_told_is_read(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_record(path, _record(memory=Memory(process_peak_bytes=5)))
    assert read_record(path).memory == Memory(process_peak_bytes=5, gpu_peak_bytes=None, gpu_reserved_bytes=None)
    values = json.loads(path.read_bytes())
    del values["memory"], values["sources"]
    path.write_text(json.dumps(values), encoding="utf-8")
    assert read_record(path) == _record()


def test_a_record_is_replaced_by_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_record(path, _record(packages={f"package{number}": "1.0" for number in range(1000)}))
    write_record(path, _record(state="finished"))
    assert read_record(path) == _record(state="finished")


def test_a_reader_never_sees_a_part_of_a_record(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    records = [_record(last_step=step, packages={f"p{n}": "1" for n in range(step * 200)}) for step in (1, 2, 3)]
    write_record(path, records[0])
    seen: list[RunRecord] = []
    is_written = threading.Event()

    def read() -> None:
        while not is_written.is_set():
            seen.append(read_record(path))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(15):
            for record in records:
                write_record(path, record)
    finally:
        is_written.set()
        reader.join()
    assert seen
    assert all(record in records for record in seen)


def test_a_record_stays_as_it_was_when_the_new_one_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_record(path, _record())
    path.with_suffix(".json.partial").mkdir()
    with pytest.raises(OSError, match=re.escape(str(path))):
        write_record(path, _record(state="finished"))
    assert read_record(path) == _record()


def test_a_record_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    data = {**_record().model_dump(), "schema_version": RECORD_SCHEMA + 1, "something": "new"}
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ProjectError) as caught:
        read_record(path)
    problem = refusal(caught.value, ProjectError, "project.record.newer", str(path), f"format {RECORD_SCHEMA + 1}")
    assert caught.value.exit_code is ExitCode.PROJECT
    assert "pip install --upgrade kohyatpl" in problem.fix


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"{}",
        b"[]",
        b"null",
        b"5",
        b'"text"',
        b"\xff\xfe",
        b'{"schema_version": "1"}',
        b'{"schema_version": null}',
        b'{"schema_version": 1}',
        b'{"schema_version": 1, "run_id": 5}',
    ],
    ids=lambda content: repr(content[:40]),
)
def test_a_damaged_record_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(ProjectError) as caught:
        read_record(path)
    refusal(caught.value, ProjectError, "project.record.damaged", str(path))


def test_a_missing_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        read_record(tmp_path / "run.json")
    refusal(caught.value, ProjectError, "project.record.damaged", str(tmp_path / "run.json"), "No such file")


@pytest.mark.parametrize("change", [{"state": "asleep"}, {"surprise": 1}, {"seed": None}])
def test_a_record_holds_what_it_may_hold(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps({**_record().model_dump(), **change}), encoding="utf-8")
    with pytest.raises(ProjectError) as caught:
        read_record(path)
    refusal(caught.value, ProjectError, "project.record.damaged", str(path), next(iter(change)))


# --- events ---------------------------------------------------------------------------------------------------------

_EVENTS = st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers() | st.none()), max_size=6)


@settings(deadline=None)
@given(events=_EVENTS)
def test_events_are_read_as_they_were_appended(
    tmp_path_factory: pytest.TempPathFactory, events: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "appended.jsonl"
    path.unlink(missing_ok=True)
    reader, seen = EventReader(path), []
    for event in events:
        append_event(path, event)
        seen += list(reader.new())
    assert seen == events
    assert list(EventReader(path).new()) == events
    assert list(reader.new()) == []


@settings(deadline=None)
@given(events=_EVENTS, data=st.data())
def test_events_are_read_once_however_the_writer_is_interrupted(
    tmp_path_factory: pytest.TempPathFactory, events: list[dict[str, Any]], data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "cut.jsonl"
    content = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=6)))
    path.write_bytes(b"")
    reader, seen = EventReader(path), []
    for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True):
        with path.open("ab") as file:
            file.write(content[start:end])
        seen += list(reader.new())
    assert seen == events


def test_a_half_written_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    reader = EventReader(path)
    path.write_bytes(b'{"event": "step"')
    assert list(reader.new()) == []
    with path.open("ab") as file:
        file.write(b', "step": 1}\n{"event"')
    assert list(reader.new()) == [{"event": "step", "step": 1}]


def test_lines_that_are_no_events_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'not JSON\n[1]\n\n\xff\xfe\n5\n{"event": "step"}\n')
    assert list(EventReader(path).new()) == [{"event": "step"}]


def test_a_file_that_is_not_there_yet_has_no_events(tmp_path: Path) -> None:
    reader = EventReader(tmp_path / "events.jsonl")
    assert list(reader.new()) == []
    append_event(tmp_path / "events.jsonl", {"event": "phase"})
    assert list(reader.new()) == [{"event": "phase"}]


def test_an_event_that_cannot_be_written_does_not_end_the_training(tmp_path: Path) -> None:
    append_event(tmp_path / "missing" / "events.jsonl", {"event": "step"})
    assert list(tmp_path.iterdir()) == []


def test_events_of_two_writers_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    code = (
        "import sys; from pathlib import Path; from loratpl.records import append_event\n"
        "for n in range(300): append_event(Path(sys.argv[1]), {'from': 'child', 'n': n, 'text': 'x' * 200})"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(path)])
    for number in range(300):
        append_event(path, {"from": "parent", "n": number, "text": "y" * 200})
    assert child.wait(60) == 0
    events = list(EventReader(path).new())
    for writer in ("parent", "child"):
        assert [event["n"] for event in events if event["from"] == writer] == list(range(300))
