"""A tokenizer or model of the Hugging Face hub that could not be fetched."""

from __future__ import annotations

import os
import re

from loratpl.run.diagnosis.evidence import Case, Explanation, row

_WANTED = (
    re.compile(
        r"Can't load (?:tokenizer|the model|config\w*|the configuration of|feature extractor) (?:for )?'([^'\n]+)'"
    ),
    re.compile(r"https://(?:huggingface\.co|hf\.co)/(?:api/models/)?([\w.-]+/[\w.-]+)"),
    re.compile(r"trying to load ([\w.-]+/[\w.-]+)"),
    re.compile(r"^\w*(?:Error)?:? ?([\w.-]+/[\w.-]+) (?:does not appear to have|is not a local folder)"),
)
_OFFLINE = "HF_HUB_OFFLINE"
# Pages that the messages point at.
_NOT_REPOSITORIES = re.compile(r"^(?:docs|settings|join|models|api)/")


def _wanted(case: Case) -> str:
    """What was to be fetched, as a message names it."""
    for raised in case.log.last_chain:
        for pattern in _WANTED:
            for name in pattern.findall(raised.text):
                if not _NOT_REPOSITORIES.match(name):
                    return f"`{name.rstrip('.')}`"
    return "A tokenizer" if case.has_trace("_load_tokenizer") else "A model"


def _inside(name: str) -> str:
    """A name as it stands inside a sentence."""
    return name[0].lower() + name[1:]


def _no_access(case: Case, _found: re.Match[str]) -> Explanation | None:
    name = _wanted(case)
    token = "HF_TOKEN" in case.settings.secrets
    fix = (
        "Ask for access on its page with the account of the token that is set, then train again."
        if token
        else "Ask for access on its page, make a token (https://huggingface.co/settings/tokens), set HF_TOKEN in the "
        "environment, then train again."
    )
    return Explanation(f"The Hugging Face hub gives {_inside(name)} only to accounts that were granted access.", fix)


def _refused(case: Case, found: re.Match[str]) -> Explanation | None:
    return Explanation(
        f"The Hugging Face hub refused {_inside(_wanted(case))} ({found.group(0).strip()}).",
        "Look whether that name is right; for a private or gated one set HF_TOKEN in the environment to a token that "
        "may read it.",
    )


def _not_there(case: Case, _found: re.Match[str]) -> Explanation | None:
    return Explanation(
        f"{_wanted(case)} is neither a folder here nor a repository of the Hugging Face hub.",
        "Correct that name in the config, or name a file or folder of this machine.",
    )


def _offline(case: Case, _found: re.Match[str]) -> Explanation | None:
    said = "\n".join(raised.message for raised in case.log.last_chain)
    is_forbidden = "outgoing traffic has been disabled" in said or "offline mode is enabled" in said
    reason = (
        "the network is forbidden (HF_HUB_OFFLINE)" if is_forbidden else "the Hugging Face hub could not be reached"
    )
    fix = "Connect to the network once and train again; what was fetched is kept for later."
    if is_forbidden:
        fix = "Unset HF_HUB_OFFLINE for one run, or copy the hub's cache from a machine that has it (`HF_HUB_CACHE`)."
    return Explanation(f"{_wanted(case)} is not in the hub's cache on this machine, and {reason}.", fix)


def _empty_tokenizer(case: Case, _found: re.Match[str]) -> Explanation | None:
    """Without network transformers goes on without the files that it did not find, until it opens one of them."""
    if not case.has_trace("_load_tokenizer"):
        return None
    folder = case.settings["tokenizer_cache_dir"]
    where = f"in {case.name(folder)}" if folder else "in the hub's cache on this machine"
    given = case.settings.block.env.get(_OFFLINE, os.environ.get(_OFFLINE, ""))
    is_forbidden = given.lower() in ("1", "true", "yes", "on")
    network = f"unset {_OFFLINE} for one run" if is_forbidden else "connect to the network"
    return Explanation(
        f"The files of the tokenizer {where} are missing or were fetched in part"
        f"{f', and the network is forbidden ({_OFFLINE})' if is_forbidden else ''}.",
        f"{'Empty that folder' if folder else 'Remove what is there of it'}, {network}, then train again.",
    )


ROWS = (
    row(
        "run.hub.access",
        r"Cannot access gated repo|access a gated repo|is a gated repository|GatedRepoError",
        _no_access,
        "huggingface_hub's GatedRepoError, as transformers and diffusers pass it on",
    ),
    row(
        "run.hub.access",
        r"40[13] (?:Client Error|Forbidden)|Repository Not Found for url|Invalid (?:credentials|user token)[^\n]*",
        _refused,
        "the hub answers 401 for private repositories and for those that do not exist",
    ),
    row(
        "run.hub.offline",
        r"outgoing traffic has been disabled|offline mode is enabled|couldn't connect to 'https?://|"
        r"LocalEntryNotFoundError|locate the file on the Hub|Can't load tokenizer for '|specific connection error"
        r"|HTTPSConnectionPool\(host='(?:huggingface\.co|[\w.-]*hf\.co)'|Max retries exceeded with url[^\n]*hugging"
        r"|\(Request ID: [^)]*\).*50\d Server Error",
        _offline,
        "huggingface_hub without network or without permission for it; transformers' own words for the same",
    ),
    row(
        "run.hub.missing",
        r"is not a local folder (?:and is not a valid model identifier|or a valid repository name)"
        r"|Repo id must be in the form|HFValidationError",
        _not_there,
        "transformers, and the hub's check of a name",
    ),
    row(
        "run.tokenizer",
        r"expected str, bytes or os\.PathLike object, not NoneType"
        r"|does not appear to have a file named (?:vocab|tokenizer|merges)"
        r"|vocab\.json.*(?:Expecting value|No such file)",
        _empty_tokenizer,
        "what transformers ends with when it opens a vocabulary that it did not find",
    ),
)
