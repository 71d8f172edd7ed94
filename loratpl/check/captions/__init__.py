"""What is wrong with the captions: each file by itself, files and pictures that do not find each other, the words.

Facts: sd-scripts 48d368fa, `library/train_util.py:read_caption` and `process_caption`. The trainer ends on a caption
that is empty, not UTF-8 or not readable; everything else it trains on without a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loratpl.check.captions.content import content_problems
from loratpl.check.captions.files import file_problems, pointers_among
from loratpl.check.captions.length import length_problems
from loratpl.check.captions.matching import matching_problems
from loratpl.check.captions.tags import tag_problems
from loratpl.check.captions.trigger import trigger_problems
from loratpl.config.settings import Settings
from loratpl.dataset.captions import ConceptCaptions
from loratpl.errors import Problem
from loratpl.project import ProjectPaths

__all__ = ["caption_problems", "pointers_among"]


def caption_problems(
    project: ProjectPaths, settings: Settings, captions: Sequence[ConceptCaptions]
) -> Iterator[Problem]:
    """Yields everything that is wrong with the captions of a dataset.

    Args:
        project: For naming places.
        settings: For naming options, and how long a caption may be.
        captions: As read, of every concept.
    """
    yield from file_problems(project, captions)
    yield from matching_problems(project, settings, captions)
    yield from content_problems(project, captions)
    yield from length_problems(project, settings, captions)
    yield from trigger_problems(project, captions)
    yield from tag_problems(project, settings, captions)
