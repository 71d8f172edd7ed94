"""A project on disk: where everything of it lies, how it is laid out, opened and locked."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from loratpl.errors import BusyError, Problem, ProjectError
from loratpl.resources import TEMPLATES_DIR

IMAGE_DIR_NAME = "image_dir"
REG_DIR_NAME = "reg_dir"
DEFAULT_TEMPLATE = "project"
CONFIG_NAME = "config.json"
# A folder of a new concept starts with one view per picture and epoch; `balance` changes that.
NEW_CONCEPT_REPEATS = 1
_CONFIG_SUFFIXES = (".json",)
_UNSAFE_IN_NAMES = re.compile(r'[/\\:*?"<>|\x00-\x1f]')


@dataclass(frozen=True, slots=True)
class RunPaths:
    """Every file of one run, below `log/<run_id>/`."""

    run_dir: Path

    @property
    def run_id(self) -> str:
        """The run's name in the log folder: YYYYMMDD-HHMMSS-NAME."""
        return self.run_dir.name

    @property
    def record_path(self) -> Path:
        """The record of the run, replaced atomically whenever its state changes."""
        return self.run_dir / "run.json"

    @property
    def config_path(self) -> Path:
        """The config as it was resolved."""
        return self.run_dir / "config.json"

    @property
    def train_toml_path(self) -> Path:
        """What the trainer gets as `--config_file`."""
        return self.run_dir / "train.toml"

    @property
    def dataset_toml_path(self) -> Path:
        """What the trainer gets as `--dataset_config`."""
        return self.run_dir / "dataset.toml"

    @property
    def command_path(self) -> Path:
        """The command, ready to be pasted into a shell."""
        return self.run_dir / "command.txt"

    @property
    def trainer_log_path(self) -> Path:
        """Every byte that the trainer wrote."""
        return self.run_dir / "trainer.log"

    @property
    def events_path(self) -> Path:
        """One JSON object a line for each thing that happened."""
        return self.run_dir / "events.jsonl"

    @property
    def tensorboard_dir(self) -> Path:
        """The trainer's `--logging_dir`."""
        return self.run_dir / "tensorboard"

    @property
    def state_dir(self) -> Path:
        """The training state that a stopped run leaves, to resume from."""
        return self.run_dir / "state"

    @property
    def verdict_path(self) -> Path:
        """What the look at the tensors of the finished file found."""
        return self.run_dir / "verdict.json"


@dataclass(frozen=True, slots=True)
class ProjectPaths:
    """Every place of a project."""

    root_dir: Path

    @property
    def image_dir(self) -> Path:
        """Holds one folder per concept."""
        return self.root_dir / IMAGE_DIR_NAME

    @property
    def reg_dir(self) -> Path:
        """Holds one folder of regularisation images per class."""
        return self.root_dir / REG_DIR_NAME

    @property
    def log_dir(self) -> Path:
        """Holds one folder per run."""
        return self.root_dir / "log"

    @property
    def output_dir(self) -> Path:
        """Holds the LoRAs."""
        return self.root_dir / "output"

    @property
    def config_path(self) -> Path:
        """The config file of a project as `new` makes it."""
        return self.root_dir / CONFIG_NAME

    @property
    def hidden_dir(self) -> Path:
        """Caches and the lock."""
        return self.root_dir / ".kohyatpl"

    @property
    def lock_path(self) -> Path:
        """Held while a run or a rename is live."""
        return self.hidden_dir / "lock"

    @property
    def journal_path(self) -> Path:
        """The journal of the last set of renames: what `balance --undo` reverses."""
        return self.hidden_dir / "renames.json"

    @property
    def render_dir(self) -> Path:
        """Where `render` writes unless told otherwise."""
        return self.hidden_dir / "render"

    def run(self, run_id: str) -> RunPaths:
        """Returns the paths of the run of that id."""
        return RunPaths(self.log_dir / run_id)

    def relative(self, path: Path) -> str:
        """Returns `path` as problems name it: relative to the project where it lies inside it."""
        try:
            return path.relative_to(self.root_dir).as_posix()
        except ValueError:
            return str(path)


def open_project(root_dir: Path) -> ProjectPaths:
    """Returns the project at `root_dir`.

    Raises:
        ProjectError: There is no such folder.
    """
    if not root_dir.is_dir():
        raise ProjectError(
            Problem(
                "project.missing",
                f"{root_dir} is not a folder, so there is no project in it.",
                str(root_dir),
                f'Lay one out with `kohyatpl new "{root_dir}"`, or name the folder of yours.',
            )
        )
    return ProjectPaths(root_dir.resolve())


def find_config(project: ProjectPaths, looks_like_config: Callable[[Path], bool]) -> Path:
    """Returns the config of a project: config.json, else the single file at its root that is one.

    Args:
        project: The project to look in.
        looks_like_config: Says whether a file holds at least one key that we know.

    Raises:
        ProjectError: There is none, or there are several.
    """
    if project.config_path.is_file():
        return project.config_path
    found = sorted(
        path
        for path in project.root_dir.iterdir()
        if path.suffix.lower() in _CONFIG_SUFFIXES and path.is_file() and looks_like_config(path)
    )
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(path.name for path in found)
        raise ProjectError(
            Problem(
                "project.config.several",
                f"{project.root_dir.name} has several files that could be its config: {names}.",
                names,
                f'Name the one you mean: `--config "{found[0].name}"`.',
            )
        )
    raise ProjectError(
        Problem(
            "project.config.missing",
            f"{project.root_dir} has no {CONFIG_NAME} and no other JSON file with training settings.",
            CONFIG_NAME,
            f'Name the file with `--config FILE`, or lay out a project with `kohyatpl new "{project.root_dir}"`.',
        )
    )


