"""Real git repositories in the shape of the trainer's, each with the pin that belongs to it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from loratpl.trainer.manifest import SCRIPTS
from loratpl.trainer.pin import Pin

FILES = {
    **{name: f"print('{name}')\n" for name in SCRIPTS},
    "library/__init__.py": "",
    "library/train_util.py": "# ñ 日本\nIMAGE_EXTENSIONS = []\n",
    "networks/lora.py": "class LoRANetwork:\n    pass\n",
    "docs/a guide.md": "# Guide\r\nwith Windows line ends\r\n",
    "tools/convert.py": "print('convert')\n",
    ".gitignore": "*.pyc\n",
}


def git(folder: Path, *arguments: str) -> str:
    """Returns what git says."""
    identity = ("-c", "user.name=Tester", "-c", "user.email=tester@example.invalid", "-c", "core.autocrlf=false")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, encoding="utf-8", check=True
    )
    return done.stdout.strip()


def make_checkout(folder: Path) -> Pin:
    """Makes a repository in `folder` and returns the pin of its one commit."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "the pinned commit")
    return pin_of(folder)


def pin_of(folder: Path) -> Pin:
    """Returns a pin for the commit that is checked out in `folder`."""
    return Pin(
        url="https://example.invalid/sd-scripts",
        commit=git(folder, "rev-parse", "HEAD"),
        tree=git(folder, "rev-parse", "HEAD^{tree}"),
        tag="v0",
        commits_after_tag=0,
        licence="Apache-2.0",
        python_min=(3, 10),
        python_max=(3, 99),
    )
