"""What a training writes: its files, states and sample pictures, when, and which of them it removes again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loratpl.plan.disk.samples import planned_samples
from loratpl.plan.outputs import PlannedFile, changes, planned_files, planned_states
from loratpl.plan.planner import make_plan
from tests.given import resolved, settings_of
from tests.plan.made import squares


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"max_train_epochs": 3}, [("x-000001", 10), ("x-000002", 20), ("x", 30)]),
        ({"max_train_steps": 25}, [("x-000001", 10), ("x-000002", 20), ("x", 25)]),
        ({"max_train_epochs": 1}, [("x", 10)]),
        ({"max_train_epochs": 5, "save_every_n_epochs": 2}, [("x-000002", 20), ("x-000004", 40), ("x", 50)]),
        ({"max_train_epochs": 4, "save_every_n_epochs": 2}, [("x-000002", 20), ("x", 40)]),
        ({"max_train_epochs": 2, "save_every_n_epochs": 100}, [("x", 20)]),
        (
            {"max_train_steps": 25, "save_every_n_steps": 10},
            [("x-step00000010", 10), ("x-step00000020", 20), ("x", 25)],
        ),
        ({"max_train_steps": 10, "save_every_n_steps": 5}, [("x-step00000005", 5), ("x-step00000010", 10), ("x", 10)]),
        (
            {"max_train_steps": 25, "save_every_n_steps": 15, "save_every_n_epochs": 1},
            [("x-000001", 10), ("x-step00000015", 15), ("x-000002", 20), ("x", 25)],
        ),
        ({"max_train_epochs": 10, "save_n_epoch_ratio": 3}, [(f"x-{n:06}", 10 * n) for n in (3, 6, 9)] + [("x", 100)]),
        ({"max_train_epochs": 2, "save_n_epoch_ratio": 20}, [("x-000001", 10), ("x", 20)]),
        ({"max_train_epochs": 2, "save_n_epoch_ratio": 0}, [("x", 20)]),
        (
            {"max_train_epochs": 4, "save_n_epoch_ratio": 2, "save_every_n_epochs": 1},
            [("x-000002", 20), ("x", 40)],
        ),
    ],
)
def test_the_files_of_ten_batches_an_epoch(
    tmp_path: Path, values: dict[str, Any], expected: list[tuple[str, int]]
) -> None:
    settings = settings_of(tmp_path, {"output_name": "x", "output_dir": "out", **values})
    files = planned_files(settings, make_plan(squares(10), settings))
    assert files == tuple(PlannedFile(tmp_path / "out" / f"{name}.safetensors", step) for name, step in expected)


@pytest.mark.parametrize("suffix", ["ckpt", "pt", "safetensors"])
def test_the_kind_of_file_is_its_extension(tmp_path: Path, suffix: str) -> None:
    settings = settings_of(tmp_path, {"save_model_as": suffix, "output_name": "my lora"})
    files = planned_files(settings, make_plan(squares(1), settings))
    assert {file.path.suffix for file in files} == {f".{suffix}"}
    assert files[-1].path == tmp_path / "output" / f"my lora.{suffix}"


def names_and_ends(outputs: Any) -> list[tuple[str, int | None]]:
    return [(output.path.name.removesuffix(".safetensors"), output.removed_at) for output in outputs]


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        # Measured on the trainer: 6 epochs, of which the last 2 are kept; 12 steps, of which those within 4.
        ({"max_train_epochs": 6, "save_last_n_epochs": 2}, ["000004", "000005", ""]),
        ({"max_train_steps": 12, "save_every_n_steps": 2, "save_last_n_steps": 4}, ["step8", "step10", "step12", ""]),
        ({"max_train_epochs": 6, "save_every_n_epochs": 2, "save_last_n_epochs": 1}, ["000004", ""]),
        ({"max_train_epochs": 6, "save_last_n_epochs": 0}, [""]),  # it removes what it has just written
        ({"max_train_epochs": 3, "save_last_n_epochs": 5}, ["000001", "000002", ""]),
        (
            {"max_train_steps": 30, "save_every_n_steps": 10, "save_last_n_steps": 30},
            ["step10", "step20", "step30", ""],
        ),
        (
            {"max_train_steps": 50, "save_every_n_steps": 10, "save_last_n_steps": 30},
            ["step20", "step30", "step40", "step50", ""],
        ),
        ({"max_train_epochs": 4, "save_n_epoch_ratio": 4, "save_last_n_epochs": 1}, ["000003", ""]),
    ],
)
def test_which_files_are_left_in_the_end(tmp_path: Path, values: dict[str, Any], kept: list[str]) -> None:
    settings = settings_of(tmp_path, {"output_name": "x", **values})
    left = [file.path.stem for file in planned_files(settings, make_plan(squares(10), settings)) if not file.removed_at]
    assert left == [
        "x" if not name else f"x-step{int(name[4:]):08}" if name.startswith("step") else f"x-{name}" for name in kept
    ]


def test_when_a_file_is_removed(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, {"output_name": "x", "max_train_epochs": 4, "save_last_n_epochs": 1})
    files = planned_files(settings, make_plan(squares(10), settings))
    assert names_and_ends(files) == [("x-000001", 20), ("x-000002", 30), ("x-000003", None), ("x", None)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        ({"save_state_to_huggingface": True}, []),  # it sends away what others write
        ({"save_state_on_train_end": True}, [("x-state", None)]),
        ({"save_state": True}, [("x-000001-state", None), ("x-000002-state", None), ("x-state", None)]),
        (
            {"save_state": True, "save_last_n_epochs": 1},
            [("x-000001-state", 20), ("x-000002-state", None), ("x-state", None)],
        ),
        (
            {"save_state": True, "save_last_n_epochs": 2, "save_last_n_epochs_state": 1},
            [("x-000001-state", 20), ("x-000002-state", None), ("x-state", None)],
        ),
        (  # a 0 is no number of states to the trainer
            {"save_state": True, "save_last_n_epochs": 1, "save_last_n_epochs_state": 0},
            [("x-000001-state", 20), ("x-000002-state", None), ("x-state", None)],
        ),
        (
            {"save_state": True, "save_every_n_epochs": None, "save_every_n_steps": 10, "save_last_n_steps_state": 9},
            [
                ("x-step00000010-state", 20), ("x-step00000020-state", 30), ("x-step00000030-state", None),
                ("x-state", None),
            ],
        ),
    ],
)  # fmt: skip
def test_states_of_three_epochs(tmp_path: Path, values: dict[str, Any], expected: list[tuple[str, int | None]]) -> None:
    settings, _ = resolved(tmp_path, {"output_name": "x", "max_train_epochs": 3, **values})
    assert names_and_ends(planned_states(settings, make_plan(squares(10), settings))) == expected


def test_a_saving_writes_all_before_it_removes_anything(tmp_path: Path) -> None:
    values = {"output_name": "x", "max_train_epochs": 3, "save_last_n_epochs": 1, "save_state": True}
    settings = settings_of(tmp_path, values)
    plan = make_plan(squares(10), settings)
    order = [
        (change.output.path.name, change.is_removal)
        for change in changes(planned_files(settings, plan), planned_states(settings, plan))
    ]
    assert order == [
        ("x-000001.safetensors", False), ("x-000001-state", False),
        ("x-000002.safetensors", False), ("x-000002-state", False),
        ("x-000001.safetensors", True), ("x-000001-state", True),
        ("x.safetensors", False), ("x-state", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "steps"),
    [
        ({}, ()),
        ({"sample_at_first": True}, (0,)),
        ({"sample_every_n_epochs": 1}, (10, 20, 25)),
        ({"sample_every_n_epochs": 2}, (20,)),
        ({"sample_every_n_steps": 10}, (10, 20)),
        ({"sample_every_n_steps": 5, "sample_every_n_epochs": 3}, (25,)),  # steps do not count then
        ({"sample_every_n_steps": 20, "sample_at_first": True}, (0, 20)),
    ],
)
def test_when_samples_are_drawn_in_25_steps(tmp_path: Path, values: dict[str, Any], steps: tuple[int, ...]) -> None:
    (tmp_path / "prompts.txt").write_text("a cat\n", encoding="utf-8")
    settings, _ = resolved(tmp_path, {"max_train_steps": 25, "sample_prompts": "prompts.txt", **values})
    samples = planned_samples(settings, make_plan(squares(10), settings))
    assert samples.steps == steps
    assert samples.pictures == len(steps)


@pytest.mark.parametrize(
    ("name", "text", "sizes"),
    [
        ("p.txt", "a cat\n# none\n\n # a prompt\na dog --W 768 --h 100 --d 1\n", [(512, 512), (512, 512), (768, 96)]),
        ("p.txt", "a --w 10\n", [(64, 512)]),
        (
            "p.toml",
            '[prompt]\nwidth = 640\n[[prompt.subset]]\nprompt = "a"\n[[prompt.subset]]\nheight = 320\n',
            [(640, 512), (640, 320)],
        ),
        ("p.json", '["a --h 256", {"prompt": "b", "width": 1024}]', [(512, 256), (1024, 512)]),
        ("p.json", "[1]", None),
        ("p.json", "{", None),
        ("p.toml", "[other]\n", None),
        ("p.csv", "a cat\n", None),  # the trainer ends on it
        ("p.txt", "\udcff", None),
    ],
)  # fmt: skip
def test_the_prompts_of_each_kind_of_file(
    odd_path: Path, name: str, text: str, sizes: list[tuple[int, int]] | None
) -> None:
    (odd_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    settings, _ = resolved(odd_path, {"sample_prompts": name, "sample_at_first": True})
    samples = planned_samples(settings, make_plan(squares(1), settings))
    assert samples.prompts == (None if sizes is None else tuple(sizes))
    assert samples.pictures == (None if sizes is None else len(sizes))


def test_without_the_file_nothing_is_drawn(tmp_path: Path) -> None:
    settings, _ = resolved(tmp_path, {"sample_prompts": "gone.txt", "sample_every_n_epochs": 1})
    assert planned_samples(settings, make_plan(squares(1), settings)).pictures == 0
