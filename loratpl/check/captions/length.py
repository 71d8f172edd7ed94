"""Captions of which the end is cut off, because the text encoder takes no more tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from loratpl.check.captions.tokens import ESTIMATE_ERROR_PERCENT, TokenCounter, clip_counter, estimated_tokens
from loratpl.check.captions.wording import files_of
from loratpl.check.rule import UNET_FAMILIES
from loratpl.config.settings import Settings
from loratpl.dataset.captions import ConceptCaptions
from loratpl.errors import Problem
from loratpl.project import ProjectPaths

_CLIP_TOKENS = 75
_LONGER = (150, 225)
_CHOICE = re.compile(r"\{([^}]+)\}")
_WEIGHT = re.compile(r":[\d.]+\)|[()\[\]]")


@dataclass(frozen=True, slots=True)
class _Encoder:
    """The text encoder whose limit counts for a family.

    Attributes:
        name: For people.
        option: What sets its limit.
        tokens: The limit where that is unset.
        per_clip_token: How many of its tokens come to one of CLIP's, measured on 24 English prompts (T5 1.05-1.57,
            Qwen 0.93-1.23).
        error_percent: How far off that may be.
    """

    name: str
    option: str
    tokens: int
    per_clip_token: float = 1.0
    error_percent: int = 20


# Facts: sd-scripts 48d368fa, `library/strategy_*.py`. Where CLIP and T5 read the same caption, T5 has its end.
_CLIP = _Encoder("CLIP", "max_token_length", _CLIP_TOKENS, 1.0, ESTIMATE_ERROR_PERCENT)
_ENCODERS = {
    **dict.fromkeys(UNET_FAMILIES, _CLIP),
    "sd3": _Encoder("T5", "t5xxl_max_token_length", 256, 1.2),
    "flux": _Encoder("T5", "t5xxl_max_token_length", 512, 1.2),
    "chroma": _Encoder("T5", "t5xxl_max_token_length", 512, 1.2),
    "lumina": _Encoder("Gemma", "gemma2_max_token_length", 256),
    "anima": _Encoder("Qwen3", "qwen3_max_token_length", 512),
}


def length_problems(
    project: ProjectPaths, settings: Settings, captions: Sequence[ConceptCaptions]
) -> Iterator[Problem]:
    """Yields a warning for each caption that is longer than the text encoder's limit."""
    encoder = _ENCODERS.get(settings.family.name)
    if encoder is None:
        return
    limit = settings[encoder.option] or encoder.tokens
    counter: TokenCounter | None = None  # reading the vocabulary takes a moment, and most captions are short
    for item in captions:
        for path, file in files_of([item]).items():
            text = _longest(item.settings.trained(file.text), wildcards=item.settings.enable_wildcard)
            if file.fault is not None or len(text.encode("utf-8", "replace")) <= limit:
                continue  # no token is less than a byte
            if counter is None:
                counter = clip_counter() if encoder is _CLIP else TokenCounter(estimated_tokens, is_exact=False)
            if settings["weighted_captions"]:
                text = _WEIGHT.sub("", text)
            count = round(counter.count(text) * encoder.per_clip_token)
            if count > limit:
                yield _problem(project.relative(Path(path)), count, limit, encoder, is_exact=counter.is_exact)


def _longest(text: str, *, wildcards: bool) -> str:
    """Returns the longest caption that may come of one with choices."""
    if not wildcards:
        return text
    lines = (_CHOICE.sub(lambda match: max(match.group(1).split("|"), key=len), line) for line in text.split("\n"))
    return max(lines, key=len)


def _problem(where: str, count: int, limit: int, encoder: _Encoder, *, is_exact: bool) -> Problem:
    length = (
        f"{count} tokens" if is_exact else f"about {count} tokens (an estimate, within some {encoder.error_percent} %)"
    )
    message = f"{where} has {length}; {encoder.name} takes {limit}, and the end of the caption is cut off."
    fix = "Shorten it, or put what matters first."
    longer = [size for size in _LONGER if size >= count] if encoder is _CLIP else []
    if longer:
        fix = f'Shorten it, or set `"max_token_length": {longer[0]}`.'
    if encoder is _CLIP and not is_exact:
        fix += " `pip install 'kohyatpl[tokens]'` counts exactly."
    return Problem("dataset.caption.long", message, where, fix, "warning")
