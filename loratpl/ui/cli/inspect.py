"""`kohyatpl inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loratpl.ui.result import CommandResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loratpl.report.inspect import Inspection
    from loratpl.report.inspect.loading import Loaded, Proof


def inspect(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="LoRA files, or folders of them.")],
    norms: Annotated[
        bool, typer.Option("--norms", help="Look at every number: NaN, modules that do nothing, change of each block.")
    ] = False,
    load: Annotated[
        bool, typer.Option("--load", help="Load it in Diffusers, in the trainer's environment; needs --base.")
    ] = False,
    base: Annotated[
        Path | None, typer.Option("--base", metavar="MODEL", help="The base model to load it onto: a folder or a file.")
    ] = None,
) -> CommandResult:
    """Say what is in a LoRA file: network, dims, base model, how it was made, whether it is whole."""
    from loratpl.errors import exit_code_of
    from loratpl.report.inspect import files_of, inspect_file, inspection_json
    from loratpl.ui.inspect_text import inspection_lines, loaded_lines

    _refuse_half_a_wish(load=load, base=base)
    found = [inspect_file(path, with_values=norms) for named in files for path in files_of(named)]
    proof = _proof(context, found, base) if base is not None else None
    problems = [problem for inspection in found for problem in inspection.problems]
    lines = inspection_lines(found)
    loaded: dict[Path, Loaded] = {}
    if proof is not None:
        problems += proof.problems
        for one in proof.loras:
            loaded[one.path] = one
            problems += one.problems
            lines += ["", *loaded_lines(one, str(base))] if one.wanted else []
    entries = [
        {**inspection_json(inspection), "load": _loaded_json(loaded.get(inspection.path))}
        for inspection in (found if context.obj.as_json else ())
    ]
    return CommandResult("inspect", {"files": entries}, lines, tuple(problems), exit_code_of(problems))


def _loaded_json(loaded: Loaded | None) -> dict[str, Any] | None:
    import dataclasses

    fields = dataclasses.asdict(loaded) if loaded is not None else {}
    return {name: value for name, value in fields.items() if name not in ("path", "problems")} or None


def _refuse_half_a_wish(*, load: bool, base: Path | None) -> None:
    from loratpl.errors import Problem, UsageError

    if load and base is None:
        message = "A LoRA is loaded onto a base model, and none is named."
        raise UsageError(Problem("usage.arguments", message, "--base", "Name it: `--load --base MODEL`."))
    if base is not None and not load:
        message = "A base model is only needed to load a LoRA onto it."
        raise UsageError(Problem("usage.arguments", message, "--base", "Add `--load`, or leave `--base` out."))


def _proof(context: typer.Context, found: Sequence[Inspection], base: Path) -> Proof:
    """Returns what came of loading the adapters that are whole."""
    from loratpl.errors import TrainerError
    from loratpl.report.inspect.loading import Proof, load_onto
    from loratpl.trainer.pin import load_pin
    from loratpl.trainer.status import status
    from loratpl.ui.console import say

    trainer = status(load_pin(), ask_interpreter=False)
    if not trainer.is_ready:
        raise TrainerError(*trainer.problems())
    paths = [inspection.path for inspection in found if inspection.is_whole and inspection.kind == "adapter"]
    if not paths:
        return Proof()
    if not (context.obj.quiet or context.obj.as_json):
        say(f"loading {paths[0].name if len(paths) == 1 else f'{len(paths)} LoRAs'} onto {base}")
    return load_onto(paths, base, trainer.paths)
