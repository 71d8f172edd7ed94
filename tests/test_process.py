"""Children that are real: what they write, how they are ended, what they inherit."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from loratpl.process import (
    TERMINATE_GRACE_S,
    Child,
    Completed,
    ProcessTimeoutError,
    child_environment,
    run_short,
    start_detached,
)

posix = pytest.mark.skipif(sys.platform == "win32", reason="process groups and signals of POSIX")


def _python(code: str, *arguments: str) -> Sequence[str]:
    return [sys.executable, "-c", code, *arguments]


def _until(is_so: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Returns whether it became so in time."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # An ended process that nobody has waited for is a zombie: it still has its id.
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z")


def _end(child: Child, grace_s: float = TERMINATE_GRACE_S) -> int:
    """Returns how a child ended, once nothing of it is left and nobody reads from it any more."""
    returncode = child.end(grace_s=grace_s)
    child.close()
    return returncode


def _line(child: Child) -> str:
    """Returns the first line that a child writes."""
    data = b""
    while not data.endswith(b"\n"):
        more = child.read()
        assert more, "the child ended before it wrote a line"
        data += more
    return data.decode().strip()


# --- short commands -------------------------------------------------------------------------------------------------


def test_a_short_command_leaves_its_code_and_both_streams() -> None:
    done = run_short(_python("import sys; print('out ñ'); print('err', file=sys.stderr); sys.exit(3)"), timeout_s=30)
    assert done == Completed(3, "out ñ\n", "err\n")


def test_arguments_and_folder_arrive_as_they_are(odd_path: Path) -> None:
    code = "import os, sys; print(os.getcwd()); print(sys.argv[1:])"
    arguments = ["a b", "it's", '"', "$HOME", "*", "ñ 日本", "", "--x=1"]
    done = run_short(_python(code, *arguments), cwd=odd_path, env=child_environment({"PYTHONUTF8": "1"}), timeout_s=30)
    assert done.stdout.splitlines() == [os.path.realpath(odd_path), repr(arguments)]


def test_bytes_that_are_no_text_do_not_end_the_reading() -> None:
    done = run_short(_python(r"import os; os.write(1, b'a\xff\xfeb'); os.write(2, b'\x80')"), timeout_s=30)
    assert (done.stdout, done.stderr) == ("a��b", "�")


def test_much_output_on_both_streams_does_not_block() -> None:
    code = "import sys; [print('x' * 999, file=f) for f in (sys.stdout, sys.stderr) for _ in range(500)]"
    done = run_short(_python(code), timeout_s=30)
    assert len(done.stdout) == len(done.stderr) == 500_000


def test_a_short_command_has_nothing_to_read() -> None:
    assert run_short(_python("import sys; print(repr(sys.stdin.read()))"), timeout_s=30).stdout == "''\n"


def test_a_program_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run_short([tmp_path / "missing"], timeout_s=5)


@posix
def test_a_command_that_a_signal_ended_has_the_negative_number() -> None:
    assert run_short(_python("import os; os.kill(os.getpid(), 9)"), timeout_s=30).returncode == -signal.SIGKILL


@posix
def test_a_command_that_takes_too_long_is_ended_with_everything_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    started = time.monotonic()
    with pytest.raises(ProcessTimeoutError, match="did not end within 2 s"):
        run_short(_python(_FAMILY, str(pids), ""), timeout_s=2)
    assert time.monotonic() - started < TERMINATE_GRACE_S
    assert len(pids.read_text(encoding="utf-8").split()) == 2
    for pid in pids.read_text(encoding="utf-8").split():
        assert _until(lambda pid=int(pid): not _is_running(pid))  # type: ignore[misc]


# --- a running child ------------------------------------------------------------------------------------------------

# A process and its child; each writes its id, and ignores SIGTERM when it is told to.
_FAMILY = """
import os, signal, subprocess, sys, time
path, stubborn = sys.argv[1:3]
who = "child" if len(sys.argv) > 3 else "parent"
if who in stubborn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open(path, "a") as file:
    file.write(f"{os.getpid()}\\n")
