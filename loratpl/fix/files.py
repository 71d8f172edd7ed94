"""Single files, kept and moved so that no moment finds one missing."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
from pathlib import Path

from loratpl.journal.file import sync_folders

# Where no second name for a file can be made: another disk, or one that has none.
_NO_LINK = frozenset(
    {errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES}
)
_PIECE_BYTES = 1 << 20


def state_of(path: Path) -> str | None:
    """Returns what tells whether a file is still the same: of its content, or where it links to; None without one."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(status.st_mode):
        return f"link:{path.readlink()}"
    if stat.S_ISDIR(status.st_mode):
        return "folder"
    if not stat.S_ISREG(status.st_mode):
        return "special"
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            found.update(piece)
    return found.hexdigest()


def keep(path: Path, kept: Path) -> None:
    """Makes a second name for a file at `kept`, where its content, times and mode outlast its being replaced.

    The same file under a second name, not a copy, where the disk has that: once it is replaced, `path` names another
    one, and nobody who edits that in place can reach what is kept.

    Raises:
        OSError: It cannot be kept.
    """
    kept.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, kept, follow_symlinks=False)
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LINK:
            raise
        copy(path, kept)
        return
    if not path.is_symlink():
        with contextlib.suppress(OSError), path.open("rb") as file:
            os.fsync(file.fileno())


def copy(path: Path, target: Path) -> None:
    """Copies a file or a link with its times and mode; on the disk, and not only on its way there, when this returns.

    Raises:
        OSError: It cannot be copied; nothing is left at the target.
    """
    try:
        shutil.copy2(path, target, follow_symlinks=False)
        if not target.is_symlink():
            with target.open("rb") as file:
                os.fsync(file.fileno())
    except OSError:
        target.unlink(missing_ok=True)
        raise


def put_back(kept: Path, path: Path, partial: Path) -> None:
    """Puts what was kept in the place of a file, or where there is none; any moment finds the one or the other.

    Raises:
        OSError: It cannot be; what was kept is still there.
    """
    try:
        os.replace(kept, path)  # noqa: PTH105 - links and folders as well
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        partial.unlink(missing_ok=True)
        copy(kept, partial)
        partial.replace(path)
        sync_folders({str(path.parent)})
        kept.unlink()


def write_new(path: Path, content: bytes, mode: int | None) -> None:
    """Writes a file that is not there yet; it is on the disk when this returns.

    Raises:
        OSError: It cannot be written; nothing is left of it.
    """
    try:
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            path.chmod(mode)
    except FileExistsError:
        raise
    except OSError:
        path.unlink(missing_ok=True)
        raise


def is_free(path: Path, own: Path | None = None) -> bool:
    """Returns whether nothing has a name, or only the file `own` under another spelling that the disk does not tell."""
    return not os.path.lexists(path) or (own is not None and path != own and not is_there(path, own))


def is_there(path: Path, other: Path) -> bool:
    """Returns whether a file is there that is not `other` under another spelling: some disks know no upper case."""
    try:
        one, two = path.lstat(), other.lstat()
    except FileNotFoundError:
        return os.path.lexists(path)
    if (one.st_dev, one.st_ino) != (two.st_dev, two.st_ino) or path.name.casefold() != other.name.casefold():
        return True
    return path.name in os.listdir(path.parent)  # noqa: PTH208 - names, as they are spelt
