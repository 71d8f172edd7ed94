"""`kohyatpl new`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from loratpl.errors import Problem, UsageError
from loratpl.ui.result import CommandResult

if TYPE_CHECKING:
    from loratpl.dataset.intake.captions import CaptionTemplate
    from loratpl.dataset.intake.sources import Intake
    from loratpl.project import ProjectPaths


# A copy that takes so long that a person wonders.
_MANY_BYTES = 500_000_000


class _Named(TypedDict):
    """What the command line says for the config."""

    family: str
    model: str
    output_name: str


def new(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="Where the project shall be.")],
    template: Annotated[str | None, typer.Option(help="What is laid out.", show_default="the usual project")] = None,
    family: Annotated[
        str | None,
        typer.Option(help="The family of the base model.", show_default="what the model is, else sd15"),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Settings for a size of GPU or a purpose, sdxl-8gb for example.",
            show_default="the family's plain one, where the family is known",
        ),
    ] = None,
    concept: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'TRIGGER CLASS[=DIR]'",
            help="A concept to learn, with the folder that its pictures are in; repeat it for more.",
        ),
    ] = None,
    reg: Annotated[
        list[str] | None,
        typer.Option(metavar="'CLASS[=DIR]'", help="A class of regularisation images; repeat it for more."),
    ] = None,
    flat: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Take each sub-folder of DIR for a concept of its name.")
    ] = None,
    model: Annotated[str, typer.Option(help="The base model: a file, a Diffusers folder, or owner/name.")] = "",
    link: Annotated[
        bool, typer.Option("--link", help="Hard-link the pictures instead of copying them; captions are copied.")
    ] = False,
    caption: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="Caption pictures that have none; {concept}, {trigger}, {class}, {stem} and {tags} (the words of the "
            "file's name) are filled in.",
        ),
    ] = None,
    trigger: Annotated[
        bool, typer.Option("--trigger", help="Caption pictures that have none with trigger and class.")
    ] = False,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Make a project of the img/ reg/ tree at PATH; nothing is moved.")
    ] = False,
) -> CommandResult:
    """Lay out a project, take pictures in, or adopt a folder tree."""
    from loratpl.config.families import FAMILIES, nearest_family
    from loratpl.project import DEFAULT_TEMPLATE, template_names

    if family is not None and family not in FAMILIES:
        raise _unknown("family", family, tuple(FAMILIES), nearest_family(family))
    if template is not None and template not in template_names():
        raise _unknown("template", template, template_names())
    if preset is not None and template is not None:
        _refuse_preset_beside(template)
    model = _absolute(model)
    family, preset = _family_and_preset(family, preset, model)
    layout = {
        "--template": template, "--concept": concept, "--reg": reg, "--flat": flat, "--link": link,
        "--caption": caption, "--trigger": trigger,
    }  # fmt: skip
    if adopt:
        from loratpl.ui.cli.new_adopt import adopt_tree

        _refuse_beside_adopt(layout)
        return adopt_tree(path, family=family, model=model, preset=preset)
    captions = _caption_template(caption, trigger=trigger)
    return _lay_out(
        path,
        template or DEFAULT_TEMPLATE,
        _Named(family=family, model=model, output_name=path.resolve().name),
        preset,
        (concept or [], reg or [], flat),
        captions=captions,
        link=link,
        speaks=not (context.obj.quiet or context.obj.as_json),
    )


def _lay_out(
    path: Path,
    template_name: str,
    settings: _Named,
    preset: str | None,
    named: tuple[list[str], list[str], Path | None],
    *,
    captions: CaptionTemplate | None,
    link: bool,
    speaks: bool,
) -> CommandResult:
    from loratpl.config.schema import write_schema
    from loratpl.config.starter import filled_in, starter_config, with_schema
    from loratpl.project import create_project, read_template, refuse_occupied
    from loratpl.ui.cli.new_pictures import wanted
    from loratpl.ui.cli.new_report import new_result

    template = read_template(template_name)
    config = (
        starter_config(**settings, preset=preset)
        if template.settings is None
        else filled_in(template.settings, **settings)
    )
    refuse_occupied(path)
    plan = wanted(path, *named, captions)
    intake = plan.intake
    if intake is None and (captions or link):
        option = "--link" if link else "--caption"
        fix = 'Name the folder of pictures: `--concept "ohwx cat=DIR"` or `--flat DIR`.'
        raise UsageError(Problem("usage.pictures", f"`{option}` has no pictures to work on.", option, fix))

    def fill(project: ProjectPaths) -> None:
        if template.settings is None:
            write_schema(project.schema_path)
        if intake is not None:
            _bring_in(project, path, intake, link=link, speaks=speaks)

    project = create_project(
        path,
        config=config if template.settings is not None else with_schema(config),
        concepts=plan.concepts,
        reg_classes=plan.reg_classes,
        template=template.name,
        fill=fill,
    )
    return new_result(
        project.root_dir, path, template.config_name, plan, family=settings["family"], model=settings["model"]
    )


def _bring_in(project: ProjectPaths, path: Path, intake: Intake, *, link: bool, speaks: bool) -> None:
    from loratpl.dataset.intake.copy import bring_in, refuse_without_room
    from loratpl.ui.console import say

    if not link:
        refuse_without_room(path, intake)
        if speaks and intake.copied_bytes >= _MANY_BYTES:
            say(f"copying {intake.copied_bytes / 1e9:.1f} GB of pictures")
    bring_in(project, intake, link=link)


def _caption_template(caption: str | None, *, trigger: bool) -> CaptionTemplate | None:
    from loratpl.dataset.intake.captions import CONCEPT_CAPTION, parse_template

    if caption is not None and trigger:
        raise UsageError(
            Problem(
                "usage.caption",
                "`--caption` and `--trigger` both say what to write.",
                "--caption",
                'Leave one of them out; `--trigger` is `--caption "{concept}"`.',
            )
        )
    text = CONCEPT_CAPTION if trigger else caption
    return None if text is None else parse_template(text)


def _refuse_beside_adopt(layout: Mapping[str, object]) -> None:
    given = [option for option, value in layout.items() if value not in (None, False, [])]
    if given:
        raise UsageError(
            Problem(
                "usage.adopt",
                f"`--adopt` takes a tree as it is, so {' and '.join(given)} cannot be beside it.",
                "--adopt",
                "Leave one or the other out; `--family` and `--model` go with `--adopt`.",
            )
        )


def _absolute(model: str) -> str:
    """Returns the model as a config elsewhere names it: an existing file or folder by its whole path."""
    path = Path(model).expanduser()
    # As it was named, links and all: what they lead to may move.
    return str(path.absolute()) if model and path.exists() else model


def _refuse_preset_beside(template: str) -> None:
    from loratpl.project import read_template

    if read_template(template).settings is not None:
        raise UsageError(
            Problem(
                "usage.preset",
                f"The template {template} has settings of its own, so a preset cannot be beside it.",
                "--preset",
                "Leave `--preset` or `--template` out.",
            )
        )


def _family_and_preset(family: str | None, preset: str | None, model: str) -> tuple[str, str | None]:
    """Returns the family that is named or that the model's tensors tell, else the preset's, and its preset.

    The family's plain preset is taken where the family is known; of a guess nothing follows.
    """
    from loratpl.config.families import DEFAULT_FAMILY
    from loratpl.config.presets import family_in, nearest_preset, plain_preset, preset_names, read_preset
    from loratpl.weights import base_model_family

    family = family or (base_model_family(Path(model)) if model else None)
    if preset is None:
        return (family, plain_preset(family)) if family else (DEFAULT_FAMILY, None)
    if preset not in preset_names():
        raise _unknown(
            "preset", preset, preset_names(family or family_in(preset)) or preset_names(), nearest_preset(preset)
        )
    its_family = read_preset(preset).family
    if family not in (None, its_family):
        raise UsageError(
            Problem(
                "usage.preset",
                f"The preset {preset} is for {its_family}, and the base model is of the family {family}.",
                "--preset",
                f"Choose one of: {', '.join(preset_names(family))}."
                if preset_names(family)
                else f"Leave `--preset` out: there is none for {family}.",
            )
        )
    return its_family, preset


def _unknown(what: str, value: str, known: tuple[str, ...], nearest: str | None = None) -> UsageError:
    fix = f"{f'Did you mean {nearest}? ' if nearest else ''}Choose one of: {', '.join(known)}."
    return UsageError(Problem(f"usage.{what}", f"There is no {what} {value!r}.", f"--{what}", fix))