if who == "parent":
    subprocess.Popen([sys.executable, "-c", sys.orig_argv[2], path, stubborn, "child"])
    while len(open(path).read().split()) < 2:
        time.sleep(0.02)
    print("ready", flush=True)
time.sleep(60)
"""
# A parent that is about to be killed, and a child that writes what it has seen of its input.
_PARENT = """
import sys
from loratpl.process import Child
child = Child([sys.executable, "-c", sys.argv[1], sys.argv[2]])
while data := child.read():
    sys.stdout.buffer.write(data)
    sys.stdout.flush()
"""
_WATCHER = """
import os, sys
print(os.getpid(), flush=True)
text = sys.stdin.read()
open(sys.argv[1], "w").write(repr(text))
"""


def _family(folder: Path, stubborn: str = "") -> tuple[Child, list[int]]:
    """Returns a child with a child of its own, and the ids of both."""
    child = Child(_python(_FAMILY, str(folder / "pids"), stubborn))
    assert _line(child) == "ready"
    return child, [int(pid) for pid in (folder / "pids").read_text(encoding="utf-8").split()]


def test_both_streams_of_a_child_come_in_one() -> None:
    child = Child(_python("import sys; print('out', flush=True); print('err', file=sys.stderr, flush=True)"))
    data = b""
    while more := child.read():
        data += more
    assert data.split() == [b"out", b"err"]
    assert child.wait(10) == 0
    assert _end(child) == 0


def test_a_wait_that_is_over_first_says_nothing() -> None:
    child = Child(_python("import sys; sys.stdin.read()"))
    assert child.wait(0.05) is None
    assert child.poll() is None
    child.cut_lifeline()
    assert child.wait(10) == 0
    assert _end(child) == 0


def test_a_child_sees_the_end_of_its_input_when_the_lifeline_is_cut() -> None:
    child = Child(_python("import sys; print('ready', flush=True); print(repr(sys.stdin.read()), flush=True)"))
    assert _line(child) == "ready"
    child.cut_lifeline()
    child.cut_lifeline()
    assert _line(child) == "''"
    assert child.wait(10) == 0
    assert _end(child) == 0


@posix
def test_a_child_sees_the_end_of_its_input_when_its_parent_is_killed(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    parent = Child(_python(_PARENT, _WATCHER, str(seen)))
    grandchild = int(_line(parent))
    os.kill(parent.pid, signal.SIGKILL)
    assert _until(lambda: not _is_running(grandchild))
    assert seen.read_text(encoding="utf-8") == "''"
    assert _end(parent) == -signal.SIGKILL


@posix
def test_a_child_leads_a_group_of_its_own(tmp_path: Path) -> None:
    child, pids = _family(tmp_path)
    assert {os.getpgid(pid) for pid in pids} == {child.pid}
    assert os.getpgid(child.pid) != os.getpgid(0)
    _end(child)


@posix
@pytest.mark.parametrize("stubborn", ["", "child"])
def test_nothing_of_a_group_is_left(tmp_path: Path, stubborn: str) -> None:
    child, pids = _family(tmp_path, stubborn)
    assert all(_is_running(pid) for pid in pids)
    started = time.monotonic()
    assert _end(child) == -signal.SIGTERM
    assert time.monotonic() - started < TERMINATE_GRACE_S / 2
    assert _until(lambda: not any(_is_running(pid) for pid in pids))


@posix
def test_a_child_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    child, pids = _family(tmp_path, "parent and child")
    started = time.monotonic()
    assert _end(child, grace_s=1.0) == -signal.SIGKILL
    assert time.monotonic() - started >= 1.0
    assert _until(lambda: not any(_is_running(pid) for pid in pids))


@posix
def test_what_a_child_left_behind_is_ended_when_it_has_gone_itself(tmp_path: Path) -> None:
    child, (pid, grandchild) = _family(tmp_path)
    os.kill(pid, signal.SIGKILL)
    assert child.wait(10) == -signal.SIGKILL
    assert _is_running(grandchild)
    assert _end(child) == -signal.SIGKILL
    assert _until(lambda: not _is_running(grandchild))


@posix
def test_terminate_reaches_the_whole_group(tmp_path: Path) -> None:
    child, pids = _family(tmp_path)
    child.terminate()
    assert child.wait(10) == -signal.SIGTERM
    assert _until(lambda: not any(_is_running(pid) for pid in pids))
    _end(child)


def test_what_a_child_wrote_before_it_was_ended_can_still_be_read() -> None:
    child = Child(_python("import os, sys; os.write(1, b'first\\n'); sys.stdin.read(); os.write(1, b'last words')"))
    assert _line(child) == "first"
    child.cut_lifeline()
    assert child.wait(10) == 0
    assert child.end() == 0
    assert child.read() == b"last words"
    assert child.read() == b""
    child.close()


def test_a_child_that_has_ended_can_be_ended_again() -> None:
    child = Child(_python("raise SystemExit(4)"))
    assert child.wait(10) == 4
    assert _end(child) == 4
    assert _end(child) == 4


# --- the environment ------------------------------------------------------------------------------------------------

UNWANTED = [
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONINSPECT",
    "VIRTUAL_ENV",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "RANK",
    "LOCAL_RANK",
    "WORLD_SIZE",
    "MASTER_PORT",
    "OMPI_COMM_WORLD_SIZE",
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS",
    "ACCELERATE_MIXED_PRECISION",
    "FSDP_VERSION",
    "DYNAMO_BACKEND",
]


@pytest.mark.parametrize("name", UNWANTED)
def test_what_would_mislead_a_child_is_not_passed_on(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "/misleading")
    assert name not in child_environment()
    assert os.environ[name] == "/misleading"
    seen = run_short(_python("import os, sys; print(sys.argv[1] in os.environ)", name), timeout_s=30)
    assert seen.stdout == "False\n"


def test_everything_else_is_passed_on_and_additions_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.setenv("COLUMNS", "80")
    env = child_environment({"COLUMNS": "1000", "ACCELERATE_MIXED_PRECISION": "no"})
    assert (env["CUDA_VISIBLE_DEVICES"], env["COLUMNS"], env["ACCELERATE_MIXED_PRECISION"]) == ("1", "1000", "no")
    assert env["PATH"] == os.environ["PATH"]


# --- files that are handed on, stacks, detached processes -------------------------------------------------------------


@posix
def test_a_file_that_is_handed_on_stays_open_in_the_child(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w+") as file:
        code = "import os, sys; print(os.fstat(int(sys.argv[1])).st_ino)"
        child = Child(_python(code, str(file.fileno())), keep_open=(file.fileno(),))
        assert int(_line(child)) == os.fstat(file.fileno()).st_ino
        assert child.wait(20) == 0
        _end(child)


@posix
def test_a_child_that_listens_writes_its_stacks() -> None:
    code = (
        "import faulthandler, signal, time; faulthandler.register(signal.SIGUSR1); "
        "print('ready', flush=True); time.sleep(60)"
    )
    child = Child(_python(code))
    assert _line(child) == "ready"
    child.ask_for_stacks()
    assert "most recent call first" in _line(child)
    _end(child)
    child.ask_for_stacks()  # nobody is there any more


@posix
def test_a_detached_process_outlives_a_closed_terminal_and_ends_when_asked(tmp_path: Path) -> None:
    code = "import os, time; print(os.getsid(0) == os.getpid(), os.read(0, 1), flush=True); time.sleep(60)"
    said = tmp_path / "said.txt"
    process = start_detached(_python(code), tmp_path, said)
    assert _until(lambda: said.read_text(encoding="utf-8").endswith("\n"))
    assert said.read_text(encoding="utf-8") == "True b''\n"
    assert process.poll() is None
    process.terminate()
    assert _until(lambda: process.poll() == -signal.SIGTERM)
    process.terminate()


def test_a_program_that_is_not_there_cannot_be_detached(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no such program"):
        start_detached([tmp_path / "no such program"], tmp_path, tmp_path / "said.txt")
