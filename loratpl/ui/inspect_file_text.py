"""One file of weights in words: what it is and for which model, then its blocks, its values and how it was made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from loratpl.report.inspect.coverage import runs
from loratpl.report.inspect.naming import part_in_words
from loratpl.ui.columns import shortened, table, width_of
from loratpl.ui.disk_text import in_bytes
from loratpl.ui.inspect_metadata_text import description_lines
from loratpl.ui.labelled import INDENT, labelled
from loratpl.ui.plan_words import counted, number, shown

if TYPE_CHECKING:
    from loratpl.report.inspect.coverage import Block
    from loratpl.report.inspect.inspection import Inspection
    from loratpl.report.inspect.values import BlockNorm, Values
    from loratpl.ui.plan_text import Terminal

MAX_ROWS = 24
_MAX_NAMED = 5
_MAX_SAID = 60
_BAR_WIDTH = 24
_REPEATS = re.compile(r"\d+_")
_HASHES = {
    "equal": "its tensors are those that the trainer hashed",
    "different": "its tensors are not those that the trainer hashed",
    "not comparable": "its hash is of a kind that cannot be taken again, as LyCORIS writes it",
    "not compared": "its hash is not compared, for it is large; `--norms` reads all of it",
    "none": "it has no hash to compare its tensors with",
}
_NO_ADAPTER = {
    "embedding": "textual inversion, no LoRA",
    "model": "a whole model, no LoRA",
    "other": "tensors of something else than a LoRA",
}


def summary(found: Inspection, terminal: Terminal) -> Iterator[str]:
    """Yields the lines that answer what a file is, whether it can be used, and with what."""
    yield shown(str(found.path))
    for label, text in _summary(found):
        yield from labelled(label, text, terminal.width)
    if found.values is not None:
        yield from _values(found, found.values, terminal)


def details(found: Inspection, terminal: Terminal) -> Iterator[str]:
    """Yields the blocks of a file, and what it says of its making."""
    if found.blocks:
        yield ""
        yield from (INDENT + line for line in _blocks(found, terminal))
    if found.description is not None:
        yield from description_lines(found.description, found.peft, terminal)


def range_of(values: Sequence[float]) -> str:
    """Returns the least and the largest of ascending numbers.

    >>> range_of([4]), range_of([2, 4, 8]), range_of([])
    ('4', '2-8', '')
    """
    return "-".join(f"{value:g}" for value in dict.fromkeys((*values[:1], *values[-1:])))


def _summary(found: Inspection) -> Iterator[tuple[str, str]]:
    yield "what", _what(found)
    if found.kind == "adapter":
        yield "base model", _base(found)
        yield from _subject(found)
        yield "made", _made(found)
        yield "trained", _trained(found)
        yield "not trained", _untrained(found.untrained) or _nothing_left(found)
    yield "file", _file(found)
    yield "tensors", _tensors(found)
    if found.embeddings:
        yield "also in it", f"textual inversion, {counted(len(found.embeddings), 'tensor')}"
    if found.others:
        named = ", ".join(shown(name) for name in found.others[:3])
        yield "also in it", f"{counted(len(found.others), 'tensor')} of no module: {named}"


def _what(found: Inspection) -> str:
    if found.kind != "adapter":
        return _NO_ADAPTER[found.kind] + (f": {found.guess.title}" if found.guess.title else "")
    settings = (("dim", range_of(found.dims)), ("alpha", range_of(found.alphas)))
    said = [f"{name} {text}" for name, text in settings if text]
    return ", ".join((found.network, *said, counted(len(found.modules), "module")))


def _base(found: Inspection) -> str:
    guess = found.guess
    if not guess.title:
        return "unknown: the names of its layers are those of no model known here"
    text = guess.title
    if guess.said and guess.said not in guess.families:
        text += ", by its layers, though the file says another"
    elif not guess.matched + guess.differing:
        text += ", as the file says; its layers do not tell"
    if guess.differing and not guess.matched:
        text += ", in other sizes than that model has"
    elif guess.differing:
        text += f"; {counted(guess.differing, 'module')} of another size"
    return text


def _subject(found: Inspection) -> Iterator[tuple[str, str]]:
    """Yields what it was trained to draw, as far as the file says it."""
    phrase = found.metadata.get("modelspec.trigger_phrase", "")
    if phrase:
        yield "trigger", shortened(shown(phrase[:1000]), 4 * _MAX_SAID)
    folders = found.description.folders if found.description else ()
    names = list(dict.fromkeys(_REPEATS.sub("", folder.name, 1) for folder in folders if not folder.is_reg))
    if names and phrase != ", ".join(names):
        more = f" and {number(len(names) - _MAX_NAMED)} more" if len(names) > _MAX_NAMED else ""
        yield "concepts", ", ".join(shortened(shown(name[:1000]), _MAX_SAID) for name in names[:_MAX_NAMED]) + more


def _made(found: Inspection) -> str:
    if not (found.metadata or found.program):
        return "the file does not say how, nor by what"
    texts = [f"by {shown(found.program)}" if found.program else "the file does not say by what"]
    for key, of, words in (("ss_steps", "ss_max_train_steps", "step"), ("ss_epoch", "ss_num_epochs", "epoch")):
        done, all_of_it = _said(found, key), _said(found, of)
        if done:
            texts.append(f"{words} {done}" + (f" of {all_of_it}" if all_of_it else ""))
    fields = {field.key: field.text for field in found.description.fields} if found.description else {}
    when = next((fields[key] for key in ("ss_training_finished_at", "modelspec.date") if key in fields), "")
    return ", ".join((*texts, *([shortened(shown(when[:200]), _MAX_SAID)] if when else [])))


def _said(found: Inspection, key: str) -> str:
    text = found.metadata.get(key, "")
    return text if text.isascii() and text.isdecimal() and len(text) < _MAX_SAID else ""


def _trained(found: Inspection) -> str:
    family = next(iter(found.guess.families), None)
    texts = []
    for part in found.parts:
        if part.modules:
            count = f"{number(part.modules)} of {number(part.layers)}" if part.layers else number(part.modules)
            texts.append(f"{count} layers of the {part_in_words(part.part, family)}")
    return ", ".join(texts)


def _untrained(texts: Sequence[str]) -> str:
    """Returns what is left alone, part by part.

    >>> _untrained(["the text encoder (72 layers)", "all shortcuts (14) of the U-Net", "down 0-2 of the U-Net"])
    'the text encoder (72 layers); of the U-Net all shortcuts (14), down 0-2'
    """
    by_part: dict[str, list[str]] = {}
    for text in texts:
        what, _, part = text.rpartition(" of the ")
        by_part.setdefault(part, []).extend([what] if what else [])
    return "; ".join(f"of the {part} {', '.join(whats)}" if whats else part for part, whats in by_part.items())


def _nothing_left(found: Inspection) -> str:
    is_all = all(part.layers in (None, part.modules) for part in found.parts)
    return "nothing is left out" if is_all else "single layers only: no kind of them, and no block"


def _file(found: Inspection) -> str:
    if not found.is_whole:
        return f"{in_bytes(found.size_bytes)}; it cannot be used as it is, see below"
    return f"whole, {in_bytes(found.size_bytes)}; {_HASHES[found.hash.state]}"


def _tensors(found: Inspection) -> str:
    several = len(found.precisions) > 1
    types = ", ".join(f"{dtype} ({number(count)})" if several else dtype for dtype, count in found.precisions)
    text = f"{number(found.tensors)}{f' of {shown(types)}' if types else ''}, {number(found.parameters)} parameters"
    if found.kind == "adapter":
        text += f"; named as {found.naming} does" if found.naming else "; named in no way known here"
    return text


def _blocks(found: Inspection, terminal: Terminal) -> list[str]:
    family = next(iter(found.guess.families), None)
    rows = [("block", "modules", "dim", "alpha")]
    for numbers, block in _grouped(found.blocks):
        where = f"{part_in_words(block.part, family)} {block.block or 'outside of blocks'} {numbers}".rstrip()
        each = f"{number(block.modules)} each" if "-" in numbers or "," in numbers else number(block.modules)
        rows.append((where, each, _list(block.dims), _list(block.alphas)))
    lines = table(rows, terminal.width - len(INDENT))
    if len(lines) <= MAX_ROWS:
        return lines
    return [*lines[:MAX_ROWS], f"and {number(len(lines) - MAX_ROWS)} more blocks; `--json` has them all"]


def _grouped(blocks: Sequence[Block]) -> Iterator[tuple[str, Block]]:
    """Yields blocks of which those that are alike are put together, with their numbers in words."""
    groups: dict[tuple[object, ...], list[Block]] = {}
    for block in blocks:
        groups.setdefault((block.part, block.block, block.modules, block.dims, block.alphas), []).append(block)
    for alike in groups.values():
        yield runs(sorted(block.number for block in alike if block.number is not None)), alike[0]


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values) if len(values) <= 3 else range_of(values)


def _values(found: Inspection, values: Values, terminal: Terminal) -> Iterator[str]:
    modules, broken, dead = len(found.modules), len(values.non_finite), len(values.dead)
    text = f"{counted(broken, 'tensor')} with NaN or infinities" if broken else "no NaN, no infinities"
    yield from labelled("values", text, terminal.width)
    if modules:
        text = f"{number(dead)} of {counted(modules, 'module')} change nothing" if dead else "no module changes nothing"
        yield from labelled("dead", text, terminal.width)
    if values.unjudged:
        text = f"{counted(values.unjudged, 'tensor')} of types that have neither"
        yield from labelled("not judged", text, terminal.width)
    if values.norms:
        yield from _chart(found, values.norms, terminal)


def _chart(found: Inspection, norms: Sequence[BlockNorm], terminal: Terminal) -> Iterator[str]:
    family = next(iter(found.guess.families), None)
    largest = max(norm.mean for norm in norms) or 1.0
    names = [_named(norm, family) for norm in norms]
    width = max(map(width_of, names))
    yield ""
    yield f"{INDENT}change of the weights (Frobenius norm; mean and largest of a block's modules)"
    ordered = {(block.part, block.block, block.number): place for place, block in enumerate(found.blocks)}
    places = [ordered.get((norm.part, norm.block, norm.number), len(ordered)) for norm in norms]
    for _, name, norm in sorted(zip(places, names, norms, strict=True), key=lambda row: row[0]):
        bar = terminal.bar(norm.mean / largest, _BAR_WIDTH) if norm.mean else " " * _BAR_WIDTH
        yield f"{INDENT}{name}{' ' * (width - width_of(name))}  {bar}  {norm.mean:.3g}  {norm.largest:.3g}"


def _named(norm: BlockNorm, family: str | None) -> str:
    where = "" if norm.number is None else f" {norm.number}"
    return f"{part_in_words(norm.part, family)} {norm.block or 'outside of blocks'}{where}"
