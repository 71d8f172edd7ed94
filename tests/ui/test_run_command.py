"""`kohyatpl run` as a person and as a program see it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from loratpl.ui.cli.parameters import quoted
from tests.command_line import kohyatpl
from tests.stand_in import StandIn, make_trainable_project, oddest


def test_a_person_is_told_what_came_out_and_where(tmp_path: Path, stand_in: StandIn) -> None:
    odd_path = oddest(tmp_path)
    root = make_trainable_project(odd_path / "project").resolve()
    done = kohyatpl("run", root)
    (run_dir,) = (root / "log").iterdir()
    assert done.code == 0
    assert done.stdout.splitlines() == [
        "Trained 6 steps as planned.",
        f"  LoRA    {root / 'output' / 'lora.safetensors'}",
        "  proven  1 of 1 layers changed, no NaN",
        f"  record  {run_dir}",
        f"  look    kohyatpl report --project {quoted(root)}",
    ]


def test_progress_goes_to_stderr_in_plain_lines(tmp_path: Path, stand_in: StandIn) -> None:
    done = kohyatpl("run", make_trainable_project(tmp_path / "project", step_s=0.05))
    lines = [re.sub(r"  [0-9.]+ (it/s|s/it)  left .*", "", line) for line in done.stderr.splitlines()]
    assert [line for line in lines if not line.startswith(("epoch ", "checkpoint "))] == [
        "6 steps in 3 epochs, 2 batches each",
        "starting the trainer",
        "reading pictures and captions",
        "training",
        "step 1/6  loss 1.0000",
        "step 6/6  loss 0.1667",
        "saving",
        "looking at what came out",
    ]
    assert [line.partition("  ")[0] for line in lines if line.startswith("epoch ")] == [
        "epoch 1 done",
        "epoch 2 done",
        "epoch 3 done",
    ]
    assert [line for line in lines if line.startswith("checkpoint ")] == ["checkpoint lora.safetensors after step 6"]


def test_a_lora_with_nan_in_it_is_an_error(tmp_path: Path, stand_in: StandIn) -> None:
    done = kohyatpl("run", make_trainable_project(tmp_path / "project", fault="nan"))
    assert "error: lora.safetensors has NaN" in done.stderr
    assert "  fix: Train with a lower learning rate" in done.stderr
    assert done.stdout == ""


def test_a_lora_that_cannot_be_proven_is_not_said_to_be(tmp_path: Path, stand_in: StandIn) -> None:
    done = kohyatpl("run", make_trainable_project(tmp_path / "project", save_model_as="ckpt"))
    assert done.code == 0
    assert "proven" not in done.stdout
    assert "warning: lora.ckpt was written, but its kind of file cannot be looked into" in done.stderr


def test_programs_get_each_event_on_a_line_and_the_record_last(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(oddest(tmp_path) / "project")
    done = kohyatpl("run", root, "--json")
    *events, last = map(json.loads, done.stdout.splitlines())
    (run_dir,) = (root / "log").iterdir()
    kept = [json.loads(line) for line in (run_dir / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    assert events == kept
    assert [event["step"] for event in events if event["event"] == "step"] == [1, 2, 3, 4, 5, 6]
    assert all(isinstance(event["time"], float) for event in events)
    assert last["data"] == json.loads((run_dir / "run.json").read_bytes())
    assert done.envelope["data"]["state"] == "finished"
    assert done.stderr == ""


def test_a_setting_can_be_given_for_this_time_only(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project")
    before = (root / "config.json").read_bytes()
    done = kohyatpl("run", root, "--json", "--set", "max_train_steps=4", "--set", "output_name=short", "--name", "try")
    assert done.code == 0
    assert done.envelope["data"]["last_step"] == 4
    assert done.envelope["data"]["run_id"].endswith("-try")
    assert (root / "output" / "short.safetensors").is_file()
    assert (root / "config.json").read_bytes() == before


def test_every_problem_is_told_at_once(tmp_path: Path, stand_in: StandIn) -> None:
    root = make_trainable_project(tmp_path / "project", lerning_rate=1, network_dim="many")
    (root / "image_dir" / "1_ohwx cat" / "1.png").write_text("not a picture", encoding="utf-8")
    done = kohyatpl("run", root, "--json")
    assert done.code == 3
    assert {problem["code"] for problem in done.problems} == {
        "config.key.unknown", "config.value", "dataset.image.unreadable",
    }  # fmt: skip
    assert list((root / "log").iterdir()) == []
