"""Kills a mending, its undoing or its settling at every operation on the disk, one copy of a project for each."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

# Runs one action in a fork of its own for every file operation that it makes, and is killed at that operation.
KILLED_EVERYWHERE = """
import os, shutil, signal, sys
from pathlib import Path
from tests.fix.mended import Mended
from loratpl.fix import apply_fixes, fixing, settle_fixes, undo_fixes
from loratpl.project import locked
from PIL import Image, ImageCms, ImageOps

EVENTS = {"os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod", "os.symlink", "open"}
roots, action, step = sys.argv[1].split(os.pathsep), sys.argv[2], int(sys.argv[3])
Image.init()

def killed_at(limit, copy):
    mended = Mended(copy)
    plan = mended.plan() if action == "fix" else None
    count = 0
    def hook(event, arguments):
        nonlocal count
        if event in EVENTS and not (event == "open" and (arguments[2] or 0) & os.O_ACCMODE == os.O_RDONLY):
            count += 1
            if count == limit:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    if action == "fix":
        with fixing(mended.paths):
            apply_fixes(mended.paths, plan, workers=1)
    elif action == "undo":
        with fixing(mended.paths):
            undo_fixes(mended.paths)
    else:
        with locked(mended.paths):
            settle_fixes(mended.paths)

for root in map(Path, roots):
    for number in range(1, 10000, step):
        copy = root.parent / f"{root.name}-{number}"
        shutil.copytree(root, copy, symlinks=True)
        child = os.fork()
        if not child:
            killed_at(number, copy)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        if status == 0:
            break
        if not os.WIFSIGNALED(status):
            sys.exit(f"{copy} failed")
"""


def killed_everywhere(roots: Iterable[Path], action: str, *, step: int = 1) -> list[Path]:
    """Returns copies of each project, one for every operation at which it was killed; the last was let through.

    Args:
        roots: The projects.
        action: "fix", "undo" or "settle".
        step: 1 kills at each operation, 2 at every other one.
    """
    projects = os.pathsep.join(map(str, roots))
    command = [sys.executable, "-c", KILLED_EVERYWHERE, projects, action, str(step)]
    subprocess.run(command, check=True, timeout=250, stdin=subprocess.DEVNULL)
    return [copy for root in projects.split(os.pathsep) for copy in Path(root).parent.glob(f"{Path(root).name}-*")]
