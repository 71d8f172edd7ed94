"""`kohyatpl inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loratpl.ui.result import CommandResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loratpl.report.inspect import Inspection
    from loratpl.report.loading import Loaded


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
    loaded = _loaded(context, found, base) if base is not None else {}
    problems = [problem for inspection in found for problem in inspection.problems]
    problems += [problem for proof in loaded.values() for problem in proof.problems]
    entries: list[dict[str, Any]] = []
    for inspection in found if context.obj.as_json else ():
        proof = loaded.get(inspection.path)
        entries.append({**inspection_json(inspection), "load": _proof_json(proof) if proof is not None else None})
    lines = inspection_lines(found)
    for proof in loaded.values():
        lines += ["", *loaded_lines(proof, str(base))] if proof.wanted else []
    return CommandResult("inspect", {"files": entries}, lines, tuple(problems), exit_code_of(problems))


def _proof_json(proof: Loaded) -> dict[str, Any]:
    import dataclasses

    fields = dataclasses.asdict(proof)
    return {name: value for name, value in fields.items() if name not in ("path", "problems")}


def _refuse_half_a_wish(*, load: bool, base: Path | None) -> None:
    from loratpl.errors import Problem, UsageError

    if load and base is None:
        message = "A LoRA is loaded onto a base model, and none is named."
        raise UsageError(Problem("usage.arguments", message, "--base", "Name it: `--load --base MODEL`."))
    if base is not None and not load:
        message = "A base model is only needed to load a LoRA onto it."
        raise UsageError(Problem("usage.arguments", message, "--base", "Add `--load`, or leave `--base` out."))


def _loaded(context: typer.Context, found: Sequence[Inspection], base: Path) -> dict[Path, Loaded]:
    """Returns what came of loading each file that is whole."""
    from loratpl.errors import TrainerError
    from loratpl.report.loading import load_onto
    from loratpl.trainer.pin import load_pin
    from loratpl.trainer.status import status
    from loratpl.ui.console import say

    trainer = status(load_pin(), ask_interpreter=False)
    if not trainer.is_ready:
        raise TrainerError(*trainer.problems())
    loaded: dict[Path, Loaded] = {}
    for inspection in found:
        if inspection.is_whole and inspection.kind == "adapter":
            if not (context.obj.quiet or context.obj.as_json):
                say(f"loading {inspection.path.name} onto {base}")
            loaded[inspection.path] = load_onto(inspection.path, base, trainer.paths)
    return loaded
