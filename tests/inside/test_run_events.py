"""The file of events where its folder goes away, and on a disk that runs full."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from loratpl.resources import INSIDE_DIR

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="removes what is open; limits the size of files")
_BEGIN = "import resource, shutil, signal, sys; sys.path.insert(0, sys.argv[1]); from run_events import Events\n"


def run(code: str, path: Path) -> None:
    subprocess.run([sys.executable, "-c", _BEGIN + code, INSIDE_DIR, path], check=True, timeout=30)


def test_events_go_on_in_a_folder_that_was_removed_and_made_again(odd_path: Path) -> None:
    path = odd_path / "run" / "events.jsonl"
    path.parent.mkdir()
    code = """
import os
folder = os.path.dirname(sys.argv[2])
events = Events(sys.argv[2])
events.write("one")
shutil.rmtree(folder)
events.write("lost")
os.mkdir(folder)
events.write("two")
events.write("three")
"""
    run(code, path)
    assert [json.loads(line)["event"] for line in path.read_text(encoding="utf-8").splitlines()] == ["two", "three"]


def test_an_event_that_was_cut_by_a_full_disk_takes_no_other_with_it(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    code = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
events = Events(sys.argv[2])
events.write("one")
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
events.write("cut", text="x" * 200)
events.write("lost")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
events.write("two")
events.write("three")
"""
    run(code, path)
    first, cut, *rest = path.read_text(encoding="utf-8").splitlines()
    assert json.loads(first)["event"] == "one"
    assert cut.startswith('{"event": "cut"')
    assert [json.loads(line)["event"] for line in rest if line] == ["two", "three"]
