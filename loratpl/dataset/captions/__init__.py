"""Captions as the trainer reads them: which file, which text of it, and what is odd about that file."""

from __future__ import annotations

from loratpl.dataset.captions.collecting import (
    CAPTION_EXTENSIONS,
    Caption,
    ConceptCaptions,
    Origin,
    read_captions,
    read_concept,
    split_name,
)
from loratpl.dataset.captions.reading import MAX_CAPTION_BYTES, CaptionFile, Fault, read_caption_file
from loratpl.dataset.captions.settings import CaptionSettings, caption_settings_of

__all__ = [
    "CAPTION_EXTENSIONS",
    "MAX_CAPTION_BYTES",
    "Caption",
    "CaptionFile",
    "CaptionSettings",
    "ConceptCaptions",
    "Fault",
    "Origin",
    "caption_settings_of",
    "read_caption_file",
    "read_captions",
    "read_concept",
    "split_name",
]
