"""`kohyatpl report`: a page of the runs that are named, beside them, and nothing else is touched."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from loratpl.project import ProjectPaths
from tests.command_line import kohyatpl
from tests.report.ledger.told import a_run, step_events
from tests.stand_in import StandIn, make_trainable_project, oddest
from tests.ui.pages.reading import read_page

FIRST, SECOND = "20260101-000000-first", "20260102-000000-second"


@pytest.fixture
def project(tmp_path: Path) -> ProjectPaths:
    """A project with two runs."""
    paths = ProjectPaths(tmp_path / "project")
    for place, run_id in enumerate((FIRST, SECOND)):
        events = step_events([0.5 - place / 10, 0.4, 0.3])
        a_run(paths, run_id, {"learning_rate": 0.1 + place}, events=events, last_step=3)
    return paths


def _data(page: Path) -> list[dict[str, Any]]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(encoding="utf-8"))
    assert found is not None
    runs: list[dict[str, Any]] = json.loads(found[1])["runs"]
    return runs


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_real_run_on_a_page(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(oddest(tmp_path) / "project")
    assert kohyatpl("run", root).code == 0
    (run_dir,) = (root / "log").iterdir()
    before = _files(root)
    done = kohyatpl("report", "--project", root, "--json")
    envelope = done.envelope
    page = run_dir / "report.html"
    assert envelope["data"]["page"] == str(page.resolve())
    assert envelope["data"]["card"] is None
    assert [run["run"]["run_id"] for run in envelope["data"]["runs"]] == [run_dir.name]
    events = [json.loads(line) for line in (run_dir / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    told = [event for event in events if event["event"] == "step"]
    (run,) = _data(page)
    assert run["steps"] == [event["step"] for event in told]
    assert run["losses"] == [event["loss"] for event in told]
    assert run["averages"] == [event["average_loss"] for event in told]
    assert run["rates"] == {name: [event["lr"][name] for event in told] for name in told[0]["lr"]}
    assert run["times"] == [event["time"] for event in told]
    assert _files(root) == {**before, str(page.relative_to(root)): page.read_bytes()}
    assert read_page(page.read_text(encoding="utf-8")).text.count("finished") > 0


def test_the_last_run_unless_named_and_several_beside_each_other(project: ProjectPaths) -> None:
    done = kohyatpl("report", cwd=project.root_dir)
    assert (done.code, done.stderr) == (0, "")
    page = project.run(SECOND).run_dir / "report.html"
    assert f"{SECOND}: finished, 3 steps, 0 LoRAs" in done.stdout
    assert f"The page is {page.resolve()} (" in done.stdout
    assert kohyatpl("report", "second", FIRST, "second", cwd=project.root_dir).code == 0
    assert [run["label"] for run in _data(project.log_dir / "report.html")] == ["second", "first"]
    # A page among the runs is no run.
    assert len(kohyatpl("runs", "--json", cwd=project.root_dir).envelope["data"]["runs"]) == 2


def test_a_page_goes_where_it_is_wanted_and_replaces_only_pages(project: ProjectPaths, tmp_path: Path) -> None:
    page = tmp_path / "pages" / "mine.html"
    page.parent.mkdir()
    page.write_text('<meta name="generator" content="kohyatpl 0.0.1">', encoding="utf-8")
    assert kohyatpl("report", "--html", page, "--quiet", cwd=project.root_dir).stdout == ""
    assert len(_data(page)) == 1
    page.write_text("notes", encoding="utf-8")
    done = kohyatpl("report", "--html", page, "--json", cwd=project.root_dir)
    assert (done.code, done.problem["code"]) == (2, "usage.html.exists")
    assert page.read_text(encoding="utf-8") == "notes"


def test_runs_that_cannot_be_told_of(project: ProjectPaths, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    found = kohyatpl("report", "--project", tmp_path / "empty", "--json")
    assert (found.code, found.problem["code"]) == (2, "usage.run.none")
    found = kohyatpl("report", "thrid", "--json", cwd=project.root_dir)
    assert (found.code, found.problem["code"]) == (2, "usage.run.unknown")
    project.run(FIRST).record_path.write_text("{", encoding="utf-8")
    found = kohyatpl("report", "second", "first", "--json", cwd=project.root_dir)
    assert (found.code, found.problem["code"]) == (4, "project.record.damaged")
    assert not (project.log_dir / "report.html").exists()


def test_two_runs_of_which_one_has_lost_its_config(project: ProjectPaths) -> None:
    project.run(FIRST).config_path.unlink()
    assert kohyatpl("report", "first", "second", cwd=project.root_dir).code == 0
    text = read_page((project.log_dir / "report.html").read_text(encoding="utf-8")).text
    assert "learning_rate - 1.1" in text


def test_a_browser_draws_the_charts_and_asks_for_nothing(project: ProjectPaths, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium here")
    name = "</script><img src=x onerror=document.title='hacked'>"
    a_run(
        project, f"20260103-000000-{name.replace('/', '|')}", {"training_comment": name}, events=step_events([0.4] * 9)
    )
    assert kohyatpl("report", "--html", tmp_path / "page.html", cwd=project.root_dir).code == 0
    flags = (
        "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=3000",
        "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={tmp_path / 'browser'}", "--dump-dom",
    )  # fmt: skip
    command = [browser, *flags, (tmp_path / "page.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    charts = re.findall(r'<figure class="plotted" data-chart="(\w+)">', done.stdout)
    assert charts == ["loss", "seconds"]
    assert len(re.findall(r'class="[^"]*js-plotly-plot', done.stdout)) == len(charts)
    # Each step, smoothed, and the trainer's average of the loss; the first two of the time.
    assert len(re.findall(r'<path class="js-line"', done.stdout)) == 5
    assert "<title>hacked" not in done.stdout
