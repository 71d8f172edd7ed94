"""What the trainer would fetch from the hub."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from loratpl.check.machine.hub_cache import hub_cache_dir, offline_variable, transformers_cache_dir
from loratpl.check.machine.hub_files import TOKENIZERS, hub_problems
from loratpl.config.families import FAMILIES
from loratpl.trainer.status import TrainerStatus
from tests.check.given_rules import codes, settings_for, text_of
from tests.given import only
from tests.hub_cache import cache_model, cache_tokenizers

CLIP = "openai/clip-vit-large-patch14"
GEMMA = "google/gemma-2-2b"


def env_of(folder: Path, **more: str) -> dict[str, str]:
    return {"HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1", **more}


@pytest.mark.parametrize(
    ("family", "ids"),
    [
        ("sd15", {CLIP}),
        ("sd2", {"stabilityai/stable-diffusion-2"}),
        ("sdxl", {CLIP, "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k"}),
        ("sd3", {CLIP, "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k", "google/t5-v1_1-xxl"}),
        ("flux", {CLIP, "google/t5-v1_1-xxl"}),
        ("chroma", {CLIP, "google/t5-v1_1-xxl"}),
        ("lumina", {GEMMA}),
        ("hunyuan-image", {"Qwen/Qwen2.5-VL-7B-Instruct", "google/byt5-small"}),
        ("anima", set()),
    ],
)
def test_without_a_network_the_tokenizers_must_be_there(odd_path: Path, family: str, ids: set[str]) -> None:
    settings, env = settings_for(odd_path, family), env_of(odd_path)
    problems = list(hub_problems(settings, env))
    assert codes(problems) == [("error", "machine.offline")] * len(ids)
    assert {name for name in ids for problem in problems if name in problem.message} == ids
    for problem in problems:
        assert all(text in text_of(problem) for text in ("tokenizer", "HF_HUB_OFFLINE", "models--", str(odd_path)))
        assert ("tokenizer_cache_dir" in problem.fix) is (family not in ("lumina", "hunyuan-image"))
    assert list(hub_problems(settings, {**env, "HF_HUB_OFFLINE": "0"})) == []
    cache_tokenizers(odd_path / "hf" / "hub")
    assert list(hub_problems(settings, env)) == []


def test_every_family_is_known() -> None:
    assert TOKENIZERS.keys() == FAMILIES.keys()


def test_the_scripts_name_these_tokenizers(installed_trainer: TrainerStatus) -> None:
    library = installed_trainer.paths.source_dir / "library"
    sources = [*library.glob("strategy_*.py"), library / "hunyuan_image_text_encoder.py"]
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    assert all(f'"{item.model_id}"' in text for family in TOKENIZERS.values() for item in family)


@pytest.mark.parametrize("lost", ["refs/main", "snapshots", "blobs"])
def test_a_cache_that_lacks_a_part_has_no_tokenizer(tmp_path: Path, lost: str) -> None:
    model_dir = cache_model(tmp_path / "hf" / "hub", CLIP, ["vocab.json", "merges.txt"])
    assert list(hub_problems(settings_for(tmp_path), env_of(tmp_path))) == []
    path = model_dir / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert codes(hub_problems(settings_for(tmp_path), env_of(tmp_path))) == [("error", "machine.offline")]


def test_a_cache_with_half_a_tokenizer_has_none(tmp_path: Path) -> None:
    cache_model(tmp_path / "hf" / "hub", CLIP, ["vocab.json"])
    assert codes(hub_problems(settings_for(tmp_path), env_of(tmp_path))) == [("error", "machine.offline")]


def test_a_folder_of_the_configs_own_will_do(odd_path: Path) -> None:
    own = odd_path / "tokenizers"
    settings = settings_for(odd_path, tokenizer_cache_dir="tokenizers")
    assert codes(hub_problems(settings, env_of(odd_path))) == [("error", "machine.offline")]
    flat = own / "openai_clip-vit-large-patch14"
    flat.mkdir(parents=True)
    for name in ("vocab.json", "merges.txt"):
        (flat / name).touch()
    assert list(hub_problems(settings, env_of(odd_path))) == []


def test_half_a_tokenizer_in_the_configs_own_folder_ends_the_trainer_with_a_network_too(tmp_path: Path) -> None:
    flat = tmp_path / "tokenizers" / "openai_clip-vit-large-patch14"
    flat.mkdir(parents=True)
    (flat / "vocab.json").touch()
    settings = settings_for(tmp_path, tokenizer_cache_dir="tokenizers")
    for env in ({}, env_of(tmp_path)):
        problem = only(hub_problems(settings, env))
        assert (problem.severity, problem.code) == ("error", "config.file.missing")
        assert all(text in text_of(problem) for text in ("merges.txt", "tokenizer_cache_dir", str(flat)))


def test_lumina_takes_that_folder_for_a_cache(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, "lumina", tokenizer_cache_dir="tokenizers")
    cache_model(tmp_path / "hf" / "hub", GEMMA, ["tokenizer.json", "config.json"])
    assert str(tmp_path / "tokenizers") in only(hub_problems(settings, env_of(tmp_path))).message
    cache_model(tmp_path / "tokenizers", GEMMA, ["tokenizer.model", "tokenizer_config.json"])
    assert list(hub_problems(settings, env_of(tmp_path))) == []


@pytest.mark.parametrize(
    ("options", "files", "named"),
    [
        ({"pretrained_model_name_or_path": "owner/model"}, ["model_index.json"], "pretrained_model_name_or_path"),
        ({"vae": "owner/model"}, ["vae/config.json"], "vae"),
        ({"vae": "owner/model"}, ["config.json"], "vae"),
    ],
)
def test_without_a_network_a_model_of_the_hub_must_be_there(
    tmp_path: Path, options: dict[str, Any], files: list[str], named: str
) -> None:
    cache_tokenizers(tmp_path / "hf" / "hub")
    settings, env = settings_for(tmp_path, **options), env_of(tmp_path)
    problem = only(hub_problems(settings, env))
    assert (problem.severity, problem.code) == ("error", "machine.offline")
    assert all(text in text_of(problem) for text in (named, "owner/model", "models--owner--model"))
    assert list(hub_problems(settings, {"HF_HOME": env["HF_HOME"]})) == []
    cache_model(tmp_path / "hf" / "hub", "owner/model", files)
    assert list(hub_problems(settings, env)) == []


def test_the_configs_own_variable_is_named_as_such(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, kohyatpl={"env": {"TRANSFORMERS_OFFLINE": "yes"}})
    env = {"HF_HOME": str(tmp_path), "TRANSFORMERS_OFFLINE": "yes"}
    assert only(hub_problems(settings, env)).where == "kohyatpl.env.TRANSFORMERS_OFFLINE"


def test_a_downloader_that_is_not_there_is_said_where_something_must_be_fetched(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    env = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_ENABLE_HF_TRANSFER": "1"}
    assert codes(hub_problems(settings, env, {"torch"})) == [("error", "trainer.package")]
    assert list(hub_problems(settings, env, {"torch", "hf-transfer"})) == []
    assert list(hub_problems(settings, env)) == []
    cache_tokenizers(tmp_path / "hf" / "hub")
    assert list(hub_problems(settings, env, {"torch"})) == []


_ASK = """
import json, sys
from huggingface_hub import constants
print(json.dumps([constants.HF_HUB_OFFLINE, constants.HF_HUB_CACHE]))
"""
_VARIABLES: list[dict[str, str]] = [
    {},
    {"HF_HOME": "~/hf"},
    {"HF_HOME": "$HOME/hf", "HF_HUB_OFFLINE": "true"},
    {"XDG_CACHE_HOME": "/x"},
    {"HF_HUB_CACHE": "/a", "HF_HOME": "/b"},
    {"HUGGINGFACE_HUB_CACHE": "/c", "HF_HOME": "/b"},
    {"HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "1"},
    {"HF_HUB_OFFLINE": "", "TRANSFORMERS_OFFLINE": "1"},
    {"TRANSFORMERS_OFFLINE": "on"},
    {"HF_HUB_OFFLINE": "2"},
]


@pytest.mark.skipif(sys.platform == "win32", reason="the paths are POSIX ones")
def test_the_library_itself_understands_the_variables_so(installed_trainer: TrainerStatus) -> None:
    base = {"HOME": os.environ["HOME"], "PATH": os.environ["PATH"]}
    for variables in _VARIABLES:
        env = {**base, **variables}
        done = subprocess.run(
            [installed_trainer.paths.python_path, "-c", _ASK], env=env, capture_output=True, check=True, timeout=60
        )
        is_offline, cache_dir = json.loads(done.stdout)
        assert (offline_variable(env) is not None, str(hub_cache_dir(env))) == (is_offline, cache_dir), variables


def test_transformers_older_variables_count_first() -> None:
    env = {"HF_HUB_CACHE": "/a", "TRANSFORMERS_CACHE": "/t", "PYTORCH_PRETRAINED_BERT_CACHE": "/p"}
    assert transformers_cache_dir(env) == Path("/t")
    assert transformers_cache_dir({"HF_HUB_CACHE": "/a"}) == Path("/a")
