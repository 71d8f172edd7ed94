"""A package that is put off runs at its first use, and only then."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from loratpl.resources import INSIDE_DIR

PACKAGE = "bitsandbytes"  # the one name that is put off


def run_with_package(folder: Path, code: str) -> list[str]:
    """The lines that `code` prints in an interpreter that has a stand-in for the package."""
    package = folder / PACKAGE
    package.mkdir()
    (package / "__init__.py").write_text("print('runs')\nfrom . import optim\nvalue = 7\n", encoding="utf-8")
    (package / "optim.py").write_text("class AdamW8bit: pass\n", encoding="utf-8")
    paths = [str(INSIDE_DIR), str(folder)]
    start = f"import sys; sys.path[:0] = {paths!r}; import lazy_modules; lazy_modules.install()\n"
    done = subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        (f"import {PACKAGE}; print('imported')", ["imported"]),
        (f"import {PACKAGE}, importlib.util; print(importlib.util.find_spec('{PACKAGE}') is not None)", ["True"]),
        (f"import {PACKAGE} as bnb; print('imported'); print(bnb.value)", ["imported", "runs", "7"]),
        (f"from {PACKAGE} import value; print(value)", ["runs", "7"]),
        (f"import {PACKAGE}.optim; print({PACKAGE}.optim.AdamW8bit.__name__)", ["runs", "AdamW8bit"]),
        (f"import {PACKAGE}; from {PACKAGE}.optim import AdamW8bit; print('once')", ["runs", "once"]),
        (f"import {PACKAGE} as bnb; bnb.value; print(type(bnb).__name__)", ["runs", "module"]),
        (f"import {PACKAGE} as bnb; print(hasattr(bnb, 'nothing'))", ["runs", "False"]),
    ],
)
def test_the_package_runs_at_its_first_use(code: str, printed: list[str], tmp_path: Path) -> None:
    assert run_with_package(tmp_path, code) == printed


def test_a_package_that_is_not_there_is_still_missing(tmp_path: Path) -> None:
    start = f"import sys; sys.path[:0] = [{str(INSIDE_DIR)!r}]; import lazy_modules; lazy_modules.install()\n"
    code = f"{start}\ntry:\n    import {PACKAGE}\nexcept ModuleNotFoundError as error:\n    print(error.name)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == PACKAGE
