"""Writes vendor/sd-scripts/options.json anew from the parsers of the installed trainer."""

from __future__ import annotations

from loratpl.trainer.environment import parse_options
from loratpl.trainer.paths import ORIGINAL_PIN
from loratpl.trainer.pin import load_pin
from loratpl.trainer.status import require_trainer

if __name__ == "__main__":
    pin = load_pin(ORIGINAL_PIN.pin_path)
    path = ORIGINAL_PIN.manifest_path
    path.write_text(parse_options(require_trainer(pin), pin), encoding="utf-8")
    print(f"{path} is written")
