"""A folder is looked at once: what every entry is, whatever it is."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from loratpl.dataset.intake.listing import Entry, Kind, listing
from loratpl.errors import ProjectError
from tests.given import refusal


def test_every_kind_of_entry_is_known(odd_path: Path) -> None:
    (odd_path / "b.png").write_bytes(b"x" * 100)
    (odd_path / "a.txt").touch()
    (odd_path / "c.png").mkdir()
    (odd_path / "d.png").symlink_to("nowhere")
    (odd_path / "e.png").symlink_to("e.png")
    (odd_path / "f.png").symlink_to("b.png")
    (odd_path / "g").symlink_to(".", target_is_directory=True)
    assert listing(odd_path) == (
        Entry("a.txt", Kind.FILE, 0),
        Entry("b.png", Kind.FILE, 100, b"x" * 48),
        Entry("c.png", Kind.FOLDER),
        Entry("d.png", Kind.BROKEN_LINK),
        Entry("e.png", Kind.BROKEN_LINK),
        Entry("f.png", Kind.FILE, 100, b"x" * 48),
        Entry("g", Kind.FOLDER),
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(os.path.relpath(tmp_path / "b.png"))
    assert [entry.kind for entry in listing(tmp_path)] == [Kind.SPECIAL, Kind.SPECIAL]


@pytest.mark.skipif(sys.platform != "linux", reason="a file that even root cannot read")
def test_a_file_that_cannot_be_read_is_known_before_anything_is_copied() -> None:
    """/proc/self/mem: of size 0, and reading its beginning is an error for everybody."""
    entries = {entry.name: entry for entry in listing(Path("/proc/self"))}
    assert entries["mem"].kind is Kind.UNREADABLE


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ProjectError) as caught:
        listing(tmp_path / "file")
    refusal(caught.value, ProjectError, "dataset.source.unreadable", str(tmp_path / "file"), "Nothing was laid out")
