"""Changes of text files that belong to a set of renames: made, taken back, and never over somebody else's."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from loratpl.journal.file import PARKING_PREFIX, Edit, base_dir_of, named, sync_folders, write_in_place


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A text file (UTF-8) and what it shall hold instead; None stands for no file at all."""

    path: Path
    before: str | None
    after: str | None


def edit_of(journal_path: Path, rewrite: Rewrite) -> Edit:
    """Returns the smallest edit that does it; a link is followed, so that it stays one."""
    old, new = rewrite.before or "", rewrite.after or ""
    at = _common(old, new)
    end = _common(old[at:][::-1], new[at:][::-1])
    return Edit(
        path=named(journal_path, os.path.realpath(rewrite.path)),
        before=_hash_of_text(rewrite.before),
        after=_hash_of_text(rewrite.after),
        at=at,
        old=old[at : len(old) - end],
        new=new[at : len(new) - end],
    )


def path_of(journal_path: Path, edit: Edit) -> Path:
    """Returns the file that an edit is of."""
    return base_dir_of(journal_path) / edit.path


def content_of(path: Path) -> bytes | None:
    """Returns what a file holds, None where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def hash_of(path: Path) -> str | None:
    """Returns the SHA-256 of a file's content, None where there is no file."""
    content = content_of(path)
    return None if content is None else hashlib.sha256(content).hexdigest()


def apply(path: Path, edit: Edit) -> bool:
    """Returns whether the file holds what the edit makes of it; it is changed only where it is as it was before."""
    partial = _partial(path)
    partial.unlink(missing_ok=True)  # of an attempt that was killed
    content = content_of(path)
    found = None if content is None else hashlib.sha256(content).hexdigest()
    if found != edit.before:
        return found == edit.after
    if edit.after is None:
        path.unlink()
        sync_folders({str(path.parent)})
        return True
    text = (content or b"").decode("utf-8")
    changed = text[: edit.at] + edit.new + text[edit.at + len(edit.old) :]
    mode = None if content is None else stat.S_IMODE(path.stat().st_mode)
    write_in_place(path, changed.encode("utf-8"), partial, mode)
    return True


def _common(one: str, other: str) -> int:
    """Returns how many characters both begin with."""
    pairs = zip(one, other, strict=False)
    return next((count for count, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _partial(path: Path) -> Path:
    # Ends unlike any config, so that none left behind is taken for one.
    return path.with_name(f"{PARKING_PREFIX}{path.name}.partial")


def _hash_of_text(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode("utf-8")).hexdigest()
