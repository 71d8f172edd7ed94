"""The demo's project: where it goes, what it holds, and that nothing is ever written over."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from loratpl.dataset.scan import scan
from loratpl.errors import ProjectError, TrainerError
from loratpl.render.prepare import judge
from loratpl.selfcheck import CONCEPTS, REG_CLASSES, DemoPaths, default_folder, give_model, lay_out
from loratpl.trainer.pin import load_pin
from loratpl.trainer.status import status
from tests.given import refusal
from tests.stand_in import StandIn


def test_it_is_a_project_of_concepts_of_different_size_in_which_nothing_is_wrong(odd_path: Path) -> None:
    demo = lay_out(odd_path / "demo")
    dataset = scan(demo.project.image_dir, demo.project.reg_dir)
    assert {c.class_tokens: len(c.pictures) for c in dataset.training} == CONCEPTS
    assert {c.class_tokens: len(c.pictures) for c in dataset.regularisation} == REG_CLASSES
    assert len(set(CONCEPTS.values())) == len(CONCEPTS)
    judged = judge(demo.project)
    assert [problem.code for problem in judged.problems] == ["dataset.imbalance"]  # which `balance` is there to mend
    assert judged.plan is not None


def test_every_picture_is_another_and_has_a_caption(tmp_path: Path) -> None:
    demo = lay_out(tmp_path / "demo")
    pictures = sorted(demo.root_dir.rglob("*.png"))
    assert len({path.read_bytes() for path in pictures}) == sum([*CONCEPTS.values(), *REG_CLASSES.values()])
    for path in pictures:
        _, _, class_tokens = path.parent.name.partition("_")
        assert path.with_suffix(".txt").read_text(encoding="utf-8").startswith(f"{class_tokens}, ")


def test_it_can_be_moved(tmp_path: Path) -> None:
    config = json.loads(lay_out(tmp_path / "demo").project.config_path.read_text(encoding="utf-8"))
    assert str(tmp_path) not in json.dumps(config)


def test_it_goes_where_nothing_is(tmp_path: Path) -> None:
    assert default_folder(tmp_path) == tmp_path / "kohyatpl-demo"
    (tmp_path / "kohyatpl-demo").mkdir()
    (tmp_path / "kohyatpl-demo-2").write_text("a file", encoding="utf-8")
    assert default_folder(tmp_path) == tmp_path / "kohyatpl-demo-3"


def test_one_that_was_not_finished_goes_on_and_a_finished_one_is_left_alone(tmp_path: Path) -> None:
    demo = lay_out(default_folder(tmp_path))
    (demo.project.image_dir / "1_ohwx cat").rename(demo.project.image_dir / "7_ohwx cat")
    before = sorted(demo.root_dir.rglob("*"))
    assert default_folder(tmp_path) == demo.root_dir
    assert lay_out(demo.root_dir) == demo
    assert sorted(demo.root_dir.rglob("*")) == before
    demo.unfinished_path.unlink()
    assert default_folder(tmp_path) == tmp_path / "kohyatpl-demo-2"
    with pytest.raises(ProjectError) as caught:
        lay_out(demo.root_dir)
    refusal(caught.value, ProjectError, "project.exists", "is not empty")
    assert sorted([*demo.root_dir.rglob("*"), demo.unfinished_path]) == before


@pytest.mark.skipif(sys.platform == "win32", reason="resource limits are POSIX")
def test_a_disk_that_fills_up_while_drawing_leaves_nothing(tmp_path: Path) -> None:
    import resource
    import signal

    root_dir = tmp_path / "demo"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, before[1]))  # the template's texts fit, the pictures do not
        with pytest.raises(ProjectError) as caught:
            lay_out(root_dir)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    refusal(caught.value, ProjectError, "project.write", "File too large", str(root_dir))
    assert not root_dir.exists()


def test_an_environment_that_cannot_make_the_model_is_named(tmp_path: Path, stand_in: StandIn) -> None:
    demo = lay_out(tmp_path / "demo")
    with pytest.raises(TrainerError) as caught:
        give_model(demo, status(load_pin()))
    refusal(caught.value, TrainerError, "trainer.environment.broken", "tiny_model.py", "kohyatpl trainer install")
    assert DemoPaths(demo.root_dir).is_unfinished


def test_a_relative_place_is_the_same_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    demo = lay_out(default_folder(Path()))
    assert demo.root_dir == tmp_path.resolve() / "kohyatpl-demo"
    assert default_folder(Path()) == Path("kohyatpl-demo")
    assert [path.name for path in tmp_path.iterdir()] == ["kohyatpl-demo"]
