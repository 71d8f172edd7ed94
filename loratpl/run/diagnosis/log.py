"""What a failed trainer's log says: its exceptions, its logged errors, and what its launcher made of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

# A base model of another family is refused with a wall of thousands of lines.
_TAIL_BYTES = 4_000_000
# "ValueError: …", "torch.OutOfMemoryError: …", "voluptuous.error.MultipleInvalid: …", also without a message
# and the few that are named in small letters: "cv2.error: …", "socket.timeout: …"
_EXCEPTION = re.compile(
    r"^((?:[A-Za-z_]\w*\.)*_?[A-Z]\w*|(?:[a-z_]\w*\.)+(?:error|timeout|gaierror|herror))(?:: (.*)|:)?$"
)
# torchrun puts the process before each line of its own children.
_RANK = re.compile(r"^\[rank\d+\]: ?")
# accelerate and torchrun report that their child failed after the child has said why.
_WRAPPERS = ("CalledProcessError", "ChildFailedError", "SystemExit")
_ARGPARSE = re.compile(r"^\w+\.py: error: (.*)$")
_LOGGED = re.compile(r"\bERROR\b\s+(.*?)(?:\s{2,}\S+\.py:\d+)?$")
_TRACEBACK = "Traceback (most recent call last):"
_CHAINED = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
# A worker's exception is raised again by the training process, with the worker's own traceback as its message.
_OF_WORKER = re.compile(r"Caught \w+ in (?:DataLoader worker|replica|pin memory thread)")
# C++ ends the process by itself, without a traceback.
_CPP_KIND = re.compile(r"terminate called after throwing an instance of '([\w:]+)'")
_CPP_TEXT = re.compile(r"^\s*what\(\):\s+(.*)$")
_BAR = re.compile(r"^\s*(?:steps|validation steps|epoch validation steps):? |\d+%\|")
_RECORD = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d |^\s+(?:INFO|WARNING|ERROR|DEBUG) ")
_END_LINES = 60
# A quotation mark before a letter is an apostrophe of the name, unless it begins the text.
_QUOTED = re.compile(r"""(?<!\w)(?:"([^"\n]+)"|'((?:\\.|[^'\\\n]|'(?=\w)|\\)+)')""")


@dataclass(frozen=True, slots=True)
class Raised:
    """One exception of a log.

    Attributes:
        kind: Its class as the traceback names it.
        message: All lines of what it says.
        trace: The lines of its traceback.
        is_chained: Whether it was raised because of the one before.
    """

    kind: str
    message: str = ""
    trace: str = ""
    is_chained: bool = False

    @property
    def text(self) -> str:
        """The exception as Python prints it, with all its lines."""
        return f"{self.kind}: {self.message}" if self.message else self.kind

    @property
    def line(self) -> str:
        """The first line of it."""
        return self.text.splitlines()[0]

    @property
    def is_cpp(self) -> bool:
        """Whether it is of C++, which ends a process with a signal."""
        return "::" in self.kind


@dataclass(frozen=True, slots=True)
class TrainerLog:
    """What a log holds.

    Attributes:
        raised: The exceptions of the trainer itself, in their order.
        wrapped: What a launcher said of its child, "" without one.
        refused: What the trainer's command line was refused for, None where it was not.
        logged: The errors that were logged.
        end: The last lines.
    """

    raised: tuple[Raised, ...] = ()
    wrapped: str = ""
    refused: str | None = None
    logged: tuple[str, ...] = ()
    end: str = ""

    @property
    def error(self) -> str | None:
        """The real error line: the last exception or argument error, else the last logged error."""
        if self.refused is not None:
            return f"the trainer refused its arguments: {self.refused}"
        if self.raised:
            return self.raised[-1].line
        return self.logged[-1] if self.logged else None

    @property
    def last_chain(self) -> tuple[Raised, ...]:
        """The last exception and those it was raised because of, the last one first."""
        chain: list[Raised] = []
        for raised in reversed(self.raised):
            chain.append(raised)
            if not raised.is_chained:
                break
        return tuple(chain)


