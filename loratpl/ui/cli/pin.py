"""`kohyatpl trainer pin`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loratpl.ui.cli.parameters import Torch
from loratpl.ui.result import CommandResult

if TYPE_CHECKING:
    from loratpl.trainer.differences import Differences, OptionChange
    from loratpl.trainer.pin import Pin
    from loratpl.trainer.repin import Repinned

_COMMAND = "trainer pin"


def pin(
    context: typer.Context,
    ref: Annotated[
        str | None,
        typer.Argument(
            metavar="REF",
            help="A commit id, a branch or a tag of sd-scripts.",
            show_default="say which pin is in force",
        ),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--source",
            envvar="KOHYATPL_SD_SCRIPTS",
            help="A git repository that has the commit.",
            show_default="fetched from its home",
        ),
    ] = None,
    torch: Torch = "auto",
    original: Annotated[
        bool, typer.Option("--original", help="Go back to the commit that kohyatpl comes with.")
    ] = False,
) -> CommandResult:
    """Drive another commit of the trainer: install it, read its options, list what differs."""
    _refuse_loose_options(context, ref, original=original)
    if original:
        from loratpl.trainer.repin import go_back

        return _repinned(go_back())
    if ref is None:
        return _in_force()
    from loratpl.trainer.repin import repin
    from loratpl.ui.console import say

    speaks = not (context.obj.quiet or context.obj.as_json)
    source_dir = None if source is None else source.expanduser().resolve()
    return _repinned(repin(ref, source_dir, say if speaks else lambda _: None, torch=torch))


def _refuse_loose_options(context: typer.Context, ref: str | None, *, original: bool) -> None:
    from loratpl.errors import Problem, UsageError

    # A variable of the environment is no word of this command line.
    sources = {name: context.get_parameter_source(name) for name in ("source", "torch")}
    given = [f"--{name}" for name, found in sources.items() if found is not None and found.name == "COMMANDLINE"]
    if original and (ref is not None or given):
        words = ", ".join([*(["a commit"] if ref is not None else []), *given])
        message = f"`--original` goes back to the commit that kohyatpl comes with; {words} does not go with it."
        raise UsageError(Problem("usage.pin", message, "--original", "Leave one of the two out."))
    if ref is None and not original and given:
        message = f"{given[0]} says how to pin a commit, and no commit is named."
        raise UsageError(Problem("usage.pin", message, given[0], "Name it: `kohyatpl trainer pin REF`."))


def _in_force() -> CommandResult:
    from loratpl.trainer.paths import ORIGINAL_PIN, PinPaths
    from loratpl.trainer.pin import load_pin

    paths = PinPaths.in_force()
    found, original = load_pin(paths.pin_path), load_pin(ORIGINAL_PIN.pin_path)
    whose = "the pin that kohyatpl comes with" if paths.is_original else "a pin of your own"
    lines = [
        f"sd-scripts {found.title}: {whose}",
        f"  commit  {found.commit}",
        f"  from    {found.url}",
        f"  files   {paths.root_dir}",
    ]
    if not paths.is_original:
        lines.append(f"kohyatpl comes with {original.title}; `kohyatpl trainer pin --original` goes back to it.")
    data = {**_pin_data(found), "own_pin": not paths.is_original, "path": str(paths.root_dir)}
    return CommandResult(_COMMAND, {**data, "original": _pin_data(original)}, lines)


def _pin_data(found: Pin) -> dict[str, Any]:
    return {
        "commit": found.commit,
        "tag": found.tag or None,
        "commits_after_tag": found.commits_after_tag if found.tag else None,
        "url": found.url,
    }


def _repinned(done: Repinned) -> CommandResult:
    from loratpl.trainer.paths import PinPaths

    data = {
        **_pin_data(done.pin),
        "own_pin": not done.is_original,
        "path": str(PinPaths.in_force().root_dir),
        "before": _pin_data(done.before),
        "installed": done.trainer.marker is not None,
        "healthy": done.trainer.is_ready,
        "differences": done.differences.as_json(),
        "others": [{"path": str(path), "size_bytes": size} for path, size in _others(done)],
    }
    return CommandResult(_COMMAND, data, tuple(_lines(done)), done.warnings)


def _lines(done: Repinned) -> Iterator[str]:
    whose = "the pin that kohyatpl comes with" if done.is_original else "a pin of your own"
    stays = " stays" if done.before.commit == done.pin.commit else " is"
    yield f"sd-scripts {done.pin.title}{stays} in force, {whose}."
    yield from _difference_lines(done.differences, f"Against {done.before.title}")
    if not done.trainer.is_ready:
        yield "Its trainer is not installed, or not healthy: run `kohyatpl trainer install`."
    for path, size in _others(done):
        yield f"{path} stays on the disk ({size / 1e9:.1f} GB); `kohyatpl trainer remove --others` deletes it."


def _others(done: Repinned) -> tuple[tuple[Path, int], ...]:
    from loratpl.trainer.install import size_bytes
    from loratpl.trainer.paths import TrainerPaths

    return tuple((paths.root_dir, size_bytes(paths.root_dir)) for paths in TrainerPaths.others(done.pin))


def _difference_lines(found: Differences, against: str) -> Iterator[str]:
    options = tuple(_option_lines(found.options))
    if not options and not found.packages and not found.new_scripts:
        yield f"{against}: no differences."
        return
    yield f"{against}:"
    yield from options
    for name, (before, after) in found.packages.items():
        if before is None:
            yield f"  + package {name} {after}"
        elif after is None:
            yield f"  - package {name} {before}"
        else:
            yield f"  ~ package {name}: {before} → {after}"
    for script in found.new_scripts:
        yield f"  + script {script}, which kohyatpl does not drive"


def _option_lines(options: Mapping[str, tuple[OptionChange, ...]]) -> Iterator[str]:
    """What changed alike in several scripts is one line."""
    scripts_of: dict[str, list[str]] = {}
    for script, changes in options.items():
        for change in changes:
            scripts_of.setdefault(_option_line(change), []).append(script.removesuffix(".py"))
    for line, scripts in scripts_of.items():
        yield f"{line}  [{'all scripts' if len(scripts) == len(options) else ', '.join(scripts)}]"


def _option_line(change: OptionChange) -> str:
    if change.before is None:
        return f"  + option {change.name}{_traits(change.after or {})}"
    if change.after is None:
        return f"  - option {change.name}"
    parts = (f"{field} {_shown(change.before[field])} → {_shown(change.after[field])}" for field in change.before)
    return f"  ~ option {change.name}: {', '.join(parts)}"


def _traits(option: Mapping[str, Any]) -> str:
    if option["flag"]:
        return " (flag)"
    parts = [option["type"], *(["list"] if option["nargs"] else [])]
    if option["choices"]:
        parts.append("one of " + ", ".join(map(str, option["choices"])))
    if option["default"] is not None:
        parts.append(f"default {_shown(option['default'])}")
    return f" ({', '.join(parts)})"


def _shown(value: object) -> str:
    if isinstance(value, list):
        return "/".join(map(str, value)) or "anything"
    return "none" if value is None else str(value)
