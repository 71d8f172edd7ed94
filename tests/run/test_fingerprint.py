"""Fingerprints: they change when what was trained on changes, and only then."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from loratpl.dataset.scan import Concept, scan
from loratpl.project import ProjectPaths, open_project
from loratpl.render.prepare import prepare
from loratpl.run.fingerprint import Fingerprints, concept_sha256, hashes_now, model_sha256, sha256_of_tree
from tests.stand_in import StandIn, make_trainable_project, write_picture


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


def test_a_caption_that_is_borrowed_counts_and_one_that_nobody_reads_does_not(tmp_path: Path) -> None:
    """The trainer takes the caption of `ann.png` for a face that was cut out of it, unless that has its own."""
    folder = tmp_path / "image_dir" / "3_ohwx cat"
    folder.mkdir(parents=True)
    write_picture(folder / "ann_0210_0340_0512_0512.png")
    (folder / "ann.txt").write_text("ann, sitting", encoding="utf-8")
    hashes = [concept_sha256(only_concept(tmp_path), ".txt")]
    for name, text in (("ann.txt", "standing"), ("ann_0210_0340_0512_0512.txt", "a face"), ("ann.txt", "unread")):
        (folder / name).write_text(text, encoding="utf-8")
        hashes.append(concept_sha256(only_concept(tmp_path), ".txt"))
    assert len(set(hashes)) == 3
    assert hashes[2] == hashes[3]


def test_a_caption_that_is_borrowed_from_outside_counts_too(tmp_path: Path) -> None:
    """The rule cuts the whole path at its underscores, folders and all."""
    hashes = []
    for text in ("one", "another"):
        root_dir = tmp_path / text
        folder = root_dir / "set_a" / "3_ohwx_b_cat"
        folder.mkdir(parents=True)
        write_picture(folder / "1.png")
        borrowed = Path(f"{root_dir / 'set_a' / '3'}".rsplit("_", 1)[0] + ".txt")
        assert borrowed == root_dir / "set.txt"
        borrowed.write_text(text, encoding="utf-8")
        (concept,) = scan(root_dir / "set_a", None).concepts
        hashes.append(concept_sha256(concept, ".txt"))
    assert hashes[0] != hashes[1]


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
    concept, other = make_concept(tmp_path / "a"), make_concept(tmp_path / "b")
    concept.pictures[0].path.unlink()
    model = tmp_path / "model.safetensors"
    model.write_bytes(b"weights")
    fingerprints = fingerprints_of(str(model), (concept, other), stand_in)
    fingerprints.start()
    fingerprints.finish(wait=True)
    assert list(fingerprints.concepts) == [other.folder]
    assert fingerprints.model is not None


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


# --- what is kept for the next time


def make_old(folder: Path) -> None:
    """Takes files back in time, and waits until the time that nobody can set is believed as well."""
    for path in folder.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    time.sleep(2.05)


def test_the_second_time_no_picture_is_read(tmp_path: Path, stand_in: StandIn) -> None:
    project = ProjectPaths(tmp_path)
    concept = make_concept(tmp_path)
    model = tmp_path / "model.safetensors"
    model.write_bytes(b"weights")
    make_old(tmp_path)
    marker = stand_in.status.marker
    assert marker is not None
    files = {os.fspath(path) for path in (model, *(p.path for p in concept.pictures))}
    opened: list[str] = []
    sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)  # never removed
    hashes, reads = [], []
    for _ in range(2):
        opened.clear()
        fingerprints = Fingerprints(str(model), (concept,), ".txt", stand_in.paths, marker, project)
        fingerprints.start()
        fingerprints.finish(wait=True)
        reads.append(files.intersection(opened))
        hashes.append((fingerprints.model, fingerprints.concepts))
    assert hashes[0] == hashes[1]
    assert hashes[0] == (model_sha256(model), {concept.folder: concept_sha256(concept, ".txt")})
    assert reads == [files, set()]
    assert project.hashes_path.is_file()
    assert (project.hidden_dir / ".gitignore").is_file()


def test_what_would_be_trained_now_is_hashed_by_each_concepts_own_captions(tmp_path: Path) -> None:
    root_dir = make_trainable_project(
        tmp_path / "project", kohyatpl={"concepts": {"ohwx cat": {"caption_extension": ".caption"}}}
    )
    project = open_project(root_dir)
    folder = project.image_dir / "1_ohwx cat"
    (folder / "1.caption").write_text("sitting", encoding="utf-8")
    hashes = hashes_now(prepare(project))
    (concept,) = scan(project.image_dir, None).concepts
    assert hashes.concepts == {folder: concept_sha256(concept, ".caption")}
    assert hashes.model == model_sha256(tmp_path / "model.safetensors")
    assert hashes_now(prepare(project), with_model=False).model is None
