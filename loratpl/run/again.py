"""The settings of an earlier run, to be used again: also where its project was moved or copied since."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any

from loratpl.config.paths import MODEL_OPTIONS, PATH_OPTIONS
from loratpl.config.settings import CAN_BE_OFF
from loratpl.errors import Problem, ProjectError
from loratpl.project import ProjectPaths, RunPaths
from loratpl.records import RunRecord

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_CONFIG_FLAG = "--config_file"


@dataclass(frozen=True, slots=True)
class RecordedSettings:
    """The settings of a run as they are to be used again.

    Attributes:
        config_path: The run's own config, as `load_settings` takes it.
        overrides: What must be said beside it, as `load_settings` takes it: paths of the project that lie elsewhere
            by now, and options that were off where unset means our default. Those of the command line go after them.
        values: The whole config with the paths as they are now.
        moved_from: Where the project was, None where it still is there.
    """

    config_path: Path
    overrides: tuple[tuple[str, Any], ...]
    values: Mapping[str, Any]
    moved_from: PurePath | None = None


def recorded_settings(project: ProjectPaths, paths: RunPaths, record: RunRecord) -> RecordedSettings:
    """Returns the settings that a run was trained with, for its project as it lies now.

    Raises:
        ProjectError: The run's config is missing or damaged.
    """
    values = _read(project, paths)
    old_dir = project_dir_then(record)
    is_moved = old_dir is not None and not _is_same(old_dir, project.root_dir)
    moved = {}
    if old_dir is not None and is_moved:
        for name in sorted(PATH_OPTIONS | MODEL_OPTIONS):
            found = re_anchored(values.get(name), old_dir, project.root_dir)
            if found != values.get(name):
                moved[name] = found
    # Read again, a config without them would be given our defaults.
    off = {name: False for name in sorted(CAN_BE_OFF) if values.get(name) is None}
    overrides = tuple({**moved, **off}.items())
    return RecordedSettings(paths.config_path, overrides, {**values, **moved}, old_dir if is_moved else None)


def project_dir_then(record: RunRecord) -> PurePath | None:
    """Returns where a run's project was when it was trained, None where its record does not tell.

    Records of the first version have it only in the command: the trainer's config was `log/<run_id>/train.toml`.
    """
    if record.project_dir is not None:
        return _pure(record.project_dir)
    if _CONFIG_FLAG not in record.argv[:-1]:
        return None
    config = _pure(record.argv[record.argv.index(_CONFIG_FLAG) + 1])
    is_ours = config is not None and config.parent.name == record.run_id and len(config.parents) > 3
    return config.parents[2] if config is not None and is_ours else None


def re_anchored(value: Any, old_dir: PurePath, new_dir: Path) -> Any:
    r"""Returns a value with every path inside the old project inside the new one; all else as it is.

    >>> re_anchored("/a/cats/image_dir", PurePosixPath("/a/cats"), Path("/b/dogs")).replace("\\", "/")
    '/b/dogs/image_dir'
    >>> re_anchored("/a/cats-2/image_dir", PurePosixPath("/a/cats"), Path("/b/dogs"))
    '/a/cats-2/image_dir'
    """
    if isinstance(value, list):
        return [re_anchored(item, old_dir, new_dir) for item in value]
    path = _pure(value) if isinstance(value, str) else None
    if path is None or type(path) is not type(old_dir) or ".." in path.parts or not path.is_relative_to(old_dir):
        return value
    return str(new_dir.joinpath(*path.relative_to(old_dir).parts))


def _pure(text: str) -> PurePath | None:
    """Returns an absolute path in the terms of the system it was written on, None for what is none."""
    if _DRIVE.match(text) or text.startswith("\\\\"):
        return PureWindowsPath(text)
    return PurePosixPath(text) if text.startswith("/") else None


def _is_same(old_dir: PurePath, new_dir: Path) -> bool:
    try:
        return Path(old_dir).resolve() == new_dir.resolve()
    except (OSError, RuntimeError):
        return False


def _read(project: ProjectPaths, paths: RunPaths) -> dict[str, Any]:
    try:
        values = json.loads(paths.config_path.read_bytes())
    except FileNotFoundError as error:
        raise _unusable(project, paths, "is missing") from error
    except OSError as error:
        raise _unusable(project, paths, f"cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise _unusable(project, paths, "is damaged") from error
    if not isinstance(values, dict):
        raise _unusable(project, paths, "is damaged")
    return values


def _unusable(project: ProjectPaths, paths: RunPaths, what: str) -> ProjectError:
    where = project.relative(paths.config_path)
    return ProjectError(
        Problem(
            "project.record.config",
            f"{where} {what}: the settings that {paths.run_id} was trained with are not known without it.",
            where,
            "Put it back from a copy, or train with the project's own config: `kohyatpl run`.",
        )
    )
