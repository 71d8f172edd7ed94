"""`check --fix`, `--fix --dry-run` and `--undo-fix`, as commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.command_line import kohyatpl
from tests.dataset.inspect.drawn import drawing, rotated
from tests.stand_in import StandIn, make_trainable_project


def _spoilt(folder: Path) -> tuple[Path, dict[str, bytes]]:
    """Returns a project with a picture on its side and a caption with a mark, and all bytes of its concepts."""
    root = make_trainable_project(folder / "project")
    concept = next((root / "image_dir").iterdir())
    drawing(7, (300, 200)).save(concept / "on its side.jpg", exif=rotated(6))
    (concept / "on its side.txt").write_text("a cat\n", encoding="utf-8-sig")
    return root, _content(root)


def _content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in (root / "image_dir").rglob("*.*")}


def test_mending_is_told_done_and_undone(odd_path: Path, stand_in: StandIn) -> None:
    root, before = _spoilt(odd_path)
    codes = {problem["code"] for problem in kohyatpl("check", root, "--json").envelope["problems"]}
    assert {"dataset.image.orientation", "dataset.caption.bom"} <= codes
    told = kohyatpl("check", root, "--fix", "--dry-run")
    assert told.code == 0
    assert told.stdout.count("would be done:") == 2
    assert _content(root) == before
    done = kohyatpl("check", root, "--fix", "--json").envelope
    assert len(done["data"]["fix"]["actions"]) == 2
    assert not {"dataset.image.orientation", "dataset.caption.bom"} & {p["code"] for p in done["problems"]}
    picture = next((root / "image_dir").rglob("on its side.jpg"))
    with Image.open(picture) as image:
        assert image.size == (200, 300)
    again = kohyatpl("check", root, "--fix")
    assert "nothing that can be mended" in again.stdout
    undone = kohyatpl("check", root, "--undo-fix")
    assert undone.code == 0
    assert "Undone: 2." in undone.stdout
    assert _content(root) == before
    none = kohyatpl("check", root, "--undo-fix", "--json").envelope
    assert none["problems"][0]["code"] == "project.fix.none"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--fix", "--undo-fix"), "--undo-fix"),
        (("--dry-run",), "check --fix --dry-run"),
        (("--fix", "--background", "no colour"), "`no colour` is not a colour"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    tmp_path: Path, stand_in: StandIn, words: tuple[str, ...], text: str
) -> None:
    root, before = _spoilt(tmp_path)
    refused = kohyatpl("check", root, *words)
    assert refused.code == 2
    assert text in refused.stderr
    assert _content(root) == before


def test_a_clean_project_is_one_calm_line(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project")
    done = kohyatpl("check", root)
    assert (done.code, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert line.startswith("nothing is wrong: ")
    assert "steps in" in line


def test_a_quick_look_decodes_nothing(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project")
    picture = next((root / "image_dir").rglob("*.png"))
    content = bytearray(picture.read_bytes())
    picture.with_name("grey.png").write_bytes(content)
    assert kohyatpl("check", root, "--quick", "--json").envelope["data"]["errors"] == 0
