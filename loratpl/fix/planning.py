"""Dataset → everything that can be mended without judgement, as actions; nothing is touched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from loratpl.config.setting import Setting
from loratpl.config.settings import Settings
from loratpl.dataset.inspect import InspectedFolder, InspectedTree, Inspection, inspect_file
from loratpl.dataset.inspect.pool import in_threads, usable_cores
from loratpl.dataset.scan import parse_folder_name
from loratpl.fix.actions import Action, FixOptions, FixPlan, LeftOut, relative
from loratpl.fix.caches import misplaced_latents
from loratpl.fix.folder import FolderPlan
from loratpl.fix.junk import junk_actions
from loratpl.plan.planner import TrainingPlan
from loratpl.project import ProjectPaths


def plan_fixes(
    project: ProjectPaths,
    settings: Settings,
    tree: InspectedTree,
    options: FixOptions | None = None,
    *,
    plan: TrainingPlan | None = None,
) -> FixPlan:
    """Returns what can be mended in a dataset without asking anyone.

    Args:
        project: The project.
        settings: Which captions and caches belong to the pictures, and what the training does with alpha.
        tree: As inspected, best in the full tier: what is broken is then known, and left alone.
        options: What a mending cannot know by itself.
        plan: What will be trained, where that is known: caches of other buckets are told by it alone.
    """
    options = options or FixOptions()
    misplaced = misplaced_latents(settings, plan)
    actions: list[Action] = []
    left: list[LeftOut] = []
    for parent in tree.parents:
        place = parent.contents.path
        if _is_outside(project, place, place):
            left.append(_not_ours(project, place))
            continue
        actions += junk_actions(project, place)
        for folder in parent.folders:
            if not folder.contents.is_concept or folder.contents.error:
                continue
            if folder.contents.is_loop or _is_outside(project, place, folder.path):
                left.append(_not_ours(project, folder.path))
                continue
            made = FolderPlan(project, settings_of(settings, folder.path), folder.path, options, misplaced)
            made.look_at(list(_looked_at(folder)), [found.file_path.name for found in folder.pictures])
            actions += [*made.actions, *junk_actions(project, folder.path)]
            left += made.left
    order = {"picture": 0, "name": 0, "caption": 1, "cache": 2, "junk": 3}
    return FixPlan(tuple(sorted(actions, key=lambda action: order[action.kind])), tuple(left))


def settings_of(settings: Settings, folder: Path) -> Settings:
    """Returns the settings that a folder's pictures are trained with: those of its concept among them."""
    parsed = parse_folder_name(folder.name)
    own: dict[str, Setting] = {}
    for name in (parsed[1] if parsed else "", folder.name):
        own.update(settings.concepts.get(name, {}))
    return settings.with_options(own) if own else settings


def _looked_at(folder: InspectedFolder) -> Iterator[Inspection]:
    """Yields what the pictures of a folder are, those included that the trainer does not read."""
    wanted = [os.fspath(folder.path / name) for name in folder.contents.left_out]
    for found in folder.pictures:
        if found.has_alpha and not found.is_decoded and found.is_picture:
            wanted.append(found.path)  # whether anything in it is transparent, its pixels alone can say
        else:
            yield found
    for _, seen in in_threads(inspect_file, wanted, usable_cores()):
        yield seen


def _is_outside(project: ProjectPaths, parent: Path, folder: Path) -> bool:
    """Returns whether links lead from the project, or from a folder that the config names, to somewhere else."""
    root = project.root_dir
    base = root if Path(os.path.abspath(parent)).is_relative_to(root) else parent  # noqa: PTH100 - links stay
    return not Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(base))


def _not_ours(project: ProjectPaths, path: Path) -> LeftOut:
    where = relative(project.root_dir, path)
    return LeftOut(path, f"{where} is a link to a folder outside of the project; nothing is changed there.")
