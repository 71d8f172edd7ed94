"""The cache of hashes: never wrong, whatever became of files or of the cache itself."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from loratpl.run.hash_cache import HashCache


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def write_old(path: Path, content: bytes, age_s: float = 100.0) -> None:
    """Writes a file that was changed some time ago; on Linux only its first time can be set back."""
    path.write_bytes(content)
    at = time.time() - age_s
    os.utime(path, (at, at))


@pytest.fixture(scope="module")
def _folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A folder for each test, made all at once: times that are believed are some seconds old."""
    folders = [tmp_path_factory.mktemp("pictures") for _ in range(24)]
    for folder in folders:
        for name in ("a", "b"):
            write_old(folder / name, name.encode())
    time.sleep(2.05)
    return folders


@pytest.fixture
def settled(_folders: list[Path], tmp_path: Path) -> Path:
    """Files of which both times are old enough to be believed."""
    return _folders.pop().rename(tmp_path / "pictures")


def hashes(cache_path: Path, folder: Path) -> tuple[dict[str, str], int]:
    cache = HashCache(cache_path)
    found = {path.name: cache.sha256(path) for path in sorted(folder.iterdir())}
    cache.save()
    return found, cache.files_read


def test_what_was_read_is_not_read_again(tmp_path: Path, settled: Path) -> None:
    cache_path = tmp_path / "hidden" / "hashes.json"
    first, second = hashes(cache_path, settled), hashes(cache_path, settled)
    assert first == ({"a": sha(b"a"), "b": sha(b"b")}, 2)
    assert second == (first[0], 0)
    assert [path.name for path in cache_path.parent.iterdir()] == ["hashes.json"]


def test_a_folder_may_be_renamed(tmp_path: Path, settled: Path) -> None:
    cache_path = tmp_path / "hashes.json"
    first, _ = hashes(cache_path, settled)
    assert hashes(cache_path, settled.rename(tmp_path / 'an "odd" ñandú')) == (first, 0)


def in_place(folder: Path) -> None:
    (folder / "a").write_bytes(b"x")


def with_its_old_time(folder: Path) -> None:
    status = (folder / "a").stat()
    (folder / "a").write_bytes(b"x")
    os.utime(folder / "a", ns=(status.st_atime_ns, status.st_mtime_ns))


def by_another(folder: Path) -> None:
    write_old(folder / "new", b"x")
    (folder / "new").replace(folder / "a")


@pytest.mark.parametrize("change", [in_place, with_its_old_time, by_another])
def test_a_changed_file_is_read_again(tmp_path: Path, settled: Path, change: Callable[[Path], None]) -> None:
    cache_path = tmp_path / "hashes.json"
    hashes(cache_path, settled)
    change(settled)
    assert hashes(cache_path, settled) == ({"a": sha(b"x"), "b": sha(b"b")}, 1)


def test_two_files_that_change_places_keep_their_own_hashes(tmp_path: Path, settled: Path) -> None:
    cache_path = tmp_path / "hashes.json"
    hashes(cache_path, settled)
    for before, after in (("a", "c"), ("b", "a"), ("c", "b")):
        (settled / before).rename(settled / after)
    assert hashes(cache_path, settled)[0] == {"a": sha(b"b"), "b": sha(b"a")}


def test_a_file_that_changed_just_now_is_not_believed(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "fresh").write_bytes(b"1")
    cache_path = tmp_path / "hashes.json"
    assert hashes(cache_path, folder)[1] == 1
    assert hashes(cache_path, folder)[1] == 1


def test_a_file_of_the_future_is_not_believed(tmp_path: Path, settled: Path) -> None:
    write_old(settled / "a", b"a", age_s=-3600)
    cache_path = tmp_path / "hashes.json"
    hashes(cache_path, settled)
    assert hashes(cache_path, settled)[1] == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda content: content[:-10],
        lambda content: content.replace(b'"version": 1', b'"version": 2'),
        lambda content: content.replace(sha(b"a").encode(), sha(b"z").encode()),
        lambda _: b'{"kind": "kohyatpl hashes", "version": 1, "checksum": 0}\n[]',
        lambda _: b"[" * 100_000,
        lambda _: b"\xff\xfe\0",
    ],
)
def test_a_damaged_cache_is_not_believed(tmp_path: Path, settled: Path, damage: Callable[[bytes], bytes]) -> None:
    cache_path = tmp_path / "hashes.json"
    first, _ = hashes(cache_path, settled)
    cache_path.write_bytes(damage(cache_path.read_bytes()))
    assert hashes(cache_path, settled) == (first, 2)
    assert hashes(cache_path, settled) == (first, 0)


def test_what_only_looks_like_a_hash_is_not_believed(tmp_path: Path, settled: Path) -> None:
    import zlib

    body = json.dumps({str(settled / "a"): [1, 2, 3, 4, "no hash"]}).encode()
    head = json.dumps({"kind": "kohyatpl hashes", "version": 1, "checksum": zlib.crc32(body)}).encode()
    cache_path = tmp_path / "hashes.json"
    cache_path.write_bytes(head + b"\n" + body)
    assert hashes(cache_path, settled)[1] == 2


def test_others_are_kept_until_they_are_to_be_forgotten(tmp_path: Path, settled: Path) -> None:
    cache_path = tmp_path / "hashes.json"
    hashes(cache_path, settled)
    for forget, read in ((False, 0), (True, 1)):
        cache = HashCache(cache_path)
        cache.sha256(settled / "a")
        assert cache.save(forget_others=forget)
        other = HashCache(cache_path)
        other.sha256(settled / "b")
        assert other.files_read == read


def test_two_that_save_at_once_both_keep_theirs(tmp_path: Path, settled: Path) -> None:
    cache_path = tmp_path / "hashes.json"
    one, other = HashCache(cache_path), HashCache(cache_path)
    one.sha256(settled / "a")
    other.sha256(settled / "b")
    one.save()
    other.save()
    assert hashes(cache_path, settled)[1] == 0


def test_a_place_that_cannot_be_written_costs_only_time(tmp_path: Path, settled: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    cache = HashCache(tmp_path / "file" / "hashes.json")
    assert cache.sha256(settled / "a") == sha(b"a")
    assert not cache.save()
    assert not HashCache(None).save()


def test_a_folder_whose_name_is_no_text_is_kept_too(tmp_path: Path, settled: Path) -> None:
    try:
        folder = settled.rename(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    except OSError:
        pytest.skip("this file system takes no such name")
    cache_path = tmp_path / "hashes.json"
    hashes(cache_path, folder)
    assert hashes(cache_path, folder)[1] == 0


def test_a_file_that_is_gone_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        HashCache(tmp_path / "hashes.json").sha256(tmp_path / "gone")
