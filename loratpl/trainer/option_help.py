"""The help texts of the trainer's options, asked of the parsers in the user's own checkout: none of them is ours."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from typing import Any

from loratpl.trainer.environment import run_inside
from loratpl.trainer.manifest import SCRIPTS
from loratpl.trainer.paths import TrainerPaths

HelpTexts = Mapping[str, Mapping[str, str]]


def help_texts(paths: TrainerPaths) -> HelpTexts:
    """Returns the help text of each option of each script; what was asked for once is kept beside the trainer.

    Args:
        paths: Of a trainer that is ready. Asking takes seconds: its parsers import torch.

    Raises:
        TrainerError: The parsers do not answer.
    """
    kept = kept_help_texts(paths)
    if kept is not None:
        return kept
    texts: dict[str, dict[str, str]] = run_inside(paths, "option_help.py", "--source", paths.source_dir, *SCRIPTS)
    _keep(paths, texts)
    return texts


def kept_help_texts(paths: TrainerPaths) -> HelpTexts | None:
    """Returns what was kept of an earlier answer, None where nothing was or it cannot be read."""
    try:
        texts = json.loads(paths.help_path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return texts if _is_whole(texts) else None


def _is_whole(texts: Any) -> bool:
    if not isinstance(texts, dict) or not set(SCRIPTS) <= texts.keys():
        return False
    return all(isinstance(options, dict) for options in texts.values())


def _keep(paths: TrainerPaths, texts: HelpTexts) -> None:
    """Replaces the file as a whole; where it cannot be written, the next time takes as long again."""
    partial = paths.help_path.with_name(f"{paths.help_path.name}.{os.getpid()}")
    try:
        partial.write_text(json.dumps(texts, ensure_ascii=False), encoding="utf-8")
        partial.replace(paths.help_path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink()
