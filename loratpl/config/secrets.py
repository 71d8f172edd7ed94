"""What of a config must not be written down: keys and tokens reach the trainer through its environment alone.

A run's files are shown, compared and sent around with a question; so a secret is taken out of the settings before
anything is rendered of them. Both libraries read the variable where the option is not given
(https://docs.wandb.ai, "Environment variables"; https://huggingface.co/docs/huggingface_hub, "Environment variables").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from loratpl.config.block import BLOCK_KEY
from loratpl.config.setting import Setting

# The trainer's option, and the variable that says the same.
SECRET_OPTIONS = {"wandb_api_key": "WANDB_API_KEY", "huggingface_token": "HF_TOKEN"}
HIDDEN = "(hidden)"
_SECRET_WORDS = frozenset({
    "KEY", "KEYS", "APIKEY", "TOKEN", "TOKENS", "SECRET", "SECRETS", "PASS", "PASSWORD", "PASSWD", "PASSPHRASE",
    "CREDENTIAL", "CREDENTIALS", "AUTH", "PAT",
})  # fmt: skip
_ADDRESS_WITH_PASSWORD = re.compile(r"://[^/\s@]+@")


def is_secret(name: str, value: str) -> bool:
    """Returns whether an environment variable holds a secret, by its name or by a password in an address.

    >>> is_secret("HF_TOKEN", "x"), is_secret("TOKENIZERS_PARALLELISM", "false")
    (True, False)
    >>> is_secret("HTTPS_PROXY", "http://me:word@proxy:3128")
    True
    """
    return not _SECRET_WORDS.isdisjoint(name.upper().split("_")) or bool(_ADDRESS_WITH_PASSWORD.search(value))


def secrets_in(options: Mapping[str, Setting], env: Mapping[str, str], block: Setting | None) -> dict[str, Setting]:
    """Returns the secrets of a config by the variable that passes them on; an option wins over `kohyatpl.env`.

    Args:
        options: Values of `SECRET_OPTIONS` are texts.
        env: What stands under `kohyatpl.env`.
        block: Where that stands.
    """
    found = {
        name: replace(block, value=value, where=f"{block.place}: {BLOCK_KEY}.env.{name}")
        for name, value in env.items()
        if block is not None and is_secret(name, value)
    }
    return found | {SECRET_OPTIONS[name]: setting for name, setting in options.items() if name in SECRET_OPTIONS}


def without_secrets(key: str, value: Any) -> Any:
    """Returns a config's value as it may be shown: secrets in it are hidden."""
    if key in SECRET_OPTIONS:
        return HIDDEN if value not in (None, "", False) else value
    if key != BLOCK_KEY or not isinstance(value, Mapping) or not isinstance(value.get("env"), Mapping):
        return value
    env = {name: HIDDEN if is_secret(str(name), str(text)) else text for name, text in value["env"].items()}
    return {**value, "env": env}
