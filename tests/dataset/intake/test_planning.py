"""Which files become pictures and captions of a project: every kind of file has its reason, and none is forgotten."""

from __future__ import annotations

import unicodedata

import pytest

from loratpl.dataset.intake.captions import parse_template
from loratpl.dataset.intake.listing import Entry, Kind
from loratpl.dataset.intake.planning import FolderIntake, LeftOut, Reason, is_hidden, loose_entries, plan_intake
from loratpl.dataset.scan import IMAGE_EXTENSIONS

JPEG = b"\xff\xd8\xff\xe0"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:"


def planned(*entries: Entry | str, caption: str | None = None) -> FolderIntake:
    """Returns the plan of a folder with these entries; a text is a file of that name."""
    found = [Entry(entry) if isinstance(entry, str) else entry for entry in entries]
    template = parse_template(caption) if caption else None
    return plan_intake(found, class_tokens="ohwx cat", caption=template)


def names(plan: FolderIntake) -> dict[str, str]:
    """Returns what each new name comes from."""
    return {item.new_name: item.name for item in plan.taken}


@pytest.mark.parametrize("extension", sorted(IMAGE_EXTENSIONS))
def test_what_the_trainer_reads_keeps_its_name(extension: str) -> None:
    assert names(planned(f"1{extension}")) == {f"1{extension}": f"1{extension}"}


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (Entry("a.gif"), Reason.FORMAT),
        (Entry("a.GIF"), Reason.FORMAT),
        (Entry("a.tiff"), Reason.FORMAT),
        (Entry("a.heic"), Reason.FORMAT),
        (Entry("a.avif"), Reason.FORMAT),
        (Entry("a.jfif", head=b"<html>"), Reason.FORMAT),
        (Entry("a.mp4"), Reason.VIDEO),
        (Entry("a.MOV"), Reason.VIDEO),
        (Entry("a.png", size_bytes=0), Reason.EMPTY),
        (Entry("a.txt", size_bytes=0), Reason.EMPTY),
        (Entry("a.png", head=LFS), Reason.LFS_POINTER),
        (Entry("a.txt", head=LFS), Reason.LFS_POINTER),
        (Entry("a.png", Kind.BROKEN_LINK), Reason.BROKEN_LINK),
        (Entry("a.txt", Kind.BROKEN_LINK), Reason.BROKEN_LINK),
        (Entry("a.png", Kind.UNREADABLE), Reason.UNREADABLE),
        (Entry("a.txt", Kind.UNREADABLE), Reason.UNREADABLE),
        (Entry("a.png", Kind.SPECIAL), Reason.SPECIAL),
        (Entry("more", Kind.FOLDER), Reason.FOLDER),
        (Entry("a.png", Kind.FOLDER), Reason.PICTURE_FOLDER),
        (Entry("a.txt", Kind.FOLDER), Reason.FOLDER),
        (Entry("a.txt"), Reason.ORPHAN),
        (Entry("README.txt"), Reason.ORPHAN),
        (Entry("a.caption"), Reason.ORPHAN),
        (Entry("a_0064x0064_sd.npz"), Reason.CACHE),
        (Entry(".a.png"), Reason.HIDDEN),
        (Entry("._a.png"), Reason.HIDDEN),
        (Entry("__MACOSX", Kind.FOLDER), Reason.HIDDEN),
        (Entry("Thumbs.db"), Reason.OTHER),
        (Entry("a.json"), Reason.OTHER),
        (Entry("a"), Reason.OTHER),
    ],
    ids=lambda value: value.name,
)
def test_what_is_not_taken_has_its_reason(entry: Entry, reason: Reason) -> None:
    plan = planned(entry, "b.png")
    assert plan.left_out == (LeftOut(entry.name, reason),)
    assert names(plan) == {"b.png": "b.png"}


def test_every_reason_is_said_and_no_two_alike() -> None:
    assert len({reason.text for reason in Reason}) == len(Reason)


@pytest.mark.parametrize(
    ("name", "new_name"),
    [("a.Jpg", "a.jpg"), ("a.jpG", "a.jpg"), ("a.Png", "a.png"), ("my.cat.WebP", "my.cat.webp")],
)
def test_an_extension_of_mixed_case_becomes_one_that_the_trainer_reads(name: str, new_name: str) -> None:
    assert names(planned(name)) == {new_name: name}


@pytest.mark.parametrize("name", ["a.jfif", "a.JFIF", "a.jpe", "a.jif"])
def test_a_jpeg_under_another_extension_is_a_jpg(name: str) -> None:
    assert names(planned(Entry(name, head=JPEG))) == {"a.jpg": name}


# --- captions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("caption", ["a.txt", "a.TXT", "a.caption", "a.Caption", "a.png.txt", "A.txt"])
def test_a_caption_goes_with_its_picture_as_txt(caption: str) -> None:
    plan = planned("a.png", caption)
    assert names(plan) == {"a.png": "a.png", "a.txt": caption}
    assert (plan.picture_count, plan.caption_count, plan.left_out) == (1, 1, ())


