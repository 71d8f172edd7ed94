"""What has a picture's name and is none: by its content, or since it is no file at all."""

from __future__ import annotations

import os
import random
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from loratpl.dataset.inspect import MAX_READ_BYTES, Tier, inspect_file
from tests.dataset.inspect.drawn import drawing, encoded, png_header, write

posix = pytest.mark.skipif(sys.platform == "win32", reason="there is no such thing there")
TIERS: tuple[Tier, ...] = ("headers", "full")
_NOBODY = 65534


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize(
    ("content", "impostor", "detail"),
    [
        (b"", "empty", ""),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "lfs", ""),
        (b"version https://hawser.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "lfs", ""),
        (b"<!DOCTYPE html><html><body>403 Forbidden</body></html>", "html", ""),
        (b"\xef\xbb\xbf\n  <HTML lang='en'>", "html", ""),
        (b"only a note\n", "text", ""),
        ("nur eine Notiz, für später\n".encode(), "text", ""),
        (("日本" * 600).encode(), "text", ""),
        ("a note".encode("utf-16"), "text", ""),
        (b'{"error": "not found"}', "text", ""),
        (bytes(5000), "zeros", ""),
        (random.Random(1).randbytes(2000), "data", ""),
        (b"BMW and other cars", "text", ""),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "format", "a HEIC picture"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", "format", "a video"),
        (b"\0\0\0\x0cJXL \r\n\x87\n\0\0", "format", "a JPEG XL picture"),
        (b"\xff\x0a\x00\x10", "format", "a JPEG XL picture"),
        (b"%PDF-1.7\n", "format", "a PDF document"),
        (b"PK\3\4\x14\0", "format", "a zip archive"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "format", "an SVG drawing"),
        (b"<?xml version='1.0'?>\n<svg/>", "format", "an SVG drawing"),
    ],
)
def test_what_is_no_picture_is_named(odd_path: Path, content: bytes, impostor: str, detail: str, tier: Tier) -> None:
    path = odd_path / "a.png"
    path.write_bytes(content)
    found = inspect_file(str(path), tier)
    assert (found.impostor, found.detail, found.format) == (impostor, detail, "")
    assert (found.size_bytes, found.width_px, found.is_decoded) == (len(content), 0, False)


def test_a_long_text_that_begins_like_a_pointer_is_a_text(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n" + b"a note\n" * 1000)
    assert inspect_file(str(path)).impostor == "text"


def test_formats_that_the_trainer_opens_under_any_name_are_pictures(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    for format_name in ("GIF", "TIFF"):
        drawing().convert("P" if format_name == "GIF" else "RGB").save(path, format_name)
        for tier in TIERS:
            found = inspect_file(str(path), tier)
            assert (found.format, found.width_px, found.height_px) == (format_name.lower(), 96, 80)
            assert (found.impostor, found.damage) == ("", "")


@posix
def test_a_pipe_is_never_waited_for(odd_path: Path) -> None:
    os.mkfifo(odd_path / "a.png")
    found = []
    looking = threading.Thread(target=lambda: found.append(inspect_file(str(odd_path / "a.png"))), daemon=True)
    looking.start()
    looking.join(10)
    assert [(one.impostor, one.detail) for one in found] == [("special", "a pipe")]


@posix
def test_a_socket_and_a_device_are_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the names of sockets are short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("a.png")
        assert inspect_file(str(tmp_path / "a.png")).detail == "a socket"
    Path("b.png").symlink_to(os.devnull)
    assert inspect_file(str(tmp_path / "b.png")).detail == "a device"


def test_a_folder_with_a_pictures_name_is_a_folder(odd_path: Path) -> None:
    (odd_path / "a.png").mkdir()
    assert inspect_file(str(odd_path / "a.png")).impostor == "directory"


def test_links_that_lead_nowhere_are_told_apart(odd_path: Path) -> None:
    (odd_path / "gone.png").symlink_to("nowhere.png")
    (odd_path / "loop.png").symlink_to("loop.png")
    write(odd_path / "real.png")
    (odd_path / "good.png").symlink_to("real.png")
    found = {name: inspect_file(str(odd_path / f"{name}.png")) for name in ("gone", "loop", "good")}
    assert (found["gone"].impostor, found["gone"].detail) == ("broken_link", "nowhere.png")
    assert found["loop"].impostor == "link_loop"
    assert (found["good"].impostor, found["good"].damage, found["good"].width_px) == ("", "", 96)


def test_a_file_that_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    found = inspect_file(str(tmp_path / "missing.png"))
    assert (found.impostor, bool(found.detail)) == ("unreadable", True)
    assert inspect_file(str(tmp_path / "a\0b.png")).impostor == "unreadable"


@contextmanager
def as_somebody_else() -> Iterator[Path]:
    """Gives a folder in which this process has no rights beyond those of its files, whoever runs the tests."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        is_root = os.geteuid() == 0
        try:
            if is_root:
                os.seteuid(_NOBODY)
            yield folder
        finally:
            if is_root:
                os.seteuid(0)


@posix
def test_a_file_that_may_not_be_read_is_denied(tmp_path: Path) -> None:
    content = encoded(drawing())
    with as_somebody_else() as folder:
        (folder / "a.png").write_bytes(content)
        (folder / "a.png").chmod(0)
        assert inspect_file(str(folder / "a.png"), "headers").impostor == "denied"
        (folder / "a.png").chmod(0o600)
        assert inspect_file(str(folder / "a.png"), "headers").impostor == ""


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("begins_as_picture", [False, True])
def test_a_huge_file_is_never_read_whole(tmp_path: Path, tier: Tier, begins_as_picture: bool) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(drawing(), ".bmp") if begins_as_picture else b"")
    with path.open("r+b") as file:
        file.truncate(2 << 30)  # sparse: it takes no room
    found = inspect_file(str(path), tier)
    assert found.size_bytes == 2 << 30 > MAX_READ_BYTES
    assert (found.impostor, found.format) == (("", "bmp") if begins_as_picture else ("zeros", ""))
    assert not found.is_decoded


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("size", [(10_000, 10_000), (14_000, 13_000)])
def test_a_picture_of_very_many_pixels_is_measured_and_not_decoded(
    tmp_path: Path, tier: Tier, size: tuple[int, int]
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_header(*size))
    found = inspect_file(str(path), tier)
    assert (found.width_px, found.height_px, found.damage, found.is_decoded) == (*size, "", False)
