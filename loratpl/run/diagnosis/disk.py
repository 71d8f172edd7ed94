"""Files that could not be written, opened or found: the system's own words, which every library passes on."""

from __future__ import annotations

import re
from pathlib import Path

from loratpl.check.machine.disk import size_text
from loratpl.run.diagnosis.evidence import Case, Explanation, row
from loratpl.run.diagnosis.log import paths_in
from loratpl.run.diagnosis.machine import free_bytes
from loratpl.run.phases import SAVING

# What writes what: a piece of a traceback, and the option of the folder it writes to.
_WRITERS = (
    (("save_weights", "save_model", "save_file(file, "), "output_dir"),
    (("save_state", "save_accelerator_state"), "state"),
    (("cache_to_disk", "cache_batch_latents", "save_latents_to_disk", "save_outputs_to_npz"), "train_data_dir"),
    (("tensorboard", "event_file_writer"), "state"),
)
_KEEP_LESS = "keep fewer files (`save_every_n_epochs`, `save_last_n_epochs`)"
# Not a disk, although the system's word is the same.
_SHARED = re.compile(r"</torch_\w+>|/dev/shm/")
# A disk with more than this was not full a moment ago.
_ROOM_BYTES = 1 << 30


def _place(case: Case, text: str) -> tuple[str, Path | None]:
    """What could not be written, as the subject of a sentence, and where it lies."""
    for named in paths_in(text):
        return case.name(named), Path(named)
    for pieces, option in _WRITERS:
        if case.has_trace(*pieces):
            return _folder(case, option)
    return _folder(case, "output_dir") if case.evidence.phase == SAVING else ("a file of the training", None)


def _folder(case: Case, option: str) -> tuple[str, Path | None]:
    path = case.evidence.log_path.parent if option == "state" else case.settings.path(option)
    return f"a file in {case.name(path)}", path


def _full(case: Case, found: re.Match[str]) -> Explanation | None:
    if _SHARED.search(found.string):
        return None
    what, path = _place(case, found.string)
    free = None if path is None else free_bytes(path)
    # Where there is room again, somebody has made it since.
    room = f" ({size_text(free)} are free there)" if free is not None and free < _ROOM_BYTES else ""
    return Explanation(
        f"The disk is full: {what} could not be written{room}.",
        f"Make room on that disk, or {_KEEP_LESS}, then train again.",
    )


def _torn(case: Case, found: re.Match[str]) -> Explanation | None:
    """PyTorch's writer says neither why nor where; the disk does, as long as nobody has made room since."""
    what, path = _place(case, found.string)
    free = None if path is None else free_bytes(path)
    if free is None or free >= _ROOM_BYTES:
        return Explanation(
            f"PyTorch could not write {what} to its end, as happens on a full disk or a network folder that was lost.",
            "Look at the disk's room and state, then train again.",
        )
    return Explanation(
        f"PyTorch could not write {what} to its end, and the disk has {size_text(free)} left.",
        f"Make room on that disk, or {_KEEP_LESS}, then train again.",
    )


def _quota(case: Case, found: re.Match[str]) -> Explanation | None:
    what, _ = _place(case, found.string)
    return Explanation(
        f"Your quota on the disk is used up: {what} could not be written.",
        f"Delete files of yours there, ask for a larger quota, or {_KEEP_LESS}.",
    )


def _refused(case: Case, found: re.Match[str]) -> Explanation | None:
    what, path = _place(case, found.string)
    if path is None:
        return Explanation(
            f"The system refused access to {what}.", "See to it that you may read and write there, then train again."
        )
    return Explanation(
        f"The system refused access to {what}.", f"See to it that you may read and write {what}, then train again."
    )


def _read_only(case: Case, found: re.Match[str]) -> Explanation | None:
    what, _ = _place(case, found.string)
    return Explanation(
        f"The disk can only be read: {what} could not be written.",
        "Set `output_dir` to a disk that can be written; one that became read-only while in use may be failing.",
    )


def _failing(case: Case, found: re.Match[str]) -> Explanation | None:
    what, _ = _place(case, found.string)
    return Explanation(
        f"The disk or network folder failed while it was used ({found.group(0)}): {what}.",
        "Look at the connection and the health of that disk, or train from and to another one.",
    )


def _too_large(case: Case, found: re.Match[str]) -> Explanation | None:
    what, _ = _place(case, found.string)
    return Explanation(
        f"The disk's format or a limit of the system (`ulimit -f`) allows no file as large as {what}.",
        "Set `output_dir` to a disk that takes files of more than 4 GB (not FAT32), or run `ulimit -f unlimited` "
        "before.",
    )


def _too_many(case: Case, _found: re.Match[str]) -> Explanation | None:
    workers = case.settings["max_data_loader_n_workers"]
    fewer = f', or set `"max_data_loader_n_workers": 0` (it is {workers})' if workers else ""
    return Explanation(
        "The trainer had as many files open as the system allows a process.",
        f"Run `ulimit -n 65536` in the same shell before{fewer}.",
    )


def _gone(case: Case, found: re.Match[str]) -> Explanation | None:
    paths = [Path(found.group(1))] if found.group(1) else [Path(path).parent for path in paths_in(found.string)]
    written = (case.evidence.log_path.parent, case.settings.path("output_dir"))
    gone = [path for path in paths if not path.is_dir() and any(path.is_relative_to(folder) for folder in written)]
    if not gone:
        return None
    name = case.name(gone[0])
    return Explanation(
        f"The folder {name} was removed while the training wrote to it.",
        "Leave the folders of a run alone until it has ended, and train again.",
    )


ROWS = (
    row(
        "run.files.open",
        r"\[Errno 24\]|Too many open files|os error 24\b|received 0 items of ancdata",
        _too_many,
        "EMFILE; the last is what Python says when a worker could not hand a file over for lack of room",
    ),
    row(
        "run.disk.full",
        r"\[Errno 28\]|No space left on device|os error 28\b|StorageFull|\[WinError 112\]"
        r"|not enough space on the disk",
        _full,
        "ENOSPC of the system, ERROR_DISK_FULL of Windows, as Python, safetensors and PyTorch pass it on",
    ),
    row(
        "run.disk.full",
        r"PytorchStreamWriter failed writing file|inline_container\.cc:\d+\] \. unexpected pos \d+ vs \d+",
        _torn,
        "torch.save, whose writer knows only how much came through",
    ),
    row("run.disk.quota", r"\[Errno 122\]|[Dd]isk quota exceeded|os error 122\b", _quota, "EDQUOT of the system"),
    row("run.disk.read_only", r"\[Errno 30\]|Read-only file system|os error 30\b", _read_only, "EROFS of the system"),
    row(
        "run.disk.too_large",
        r"\[Errno 27\]|File too large|os error 27\b",
        _too_large,
        "EFBIG of the system",
    ),
    row(
        "run.disk.failing",
        r"\[Errno (?:5|116|107|112)\][^\n:]*|Stale file handle|os error (?:5|116)\b",
        _failing,
        "EIO, ESTALE, ENOTCONN and EHOSTDOWN of the system",
    ),
    row(
        "run.disk.permission",
        r"\[Errno 13\]|Permission denied|os error 13\b|\[WinError (?:5|32)\]",
        _refused,
        "EACCES of the system, ERROR_ACCESS_DENIED and ERROR_SHARING_VIOLATION of Windows",
    ),
    row(
        "run.folder.gone",
        r"^FileNotFoundError: \[(?:Errno|WinError) [23]\]|Parent directory ([^\n]+) does not exist",
        _gone,
        "TensorBoard's and the saving of states: both write to a folder that was there when the run began",
    ),
)
