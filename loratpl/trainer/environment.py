"""The trainer's environment: made from the lock, compiled, and proven by questions that it must answer."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from loratpl import process
from loratpl.errors import Problem, TrainerError
from loratpl.resources import INSIDE_DIR
from loratpl.trainer.manifest import SCRIPTS, manifest_text
from loratpl.trainer.paths import TrainerPaths
from loratpl.trainer.pin import ENVIRONMENT_LOCK_PATH, Pin
from loratpl.trainer.torch_choice import PACKAGES, TorchChoice

VENV_TIMEOUT_S = 300.0
COMPILE_TIMEOUT_S = 1800.0
SHORT_ANSWER_TIMEOUT_S = 60.0
INSIDE_TIMEOUT_S = 900.0
# The trainer's libraries must not look for anything on the network while they are questioned.
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}

_VERSIONS_CODE = (
    "import importlib.metadata as m, json, platform, re; "
    "print(json.dumps({'python': platform.python_version(), "
    "'packages': {re.sub('[-_.]+', '-', d.name).lower(): d.version for d in m.distributions()}}))"
)

_LARGE_DOWNLOAD = re.compile(r"Downloading (\S+) \((\d{2,}(?:\.\d+)? ?(?:MB|MiB|GB|GiB))\)")

OutputSink = Callable[[bytes], object]


def make_environment(
    paths: TrainerPaths, torch: TorchChoice, output: OutputSink, progress: Callable[[str], None]
) -> None:
    """Makes the environment of `paths` from the lock and compiles it.

    Args:
        paths: Where; its folder must not hold an environment yet.
        torch: Which build of PyTorch.
        output: Gets every byte that the installer writes.
        progress: Is told which installer works and what it downloads.

    Raises:
        TrainerError: The environment or a package cannot be had; the message holds the installer's own line.
    """
    venv = process.run_short([sys.executable, "-m", "venv", paths.venv_dir], timeout_s=VENV_TIMEOUT_S)
    if venv.returncode != 0:
        raise _failed(
            "trainer.environment.venv",
            "A virtual environment cannot be made",
            venv.stdout + venv.stderr,
            "On Debian and Ubuntu: `apt install python3-venv`.",
        )
    lock_path = paths.root_dir / "requirements.txt"
    lock_path.write_text(_requirements(torch), encoding="utf-8")
    installer, argv = _installer(paths, lock_path, torch.index_url)
    progress(f"installing with {installer}. {torch.note}")

    def keep_and_tell(data: bytes) -> None:
        output(data)
        _tell_downloads(data, progress)

    text = _run_with_output(argv, keep_and_tell)
    if text is not None:
        raise _packages_failed(text, torch)
    # Some packages carry files for other Pythons; that they do not compile is no failure.
    process.run_short(
        [paths.python_path, "-m", "compileall", "-q", "-q", "-j", "0", paths.venv_dir, paths.source_dir],
        timeout_s=COMPILE_TIMEOUT_S,
    )


def _requirements(torch: TorchChoice) -> str:
    lines = ENVIRONMENT_LOCK_PATH.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.partition("==")[0] not in PACKAGES]
    return "\n".join([*kept, *torch.requirements]) + "\n"


def _installer(paths: TrainerPaths, lock_path: Path, index_url: str | None) -> tuple[str, list[str | Path]]:
    """The words that start uv where it is installed, since it is many times as fast; else the environment's own pip."""
    index = [] if index_url is None else ["--extra-index-url", index_url]
    uv = shutil.which("uv")
    if uv is not None:
        # PyTorch's index has old versions of other packages as well; uv must look for those in every index.
        strategy = ["--index-strategy", "unsafe-best-match"] if index else []
        return "uv", [uv, "pip", "install", "--python", paths.python_path, *strategy, *index, "-r", lock_path]
    # Byte code is made afterwards, by all processors at once: pip would do it one file after the other.
    options = ["--no-input", "--no-compile", "--disable-pip-version-check", "--progress-bar", "off"]
    return "pip", [paths.python_path, "-m", "pip", "install", *options, *index, "-r", lock_path]


def _tell_downloads(data: bytes, progress: Callable[[str], None]) -> None:
    """Passes on what the installer says of large downloads: "Downloading torch-….whl (812.3 MB)"."""
    for line in data.decode("utf-8", errors="replace").splitlines():
        found = _LARGE_DOWNLOAD.search(line)
        if found:
            progress(f"downloading {found.group(1).rpartition('/')[2]} ({found.group(2)})")


