"""Fingerprints: they change when what was trained on changes, and only then."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from loratpl.dataset.scan import Concept, scan
from loratpl.run.fingerprint import Fingerprints, concept_sha256, model_sha256, sha256_of_tree
from tests.stand_in import StandIn, write_picture


def make_concept(root_dir: Path) -> Concept:
    folder = root_dir / "image_dir" / "3_ohwx cat"
    folder.mkdir(parents=True)
    for number in (1, 2):
        write_picture(folder / f"{number}.v1.png", number)
    (folder / "1.v1.txt").write_text("ohwx cat, sitting", encoding="utf-8")
    (folder / "notes.md").write_text("not trained", encoding="utf-8")
    return only_concept(root_dir)


def only_concept(root_dir: Path) -> Concept:
    (concept,) = scan(root_dir / "image_dir", None).concepts
    return concept


def test_a_concept_has_the_same_fingerprint_wherever_it_lies(odd_path: Path, tmp_path: Path) -> None:
    there = make_concept(tmp_path / "elsewhere")
    assert concept_sha256(make_concept(odd_path), ".txt") == concept_sha256(there, ".txt")


def replace_picture(folder: Path) -> None:
    write_picture(folder / "2.v1.png", 5)


def rename_picture(folder: Path) -> None:
    (folder / "2.v1.png").rename(folder / "3.v1.png")


def edit_caption(folder: Path) -> None:
    (folder / "1.v1.txt").write_text("ohwx cat, standing", encoding="utf-8")


def add_caption(folder: Path) -> None:
    (folder / "2.v1.txt").write_text("", encoding="utf-8")


def remove_picture(folder: Path) -> None:
    (folder / "2.v1.png").unlink()


@pytest.mark.parametrize("change", [replace_picture, rename_picture, edit_caption, add_caption, remove_picture])
def test_a_change_of_what_is_trained_changes_the_fingerprint(tmp_path: Path, change: Callable[[Path], None]) -> None:
    concept = make_concept(tmp_path)
    before = concept_sha256(concept, ".txt")
    change(concept.folder)
    assert concept_sha256(only_concept(tmp_path), ".txt") != before


def edit_note(folder: Path) -> None:
    (folder / "notes.md").write_text("still not trained", encoding="utf-8")


def edit_other_caption(folder: Path) -> None:
    (folder / "1.v1.caption").write_text("captions of another extension", encoding="utf-8")


def touch(folder: Path) -> None:
    (folder / "1.v1.png").touch()


def change_repeats(folder: Path) -> None:
    folder.rename(folder.with_name("7_ohwx cat"))


@pytest.mark.parametrize("change", [edit_note, edit_other_caption, touch, change_repeats])
def test_a_change_of_anything_else_does_not(tmp_path: Path, change: Callable[[Path], None]) -> None:
    concept = make_concept(tmp_path)
    before = concept_sha256(concept, ".txt")
    change(concept.folder)
    assert concept_sha256(only_concept(tmp_path), ".txt") == before


def test_the_order_of_the_files_does_not_matter(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for path in paths:
        path.write_text(path.name, encoding="utf-8")
    assert sha256_of_tree(tmp_path, paths) == sha256_of_tree(tmp_path, reversed(paths))


def test_swapped_contents_are_another_tree(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    hashes = set()
    for contents in (("1", "2"), ("2", "1"), ("12", "")):
        for path, content in zip(paths, contents, strict=True):
            path.write_text(content, encoding="utf-8")
        hashes.add(sha256_of_tree(tmp_path, paths))
    assert len(hashes) == 3


def test_a_model_file_is_hashed_as_it_is(odd_path: Path) -> None:
    model = odd_path / "model.safetensors"
    model.write_bytes(b"weights" * 400_000)
    assert model_sha256(model) == hashlib.sha256(b"weights" * 400_000).hexdigest()


def test_a_diffusers_folder_is_hashed_with_all_it_holds(odd_path: Path) -> None:
    (odd_path / "unet").mkdir()
    (odd_path / "model_index.json").write_text("{}", encoding="utf-8")
    (odd_path / "unet" / "weights.bin").write_bytes(b"1")
    before = model_sha256(odd_path)
    (odd_path / "unet" / "weights.bin").write_bytes(b"2")
    assert before is not None
    assert model_sha256(odd_path) != before


def test_a_model_of_the_hub_has_no_fingerprint() -> None:
    assert model_sha256(Path("owner/name")) is None


def fingerprints_of(model: str, concepts: tuple[Concept, ...], stand_in: StandIn) -> Fingerprints:
    marker = stand_in.status.marker
    assert marker is not None
    return Fingerprints(model, concepts, ".txt", stand_in.paths, marker)


def test_all_of_it_is_hashed_in_the_background(tmp_path: Path, stand_in: StandIn) -> None:
    concept = make_concept(tmp_path)
    model = tmp_path / "model.safetensors"
    model.write_bytes(b"weights")
    fingerprints = fingerprints_of(str(model), (concept,), stand_in)
    fingerprints.start()
    fingerprints.finish(wait=True)
    assert fingerprints.model == hashlib.sha256(b"weights").hexdigest()
    assert fingerprints.concepts == {concept.folder: concept_sha256(concept, ".txt")}
    assert fingerprints.trainer_problem is None


def test_a_picture_that_goes_away_meanwhile_leaves_its_concept_unknown(tmp_path: Path, stand_in: StandIn) -> None:
    concept = make_concept(tmp_path)
    concept.pictures[0].path.unlink()
    fingerprints = fingerprints_of("owner/name", (concept,), stand_in)
    fingerprints.start()
    fingerprints.finish(wait=True)
    assert fingerprints.concepts == {}


def test_the_trainers_environment_is_asked_as_well(stand_in: StandIn) -> None:
    fingerprints = fingerprints_of("owner/name", (), stand_in)
    stand_in.paths.python_path.unlink()
    fingerprints.start()
    fingerprints.finish(wait=True)
    assert fingerprints.trainer_problem is not None
    assert str(stand_in.paths.python_path) in fingerprints.trainer_problem


def test_nothing_is_waited_for_before_it_was_started(stand_in: StandIn) -> None:
    fingerprints = fingerprints_of("owner/name", (), stand_in)
    fingerprints.finish(wait=True)
    assert fingerprints.model is None
