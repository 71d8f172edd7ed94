"""What a LoRA file says of itself: words for the trainer's `metadata_*` options, which become `modelspec.*` fields.

The fields are those of ModelSpec 1.0.1 (https://github.com/Stability-AI/ModelSpec); programs that render pictures and
sites for models show them beside the file.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

TRIGGER_PHRASE = "metadata_trigger_phrase"
TAGS = "metadata_tags"
USAGE_HINT = "metadata_usage_hint"
AUTHOR = "metadata_author"
# What render fills in where the config does not say it, for it needs the folders and their captions.
FILLED_IN = (TRIGGER_PHRASE, TAGS, USAGE_HINT)
# What `false` keeps out of the file.
CAN_BE_KEPT_OUT = frozenset({*FILLED_IN, AUTHOR})
# A LoRA is passed on: whose name is in it is for them to say, once for all their projects.
AUTHOR_VARIABLE = "KOHYATPL_AUTHOR"

# The scripts of these pass on title, author, description, licence and tags, and drop every other field (sd-scripts
# 48d368fa, `get_sai_model_spec_dataclass`).
FAMILIES_WITH_FEW_FIELDS = frozenset({"hunyuan-image", "anima"})
DROPPED_BY_THEM = (
    TRIGGER_PHRASE, USAGE_HINT, "metadata_thumbnail", "metadata_merged_from", "metadata_preprocessor",
    "metadata_is_negative_embedding",
)  # fmt: skip

# A field is a line that somebody reads, and a phrase ends in a prompt: hundreds of concepts do not fit in either.
MAX_TRIGGERS = 20
MAX_PHRASE_CHARS = 400
_MAX_NAMED = 3
_STRENGTH = "a strength of 0.7 to 1 is usual"
_KINDS = {
    "networks.dylora": "dylora",
    "networks.oft": "oft",
    "networks.oft_flux": "oft",
    "lycoris.kohya": "lycoris",
}
_NOT_IN_A_LINE = frozenset({"Cc", "Cs", "Zl", "Zp"})


def is_dropped(option: str, family: str) -> bool:
    """Returns whether a family's script takes an option and does not write it into the file.

    >>> is_dropped("metadata_trigger_phrase", "anima"), is_dropped("metadata_tags", "anima")
    (True, False)
    """
    return family in FAMILIES_WITH_FEW_FIELDS and option in DROPPED_BY_THEM


def one_line(text: str) -> str:
    r"""Returns a text without line breaks, control characters and what is no character on disk.

    >>> one_line(" ohwx\ncat \x07 ")
    'ohwx cat'
    """
    return " ".join("".join(" " if unicodedata.category(c) in _NOT_IN_A_LINE else c for c in text).split())


def bounded(triggers: Sequence[str]) -> tuple[str, ...]:
    """Returns trigger words each once, and no more of them than fit in a line.

    >>> bounded(["ohwx cat", "sks dog", "OHWX cat", ""])
    ('ohwx cat', 'sks dog')
    """
    found: dict[str, str] = {}
    length = 0
    for trigger in triggers:
        text = one_line(trigger)[:MAX_PHRASE_CHARS]
        if not text or text.casefold() in found:
            continue
        length += len(text) + (2 if found else 0)
        if length > MAX_PHRASE_CHARS or len(found) == MAX_TRIGGERS:
            break
        found[text.casefold()] = text
    return tuple(found.values())


def trigger_phrase(triggers: Sequence[str]) -> str:
    """Returns trigger words as the file's `modelspec.trigger_phrase` has them, "" for none.

    >>> trigger_phrase(["ohwx cat", "sks dog"])
    'ohwx cat, sks dog'
    """
    return ", ".join(triggers)


def tags_of(family: str, network_module: str, triggers: Sequence[str]) -> str:
    """Returns tags, separated by commas: what the file is, what for, and its trigger words.

    >>> tags_of("sdxl", "networks.oft", ["ohwx cat"])
    'sdxl, lora, oft, text-to-image, ohwx cat'
    """
    kind = _KINDS.get(network_module)
    words = [family, "lora", *((kind,) if kind else ()), "text-to-image"]
    words += [word.strip() for trigger in triggers for word in trigger.split(",") if word.strip()]
    once: dict[str, str] = {}
    for word in words:
        once.setdefault(word.casefold(), word)
    return ", ".join(once.values())


def usage_hint(triggers: Sequence[str]) -> str:
    """Returns how the LoRA is used, in a sentence.

    >>> usage_hint(["ohwx cat"])
    'Prompt with "ohwx cat"; a strength of 0.7 to 1 is usual.'
    >>> usage_hint([])
    'It has no trigger word: prompt in the words of its captions; a strength of 0.7 to 1 is usual.'
    """
    if not triggers:
        return f"It has no trigger word: prompt in the words of its captions; {_STRENGTH}."
    if len(triggers) == 1:
        return f'Prompt with "{triggers[0]}"; {_STRENGTH}.'
    if len(triggers) <= _MAX_NAMED:
        named = " or ".join(f'"{trigger}"' for trigger in triggers)
        return f"Prompt with {named}, whichever you want; {_STRENGTH}."
    return f"Prompt with the trigger words of the concept that you want; {_STRENGTH}."


def is_filled_in(
    option: str, said: Mapping[str, str], folders: Sequence[str], family: str, network_module: str
) -> bool:
    """Returns whether a field of a LoRA is what render makes of its folders, and not what somebody wrote.

    Args:
        option: One of `FILLED_IN` that the LoRA has.
        said: All of these that it has.
        folders: The names of its concept folders.
        family: Of its base model.
        network_module: It was trained with.
    """
    tokens = [one_line(folder.partition("_")[2]) for folder in folders]
    names = {name for words in tokens for name in (words, *words.split())}
    phrase, text = said.get(TRIGGER_PHRASE, ""), said[option]
    triggers = phrase.split(", ") if phrase else []
    if option == TRIGGER_PHRASE:
        return set(triggers) <= names
    ways = [triggers, [phrase] if phrase else []]
    if option == USAGE_HINT:
        return any(text == usage_hint(way) for way in ways)
    ways.append([tag for tag in text.split(", ") if tag in names])  # some scripts drop the phrase
    return any(text == tags_of(family, network_module, way) for way in ways)
