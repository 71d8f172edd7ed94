"""A config of ours made of another one: its meaning stays, nothing refused goes lost, no secret comes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loratpl.config.gui.rows_families import BOXES
from loratpl.config.gui.translation import translate
from loratpl.config.importing import Imported, import_config
from loratpl.config.modelspec import CAN_BE_KEPT_OUT
from loratpl.config.reading import RawConfig, read_config
from loratpl.config.secrets import SECRET_OPTIONS
from loratpl.config.settings import Settings, resolve
from tests.config.gui.second_generation import SECOND_GENERATION
from tests.config.gui.test_keys import FIRST_GENERATION
from tests.given import write_config


def imported(folder: Path, values: dict[str, Any], out: str | None = "new.json") -> Imported:
    raw = read_config(write_config(folder, values, "old.json"))
    return import_config(raw, None if out is None else folder / out)


def reread(folder: Path, found: Imported) -> Settings:
    """Returns what the new config means, once it is certain that nothing is wrong with it."""
    values = json.loads(json.dumps(dict(found.values)))
    raw = RawConfig(folder / "new.json", values, {})
    assert not translate(raw).is_gui
    new, problems = resolve(raw, project_name="cats")
    assert [problem for problem in problems if not problem.code.startswith(("config.model", "config.vae"))] == []
    return new


def meant(options: Settings) -> dict[str, Any]:
    return {name: s.value for name, s in options.options.items() if s.value not in (None, False)}


@pytest.mark.parametrize(
    "values",
    [
        FIRST_GENERATION,
        {**FIRST_GENERATION, "save_every_n_epochs": "", "save_precision": "", "lr_scheduler": "cosine", "epoch": "7"},
        SECOND_GENERATION,
        *({**SECOND_GENERATION, box: True} for box in BOXES),
        {**SECOND_GENERATION, "save_every_n_epochs": 0, "xformers": "none", "cache_latents": False},
        {**SECOND_GENERATION, "num_processes": 2, "gpu_ids": "0,1", "additional_parameters": "--max_grad_norm=0"},
        {"network_dim": 8, "learning_rate": "1e-4", "caption_extension": "txt", "kohyatpl": {"launch": {"threads": 2}}},
        {"family": "sdxl", "reg_data_dir": False},
        {"metadata_tags": False, "metadata_author": False, "metadata_title": "Cats"},
    ],
)
def test_the_new_config_means_what_the_old_one_meant(tmp_path: Path, values: dict[str, Any]) -> None:
    old = resolve(read_config(write_config(tmp_path, values, "old.json")), project_name="cats")[0]
    new = reread(tmp_path, imported(tmp_path, values))
    assert meant(new) == meant(old)
    assert [name for name in CAN_BE_KEPT_OUT if new[name] is not old[name]] == []
    assert (new.family, new.block) == (old.family, old.block)


_CHANGES = st.dictionaries(
    st.sampled_from(sorted(SECOND_GENERATION.keys() - SECRET_OPTIONS.keys())),
    st.one_of(st.just(0), st.just(""), st.just(None), st.just(0.5), st.just(7), st.booleans(), st.just("constant")),
    max_size=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_CHANGES)
def test_whatever_the_old_config_says_is_kept_or_judged_again(tmp_path: Path, changes: dict[str, Any]) -> None:
    raw = RawConfig(tmp_path / "old.json", {**SECOND_GENERATION, **changes}, {})
    old, problems = resolve(raw, project_name="cats")
    found = import_config(raw, tmp_path / "new.json")
    assert {problem.severity for problem in found.problems} <= {"warning"}
    new_raw = RawConfig(tmp_path / "new.json", json.loads(json.dumps(dict(found.values))), {})
    new, new_problems = resolve(new_raw, project_name="cats")
    refused = [p for p in problems if p.severity == "error" and not p.code.startswith("config.model")]
    refused_again = [p for p in new_problems if p.severity == "error" and not p.code.startswith("config.model")]
    assert bool(refused) == bool(refused_again)
    if not refused:
        samples = ("sample_prompts", "sample_every_n_steps", "sample_every_n_epochs")  # they get their file here
        old_meant, new_meant = ({k: v for k, v in meant(s).items() if k not in samples} for s in (old, new))
        assert new_meant == old_meant


def test_what_is_refused_stays_as_it_was_written(tmp_path: Path) -> None:
    found = imported(
        tmp_path,
        {
            **SECOND_GENERATION,
            "epoch": "1.5",
            "optimiser": "Lion",
            "mixed_precision": "fp8",
            "dataset_config": "a.toml",
        },
    )
    kept = {"epoch": "1.5", "optimiser": "Lion", "mixed_precision": "fp8", "dataset_config": "a.toml"}
    assert kept.items() <= found.values.items()
    assert {problem.severity for problem in found.problems} == {"warning"}
    assert {problem.where.partition(": ")[2] for problem in found.problems} == set(kept)


def test_a_family_that_there_is_not_is_kept_and_told(tmp_path: Path) -> None:
    found = imported(tmp_path, {"family": "sd99", "network_dim": 4})
    assert found.settings is None
    assert (found.values["family"], found.values["network_dim"]) == ("sd99", 4)
    assert [problem.code for problem in found.problems] == ["config.family"]


def test_the_config_is_clean(tmp_path: Path) -> None:
    values = imported(tmp_path, {**SECOND_GENERATION, "optimizer_args": "weight_decay=0.1"}).values
    assert next(iter(values)) == "family"
    assert values["optimizer_args"] == ["weight_decay=0.1"]
    assert values["reg_data_dir"] is False  # and not our default, the folder reg_dir
    assert not [name for name, value in values.items() if value in ("", None)]
    assert not {"LoRA_type", "full_fp16", "max_resolution", "v2"} & values.keys()


def test_prompts_get_a_file_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "sample_prompts.txt").write_text("mine", encoding="utf-8")
    values = {**SECOND_GENERATION, "sample_prompts": "a cat\na dog", "sample_every_n_epochs": 2}
    found = imported(tmp_path, values)
    assert found.prompts_path == tmp_path / "sample_prompts-2.txt"
    assert found.prompts == "a cat\na dog"
    assert found.values["sample_prompts"] == "sample_prompts-2.txt"
    assert found.values["sample_every_n_epochs"] == 2
    assert found.problems == ()


def test_prompts_without_a_place_for_them_are_told(tmp_path: Path) -> None:
    values = {**SECOND_GENERATION, "sample_prompts": "a cat", "sample_every_n_epochs": 2}
    found = imported(tmp_path, values, out=None)
    assert found.prompts_path is None
    assert "sample_prompts" not in found.values
    assert [problem.code for problem in found.problems] == ["config.gui.dropped"]


def test_a_file_of_prompts_stays_one(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("a cat", encoding="utf-8")
    found = imported(tmp_path, {**SECOND_GENERATION, "sample_prompts": "p.txt"})
    assert (found.prompts, found.values["sample_prompts"]) == ("", "p.txt")


def test_paths_mean_the_same_from_where_the_new_config_lies(odd_path: Path) -> None:
    for name in ("image_dir/1_a cat", "log", "project/models"):
        (odd_path / name).mkdir(parents=True)
    values = {
        **FIRST_GENERATION,
        "train_data_dir": str(odd_path / "image_dir"),
        "logging_dir": "C:\\nowhere\\log",
        "output_dir": "/not/here/output",
        "pretrained_model_name_or_path": "model.safetensors",
    }
    here = imported(odd_path, values).values
    assert (here["train_data_dir"], here["logging_dir"]) == ("image_dir", "log")
    assert here["output_dir"] == "/not/here/output"
    assert here["pretrained_model_name_or_path"] == "model.safetensors"
    there = imported(odd_path, values, "project/new.json").values
    assert there["train_data_dir"] == str(odd_path / "image_dir")
    assert there["pretrained_model_name_or_path"] == str(odd_path / "model.safetensors")


def test_secrets_are_left_out_and_named(tmp_path: Path) -> None:
    found = imported(
        tmp_path,
        {
            **SECOND_GENERATION,
            "wandb_api_key": "s3cret-a",
            "additional_parameters": "--huggingface_token=s3cret-b --bogus_switch",
            "kohyatpl": {"env": {"MY_API_KEY": "s3cret-c", "LANG": "C"}},
        },
    )
    assert "s3cret" not in repr(found)
    assert found.values["kohyatpl"]["env"] == {"LANG": "C"}
    fixes = {
        problem.where.partition(": ")[2]: problem.fix for problem in found.problems if problem.code == "config.secret"
    }
    assert "WANDB_API_KEY" in fixes["wandb_api_key"]
    assert "HF_TOKEN" in fixes["additional_parameters"]
    assert "MY_API_KEY" in fixes["kohyatpl.env.MY_API_KEY"]
