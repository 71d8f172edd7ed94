"""What can be mended in one concept folder: its pictures, their names, captions and caches, so that they still fit."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from loratpl.config.settings import Settings
from loratpl.dataset.captions import MAX_CAPTION_BYTES
from loratpl.dataset.captions.collecting import caption_paths
from loratpl.dataset.inspect import Inspection
from loratpl.dataset.inspect.contents import FORMAT_OF_SUFFIX
from loratpl.dataset.scan import IMAGE_EXTENSIONS, parse_folder_name
from loratpl.fix.actions import Action, FixOptions, Kind, LeftOut, Step, relative
from loratpl.fix.caches import METADATA_CACHE, FolderCaches, stale_latents
from loratpl.fix.captions import CaptionMend, normalised
from loratpl.fix.names import FolderNames, is_too_long
from loratpl.fix.pictures import SUFFIX_OF, PictureMend, mend_of, obstacle_of
from loratpl.project import ProjectPaths


@dataclass(frozen=True, slots=True)
class _Wish:
    """What one picture needs.

    Attributes:
        found: The picture.
        mend: How it is stored anew, None where its content stays.
        suffix: The extension that it needs.
        done: What is said of it.
    """

    found: Inspection
    mend: PictureMend | None
    suffix: str
    done: tuple[str, ...]

    @property
    def name(self) -> str:
        """As it is called now."""
        return self.found.file_path.name

    @property
    def stem(self) -> str:
        """The name without the extension."""
        return _split(self.name)[0]


class FolderPlan:
    """The actions in one folder, found by `look_at`."""

    def __init__(
        self, project: ProjectPaths, settings: Settings, folder: Path, options: FixOptions, misplaced: frozenset[str]
    ) -> None:
        self.actions: list[Action] = []
        self.left: list[LeftOut] = []
        self._project, self._settings, self._folder, self._options = project, settings, folder, options
        self._misplaced = misplaced
        names = os.listdir(folder)  # noqa: PTH208 - names, a hundred thousand of them
        self._names, self._caches = FolderNames(names), FolderCaches(names)
        self._spellings: dict[tuple[str, str], list[str]] = defaultdict(list)
        for name in sorted(names):
            self._spellings[_without_case(name)].append(name)
        self._extension = settings.caption_extension
        self._caption = CaptionMend(bool(settings["enable_wildcard"]))
        self._owners: dict[str, str] = {}
        self._used: set[str] = set()

    def look_at(self, pictures: Sequence[Inspection], read: Iterable[str]) -> None:
        """Finds the actions.

        Args:
            pictures: All files with a picture's name.
            read: The names of those that the trainer reads.
        """
        is_read = frozenset(read)
        wishes = [self._wish(found) for found in sorted(pictures, key=lambda found: found.path)]
        # Who is called rightly keeps the name, then who is read; a converted file comes last.
        ranked = sorted(wishes, key=lambda wish: _rank(wish, is_read))
        stems: dict[str, list[str]] = defaultdict(list)
        for wish in wishes:
            stems[wish.stem].append(wish.name)
        for wish in ranked:
            self._decide(wish, stems, is_read)
        self._mend_captions([wish.stem for wish in wishes])
        self._drop_caches(ranked)

    def _wish(self, found: Inspection) -> _Wish:
        """Returns what a picture needs by itself."""
        suffix = _split(found.file_path.name)[1]
        if not found.is_picture or found.damage or not found.pixels:
            return _Wish(found, None, suffix, ())
        obstacle = obstacle_of(found)
        uses_alpha = bool(self._settings["alpha_mask"])
        mend, done = mend_of(found, self._options.background, uses_alpha=uses_alpha)
        if mend is not None and obstacle:
            self.left.append(LeftOut(found.file_path, f"{self._where(found.file_path.name)}: left, {obstacle}"))
            return _Wish(found, None, suffix, ())
        format_name = found.format if mend is None else mend.format
        if FORMAT_OF_SUFFIX.get(suffix.lower()) != format_name:
            suffix = SUFFIX_OF[format_name]
        elif suffix not in IMAGE_EXTENSIONS:
            suffix = suffix.lower()
        return _Wish(found, mend, suffix, done)

    def _decide(self, wish: _Wish, stems: dict[str, list[str]], is_read: frozenset[str]) -> None:
        stem, old_suffix = _split(wish.name)
        if wish.suffix not in IMAGE_EXTENSIONS:
            return  # left to the user: the trainer does not read it
        owner = self._owners.get(stem)
        if owner is not None and wish.mend is not None and wish.mend.is_foreign and wish.name not in is_read:
            text = f"{self._where(wish.name)}: left, since {owner} seems to have been made from it"
            self.left.append(LeftOut(wish.found.file_path, text))
            return
        if owner is None and wish.suffix == old_suffix:
            target = wish.name
        elif owner is None and self._names.is_free(f"{stem}{wish.suffix}", wish.name):
            target = f"{stem}{wish.suffix}"
        else:
            stem = self._names.new_stem(stem)
            target = f"{stem}{wish.suffix}"
            if is_too_long(f"{stem}{max(wish.suffix, self._extension, key=len)}"):
                self.left.append(LeftOut(wish.found.file_path, f"{self._where(wish.name)}: left, its name is too long"))
                return
        self._owners[stem] = target
        if target != wish.name:
            self._names.take(target)
        if target == wish.name and wish.mend is None:
            return
        done = list(wish.done)
        kind: Kind = "picture" if wish.mend else "name"
        steps = [*self._caption_steps(wish.stem, stem, stems), Step(wish.name, target, wish.mend)]
        steps += [Step(name, None, is_cache=True) for name in self._caches_of(wish, stem)]
        if target != wish.name:
            done.insert(0, f"renamed to {target}")
            if stem != wish.stem and owner is not None:
                done[0] += f", since {owner} would share its caption and its caches"
            elif old_suffix.lower() == wish.suffix:
                done[0] += ", as the trainer reads extensions in lower or upper case alone"
            elif wish.mend is None:
                done[0] += f", since it is a {wish.found.format.upper()} picture"
        self._add(kind, wish.name, "; ".join(done), steps)

    def _caption_steps(self, old: str, new: str, stems: dict[str, list[str]]) -> list[Step]:
        """Returns what becomes of the caption of a picture whose name changes: it goes along, or is copied."""
        found = self._captions_of(f"{old}{self._extension}") if new != old else []
        caption = next((name for name in found if self._caption(self._small(name) or b"")), "")
        if not caption:
            return []
        target = f"{new}{self._extension}"
        self._names.take(target)
        if old in self._owners or len(stems[old]) > 1:
            return [Step(None, target, self._caption, copied_from=caption)]
        self._used.add(caption)
        return [Step(caption, target, self._caption)]

    def _caches_of(self, wish: _Wish, stem: str) -> tuple[str, ...]:
        """Returns the caches that are of a picture as it was; those of its stem where several share them."""
        found = list(self._caches.of_pixels(wish.stem)) if wish.mend or stem != wish.stem else []
        if stem != wish.stem:
            found += self._caches.of_caption(wish.stem)
        new = tuple(name for name in found if name not in self._used)
        self._used.update(new)
        return new

    def _mend_captions(self, old_stems: Iterable[str]) -> None:
        """Adds what is done to the text of captions, and to the case of their extension."""
        seen = set(self._used)
        for stem in dict.fromkeys((*old_stems, *self._owners)):
            for wanted in caption_paths(stem, self._extension):
                names = [name for name in self._captions_of(wanted) if name not in seen]
                seen.update(names)
                self._mend_caption(names, wanted, stem)

    def _mend_caption(self, names: Sequence[str], wanted: str, stem: str) -> None:
        """Adds what is done for one caption: the first file with a text is it, those before it without any go."""
        done: list[str] = []
        steps: list[Step] = []
        for name in names:
            content = self._small(name)
            result = None if content is None else normalised(content, is_wildcard=self._caption.is_wildcard)
            if result and not result.content and self._class_tokens:
                done.append(f"{'' if name == names[0] else f'{name} '}removed, there is nothing to read in it")
                steps.append(Step(name, None))
                continue
            if content is not None and (name != wanted or (result and result.content)):
                if name != wanted:
                    done.append(
                        f"{'' if name == names[0] else f'{name} '}renamed to {wanted}, as the trainer looks for it"
                    )
                done += result.done if result and result.content else ()
                steps.append(Step(name, wanted, self._caption if result and result.content else None))
            break
        if not steps:
            return
        if steps[-1].target is None:
            done.append(f"the class tokens `{self._class_tokens}` are trained")
        caches = [cache for cache in self._caches.of_caption(stem) if cache not in self._used]
        self._used.update(caches)
        steps += [Step(cache, None, is_cache=True) for cache in caches]
        self._add("caption", names[0], "; ".join(done), steps)

    def _drop_caches(self, wishes: Sequence[_Wish]) -> None:
        owners = frozenset(self._owners.values())
        for wish in wishes:
            if not wish.found.pixels or wish.name not in owners:
                continue
            stale = stale_latents(self._settings, self._folder, wish.found, self._caches, self._misplaced)
            for name, reason in stale:
                if name not in self._used:
                    self._used.add(name)
                    self._add("cache", name, f"removed, {reason}", [Step(name, None, is_cache=True)])
        changes = [action for action in self.actions if action.kind != "cache"]
        if changes and METADATA_CACHE in self._names:
            text = "removed, it holds names and captions as they were"
            self._add("cache", METADATA_CACHE, text, [Step(METADATA_CACHE, None, is_cache=True)])

    def _add(self, kind: Kind, name: str, text: str, steps: Sequence[Step]) -> None:
        self.actions.append(Action(self._folder, kind, name, f"{self._where(name)}: {text}", tuple(steps)))

    @property
    def _class_tokens(self) -> str:
        parsed = parse_folder_name(self._folder.name)
        return parsed[1] if parsed else ""

    def _captions_of(self, wanted: str) -> list[str]:
        """Returns the file of that name, and those whose extension is in another case, in the order of their claim."""
        found = self._spellings.get(_without_case(wanted), [])
        return sorted(found, key=lambda name: name != wanted)

    def _small(self, name: str) -> bytes | None:
        """Returns the content of a caption file, None where it is no file, too large or cannot be read."""
        path = self._folder / name
        try:
            if not path.is_file() or path.stat().st_size > MAX_CAPTION_BYTES:
                return None
            return path.read_bytes()
        except OSError:
            return None

    def _where(self, name: str) -> str:
        return relative(self._project.root_dir, self._folder / name)


def _without_case(name: str) -> tuple[str, str]:
    stem, suffix = _split(name)
    return stem, suffix.lower()


def _rank(wish: _Wish, is_read: frozenset[str]) -> int:
    if wish.name in is_read:
        return 0 if wish.suffix == _split(wish.name)[1] else 1
    return 2 if wish.mend is None or not wish.mend.is_foreign else 3


def _split(name: str) -> tuple[str, str]:
    return os.path.splitext(name)  # noqa: PTH122 - the trainer's rule
