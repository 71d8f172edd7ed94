"""Tokenizers that can spell anything letter by letter, in the places where the trainer looks for the real ones.

One folder serves as `tokenizer_cache_dir` and as the cache of the Hugging Face hub: the trainer asks the one or the
other, depending on the family.
"""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_REVISION = "0" * 40
_CHAT = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def write_tokenizers(folder: Path, source_dir: Path) -> None:
    """Writes the tokenizers of all families.

    Args:
        folder: To write into.
        source_dir: The trainer's checkout, which has T5's own tokenizer.
    """
    clip = importlib.import_module("tiny_model")  # loratpl/trainer/inside: the same tokenizer serves all CLIPs
    for name in (
        "openai_clip-vit-large-patch14",
        "laion_CLIP-ViT-bigG-14-laion2B-39B-b160k",
        "stabilityai_stable-diffusion-2",
    ):
        clip.write_tokenizer(folder / name)
    _write_t5(folder / "google_t5-v1_1-xxl", source_dir / "configs" / "t5_old")
    _write_gemma(_snapshot(folder, "google/gemma-2-2b"))
    _write_qwen_vl(_snapshot(folder, "Qwen/Qwen2.5-VL-7B-Instruct"))
    byt5 = _snapshot(folder, "google/byt5-small")  # bytes need no vocabulary
    _write_json(byt5 / "tokenizer_config.json", {"tokenizer_class": "ByT5Tokenizer", "model_max_length": 1024})
    _write_json(byt5 / "config.json", {"model_type": "t5"})


def write_qwen3(folder: Path) -> int:
    """Writes the tokenizer of Anima's text encoder into its folder; returns the size of its vocabulary."""
    names = {"pad_token": _CHAT[0], "eos_token": _CHAT[2]}
    return _write_bytes(folder, _CHAT, tokenizer_class="Qwen2TokenizerFast", **names)


def _write_t5(folder: Path, own_dir: Path) -> None:
    folder.mkdir(parents=True)
    for name in ("spiece.model", "tokenizer.json"):
        shutil.copyfile(own_dir / name, folder / name)
    config = {"tokenizer_class": "T5Tokenizer", "model_max_length": 512, "extra_ids": 100}
    _write_json(folder / "tokenizer_config.json", config)


def _write_gemma(folder: Path) -> None:
    names = {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>", "unk_token": "<unk>"}
    _write_bytes(folder, tuple(names.values()), tokenizer_class="GemmaTokenizerFast", **names)


def _write_qwen_vl(folder: Path) -> None:
    ids = {token: number for number, token in enumerate((*_CHAT, *_letters()))}
    _write_json(folder / "vocab.json", ids)
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    config = {
        "tokenizer_class": "Qwen2Tokenizer",
        "model_max_length": 4096,
        "pad_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "eos_token": "<|im_end|>",
        "additional_special_tokens": ["<|im_start|>", "<|im_end|>"],
    }
    _write_json(folder / "tokenizer_config.json", config)


def _write_bytes(folder: Path, specials: Sequence[str], **config: Any) -> int:
    """Writes a fast tokenizer of single bytes behind some special tokens."""
    library = importlib.import_module("tokenizers")
    ids = {token: number for number, token in enumerate((*specials, *_letters()))}
    tokenizer = library.Tokenizer(library.models.BPE(vocab=ids, merges=[]))
    tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = library.decoders.ByteLevel()
    tokenizer.add_special_tokens([library.AddedToken(token, special=True, normalized=False) for token in specials])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    _write_json(folder / "tokenizer_config.json", {"model_max_length": 4096, **config})
    return len(ids)


def _letters() -> list[str]:
    from transformers.models.clip.tokenization_clip import bytes_to_unicode

    return list(bytes_to_unicode().values())


def _snapshot(cache_dir: Path, repository: str) -> Path:
    """Returns the empty folder of a repository in a cache of the hub, as it lies there after a download."""
    root_dir = cache_dir / f"models--{repository.replace('/', '--')}"
    (root_dir / "refs").mkdir(parents=True)
    (root_dir / "refs" / "main").write_text(_REVISION, encoding="utf-8")
    folder = root_dir / "snapshots" / _REVISION
    folder.mkdir(parents=True)
    return folder


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
