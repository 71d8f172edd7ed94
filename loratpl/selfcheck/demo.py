"""The project of `demo`: drawn pictures and a tiny random model, laid out as anybody's own would be."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loratpl.errors import Problem, ProjectError
from loratpl.project import ProjectPaths, create_project, make_hidden_dir
from loratpl.selfcheck.drawings import draw_pictures
from loratpl.selfcheck.tiny import make_tiny_model, tiny_config
from loratpl.trainer.status import TrainerStatus

DEFAULT_NAME = "kohyatpl-demo"
# Concepts of different size, so that there is something to balance, and a class that one of them belongs to.
CONCEPTS = {"ohwx cat": 9, "zwx dog": 3}
REG_CLASSES = {"cat": 5}
EPOCHS = 2
# Relative to the config, so that the folder can be moved.
_MODEL_NAME = "tiny-model"


@dataclass(frozen=True, slots=True)
class DemoPaths:
    """Every place of a demo."""

    root_dir: Path

    @property
    def project(self) -> ProjectPaths:
        """The demo as a project."""
        return ProjectPaths(self.root_dir)

    @property
    def model_dir(self) -> Path:
        """Holds the tiny model and its tokenizer, once there is a trainer to make them."""
        return self.root_dir / _MODEL_NAME

    @property
    def unfinished_path(self) -> Path:
        """Is there from when all is drawn until the LoRA is trained."""
        return self.project.hidden_dir / "demo-unfinished"

    @property
    def is_unfinished(self) -> bool:
        """Whether an earlier demo got here and not to its LoRA."""
        return self.unfinished_path.is_file()


def default_folder(parent: Path) -> Path:
    """Returns where a demo goes that was given no place: the first free name, or where one was not finished."""
    number = 1
    while True:
        folder = parent / (DEFAULT_NAME if number == 1 else f"{DEFAULT_NAME}-{number}")
        if not folder.exists() or DemoPaths(folder).is_unfinished:
            return folder
        number += 1


def lay_out(root_dir: Path) -> DemoPaths:
    """Returns the demo's project with all its pictures drawn; one that was not finished is taken as it is.

    Raises:
        ProjectError: Something else is there already, or it cannot be written.
    """
    demo = DemoPaths(root_dir.resolve())
    if demo.is_unfinished:
        return demo
    project = create_project(demo.root_dir, config=_config(), concepts=tuple(CONCEPTS), reg_classes=tuple(REG_CLASSES))
    try:
        number = 0
        for parent, classes in ((project.image_dir, CONCEPTS), (project.reg_dir, REG_CLASSES)):
            for folder in sorted(parent.iterdir()):
                count = classes[folder.name.partition("_")[2]]
                draw_pictures(folder, count, first_number=number)
                number += count
        # The trainer's place for it: `check` and `render` need no more than that it is there.
        (demo.model_dir / "model").mkdir(parents=True)
        make_hidden_dir(project)
        demo.unfinished_path.touch()
    except OSError as error:
        shutil.rmtree(demo.root_dir, ignore_errors=True)  # nothing was in it before
        raise ProjectError(
            Problem(
                "project.write",
                f"The demo cannot be written to {demo.root_dir}: {error.strerror or error}.",
                str(demo.root_dir),
                "Name a folder on a disk with room: `kohyatpl demo PATH`.",
            )
        ) from error
    return demo


def give_model(demo: DemoPaths, trainer: TrainerStatus) -> None:
    """Makes the tiny random model where the demo's config names it; one that was made in part is made anew.

    Raises:
        TrainerError: The trainer's environment cannot make it.
    """
    shutil.rmtree(demo.model_dir, ignore_errors=True)
    make_tiny_model(trainer, demo.model_dir)


def _config() -> dict[str, Any]:
    config = tiny_config({"model_dir": f"{_MODEL_NAME}/model", "tokenizer_cache_dir": f"{_MODEL_NAME}/tokenizers"})
    del config["max_train_steps"]  # epochs, as people count
    return {**config, "output_name": "demo", "max_train_epochs": EPOCHS, "train_batch_size": 4}