def read_log(path: Path) -> TrainerLog:
    """Returns what the log at `path` holds, nothing where it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return TrainerLog()
    return parse_log(re.split(r"[\r\n]+", text))


def cause_from_log(path: Path) -> str | None:
    """Returns the real error line of the log at `path`, None where there is none."""
    return read_log(path).error


def real_error(lines: Iterable[str]) -> str | None:
    """Returns the last error of the trainer itself: an exception, an argument error, else a logged error.

    >>> real_error(["Traceback (most recent call last):", '  File "x.py", line 1', "ValueError: bad dim",
    ...             "Traceback (most recent call last):", "subprocess.CalledProcessError: Command …"])
    'ValueError: bad dim'
    """
    return parse_log(lines).error


def parse_log(lines: Iterable[str]) -> TrainerLog:
    """Returns what the lines of a log hold."""
    reader = _Reader()
    plain = [_RANK.sub("", line.rstrip()) for line in lines]
    for line in plain:
        reader.read(line)
    reader.close()
    return TrainerLog(
        tuple(reader.raised),
        "\n".join(reader.wrapped),
        reader.refused,
        tuple(reader.logged),
        "\n".join(plain[-_END_LINES:]),
    )


class _Reader:
    """Takes a log apart, a line at a time."""

    def __init__(self) -> None:
        self.raised: list[Raised] = []
        self.wrapped: list[str] = []
        self.logged: list[str] = []
        self.refused: str | None = None
        self._trace: list[str] | None = None
        self._message: list[str] = []
        self._head: tuple[str, str] | None = None  # kind and trace of the exception whose message is being read
        self._is_chained = self._was_chained = False
        self._cpp = ""

    def read(self, line: str) -> None:
        """Takes the next line."""
        if _TRACEBACK in line:
            of_worker = self._head is not None and bool(_OF_WORKER.search(self._message[0]))
            self.close()
            self._was_chained, self._is_chained = self._is_chained or of_worker, False
            self._trace = []
        elif line in _CHAINED:
            self.close()
            self._is_chained = True
        elif self._trace is not None:
            self._read_trace(line, self._trace)
        else:
            self._read_other(line)

    def _read_trace(self, line: str, trace: list[str]) -> None:
        found = _EXCEPTION.match(line)
        if found is None:
            trace.append(line)
            return
        self._head = (found.group(1), "\n".join(trace))
        self._message = [found.group(2) or ""]
        self._trace = None
        self.refused = None

    def _read_other(self, line: str) -> None:
        if found := _ARGPARSE.match(line):
            self.close()
            self.refused = found.group(1)
        elif found := _CPP_KIND.search(line):
            self.close()
            self._cpp = found.group(1)
        elif self._cpp and (found := _CPP_TEXT.match(line)):
            self._head, self._message, self._cpp = (self._cpp, ""), [found.group(1)], ""
        elif _BAR.search(line) or _RECORD.match(line):
            self.close()
            self._read_logged(line)
        elif self._head is not None:
            self._message.append(line)
        else:
            self._read_logged(line)

    def _read_logged(self, line: str) -> None:
        if found := _LOGGED.search(line):
            self.logged.append(found.group(1))

    def close(self) -> None:
        """Ends the exception whose message was being read."""
        if self._head is None:
            return
        kind, trace = self._head
        message = "\n".join(self._message).rstrip()
        if kind.endswith(_WRAPPERS):
            self.wrapped.append(f"{kind}: {message}")
        else:
            self.raised.append(Raised(kind, message, trace, self._was_chained))
        self._head, self._was_chained = None, False


def paths_in(text: str) -> list[str]:
    r"""Returns the paths that an error names: what stands in quotation marks and has a separator in it.

    >>> paths_in("[Errno 2] No such file or directory: '/p/it is/x.png'"), paths_in('''not found: "/p/it's/x.png".''')
    (['/p/it is/x.png'], ["/p/it's/x.png"])
    >>> paths_in("cannot open 'C:\\\\lora\\\\x.png'"), paths_in("KeyError: 'x'")
    (['C:\\lora\\x.png'], [])
    >>> paths_in('  File "/venv/torch/serialization.py", line 1' + chr(10) + "OSError: '/p/out'")
    ['/p/out']
    """
    # A line of a traceback names the code that failed, not the file that it failed on.
    said = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith('File "'))
    found = (double or single for double, single in _QUOTED.findall(said))
    # As Python's repr() writes them.
    return [path.replace("\\\\", "\\").replace("\\'", "'") for path in found if "/" in path or "\\" in path]


def file_logged(errors: Sequence[str]) -> str | None:
    """Returns the file that the trainer last logged an error about, None where it named none.

    >>> file_logged(["Error loading file: /p/image_dir/10_sks dog/x.png"])
    '/p/image_dir/10_sks dog/x.png'
    """
    for error in reversed(errors):
        if found := re.search(r"(?:Error loading file|illegal char in file .*?|empty .*?): (\S.*)$", error):
            return found.group(1).strip()
    return None
