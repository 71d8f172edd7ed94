"""Paths as a page may show them: a page is passed on, and the folders of a machine are nobody's business."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

# What ends a path in running text. A space may be within one, but nothing tells which.
_END = r"""\s"'`<>|*?"""
_POSIX = re.compile(rf"(?<![\w/.:~])~?/(?:[^{_END}/]+/)+([^{_END}/]*)")
_WINDOWS = re.compile(rf"(?<!\w)(?:[A-Za-z]:[\\/]|\\\\)(?:[^{_END}\\/]+[\\/]+)*([^{_END}\\/]*)")
_WHOLE = re.compile(r"~?/|~?\\|[A-Za-z]:[\\/]")
ELSEWHERE = "…/"


class Places:
    """The folders that a page must not name."""

    def __init__(self, project_dirs: Iterable[str | Path]) -> None:
        """Takes in every folder in which the project lies or lay."""
        names = {str(folder).rstrip("/\\") for folder in project_dirs} - {""}
        # The longest first: one may lie in another.
        self._dirs = sorted(names, key=lambda name: (-len(name), name))

    def text(self, text: str) -> str:
        """Returns a text in which paths are relative to the project, and others have lost their folders.

        >>> Places(["/home/me/cats"]).text("/home/me/cats/log/a.txt is cut, /srv/models/b.ckpt is 1/2 of owner/name")
        'log/a.txt is cut, …/b.ckpt is 1/2 of owner/name'
        """
        for folder in self._dirs:
            text = re.sub(rf"{re.escape(folder)}(?:[\\/]+|(?![\w.-]))", "", text)
        text = _POSIX.sub(_named, text)
        return _WINDOWS.sub(_named, text)

    def value(self, value: Any) -> Any:
        """Returns a setting's value so; what is a path as a whole may have spaces in it.

        >>> Places(["/home/me/cats"]).value(["/home/me/cats/image_dir", "/srv/my models/b.ckpt", 3])
        ['image_dir', '…/b.ckpt', 3]
        """
        if isinstance(value, str):
            return self._path(value) if _WHOLE.match(value) else self.text(value)
        if isinstance(value, Mapping):
            return {key: self.value(one) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(one) for one in value]
        return value

    def _path(self, path: str) -> str:
        for folder in self._dirs:
            rest = path[len(folder) :] if path.startswith(folder) else None
            if rest is not None and (not rest or rest[0] in "/\\"):
                return rest.strip("/\\") or "."
        return ELSEWHERE + PureWindowsPath(path).name


def _named(matched: re.Match[str]) -> str:
    return ELSEWHERE + matched[1]