def _packages_failed(text: str, torch: TorchChoice) -> TrainerError:
    if "No space left" in text:
        fix = "Make room (a CUDA build of PyTorch takes about 6 GB), or name another disk with KOHYATPL_HOME."
        return _failed("trainer.install.disk", "The trainer's packages do not fit on the disk", text, fix)
    if re.search(r"(No matching distribution|no version of|no wheels).{0,40}torch", text, re.DOTALL):
        what = f"There is no PyTorch for this machine as {torch.requirements[0]}"
        return _failed("trainer.torch.missing", what, text, "Choose another build: `--torch default` or `--torch cpu`.")
    fix = "Check the network and the room on the disk, then run `kohyatpl trainer install` again."
    return _failed("trainer.environment.packages", "The trainer's packages cannot be installed", text, fix)


def _run_with_output(argv: Sequence[str | Path], output: OutputSink) -> str | None:
    """Returns None when the command succeeds, else the end of what it wrote."""
    child = process.Child(argv)
    tail = b""
    try:
        while data := child.read():
            output(data)
            tail = (tail + data)[-20_000:]
        child.wait()
    finally:
        returncode = child.end()
        child.close()
    return None if returncode == 0 else tail.decode("utf-8", errors="replace")


def _failed(code: str, what: str, text: str, fix: str) -> TrainerError:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("ERROR:", "Error:", "error:"))]
    reason = (errors or lines or ["no message"])[-1].removeprefix("ERROR: ").rstrip(".")
    return TrainerError(Problem(code, f"{what}: {reason}.", "trainer environment", fix))


def run_inside(paths: TrainerPaths, script: str, *arguments: str | Path) -> Any:
    """Returns what one of the scripts of trainer/inside wrote to its `--out` file.

    Raises:
        TrainerError: It failed; the message holds its last line.
    """
    with tempfile.TemporaryDirectory(prefix="kohyatpl-") as folder:
        out_path = Path(folder) / "out.json"
        argv = [paths.python_path, INSIDE_DIR / script, *arguments, "--out", out_path]
        try:
            done = process.run_short(
                argv, cwd=Path(folder), env=process.child_environment(OFFLINE), timeout_s=INSIDE_TIMEOUT_S
            )
        except (OSError, process.ProcessTimeoutError) as error:
            raise _failed("trainer.environment.broken", f"{script} cannot be run", str(error), _REINSTALL) from error
        if done.returncode != 0 or not out_path.is_file():
            raise _failed("trainer.environment.broken", f"{script} failed", done.stderr or done.stdout, _REINSTALL)
        return json.loads(out_path.read_text(encoding="utf-8"))


_REINSTALL = "Run `kohyatpl trainer install` again."


def installed_versions(paths: TrainerPaths) -> dict[str, Any] | None:
    """Returns {"python": …, "packages": {name: version}} of the environment, None where it does not answer."""
    try:
        answer = process.run_short([paths.python_path, "-I", "-c", _VERSIONS_CODE], timeout_s=SHORT_ANSWER_TIMEOUT_S)
        return dict(json.loads(answer.stdout))
    except (OSError, ValueError, process.ProcessTimeoutError):
        return None


def parse_options(paths: TrainerPaths, pin: Pin) -> str:
    """Returns the options manifest as the trainer's own parsers give it; importing them proves the environment.

    Raises:
        TrainerError: A script cannot be imported.
    """
    parsed = run_inside(paths, "parsers.py", "--source", paths.source_dir, *SCRIPTS)
    return manifest_text(parsed, pin.commit)


def locked_versions(lock: str) -> Mapping[str, str]:
    r"""Returns name → version of the lines of a lock, without comments and markers.

    >>> dict(locked_versions("# note\nnumpy==2.2.6\ncolorama==0.4.6 ; sys_platform == 'win32'"))
    {'numpy': '2.2.6', 'colorama': '0.4.6'}
    """
    lines = (line.partition(";")[0].strip() for line in lock.splitlines())
    pairs = (line.partition("==") for line in lines if line and not line.startswith("#"))
    return {name: version for name, _, version in pairs}
