"""`kohyatpl trainer …`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loratpl.ui.result import CommandResult

if TYPE_CHECKING:
    from loratpl.trainer.install import TrainerStatus


def install(
    context: typer.Context,
    source: Annotated[
        Path | None,
        typer.Option(
            "--source",
            envvar="KOHYATPL_SD_SCRIPTS",
            help="A git checkout of sd-scripts at the pinned commit.",
            show_default="fetched from its home",
        ),
    ] = None,
    torch: Annotated[
        str, typer.Option("--torch", metavar="auto|cpu|cu...|default|SPEC", help="Which build of PyTorch.")
    ] = "auto",
) -> CommandResult:
    """Install the pinned trainer, with an environment of its own."""
    from loratpl.trainer.install import install as install_trainer
    from loratpl.trainer.pin import load_pin
    from loratpl.ui.console import say

    speaks = not (context.obj.quiet or context.obj.as_json)
    source_dir = None if source is None else source.expanduser().resolve()
    found = install_trainer(load_pin(), source_dir, say if speaks else lambda _: None, torch=torch)
    return _result("trainer install", found)


def remove() -> CommandResult:
    """Remove the installed trainer and its environment."""
    from loratpl.trainer.install import remove as remove_trainer
    from loratpl.trainer.pin import load_pin

    freed_bytes = remove_trainer(load_pin())
    line = (
        f"The trainer is removed; {freed_bytes / 1e9:.1f} GB are free again."
        if freed_bytes
        else "No trainer is installed."
    )
    return CommandResult("trainer remove", {"freed_bytes": freed_bytes}, (line,))


def status() -> CommandResult:
    """Say whether the trainer is installed and healthy."""
    from loratpl.trainer.install import status as trainer_status
    from loratpl.trainer.pin import load_pin

    return _result("trainer status", trainer_status(load_pin()))


def verify(context: typer.Context) -> CommandResult:
    """Train a tiny random model for a few real steps."""
    from loratpl.selfcheck import verify_trainer
    from loratpl.trainer.install import status as trainer_status
    from loratpl.trainer.pin import load_pin
    from loratpl.ui.console import run_watcher

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
    from loratpl.trainer.pin import load_pin

    pin, marker, problems = load_pin(), found.marker, found.problems()
    data: dict[str, Any] = {
        "installed": marker is not None,
        "healthy": found.is_ready,
        "commit": pin.commit,
        "path": str(found.paths.root_dir),
        "python": marker.python if marker else None,
        "packages": marker.packages if marker else {},
        "left_out": marker.left_out if marker else [],
    }
    state = "healthy" if found.is_ready else "unhealthy" if marker else "not installed"
    lines = [
        f"sd-scripts {pin.tag}+{pin.commits_after_tag} ({pin.short_commit}): {state}",
        f"  path    {found.paths.root_dir}",
    ]
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
