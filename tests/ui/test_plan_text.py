"""What a person reads of a plan: right numbers, in 80 columns, on any terminal."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loratpl.config.settings import Settings
from loratpl.dataset.scan import Dataset
from loratpl.plan.outputs import planned_files
from loratpl.plan.planner import make_plan
from loratpl.ui.columns import width_of
from loratpl.ui.plan_text import Terminal, plan_lines
from tests.given import settings_of
from tests.plan.made import concept, dataset

SQUARE = (512, 512)
WIDE = (768, 512)
UTF_8 = Terminal(80, "utf-8")
TWO_DATASETS = {"datasets": [{"resolution": "512"}, {"resolution": "768", "train_batch_size": 2}]}


def _lines(
    folder: Path,
    pictures: Dataset,
    values: dict[str, Any] | None = None,
    *,
    terminal: Terminal = UTF_8,
    processes: int | None = None,
) -> list[str]:
    resolved = settings_of(folder, {"output_name": "ohwx", **(values or {})})
    plan = make_plan(pictures, resolved, processes)
    return plan_lines(resolved, plan, planned_files(resolved, plan), terminal)


def _text(folder: Path, pictures: Dataset, values: dict[str, Any] | None = None, **how: Any) -> str:
    """Returns the lines as one text with single blanks."""
    return " ".join(" ".join(_lines(folder, pictures, values, **how)).split())


def test_concepts_are_a_table_with_shares(tmp_path: Path) -> None:
    pictures = dataset(concept(200, *[SQUARE] * 12), concept(1, SQUARE, is_reg=True, name="cat"))
    lines = _lines(tmp_path, pictures)
    assert [line.split() for line in lines[:3]] == [
        ["concept", "images", "repeats", "views", "share"],
        ["200_ohwx", "cat", "12", "200", "2,400", "50.0", "%"],
        ["1_cat", "1", "1", "2,400", "50.0", "%", "reg"],
    ]
    assert "reg" not in _lines(tmp_path, dataset(concept(2, SQUARE)))[1]


def test_buckets_are_a_chart(tmp_path: Path) -> None:
    lines = _lines(tmp_path, dataset(concept(3, *[SQUARE] * 3, WIDE, (256, 256))))
    start = lines.index("Buckets: 512 × 512, batch size 1, 1 concept")
    square, wide = lines[start + 2], lines[start + 3]
    assert square.split()[:7] == ["512", "×", "512", "4", "12", "80.0", "%"]
    assert square.split()[-4:] == ["100", "%", "×", "1.25"]
    assert wide.split()[:7] == ["640", "×", "384", "1", "3", "20.0", "%"]
    assert wide.split()[-4:] == ["89.9", "%", "×", "0.83"]
    # Its bar is a quarter of the longest, to an eighth of a column.
    room = square.count("█")
    whole, eighths = divmod(2 * room, 8)
    assert wide.split()[7] == "█" * whole + " ▏▎▍▌▋▊▉"[eighths].strip()


def test_the_way_from_pictures_to_steps_is_said_in_one_sentence(tmp_path: Path) -> None:
    pictures = dataset(concept(10, *[SQUARE] * 7, *[WIDE] * 5), concept(1, *[SQUARE] * 6, is_reg=True, name="cat"))
    text = _text(tmp_path, pictures, {"train_batch_size": 4, "max_train_epochs": 10})
    assert (
        "12 images × 10 repeats = 120 views + 120 of regularisation = 240 → in batches of 4: 61 batches "
        "→ 61 steps per epoch × 10 epochs = 610 steps" in text
    )
    assert "its last batch may be short: 1 batch more than if all pictures had one size." in text
    assert "give 6 views; the trainer repeats them until they are as many as the training's: 120." in text


def test_regularisation_images_that_are_not_used_are_named(tmp_path: Path) -> None:
    pictures = dataset(concept(1, SQUARE, SQUARE), concept(1, *[SQUARE] * 6, is_reg=True, name="cat"))
    assert "give 6 views; the trainer uses no more than the training has: 2." in _text(tmp_path, pictures)


def test_processes_accumulation_and_a_last_epoch_that_ends_early_are_explained(tmp_path: Path) -> None:
    pictures = dataset(concept(10, *[SQUARE] * 5), concept(5, *[SQUARE] * 2, name="ohwx dog"))
    values = {"gradient_accumulation_steps": 4, "max_train_steps": 20}
    text = _text(tmp_path, pictures, values, processes=2)
    assert (
        "7 images × their repeats = 60 views → in batches of 1: 60 batches → for 2 processes: 30 each "
        "→ 4 batches a step → 8 steps per epoch, in 3 epochs: 20 steps" in text
    )
    assert "The last epoch ends early, after 4 of 8 steps: `max_train_steps` is 20." in text


def test_nothing_is_explained_that_is_plain(tmp_path: Path) -> None:
    lines = _lines(tmp_path, dataset(concept(10, *[SQUARE] * 5)), {"max_train_epochs": 2})
    text = "\n".join(lines)
    assert "5 images × 10 repeats = 50 views → in batches of 1: 50 batches → 50 steps per" in text
    for word in ("processes", "batches a step", "early", "regularisation", "validation", "short", "lose", "enlarged"):
        assert word not in text


def test_each_dataset_has_its_own_chart(tmp_path: Path) -> None:
    text = _text(tmp_path, dataset(concept(2, SQUARE, WIDE)), {"kohyatpl": TWO_DATASETS})
    assert "Dataset 1 of 2: 512 × 512, batch size 1, 1 concept" in text
    assert "Dataset 2 of 2: 768 × 768, batch size 2, 1 concept" in text
    assert "2 images × 2 repeats, in 2 datasets = 8 views → in batches of 1 or 2: 6 batches" in text


def test_pictures_of_the_validation_are_counted(tmp_path: Path) -> None:
    values = {"validation_split": 0.2, "validation_seed": 1, "kohyatpl": TWO_DATASETS}
    text = _text(tmp_path, dataset(concept(1, *[SQUARE] * 10)), values)
    assert "8 images × 1 repeat, in 2 datasets = 16 views" in text
    assert "2 pictures are kept for the validation" in text


def test_what_is_cut_or_enlarged_most_is_named(tmp_path: Path) -> None:
    sizes = [(3000, 300), WIDE, *[(200 + number, 200 + number) for number in range(7)]]
    lines = _lines(tmp_path, dataset(concept(1, *sizes)))
    at = lines.index("1 picture loses more than 15 % to cropping:")
    assert lines[at + 1].split() == ["60.0", "%", "3000", "×", "300", "→", "1024", "×", "256", "1_ohwx", "cat/000.png"]
    assert lines[at + 2] == ""
    at = lines.index("7 pictures are enlarged more than 1.5 times, the first 5:")
    assert lines[at + 1].split() == ["×", "2.56", "200", "×", "200", "→", "512", "×", "512", "1_ohwx", "cat/002.png"]
    assert lines[at + 5].split()[-1] == "cat/006.png"
    assert lines[at + 6] == ""


def test_files_are_counted_and_the_first_and_the_last_named(tmp_path: Path) -> None:
    values = {"max_train_epochs": 10, "save_last_n_epochs": 3}
    assert _lines(tmp_path, dataset(concept(1000, SQUARE)), values)[-3:] == [
        "10 files will be written; 6 of them are removed again:",
        "  first  step 1,000      ohwx-000001.safetensors",
        "  last   step 10,000     ohwx.safetensors",
    ]
    assert _lines(tmp_path, dataset(concept(2, SQUARE)), {"max_train_epochs": 1})[-2:] == [
        "One file will be written:",
        "  last   step 2          ohwx.safetensors",
    ]


def test_of_300_concepts_the_largest_and_the_smallest_are_shown(tmp_path: Path) -> None:
    pictures = dataset(*(concept(number, SQUARE, name=f"c{number}") for number in range(1, 301)))
    lines = _lines(tmp_path, pictures)
    head = lines[: lines.index("")]
    assert len(head) == 26
    assert head[1].split()[0] == "300_c300"
    assert head[13] == "  … 276 more concepts, 13 to 288 views each …"
    assert head[-1].split()[0] == "1_c1"
    alike = dataset(*(concept(2, SQUARE, name=f"c{number}") for number in range(300)))
    assert "  … 276 more concepts, 2 views each …" in _lines(tmp_path, alike)


def test_of_200_buckets_the_largest_are_shown(tmp_path: Path) -> None:
    sizes = [(64 * wide, 64 * high) for wide in range(4, 20) for high in range(4, 20)]
    values = {"bucket_no_upscale": True, "resolution": "2048", "max_bucket_reso": 2048}
    lines = _lines(tmp_path, dataset(concept(1, *sizes, *[(64 * 4, 64 * 4)] * 9)), values)
    assert "  … 232 smaller buckets with 232 views in all" in lines
    assert sum(" × " in line and "█" in line for line in lines) == 24
    assert any(line.split()[:5] == ["256", "×", "256", "10", "10"] for line in lines)


def test_a_terminal_without_blocks_gets_ascii_alone(tmp_path: Path) -> None:
    pictures = dataset(
        concept(10, SQUARE, WIDE, (3000, 300), (200, 200), name="ñandú 日本 " * 9), concept(1, SQUARE, is_reg=True)
    )
    for encoding in ("ascii", "cp1252", "no such encoding"):
        lines = _lines(tmp_path, pictures, terminal=Terminal(80, encoding))
        if encoding != "cp1252":
            assert "\n".join(lines).isascii()
        else:
            assert "\n".join(lines).encode(encoding)
        assert any("##" in line for line in lines)
        assert max(map(width_of, lines)) <= 80


@pytest.fixture(scope="module")
def resolved(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The settings of a config that says next to nothing."""
    return settings_of(tmp_path_factory.mktemp("law"), {"train_batch_size": 2})


_NAME = st.text(st.characters(codec=None, exclude_characters="/\0"), min_size=1, max_size=90)


@settings(deadline=None)
@given(names=st.lists(_NAME, min_size=1, max_size=5), width=st.integers(72, 100), seed=st.integers(0, 99))
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp932"])
def test_whatever_folders_are_called_the_lines_fit_and_can_be_written(
    resolved: Settings, encoding: str, names: list[str], width: int, seed: int
) -> None:
    draw = random.Random(seed)
    pictures = dataset(
        *(
            concept(
                draw.randint(1, 99_999),
                *[(draw.randint(100, 9000), draw.randint(100, 9000)) for _ in range(5)],
                name=name,
            )
            for name in dict.fromkeys(names)
        )
    )
    plan = make_plan(pictures, resolved)
    lines = plan_lines(resolved, plan, planned_files(resolved, plan), Terminal(width, encoding))
    assert max(map(width_of, lines)) <= width
    "\n".join(lines).encode(encoding)
    assert all(line.splitlines() in ([line], []) and "\x1b" not in line for line in lines)
