"""Finds templates/ and vendor/, which lie beside the package in a checkout and inside it in a wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE_DIR = Path(__file__).resolve().parent
_WHEEL_DATA_DIR = _PACKAGE_DIR / "_data"
DATA_DIR = _WHEEL_DATA_DIR if _WHEEL_DATA_DIR.is_dir() else _PACKAGE_DIR.parent

TEMPLATES_DIR = DATA_DIR / "templates"
SD_SCRIPTS_DIR = DATA_DIR / "vendor" / "sd-scripts"
INSIDE_DIR = _PACKAGE_DIR / "trainer" / "inside"
