"""uv or pip: which one fills the environment, what it tells on the way, and what its failures mean."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from loratpl import process
from loratpl.errors import TrainerError
from loratpl.trainer.failures import failed
from loratpl.trainer.paths import TrainerPaths
from loratpl.trainer.torch_choice import DEFAULT, TorchChoice, is_locked_build

UV_ANSWER_TIMEOUT_S = 30.0
TOLD_FROM_BYTES = 10_000_000

_UNIT_BYTES = {"MB": 1e6, "MiB": 2**20, "GB": 1e9, "GiB": 2**30}
_DOWNLOAD = re.compile(r"Downloading (\S+) \((\d+(?:\.\d+)?) ?(MB|MiB|GB|GiB)\)")
# Both installers write the packages' files at the end, pip for half a minute and more without a word.
_UNPACKING = re.compile(r"Installing collected packages|Prepared \d+ packages")
_TORCH_MISSING = re.compile(
    r"No matching distribution found for torch(?:vision)?\b"
    r"|No solution found(?=.*(?:require|version of) torch(?:vision)?\b)",
    re.DOTALL,
)
_CONFLICT = re.compile(r"ResolutionImpossible")
_NETWORK = re.compile(
    r"Failed to establish a new connection|NameResolutionError|Temporary failure in name resolution|ConnectionError"
    r"|ConnectTimeout|ReadTimeout|Read timed out|Max retries exceeded|Connection broken|Connection reset|IncompleteRead"
    r"|SSLError|ProxyError|Failed to fetch|error sending request|dns error|tcp connect error|network connectivity"
)
_NO_VERSIONS = re.compile(r"from versions: none|was not found in the")
_OTHER_VERSIONS_EXIST = re.compile(r"from versions: (?!none)\S")


@dataclass(frozen=True, slots=True)
class Installer:
    """Who installs.

    Attributes:
        name: uv or pip.
        uv_path: None for pip, which is the environment's own.
        note: A sentence for the user where the choice needs one, else "".
    """

    name: str
    uv_path: str | None
    note: str = ""

    def argv(self, paths: TrainerPaths, lock_path: Path, index_url: str | None) -> list[str | Path]:
        """Returns the words that install what `lock_path` lists.

        Args:
            paths: Where the environment is.
            lock_path: A requirements file.
            index_url: A further index to look in.
        """
        index = [] if index_url is None else ["--extra-index-url", index_url]
        if self.uv_path is not None:
            # PyTorch's index has old versions of other packages as well; uv must look for those in every index.
            strategy = ["--index-strategy", "unsafe-best-match"] if index else []
            return [self.uv_path, "pip", "install", "--python", paths.python_path, *strategy, *index, "-r", lock_path]
        # Byte code is made afterwards, by all processors at once: pip would do it one file after the other.
        options = ["--no-input", "--no-compile", "--disable-pip-version-check", "--progress-bar", "off"]
        return [paths.python_path, "-m", "pip", "install", *options, *index, "-r", lock_path]


def choose_installer() -> Installer:
    """Returns uv where one is installed that works, since it is many times as fast on a fast line; else pip."""
    uv_path = shutil.which("uv")
    if uv_path is None:
        return Installer("pip", None)
    try:
        answer = process.run_short([uv_path, "--version"], timeout_s=UV_ANSWER_TIMEOUT_S)
    except (OSError, process.ProcessTimeoutError) as error:
        return Installer("pip", None, f"{uv_path} does not work ({error}); ")
    if answer.returncode != 0:
        said = (answer.stderr or answer.stdout).strip().splitlines()[-1:] or [f"it ends with code {answer.returncode}"]
        return Installer("pip", None, f"{uv_path} does not work ({said[0]}); ")
    return Installer("uv", uv_path)


def installer_environment(temporary_dir: Path) -> Mapping[str, str]:
    """Returns what the installer's environment has besides this process's.

    Args:
        temporary_dir: Where downloads are unpacked. Beside the environment: a small /tmp does not matter then, and
            what a killed installer leaves goes with the rest of its work.
    """
    return {
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary_dir)),
        # A user's own setting of it makes pip refuse to install into an environment.
        "PIP_USER": "0",
        # Takes a broken download up again where it stopped; a pip that cannot ignores it.
        "PIP_RESUME_RETRIES": "5",
    }


class Narrator:
    """Passes on what an installer says that a person wants to know: large downloads with their sizes, the unpacking."""

    def __init__(self, progress: Callable[[str], None]) -> None:
        self._progress = progress
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Takes the next bytes, wherever they were cut."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._tell(line.decode("utf-8", errors="replace"))

    def _tell(self, line: str) -> None:
        found = _DOWNLOAD.search(line)
        if found and float(found.group(2)) * _UNIT_BYTES[found.group(3)] >= TOLD_FROM_BYTES:
            name = found.group(1).rpartition("/")[2]
            self._progress(f"downloading {name} ({found.group(2)} {found.group(3)})")
        elif _UNPACKING.search(line):
            self._progress("unpacking the packages")


def packages_failed(text: str, torch: TorchChoice, installer: Installer) -> TrainerError:
    """Returns the error that an installer's own words mean.

    Args:
        text: The end of what it wrote.
        torch: The build that was asked for.
        installer: Who wrote it.
    """
    if _NETWORK.search(text) and not _OTHER_VERSIONS_EXIST.search(text):
        fix = "Check the network and the proxy settings, then run the command again; whole downloads are kept."
        if installer.uv_path is not None:
            fix += " uv has its index from UV_DEFAULT_INDEX or uv.toml, not from pip's settings."
        what = f"{installer.name} cannot reach the package index"
        return failed("trainer.environment.network", what, text, fix)
    own_choice = not is_locked_build(torch.name)
    # An index that has none at all is not PyTorch's fault: there is no other build to choose then.
    no_torch = _TORCH_MISSING.search(text) and not (torch.name == DEFAULT and _NO_VERSIONS.search(text))
    if no_torch or (own_choice and _CONFLICT.search(text)):
        what = f"There is no PyTorch for this machine and this trainer as {torch.requirements[0]}"
        return failed(
            "trainer.torch.missing", what, _conflict(text), "Choose another build: `--torch default` or `--torch cpu`."
        )
    fix = "All of it is in install.log beside the installation; mend that, then run `kohyatpl trainer install` again."
    what = f"The trainer's packages cannot be installed with {installer.name}"
    return failed("trainer.environment.packages", what, text, fix)


def _conflict(text: str) -> str:
    """Of pip's report the lines that name the two sides, else all of it."""
    _, found, after = text.partition("The conflict is caused by:")
    if not found:
        return text
    sides = [line.strip() for line in after.partition("To fix this")[0].splitlines() if line.strip()]
    return "ERROR: " + ", ".join(sides)
