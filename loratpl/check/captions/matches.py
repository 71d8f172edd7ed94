"""Which caption files have no picture and which pictures have no caption, and what they were meant to be called."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field

from loratpl.dataset.captions import CAPTION_EXTENSIONS, ConceptCaptions, Origin, split_name

# Text files that people keep beside pictures and do not take for captions.
_NO_CAPTIONS = frozenset({"readme", "license", "licence", "notes", "prompts", "sample_prompts"})


@dataclass(slots=True)
class Matches:
    """Which pictures of a concept have no caption of their own, and why.

    Attributes:
        captions: The concept's.
        misnamed: (caption file, what it should be called) where only case, accents or a second extension differ.
        other: Extension → pictures whose caption file has that one.
        missing: Pictures for which there is nothing.
        orphans: Caption files for which there is no picture.
    """

    captions: ConceptCaptions
    misnamed: list[tuple[str, str]] = field(default_factory=list)
    other: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    missing: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)

    @property
    def has_own(self) -> bool:
        """Whether any picture has a caption file of its own."""
        return any(caption.origin is Origin.OWN for caption in self.captions.captions)


def find_matches(captions: ConceptCaptions) -> Matches:
    """Returns how the pictures of a concept and its unused caption files go together."""
    found = Matches(captions)
    extension = captions.settings.extension
    unused = {_key(name): name for name in captions.unused}
    taken = {_key(split_name(path.name)[0] + extension) for path in captions.concept.left_out}
    for caption in captions.captions:
        name = caption.picture.name
        stem = split_name(name)[0]
        right_name = stem + extension
        meant = (_key(right_name), _key(name + extension))
        if caption.origin is Origin.OWN:
            taken.update(meant)
            continue
        near = [key for key in meant if key in unused]
        others = [] if near else [key for key in _other_keys(stem, extension) if key in unused]
        taken.update(near, others)
        if near:
            found.misnamed.append((unused[near[0]], right_name))
        elif others:
            found.other[split_name(unused[others[0]])[1]].append(name)
        elif caption.origin is Origin.CLASS_TOKENS and not caption.obstacle:
            found.missing.append(name)
    for key, name in unused.items():
        stem, suffix = split_name(key)
        if key not in taken and suffix == _key(extension) and stem not in _NO_CAPTIONS:
            found.orphans.append(name)
    return found


def _key(name: str) -> str:
    """What names are compared by that people would take for the same: case and the way of writing accents aside."""
    return unicodedata.normalize("NFC", name).casefold()


def _other_keys(stem: str, extension: str) -> list[str]:
    return [_key(stem + other) for other in sorted(CAPTION_EXTENSIONS) if other != extension.lower()]