@pytest.mark.parametrize(
    ("better", "worse"),
    [("a.txt", "a.caption"), ("a.txt", "a.TXT"), ("a.txt", "A.txt"), ("a.txt", "a.png.txt"), ("A.txt", "a.caption")],
)
def test_of_two_captions_the_better_one_is_taken_and_the_other_named(better: str, worse: str) -> None:
    plan = planned("a.png", better, worse)
    assert names(plan)["a.txt"] == better
    assert plan.left_out == (LeftOut(worse, Reason.SECOND_CAPTION),)


def test_an_empty_caption_makes_room_for_another() -> None:
    plan = planned("a.png", Entry("a.txt", size_bytes=0), "a.caption")
    assert names(plan)["a.txt"] == "a.caption"
    assert plan.left_out == (LeftOut("a.txt", Reason.EMPTY),)


def test_letters_composed_and_decomposed_are_the_same() -> None:
    picture, caption = unicodedata.normalize("NFD", "é.png"), "é.txt"
    plan = planned(picture, caption)
    assert names(plan) == {picture: picture, unicodedata.normalize("NFD", "é.txt"): caption}


def test_the_caption_of_a_picture_that_is_not_taken_is_not_taken() -> None:
    plan = planned("a.gif", "a.txt", "b.png")
    assert plan.left_out == (LeftOut("a.gif", Reason.FORMAT), LeftOut("a.txt", Reason.ORPHAN))


# --- names that collide ---------------------------------------------------------------------------------------------


def test_pictures_that_share_a_stem_are_told_apart_with_their_captions() -> None:
    plan = planned("1.png", "1.jpg", "1.txt", "2.png")
    assert names(plan) == {
        "1-jpg.jpg": "1.jpg", "1-jpg.txt": "1.txt", "1-png.png": "1.png", "1-png.txt": "1.txt", "2.png": "2.png",
    }  # fmt: skip


def test_each_keeps_the_caption_that_is_its_own() -> None:
    plan = planned("1.png", "1.jpg", "1.png.txt", "1.jpg.txt")
    assert names(plan)["1-png.txt"] == "1.png.txt"
    assert names(plan)["1-jpg.txt"] == "1.jpg.txt"


def test_twins_by_case_are_told_apart() -> None:
    plan = planned("a.PNG", "A.png", "A.txt", "a.txt")
    assert names(plan) == {
        "A-png.png": "A.png", "A-png.txt": "A.txt", "a-png-2.PNG": "a.PNG", "a-png-2.txt": "a.txt",
    }  # fmt: skip


def test_a_name_that_is_free_of_trouble_is_never_given_away() -> None:
    assert names(planned("1.png", "1.jpg", "1-png.webp")) == {
        "1-png.webp": "1-png.webp", "1-jpg.jpg": "1.jpg", "1-png-2.png": "1.png",
    }  # fmt: skip


# --- captions that are written --------------------------------------------------------------------------------------


def test_captions_are_written_only_where_there_is_none() -> None:
    plan = planned(
        "a.png", "a.txt", "black_cat.png", "c.png", Entry("c.txt", size_bytes=0), caption="{concept}, {tags}"
    )
    assert plan.written == {"black_cat.txt": "ohwx cat, black cat", "c.txt": "ohwx cat, c"}


def test_a_caption_of_which_nothing_is_left_is_not_written() -> None:
    """The trainer ends on an empty caption file."""
    assert planned("0001.png", "cat.png", caption="{tags}").written == {"cat.txt": "cat"}


def test_written_captions_have_the_names_that_their_pictures_get() -> None:
    plan = planned("1.png", "1.jpg", "q?.png", caption="{stem}")
    assert plan.written == {"1-jpg.txt": "1", "1-png.txt": "1", "q-.txt": "q-"}


# --- the top of a folder of concepts --------------------------------------------------------------------------------


def test_what_lies_loose_beside_concept_folders_is_named() -> None:
    entries = [
        Entry("a.png"), Entry("a.txt"), Entry("b.gif"), Entry(".hidden", Kind.FOLDER), Entry("cat", Kind.FOLDER),
        Entry("empty.txt", size_bytes=0),
    ]  # fmt: skip
    assert list(loose_entries(entries)) == [
        LeftOut("a.png", Reason.LOOSE), LeftOut("a.txt", Reason.LOOSE), LeftOut("b.gif", Reason.FORMAT),
        LeftOut(".hidden", Reason.HIDDEN), LeftOut("empty.txt", Reason.EMPTY),
    ]  # fmt: skip


def test_a_dash_is_not_hidden() -> None:
    assert [is_hidden(name) for name in (".a", "__MACOSX", "-a", "_a")] == [True, True, False, False]
