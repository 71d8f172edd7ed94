"""Any one fault in a clean project is found, and nothing is found in clean ones, however odd they are."""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from loratpl.check.dataset_files import dataset_file_problems
from loratpl.dataset.inspect import inspect_tree
from loratpl.project import ProjectPaths
from tests.check.dataset_files.given_tree import clean_project
from tests.check.given_rules import settings_for
from tests.dataset.inspect.drawn import drawing, encoded, png_header, rotated, write

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links, pipes and such names")
_ROUNDS = 20
Fault = Callable[[Path, random.Random], str]
FAULTS: dict[str, Fault] = {}


def _fault(function: Fault) -> Fault:
    """Notes a way to spoil a picture: it is given a file of a clean project and returns the code to be found."""
    FAULTS[function.__name__.strip("_")] = function
    return function


def _replaced(path: Path, content: bytes) -> None:
    path.write_bytes(content)


@_fault
def _pointer(path: Path, numbers: random.Random) -> str:
    _replaced(path, b"version https://git-lfs.github.com/spec/v1\noid sha256:%064x\nsize 9\n" % numbers.getrandbits(99))
    return "dataset.lfs"


@_fault
def _empty(path: Path, _: random.Random) -> str:
    _replaced(path, b"")
    return "dataset.image.unreadable"


@_fault
def _page(path: Path, numbers: random.Random) -> str:
    _replaced(path, b" " * numbers.randrange(9) + b"<!doctype HTML><html></html>")
    return "dataset.image.unreadable"


@_fault
def _note(path: Path, numbers: random.Random) -> str:
    _replaced(path, "eine Notiz ü\n".encode() * numbers.randrange(1, 200))
    return "dataset.image.unreadable"


@_fault
def _noise(path: Path, numbers: random.Random) -> str:
    _replaced(path, b"\x01" + numbers.randbytes(numbers.randrange(1, 9000)))
    return "dataset.image.unreadable"


@_fault
def _zeros(path: Path, numbers: random.Random) -> str:
    _replaced(path, bytes(numbers.randrange(1, 9000)))
    return "dataset.image.unreadable"


@_fault
def _heic(path: Path, numbers: random.Random) -> str:
    _replaced(path, b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + numbers.randbytes(500))
    return "dataset.image.unreadable"


@_fault
def _folder(path: Path, _: random.Random) -> str:
    path.unlink()
    path.mkdir()
    return "dataset.image.unreadable"


@_fault
def _pipe(path: Path, _: random.Random) -> str:
    path.unlink()
    os.mkfifo(path)
    return "dataset.image.unreadable"


@_fault
def _loop(path: Path, _: random.Random) -> str:
    path.unlink()
    path.symlink_to(path.name)
    return "dataset.image.unreadable"


@_fault
def _gone(path: Path, numbers: random.Random) -> str:
    path.unlink()
    path.symlink_to(f"{numbers.random()}.png")
    return "dataset.image.unreadable"


