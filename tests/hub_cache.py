"""A cache of the Hugging Face hub, laid out as the library does it: links into blobs, and a ref."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from loratpl.check.machine.hub_files import TOKENIZERS

_REVISION = "32bd64288804d66eefd0ccbe215aa642df71cc41"


def cache_model(cache_dir: Path, model_id: str, files: Iterable[str]) -> Path:
    """Returns the folder of a model after having put files of one byte into it."""
    model_dir = cache_dir / "--".join(("models", *model_id.split("/")))
    (model_dir / "refs").mkdir(parents=True, exist_ok=True)
    (model_dir / "refs" / "main").write_text(_REVISION, encoding="utf-8")
    (model_dir / "blobs").mkdir(exist_ok=True)
    for number, name in enumerate(files):
        blob = model_dir / "blobs" / f"{number:040}"
        blob.write_bytes(b"x")
        path = model_dir / "snapshots" / _REVISION / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(blob)
    return model_dir


def cache_tokenizers(cache_dir: Path) -> None:
    """Puts the tokenizers of every family into a cache."""
    for tokenizer in {tokenizer for family in TOKENIZERS.values() for tokenizer in family}:
        cache_model(cache_dir, tokenizer.model_id, [group[0] for group in tokenizer.files])
