"""A trainer small enough to be installed in a second: a real repository, a pin of its own, an installer of ours.

The installer stands in for uv at the boundary: it is asked for its version, is given the lock, says what uv says, fills
the environment, and starts a child of its own. `INSTALLER_S` is how long it takes.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from loratpl.resources import INSIDE_DIR
from loratpl.trainer.manifest import SCRIPTS, manifest_text
from loratpl.trainer.paths import PinPaths, TrainerPaths
from loratpl.trainer.pin import Pin, pin_text
from tests.trainer.repositories import git, make_checkout, pin_of

LOCK = "torch==1.0\ntorchvision==1.0\nsmall==1.0\n"
_SCRIPT = """import argparse

def setup_parser():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output_name", type=str, default="last")
    return parser
"""
_INSTALLER = """#!{python}
import os, subprocess, sys, time
from pathlib import Path
if sys.argv[1] == "--version":
    print("uv 0.0.0 (a stand-in)")
    sys.exit()
venv = Path(sys.argv[sys.argv.index("--python") + 1]).parent.parent
lock = Path(sys.argv[sys.argv.index("-r") + 1]).read_text().splitlines()
packages = next(venv.glob("lib/python*/site-packages"))
helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open(os.environ["INSTALLER_PIDS"], "a") as file:
    file.write(f"{{os.getpid()}}\\n{{helper.pid}}\\n")
print("Resolved 3 packages in 1ms", flush=True)
print("Downloading torch (2.5GiB)", file=sys.stderr, flush=True)
end = time.monotonic() + float(os.environ["INSTALLER_S"])
number = 0
while time.monotonic() < end:
    number += 1
    (packages / f"torch{{number}}.py").write_text("x = 1\\n")
    time.sleep(0.01)
print("Prepared 3 packages in 1ms", file=sys.stderr, flush=True)
for line in lock:
    name, _, version = line.partition("==")
    info = packages / f"{{name}}-{{version}}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\\nName: {{name}}\\nVersion: {{version}}\\n")
time.sleep(float(os.environ["INSTALLER_S"]) / 4)
helper.kill()
"""


@dataclass(frozen=True)
class SmallTrainer:
    """What is to be installed.

    Attributes:
        pin: It is in force.
        source_dir: A checkout of it.
        bin_dir: Where the installer is.
        pids_path: The installer writes here which processes it consists of.
    """

    pin: Pin
    source_dir: Path
    bin_dir: Path
    pids_path: Path

    @property
    def paths(self) -> TrainerPaths:
        """Where it is installed."""
        return TrainerPaths.of(self.pin)

    @property
    def installer_pids(self) -> list[int]:
        """Every process that an installer has consisted of so far."""
        return [int(line) for line in self.pids_path.read_text().splitlines()] if self.pids_path.exists() else []

    def environment(self, *, installer_s: float = 0.0) -> Mapping[str, str]:
        """Returns what an install's environment has besides the test's."""
        return {
            "PATH": os.pathsep.join((str(self.bin_dir), os.environ["PATH"])),
            "INSTALLER_PIDS": str(self.pids_path),
            "INSTALLER_S": str(installer_s),
        }


def make_small_trainer(folder: Path, *, picture_bytes: int = 0) -> SmallTrainer:
    """Makes a small trainer in `folder`, with a picture of that size, and puts its pin in force."""
    source_dir, bin_dir = folder / "source", folder / "bin"
    source_dir.mkdir()
    bin_dir.mkdir()
    make_checkout(source_dir)
    for name in SCRIPTS:
        (source_dir / name).write_text(_SCRIPT, encoding="utf-8")
    (source_dir / "docs" / "picture.png").write_bytes(random.Random(1).randbytes(picture_bytes))
    git(source_dir, "add", "--all")
    git(source_dir, "commit", "--quiet", "--message", "scripts with parsers")
    pin = pin_of(source_dir)
    installer = bin_dir / "uv"
    installer.write_text(_INSTALLER.format(python=sys.executable), encoding="utf-8")
    installer.chmod(0o755)
    files = PinPaths.of_user()
    files.root_dir.mkdir(parents=True)
    files.pin_path.write_text(pin_text(pin), encoding="utf-8")
    files.manifest_path.write_text(_manifest(source_dir, pin.commit), encoding="utf-8")
    files.lock_path.write_text(LOCK, encoding="utf-8")
    return SmallTrainer(pin, source_dir, bin_dir, folder / "pids")


def _manifest(source_dir: Path, commit: str) -> str:
    out_path = source_dir.parent / "options.json"
    argv: list[str | Path] = [
        sys.executable,
        INSIDE_DIR / "parsers.py",
        "--source",
        source_dir,
        "--out",
        out_path,
        *SCRIPTS,
    ]
    subprocess.run(argv, cwd=source_dir.parent, check=True, capture_output=True)
    return manifest_text(json.loads(out_path.read_bytes()), commit)
