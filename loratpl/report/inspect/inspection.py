"""One file looked into, from its first byte to what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from loratpl.errors import Problem
from loratpl.report.inspect.adapters import Module, modules_of
from loratpl.report.inspect.coverage import Block, Part, blocks_of, parts_of, untrained
from loratpl.report.inspect.family import FAMILIES, Guess, family_said, guess_family
from loratpl.report.inspect.findings import hash_problems, module_problems, value_problems
from loratpl.report.inspect.hashing import HashCheck, HashInProgress
from loratpl.report.inspect.header import DamagedHeaderError, Header, read_header
from loratpl.report.inspect.layout import layout_problems
from loratpl.report.inspect.metadata import Description, describe
from loratpl.report.inspect.naming import naming_of
from loratpl.report.inspect.opening import Opened, RefusedFileError, open_weights
from loratpl.report.inspect.program import network_of, program_of
from loratpl.report.inspect.roles import Grouped, grouped
from loratpl.report.inspect.said_alphas import peft_config, shown_config, with_alphas

if TYPE_CHECKING:
    from loratpl.report.inspect.values import Values

Kind = Literal["adapter", "embedding", "model", "other", "unreadable"]


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is in one file.

    Attributes:
        path: As it was given.
        kind: Adapter (a LoRA of any kind), textual inversion, base model, other tensors, or nothing that can be read.
        size_bytes: Of the file.
        header_bytes: Of its header.
        tensors: How many.
        parameters: How many numbers, without the alphas.
        precisions: How many tensors have which type.
        network: What kind of network, in words.
        naming: Whose way of naming it is.
        program: What wrote the file, where its metadata tells.
        guess: The base model that it fits.
        modules: What changes a layer each.
        parts: How much of each part of the base model is changed.
        blocks: The modules by block.
        untrained: What it leaves as it is.
        embeddings: Tensors of textual inversion in it.
        others: Tensors of an adapter's file that belong to no module.
        metadata: As it stands in the file.
        description: The same in words.
        peft: What PEFT's config beside it says.
        hash: Whether the tensors are those that the trainer hashed.
        values: What the numbers say, where they were read.
        problems: What is wrong.
    """

    path: Path
    kind: Kind = "unreadable"
    size_bytes: int = 0
    header_bytes: int = 0
    tensors: int = 0
    parameters: int = 0
    precisions: tuple[tuple[str, int], ...] = ()
    network: str = ""
    naming: str = ""
    program: str = ""
    guess: Guess = field(default_factory=lambda: Guess((), "", 0, 0, None))
    modules: tuple[Module, ...] = ()
    parts: tuple[Part, ...] = ()
    blocks: tuple[Block, ...] = ()
    untrained: tuple[str, ...] = ()
    embeddings: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    description: Description | None = None
    peft: tuple[tuple[str, str], ...] = ()
    hash: HashCheck = field(default_factory=lambda: HashCheck("none", "", None))
    values: Values | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def dims(self) -> tuple[int, ...]:
        """Ranks that occur, ascending."""
        return tuple(sorted({dim for block in self.blocks for dim in block.dims}))

    @property
    def alphas(self) -> tuple[float, ...]:
        """Alphas that occur, ascending."""
        return tuple(sorted({alpha for block in self.blocks for alpha in block.alphas}))

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong with it that makes it unusable."""
        return not any(problem.severity == "error" for problem in self.problems)


def inspect_file(path: Path, *, with_values: bool = False) -> Inspection:
    """Returns what is in a file; what is wrong with it is in the problems, whatever it is.

    Args:
        path: The file.
        with_values: Whether every number is to be looked at, which takes as long as reading the file.
    """
    try:
        opened = open_weights(path)
        header = read_header(opened)
        problems = [*layout_problems(path, header, opened.size_bytes)]
        return _described(opened, header, problems, with_values=with_values)
    except RefusedFileError as error:
        return _damaged(path, error.problem)
    except DamagedHeaderError as error:
        return _damaged(path, Problem("project.weights.header", f"{path} {error}.", str(path), error.fix))
    except OSError as error:  # it went away, or its disk did, while it was read
        why = error.strerror or str(error)
        fix = "Look at the disk that it is on."
        return _damaged(path, Problem("project.weights.unreadable", f"{path} cannot be read: {why}.", str(path), fix))


def _damaged(path: Path, problem: Problem) -> Inspection:
    try:
        size_bytes = path.stat().st_size
    except (OSError, ValueError):
        size_bytes = 0
    return Inspection(path, size_bytes=size_bytes, problems=(problem,))


def _described(opened: Opened, header: Header, problems: list[Problem], *, with_values: bool) -> Inspection:
    path = opened.path
    hashing = None
    if not problems:  # the hash of a damaged file says nothing
        hashing = HashInProgress(path, header.data_begin, opened.size_bytes, header.metadata, whole=with_values)
    found = grouped(header.tensors)
    config = peft_config(path) if found.modules else {}
    modules = with_alphas(modules_of(path, header, found.modules), header.metadata, config)
    kind = _kind(found, header)
    guess = _guess(path, kind, modules, header.metadata)
    parts, blocks, left = parts_of(modules, guess), blocks_of(modules), untrained(modules, guess) if modules else ()
    description = describe(header.metadata)
    problems += module_problems(path, modules)
    values = _read_values(path, header, modules) if with_values and hashing is not None else None
    if values is not None:
        problems += value_problems(path, values, modules)
    hashed = hashing.result() if hashing is not None else HashCheck("none", "", None)
    problems += hash_problems(path, hashed)
    settings = {name for module in modules for name in module.tensors.get("alpha", ())}
    return Inspection(
        path=path,
        kind=kind,
        size_bytes=opened.size_bytes,
        header_bytes=opened.header_bytes,
        tensors=len(header.tensors),
        parameters=sum(entry.elements for name, entry in header.tensors.items() if name not in settings),
        precisions=tuple(Counter(entry.dtype for entry in header.tensors.values()).most_common()),
        network=network_of(modules, header.metadata) if modules else "",
        naming=naming_of((module.name for module in modules), tensor_names=header.tensors) if modules else "",
        program=program_of(header.metadata) or ("PEFT" if config else ""),
        guess=guess,
        modules=modules,
        parts=parts,
        blocks=blocks,
        untrained=left,
        embeddings=found.embeddings,
        others=found.others if kind == "adapter" else (),
        metadata=header.metadata,
        description=description,
        peft=shown_config(config),
        hash=hashed,
        values=values,
        problems=tuple(problems),
    )


def _read_values(path: Path, header: Header, modules: tuple[Module, ...]) -> Values:
    from loratpl.report.inspect.values import read_values  # most look at a file without its values

    return read_values(path, header, modules)


def _kind(found: Grouped, header: Header) -> Kind:
    # A base model may hold some tensors whose names end as an adapter's do.
    if len(found.modules) > len(found.others):
        return "adapter"
    if found.embeddings and not found.others:
        return "embedding"
    if found.modules and header.metadata.get("ss_network_module"):
        return "adapter"
    names = header.tensors
    is_model = any(".blocks." in name or "_blocks." in name or name.startswith("model.") for name in names)
    return "model" if is_model else "other"


def _guess(path: Path, kind: Kind, modules: tuple[Module, ...], metadata: Mapping[str, str]) -> Guess:
    if kind == "adapter":
        return guess_family(modules, metadata)
    from loratpl.weights import base_model_family

    family = base_model_family(path) if kind == "model" else None
    return Guess((family,) if family else (), FAMILIES[family] if family else "", 0, 0, family_said(metadata))
