"""Pictures brought into a project: all of them or nothing, and the source as it was."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loratpl.dataset.intake.captions import parse_template
from loratpl.dataset.intake.copy import bring_in, refuse_without_room
from loratpl.dataset.intake.names import split_name
from loratpl.dataset.intake.sources import Intake, Source, look_into_sources
from loratpl.errors import ProjectError
from loratpl.project import ConceptName, ProjectPaths, create_project, name_key
from tests.dataset.intake.given import contents, make_files
from tests.given import refusal


def create(root_dir: Path, intake: Intake, *, link: bool = False) -> ProjectPaths:
    """Returns the project that takes this in."""
    concepts = [item.source.concept for item in intake.folders if not item.source.is_reg]
    reg = [item.source.concept for item in intake.folders if item.source.is_reg]
    return create_project(
        root_dir, config={}, concepts=concepts, reg_classes=reg, fill=lambda new: bring_in(new, intake, link=link)
    )


def one_source(tmp_path: Path, names: list[str]) -> tuple[Path, Intake]:
    folder = make_files(tmp_path / "cats", names)
    return folder, look_into_sources(tmp_path / "new", [Source(folder, ConceptName("ohwx cat"))])


def test_pictures_and_captions_are_copied_byte_for_byte(odd_path: Path) -> None:
    cats = make_files(odd_path / "cats", ["1.png", "1.caption", "ñ 日本.Jpg", "x.gif"])
    reg = make_files(odd_path / "5_cat", ["r.webp", "r.txt"])
    before = contents(odd_path)
    sources = [Source(cats, ConceptName("ohwx cat")), Source(reg, ConceptName("cat", 5), is_reg=True)]
    intake = look_into_sources(odd_path / "new", sources, caption=parse_template("{concept}, {tags}"))
    project = create(odd_path / "new", intake)
    after = contents(project.image_dir)
    assert after.keys() == {f"1_ohwx cat/{name}" for name in ("1.png", "1.txt", "ñ 日本.jpg", "ñ 日本.txt")}
    assert after["1_ohwx cat/1.txt"] == before["cats/1.caption"]
    assert after["1_ohwx cat/ñ 日本.jpg"] == before["cats/ñ 日本.Jpg"]
    assert (project.image_dir / "1_ohwx cat/ñ 日本.txt").read_text(encoding="utf-8") == "ohwx cat, ñ 日本\n"
    assert contents(project.reg_dir) == {f"5_cat/{name}": before[f"5_cat/{name}"] for name in ("r.webp", "r.txt")}
    assert {path: text for path, text in contents(odd_path).items() if not path.startswith("new/")} == before


STEMS = ["1", "1-png", "a", "A", "é", "e\u0301", "ß", "ss", "q?", "q-", "aux", ".h", "10"]
EXTENSIONS = [".png", ".PNG", ".Png", ".jpg", ".jfif", ".gif", ".txt", ".TXT", ".caption", ".png.txt", ".npz", ".mp4"]
FILES = st.sets(st.tuples(st.sampled_from(STEMS), st.sampled_from(EXTENSIONS)), min_size=1, max_size=25)


@pytest.mark.skipif(sys.platform != "linux", reason="names that only a case-sensitive file system keeps apart")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(FILES, st.sampled_from([None, "{concept}, {tags}"]), st.booleans())
def test_nothing_is_lost(files: set[tuple[str, str]], caption: str | None, link: bool) -> None:
    """What is taken and what is left out are together the source, and what is taken has its content."""
    names = ["certain.png", *(stem + extension for stem, extension in files)]
    with tempfile.TemporaryDirectory() as folder:
        source = make_files(Path(folder) / "cats", names)
        before = contents(source)
        template = parse_template(caption) if caption else None
        intake = look_into_sources(Path(folder) / "new", [Source(source, ConceptName("ohwx cat"))], caption=template)
        project = create(Path(folder) / "new", intake, link=link)
        after = contents(project.image_dir / "1_ohwx cat")
        assert contents(source) == before
    files_of = intake.folders[0].files
    taken = {item.name for item in files_of.taken}
    left_out = [path.name for path, _ in intake.left_out]
    assert Counter(before[name] for name in [*taken, *left_out]) == Counter(before.values())
    assert {item.new_name: before[item.name] for item in files_of.taken} == {
        name: digest for name, digest in after.items() if name not in files_of.written
    }
    assert after.keys() == {item.new_name for item in files_of.taken} | files_of.written.keys()
    assert len({name_key(name) for name in after}) == len(after)
    stems = [name_key(split_name(item.new_name)[0]) for item in files_of.taken if not item.is_caption]
    assert len(set(stems)) == len(stems)
    assert all(name_key(split_name(name)[0]) in stems for name in after)


def test_a_link_is_followed_and_a_read_only_picture_can_be_changed_in_the_project(tmp_path: Path) -> None:
    folder = make_files(tmp_path / "cats", ["1.png"])
    (folder / "1.png").chmod(stat.S_IREAD)
    (folder / "2.png").symlink_to("1.png")
    project = create(tmp_path / "new", look_into_sources(tmp_path / "new", [Source(folder, ConceptName("cat"))]))
    for name in ("1.png", "2.png"):
        copy = project.image_dir / "1_cat" / name
        assert copy.read_bytes() == (folder / "1.png").read_bytes()
        assert not copy.is_symlink()
        assert copy.stat().st_mode & stat.S_IWUSR


def test_linked_pictures_are_the_same_file_and_captions_are_not(tmp_path: Path) -> None:
    folder, _ = one_source(tmp_path, ["1.png", "1.txt"])
    (folder / "2.png").symlink_to("1.png")
    intake = look_into_sources(tmp_path / "new", [Source(folder, ConceptName("ohwx cat"))])
    project = create(tmp_path / "new", intake, link=True)
    linked = project.image_dir / "1_ohwx cat"
    assert (linked / "1.png").samefile(folder / "1.png")
    assert (linked / "2.png").samefile(folder / "1.png")
    assert not (linked / "2.png").is_symlink()
    assert not (linked / "1.txt").samefile(folder / "1.txt")
    shutil.rmtree(folder)
    assert (linked / "2.png").read_bytes()


@pytest.mark.skipif(
    not Path("/dev/shm").is_dir() or Path("/dev/shm").stat().st_dev == Path(tempfile.gettempdir()).stat().st_dev,  # noqa: S108
    reason="needs two file systems",
)
def test_pictures_of_another_disk_cannot_be_linked(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        folder = make_files(Path(other) / "cats", ["1.png"])
        intake = look_into_sources(tmp_path / "new", [Source(folder, ConceptName("cat"))])
        with pytest.raises(ProjectError) as caught:
            create(tmp_path / "new", intake, link=True)
    problem = refusal(caught.value, ProjectError, "project.link", str(folder / "1.png"))
    assert "Leave `--link` out" in problem.fix
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_has_gone_meanwhile_leaves_nothing(tmp_path: Path) -> None:
    folder, intake = one_source(tmp_path, ["1.png", "2.png"])
    (folder / "2.png").unlink()
    with pytest.raises(ProjectError) as caught:
        create(tmp_path / "new", intake)
    refusal(caught.value, ProjectError, "project.copy", str(folder / "2.png"), "Nothing was laid out")
    assert [path.name for path in tmp_path.iterdir()] == ["cats"]


def test_a_file_system_that_takes_two_names_for_one_overwrites_nothing(tmp_path: Path) -> None:
    folder, intake = one_source(tmp_path, ["1.png"])

    def fill(project: ProjectPaths) -> None:
        (project.image_dir / "1_ohwx cat" / "1.png").write_bytes(b"there first")
        bring_in(project, intake, link=False)

    with pytest.raises(ProjectError) as caught:
        create_project(tmp_path / "new", config={}, concepts=["ohwx cat"], fill=fill)
    refusal(caught.value, ProjectError, "project.copy", str(folder / "1.png"), "is there already")


_LIMITED = """
import resource, sys
from pathlib import Path
from loratpl.dataset.intake.copy import bring_in
from loratpl.dataset.intake.sources import Source, look_into_sources
from loratpl.errors import ProjectError
from loratpl.project import ConceptName, create_project
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
place = Path(sys.argv[1])
intake = look_into_sources(place / "new", [Source(place / "cats", ConceptName("cat"))])
try:
    create_project(place / "new", config={}, concepts=["cat"], fill=lambda new: bring_in(new, intake, link=False))
except ProjectError as error:
    print(error.problems[0].code, error.problems[0].message)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_disk_that_ends_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    folder = make_files(tmp_path / "cats", ["1.png", "2.png"])
    (folder / "2.png").write_bytes(bytes(200_000))
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.startswith("project.copy ")
    assert "2.png" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["cats"]


def test_pictures_for_which_there_is_no_room_are_refused_before_they_are_copied(tmp_path: Path) -> None:
    folder, _ = one_source(tmp_path, ["1.png"])
    size_bytes = 8 << 40
    try:
        os.truncate(folder / "1.png", size_bytes)  # takes no room itself
    except OSError:
        pytest.skip("the file system takes no file of that size")
    intake = look_into_sources(tmp_path / "new", [Source(folder, ConceptName("cat"))])
    assert intake.copied_bytes == size_bytes
    with pytest.raises(ProjectError) as caught:
        refuse_without_room(tmp_path / "deep" / "new", intake)
    problem = refusal(caught.value, ProjectError, "project.disk", "8796.1 GB", str(tmp_path / "deep" / "new"))
    assert "--link" in problem.fix
