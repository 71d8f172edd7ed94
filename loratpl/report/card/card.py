"""A run's story → what its model card says: nothing that tells of the machine, and no file of the training data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PureWindowsPath
from typing import Any

from loratpl.config.families import DEFAULT_FAMILY
from loratpl.config.modelspec import TAGS, TRIGGER_PHRASE, USAGE_HINT, bounded, one_line, tags_of, usage_hint
from loratpl.config.paths import is_hub_id
from loratpl.project import RunPaths
from loratpl.report.card.settings import settings_that_matter
from loratpl.report.story.story import ConceptStory, RunStory, SamplePicture

MAX_PICTURES = 12
# Of one prompt, and the last ones: what the LoRA became, and how it came there.
_STEPS_OF_A_PROMPT = 3


@dataclass(frozen=True, slots=True)
class CardSample:
    """A sample picture that the card shows.

    Attributes:
        prompt: What was asked for.
        negative: What was not wanted, "" for nothing.
        prompt_index: The prompt's number, from 0.
        step: After which it was drawn.
        path: Where it lies.
    """

    prompt: str
    negative: str
    prompt_index: int
    step: int
    path: Path


@dataclass(frozen=True, slots=True)
class CardConcept:
    """A folder that was trained on, without its number."""

    name: str
    images: int
    repeats: int
    is_reg: bool


@dataclass(frozen=True, slots=True)
class CardFile:
    """A weights file by its name alone."""

    name: str
    step: int
    size_bytes: int | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Card:
    """What a model card says.

    Attributes:
        title: Of the LoRA.
        output_name: What its files are called.
        family: Of its base model, as a config says it.
        network_module: It was trained with.
        base_model: An owner/name of the hub, or the name of a file or folder.
        base_model_sha256: Of its file, None for a folder and where it was not hashed.
        triggers: What a prompt must hold; several concepts have one each.
        hint: How it is used, in a sentence; "" where the user keeps that out.
        description, author, license: As the user gave them, "" for what is not said.
        files: The weights, the one that the training ended with last.
        samples: Some pictures of the last steps.
        concepts: What it was trained on.
        settings: What decides on the result: an option and its value each.
        state: Of the run: "finished" for a training that did all of its steps.
        last_step, total_steps, epochs: Done, and planned.
        pin: The trainer's commit.
        kohyatpl: Its version.
        date: When the training began: year, month, day.
    """

    title: str
    output_name: str
    family: str
    network_module: str
    base_model: str
    base_model_sha256: str | None
    triggers: tuple[str, ...]
    hint: str
    description: str
    author: str
    license: str
    files: tuple[CardFile, ...]
    samples: tuple[CardSample, ...]
    concepts: tuple[CardConcept, ...]
    settings: tuple[tuple[str, str], ...]
    state: str
    last_step: int
    total_steps: int | None
    epochs: int | None
    pin: str
    kohyatpl: str
    date: str

    @property
    def has_hub_base(self) -> bool:
        """Whether the base model is named as the Hugging Face hub names it."""
        return is_hub_id(self.base_model)

    @property
    def is_base_a_file(self) -> bool:
        """Whether the base model is a single file of weights."""
        return _is_file(self.base_model)

    @property
    def is_whole(self) -> bool:
        """Whether the training did all of its steps."""
        return self.state == "finished"


def card_of(story: RunStory) -> Card:
    """Returns the card of a run; of its files, what the trainer was told is read."""
    record, summary = story.detail.record, story.detail.summary
    values = {row.key: row.value for row in story.settings}
    told = {**values, **_told(summary.run.paths)}
    family = _family(story, values)
    triggers = _triggers(told, family, story.concepts)
    base_model = base_name(record.model)
    return Card(
        title=_text(told, "metadata_title") or _text(told, "output_name") or summary.run.name,
        output_name=_text(told, "output_name") or summary.run.name,
        family=family,
        network_module=_text(told, "network_module"),
        base_model=base_model,
        base_model_sha256=record.model_sha256 if _is_file(base_model) else None,
        triggers=triggers,
        hint=_hint(told, triggers),
        description=_text(told, "metadata_description"),
        author=_text(told, "metadata_author"),
        license=_text(told, "metadata_license"),
        files=_files(story),
        samples=chosen_samples(story),
        concepts=tuple(
            CardConcept(_class_tokens(one.folder), one.images, one.repeats, one.is_reg) for one in story.concepts
        ),
        settings=settings_that_matter(story.settings),
        state=summary.state,
        last_step=record.last_step if summary.last_step is None else summary.last_step,
        total_steps=summary.total_steps,
        epochs=record.plan.get("epochs"),
        pin=record.pin,
        kohyatpl=record.kohyatpl,
        date=record.started_at[:10],
    )


def base_name(model: str) -> str:
    r"""Returns what a base model is called without saying where it lies.

    >>> base_name("owner/name"), base_name("/models/base.safetensors"), base_name("D:\\sd\\base.ckpt")
    ('owner/name', 'base.safetensors', 'base.ckpt')
    """
    if is_hub_id(model):
        return model
    path: PurePath = PureWindowsPath(model) if "\\" in model else PurePath(model)
    return one_line(path.name or model)


def _is_file(base_model: str) -> bool:
    return PurePath(base_model).suffix.lower() in (".safetensors", ".ckpt", ".pt")


def chosen_samples(story: RunStory) -> tuple[CardSample, ...]:
    """Returns the pictures that a card shows: those of the last steps, as many of each prompt, and not too many."""
    by_prompt: dict[int, list[SamplePicture]] = {}
    for sample in story.samples:
        if sample.is_there:
            by_prompt.setdefault(sample.prompt, []).append(sample)
    if not by_prompt:
        return ()
    each = max(1, min(_STEPS_OF_A_PROMPT, MAX_PICTURES // len(by_prompt)))
    texts = {prompt.index: prompt for prompt in story.prompts}
    chosen = []
    for index, samples in sorted(by_prompt.items())[:MAX_PICTURES]:
        prompt = texts.get(index)
        last = {sample.step: sample for sample in samples}  # drawn twice: the later one
        for step in sorted(last)[-each:]:
            texted = ("", "") if prompt is None else (prompt.text, prompt.negative)
            chosen.append(CardSample(*texted, index, step, last[step].path))
    return tuple(chosen)


def _told(paths: RunPaths) -> Mapping[str, Any]:
    """Returns what the trainer was told, {} where that is missing or damaged; what render filled in is only there."""
    import toml

    try:
        told: dict[str, Any] = toml.loads(paths.train_toml_path.read_text(encoding="utf-8"))
    except (OSError, ValueError, IndexError, KeyError, TypeError):  # that reader raises whatever it likes
        return {}
    return told


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return one_line(value) if isinstance(value, str) else ""


def _family(story: RunStory, values: Mapping[str, Any]) -> str:
    meaning = story.detail.summary.meaning
    found = values.get("family") or (None if meaning is None else meaning.options.get("family"))
    return found if isinstance(found, str) else DEFAULT_FAMILY


def _triggers(told: Mapping[str, Any], family: str, concepts: Sequence[ConceptStory]) -> tuple[str, ...]:
    """Returns the trigger words as the LoRA has them; of a run before it had any, the names of its folders."""
    phrase, tags = _text(told, TRIGGER_PHRASE), _text(told, TAGS)
    if phrase:
        parts = phrase.split(", ")  # a phrase of one concept may have commas of its own
        return tuple(parts) if _text(told, USAGE_HINT) == usage_hint(parts) else (phrase,)
    if told.get(TRIGGER_PHRASE) is False:
        return ()
    if tags:  # some scripts drop the phrase
        of_kind = tags_of(family, _text(told, "network_module"), ()).split(", ")
        words = tags.split(", ")
        if words[: len(of_kind)] == of_kind:
            return bounded(words[len(of_kind) :])
    if USAGE_HINT in told:
        return ()
    return bounded([_class_tokens(concept.folder) for concept in concepts if not concept.is_reg])


def _hint(told: Mapping[str, Any], triggers: Sequence[str]) -> str:
    if told.get(USAGE_HINT) is False:
        return ""
    return _text(told, USAGE_HINT) or (usage_hint(triggers) if triggers else "")


def _class_tokens(folder: str) -> str:
    number, _, tokens = folder.partition("_")
    return one_line(tokens if number.isdigit() else folder)


def _files(story: RunStory) -> tuple[CardFile, ...]:
    ordered = sorted(story.checkpoints, key=lambda one: (one.is_last, one.step))
    return tuple(CardFile(one.path.name, one.step, one.size_bytes, one.sha256) for one in ordered)
