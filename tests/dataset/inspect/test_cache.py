"""What was found out is believed the next time, and only where nothing can have changed."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import pytest

from loratpl.dataset.inspect import InspectedTree, Tier, inspect_tree
from loratpl.dataset.inspect.cache import CACHE_VERSION
from loratpl.dataset.inspect.signature import Signature, is_settled
from tests.dataset.inspect.drawn import drawing, encoded, write
from tests.dataset.inspect.test_contents import as_somebody_else

posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no such permissions there")
_SETTLE_S = 0.05


class _Set:
    """Six pictures in two folders, and a cache beside them."""

    def __init__(self, root_dir: Path) -> None:
        self.image_dir, self.cache_path = root_dir / "image_dir", root_dir / "inspections.json"
        self.paths = [
            write(self.image_dir / f"{1 + number % 2}_x" / f"{number}.{'jpg' if number == 4 else 'png'}", number)
            for number in range(6)
        ]
        (self.image_dir / "1_x" / "empty.png").write_bytes(b"")
        time.sleep(_SETTLE_S)

    def look(self, tier: Tier = "full") -> InspectedTree:
        """Inspects the set."""
        return inspect_tree(self.image_dir, None, tier=tier, cache_path=self.cache_path)


@pytest.mark.parametrize("tier", ["headers", "full"])
def test_what_is_known_is_not_looked_at_again(odd_path: Path, tier: Tier) -> None:
    given = _Set(odd_path)
    first, second = given.look(tier), given.look(tier)
    assert (first.inspected_count, second.inspected_count) == (7, 0)
    assert list(second.pictures) == list(first.pictures)
    assert first.is_saved
    assert {path.name for path in odd_path.iterdir()} == {"image_dir", "inspections.json"}


def test_the_full_look_is_not_lost_on_a_quick_one_and_the_quick_one_is_not_enough(tmp_path: Path) -> None:
    given = _Set(tmp_path)
    given.look("headers")
    full = given.look("full")
    assert full.inspected_count == 7
    quick = given.look("headers")
    assert quick.inspected_count == 0
    assert list(quick.pictures) == list(full.pictures)
    assert given.look("full").inspected_count == 0


@posix
def test_a_file_that_has_changed_is_looked_at_again_even_with_its_old_size_and_time(tmp_path: Path) -> None:
    given = _Set(tmp_path)
    given.look()
    path = given.paths[2]
    before, content = path.stat(), path.read_bytes()
    path.write_bytes(content[:200] + bytes(len(content) - 200))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    again = given.look()
    assert again.inspected_count == 1
    assert [found.path for found in again.pictures if found.damage] == [str(path)]


def test_a_picture_that_was_put_in_anothers_place_is_looked_at_again(tmp_path: Path) -> None:
    given = _Set(tmp_path)
    given.look()
    given.paths[0].replace(given.paths[2])  # an older file, of another inode
    again = given.look()
    assert again.inspected_count == 1
    assert len(list(again.pictures)) == 6


def test_new_files_and_files_that_are_gone_are_noticed(tmp_path: Path) -> None:
    given = _Set(tmp_path)
    given.look()
    given.paths[0].unlink()
    write(given.image_dir / "3_y" / "new.png", 9)
    time.sleep(_SETTLE_S)
    assert given.look().inspected_count == 1
    assert given.look().inspected_count == 0
    assert str(given.paths[0]) not in given.cache_path.read_text(encoding="utf-8")


def test_a_folder_that_was_renamed_is_known_again(tmp_path: Path) -> None:
    given = _Set(tmp_path)
    before = given.look()
    (given.image_dir / "1_x").rename(given.image_dir / "40_x")
    after = given.look()
    assert after.inspected_count == 0
    assert sorted(found.dhash or 0 for found in after.pictures) == sorted(found.dhash or 0 for found in before.pictures)
    assert all(found.file_path.exists() for found in after.pictures)


def test_folders_that_changed_their_names_with_each_other_are_not_mixed_up(tmp_path: Path) -> None:
    image_dir, cache_path = tmp_path / "image_dir", tmp_path / "cache"
    for number, name in enumerate(("1_a", "1_b")):
        write(image_dir / name / "1.png", number, (64, 64 + 8 * number))
    time.sleep(_SETTLE_S)
    inspect_tree(image_dir, None, cache_path=cache_path)
    (image_dir / "1_a").rename(image_dir / "x")
    (image_dir / "1_b").rename(image_dir / "1_a")
    (image_dir / "x").rename(image_dir / "1_b")
    assert [found.height_px for found in inspect_tree(image_dir, None, cache_path=cache_path).pictures] == [72, 64]


def test_a_copy_of_a_known_picture_is_found(tmp_path: Path) -> None:
    given = _Set(tmp_path)
    given.look()
    shutil.copy2(given.paths[1], given.image_dir / "1_x" / "copy.png")
    hashes = [found.content_hash for found in given.look().pictures if found.content_hash]
    assert len(hashes) >= 2
    assert len(set(hashes)) < len(hashes)


def _spoilt(path: Path) -> list[bytes]:
    """Returns a cache spoilt in many ways."""
    content = path.read_bytes()
    head, _, body = content.partition(b"\n")
    newer = json.dumps({**json.loads(head), "version": CACHE_VERSION + 1}).encode()
    older = json.dumps({**json.loads(head), "version": 0}).encode()
    other_user = json.dumps({**json.loads(head), "user": 12345}).encode()
    flipped = bytearray(content)
    flipped[len(head) + len(body) // 2] ^= 1
    lies: list[Any] = [
        5,
        [],
        [1, 2, 3, 4],
        [1, ["1.png"], [1], [[1]]],
        [[], {}, [], []],
        [1, ["1.png"], [1, 2, 3, 4], [[]]],
    ]
    nonsense = []
    for folder in lies:
        lie = json.dumps(dict.fromkeys(json.loads(body), folder)).encode()
        nonsense.append(json.dumps({**json.loads(head), "checksum": zlib.crc32(lie)}).encode() + b"\n" + lie)
    return [
        *nonsense,
        b"",
        b"\0" * 100,
        b"{}",
        b"[]\n[]",
        b"null\nnull",
        b"SQLite format 3\0",
        content[: len(content) // 2],
        bytes(flipped),
        head + b"\n" + body.replace(b'"png"', b'"gif"'),
        newer + b"\n" + body,
        older + b"\n" + body,
        other_user + b"\n" + body,
        b"[" * 100_000,
    ]


def test_a_cache_that_is_not_exactly_ours_is_rebuilt(tmp_path: Path) -> None:
    given = _Set(tmp_path)
    right = given.look()
    content = given.cache_path.read_bytes()
    for spoilt in _spoilt(given.cache_path):
        given.cache_path.write_bytes(spoilt)
        again = given.look()
        assert again.inspected_count == 7
        assert list(again.pictures) == list(right.pictures)
        assert given.look().inspected_count == 0
    given.cache_path.write_bytes(content)
    assert given.look().inspected_count == 0


def test_a_cache_that_came_with_a_copied_project_is_not_believed(tmp_path: Path) -> None:
    given = _Set(tmp_path / "one")
    given.look()
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    copied = tmp_path / "two"
    tree = inspect_tree(copied / "image_dir", None, cache_path=copied / "inspections.json")
    assert tree.inspected_count == 7


def test_a_folder_where_the_cache_should_be_is_no_error(tmp_path: Path) -> None:
    given = _Set(tmp_path)
    given.cache_path.mkdir()
    tree = given.look()
    assert (tree.inspected_count, tree.is_saved) == (7, False)
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


@posix
def test_a_read_only_project_is_looked_at_without_a_cache() -> None:
    with as_somebody_else() as folder:
        hidden_dir, concept_dir = folder / ".hidden", folder / "image_dir" / "1_x"
        concept_dir.mkdir(parents=True)
        (concept_dir / "1.png").write_bytes(encoded(drawing()))
        hidden_dir.mkdir()
        hidden_dir.chmod(0o555)
        tree = inspect_tree(folder / "image_dir", None, tier="headers", cache_path=hidden_dir / "cache")
        assert (tree.inspected_count, tree.is_saved) == (1, False)
        assert (
            inspect_tree(folder / "image_dir", None, tier="headers", cache_path=hidden_dir / "x" / "y").is_saved
            is False
        )


@posix
def test_a_file_that_has_become_unreadable_is_noticed() -> None:
    with as_somebody_else() as folder:
        (folder / "image_dir" / "1_x").mkdir(parents=True)
        path = folder / "image_dir" / "1_x" / "1.png"
        path.write_bytes(encoded(drawing()))
        time.sleep(_SETTLE_S)
        cache_path = folder / "cache"
        seen = []
        for mode in (0o600, 0o600, 0, 0o600):
            if path.stat().st_mode & 0o777 != mode:
                path.chmod(mode)
                time.sleep(_SETTLE_S)
            tree = inspect_tree(folder / "image_dir", None, tier="headers", cache_path=cache_path)
            seen.append((tree.inspected_count, next(tree.pictures).impostor))
        assert [impostor for _, impostor in seen] == ["", "", "denied", ""]
        assert seen[2][0] == 1


def test_what_is_known_so_far_is_kept_when_it_is_interrupted(tmp_path: Path) -> None:
    given = _Set(tmp_path)

    def stop(done: int, _total: int, _bytes: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inspect_tree(given.image_dir, None, cache_path=given.cache_path, progress=stop, workers=2)
    assert given.look().inspected_count <= 7 - 4


def test_progress_is_told_up_to_the_end(tmp_path: Path) -> None:
    given = _Set(tmp_path)
    size = sum(path.stat().st_size for path in given.paths)
    for expected_first in (0, 7):
        told = _told(given)
        assert told[0][:2] == (expected_first, 7)
        assert told[-1] == (7, 7, size)
        assert [done for done, _, _ in told] == list(range(expected_first, 8))


def _told(given: _Set) -> list[tuple[int, int, int]]:
    """Returns what the progress was told."""
    told: list[tuple[int, int, int]] = []
    inspect_tree(given.image_dir, None, cache_path=given.cache_path, progress=lambda *values: told.append(values))
    return told


@pytest.mark.parametrize(
    ("age_ns", "is_whole_second", "expected"),
    [
        (1_000_000, False, False),
        (50_000_000, False, True),
        (50_000_000, True, False),
        (2_500_000_000, True, True),
    ],
)
def test_what_is_as_young_as_the_clocks_tick_is_not_kept(age_ns: int, is_whole_second: bool, expected: bool) -> None:
    changed_ns = 1_700_000_000_000_000_000 + (0 if is_whole_second else 123)
    assert is_settled(Signature(1, changed_ns, changed_ns, 1), changed_ns + age_ns) is expected
