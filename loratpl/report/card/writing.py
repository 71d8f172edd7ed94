"""A card as a file with its pictures beside it: never over anything that is somebody else's."""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from loratpl.dataset.inspect.inspection import MAX_DECODED_PIXELS
from loratpl.errors import Problem, ProjectError, UsageError
from loratpl.project import ProjectPaths
from loratpl.report.card.card import Card, CardSample, card_of
from loratpl.report.card.text import card_text
from loratpl.report.story.story import RunStory
from loratpl.run.again import project_dir_then, re_anchored

LONGEST_SIDE_PX = 768
JPEG_QUALITY = 90
_OURS = re.compile(rb"^<!-- kohyatpl [^>]*-->\r?$", re.MULTILINE)
# The head holds the prompts of the samples, and the mark stands under it.
_LOOKED_AT_BYTES = 65_536
_OUR_PICTURE = re.compile(r"prompt\d+-step\d+\.jpg")


@dataclass(frozen=True, slots=True)
class WrittenCard:
    """A card that was written.

    Attributes:
        card: What it says.
        path: The file.
        pictures: Those beside it.
        unread: Samples that could not be read, and are not on it.
    """

    card: Card
    path: Path
    pictures: tuple[Path, ...]
    unread: tuple[Path, ...]


def card_path_of(story: RunStory, card: Card) -> Path:
    """Returns where the card of a run lies unless it is said otherwise: beside the LoRA, and called as it is."""
    return _output_dir(story) / f"{card.output_name}.md"


def write_card(story: RunStory, path: Path | None = None) -> WrittenCard:
    """Writes the card of a run and its pictures; a card of ours that is there is replaced.

    Args:
        story: The run's.
        path: The file, beside the LoRA unless given; its folder is made. The pictures lie in a folder beside it.

    Raises:
        UsageError: Something else is there, in the place of the card or of its pictures.
        ProjectError: It cannot be written.
    """
    card = card_of(story)
    path = card_path_of(story, card) if path is None else path
    try:
        target = path.resolve()  # a link stays one, and what it points to is written
        is_ours = _refuse_foreign(path)
        pictures_dir = target.with_name(f"{target.stem}-samples")
        names = {sample: f"prompt{sample.prompt_index:02}-step{sample.step:06}.jpg" for sample in card.samples}
        if not is_ours:
            _refuse_taken([pictures_dir / name for name in names.values()], pictures_dir)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            written = _write_pictures(names, pictures_dir)
            shown = {sample: f"{pictures_dir.name}/{name.name}" for sample, name in written.items()}
            _write_whole(target, card_text(card, shown).encode())
        except BaseException:
            if not is_ours:  # without their card they would be somebody's, and stand in the way of the next attempt
                _take_back(pictures_dir, names.values())
            raise
        if is_ours:
            _remove_others(pictures_dir, {one.name for one in written.values()})
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a null character in the name
        raise _not_written(path, error) from error
    unread = tuple(sample.path for sample in card.samples if sample not in written)
    return WrittenCard(card, path, tuple(written.values()), unread)


def _output_dir(story: RunStory) -> Path:
    if story.checkpoints:
        return story.checkpoints[-1].path.parent
    project: ProjectPaths = story.detail.project
    values = {row.key: row.value for row in story.settings}
    then = project_dir_then(story.detail.record)
    found = values.get("output_dir")
    if not isinstance(found, str):
        return project.output_dir
    return Path(found if then is None else re_anchored(found, then, project.root_dir))


def _refuse_foreign(path: Path) -> bool:
    """Returns whether a card of ours is at a place; raises UsageError where it is anything else."""
    if not os.path.lexists(path) or (path.is_symlink() and not path.exists()):
        return False
    if path.is_file():
        with path.open("rb") as file:
            if _OURS.search(file.read(_LOOKED_AT_BYTES)):
                return True
        raise _taken(path, "is there already and is no card that kohyatpl wrote")
    raise _taken(path, "is a folder" if path.is_dir() else "is no file")


def _refuse_taken(pictures: list[Path], pictures_dir: Path) -> None:
    """A card that is not there has no pictures: what lies in their place is somebody's."""
    if pictures and os.path.lexists(pictures_dir) and not pictures_dir.is_dir():
        raise _taken(pictures_dir, "is no folder, and the card's pictures go there")
    for picture in pictures:
        if os.path.lexists(picture):
            raise _taken(picture, "is there already, and there is no card that it belongs to")


def _taken(path: Path, what: str) -> UsageError:
    return UsageError(
        Problem(
            "usage.card.exists",
            f"{path} {what}; it is left as it is.",
            "--out",
            "Name a new file with `--out`, or move that one away.",
        )
    )


def _write_pictures(names: Mapping[CardSample, str], folder: Path) -> dict[CardSample, Path]:
    """Returns where the samples lie that could be read."""
    written = {}
    for sample, name in names.items():
        jpeg = _small_jpeg(sample.path)
        if jpeg is not None:
            folder.mkdir(exist_ok=True)
            _write_whole(folder / name, jpeg)
            written[sample] = folder / name
    return written


def _small_jpeg(path: Path) -> bytes | None:
    """Returns a picture as it is passed on, without what its file says beside it; None where it cannot be read."""
    import io

    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if not path.is_file():
                return None
            with Image.open(path) as image:
                if image.width * image.height > MAX_DECODED_PIXELS:
                    return None
                small = image.convert("RGB")
                small.thumbnail((LONGEST_SIDE_PX, LONGEST_SIDE_PX))
                file = io.BytesIO()
                small.save(file, "JPEG", quality=JPEG_QUALITY, optimize=True)
        except Exception:  # noqa: BLE001 - decoders raise whatever they like on what is broken
            return None
    return file.getvalue()


def _write_whole(path: Path, content: bytes) -> None:
    partial = path.with_name(f".kohyatpl-{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def _take_back(folder: Path, names: Iterable[str]) -> None:
    """Removes the pictures of a card that could not be written; none of them was there before."""
    with contextlib.suppress(OSError):
        for name in names:
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()


def _remove_others(folder: Path, kept: set[str]) -> None:
    """Removes the pictures of the card before this one."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if _OUR_PICTURE.fullmatch(path.name) and path.name not in kept:
                path.unlink()
        if not kept:
            folder.rmdir()


def _not_written(path: Path, error: Exception) -> ProjectError:
    reason = (error.strerror if isinstance(error, OSError) else None) or error
    return ProjectError(
        Problem(
            "project.write",
            f"{path} cannot be written: {reason}.",
            str(path),
            "Make room on the disk, or name a file with `--out` in a folder that you may write to.",
        )
    )