@_fault
def _cut(path: Path, numbers: random.Random) -> str:
    content = path.read_bytes()
    _replaced(path, content[: numbers.randrange(len(content) // 8, len(content) - 20)])
    return "dataset.image.truncated"


@_fault
def _flipped(path: Path, numbers: random.Random) -> str:
    content = bytearray(encoded(drawing(numbers.randrange(1000, 9999))))
    content[numbers.randrange(60, len(content) - 12)] ^= 1 << numbers.randrange(8)
    _replaced(path.with_suffix(".png"), bytes(content))
    return "dataset.image."  # a flipped length can also look like a picture that is cut off


@_fault
def _bomb(path: Path, numbers: random.Random) -> str:
    _replaced(path.with_suffix(".png"), png_header(20_000, numbers.randrange(9_000, 9_100)))
    return "dataset.image.bomb"


@_fault
def _huge(path: Path, numbers: random.Random) -> str:
    _replaced(path.with_suffix(".png"), png_header(10_000, numbers.randrange(9_000, 9_100)))
    return "dataset.image.huge"


@_fault
def _lying(path: Path, numbers: random.Random) -> str:
    exif = rotated(numbers.randrange(2, 9))
    _replaced(
        path, encoded(drawing(numbers.randrange(1000, 9999)), numbers.choice([".jpg", ".png", ".webp"]), exif=exif)
    )
    return "dataset.image.orientation"


@_fault
def _transparent(path: Path, numbers: random.Random) -> str:
    picture = drawing(numbers.randrange(1000, 9999), mode="RGBA")
    picture.paste((0, 0, numbers.randrange(256), 0), (0, 0, numbers.randrange(1, 96), numbers.randrange(1, 80)))
    _replaced(path, encoded(picture))
    return "dataset.image.alpha"


@_fault
def _deep(path: Path, numbers: random.Random) -> str:
    _replaced(path, encoded(Image.frombytes("I;16", (50, 40), numbers.randbytes(4000))))
    return "dataset.image.depth"


@_fault
def _printed(path: Path, numbers: random.Random) -> str:
    _replaced(path, encoded(drawing(numbers.randrange(1000, 9999), mode="CMYK"), ".jpg"))
    return "dataset.image.cmyk"


@_fault
def _blank(path: Path, numbers: random.Random) -> str:
    colour = (numbers.randrange(256), numbers.randrange(256), numbers.randrange(256))
    picture = Image.new("RGB", (numbers.randrange(1, 400), numbers.randrange(1, 400)), colour)
    _replaced(path, encoded(picture, numbers.choice([".jpg", ".png", ".webp", ".bmp"])))
    return "dataset.image.blank"


@_fault
def _film(path: Path, numbers: random.Random) -> str:
    first, second = (drawing(numbers.randrange(1000, 9999)) for _ in range(2))
    _replaced(path, encoded(first, numbers.choice([".png", ".webp", ".gif"]), save_all=True, append_images=[second]))
    return "dataset.image.animated"


@_fault
def _mixed_case(path: Path, numbers: random.Random) -> str:
    path.rename(path.with_suffix(numbers.choice([".Png", ".jPG", ".Jpeg", ".weBP", ".gif", ".TIF", ".avif", ".jfif"])))
    return "dataset.image.left_out"


@_fault
def _misplaced(path: Path, numbers: random.Random) -> str:
    folder = path.parent / "below" if numbers.random() < 0.5 else path.parent.parent
    folder.mkdir(exist_ok=True)
    path.rename(folder / f"moved{path.suffix}")
    return "dataset.image.misplaced"


@_fault
def _same_stem(path: Path, numbers: random.Random) -> str:
    write(path.with_suffix(".jpg" if path.suffix != ".jpg" else ".PNG"), numbers.randrange(1000, 9999))
    return "dataset.image.same_stem"


@_fault
def _copied(path: Path, numbers: random.Random) -> str:
    folders = [folder for parent in path.parents[1].parent.glob("*_dir") for folder in parent.iterdir()]
    shutil.copyfile(path, numbers.choice(folders) / f"copy{path.suffix}")
    return "dataset.image.duplicate"


@_fault
def _saved_again(path: Path, numbers: random.Random) -> str:
    picture = Image.open(path).convert("RGB")
    _replaced(path.with_name("again.jpg"), encoded(picture, ".jpg", quality=numbers.randrange(80, 96)))
    return "dataset.image.alike"


@_fault
def _renamed(path: Path, numbers: random.Random) -> str:
    other = numbers.choice([suffix for suffix in (".png", ".jpg", ".webp", ".bmp") if suffix != path.suffix])
    path.rename(path.with_name(f"other{other}"))
    return "dataset.image.extension"


@pytest.mark.parametrize("name", FAULTS)
def test_any_fault_is_found(tmp_path: Path, name: str) -> None:
    settings = settings_for(tmp_path / "config", caption_extension=".txt")
    clean = clean_project(tmp_path / "clean")
    for number in range(_ROUNDS):
        numbers = random.Random(f"{name} {number}")
        project = ProjectPaths(tmp_path / str(number))
        shutil.copytree(clean.root_dir, project.root_dir)
        pictures = sorted(path for path in project.root_dir.glob("*_dir/*/*") if path.suffix != ".txt")
        path = numbers.choice(pictures)
        code = FAULTS[name](path, numbers)
        tree = inspect_tree(project.image_dir, project.reg_dir)
        problems = list(dataset_file_problems(project, settings, tree))
        found = [problem for problem in problems if problem.code.startswith(code)]
        assert found, (number, path, problems)
        assert all(problem.message and problem.fix and problem.where for problem in problems)
        shutil.rmtree(project.root_dir)


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_found_in_clean_projects_however_odd(tmp_path: Path, seed: int) -> None:
    settings = settings_for(tmp_path / "config", caption_extension=".txt")
    numbers = random.Random(seed)
    for round_number in range(15):
        project = ProjectPaths(tmp_path / f"{round_number}")
        for folder in (project.image_dir / "1_ñandú 日本 [x]", project.image_dir / "0010_x_y", project.reg_dir / "3"):
            for _ in range(numbers.randrange(1, 6)):
                stem = f"{numbers.choice(['a', 'ß ä', '日', '%d', 'x.y'])} {numbers.getrandbits(40)}"
                suffix = numbers.choice([".png", ".jpg", ".jpeg", ".webp", ".bmp", ".PNG", ".JPG"])
                modes = ["RGB", "L", "P", "RGBA", "1", "LA"] if suffix in {".png", ".PNG"} else ["RGB"]
                size = (numbers.randint(30, 700), numbers.randint(30, 700))
                write(folder / f"{stem}{suffix}", numbers.getrandbits(30), size, numbers.choice(modes))
        tree = inspect_tree(project.image_dir, project.reg_dir)
        assert list(dataset_file_problems(project, settings, tree)) == []
