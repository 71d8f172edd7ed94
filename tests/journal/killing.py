"""Kills the journal at every single operation on the disk, one copy of a project for each."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

# Runs one action in a fork of its own for every file operation that it makes, and is killed at that operation.
KILLED_EVERYWHERE = """
import os, shutil, signal, sys
from pathlib import Path
from loratpl.journal import Rename, Rewrite, recover, rename_all, undo

EVENTS = ("os.rename", "os.mkdir", "os.remove", "os.chmod", "open")
roots, action, new = sys.argv[1].split(os.pathsep), sys.argv[2], sys.argv[3]
pairs = [pair.split(">") for pair in sys.argv[4:]]

def act(copy):
    journal = copy / ".kohyatpl" / "renames.json"
    if action == "rename":
        config = copy / "config.json"
        old = config.read_bytes().decode() if config.exists() else None
        rewrites = [Rewrite(config, old, new)] if new else []
        rename_all(journal, [Rename(copy / "image_dir" / a, copy / "image_dir" / b) for a, b in pairs], rewrites)
    elif action == "undo":
        undo(journal)
    else:
        recover(journal)

def killed_at(limit, copy):
    count = 0
    def hook(event, _arguments):
        nonlocal count
        if event in EVENTS:
            count += 1
            if count == limit:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    act(copy)

for root in map(Path, roots):
    for number in range(1, 1000):
        copy = root.parent / f"{root.name}-{number}"
        shutil.copytree(root, copy)
        child = os.fork()
        if not child:
            killed_at(number, copy)
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            break
"""


def killed_everywhere(
    roots: Iterable[Path], action: str, mapping: Mapping[str, str] | None = None, *, config: str = ""
) -> list[Path]:
    """Returns copies of each project, one for every operation at which it was killed; the last was let through.

    Args:
        roots: The projects.
        action: "rename", "undo" or "recover".
        mapping: What is renamed below image_dir.
        config: What config.json shall hold after it; "" where it is no part of the set.
    """
    pairs = [f"{source}>{target}" for source, target in (mapping or {}).items()]
    projects = os.pathsep.join(map(str, roots))
    command = [sys.executable, "-c", KILLED_EVERYWHERE, projects, action, config, *pairs]
    subprocess.run(command, check=True, timeout=120, stdin=subprocess.DEVNULL)
    return [copy for root in projects.split(os.pathsep) for copy in Path(root).parent.glob(f"{Path(root).name}-*")]
