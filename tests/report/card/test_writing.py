"""A card as a file: beside the LoRA, with its pictures, and never over somebody else's."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from PIL import Image

from loratpl.errors import ProjectError, UsageError
from loratpl.report.card.writing import LONGEST_SIDE_PX, write_card
from loratpl.ui.cli.report_card import card_result
from tests.given import refusal
from tests.report.card.told_story import told_story
from tests.stand_in import write_picture

SAMPLES = [(2, 0), (4, 0), (2, 1), (4, 1)]


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_card_lies_beside_the_lora_and_its_links_lead_to_its_pictures(odd_path: Path) -> None:
    story = told_story(odd_path, {"output_name": "it's ö"}, samples=SAMPLES)
    write_picture(story.samples[0].path, 1, (1600, 1200))
    written = write_card(story)
    assert written.path == odd_path / "output" / "it's ö.md"
    text = written.path.read_text(encoding="utf-8")
    from urllib.parse import unquote

    links = [unquote(found) for found in re.findall(r"!\[[^\]]*\]\(([^)]*)\)", text)]
    assert [written.path.parent / found for found in links] == list(written.pictures)
    for picture in written.pictures:
        with Image.open(picture) as image:
            image.load()
            assert max(image.size) <= LONGEST_SIDE_PX
            assert image.format == "JPEG"
    with Image.open(written.pictures[0]) as image:
        assert image.size == (768, 576)


def test_a_card_of_ours_is_replaced_and_its_old_pictures_go(tmp_path: Path) -> None:
    out = tmp_path / "cards" / "card.md"
    write_card(told_story(tmp_path / "a", samples=SAMPLES), out)
    kept = out.parent / "card-samples" / "mine.jpg"
    kept.write_bytes(b"mine")
    write_card(told_story(tmp_path / "b", {"metadata_title": "Second"}, samples=[(6, 1)]), out)
    assert "# Second" in out.read_text(encoding="utf-8")
    assert files(out.parent) == ["card-samples/mine.jpg", "card-samples/prompt01-step000006.jpg", "card.md"]


@pytest.mark.parametrize("taken", ["card.md", "card.md/", "card-samples", "card-samples/prompt00-step000004.jpg"])
def test_what_is_somebody_elses_is_left_as_it_is(odd_path: Path, taken: str) -> None:
    story = told_story(odd_path / "project", samples=SAMPLES)
    place = odd_path / "out" / taken
    place.parent.mkdir(parents=True)
    if taken.endswith("/"):
        place.mkdir()
    else:
        place.write_text("# My own card\n", encoding="utf-8")
    before = files(odd_path)
    with pytest.raises(UsageError) as caught:
        write_card(story, odd_path / "out" / "card.md")
    refusal(caught.value, UsageError, "usage.card.exists", taken.rstrip("/"), "--out")
    assert files(odd_path) == before


def test_a_card_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    story = told_story(tmp_path / "project", samples=SAMPLES)
    (tmp_path / "file").touch()
    with pytest.raises(ProjectError) as caught:
        write_card(story, tmp_path / "file" / "card.md")
    refusal(caught.value, ProjectError, "project.write", "file/card.md", "--out")


def test_a_card_that_could_not_be_written_is_in_nobodys_way(tmp_path: Path) -> None:
    out = tmp_path / "cards" / "card.md"
    story = told_story(tmp_path / "project", samples=SAMPLES)
    in_the_way = out.with_name(f".kohyatpl-{os.getpid()}.partial")
    in_the_way.mkdir(parents=True)
    with pytest.raises(ProjectError):
        write_card(story, out)
    assert list(out.parent.iterdir()) == [in_the_way]
    in_the_way.rmdir()
    assert len(write_card(story, out).pictures) == len(SAMPLES)


def test_a_sample_that_cannot_be_read_is_left_out_and_told(tmp_path: Path) -> None:
    story = told_story(tmp_path, samples=SAMPLES)
    story.samples[0].path.write_bytes(b"no picture")
    result = card_result(story.detail.project, story, None)
    (problem,) = result.problems
    assert (problem.code, problem.severity) == ("run.sample.unreadable", "warning")
    assert story.samples[0].path.name in problem.message
    assert len(result.data["pictures"]) == 3
    text = Path(result.data["card"]).read_text(encoding="utf-8")
    assert "prompt00-step000002" not in text
    assert "prompt00-step000004" in text
    assert any("licence" in line for line in result.lines)


def test_a_run_without_samples_has_a_card_without_pictures(tmp_path: Path) -> None:
    written = write_card(told_story(tmp_path))
    assert written.pictures == ()
    assert files(tmp_path / "output") == ["cats.md", "cats.safetensors"]
    assert "## Samples" not in written.path.read_text(encoding="utf-8")
