"""`kohyatpl demo` where no trainer can be had: all up to the training, and the truth about the rest."""

from __future__ import annotations

from pathlib import Path

from tests.command_line import kohyatpl
from tests.stand_in import StandIn, oddest


def test_without_a_trainer_all_is_done_up_to_its_files_and_what_is_missing_is_said(tmp_path: Path) -> None:
    done = kohyatpl("demo", "--source", tmp_path / "nowhere", cwd=tmp_path)
    render_dir = tmp_path.resolve() / "kohyatpl-demo" / ".kohyatpl" / "render"
    assert done.code == 5
    assert done.stdout.splitlines() == [
        f"Everything up to the trainer's own files is done: {render_dir}",
        "To train with them the trainer is missing; what keeps it from being installed stands below.",
        "  then: kohyatpl demo kohyatpl-demo   (goes on from here)",
    ]
    assert {path.name for path in render_dir.iterdir()} >= {"train.toml", "dataset.toml", "command.txt"}
    commands = [line.removeprefix("$ kohyatpl ").split()[0] for line in done.stderr.splitlines() if line[:2] == "$ "]
    assert commands == ["new", "trainer", "balance", "check", "plan", "render"]
    assert "image_dir/1_zwx dog → 3_zwx dog" in done.stderr
    assert f"error: {tmp_path / 'nowhere'} is not a git checkout of sd-scripts" in done.stderr


def test_programs_get_one_object_and_a_second_attempt_goes_on(tmp_path: Path) -> None:
    odd_path = oddest(tmp_path)
    first = kohyatpl("demo", "--json", "--source", tmp_path, cwd=odd_path)
    assert first.code == 5
    assert first.stderr == ""
    assert first.stdout.count("\n") == 1
    assert first.problem["code"] == "trainer.source.unreadable"
    data = first.envelope["data"]
    assert data["project"] == str(odd_path.resolve() / "kohyatpl-demo")
    assert [item["repeats"] for item in data["balance"]["concepts"]] == [1, 3, 2]
    assert data["plan"]["total_steps"] == 18
    assert "run" not in data
    second = kohyatpl("demo", "--json", "--source", tmp_path, cwd=odd_path)
    assert second.envelope["data"]["plan"] == data["plan"]
    assert [path.name for path in odd_path.iterdir()] == ["kohyatpl-demo"]


def test_a_second_attempt_says_that_it_goes_on(tmp_path: Path) -> None:
    kohyatpl("demo", "--quiet", "--source", tmp_path, cwd=tmp_path)
    done = kohyatpl("demo", "--source", tmp_path, cwd=tmp_path)
    assert f"Going on with the demo in {tmp_path.resolve() / 'kohyatpl-demo'}, which was not finished." in done.stderr
    assert "lready balanced" in done.stderr


def test_a_folder_with_something_in_it_is_refused_before_anything_is_installed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "1.txt").write_text("mine", encoding="utf-8")
    done = kohyatpl("demo", "mine", "--json", "--source", tmp_path, cwd=tmp_path)
    assert (done.code, done.problem["code"]) == (4, "project.exists")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_trainer_that_cannot_make_the_model_ends_it(tmp_path: Path, stand_in: StandIn) -> None:
    done = kohyatpl("demo", "--json", cwd=tmp_path)
    assert (done.code, done.problem["code"]) == (5, "trainer.environment.broken")
