"""The trainer's environment: made from the lock, compiled, and proven by questions that it must answer."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from loratpl import process
from loratpl.resources import INSIDE_DIR
from loratpl.trainer.failures import failed
from loratpl.trainer.installer import Narrator, choose_installer, installer_environment, packages_failed
from loratpl.trainer.manifest import SCRIPTS, manifest_text
from loratpl.trainer.paths import TrainerPaths
from loratpl.trainer.pin import Pin
from loratpl.trainer.torch_choice import PACKAGES, TorchChoice

VENV_TIMEOUT_S = 300.0
COMPILE_TIMEOUT_S = 1800.0
SHORT_ANSWER_TIMEOUT_S = 60.0
INSIDE_TIMEOUT_S = 900.0
TAIL_BYTES = 20_000
KILLED = 128 + 9  # as the guard tells of a command that was ended by SIGKILL
# The trainer's libraries must not look for anything on the network while they are questioned.
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}

_VERSIONS_CODE = (
    "import importlib.metadata as m, json, platform, re; "
    "print(json.dumps({'python': platform.python_version(), "
    "'packages': {re.sub('[-_.]+', '-', d.name).lower(): d.version for d in m.distributions()}}))"
)

OutputSink = Callable[[bytes], object]


def make_environment(
    paths: TrainerPaths, lock: str, torch: TorchChoice, output: OutputSink, progress: Callable[[str], None]
) -> None:
    """Makes the environment of `paths` from the lock and compiles it.

    Nothing that is started here outlives this process, however that ends.

    Args:
        paths: Where; its folder must not hold an environment yet.
        lock: The text of the lock, a requirement a line.
        torch: Which build of PyTorch.
        output: Gets every byte that the installer writes.
        progress: Is told which installer works and what it downloads.

    Raises:
        TrainerError: The environment or a package cannot be had; the message holds the installer's own line.
    """
    installer = choose_installer()
    temporary_dir = paths.root_dir / "tmp"
    temporary_dir.mkdir()
    additions = installer_environment(temporary_dir)
    _make_venv(paths, additions, with_pip=installer.uv_path is None)
    lock_path = paths.root_dir / "requirements.txt"
    lock_path.write_text(_requirements(lock, torch), encoding="utf-8")
    progress(f"{installer.note}installing with {installer.name}. {torch.note}")
    narrator = Narrator(progress)

    def keep_and_tell(data: bytes) -> None:
        output(data)
        narrator.feed(data)

    argv = installer.argv(paths, lock_path, torch.index_url)
    text = _failure_of(argv, additions=additions, output=keep_and_tell)
    if text is not None:
        raise packages_failed(text, torch, installer)
    shutil.rmtree(temporary_dir, ignore_errors=True)
    progress("compiling the packages")
    # Some packages carry files for other Pythons; that they do not compile is no failure. Nor is a slow machine's
    # half of the work: the rest is compiled when it is first imported.
    compiling: list[str | Path] = [paths.python_path, "-m", "compileall", "-q", "-q", "-j", "0"]
    _failure_of([*compiling, paths.venv_dir, paths.source_dir], timeout_s=COMPILE_TIMEOUT_S)


def _make_venv(paths: TrainerPaths, additions: Mapping[str, str], *, with_pip: bool) -> None:
    # uv needs no pip there, and so no ensurepip, which some distributions keep in a package of its own.
    options = [] if with_pip else ["--without-pip"]
    argv: list[str | Path] = [sys.executable, "-m", "venv", *options, paths.venv_dir]
    what = "A virtual environment cannot be made"
    fix = "On Debian and Ubuntu: `apt install python3-venv`; or install uv (https://docs.astral.sh/uv/)."
    text = _failure_of(argv, additions=additions, timeout_s=VENV_TIMEOUT_S)
    if text is not None:
        raise failed("trainer.environment.venv", what, text, fix)


def _requirements(lock: str, torch: TorchChoice) -> str:
    kept = [line for line in lock.splitlines() if line.partition("==")[0] not in PACKAGES]
    # PyTorch first: when there is no such build, pip says so before it has downloaded all the rest.
    return "\n".join([*torch.requirements, *kept]) + "\n"


def _failure_of(
    argv: Sequence[str | Path],
    *,
    additions: Mapping[str, str] | None = None,
    output: OutputSink = len,
    timeout_s: float | None = None,
) -> str | None:
    """Returns None when the command succeeds, else the end of what it wrote. It does not outlive this process."""
    guarded = [sys.executable, "-I", "-S", INSIDE_DIR / "guard.py", *argv]
    child = process.Child(guarded, env=process.child_environment(additions))
    alarm = threading.Timer(timeout_s or threading.TIMEOUT_MAX, child.kill)
    tail, started_at = b"", time.monotonic()
    try:
        alarm.start()
        while data := child.read():
            output(data)
            tail = (tail + data)[-TAIL_BYTES:]
        child.wait()
    finally:
        alarm.cancel()
        returncode = child.end()
        child.close()
    if timeout_s is not None and time.monotonic() - started_at >= timeout_s:
        tail += f"\nERROR: it was not done within {timeout_s:.0f} s".encode()
    elif returncode == KILLED:
        tail += b"\nERROR: it was killed, most often because the memory is full"
    return None if returncode == 0 else tail.decode("utf-8", errors="replace")


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
            raise failed("trainer.environment.broken", f"{script} cannot be run", str(error), _REINSTALL) from error
        if done.returncode != 0 or not out_path.is_file():
            raise failed("trainer.environment.broken", f"{script} failed", done.stderr or done.stdout, _REINSTALL)
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
