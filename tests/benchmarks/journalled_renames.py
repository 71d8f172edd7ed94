"""Measures what it costs to rename thousands of concept folders safely: the journal's renames against bare ones.

`python -m tests.benchmarks.journalled_renames [PAIRS] [FOLDERS]` works below the folder for temporary files. Both ways
take turns on the same folders, there and back, so that a machine whose speed drifts shifts them alike; quote the ratio.
"""

from __future__ import annotations

import gc
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from loratpl.journal import Rename, rename_all


def seconds(work: Callable[[], object]) -> float:
    """Returns how long some work takes."""
    gc.collect()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def bare(renames: Sequence[Rename]) -> None:
    """Renames without a net."""
    for rename in renames:
        os.rename(rename.source, rename.target)  # noqa: PTH104 - the bare call is what is measured


def pair(journal_path: Path, there: Sequence[Rename], back: Sequence[Rename]) -> tuple[float, float]:
    """Returns the seconds of the bare and of the journalled renames."""
    bare_s = seconds(lambda: bare(there))
    bare(back)
    journalled_s = seconds(lambda: rename_all(journal_path, there))
    bare(back)
    return bare_s, journalled_s


def main() -> None:
    """Prints the medians and the ratio."""
    pairs, folders = map(int, [*sys.argv[1:], *("11", "10000")[len(sys.argv) - 1 :]])
    with tempfile.TemporaryDirectory() as root:
        image_dir = Path(root, "image_dir")
        for number in range(folders):
            (image_dir / f"1_concept {number:05}").mkdir(parents=True)
        there = [Rename(path, path.with_name(f"5{path.name[1:]}")) for path in sorted(image_dir.iterdir())]
        back = [Rename(rename.target, rename.source) for rename in there]
        journal_path = Path(root, ".kohyatpl", "renames.json")
        pair(journal_path, there, back)  # the first finds cold caches
        times = [pair(journal_path, there, back) for _ in range(pairs)]
    bare_s, journalled_s = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(journalled / without for without, journalled in times)
    print(f"{folders} folders, median of {pairs} pairs: bare {bare_s * 1e3:.0f} ms, ", end="")
    print(f"journalled {journalled_s * 1e3:.0f} ms; median ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
