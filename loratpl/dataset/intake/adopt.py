"""A tree of concept folders that is there already: which of its folders are which, found by name and content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loratpl.config.defaults import DEFAULTS
from loratpl.dataset.intake.listing import unreadable_source
from loratpl.dataset.scan import parse_folder_name, picture_paths
from loratpl.errors import Problem, ProjectError

# What kohya_ss, the templates of 2023 and kohyatpl itself call the folders; the first that is there counts.
_TRAIN_NAMES = ("img", "image_dir")
_REG_NAMES = ("reg", "reg_dir")
_OUTPUT_NAMES = ("model", "output")
_LOG_NAMES = ("log", "logs")
_KOHYA_TRAIN_NAME = _TRAIN_NAMES[0]
_DEFAULT = {default.name: default.value for default in DEFAULTS}


@dataclass(frozen=True, slots=True)
class Tree:
    """The folders of a tree, relative to it.

    Attributes:
        train: Holds the concepts; "." where the tree itself does.
        reg: Holds the regularisation images; None where there are none.
        output: For the LoRAs; may have to be made.
        log: For the records of the trainings; may have to be made.
        concepts: The names of the concept folders, sorted.
        caption_extension: Of the caption files that lie there.
        other_captions: How many pictures have a caption of the other extension alone.
    """

    train: str
    reg: str | None
    output: str
    log: str
    concepts: tuple[str, ...]
    caption_extension: str
    other_captions: int

    @property
    def options(self) -> dict[str, str]:
        """The options that name its folders."""
        reg = {} if self.reg is None else {"reg_data_dir": self.reg}
        return {"train_data_dir": self.train, **reg, "output_dir": self.output, "logging_dir": self.log}


def recognise(root_dir: Path) -> Tree:
    """Returns what the folders of a tree are.

    Raises:
        ProjectError: No folder of it, or more than one, could be the one that holds the concepts.
    """
    try:
        folders = {path.name: path for path in sorted(root_dir.iterdir()) if _is_plain_folder(path)}
        train = _train_folder(root_dir, folders)
        train_dir = root_dir / train
        reg = _first(folders, _REG_NAMES)
        concept_dirs = _concept_folders(train_dir)
        if not concept_dirs and any(picture_paths(train_dir)):
            raise ProjectError(_leaf(train_dir))
        reg_dirs = _concept_folders(root_dir / reg) if reg else []
        extension, others = _captions(concept_dirs + reg_dirs)
    except OSError as error:
        raise unreadable_source(Path(error.filename or root_dir), error) from error
    is_kohya = train == _KOHYA_TRAIN_NAME
    output = _first(folders, _OUTPUT_NAMES) or ("model" if is_kohya else _DEFAULT["output_dir"])
    log = _first(folders, _LOG_NAMES) or _DEFAULT["logging_dir"]
    return Tree(train, reg, output, log, tuple(folder.name for folder in concept_dirs), extension, others)


def _is_plain_folder(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".")


def _first(folders: Iterable[str], names: Sequence[str]) -> str | None:
    """Returns the folder that is called like one of these names, in whatever case; the earlier name wins."""
    by_name = {folder.lower(): folder for folder in folders}
    return next((by_name[name] for name in names if name in by_name), None)


def _concept_folders(parent: Path) -> list[Path]:
    """Returns the folders that the trainer would take for concepts, and that hold a picture."""
    return [
        folder
        for folder in sorted(parent.iterdir())
        if _is_plain_folder(folder)
        and (parse_folder_name(folder.name) or (0,))[0] >= 1
        and next(picture_paths(folder), None) is not None
    ]


def _train_folder(root_dir: Path, folders: Mapping[str, Path]) -> str:
    """Returns the name of the folder that holds the concepts, "." for the tree itself."""
    others = {name: path for name, path in folders.items() if name.lower() not in _REG_NAMES}
    found = [name for name, path in others.items() if _concept_folders(path)]
    if _concept_folders(root_dir):
        found.insert(0, ".")
    if len(found) > 1:
        raise ProjectError(_several(root_dir, found))
    if found == ["."]:
        _refuse_train_folder_itself(root_dir)
    known = _first(others, _TRAIN_NAMES)
    train = found[0] if found else known
    if train is None:
        raise ProjectError(_no_concepts(root_dir, others.values()))
    return train


def _refuse_train_folder_itself(root_dir: Path) -> None:
    """A project of img/ alone would put logs and LoRAs among the pictures, while their own folders lie beside it."""
    parent = root_dir.resolve().parent
    siblings = [path.name for path in parent.iterdir() if _is_plain_folder(path)]
    is_part = root_dir.resolve().name.lower() in _TRAIN_NAMES
    if is_part and _first(siblings, (*_REG_NAMES, *_OUTPUT_NAMES, *_LOG_NAMES)):
        raise ProjectError(
            Problem(
                "project.adopt.part",
                f"{root_dir} is a part of the tree in {parent}, whose other folders lie beside it.",
                str(root_dir),
                f'Adopt the whole: `kohyatpl new --adopt "{parent}"`.',
            )
        )


def _several(root_dir: Path, found: Sequence[str]) -> Problem:
    names = ", ".join(f"{root_dir.name} itself" if name == "." else name for name in found)
    return Problem(
        "project.adopt.several",
        f"Several folders of {root_dir} hold concept folders: {names}.",
        str(root_dir),
        "Adopt one of them alone, or put the concepts that belong together into one folder called img.",
    )


def _no_concepts(root_dir: Path, folders: Iterable[Path]) -> Problem:
    """Returns why there is nothing to adopt: a leaf, folders without numbers, or no pictures at all."""
    if next(picture_paths(root_dir), None) is not None:
        return _leaf(root_dir)
    if any(next(picture_paths(folder), None) is not None for folder in folders):
        return Problem(
            "project.adopt.none",
            f"{root_dir} has folders of pictures, but none is called <repeats>_<trigger> <class> as the trainer wants "
            "it.",
            str(root_dir),
            f'Make a project of copies, each folder a concept: `kohyatpl new NEW_FOLDER --flat "{root_dir}"`.',
        )
    return Problem(
        "project.adopt.none",
        f"{root_dir} holds no concept folder: no folder such as img/10_ohwx cat with pictures in it.",
        str(root_dir),
        f'Lay out a new project with `kohyatpl new "{root_dir}"`.',
    )


def _leaf(folder: Path) -> Problem:
    """The classic mistake: the folder of the pictures instead of the one above."""
    folder = folder.resolve()
    parsed = parse_folder_name(folder.name)
    is_concept = parsed is not None and parsed[0] >= 1
    fix = f'Make a project of copies: `kohyatpl new NEW_FOLDER --concept "ohwx cat={folder}"`.'
    if is_concept:
        fix = f'Adopt the folder above it: `kohyatpl new --adopt "{folder.parent}"`.'
    return Problem(
        "project.adopt.leaf",
        f"{folder} holds pictures itself. The trainer is given the folder above: one that holds a folder "
        "<repeats>_<trigger> <class> of pictures for each concept.",
        str(folder),
        fix,
    )


def _captions(folders: Iterable[Path]) -> tuple[str, int]:
    """Returns the extension of most of the captions, and how many pictures have the other one alone."""
    counts = {".txt": 0, ".caption": 0}
    for folder in folders:
        names = {path.name for path in folder.iterdir()}
        for picture in picture_paths(folder):
            found = [extension for extension in counts if picture.with_suffix(extension).name in names]
            if len(found) == 1:
                counts[found[0]] += 1
    extension = max(counts, key=lambda kind: counts[kind])
    return extension, sum(counts.values()) - counts[extension]


def caption_problems(tree: Tree) -> Iterator[Problem]:
    """Yields a warning where captions of two kinds lie beside each other: the trainer reads those of one."""
    if tree.other_captions:
        other = ".caption" if tree.caption_extension == ".txt" else ".txt"
        pictures = "1 picture has" if tree.other_captions == 1 else f"{tree.other_captions} pictures have"
        yield Problem(
            "project.adopt.captions",
            f"{pictures} a caption in a {other} file alone. The trainer reads one kind, and the config names "
            f"{tree.caption_extension}, which no fewer have.",
            "caption_extension",
            f"Rename those files to {tree.caption_extension}, or set `caption_extension` to {other}.",
            "warning",
        )
