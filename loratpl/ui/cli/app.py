"""The command tree, and the options that every command takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperOption

from loratpl import __version__
from loratpl.ui.cli import (
    balance,
    check,
    config,
    config_import,
    config_options,
    config_schema,
    demo,
    inspect,
    new,
    pin,
    plan,
    render,
    report,
    run,
    runs,
    runs_diff,
    runs_list,
    runs_prune,
    runs_show,
    trainer,
)


@dataclass
class Output:
    """How this invocation speaks; filled while the command line is parsed."""

    as_json: bool = False
    quiet: bool = False
    debug: bool = False
    command: str = ""


_COMMON = (
    ("--json", "as_json", "One JSON object on stdout, nothing else there."),
    ("--quiet", "quiet", "No progress and no text; problems are still shown."),
    ("--debug", "debug", "Show the traceback of a bug."),
)


def _remember(field: str) -> Any:
    def callback(context: typer.Context, _parameter: object, value: bool) -> bool:
        if value:
            setattr(context.ensure_object(Output), field, True)
        return value

    return callback


def _common_options() -> list[TyperOption]:
    return [
        TyperOption(
            param_decls=[flag], is_flag=True, expose_value=False, is_eager=True, callback=_remember(field), help=text
        )
        for flag, field, text in _COMMON
    ]


class Command(TyperCommand):
    """A command that takes the common options as well, so that they work before and after its name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(_common_options())

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Reads the command's arguments, remembering its name for whatever is said of it."""
        ctx.ensure_object(Output).command = ctx.command_path.removeprefix("kohyatpl").strip()
        return super().parse_args(ctx, args)


def _tree(name: str, text: str) -> typer.Typer:
    return typer.Typer(name=name, help=text, no_args_is_help=True, rich_markup_mode=None, add_completion=False)


app = _tree("kohyatpl", "From a folder of pictures to a tested LoRA, with kohya's sd-scripts.")


def _version(value: bool) -> None:
    if value:
        typer.echo(f"kohyatpl {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help=_COMMON[0][2])] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help=_COMMON[1][2])] = False,
    debug: Annotated[bool, typer.Option("--debug", help=_COMMON[2][2])] = False,
    _show_version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Show the version.")
    ] = False,
) -> None:
    output = context.ensure_object(Output)
    output.as_json, output.quiet, output.debug = json, quiet, debug


app.command("new", cls=Command)(new.new)
app.command("check", cls=Command)(check.check)
app.command("plan", cls=Command)(plan.plan)
app.command("balance", cls=Command)(balance.balance)
app.command("render", cls=Command)(render.render)
app.command("run", cls=Command)(run.run)
app.command("demo", cls=Command)(demo.demo)
app.command("inspect", cls=Command)(inspect.inspect)
app.command("report", cls=Command)(report.report)
config_app = _tree("config", "What the settings are and where they come from.")
config_app.command("show", cls=Command)(config.show)
config_app.command("import", cls=Command)(config_import.import_)
config_app.command("schema", cls=Command)(config_schema.schema)
config_app.command("options", cls=Command)(config_options.options)
app.add_typer(config_app)
runs_app = typer.Typer(
    name="runs", cls=runs_list.RunsGroup, help="What was trained, and what is being trained.", rich_markup_mode=None,
    add_completion=False,
)  # fmt: skip
runs_app.command("list", cls=Command)(runs_list.list_)
runs_app.command("show", cls=Command)(runs_show.show)
runs_app.command("follow", cls=Command)(runs.follow)
runs_app.command("diff", cls=Command)(runs_diff.diff)
runs_app.command("prune", cls=Command)(runs_prune.prune)
app.add_typer(runs_app)
trainer_app = _tree("trainer", "The pinned sd-scripts and its environment.")
trainer_app.command("install", cls=Command)(trainer.install)
trainer_app.command("status", cls=Command)(trainer.status)
trainer_app.command("verify", cls=Command)(trainer.verify)
trainer_app.command("remove", cls=Command)(trainer.remove)
trainer_app.command("pin", cls=Command)(pin.pin)
app.add_typer(trainer_app)
