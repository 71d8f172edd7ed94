"""Every family trains for real: from a config through plan, render and run to a LoRA that is proven."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loratpl.config.families import FAMILIES
from loratpl.project import create_project
from loratpl.records import read_record
from loratpl.render.prepare import load_settings
from loratpl.selfcheck import draw_pictures
from loratpl.trainer.environment import run_inside
from loratpl.trainer.paths import TrainerPaths
from loratpl.trainer.status import TrainerStatus
from loratpl.weights import base_model_family, read_weights_file
from tests.trainer.conftest import ONE_THREAD, kohyatpl, linked_home
from tests.trainer.predicted_size import assert_size_was_predicted

pytestmark = [pytest.mark.trainer, pytest.mark.xdist_group("families")]

ROOT_DIR = Path(__file__).parents[2]
SHIM_DIR = Path(__file__).parent / "tiny_families" / "shim"
MAKING_TIMEOUT_S = 240
STEPS = 3
# Small and quick, in no way special to a family; everything else is our own defaults.
SETTINGS = {
    "output_name": "lora",
    "resolution": "256,256",
    "min_bucket_reso": 128,
    "max_train_steps": STEPS,
    "network_dim": 4,
    "network_alpha": 1.0,
    "learning_rate": 1e-3,
    "lr_scheduler": "constant",
    "mixed_precision": "no",
    "save_precision": "float",
    "max_data_loader_n_workers": 0,
}
WITH_TEXT_ENCODERS = {"network_train_unet_only": False}


@dataclass(frozen=True)
class Expected:
    """What a family's LoRA must be.

    Attributes:
        modules: How many it has, by the part of the model that a key's prefix names.
        base_version: Its `ss_base_model_version`.
        changes: To the config.
        found: How the family is known: it is named only where nothing tells it.
        idle: Modules that training rightly leaves alone: they lie behind the layer whose output is used.
        is_tried_in_diffusers: Whether there is a pipeline to load it into. Of these families the pinned Diffusers reads
            the trainer's format for SD XL and FLUX.1 only, and for FLUX.1 at its real widths only.
    """

    modules: Mapping[str, int]
    base_version: str
    found: str
    changes: Mapping[str, Any]
    idle: int = 0
    is_tried_in_diffusers: bool = False


EXPECTED = {
    "sd15": Expected({"te": 72, "unet": 192}, "sd_v1", "default", {}),
    "sd2": Expected({"te": 138, "unet": 192}, "sd_v2", "config.json", {"family": "sd2"}),
    "sdxl": Expected(
        {"te1": 72, "te2": 18, "unet": 242}, "sdxl_base_v1-0", "the tensors of", {}, 6, is_tried_in_diffusers=True
    ),
    "sd3": Expected({"te1": 12, "te2": 12, "unet": 17}, "5-large", "clip_g", WITH_TEXT_ENCODERS),
    "flux": Expected({"unet": 26}, "flux1", "ae and t5xxl", {}),
    "chroma": Expected({"unet": 20}, "chroma", "the tensors of", {}),
    "lumina": Expected({"te": 14, "unet": 36}, "lumina2", "gemma2", WITH_TEXT_ENCODERS, idle=7),
    "hunyuan-image": Expected({"unet": 26}, "hunyuan-image-2.1", "byt5", {}),
    "anima": Expected({"unet": 20}, "anima", "qwen3", {}),
}


@dataclass(frozen=True)
class TinyFamilies:
    """A tiny model of each family; `options` are what each family's config says of its files."""

    trainer: TrainerPaths
    root_dir: Path
    options: Mapping[str, dict[str, str]]

    def block(self, family: str) -> dict[str, Any]:
        """Our own settings for a training of one of these models."""
        launch: dict[str, Any] = {"threads": 1}
        if family in ("sd15", "sd2"):
            launch["tiny_unet"] = True
        return {
            "launch": launch,
            "env": {"PYTHONPATH": str(SHIM_DIR), "HF_HUB_CACHE": str(self.root_dir / "tokenizers")},
        }


