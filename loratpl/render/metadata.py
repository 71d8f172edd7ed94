"""What the LoRA file says of itself where the config does not: filled in from the folders and their captions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from loratpl.check.captions.trigger import as_read, trigger_pattern
from loratpl.config.modelspec import (
    FILLED_IN,
    TAGS,
    TRIGGER_PHRASE,
    USAGE_HINT,
    bounded,
    is_dropped,
    one_line,
    tags_of,
    trigger_phrase,
    usage_hint,
)
from loratpl.config.settings import Settings
from loratpl.dataset.captions import ConceptCaptions, Origin, caption_settings_of, read_concept
from loratpl.dataset.scan import Concept, Dataset, Picture
from loratpl.plan.datasets import settings_of_folders
from loratpl.render.toml_text import NotReadableError, to_toml

# Of a folder of thousands some captions tell as much as all, and rendering stays a matter of milliseconds.
_LOOKED_AT = 100
_ARTICLES = frozenset({"a", "an", "the"})


def metadata_of(settings: Settings, dataset: Dataset) -> dict[str, str]:
    """Returns the `metadata_*` options that the config leaves unset, as they are passed to the trainer.

    None where the file is to hold no metadata, or is of a kind that cannot; nor what the family's script would drop,
    or the trainer's reader of TOML files would misread: a folder's odd name must not keep anyone from training.

    Args:
        settings: Resolved and without errors.
        dataset: The concepts; some captions of each are read.
    """
    wanted = options_to_fill_in(settings)
    texts = _texts(settings, dataset) if wanted else {}
    return {name: texts[name] for name in wanted if texts[name] and _is_readable(name, texts[name])}


def options_to_fill_in(settings: Settings) -> tuple[str, ...]:
    """Returns the `metadata_*` options that render fills in for a config, where the folders tell enough for them."""
    if settings["no_metadata"] or settings["save_model_as"] not in (None, "safetensors"):
        return ()
    return tuple(
        name for name in FILLED_IN if name not in settings.options and not is_dropped(name, settings.family.name)
    )


def triggers_of(settings: Settings, dataset: Dataset) -> tuple[str, ...]:
    """Returns the trigger words of the concepts, in the order of their folders and each once.

    Args:
        settings: Resolved and without errors.
        dataset: The concepts; some captions of each are read.
    """
    return bounded(list(_triggers(settings, dataset)))


def _texts(settings: Settings, dataset: Dataset) -> Mapping[str, str]:
    written = settings[TRIGGER_PHRASE]
    if written is False:  # the file shall not tell it, in none of its fields
        return {TAGS: tags_of(settings.family.name, settings["network_module"], ()), USAGE_HINT: ""}
    triggers = triggers_of(settings, dataset) if written is None else bounded([written])
    return {
        TRIGGER_PHRASE: trigger_phrase(triggers),
        TAGS: tags_of(settings.family.name, settings["network_module"], triggers),
        USAGE_HINT: usage_hint(triggers),
    }


def _triggers(settings: Settings, dataset: Dataset) -> Iterator[str]:
    settings_of = settings_of_folders(dataset, settings)
    for concept in dataset.training:
        if concept.pictures:
            some = replace(concept, pictures=_spread(concept))
            yield _trigger(read_concept(some, caption_settings_of(settings_of[concept.folder])))


def _spread(concept: Concept) -> tuple[Picture, ...]:
    step = max(1, len(concept.pictures) // _LOOKED_AT)
    return concept.pictures[::step][:_LOOKED_AT]


def _trigger(captions: ConceptCaptions) -> str:
    """Returns what a prompt must hold for a concept, "" where no words stand for it.

    A picture with a caption is trained on that alone: the folder's name is a trigger where half of the captions hold
    it, or where there are none. What `caption_prefix` puts before every caption is one by itself.
    """
    name = one_line(captions.concept.class_tokens)
    words = [word for word in name.split() if word.lower() not in _ARTICLES]
    candidates = (name, *words[:1])
    prefix = one_line(captions.settings.prefix).strip(" ,.;:")
    if any(_is_in(candidate, [prefix]) for candidate in candidates):
        return prefix
    texts = [
        caption.text
        for caption in captions.captions
        if caption.origin is Origin.CLASS_TOKENS or (caption.file is not None and caption.file.fault is None)
    ]
    found = next((candidate for candidate in candidates if _is_in(candidate, texts)), "")
    return ", ".join(part for part in (prefix, found) if part)


def _is_in(words: str, texts: Sequence[str]) -> bool:
    """Whether at least half of the texts hold these words."""
    pattern = trigger_pattern(words)
    held = [] if pattern is None else [text for text in texts if pattern.search(as_read(text))]
    return bool(held) and 2 * len(held) >= len([text for text in texts if text])


def _is_readable(name: str, text: str) -> bool:
    try:
        to_toml({name: text})
    except NotReadableError:
        return False
    return True
