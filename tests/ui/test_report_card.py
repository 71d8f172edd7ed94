"""`kohyatpl report --card`: the card of a run that was really made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line import kohyatpl
from tests.report.card.told_story import RUN, told_story
from tests.stand_in import StandIn, make_trainable_project, oddest


def test_the_card_of_a_run_says_what_render_put_into_the_lora(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(oddest(tmp_path) / "project", metadata_license="MIT")
    assert kohyatpl("run", root).code == 0
    done = kohyatpl("report", "--card", "--project", root)
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.startswith("Card of ")
    text = (root / "output" / "lora.md").read_text(encoding="utf-8")
    assert text.startswith("---\nlicense: mit\n")
    assert "instance_prompt: ohwx cat\n" in text
    assert str(tmp_path) not in text
    data = kohyatpl("report", "--card", "--out", tmp_path / "a.md", "--json", "--project", root).envelope["data"]
    assert (data["card"], data["trigger_words"]) == (str(tmp_path / "a.md"), ["ohwx cat"])
    assert (tmp_path / "a.md").read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--out", "a.md"), "--card"),
        (("--card", "--html", "a.html"), "--html"),
        (("--card", RUN, "cats"), "one run"),
    ],
)
def test_options_that_do_not_go_together_are_refused(tmp_path: Path, words: tuple[str, ...], named: str) -> None:
    told_story(make_trainable_project(tmp_path / "project"))
    before = sorted(tmp_path.rglob("*"))
    done = kohyatpl("report", *words, "--json", "--project", tmp_path / "project", cwd=tmp_path)
    assert (done.code, done.problem["code"]) == (2, "usage.arguments")
    assert named in f"{done.problem['message']} {done.problem['fix']}"
    assert sorted(tmp_path.rglob("*")) == before


def test_a_card_never_goes_over_somebody_elses_file(tmp_path: Path) -> None:
    told_story(make_trainable_project(tmp_path / "project"))
    (tmp_path / "README.md").write_text("mine", encoding="utf-8")
    words = ("report", "--card", "--out", tmp_path / "README.md", "--json", "--project", tmp_path / "project")
    done = kohyatpl(*words)
    assert (done.code, done.problem["code"]) == (2, "usage.card.exists")
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == "mine"
