"""Kills `kohyatpl balance` and `balance --undo` at random moments, over and over, and counts what is left.

`python -m tests.benchmarks.killed_balances [KILLS] [FOLDERS] [SEED]`. After each kill the next command that takes the
project's lock must leave all old or all new names, the config with them, and every picture, known by its hash. Half of
the kills wait until the journal says that renames are under way; the others hit any moment of the process.
"""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.command_line import COMMAND, kohyatpl

LONGEST_LIFE_S = 1.5
LONGEST_RENAMES_S = 0.06
State = tuple[dict[str, str], str]


def make_project(root: Path, folders: int) -> None:
    """Lays out concepts of one picture each; every third has a weight in its name, and some swap names."""
    for number in range(folders):
        prefix = "{2.0}" if number % 3 == 0 else ""
        folder = root / "image_dir" / f"{prefix}{number % 7 + 1}_concept {number:04}"
        folder.mkdir(parents=True)
        (folder / "1.png").write_text(f"picture {number}", encoding="utf-8")
    for name, count in (("1_swap", 1), ("2_swap", 2)):  # 1_swap shall be 2_swap, and the other way round
        (root / "image_dir" / name).mkdir()
        for number in range(count):
            (root / "image_dir" / name / f"{number}.png").write_text(f"{name} {number}", encoding="utf-8")
    (root / "config.json").write_text('{\n  "seed": 1,\n  "wandb_api_key": "x"\n}\n', encoding="utf-8")


def state_of(root: Path) -> State:
    """Returns where each picture is, by its hash, and the config."""
    pictures = {
        hashlib.sha256(path.read_bytes()).hexdigest(): path.relative_to(root).as_posix()
        for path in (root / "image_dir").glob("*/*.png")
    }
    return pictures, (root / "config.json").read_text(encoding="utf-8")


def kill_one(root: Path, arguments: tuple[str, ...], chance: random.Random) -> str:
    """Starts a balancing, kills it, and returns how far it was: before, within, or after the renames."""
    journal_path = root / ".kohyatpl" / "renames.json"
    with subprocess.Popen(
        [*COMMAND, "balance", str(root), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        if chance.random() < 0.5:
            while child.poll() is None and not is_under_way(journal_path):
                time.sleep(0.001)
            time.sleep(chance.uniform(0, LONGEST_RENAMES_S))
        else:
            time.sleep(chance.uniform(0, LONGEST_LIFE_S))
        child.kill()
    if is_under_way(journal_path):
        return "within"
    return "after" if child.returncode == 0 else "before or after"


def is_under_way(journal_path: Path) -> bool:
    """Returns whether the journal holds an unfinished set."""
    try:
        with journal_path.open("rb") as file:
            return b'"active": {' in file.read(40)
    except FileNotFoundError:
        return False


def main() -> None:
    """Prints how far the killed ones were; fails at the first that left anything else than all old or all new."""
    kills, folders, seed = map(int, [*sys.argv[1:], *("200", "2000", "1")[len(sys.argv) - 1 :]])
    chance = random.Random(seed)
    reached: Counter[str] = Counter()
    sides: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as text:
        root = Path(text) / "project"
        make_project(root, folders)
        old = state_of(root)
        assert kohyatpl("balance", root, "--steps", "2").code == 0
        new = state_of(root)
        assert kohyatpl("balance", root, "--undo").code == 0
        assert state_of(root) == old != new
        assert len(old[0]) == folders + 3
        is_new = False
        for _ in range(kills):
            arguments = ("--undo",) if is_new else ("--steps", "2")
            reached[kill_one(root, arguments, chance)] += 1
            # Settles the names, then ends since there is no such concept: nothing else is done.
            settled = kohyatpl("balance", root, "--weight", "nobody=2")
            assert settled.code == 2, settled.stderr
            state = state_of(root)
            assert state in (old, new), "a mix of old and new"
            left = [path.name for path in (root / "image_dir").iterdir() if path.name.startswith(".")]
            assert left == [], left
            is_new = state == new
            sides["all new" if is_new else "all old"] += 1
    print(f"{kills} kills of {folders + 2} renames: {dict(reached)}; left {dict(sides)}, never a mix, no picture lost")


if __name__ == "__main__":
    main()
