"""Caption files that hold no caption: the trainer ends on them, or trains what nobody wrote."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from loratpl.check.captions.wording import counted, files_of, listed, place
from loratpl.dataset.captions import CaptionFile, ConceptCaptions, Fault
from loratpl.dataset.captions.encoding import title_of
from loratpl.errors import Problem
from loratpl.project import ProjectPaths


def file_problems(project: ProjectPaths, captions: Sequence[ConceptCaptions]) -> Iterator[Problem]:
    """Yields an error for each caption file that holds none; one cause of many is told once."""
    pointers: list[str] = []
    encodings: dict[tuple[Path, str], list[CaptionFile]] = defaultdict(list)
    for path, file in files_of(captions).items():
        if file.fault is None:
            continue
        where = project.relative(Path(path))
        if file.fault is Fault.LFS:
            pointers.append(where)
        elif file.fault is Fault.ENCODING:
            encodings[Path(path).parent, file.detail].append(file)
        elif file.fault is Fault.EMPTY:
            message = f"{where} is empty (0 bytes); the trainer ends on it."
            fix = "Write a caption into it, or delete it: the picture is then trained on its folder's name."
            yield Problem("dataset.caption.empty", message, where, fix)
        elif file.fault is Fault.UNREADABLE:
            message = f"{where} cannot be read ({file.detail}); the trainer ends on it."
            fix = "Give yourself permission to read it, with `chmod +r` for example."
            yield Problem("dataset.caption.unreadable", message, where, fix)
        elif file.fault is Fault.FOREIGN:
            end = "the trainer ends on it" if file.ends_training else "it would be trained as if it were the caption"
            message = f"{where} is no caption but {file.detail}; {end}."
            yield Problem("dataset.caption.foreign", message, where, "Write a caption into it, or delete it.")
    if pointers:
        yield _pointers(project, captions, pointers)
    for (folder, encoding), files in encodings.items():
        yield _encoding(project, folder, encoding, files)


def pointers_among(captions: Sequence[ConceptCaptions]) -> tuple[Path, ...]:
    """Returns the caption files that are Git LFS pointers."""
    return tuple(Path(path) for path, file in files_of(captions).items() if file.fault is Fault.LFS)


def _pointers(project: ProjectPaths, captions: Sequence[ConceptCaptions], places: list[str]) -> Problem:
    total = sum(1 for concept in captions for caption in concept.captions if caption.file is not None)
    parents = {str(Path(place).parent) for place in places}
    where = (
        places[0] if len(places) == 1 else parents.pop() if len(parents) == 1 else project.relative(project.image_dir)
    )
    what = "is a Git LFS pointer" if len(places) == 1 else "are Git LFS pointers"
    message = (
        f"{counted(len(places), 'caption')} of {total} {what}, not the text itself: {listed(places)}. The trainer "
        "would train on `version https://git-lfs…`."
    )
    return Problem("dataset.caption.lfs", message, where, "Run `git lfs pull`, then `kohyatpl check`.")


def _encoding(project: ProjectPaths, folder: Path, encoding: str, files: Sequence[CaptionFile]) -> Problem:
    names = [Path(file.path).name for file in files]
    where = place(project, folder, names)
    title = title_of(encoding)
    if len(files) == 1 and files[0].bad_byte >= 0:
        subject = f"{where} is not UTF-8 (byte {files[0].bad_byte + 1})"
    elif len(files) == 1:
        subject = f"{where} is not UTF-8: every second byte is 0"
    else:
        subject = f"{len(files)} captions of {where} are not UTF-8: {listed(names)} (the first from byte "
        subject += f"{max(files[0].bad_byte, 0) + 1} on)"
    guess = f"; the text looks like {title}" if title else ""
    them = "it" if len(files) == 1 else "them"
    end = f"The trainer ends on {them}" if any(file.ends_training for file in files) else "Noise would be trained"
    fix = f"Save as UTF-8 without BOM{f', from {title}' if title else ''}"
    example = f": `iconv -f {encoding.upper()} -t UTF-8 OLD > NEW`." if encoding else "."
    return Problem("dataset.caption.encoding", f"{subject}{guess}. {end}.", where, fix + example)
