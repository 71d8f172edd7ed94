"""`kohyatpl trainer …`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from loratpl.ui.cli.parameters import Source, Torch
from loratpl.ui.result import CommandResult

if TYPE_CHECKING:
    from loratpl.trainer.status import TrainerStatus


def install(
    context: typer.Context,
    source: Source = None,
    torch: Torch = "auto",
) -> CommandResult:
    """Install the pinned trainer, with an environment of its own."""
    from loratpl.trainer.install import install as install_trainer
    from loratpl.trainer.pin import load_pin
    from loratpl.ui.console import say

    speaks = not (context.obj.quiet or context.obj.as_json)
    source_dir = None if source is None else source.expanduser().resolve()
    found = install_trainer(load_pin(), source_dir, say if speaks else lambda _: None, torch=torch)
    return _result("trainer install", found)


def remove(
    others: Annotated[
        bool, typer.Option("--others", help="Keep this trainer; remove those of other commits that were pinned.")
    ] = False,
) -> CommandResult:
    """Remove the installed trainer and its environment."""
    from loratpl.trainer.install import remove_at
    from loratpl.trainer.paths import TrainerPaths
    from loratpl.trainer.pin import load_pin

    pin = load_pin()
    freed_bytes = sum(remove_at(paths) for paths in (TrainerPaths.others(pin) if others else (TrainerPaths.of(pin),)))
    removed, absent = (
        ("The trainers of other commits are removed", "No trainer of another commit is installed.")
        if others
        else ("The trainer is removed", "No trainer is installed.")
    )
    line = f"{removed}; {freed_bytes / 1e9:.1f} GB are free again." if freed_bytes else absent
    return CommandResult("trainer remove", {"freed_bytes": freed_bytes}, (line,))


def status() -> CommandResult:
    """Say whether the trainer is installed and healthy."""
    from loratpl.trainer.pin import load_pin
    from loratpl.trainer.status import status as trainer_status

    return _result("trainer status", trainer_status(load_pin()))


def verify(context: typer.Context) -> CommandResult:
    """Train a tiny random model for a few real steps."""
    from loratpl.selfcheck import verify_trainer
    from loratpl.trainer.pin import load_pin
    from loratpl.trainer.status import status as trainer_status
    from loratpl.ui.watchers import run_watcher

    pin = load_pin()
    with run_watcher(as_json=context.obj.as_json, quiet=context.obj.quiet) as watcher:
        found = verify_trainer(trainer_status(pin), pin, watcher)
    data = {
        "steps": found.steps,
        "layers_trained": found.layers_trained,
        "duration_s": round(found.duration_s, 1),
        "device": found.device,
    }
    line = (
        f"The trainer works: {found.steps} real steps on {found.device} in {found.duration_s:.0f} s, "
        f"{found.layers_trained} layers of the LoRA changed."
    )
    return CommandResult("trainer verify", data, (line,))


def _result(command: str, found: TrainerStatus) -> CommandResult:
    from loratpl.errors import exit_code_of
    from loratpl.trainer.paths import PinPaths
    from loratpl.trainer.pin import load_pin

    own_pin = not PinPaths.in_force().is_original
    pin, marker, problems = load_pin(), found.marker, found.problems()
    data: dict[str, Any] = {
        "installed": marker is not None,
        "healthy": found.is_ready,
        "commit": pin.commit,
        "own_pin": own_pin,
        "path": str(found.paths.root_dir),
        "python": marker.python if marker else None,
        "packages": marker.packages if marker else {},
        "left_out": marker.left_out if marker else [],
    }
    state = "healthy" if found.is_ready else "unhealthy" if marker else "not installed"
    lines = [
        f"sd-scripts {pin.title}: {state}",
        f"  path    {found.paths.root_dir}",
    ]
    if own_pin:
        lines.append("  pin     your own; `kohyatpl trainer pin --original` goes back to kohyatpl's")
    if marker is not None:
        versions = ", ".join(
            f"{name} {marker.packages[name]}"
            for name in ("torch", "diffusers", "safetensors")
            if name in marker.packages
        )
        lines += [
            f"  python  {marker.python}",
            f"  with    {versions}",
            f"  files   {len(marker.hashes)} checked, {len(marker.left_out)} left out",
        ]
    return CommandResult(command, data, lines, problems, exit_code_of(problems))
