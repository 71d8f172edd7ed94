"""The plan of random projects is what the pinned trainer's own classes make of them, or both refuse.

Each project is trained in two ways: from its folders, as the trainer finds them itself, and from the files that
`render` writes. Nothing is trained here: the trainer's classes go as far as the first batch.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from loratpl.plan.planner import PlannedDataset
from loratpl.resources import INSIDE_DIR
from loratpl.trainer.status import TrainerStatus
from tests.trainer.conftest import ONE_THREAD
from tests.trainer.planned_both_ways import FILES, FOLDERS, Case, both_ways
from tests.trainer.random_datasets import CACHE_SUFFIXES, make_project

pytestmark = [pytest.mark.trainer, pytest.mark.xdist_group("plan equals trainer")]

PROJECTS = 500
TRAINER_TIMEOUT_S = 240
SHOWN = 10

Answer = Mapping[str, Any]

# Where kohyatpl refuses and the trainer goes on: what it would train is known to be wrong. None of these has anything
# to do with the arithmetic, which is compared all the same.
DELIBERATE = {
    "dataset.folder.ignored": "pictures that somebody put there would not be trained; one line of hundreds says so",
    "dataset.folder.empty": "the folder has pictures, and none is of a kind that the trainer reads",
    "dataset.image.left_out": "the same of single pictures: .Png, .gif, .tiff",
    "dataset.cache.size": "the trainer believes a cache's name, and trains the picture in another shape than it has",
}


def _splits_wrong(case: Case, _: Answer) -> bool:
    options = case.project.options
    return not 0 <= options["validation_split"] < 1 or "validation_seed" not in options


def _has_unfilled_batches(_: Case, answer: Answer) -> bool:
    return any(dataset["images"] and not dataset["batches"] for dataset in answer["train"])


def _has_empty_bucket(case: Case, answer: Answer) -> bool:
    """Or one that the trainer's arithmetic makes of steps that go backwards."""
    parts = (case.project.options, *case.project.block.get("datasets", ()), *_concepts(case))
    return any(min(row[1:3]) < 1 for row in _pictures_of(answer)) or any(
        part.get("bucket_reso_steps", 64) < 1 for part in parts
    )


def _is_encoded_uneven(_: Case, answer: Answer) -> bool:
    return any(row[1] % 8 or row[2] % 8 for row in _pictures_of(answer))


def _is_lumina(case: Case, _: Answer) -> bool:
    return case.project.family == "lumina"


def _is_never_opened(case: Case, answer: Answer) -> bool:
    """Its size is in the name of a cache, or it is a regularisation image that is never needed."""
    opened = {path for dataset in _all(answer) for path in dataset["pictures"]}
    unreadable = [p for concept in case.dataset.concepts for p in concept.pictures if not p.is_readable]
    return all(picture.cache is not None or str(picture.path) not in opened for picture in unreadable)


def _has_cache_of_no_size(case: Case, answer: Answer) -> bool:
    used = {path: row for dataset in _all(answer) for path, row in dataset["pictures"].items()}
    caches = [(str(p.path), p.cache) for concept in case.dataset.concepts for p in concept.pictures if p.cache]
    of_no_size = [(path, cache) for path, cache in caches if cache.size_px is None and path in used]
    return all("-" in cache.path.name or min(used[path]) < 1 for path, cache in of_no_size)


# The same, where the reason is one that the project or the trainer's answer must bear out.
DELIBERATE_WHERE: dict[str, tuple[Callable[[Case, Answer], bool], str]] = {
    "config.value:validation_split": (
        _splits_wrong, "without a seed pictures are trained and validated; beyond 0 to 1 the trainer validates nothing"
    ),
    "config.value:train_batch_size": (_has_unfilled_batches, "one of several datasets would not be trained"),
    "plan.buckets": (_has_empty_bucket, "there is no latent of width 0: the training ends where the picture is loaded"),
    "config.value:resolution": (_is_encoded_uneven, "the VAE encodes 8 x 8 pixels at once, and ends on anything else"),
    "config.caching:caption_dropout_rate": (_is_lumina, "lumina passes over it without a word"),
    "config.caching:shuffle_caption": (_is_lumina, "the same"),
    "dataset.cache.name": (_has_cache_of_no_size, "the same of a size below zero, or of a picture that is not needed"),
    "dataset.image.unreadable": (_is_never_opened, "it is broken all the same, and caching the latents opens it"),
}  # fmt: skip


def _all(answer: Answer) -> list[Any]:
    return [*answer["train"], *answer["validation"]]


def _pictures_of(answer: Answer) -> list[list[int]]:
    return [row for dataset in _all(answer) for row in dataset["pictures"].values()]


def _concepts(case: Case) -> list[dict[str, Any]]:
    return list(case.project.block.get("concepts", {}).values())


@pytest.fixture(scope="module")
def compared(installed_trainer: TrainerStatus, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Case, Answer]]:
    """Every project in both ways, and what the trainer answers; its process works while the next ones are made."""
    folder = tmp_path_factory.mktemp("plan")
    paths = installed_trainer.paths
    script = Path(__file__).with_name("real_datasets.py")
    answers_path = folder / "answers"
    cases = []
    with (
        answers_path.open("wb") as answers,
        subprocess.Popen(
            [paths.python_path, script, "--source", paths.source_dir, "--inside", INSIDE_DIR],
            stdin=subprocess.PIPE,
            stdout=answers,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **ONE_THREAD, "TQDM_DISABLE": "1"},
            encoding="utf-8",
        ) as child,
    ):
        assert child.stdin is not None
        for seed in range(PROJECTS):
            for case in both_ways(make_project(seed, folder / str(seed)), paths):
                cases.append(case)
                if case.request is not None:
                    child.stdin.write(json.dumps(case.request) + "\n")
                    child.stdin.flush()
        child.communicate(timeout=TRAINER_TIMEOUT_S)
    found = map(json.loads, answers_path.read_text(encoding="utf-8").splitlines())
    return [(case, next(found) if case.request is not None else {"error": "not asked"}) for case in cases]


