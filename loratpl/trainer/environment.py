"""The trainer's environment: made from the lock, compiled, and proven by questions that it must answer."""

from __future__ import annotations

import json
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

OutputSink = Callable[[bytes], object]


def make_environment(paths: TrainerPaths, output: OutputSink) -> None:
    """Makes the environment of `paths` from the lock and compiles it.

    Args:
        paths: Where; its folder must not hold an environment yet.
        output: Gets every byte that the installer writes.

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
    # Byte code is made afterwards, by all processors at once: pip would do it one file after the other.
    pip: list[str | Path] = [
        paths.python_path,
        "-m",
        "pip",
        "install",
        "--no-input",
        "--no-compile",
        "--disable-pip-version-check",
        "--progress-bar",
        "off",
        "-r",
        ENVIRONMENT_LOCK_PATH,
    ]
    text = _run_with_output(pip, output)
    if text is not None:
        raise _failed(
            "trainer.environment.packages",
            "The trainer's packages cannot be installed",
            text,
            "Check the network and the room on the disk, then run `kohyatpl trainer install` again.",
        )
    # Some packages carry files for other Pythons; that they do not compile is no failure.
    process.run_short(
        [paths.python_path, "-m", "compileall", "-q", "-q", "-j", "0", paths.venv_dir, paths.source_dir],
        timeout_s=COMPILE_TIMEOUT_S,
    )


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
