"""What metadata says in words, and the hash in it."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import numpy as np
import pytest

from loratpl.report.inspect import inspect_file
from loratpl.report.inspect.hashing import MAX_UNASKED_BYTES
from loratpl.report.inspect.metadata import Bucket, Folder, describe
from loratpl.report.inspect.words import FIELDS, HEADINGS
from loratpl.ui.inspect_text import inspection_lines
from tests.report.inspect.made_files import lora, weights_file

FOLDER_MODE = {
    "ss_dataset_dirs": json.dumps({"10_ohwx cat": {"n_repeats": 10, "img_count": 9}}),
    "ss_reg_dataset_dirs": json.dumps({"1_cat": {"n_repeats": 1, "img_count": 5}}),
    "ss_tag_frequency": json.dumps({"10_ohwx cat": {"ohwx cat": 9, " sitting": 2}, "1_cat": {"sitting": 3}}),
    "ss_bucket_info": json.dumps({"buckets": {"0": {"resolution": [512, 768], "count": 90}}, "mean_img_ar_error": 0.0}),
    "ss_training_started_at": "1700000000.5",
    "ss_resolution": "(512, 768)",
    "ss_lowram": "False",
    "ss_seed": "42",
    "ss_vae_name": "None",
    "ss_network_args": '{"conv_dim": "4", "algo": "lora"}',
    "training_info": '{"step": 2000, "epoch": 10}',
    "strange": "value",
}


def test_fields_are_told_in_words() -> None:
    said = describe(FOLDER_MODE)
    texts = {field.words: field.text for field in said.fields}
    assert texts == {
        "training started": "2023-11-14 22:13:20 UTC",
        "resolution": "512x768",
        "seed": "42",
        "arguments": "conv_dim=4, algo=lora",
        "trained for": "step 2000, epoch 10",
    }
    assert said.folders == (Folder("10_ohwx cat", 10, 9, is_reg=False), Folder("1_cat", 1, 5, is_reg=True))
    assert said.tags == (("ohwx cat", 9), ("sitting", 5))
    assert said.buckets == (Bucket(512, 768, 90),)
    assert set(said.off) == {"ss_lowram", "ss_vae_name"}
    assert said.unknown == (("strange", "value"),)
    assert said.faults == ()


def test_what_does_not_count_or_repeats_another_is_left_out() -> None:
    said = describe({
        "ss_loss_type": "l2", "ss_huber_c": "0.1", "ss_caption_dropout_rate": "0.0", "ss_session_id": "5",
        "ss_sd_scripts_commit_hash": "48d3", "modelspec.implementation_version": "sd-scripts/48d3",
        "ss_new_sd_model_hash": "IsADirectory",
    })  # fmt: skip
    assert {field.key for field in said.fields} == {
        "ss_loss_type", "modelspec.implementation_version", "ss_new_sd_model_hash",
    }  # fmt: skip
    assert set(said.off) == {"ss_huber_c", "ss_caption_dropout_rate"}
    assert "none, for it is a folder" in {field.text for field in said.fields}
    assert {field.key for field in describe({"ss_loss_type": "huber", "ss_huber_c": "0.1"}).fields} >= {"ss_huber_c"}


def test_datasets_of_a_config_are_told_alike() -> None:
    dataset = {
        "resolution": [512, 512],
        "bucket_info": {"buckets": {"0": {"resolution": [512, 512], "count": 4}}},
        "subsets": [
            {"image_dir": "a", "num_repeats": 2, "img_count": 2, "is_reg": False},
            {"class_tokens": "cat", "is_reg": True},
        ],
        "tag_frequency": {"a": {"x": 2}},
    }
    said = describe({"ss_datasets": json.dumps([dataset])})
    assert said.folders == (Folder("a", 2, 2, is_reg=False), Folder("cat", 0, 0, is_reg=True))
    assert (said.buckets, said.tags) == ((Bucket(512, 512, 4),), (("x", 2),))


@pytest.mark.parametrize(
    "text",
    ["no JSON", "[" * 100_000, "5", '"text"', '{"a": ' * 50_000, "NaN", "{" + "1" * 5_000_000, "\ud800"],
    ids=lambda text: text[:20],
)
def test_fields_that_hold_something_else_are_told(text: str) -> None:
    keys = {"ss_dataset_dirs", "ss_tag_frequency", "ss_bucket_info", "ss_datasets", "ss_reg_dataset_dirs"}
    said = describe(dict.fromkeys(keys, text))
    assert set(said.faults) == keys
    assert (said.folders, said.tags, said.buckets) == ((), (), ())


@pytest.mark.parametrize(
    "value",
    [
        {"a": 5}, {"a": {"n_repeats": "x", "img_count": None}}, [1, [2]], {"buckets": [1]}, {"buckets": {"0": 1}},
        {"buckets": {"0": {"resolution": [1, "2"]}}}, [{"subsets": 5}], [{"subsets": [5], "bucket_info": 5}],
        {"a": {"tag": "many", "other": 1.5}},
    ],
)  # fmt: skip
def test_no_shape_of_json_breaks_it(value: object) -> None:
    describe(dict.fromkeys(("ss_dataset_dirs", "ss_tag_frequency", "ss_bucket_info", "ss_datasets"), json.dumps(value)))


@pytest.mark.parametrize("text", ["1e400", "-5", "nan", "inf", "yesterday", "99999999999999"])
def test_a_time_that_is_none_is_told_as_it_stands(text: str) -> None:
    (field,) = describe({"ss_training_started_at": text}).fields
    assert field.text == text


def test_only_the_most_frequent_tags_are_shown(tmp_path: Path) -> None:
    tags = {f"tag {number}": 100 - number for number in range(50)}
    path = weights_file(tmp_path / "a.safetensors", lora("lora_unet_x"), {"ss_tag_frequency": json.dumps({"a": tags})})
    text = " ".join("\n".join(inspection_lines([inspect_file(path)])).split())
    assert "tag 0 100, tag 1 99" in text
    assert "tag 19 81; and 30 others" in text


def test_every_field_has_words_of_its_own_under_its_heading() -> None:
    assert {heading for heading, _ in FIELDS.values()} == set(HEADINGS)
    shown = [known for key, known in FIELDS.items() if key not in ("ss_output_name", "name")]
    assert len(set(shown)) == len(shown)


# --- the hash


def test_a_hash_is_compared(tmp_path: Path) -> None:
    path = weights_file(tmp_path / "a.safetensors", lora("lora_unet_x"), hashed=True)
    assert inspect_file(path).hash.state == "equal"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    found = inspect_file(path)
    assert found.hash.state == "different"
    assert [(problem.code, problem.severity) for problem in found.problems] == [("project.weights.hash", "warning")]
    assert found.is_whole


def test_a_file_that_says_no_hash_is_not_hashed(tmp_path: Path) -> None:
    assert inspect_file(weights_file(tmp_path / "a.safetensors", lora("lora_unet_x"))).hash.state == "none"


def test_a_hash_of_lycoris_is_over_an_order_that_the_file_does_not_hold(tmp_path: Path) -> None:
    metadata = {"ss_network_module": "lycoris.kohya", "sshs_model_hash": f"0x{'9a' * 32}"}
    found = inspect_file(weights_file(tmp_path / "a.safetensors", lora("lora_unet_x"), metadata))
    assert found.hash.state == "not comparable"
    assert found.problems == ()


def test_a_large_file_is_hashed_only_when_it_is_read_anyway(tmp_path: Path) -> None:
    tensors = {**lora("lora_unet_x"), "lora_unet_y.diff": np.zeros(MAX_UNASKED_BYTES, np.uint8)}
    path = weights_file(tmp_path / "a.safetensors", tensors, hashed=True)
    assert inspect_file(path).hash.state == "not compared"
    assert inspect_file(path, with_values=True).hash.state == "equal"


@pytest.mark.trainer
def test_every_field_that_the_trainer_writes_has_words(installed_trainer: object) -> None:
    """Its own source names them: each key of the metadata that `train_network.py` and its siblings build."""
    source_dir = installed_trainer.paths.source_dir  # type: ignore[attr-defined]
    keys = set()
    for script in (*source_dir.glob("*train_network.py"), source_dir / "library" / "train_util.py"):
        for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and text.startswith("ss_") and text.strip("_").count("_"):
                keys.add(text)
    assert len(keys) > 80
    assert keys - set(FIELDS) == set()
