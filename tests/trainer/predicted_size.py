"""Compares the size of a real LoRA file with what was predicted from its settings."""

from __future__ import annotations

from pathlib import Path

from loratpl.config.settings import Settings
from loratpl.plan.disk.lora import LoraSize, lora_size, pairs_in, saved_tensors
from loratpl.plan.disk.lora_layers import TABLE_PATH
from loratpl.weights import WeightsFile, read_weights_file


def assert_size_was_predicted(settings: Settings, path: Path, table_path: Path = TABLE_PATH) -> LoraSize:
    """Returns the predicted size, once tensors are found exact and the whole file as large as estimated."""
    file = read_weights_file(path)
    size = lora_size(settings, table_path)
    assert isinstance(size, LoraSize), size
    predicted = {t.name: (t.dtype, t.shape) for t in saved_tensors(settings, pairs_in(settings, table_path))}
    assert predicted == {name: (tensor.dtype, tensor.shape) for name, tensor in file.tensors.items()}
    before = _bytes_before_tensors(file)
    assert size.tensor_bytes == file.size_bytes - before
    metadata = _metadata_bytes(path)
    # Both are filled up to eight bytes.
    assert abs(size.header_bytes + metadata - before) < 16
    assert before - 1000 < size.file_bytes - size.tensor_bytes < before + 4000
    return size


def _bytes_before_tensors(file: WeightsFile) -> int:
    with file.path.open("rb") as opened:
        return 8 + int.from_bytes(opened.read(8), "little")


def _metadata_bytes(path: Path) -> int:
    """Counts the bytes of the metadata as they stand in the file, with their name."""
    import json

    with path.open("rb") as opened:
        text = opened.read(int.from_bytes(opened.read(8), "little")).decode()
    start = text.index('"__metadata__":')
    value_start = start + len('"__metadata__":')
    _, end = json.JSONDecoder().raw_decode(text, value_start)
    return len(text[start : end + 1].encode())
