"""The operators that a mismatched torchvision lacks: declared at the one right moment, and only where they lack.

torch and torchvision are stand-ins here, with the one trait that matters: the order in which they look for operators.
That the real ones behave like this is for tests/trainer to see.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from loratpl.resources import INSIDE_DIR

TORCH = """
class _Operators:
    pass

class ops:
    torchvision = _Operators()

class library:
    class Library:
        def __init__(self, name, kind):
            print("library", name, kind)

        def define(self, schema):
            print("define", schema.partition("(")[0])
            setattr(ops.torchvision, schema.partition("(")[0], schema)

        def __del__(self):
            print("taken back")
"""
TORCHVISION = {
    "__init__.py": "from torchvision import extension, _meta_registrations\n",
    "extension.py": "import torch\nif {is_healthy}:\n    torch.ops.torchvision.nms = 'compiled'\nprint('loaded')\n",
    "_meta_registrations.py": "import torch\nprint('described', bool(torch.ops.torchvision.nms))\n",
    "transforms.py": "",
}


def make_torchvision(folder: Path, *, is_healthy: bool) -> None:
    """Makes the two stand-ins; `is_healthy` says whether this torchvision can load its operators."""
    (folder / "torch.py").write_text(TORCH, encoding="utf-8")
    (folder / "torchvision").mkdir()
    for name, text in TORCHVISION.items():
        (folder / "torchvision" / name).write_text(text.format(is_healthy=is_healthy), encoding="utf-8")


@pytest.fixture(params=[True, False], ids=["healthy", "mismatched"])
def is_healthy(request: pytest.FixtureRequest, tmp_path: Path) -> bool:
    """Whether the stand-in of torchvision in tmp_path can load its operators."""
    make_torchvision(tmp_path, is_healthy=request.param)
    return bool(request.param)


def python(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    prelude = f"import os, sys; sys.path[:0] = [{str(folder)!r}, {str(INSIDE_DIR)!r}]; import torchvision_ops\n"
    # Leaves without the interpreter's own tidying, in which every library is taken back.
    return subprocess.run(
        [sys.executable, "-c", f"{prelude}{code}\nsys.stdout.flush(); os._exit(0)"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_without_help_only_a_healthy_torchvision_can_be_imported(tmp_path: Path, *, is_healthy: bool) -> None:
    assert (python(tmp_path, "import torchvision").returncode == 0) == is_healthy


def test_what_is_missing_is_declared_after_the_library_was_tried(tmp_path: Path, *, is_healthy: bool) -> None:
    done = python(tmp_path, "torchvision_ops.install(); import torchvision.transforms")
    declared = [] if is_healthy else ["library torchvision FRAGMENT", "define nms", "define qnms"]
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["loaded", *declared, "described True"]


def test_installing_imports_nothing_and_leaves_nothing_behind(tmp_path: Path, *, is_healthy: bool) -> None:
    code = """
before = list(sys.meta_path)
torchvision_ops.install()
torchvision_ops.install()
print(len(sys.meta_path) - len(before), "torch" in sys.modules)
import torchvision
print(sys.meta_path == before)
"""
    done = python(tmp_path, code)
    lines = done.stdout.splitlines()
    assert (lines[0], lines[-1]) == ("1 False", "True")


def test_a_torchvision_that_was_imported_already_is_left_alone(tmp_path: Path) -> None:
    make_torchvision(tmp_path, is_healthy=True)
    code = "import torchvision; before = list(sys.meta_path); torchvision_ops.install(); print(sys.meta_path == before)"
    assert python(tmp_path, code).stdout.splitlines()[-1] == "True"
