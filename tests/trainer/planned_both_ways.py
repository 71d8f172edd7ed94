"""Our side of the comparison with the trainer: what a random project is planned to be, and how the trainer is asked.

A project is trained in two ways: "folders" gives the trainer the two folders, "files" what `render` writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratpl.config.machine import WITH_GPU
from loratpl.config.settings import Settings
from loratpl.dataset.latent_caches import latent_cache_of
from loratpl.dataset.scan import Dataset, scan
from loratpl.errors import KohyatplError, Problem
from loratpl.plan.datasets import DatasetSpec, datasets_of
from loratpl.plan.planner import TrainingPlan, make_plan
from loratpl.plan.preconditions import parse_resolution
from loratpl.project import RunPaths
from loratpl.render import renderer
from loratpl.render.prepare import Depth, judge
from loratpl.trainer.paths import TrainerPaths
from tests.trainer.random_datasets import RandomProject

FOLDERS, FILES = "folders", "files"
# What has nothing to do with a dataset: there is no model, and no GPU.
_NO_MATTER = ("config.model.", "machine.", "trainer.")
_DATASET_KEYS = ("enable_bucket", "min_bucket_reso", "max_bucket_reso", "bucket_reso_steps", "bucket_no_upscale")

# What our defaults add for larger families, and what the trainer judges captions by.
_DEFAULT_FLAGS = ("cache_text_encoder_outputs", "network_train_unet_only")


@dataclass(frozen=True)
class Case:
    """One project in one way.

    Attributes:
        project: The random project.
        way: `FOLDERS` or `FILES`.
        settings: Of its config.
        dataset: What we find in the folders.
        problems: The errors that stand against training it.
        plan: What it would be, where anything can be planned; also where something else stands against training it.
        request: What the trainer is asked; None where nothing can be written that asks it.
    """

    project: RandomProject
    way: str
    settings: Settings
    dataset: Dataset
    problems: tuple[Problem, ...]
    plan: TrainingPlan | None
    request: dict[str, Any] | None

    @property
    def codes(self) -> frozenset[str]:
        """What stands against training it, each with the option that it is about."""
        return frozenset(code_of(problem) for problem in self.problems)


def code_of(problem: Problem) -> str:
    """Returns a problem's code, with the option where it is about one: `config.value:resolution`."""
    if not problem.code.startswith("config."):
        return problem.code
    return f"{problem.code}:{problem.where.removesuffix(' (default)').rpartition(': ')[2].rpartition('.')[2]}"


def both_ways(project: RandomProject, trainer: TrainerPaths) -> Iterator[Case]:
    """Yields what we make of a project in each of the two ways."""
    for way, block in ((FOLDERS, {}), (FILES, project.block)):
        config = project.write_config(block)
        judged = judge(
            project.paths,
            config,
            depth=Depth.PLAN,
            gpu_count=lambda: None,
            machine=WITH_GPU,
            is_this_machine=False,
            packages=lambda: None,
        )
        settings = judged.settings
        dataset = scan(
            settings.path("train_data_dir"),
            settings.path("reg_data_dir"),
            cache_suffix=latent_cache_of(project.family).suffix,
            in_disk_order=way == FOLDERS,
        )
        plan, refused = _plan(dataset, settings)
        found = (problem for problem in (*judged.problems, *refused) if problem.severity == "error")
        problems = tuple(problem for problem in found if not problem.code.startswith(_NO_MATTER))
        argv = _in_folders(project) if way == FOLDERS else _in_files(project, dataset, settings, plan, trainer)
        request = {"script": settings.family.script, "argv": argv}
        yield Case(project, way, settings, dataset, problems, plan, request if argv else None)


def _plan(dataset: Dataset, settings: Settings) -> tuple[TrainingPlan | None, tuple[Problem, ...]]:
    """The plan that there would be without the rules that are not the plan's own, or what stands against one."""
    pictures = [picture for concept in dataset.concepts for picture in concept.pictures]
    has_no_size = any(
        min(picture.trained_px) < 1 or (picture.cache is not None and picture.cache.size_px is None)
        for picture in pictures
    )
    if not dataset.training or has_no_size:
        return None, ()  # what `make_plan` is not for, and what other rules are
    try:
        return make_plan(dataset, settings), ()
    except KohyatplError as error:
        return None, error.problems


def _in_folders(project: RandomProject) -> list[str]:
    folders = ["--train_data_dir", str(project.paths.image_dir), "--reg_data_dir", str(project.paths.reg_dir)]
    return [*folders, *_by_hand(project)]


def _in_files(
    project: RandomProject, dataset: Dataset, settings: Settings, plan: TrainingPlan | None, trainer: TrainerPaths
) -> list[str]:
    """What is rendered; where there is no plan, what somebody would write who is not told that it will not do."""
    if plan is not None:
        return _rendered(settings, plan, trainer, project.paths.root_dir / "run")
    try:
        datasets = [_dataset_by_hand(spec) for spec in datasets_of(dataset, settings)]
    except ValueError:  # a resolution that this file has no form for
        return []
    path = project.paths.root_dir / "by_hand.json"
    path.write_text(json.dumps({"datasets": datasets}), encoding="utf-8")
    flags = (f"--{name}" for name in _DEFAULT_FLAGS if settings[name])
    return ["--dataset_config", str(path), *flags, *_by_hand(project)]


def _rendered(settings: Settings, plan: TrainingPlan, trainer: TrainerPaths, run_dir: Path) -> list[str]:
    paths = RunPaths(run_dir)
    renderer.write(renderer.render(settings, plan, trainer, paths), settings, paths)
    return ["--config_file", str(paths.train_toml_path), "--dataset_config", str(paths.dataset_toml_path)]


def _by_hand(project: RandomProject) -> list[str]:
    """The options of a project as somebody would type them."""
    argv = ["--cache_latents", "--caption_extension=.txt"]
    for name, value in project.options.items():
        if value is True:
            argv.append(f"--{name}")
        elif value is not False:
            argv.append(f"--{name}={value}")
    return argv


def _dataset_by_hand(spec: DatasetSpec) -> dict[str, Any]:
    settings = spec.settings
    return {
        "resolution": list(parse_resolution(settings["resolution"])),
        "batch_size": settings["train_batch_size"],
        **{name: settings[name] for name in _DATASET_KEYS},
        "subsets": [
            {
                "image_dir": str(subset.concept.folder),
                "num_repeats": subset.concept.repeats,
                "class_tokens": subset.concept.class_tokens,
                "is_reg": subset.concept.is_reg,
                **{name: setting.value for name, setting in subset.own.items()},
            }
            for subset in spec.subsets
        ],
    }
