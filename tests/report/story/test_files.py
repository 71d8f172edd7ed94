"""What a training left on the disk, as its report finds it again: checkpoints, samples, prompts, folders, settings."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from loratpl.errors import ProjectError
from loratpl.project import ProjectPaths, locked
from loratpl.report.story.as_json import story_json
from loratpl.report.story.story import SamplePrompt
from loratpl.run.history import find_run
from tests.report.ledger.told import a_run, an_output
from tests.report.story.given import PLAN, A, B, checkpoint, sample, step, steps, story

TODAY = f"The prompts of {A} were not kept: what is shown is what prompts.txt holds today."


@pytest.fixture
def project(tmp_path: Path) -> ProjectPaths:
    return ProjectPaths(tmp_path / "project")


def concept(folder: str, *, is_reg: bool = False) -> dict[str, Any]:
    return {"folder": folder, "images": 3, "repeats": 10, "is_reg": is_reg}


def pictures(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"{number:02d}.png").write_bytes(b"picture")
    return folder


def drawn(project: ProjectPaths, name: str) -> Path:
    path = project.output_dir / "sample" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"picture")
    return path


# --- checkpoints


def test_checkpoints_are_told_with_what_is_there_of_them(project: ProjectPaths) -> None:
    out = project.output_dir
    events = [
        *steps(1, 2), checkpoint(out / "lora-000001.safetensors", 2, None),
        checkpoint(out / "lora-000002.safetensors", 4), checkpoint(out / "lora.safetensors", 6),
    ]  # fmt: skip
    untold = {**an_output(out / "lora-step00000003.safetensors"), "ss_steps": 3}
    outputs = [untold, an_output(out / "lora.safetensors")]
    events.append({"event": "checkpoint", "time": 1.0, "path": "a\0b\ud800", "step": 7, "size_bytes": 1})
    a_run(project, A, {"output_name": "lora"}, events=events, outputs=outputs, last_step=6)
    (out / "lora-000002.safetensors").write_bytes(b"another one")
    found = story(project).checkpoints
    assert [(one.step, one.path.name, one.is_there, one.is_last) for one in found] == [
        (2, "lora-000001.safetensors", False, False),
        (3, "lora-step00000003.safetensors", True, False),
        (4, "lora-000002.safetensors", False, False),
        (6, "lora.safetensors", True, True),
        (7, "a\0b\ud800", False, False),
    ]
    assert [one.time for one in found[:4]] == [1002.2, None, 1004.2, 1006.2]
    assert [bool(one.sha256) for one in found[:4]] == [False, True, False, True]


def test_what_was_done_again_counts_as_it_was_done_last(project: ProjectPaths) -> None:
    out = project.output_dir
    first = [*steps(1, 3), checkpoint(out / "a.safetensors", 2), *steps(4, 5), checkpoint(out / "b.safetensors", 4)]
    first.append(checkpoint(out / "c.safetensors", 5))
    early = drawn(project, "lora_000002_00_20260102030405.png")
    lost = [drawn(project, f"lora_00000{n}_00_20260102030405.png") for n in (4, 5)]
    again = drawn(project, "lora_000004_00_20260103030405.png")
    a_run(project, A, events=[*first, sample(early, 2, 0), sample(lost[0], 4, 0), sample(lost[1], 5, 0)], state="lost")
    later = [*steps(4, 4), checkpoint(out / "b.safetensors", 4, b"newer"), sample(again, 4, 0)]
    a_run(project, B, events=later, parent=A, start_step=3)
    found = story(project, B)
    assert [(one.path.name, one.size_bytes) for one in found.checkpoints] == [
        ("a.safetensors", 7),
        ("b.safetensors", 5),
    ]
    assert [one.path for one in found.samples] == [early, again]


# --- samples and their prompts


def test_samples_of_earlier_versions_are_placed_by_their_names(project: ProjectPaths) -> None:
    names = (
        "my_lora_2_e000000_00_20260102030405.png", "my_lora_2_e000002_01_20260102030405_-7.png",
        "my_lora_2_000004_00_20260102030405_42.png", "notes.png",
    )  # fmt: skip
    events = [*steps(1, 6), *(sample(drawn(project, name), 5) for name in names)]
    a_run(project, A, {"output_name": "my_lora_2"}, events=events, plan=PLAN)
    (project.output_dir / "sample" / names[2]).unlink()
    found = story(project)
    assert [(one.step, one.prompt, one.is_there) for one in found.samples] == [
        (0, 0, True), (4, 0, False), (6, 1, True),
    ]  # fmt: skip
    assert f"1 sample picture of {A} cannot be placed: neither events nor names tell of which prompts they are." in (
        found.unknown
    )


def test_prompts_are_those_that_the_run_kept(project: ProjectPaths) -> None:
    events = [sample(drawn(project, f"lora_000004_{index:02d}_20260102030405.png"), 4, index) for index in (0, 2)]
    paths = a_run(project, A, {"sample_prompts": str(project.root_dir / "prompts.txt")}, events=events)
    (project.root_dir / "prompts.txt").write_text("another\n", encoding="utf-8")
    kept = "# of mine\na cat --w 768 --n blurry --cn /home/me/pose.png\nnever drawn\n"
    paths.sample_prompts_path(".txt").write_text(kept, encoding="utf-8")
    found = story(project)
    details = (("width", "768"), ("ControlNet image", "pose.png"))
    assert found.prompts == (SamplePrompt(0, "a cat", "blurry", details), SamplePrompt(2, "", "", ()))
    assert TODAY not in found.unknown


@pytest.mark.parametrize(
    ("content", "text", "sentence"),
    [
        ("a cat\n", "a cat", TODAY),
        (None, "", f"The prompts of {A} are not known: prompts.txt is gone, or cannot be read."),
    ],
)
def test_prompts_that_were_not_kept_are_todays(
    project: ProjectPaths, content: str | None, text: str, sentence: str
) -> None:
    path = project.root_dir / "prompts.txt"
    a_run(project, A, {"sample_prompts": str(path)}, events=[sample(drawn(project, "x.png"), 4, 0)])
    if content is not None:
        path.write_text(content, encoding="utf-8")
    found = story(project)
    assert [prompt.text for prompt in found.prompts] == [text]
    assert sentence in found.unknown


def test_prompts_that_nobody_names_or_can_read_are_unknown(project: ProjectPaths) -> None:
    paths = a_run(project, A, events=[sample(drawn(project, "x.png"), 4, 0)])
    assert f"The prompts of {A} are not known: its config does not name them." in story(project).unknown
    paths.sample_prompts_path(".json").write_text("[1]", encoding="utf-8")
    sentence = f"The prompts of {A} cannot be read: sample_prompts.json in its folder is damaged."
    assert sentence in story(project).unknown


def test_prompts_that_changed_on_the_way_are_said_to_differ(project: ProjectPaths) -> None:
    first = a_run(project, A, events=[step(1), *(sample(drawn(project, f"{n}.png"), 1, n) for n in (0, 1))])
    later = a_run(project, B, events=[step(2), sample(drawn(project, "2.png"), 2, 0)], parent=A, start_step=1)
    first.sample_prompts_path(".txt").write_text("a cat\na dog\n", encoding="utf-8")
    later.sample_prompts_path(".txt").write_text("a bird\n", encoding="utf-8")
    found = story(project, B)
    assert [prompt.text for prompt in found.prompts] == ["a bird", "a dog"]
    sentence = f"The samples that {A} drew are of other prompts than those of the runs after it: no. 0, counted from 0."
    assert sentence in found.unknown


# --- folders


def test_folders_are_found_again_and_some_of_their_pictures_shown(project: ProjectPaths) -> None:
    balanced = pictures(project.image_dir / "7_ohwx cat", 20)
    same = pictures(project.image_dir / "10_zwx dog", 2)
    pictures(project.image_dir / "05_zwx dog", 1)
    (same / "notes.txt").write_text("of mine", encoding="utf-8")
    if hasattr(os, "mkfifo"):
        os.mkfifo(same / "00.jpg")
    concepts = [concept("10_ohwx cat"), concept("10_zwx dog"), concept("1_cat", is_reg=True)]
    a_run(project, A, concepts=concepts)
    found = story(project).concepts
    assert [one.folder_now for one in found] == [balanced, same, None]
    assert [path.name for path in found[0].pictures] == [f"{n:02d}.png" for n in (0, 3, 5, 8, 11, 14, 16, 19)]
    assert [path.name for path in found[1].pictures] == ["00.png", "01.png"]
    assert [one.images_now for one in found][::2] == [20, None]


def test_folders_lie_where_the_config_says(project: ProjectPaths, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "elsewhere" / "10_ohwx cat", 1)
    config = {"train_data_dir": str(folder.parent), "reg_data_dir": str(tmp_path / "none")}
    a_run(project, A, config, concepts=[concept("10_ohwx cat")])
    assert story(project).concepts[0].folder_now == folder


def test_a_project_that_was_copied_is_told_by_its_copy(odd_path: Path) -> None:
    project = ProjectPaths(odd_path / "project")
    folder = pictures(project.image_dir / "10_ohwx cat", 1)
    prompts = project.root_dir / "prompts.txt"
    prompts.write_text("a cat\n", encoding="utf-8")
    picture = drawn(project, "lora_000001_00_20260102030405.png")
    config = {"train_data_dir": str(project.image_dir), "sample_prompts": str(prompts), "output_name": "lora"}
    output = an_output(project.output_dir / "lora.safetensors")
    events = [step(1), sample(picture, 1, 0), checkpoint(project.output_dir / "lora.safetensors", 1)]
    a_run(
        project, A, config, concepts=[concept(folder.name)], events=events, outputs=[output],
        project_dir=str(project.root_dir.resolve()),
    )  # fmt: skip
    copy = ProjectPaths(odd_path / "a copy")
    shutil.move(project.root_dir, copy.root_dir)
    found = story(copy)
    root = copy.root_dir.resolve()
    assert [(one.path, one.is_there) for one in found.samples] == [(root / picture.relative_to(project.root_dir), True)]
    assert [(one.path, one.is_there, bool(one.sha256)) for one in found.checkpoints] == [
        (root / "output" / "lora.safetensors", True, True)
    ]
    assert found.concepts[0].pictures == (root / "image_dir" / folder.name / "00.png",)
    assert found.prompts[0].text == "a cat"


# --- settings


def test_settings_come_with_source_and_default_and_without_secrets(project: ProjectPaths) -> None:
    env = {"HF_TOKEN": "hf_secret", "OMP_PROC_BIND": "true", "PROXY": "http://me:secret@proxy:3128"}
    config = {
        "network_dim": 16, "wandb_api_key": "secret", "pretrained_model_name_or_path": "/models/m.safetensors",
        "kohyatpl": {"env": env, "run": {"save_state_every": "2 s"}, "datasets": []},
    }  # fmt: skip
    record = {"sources": {"network_dim": "config.json line 3"}, "model": "/models/m.safetensors"}
    a_run(project, A, config, **record)
    found = story(project)
    rows = {row.key: (row.value, row.source, row.default) for row in found.settings}
    assert list(rows)[:2] == ["family", "pretrained_model_name_or_path"]
    assert rows["pretrained_model_name_or_path"][0] == "/models/m.safetensors"
    assert rows["network_dim"] == (16, "config.json line 3", None)
    assert rows["seed"][1:] == ("", None)
    assert rows["kohyatpl.run.save_state_every"] == ("2 s", "", "10 min")
    assert rows["kohyatpl.env.OMP_PROC_BIND"][0] == "true"
    assert "secret" not in json.dumps(story_json(found))
    assert rows["learning_rate"][2] == 2e-06
    assert found.unknown == (f"What {A} told while it ran is not known: its events.jsonl is gone.",)


def test_what_is_not_known_of_settings_is_said(project: ProjectPaths) -> None:
    paths = a_run(project, A, {"family": None})
    unknown = story(project).unknown
    sentence = f"Where the settings of {A} came from was not recorded: it was made by an earlier version."
    assert sentence in unknown
    assert "The trainer's defaults are not known: nothing tells which of its scripts was run." in unknown
    paths.config_path.write_text("{", encoding="utf-8")
    found = story(project)
    assert found.settings == ()
    assert f"The settings of {A} are not known: its config is missing or damaged." in found.unknown


# --- the whole


def test_a_live_run_is_told_as_far_as_it_is(project: ProjectPaths) -> None:
    problem = {
        "event": "problem", "time": 1001.5, "code": "run.slow", "severity": "warning", "where": "", "message": "Slow.",
        "fix": "Wait.", "step": 1,
    }  # fmt: skip
    paths = a_run(project, A, events=[step(1), problem, {**problem, "severity": "odd"}], state="running")
    with paths.events_path.open("a", encoding="utf-8") as file:
        file.write('{"event": "step", "ti')
    with locked(project):
        found = story(project)
    assert (found.detail.summary.state, found.numbers.steps) == ("running", (1,))
    assert [one.code for one in found.problems] == ["run.slow"]
    assert "A problem was found while the run was live, and what it was cannot be read." in found.unknown
    assert not [sentence for sentence in found.unknown if "line" in sentence]
    assert [sentence for sentence in story(project).unknown if sentence.startswith("1 line ")]


def test_as_json_it_has_every_number(project: ProjectPaths) -> None:
    picture = drawn(project, "lora_000001_00_20260102030405.png")
    events = [step(1, 0.1234567890123456, lr={"unet": 0.001}), sample(picture, 1, 0), step(2, None)]
    a_run(project, A, {"output_name": "lora"}, events=events, concepts=[concept("10_ohwx cat")])
    found = json.loads(json.dumps(story_json(story(project)), allow_nan=False))
    assert found["run"]["run_id"] == A
    assert found["steps"] == {
        "step": [1, 2], "time": [1001.0, 1002.0], "loss": [0.1234567890123456, None],
        "average_loss": [0.1234567890123456, None], "seconds": [None, 1.0], "lr": {"unet": [0.001, None]},
    }  # fmt: skip
    assert found["samples"] == [{"step": 1, "prompt": 0, "time": 1001.5, "path": str(picture), "is_there": True}]
    assert found["counts"]["samples_there"] == 1
    assert found["concepts"][0]["folder_now"] is None


def test_without_its_record_there_is_no_story(project: ProjectPaths) -> None:
    paths = a_run(project, A)
    run = find_run(project, A)
    paths.record_path.write_text("{", encoding="utf-8")
    with pytest.raises(ProjectError) as raised:
        story(project, run.run_id)
    assert raised.value.problems[0].code == "project.record.damaged"
