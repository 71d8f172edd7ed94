"""Every text that a training is known to end with, against every row of the table."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loratpl.config.machine import Gpu
from loratpl.project import ProjectPaths
from loratpl.run.diagnosis import Evidence, MachineFacts, diagnose
from loratpl.run.diagnosis.diagnose import TABLE, UNKNOWN, found
from loratpl.run.diagnosis.evidence import Case
from loratpl.run.diagnosis.log import read_log, real_error
from loratpl.run.diagnosis.machine import Kill
from tests.given import resolved

SAMPLES_DIR = Path(__file__).parent / "samples"
SAMPLES = sorted(SAMPLES_DIR.glob("*.txt"))
# Where two rows rightly know the same text, by what the second one adds: the first in the table is the nearer cause.
BOTH_RIGHT = {
    "run.memory.shared": {"run.worker"},  # the worker that died of it
    "run.memory.killed": {"run.worker", "run.killed"},  # the same, and what is said where the kernel counted no kill
}


@dataclass(frozen=True)
class Sample:
    """A log, and what is known of the run beside it; the first line of its file is JSON."""

    expected: dict[str, Any]
    log: str

    @classmethod
    def read(cls, path: Path, root_dir: Path) -> Sample:
        """Returns a sample whose project is at `root_dir`."""
        head, _, log = path.read_text(encoding="utf-8").partition("\n")
        # Python writes a path with an apostrophe in it in double quotation marks.
        log = re.sub(
            r"(?<!for )(?<!at )'\{root\}([^'\n]*(?:'s [^'\n]*)?)'", lambda found: repr(str(root_dir) + found[1]), log
        )
        return cls(json.loads(head.replace("{root}", str(root_dir))), log.replace("{root}", str(root_dir)))


def machine_of(values: dict[str, Any]) -> MachineFacts:
    made = {
        **values,
        "gpus": tuple(Gpu(*gpu) for gpu in values.get("gpus", ())),
        "kills": tuple(Kill(*kill) for kill in values.get("kills", ())),
        "gpu_errors": tuple(values.get("gpu_errors", ())),
    }
    return MachineFacts(**made)


def evidence_of(sample: Sample, root_dir: Path) -> Evidence:
    settings, _ = resolved(root_dir, {"train_data_dir": "image_dir", **sample.expected.get("settings", {})})
    log_path = root_dir / "log" / "r" / "trainer.log"
    log_path.parent.mkdir(parents=True)
    log_path.write_text(sample.log, encoding="utf-8")
    return Evidence(
        ProjectPaths(root_dir),
        log_path,
        returncode=sample.expected["exit"],
        phase=sample.expected.get("phase", "training"),
        last_step=7,
        settings=settings,
        events=tuple(sample.expected.get("events", ())),
        machine=machine_of(sample.expected.get("machine", {})),
    )


@pytest.fixture
def root_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "it's a ñandú 日本 project"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_text_is_known_by_its_own_rows_alone(path: Path, root_dir: Path) -> None:
    sample = Sample.read(path, root_dir)
    evidence = evidence_of(sample, root_dir)
    code = sample.expected["code"]
    assert diagnose(evidence).code == code
    codes = [diagnosis.code for diagnosis in found(Case(evidence, read_log(evidence.log_path)), TABLE)]
    assert set(codes) - {code} <= BOTH_RIGHT.get(code, set())
    assert diagnose(evidence).said == real_error(sample.log.splitlines())


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_cause_and_fix_are_a_sentence_each_and_name_what_matters(path: Path, root_dir: Path) -> None:
    sample = Sample.read(path, root_dir)
    diagnosis = diagnose(evidence_of(sample, root_dir))
    for text in sample.expected["cause"]:
        assert text in diagnosis.cause
    for text in sample.expected["fix"]:
        assert text in diagnosis.fix
    for text in sample.expected.get("not_fix", ()):
        assert text not in diagnosis.fix
    if diagnosis.code != UNKNOWN:
        for sentence in (diagnosis.cause, diagnosis.fix):
            assert sentence.endswith((".", ").")), sentence
            assert "{" not in sentence.replace('{"', "").replace("{root}", "{"), sentence
            assert re.search(r"\bNone\b", sentence) is None, sentence
            assert "\n" not in sentence, sentence
            assert str(root_dir) not in sentence, "files are named relative to the project"


def test_every_row_has_a_text_that_it_knows(root_dir: Path) -> None:
    used = set()
    for number, path in enumerate(SAMPLES):
        folder = root_dir / str(number)
        evidence = evidence_of(Sample.read(path, folder), folder)
        case = Case(evidence, read_log(evidence.log_path))
        used |= {number for number, row in enumerate(TABLE) if next(found(case, [row]), None) is not None}
    assert [row.pattern.pattern for number, row in enumerate(TABLE) if number not in used] == []


def test_every_row_says_how_it_knows() -> None:
    assert [row.code for row in TABLE if not row.why] == []


def test_without_a_log_the_ending_is_all_there_is(root_dir: Path) -> None:
    evidence = evidence_of(Sample({"exit": 3}, ""), root_dir)
    evidence.log_path.unlink()
    assert diagnose(evidence).code == "run.silent_end"


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_the_wall_of_another_family_is_counted_whole(root_dir: Path, line_end: str) -> None:
    """SDXL in the place of SD1 writes more than a megabyte."""
    lines = [f"\tsize mismatch for block.{number}.weight: copying {'x' * 300}" for number in range(8000)]
    head = ["Traceback (most recent call last):", '  File "/sd/x.py", line 1, in load']
    log = line_end.join([*head, "RuntimeError: Error(s) in loading state_dict for UNet2DConditionModel:", *lines, ""])
    diagnosis = diagnose(evidence_of(Sample({"exit": 1}, log), root_dir))
    assert diagnosis.code == "run.model.family"
    assert "8000 tensors of other sizes" in diagnosis.cause
