"""Captions that are taken apart: choices in braces, separators, tags that keep their places."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from loratpl.check.captions.wording import files_of
from loratpl.config.settings import Settings
from loratpl.dataset.captions import CaptionSettings, ConceptCaptions
from loratpl.errors import Problem
from loratpl.project import ProjectPaths

_CHOICE = re.compile(r"\{[^{}|]+(?:\|[^{}|]+)+\}")
_TAKEN = re.compile(r"\{[^}]+\}")


def tag_problems(project: ProjectPaths, settings: Settings, captions: Sequence[ConceptCaptions]) -> Iterator[Problem]:
    """Yields choices that would not be made, and options that do nothing to these captions."""
    for item in captions:
        for path, file in files_of([item]).items():
            if file.fault is None and ("{" in file.text or "}" in file.text):
                yield from _brace_problems(project.relative(Path(path)), file.text, item.settings)
    groups: dict[CaptionSettings, list[str]] = {}
    for item in captions:
        groups.setdefault(item.settings, []).extend(caption.text for caption in item.written if caption.text)
    for options, texts in groups.items():
        if texts and options.cuts_tags:
            yield from _cutting_problems(settings, options, texts)
        if texts and options.secondary_separator and not any(options.secondary_separator in text for text in texts):
            message = f"No caption has the secondary_separator `{options.secondary_separator}`; it does nothing."
            yield _ignored(settings, "secondary_separator", message, "Take `secondary_separator` out, or correct it.")


def _brace_problems(where: str, text: str, options: CaptionSettings) -> Iterator[Problem]:
    if not options.enable_wildcard:
        choice = _CHOICE.search(text)
        if choice:
            message = (
                f"{where} has a choice, `{choice.group()}`, but enable_wildcard is off: the braces and all of it would "
                "be trained as they stand."
            )
            fix = 'Set `"enable_wildcard": true`, or write one of the words.'
            yield Problem("dataset.caption.wildcard", message, where, fix, "warning")
    elif has_odd_braces(text):
        message = f"{where} has braces that do not go together; the trainer would train them as they stand."
        fix = "Close each `{a|b}`, do not put one into another, and write `{{` and `}}` where braces are meant."
        yield Problem("dataset.caption.wildcard", message, where, fix, "warning")


def has_odd_braces(text: str) -> bool:
    """Returns whether the trainer leaves braces in a caption with choices; doubled ones stand for themselves.

    >>> [has_odd_braces(text) for text in ("{a|b} c", "{a|b", "{{a}}", "{a|{b|c}}")]
    [False, True, False, True]
    """
    for line in text.split("\n"):
        single = line.replace("{{", "").replace("}}", "")
        left = _TAKEN.sub(lambda match: "{" if "{" in match.group()[1:] else "", single)
        if "{" in left or "}" in left:
            return True
    return False


def _cutting_problems(settings: Settings, options: CaptionSettings, texts: Sequence[str]) -> Iterator[Problem]:
    mark = options.keep_tokens_separator
    if mark and not any(mark in options.trained(text) for text in texts):
        message = f"No caption has the keep_tokens_separator `{mark}`: no tag keeps its place by it."
        yield _ignored(settings, "keep_tokens_separator", message, "Put it into the captions, or take the option out.")
    if not options.shuffle_caption:
        return
    counts = [options.trained(text).count(options.separator) + 1 for text in texts]
    if max(counts) == 1:
        message = f"shuffle_caption is on, but no caption has the separator `{options.separator}`: it does nothing."
        fix = "Take `shuffle_caption` out, or name what parts the tags in `caption_separator`."
        yield _ignored(settings, "shuffle_caption", message, fix)
    elif max(counts) <= options.keep_tokens and not mark:
        message = f"keep_tokens is {options.keep_tokens}, which is all of every caption: shuffle_caption does nothing."
        yield _ignored(settings, "keep_tokens", message, "Keep fewer tags, 1 for the trigger word for example.")


def _ignored(settings: Settings, option: str, message: str, fix: str) -> Problem:
    return Problem("config.ignored", message, settings.where(option), fix, "warning")
