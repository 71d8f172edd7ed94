"""What surrounds the trainer: git, the locale, services that want a login."""

from __future__ import annotations

import re

from loratpl.run.diagnosis.evidence import Case, Explanation, row, saying


def _undecodable(_case: Case, found: re.Match[str]) -> Explanation | None:
    codec = found.group(1)
    if codec.lower().replace("-", "") == "utf8":
        return None  # a file's own fault: the trainer's line says more than we could
    return Explanation(
        f"Python reads and writes files in {codec} here, and met a character that is none of it.",
        'Set `kohyatpl.env: {"PYTHONUTF8": "1"}` in the config, then train again.',
    )


ROWS = (
    row(
        "run.encoding",
        r"Unicode(?:En|De)codeError: '([\w-]+)' codec can't (?:en|de)code",
        _undecodable,
        "Python takes the locale's encoding where none is named",
    ),
    row(
        "run.encoding",
        r"locale\.Error: unsupported locale setting",
        saying("The locale of this shell is not installed on this machine.", "Run `export LC_ALL=C.UTF-8` before."),
        "setlocale(3)",
    ),
    row(
        "run.wandb",
        r"api_key not configured|No API key configured|API key must be \d+ characters|permission denied[^\n]*wandb"
        r"|wandb\.(?:sdk|errors)[\w.]*\.(?:AuthenticationError|UsageError|CommError)[^\n]*",
        saying(
            "Weights & Biases did not take the login ({0}).",
            'Set WANDB_API_KEY in the environment, or write `"log_with": "tensorboard"`.',
        ),
        "wandb.init and wandb.login",
    ),
    row(
        "run.git",
        r"detected dubious ownership in repository at '([^'\n]+)'|dubious ownership|safe\.directory"
        r"|InvalidGitRepositoryError",
        saying(
            "git does not trust the trainer's folder {1}, which belongs to another user.",
            "Run `git config --global --add safe.directory '{1}'`, or install the trainer as this user.",
        ),
        "git's check of who owns a repository",
    ),
)
