"""`kohyatpl demo`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loratpl.ui.cli.parameters import Source, Torch, quoted
from loratpl.ui.result import CommandResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from loratpl.errors import Problem
    from loratpl.selfcheck import DemoPaths
    from loratpl.trainer.status import TrainerStatus


def demo(
    context: typer.Context,
    path: Annotated[
        Path | None, typer.Argument(help="Where its project shall be.", show_default="kohyatpl-demo, or the next free")
    ] = None,
    source: Source = None,
    torch: Torch = "auto",
) -> CommandResult:
    """Do all of it on drawn pictures and a tiny model, up to a LoRA."""
    from loratpl.errors import exit_code_of
    from loratpl.selfcheck import DemoPaths, default_folder, give_model, lay_out

    tell = _Teller(speaks=not (context.obj.quiet or context.obj.as_json))
    root_dir = path or default_folder(Path())
    goes_on = DemoPaths(root_dir).is_unfinished
    paths = lay_out(root_dir)
    tell.laid_out(root_dir, paths, goes_on=goes_on)
    trainer, missing = _trainer(source, torch, tell)
    if trainer is not None:
        tell.line("making a tiny random model")
        give_model(paths, trainer)
    data = {"project": str(paths.root_dir), **_prepare(context, root_dir, tell)}
    if trainer is None:
        lines = (
            f"Everything up to the trainer's own files is done: {data['render']['out']}",
            "To train with them the trainer is missing; what keeps it from being installed stands below.",
            f"  then: kohyatpl demo {quoted(root_dir)}   (goes on from here)",
        )
        return CommandResult("demo", data, lines, missing, exit_code_of(missing))
    trained = _train(context, root_dir, tell)
    paths.unfinished_path.unlink(missing_ok=True)
    return CommandResult("demo", {**data, "run": trained.data}, (*trained.lines, *_NEXT), trained.problems)


_NEXT = (
    "",
    "The model was a tiny random one: all of it works here. With your own pictures:",
    '  kohyatpl new cats --concept "ohwx cat"=PICTURES --model MODEL.safetensors',
    "  kohyatpl balance cats",
    "  kohyatpl run cats",
)


def _trainer(source: Path | None, torch: str, tell: _Teller) -> tuple[TrainerStatus | None, tuple[Problem, ...]]:
    """Returns the trainer, installed where it was not; without one, what keeps it from being had."""
    from loratpl.errors import TrainerError
    from loratpl.trainer.install import install
    from loratpl.trainer.pin import load_pin
    from loratpl.trainer.status import status

    pin = load_pin()
    found = status(pin)
    if found.is_ready:
        return found, ()
    tell.command("trainer install")
    try:
        return install(pin, source and source.expanduser().resolve(), tell.line, torch=torch), ()
    except TrainerError as error:
        tell.line("The trainer cannot be had; going on as far as that goes without it.")
        return None, error.problems


def _prepare(context: typer.Context, root_dir: Path, tell: _Teller) -> dict[str, Any]:
    """Returns the data of the commands that come before the training, each shown as it is done."""
    from loratpl.errors import raise_errors
    from loratpl.ui.cli import balance, check, plan, render

    stages: tuple[tuple[str, Callable[..., CommandResult]], ...] = (
        ("balance", balance.balance),
        ("check", partial(check.check, context)),
        ("plan", partial(plan.plan, context)),
        ("render", render.render),
    )
    data = {}
    for name, command in stages:
        tell.command(f"{name} {quoted(root_dir)}")
        result = command(project=root_dir)
        raise_errors(result.problems)
        tell.result(result)
        data[name] = dict(result.data)
    return data


def _train(context: typer.Context, root_dir: Path, tell: _Teller) -> CommandResult:
    from loratpl.ui.cli.run import run

    tell.command(f"run {quoted(root_dir)}")
    return run(context, project=root_dir)


class _Teller:
    """Shows on stderr what the demo does, as the commands that would do it; silent for --json and --quiet."""

    def __init__(self, *, speaks: bool) -> None:
        self._speaks = speaks

    def line(self, text: str) -> None:
        """Shows a line."""
        from loratpl.ui.console import say

        if self._speaks:
            say(text)

    def command(self, words: str) -> None:
        """Shows the command that comes next."""
        self.line("")
        self.line(f"$ kohyatpl {words}")

    def result(self, result: CommandResult) -> None:
        """Shows what a command says."""
        from loratpl.ui.console import show_problems

        for text in result.lines:
            self.line(text)
        if self._speaks:
            show_problems(result.problems)

    def laid_out(self, root_dir: Path, demo: DemoPaths, *, goes_on: bool) -> None:
        """Shows the project that was laid out and drawn, now or earlier."""
        from loratpl.selfcheck import CONCEPTS, REG_CLASSES

        if goes_on:
            self.line(f"Going on with the demo in {demo.root_dir}, which was not finished.")
            return
        concepts = " ".join(f'--concept "{name}"' for name in CONCEPTS)
        classes = " ".join(f"--reg {name}" for name in REG_CLASSES)
        self.command(f"new {quoted(root_dir)} {concepts} {classes}")
        self.line(f"{demo.root_dir} is laid out, its config for a tiny random model.")
        self.line(f"  drawn with captions: {_counted(CONCEPTS)}; for regularisation: {_counted(REG_CLASSES)}")


def _counted(classes: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in classes.items())
