"""Where the Hugging Face libraries keep what they have fetched, and what lies there (huggingface-hub 0.34).

A model lies in `models--OWNER--NAME/snapshots/REVISION/`; `refs/main` names the revision. Its files are links into
`blobs/`, so one that leads nowhere is a file that is not there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

_TRUE = frozenset({"1", "ON", "YES", "TRUE"})
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


def offline_variable(env: Mapping[str, str]) -> str | None:
    """Returns the variable that forbids the network, None where none does; the first that is set counts."""
    name = next((name for name in _OFFLINE if env.get(name)), None)
    return name if name is not None and env[name].upper() in _TRUE else None


def hub_cache_dir(env: Mapping[str, str]) -> Path:
    """Returns the cache of diffusers and of huggingface_hub itself."""
    home = _variable(env, "HF_HOME") or _variable(env, "XDG_CACHE_HOME", "huggingface")
    default = (home or _home(env) / ".cache" / "huggingface") / "hub"
    return _variable(env, "HF_HUB_CACHE") or _variable(env, "HUGGINGFACE_HUB_CACHE") or default


def transformers_cache_dir(env: Mapping[str, str]) -> Path:
    """Returns the cache of transformers, whose own older variables still count before the others."""
    own = ("TRANSFORMERS_CACHE", "PYTORCH_TRANSFORMERS_CACHE", "PYTORCH_PRETRAINED_BERT_CACHE")
    return next((Path(env[name]) for name in own if env.get(name)), None) or hub_cache_dir(env)


def _variable(env: Mapping[str, str], name: str, *parts: str) -> Path | None:
    value = env.get(name)
    return Path(os.path.expandvars(value)).expanduser().joinpath(*parts) if value else None


def _home(env: Mapping[str, str]) -> Path:
    home = env.get("HOME") or env.get("USERPROFILE")
    return Path(home) if home else Path.home()


def model_dir_name(model_id: str) -> str:
    """Returns the folder of a model in the cache.

    >>> model_dir_name("openai/clip-vit-large-patch14")
    'models--openai--clip-vit-large-patch14'
    """
    return "--".join(("models", *model_id.split("/")))


def is_cached(cache_dir: Path, model_id: str, files: Iterable[Iterable[str]]) -> bool:
    """Returns whether a model's files are in the cache.

    Args:
        cache_dir: The cache.
        model_id: owner/name.
        files: What is needed; of each group one file will do.
    """
    model_dir = cache_dir / model_dir_name(model_id)
    try:
        revision = (model_dir / "refs" / "main").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return False
    return bool(revision) and has_files(model_dir / "snapshots" / revision, files)


def has_files(folder: Path, files: Iterable[Iterable[str]]) -> bool:
    """Returns whether a folder has one file of each group."""
    return all(any((folder / name).is_file() for name in group) for group in files)
