"""What a run was trained on and with: model and concepts hashed, versions asked for, while the trainer works.

What has been read before is not read again: hashes of pictures and captions are kept in the project, those of models
with what kohyatpl keeps of the user.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from loratpl.dataset.captions.collecting import caption_paths
from loratpl.dataset.scan import Concept
from loratpl.plan.datasets import settings_of_folders
from loratpl.project import ProjectPaths, make_hidden_dir
from loratpl.records import GitState
from loratpl.render.prepare import Prepared
from loratpl.run.git_state import git_state
from loratpl.run.hash_cache import HashCache
from loratpl.trainer.paths import TrainerPaths, UserPaths
from loratpl.trainer.status import Marker, interpreter_problem
from loratpl.weights import sha256_of

FINISH_TIMEOUT_S = 120.0
# For all concepts, or for each by its folder: a config may have one of its own for some.
Extensions = str | Mapping[Path, str]


@dataclass(frozen=True, slots=True)
class Hashes:
    """What a training is made from; what cannot be read, and a model of the hub, is not known.

    Attributes:
        model: Of the base model.
        concepts: Of each concept by its folder.
    """

    model: str | None
    concepts: Mapping[Path, str]


def sha256_of_tree(root_dir: Path, paths: Iterable[Path], sha256: Callable[[Path], str] = sha256_of) -> str:
    """Returns one hash over the names (relative to `root_dir`) and bytes of files, whatever their order."""
    return _sha256_of_named(((path.relative_to(root_dir).as_posix(), path) for path in sorted(paths)), sha256)


def model_sha256(model: Path, sha256: Callable[[Path], str] = sha256_of) -> str | None:
    """Returns the hash of a model file or of a Diffusers folder, None where the model is neither."""
    if model.is_file():
        return sha256(model)
    if model.is_dir():
        return sha256_of_tree(model, (path for path in model.rglob("*") if path.is_file()), sha256)
    return None


def concept_sha256(concept: Concept, caption_extension: str, sha256: Callable[[Path], str] = sha256_of) -> str:
    """Returns one hash over a concept's pictures and the caption files that the trainer reads for them.

    A caption that a picture borrows from the one it was cut out of is among them, also where the rule leads out of the
    folder; where folders lie does not count.
    """
    files = {picture.path.name: picture.path for picture in concept.pictures}
    for path in _captions(concept, caption_extension):
        files[path.name if path.parent == concept.folder else f"../{path.name}"] = path
    return _sha256_of_named(sorted(files.items()), sha256)


def hashes_now(prepared: Prepared, *, with_model: bool = True) -> Hashes:
    """Returns the hashes of what would be trained now; reads what has not been read before.

    Args:
        prepared: What would be trained.
        with_model: Whether the base model is asked for: with nothing to compare it to, it need not be read.
    """
    dataset, settings = prepared.plan.dataset, prepared.settings
    extensions = {folder: own.caption_extension for folder, own in settings_of_folders(dataset, settings).items()}
    work = _Work(settings["pretrained_model_name_or_path"], dataset.concepts, extensions, prepared.project)
    return Hashes(work.model() if with_model else None, dict(work.concepts()))


def _captions(concept: Concept, extension: str) -> Iterator[Path]:
    for picture in concept.pictures:
        candidates = caption_paths(os.fspath(picture.path), extension)
        found = next((path for path in candidates if os.path.isfile(path)), None)  # noqa: PTH113 - as the trainer asks
        if found is not None:
            yield Path(found)


def _sha256_of_named(files: Iterable[tuple[str, Path]], sha256: Callable[[Path], str]) -> str:
    digest = hashlib.sha256()
    for name, path in files:
        digest.update(f"{name}\0{sha256(path)}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _Work:
    """Hashes one training's model and concepts; without a project nothing is kept."""

    model_name: str
    known_concepts: tuple[Concept, ...]
    extensions: Extensions
    project: ProjectPaths | None

    def model(self) -> str | None:
        cache = HashCache(None if self.project is None else UserPaths.of_user().hashes_path)
        try:
            return model_sha256(Path(self.model_name), cache.sha256)
        except (OSError, ValueError):  # ValueError: a name that no system takes
            return None
        finally:
            cache.save()

    def concepts(self) -> Iterator[tuple[Path, str]]:
        """Yields each concept's folder and hash; one of which a file has gone away is passed over."""
        cache = HashCache(None if self.project is None else self.project.hashes_path)
        is_whole = True
        for concept in self.known_concepts:
            own = self.extensions if isinstance(self.extensions, str) else self.extensions[concept.folder]
            try:
                yield concept.folder, concept_sha256(concept, own, cache.sha256)
            except OSError:
                is_whole = False
        if self.project is not None:
            with contextlib.suppress(OSError):
                make_hidden_dir(self.project)
            cache.save(forget_others=is_whole)


class Fingerprints(threading.Thread):
    """Hashes in the background; a file that goes away meanwhile leaves its hash unknown.

    Attributes:
        model: The base model's hash.
        concepts: Each concept's hash by its folder.
        trainer_problem: What is wrong with the trainer's environment.
        git: What git says of the project; None without a project to ask about, too.
    """

    def __init__(
        self,
        model: str,
        concepts: tuple[Concept, ...],
        caption_extension: Extensions,
        paths: TrainerPaths,
        marker: Marker,
        project: ProjectPaths | None = None,
    ) -> None:
        super().__init__(name="fingerprints", daemon=True)
        self._work = _Work(model, concepts, caption_extension, project)
        self._paths, self._marker = paths, marker
        self._project = project
        self.trainer_problem: str | None = None
        self.git: GitState | None = None
        self.model: str | None = None
        self.concepts: dict[Path, str] = {}

    def run(self) -> None:
        """Asks the environment, then hashes each concept and the model."""
        self.git = None if self._project is None else git_state(self._project)
        self.trainer_problem = interpreter_problem(self._paths, self._marker)
        for folder, found in self._work.concepts():
            self.concepts[folder] = found
        self.model = self._work.model()

    def finish(self, *, wait: bool) -> None:
        """Waits until everything is hashed, but not for ever; without `wait` takes what is there."""
        if wait and self.is_alive():
            self.join(FINISH_TIMEOUT_S)
