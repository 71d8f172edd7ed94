"""The folders that pictures come from: what is planned of them, and when they are refused."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from loratpl.dataset.intake.captions import parse_template
from loratpl.dataset.intake.planning import Reason
from loratpl.dataset.intake.sources import Intake, Source, concept_of_folder, look_into_sources, named_source
from loratpl.errors import ExitCode, ProjectError
from loratpl.project import ConceptName
from tests.dataset.intake.given import make_files
from tests.given import refusal


def refused(root_dir: Path, *sources: Source, flat: Path | None = None) -> ProjectError:
    with pytest.raises(ProjectError) as caught:
        look_into_sources(root_dir, sources, flat)
    assert caught.value.exit_code is ExitCode.PROJECT
    assert not root_dir.exists()
    return caught.value


@pytest.mark.parametrize(
    ("folder", "class_tokens", "repeats"),
    [
        ("10_ohwx cat", "ohwx cat", 10),
        ("ohwx cat", "ohwx cat", 1),
        ("90s_style", "90s_style", 1),
        ("4x4 car", "4x4 car", 1),
        ("2024_car", "2024_car", 1),
        ("1000_car", "1000_car", 1),
        ("999_car", "car", 999),
        ("0_car", "car", 1),
        ("-3_car", "car", 1),
        ("+5_car", "car", 5),
        (" 5_car", "car", 5),
        ("1_0_car", "0_car", 1),
        ("٣_car", "car", 3),
        ("2__dbl", "_dbl", 2),
        ("5_under_score_s", "under_score_s", 5),
        ("_5_under", "_5_under", 1),
        ("7", "7", 1),
        ("7_", "7_", 1),
        ("10_ ohwx cat ", "ohwx cat", 10),
        ("-dash", "-dash", 1),
        ("1.5_car", "1.5_car", 1),
        ("{2.0}10_ohwx cat", "{2.0}ohwx cat", 10),
        ("{ 2 }_3_car", "{ 2 }car", 3),
        ("10_{2}car", "{2}car", 10),
        ("{2.0}car", "{2.0}car", 1),
        ("{x}10_car", "{x}10_car", 1),
        (unicodedata.normalize("NFD", "3_café"), unicodedata.normalize("NFC", "café"), 3),
    ],
)
def test_a_folder_is_the_concept_that_the_trainer_would_take_it_for(
    folder: str, class_tokens: str, repeats: int
) -> None:
    assert concept_of_folder(folder) == ConceptName(class_tokens, repeats)


@pytest.mark.parametrize(
    ("name", "folder", "expected"),
    [
        ("ohwx cat", "10_ohwx cat", ConceptName("ohwx cat", 10)),
        ("zwx cat", "10_ohwx cat", ConceptName("zwx cat", 1)),
        ("ohwx cat", "pictures", ConceptName("ohwx cat", 1)),
        ("ohwx cat", "0_ohwx cat", ConceptName("ohwx cat", 1)),
        ("10_ohwx cat", "10_ohwx cat", ConceptName("10_ohwx cat", 1)),
        ("café", unicodedata.normalize("NFD", "4_café"), ConceptName("café", 4)),
    ],
)
def test_a_name_that_was_given_counts_and_its_own_folder_brings_the_repeats(
    tmp_path: Path, name: str, folder: str, expected: ConceptName
) -> None:
    assert named_source(name, tmp_path / folder, is_reg=False) == Source(tmp_path / folder, expected)


def test_captions_are_for_concepts_and_not_for_regularisation_images(odd_path: Path) -> None:
    cats, reg = make_files(odd_path / "cats", ["1.png"]), make_files(odd_path / "reg", ["1.png"])
    sources = [Source(cats, ConceptName("ohwx cat")), Source(reg, ConceptName("cat"), is_reg=True)]
    intake = look_into_sources(odd_path / "new", sources, caption=parse_template("{concept}"))
    assert [dict(item.files.written) for item in intake.folders] == [{"1.txt": "ohwx cat"}, {}]


def test_each_sub_folder_is_a_concept(odd_path: Path) -> None:
    flat = make_files(
        odd_path / "flat",
        ["10_ohwx cat/1.png", "90s_style/1.png", "only gif/1.gif", "loose.png", ".git/1.png", "__MACOSX/1.png",
         "ohwx dog/1.jpg", "ohwx dog/deep/1.jpg"],
    )  # fmt: skip
    (flat / "nothing").mkdir()
    intake = look_into_sources(odd_path / "new", [], flat)
    assert [item.source.concept.folder_name for item in intake.folders] == ["10_ohwx cat", "1_90s_style", "1_ohwx dog"]
    assert {path.relative_to(flat).as_posix(): reason for path, reason in intake.left_out} == {
        "only gif/1.gif": Reason.FORMAT,
        "loose.png": Reason.LOOSE,
        ".git": Reason.HIDDEN,
        "__MACOSX": Reason.HIDDEN,
        "ohwx dog/deep": Reason.FOLDER,
        "nothing": Reason.NO_PICTURE,
    }


def test_an_empty_intake_is_nothing_in_json() -> None:
    assert Intake().as_json() == {"taken": 0, "captions_written": 0, "left_out": [], "renamed": []}


def test_a_caption_of_two_pictures_is_one_file_that_was_taken(tmp_path: Path) -> None:
    cats = make_files(tmp_path / "cats", ["1.png", "1.jpg", "1.txt", "x.gif"])
    intake = look_into_sources(tmp_path / "new", [Source(cats, ConceptName("ohwx cat"))])
    assert intake.as_json() == {
        "taken": 3,
        "captions_written": 0,
        "left_out": [{"path": str(cats / "x.gif"), "reason": Reason.FORMAT.text}],
        "renamed": [
            {"path": str(cats / old), "new_name": new}
            for old, new in [
                ("1.jpg", "1-jpg.jpg"), ("1.txt", "1-jpg.txt"), ("1.png", "1-png.png"), ("1.txt", "1-png.txt"),
            ]
        ],
    }  # fmt: skip


# --- what is refused ------------------------------------------------------------------------------------------------


def test_a_folder_without_a_picture_is_refused_with_what_is_in_it(odd_path: Path) -> None:
    folder = make_files(odd_path / "cats", ["1.gif", "2.gif", "clip.mp4"])
    error = refused(odd_path / "new", Source(folder, ConceptName("ohwx cat")))
    problem = refusal(error, ProjectError, "dataset.source.empty", str(folder), "2 a kind of picture", "1 a video")
    assert problem.fix.startswith("Name a folder that holds pictures")


def test_a_folder_of_folders_is_refused_with_flat_as_its_fix(odd_path: Path) -> None:
    folder = make_files(odd_path / "all", ["cat/1.png"])
    error = refused(odd_path / "new", Source(folder, ConceptName("ohwx cat")))
    refusal(error, ProjectError, "dataset.source.empty", "sub-folder", f'--flat "{folder}"')


def test_every_empty_folder_is_named_at_once(tmp_path: Path) -> None:
    for name in ("a", "b", "flat"):
        (tmp_path / name).mkdir()
    sources = [Source(tmp_path / name, ConceptName(name)) for name in ("a", "b")]
    error = refused(tmp_path / "new", *sources, flat=tmp_path / "flat")
    assert [problem.where for problem in error.problems] == [str(tmp_path / name) for name in ("a", "b", "flat")]


def test_a_flat_folder_that_is_a_concept_itself_is_refused_with_concept_as_its_fix(odd_path: Path) -> None:
    flat = make_files(odd_path / "cats", ["1.png"])
    error = refused(odd_path / "new", flat=flat)
    refusal(error, ProjectError, "dataset.source.empty", str(flat), f'--concept "ohwx cat={flat}"')


def test_a_tree_of_kohya_ss_is_no_flat_folder(tmp_path: Path) -> None:
    flat = make_files(tmp_path / "tree", ["img/10_ohwx cat/1.png", "reg/1_cat/1.png"])
    refusal(refused(tmp_path / "new", flat=flat), ProjectError, "dataset.source.empty", "--adopt")


@pytest.mark.parametrize("project", ["cats", "cats/new", "cats/deep/new", "link", "link/new"])
@pytest.mark.parametrize("is_flat", [False, True])
def test_a_project_and_its_source_are_apart(tmp_path: Path, project: str, is_flat: bool) -> None:
    source = make_files(tmp_path / "cats", ["1.png", "a/1.png"])
    (tmp_path / "link").symlink_to("cats", target_is_directory=True)
    with pytest.raises(ProjectError) as caught:
        look_into_sources(
            tmp_path / project,
            [] if is_flat else [Source(source, ConceptName("ohwx cat"))],
            source if is_flat else None,
        )
    refusal(caught.value, ProjectError, "dataset.source.overlap", str(tmp_path / project), str(source))


def test_a_sub_folder_that_leads_to_the_project_is_refused(tmp_path: Path) -> None:
    place = make_files(tmp_path / "place", ["1.png"])
    flat = make_files(tmp_path / "flat", ["a/1.png"])
    (flat / "b").symlink_to(place, target_is_directory=True)
    error = refused(place / "new", flat=flat)
    refusal(error, ProjectError, "dataset.source.overlap", str(flat / "b"))


def test_a_sibling_whose_name_begins_alike_is_no_overlap(tmp_path: Path) -> None:
    source = make_files(tmp_path / "cats", ["1.png"])
    assert look_into_sources(tmp_path / "cats-new", [Source(source, ConceptName("cat"))]).folders