def create_project(
    root_dir: Path,
    *,
    config: dict[str, object],
    concepts: Sequence[str] = (),
    reg_classes: Sequence[str] = (),
    template: str = DEFAULT_TEMPLATE,
) -> ProjectPaths:
    """Returns a new project at `root_dir`: the template's files, the concept folders and the config.

    Args:
        root_dir: Where the project shall be; may exist as an empty folder.
        config: What config.json shall hold.
        concepts: "TRIGGER CLASS" of each concept, for example "ohwx cat".
        reg_classes: The class of each set of regularisation images, for example "cat".
        template: A folder of templates/projects.

    Raises:
        ProjectError: Something is there already, or a name cannot be a folder.
    """
    if root_dir.is_dir() and any(root_dir.iterdir()):
        raise _occupied(root_dir, "is not empty")
    if root_dir.exists() and not root_dir.is_dir():
        raise _occupied(root_dir, "is a file")
    for names in (concepts, reg_classes):
        for name in names:
            _check_folder_name(name)
        _refuse_twins(names)
    was_there = root_dir.is_dir()
    try:
        shutil.copytree(TEMPLATES_DIR / "projects" / template, root_dir, dirs_exist_ok=True)
        project = ProjectPaths(root_dir.resolve())
        for parent, wanted in ((project.image_dir, concepts), (project.reg_dir, reg_classes)):
            parent.mkdir(exist_ok=True)
            for name in wanted:
                (parent / f"{NEW_CONCEPT_REPEATS}_{name}").mkdir()
        project.log_dir.mkdir(exist_ok=True)
        project.output_dir.mkdir(exist_ok=True)
        text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
        project.config_path.write_text(text, encoding="utf-8")
    except OSError as error:
        _clear(root_dir, keep_folder=was_there)  # half a project would be in the way of the next attempt
        raise ProjectError(
            Problem(
                "project.write",
                f"The project cannot be written to {root_dir}: {error.strerror or error} ({error.filename}).",
                str(root_dir),
                "Name a folder that you may write to, on a disk with room.",
            )
        ) from error
    return project


def _refuse_twins(names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:  # one folder on Windows and macOS
            raise ProjectError(
                Problem("project.concept.name", f"{name!r} is named twice.", name, "Name each concept once.")
            )
        seen.add(name.casefold())


def _clear(root_dir: Path, *, keep_folder: bool) -> None:
    if not keep_folder:
        shutil.rmtree(root_dir, ignore_errors=True)
        return
    for entry in root_dir.iterdir():  # it was empty
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def _occupied(root_dir: Path, state: str) -> ProjectError:
    return ProjectError(
        Problem(
            "project.exists",
            f"{root_dir} {state}; `new` never writes over what is there.",
            str(root_dir),
            "Name a folder that does not exist yet.",
        )
    )


# Every file system takes 255 bytes; repeats and an underscore come before the name.
_MAX_NAME_BYTES = 240


def _check_folder_name(name: str) -> None:
    if len(name.encode("utf-8", errors="surrogateescape")) > _MAX_NAME_BYTES:
        raise ProjectError(
            Problem(
                "project.concept.name",
                f"{name!r} is too long for a folder: it has more than {_MAX_NAME_BYTES} bytes.",
                name,
                "Shorten it.",
            )
        )
    bad = _UNSAFE_IN_NAMES.search(name)
    if not name.strip() or bad or name != name.strip() or name.endswith("."):
        reason = f"holds {bad.group()!r}" if bad else "is empty, or starts or ends with a blank or a full stop"
        raise ProjectError(
            Problem(
                "project.concept.name",
                f"{name!r} cannot be the name of a folder on every system: it {reason}.",
                name,
                'Write the trigger word and the class, for example `--concept "ohwx cat"`.',
            )
        )


def template_names() -> tuple[str, ...]:
    """Returns what `new --template` can lay out."""
    return tuple(sorted(folder.name for folder in (TEMPLATES_DIR / "projects").iterdir() if folder.is_dir()))


@contextlib.contextmanager
def locked(project: ProjectPaths) -> Iterator[None]:
    """Holds the project's lock while the body runs.

    Raises:
        BusyError: Another process holds it.
        ProjectError: The lock file cannot be made.
    """
    import filelock

    lock = filelock.FileLock(project.lock_path, timeout=0)
    try:
        project.hidden_dir.mkdir(exist_ok=True)
        lock.acquire()
    except filelock.Timeout as error:
        raise BusyError(
            Problem(
                "run.busy",
                f"Another kohyatpl process works on {project.root_dir.name} right now.",
                project.relative(project.lock_path),
                "Wait until it has ended, or stop it with Ctrl-C where it runs.",
            )
        ) from error
    except OSError as error:
        raise ProjectError(
            Problem(
                "project.write",
                f"{project.hidden_dir} cannot be written: {error.strerror or error}.",
                project.relative(project.hidden_dir),
                "A run needs to write to its project: move it to a folder that you may write to.",
            )
        ) from error
    try:
        yield
    finally:
        lock.release()
