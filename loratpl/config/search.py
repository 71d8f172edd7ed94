"""Searches the trainer's options: by their names and choices, and by their help texts where these are at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loratpl.config.defaults import defaults_of
from loratpl.config.families import FAMILIES
from loratpl.trainer.manifest import Manifest, Option


@dataclass(frozen=True, slots=True)
class FoundOption:
    """An option as some families have it; where others declare it differently, it is found a second time.

    Attributes:
        option: As their scripts declare it.
        families: Whose scripts know it so.
        ours: Our own default by family, where there is one.
        help: The trainer's text, "" where none is at hand.
    """

    option: Option
    families: tuple[str, ...]
    ours: Mapping[str, Any]
    help: str


def find_options(
    words: str, manifest: Manifest, help_texts: Mapping[str, Mapping[str, str]], family: str | None = None
) -> tuple[FoundOption, ...]:
    """Returns the options that have every one of the words in name, choices or help text: those named so first.

    Args:
        words: With blanks between them, in whatever case; "" finds all.
        manifest: The options of the scripts.
        help_texts: By script and option; may be empty.
        family: Looks among its options alone.
    """
    wanted = [word.replace("-", "_") for word in words.lower().split()]
    found = [one for one in _options(manifest, help_texts, family) if all(_has(one, word) for word in wanted)]
    return tuple(sorted(found, key=lambda one: (_distance(one, wanted), one.option.name)))


def _options(
    manifest: Manifest, help_texts: Mapping[str, Mapping[str, str]], family: str | None
) -> Sequence[FoundOption]:
    families: dict[str, tuple[Option, list[str]]] = {}  # by all that is declared: a default may be a list
    for name in FAMILIES if family is None else (family,):
        for option in manifest.options_of[FAMILIES[name].script].values():
            families.setdefault(repr(option), (option, []))[1].append(name)
    return [
        FoundOption(
            option,
            tuple(names),
            {name: default.value for name in names for default in defaults_of(name) if default.name == option.name},
            help_texts.get(FAMILIES[names[0]].script, {}).get(option.name, ""),
        )
        for option, names in families.values()
    ]


def _has(found: FoundOption, word: str) -> bool:
    texts = (found.option.name, *map(str, found.option.choices), found.help)
    return any(word in text.lower().replace("-", "_") for text in texts)


def _distance(found: FoundOption, words: Sequence[str]) -> int:
    """0 for the option of that very name, 1 where the name holds the words, 2 for the rest."""
    name = found.option.name
    if [name] == list(words):
        return 0
    return 1 if all(word in name for word in words) else 2
