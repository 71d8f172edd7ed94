"""What a run was trained on and with: model and concepts hashed, versions asked for, while the trainer works."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from pathlib import Path

from loratpl.dataset.scan import Concept
from loratpl.trainer.paths import TrainerPaths
from loratpl.trainer.status import Marker, interpreter_problem
from loratpl.weights import sha256_of

FINISH_TIMEOUT_S = 120.0


def sha256_of_tree(root_dir: Path, paths: Iterable[Path]) -> str:
    """Returns one hash over the names (relative to `root_dir`) and bytes of files, whatever their order."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path.relative_to(root_dir).as_posix()}\0{sha256_of(path)}\n".encode())
    return digest.hexdigest()


def model_sha256(model: Path) -> str | None:
    """Returns the hash of a model file or of a Diffusers folder, None where the model is neither."""
    if model.is_file():
        return sha256_of(model)
    if model.is_dir():
        return sha256_of_tree(model, (path for path in model.rglob("*") if path.is_file()))
    return None


def concept_sha256(concept: Concept, caption_extension: str) -> str:
    """Returns one hash over a concept's pictures and their captions."""
    captions = (picture.path.with_suffix(caption_extension) for picture in concept.pictures)
    files = {picture.path for picture in concept.pictures} | {path for path in captions if path.is_file()}
    return sha256_of_tree(concept.folder, files)


class Fingerprints(threading.Thread):
    """Hashes in the background; a file that goes away meanwhile leaves its hash unknown.

    Attributes:
        model: The base model's hash.
        concepts: Each concept's hash by its folder.
        trainer_problem: What is wrong with the trainer's environment.
    """

    def __init__(
        self, model: str, concepts: tuple[Concept, ...], caption_extension: str, paths: TrainerPaths, marker: Marker
    ) -> None:
        super().__init__(name="fingerprints", daemon=True)
        self._model, self._concepts, self._caption_extension = model, concepts, caption_extension
        self._paths, self._marker = paths, marker
        self.trainer_problem: str | None = None
        self.model: str | None = None
        self.concepts: dict[Path, str] = {}

    def run(self) -> None:
        """Asks the environment, then hashes the model and each concept."""
        self.trainer_problem = interpreter_problem(self._paths, self._marker)
        try:
            self.model = model_sha256(Path(self._model))
            for concept in self._concepts:
                self.concepts[concept.folder] = concept_sha256(concept, self._caption_extension)
        except OSError:
            return

    def finish(self, *, wait: bool) -> None:
        """Waits until everything is hashed, but not for ever; without `wait` takes what is there."""
        if wait and self.is_alive():
            self.join(FINISH_TIMEOUT_S)
