"""Work goes on in all threads, and ends in order whatever happens."""

from __future__ import annotations

import threading

import pytest

from loratpl.dataset.inspect.pool import in_threads, usable_cores


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_every_item_is_done_once(workers: int) -> None:
    assert sorted(in_threads(lambda item: item * item, range(500), workers)) == [(n, n * n) for n in range(500)]
    assert list(in_threads(str, [], workers)) == []


def test_items_are_done_at_the_same_time() -> None:
    meeting = threading.Barrier(3, timeout=20)  # nobody passes it alone
    assert sorted(index for index, _ in in_threads(lambda _: meeting.wait(), range(3), 3)) == [0, 1, 2]


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_is_raised_where_it_can_be_seen(workers: int) -> None:
    def fail(item: int) -> int:
        if item == 7:
            raise LookupError("seven")
        return item

    with pytest.raises(LookupError, match="seven"):
        list(in_threads(fail, range(100), workers))
    assert threading.active_count() < 20


def test_nothing_new_is_begun_when_the_caller_leaves_off() -> None:
    done: list[int] = []
    results = in_threads(done.append, range(100_000), 2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    count = len(done)
    assert count < 100_000
    assert len(done) == count


def test_there_is_a_core() -> None:
    assert usable_cores() >= 1
