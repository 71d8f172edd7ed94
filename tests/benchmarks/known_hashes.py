"""Measures what a run's fingerprints cost the first time and the second, on drawn pictures.

`python -m tests.benchmarks.known_hashes [PICTURES] [MEGABYTES OF MODEL]`; 2,000 pictures of 0.5 MB and a model of 2 GB
unless told otherwise. The files' bytes are random, for nothing here decodes them; the disk's cache is warm both times.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from pathlib import Path

from loratpl.dataset.scan import Concept, Picture
from loratpl.project import ProjectPaths
from loratpl.run.fingerprint import concept_sha256, model_sha256
from loratpl.run.hash_cache import HashCache

PICTURE_BYTES = 500_000


def make(root_dir: Path, count: int, model_mb: int) -> tuple[ProjectPaths, tuple[Concept, ...], Path]:
    """Returns a project of four concepts, and a model beside it."""
    project = ProjectPaths(root_dir / "project")
    concepts = []
    for number in range(4):
        folder = project.image_dir / f"1_concept {number}"
        folder.mkdir(parents=True)
        paths = [folder / f"{index:05d}.png" for index in range(count // 4)]
        for path in paths:
            path.write_bytes(random.randbytes(PICTURE_BYTES))
            path.with_suffix(".txt").write_text(f"a photograph of {path.name}", encoding="utf-8")
        pictures = tuple(Picture(path, 512, 512) for path in paths)
        concepts.append(Concept(folder, 1, f"concept {number}", is_reg=False, pictures=pictures))
    model = root_dir / "model.safetensors"
    with model.open("wb") as file:
        for _ in range(model_mb):
            file.write(random.randbytes(1_000_000))
    return project, tuple(concepts), model


def main(count: int = 2000, model_mb: int = 2000) -> None:
    """Prints a Markdown table."""
    with tempfile.TemporaryDirectory() as folder:
        project, concepts, model = make(Path(folder), count, model_mb)
        time.sleep(2.5)  # files that changed just now are not remembered
        cache_path = Path(folder) / "models.json"
        print(f"| {count} pictures with captions, a model of {model_mb} MB | pictures (s) | files read | model (s) |")
        print("|---|---|---|---|")
        seen = []
        for title in ("first run", "second run", "third run"):
            began = time.perf_counter()
            cache = HashCache(project.hashes_path)
            hashes = [concept_sha256(concept, ".txt", cache.sha256) for concept in concepts]
            cache.save(forget_others=True)
            pictures_s = time.perf_counter() - began
            began = time.perf_counter()
            models = HashCache(cache_path)
            seen.append((hashes, model_sha256(model, models.sha256)))
            models.save()
            model_s = time.perf_counter() - began
            print(f"| {title} | {pictures_s:.3f} | {cache.files_read} | {model_s:.4f} |")
        size_kb = os.path.getsize(project.hashes_path) / 1000  # noqa: PTH202 - one number
        print(f"\nThe cache has {size_kb:,.0f} kB; all runs say the same: {all(one == seen[0] for one in seen)}.")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
