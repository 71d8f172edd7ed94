"""A project with pictures and captions, and what the rules say of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loratpl.check.captions import caption_problems
from loratpl.dataset.captions import read_captions
from loratpl.dataset.scan import scan
from loratpl.errors import Problem
from loratpl.project import ProjectPaths
from tests.check.given_rules import settings_for
from tests.stand_in import write_picture

CAT = "image_dir/10_ohwx cat"


def write_files(root_dir: Path, files: Mapping[str, str | bytes | None]) -> None:
    """Writes files below a folder: pictures where the content is None, texts in UTF-8, bytes as they are."""
    for number, (name, content) in enumerate(files.items()):
        path = root_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            write_picture(path, number)
        else:
            path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


def problems_of(
    root_dir: Path, files: Mapping[str, str | bytes | None], family: str = "sd15", /, **options: Any
) -> list[Problem]:
    """Returns what is wrong with the captions of a project of these files."""
    write_files(root_dir, files)
    return found_in(root_dir, family, **options)


def found_in(root_dir: Path, family: str = "sd15", /, **options: Any) -> list[Problem]:
    """Returns what is wrong with the captions that lie in a project."""
    settings = settings_for(root_dir, family, **options)
    dataset = scan(root_dir / "image_dir", root_dir / "reg_dir")
    return list(caption_problems(ProjectPaths(root_dir), settings, read_captions(dataset, lambda _: settings)))


def captioned(*texts: str | bytes, folder: str = CAT) -> dict[str, str | bytes | None]:
    """Returns pictures of a folder with these captions, `1.png` and `1.txt` and so on."""
    files: dict[str, str | bytes | None] = {}
    for number, text in enumerate(texts, 1):
        files |= {f"{folder}/{number}.png": None, f"{folder}/{number}.txt": text}
    return files
