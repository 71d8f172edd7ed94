"""Writes vendor/sd-scripts/options.json anew from the parsers of the installed trainer."""

from __future__ import annotations

from loratpl.trainer.environment import parse_options
from loratpl.trainer.install import require_trainer
from loratpl.trainer.manifest import MANIFEST_PATH
from loratpl.trainer.pin import load_pin

if __name__ == "__main__":
    pin = load_pin()
    MANIFEST_PATH.write_text(parse_options(require_trainer(pin), pin), encoding="utf-8")
    print(f"{MANIFEST_PATH} is written")