@pytest.fixture(scope="session")
def made_families(installed_trainer: TrainerStatus, tmp_path_factory: pytest.TempPathFactory) -> TinyFamilies:
    """The tiny models, made once by the trainer's own code."""
    folder = tmp_path_factory.mktemp("families")
    paths = installed_trainer.paths
    arguments = ["--source", paths.source_dir, "--out-dir", folder, "--out", folder / "made.json"]
    done = subprocess.run(
        [str(paths.python_path), "-m", "tests.trainer.tiny_families.make", *map(str, arguments)],
        cwd=ROOT_DIR,
        env={**os.environ, **ONE_THREAD, "PYTHONPATH": str(SHIM_DIR), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=MAKING_TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr
    options = json.loads((folder / "made.json").read_bytes())
    return TinyFamilies(paths, folder, options)


@pytest.fixture
def families(
    made_families: TinyFamilies, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> TinyFamilies:
    """The tiny models, and a trainer that child processes find as well."""
    home = linked_home(made_families.trainer.root_dir.parent.parent, tmp_path_factory)
    monkeypatch.setenv("KOHYATPL_HOME", str(home))
    return made_families


def test_the_models_are_of_every_family(families: TinyFamilies) -> None:
    assert set(families.options) == set(EXPECTED) == set(FAMILIES)


@pytest.mark.parametrize("name", ["sdxl", "sd3", "flux", "chroma", "lumina", "hunyuan-image", "anima"])
def test_a_model_is_recognised_by_the_names_of_its_tensors(families: TinyFamilies, name: str) -> None:
    """The trainer's own classes have named them; of the Diffusers folders the widths tell, which are tiny here."""
    assert base_model_family(Path(families.options[name]["pretrained_model_name_or_path"])) == name


@pytest.mark.parametrize("name", EXPECTED)
def test_a_family_trains_and_its_lora_is_proven(name: str, tmp_path: Path, families: TinyFamilies) -> None:
    family, expected = FAMILIES[name], EXPECTED[name]
    config = {**families.options[name], **SETTINGS, **expected.changes, "kohyatpl": families.block(name)}
    config["bucket_reso_steps"] = family.bucket_step_px
    project = create_project(tmp_path / "project", config=config, concepts=("ohwx cat",))
    (folder,) = project.image_dir.iterdir()
    draw_pictures(folder, 3)
    settings, problems = load_settings(project, None)
    assert problems == ()
    assert expected.found in settings.family_source

    done = kohyatpl("--json", "run", project.root_dir)
    (run_dir,) = project.log_dir.iterdir()
    log = (run_dir / "trainer.log").read_text(encoding="utf-8")
    assert done.returncode == 0, (done.stdout.splitlines()[-1], log[-3000:])

    record = read_record(run_dir / "run.json")
    assert Path(next(word for word in record.argv if word.endswith("_network.py"))).name == family.script
    assert json.loads((run_dir / "config.json").read_bytes())["family"] == name
    (batches,) = re.findall(r"num batches per epoch .*: (\d+)", log)
    assert int(batches) == record.plan["batches_per_epoch"]
    assert record.last_step == record.plan["total_steps"] == STEPS
    buckets = re.findall(r"bucket \d+: resolution \((\d+), (\d+)\), count: (\d+)", log)
    planned = [(bucket["width"], bucket["height"], bucket["images"]) for bucket in record.plan["buckets"]]
    assert [tuple(map(int, row)) for row in buckets] == planned

    lora = read_weights_file(project.output_dir / "lora.safetensors")
    if name != "sdxl":  # its tiny second text encoder is in no file under the trainer's names
        assert_size_was_predicted(settings, lora.path)
    ups = [key for key in lora.tensors if key.endswith(".lora_up.weight")]
    assert Counter(re.sub(r"^lora_([a-z]+\d?)_.*", r"\1", key) for key in ups) == expected.modules
    assert lora.metadata["ss_base_model_version"] == expected.base_version
    assert expected.base_version in family.base_versions
    assert lora.metadata["ss_network_module"] == family.network_module
    output = record.outputs[-1]
    assert (output.ss_steps, output.trainable) == (STEPS, len(ups))
    assert output.trained == len(ups) - expected.idle
    if expected.is_tried_in_diffusers:
        pipeline_dir = families.root_dir / name / "pipeline"
        (loaded,) = run_inside(families.trainer, "load.py", "--model", pipeline_dir, "--lora", lora.path)["loras"]
        assert loaded["max_difference"] > 0
        assert loaded["layers"] == len(ups)