@pytest.mark.parametrize("way", [FOLDERS, FILES])
def test_the_plan_is_what_the_trainer_makes_of_it(compared: list[tuple[Case, Answer]], way: str) -> None:
    found = {case.project.seed: list(differences(case, answer)) for case, answer in compared if case.way == way}
    assert len(found) == PROJECTS
    wrong = [f"seed {seed}: {text}" for seed, texts in found.items() for text in texts]
    assert not wrong, f"{len(wrong)} differences\n" + "\n".join(wrong[:SHOWN])


def test_there_is_something_of_every_kind(compared: list[tuple[Case, Answer]]) -> None:
    """The comparison would prove little if the trainer refused most of it, or nothing odd were among the rest."""
    both = [(case, answer) for case, answer in compared if case.plan is not None and "error" not in answer]
    assert len(both) > PROJECTS
    assert sum("error" in answer for _, answer in compared) > PROJECTS // 4
    assert {case.project.family for case, _ in both} == set(CACHE_SUFFIXES)
    plans = [case.plan for case, _ in both if case.plan is not None]
    assert sum(len(plan.datasets) > 1 for plan in plans) > PROJECTS // 20
    assert sum(plan.validation_images > 0 for plan in plans) > PROJECTS // 10
    assert sum(plan.reg_images > plan.train_images for plan in plans) > PROJECTS // 20
    assert sum(0 < plan.reg_images < plan.train_images for plan in plans) > PROJECTS // 20
    seen = Counter(code for case, answer in compared if "error" not in answer for code in case.codes)
    assert not (DELIBERATE.keys() | DELIBERATE_WHERE.keys()) - seen.keys()


def differences(case: Case, answer: Answer) -> Iterator[str]:
    """Yields where the trainer and we do not agree; nothing where both refuse."""
    against = case.codes - DELIBERATE.keys()
    if "error" in answer:
        if not against and not _is_folders_alone(case, answer):
            yield f"the trainer ends with {answer}, and we say nothing but {sorted(case.codes)}"
        return
    for code in sorted(against):
        holds = DELIBERATE_WHERE.get(code)
        if holds is None or not holds[0](case, answer):
            yield f"the trainer goes on, and we say {[p for p in case.problems if p.code == code.partition(':')[0]]}"
    if case.plan is None:
        if not against:
            yield "the trainer goes on, and we have neither a plan nor a reason"
        return
    yield from _unequal("datasets", len(case.plan.datasets), len(answer["train"]))
    for index, (planned, real) in enumerate(zip(case.plan.datasets, answer["train"], strict=False)):
        for name, value in _training(planned).items():
            yield from _unequal(f"dataset {index}: {name}", value, real[name])
    validated = [planned for planned in case.plan.datasets if case.project.options.get("validation_split")]
    yield from _unequal("validation datasets", len(validated), len(answer["validation"]))
    for index, (planned, real) in enumerate(zip(validated, answer["validation"], strict=False)):
        for name, value in _validation(planned).items():
            yield from _unequal(f"validation of dataset {index}: {name}", value, real[name])
    yield from _unequal("batches", case.plan.batches_per_epoch, answer["batches"])
    validation_batches = sum(planned.validation_batches for planned in case.plan.datasets)
    yield from _unequal("validation batches", validation_batches, answer["validation_batches"])


def _is_folders_alone(case: Case, answer: Answer) -> bool:
    """The trainer cannot split a folder without pictures; it finds that in a folder, and never in a file of ours."""
    if case.way != FOLDERS or not case.project.options.get("validation_split"):
        return False
    empty = [one for one in case.dataset.ignored if one.folder.parent == case.dataset.image_dir]
    return any(one.right_name == one.folder.name for one in empty) and "expected 2, got 0" in answer["text"]


def _training(planned: PlannedDataset) -> dict[str, Any]:
    return {
        "images": planned.train_images,
        "reg_images": planned.reg_images,
        "batches": planned.batches_per_epoch,
        "buckets": {f"{bucket.width}x{bucket.height}": bucket.images for bucket in planned.buckets},
        "pictures": _pictures(planned, is_validation=False),
    }


def _validation(planned: PlannedDataset) -> dict[str, Any]:
    return {
        "images": planned.validation_images,
        "batches": planned.validation_batches,
        "pictures": _pictures(planned, is_validation=True),
    }


def _pictures(planned: PlannedDataset, *, is_validation: bool) -> dict[str, list[float]]:
    views = (view for view in planned.views() if view.is_validation == is_validation)
    return {str(view.picture.path): [view.views, *view.placement.bucket, *view.placement.resized] for view in views}


def _unequal(name: str, planned: Any, real: Any) -> Iterator[str]:
    if planned == real:
        return
    if isinstance(planned, dict) and isinstance(real, dict):
        keys = [key for key in {**planned, **real} if planned.get(key) != real.get(key)]
        planned, real = ({key: side.get(key) for key in keys[:SHOWN]} for side in (planned, real))
    yield f"{name}: planned {planned}, and the trainer says {real}"
