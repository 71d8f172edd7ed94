"""Real git servers on the loopback, and a line to them that breaks."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from loratpl.trainer.pin import Pin
from tests.command_line import eventually
from tests.trainer.repositories import git, make_checkout

HOST = "127.0.0.1"
# More than git packs into nothing, and more than what servers and clients say before the files come.
FIGURE_BYTES = 400_000
# Gets the client's side and what should go there; returns whether the line goes on.
Harm = Callable[[socket.socket, bytes], bool]


def make_origin(folder: Path) -> Pin:
    """Makes a repository to fetch from, in which another commit follows the pinned one; returns the pin."""
    folder.mkdir(parents=True)
    (folder / "docs").mkdir()
    (folder / "docs" / "figure.png").write_bytes(random.Random(1).randbytes(FIGURE_BYTES))
    pin = make_checkout(folder)
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "one more")
    return pin


def _program(name: str) -> str:
    """Returns the path of one of git's own programs; some systems have it in a package of its own."""
    folder = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()
    path = Path(folder) / name
    if not path.is_file():
        pytest.skip(f"this git has no {name}")
    return str(path)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False


@contextlib.contextmanager
def git_daemon(base_dir: Path) -> Iterator[int]:
    """Serves the repositories below a folder as git:// does; yields the port."""
    with socket.create_server((HOST, 0)) as free:
        port: int = free.getsockname()[1]
    daemon = subprocess.Popen(
        [
            _program("git-daemon"),
            "--export-all",
            "--reuseaddr",
            f"--listen={HOST}",
            f"--port={port}",
            f"--base-path={base_dir}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: _answers(port), "git daemon answers")
        yield port
    finally:
        daemon.terminate()
        daemon.wait()


class _SmartHttp(BaseHTTPRequestHandler):
    """What a web server does for git: it passes requests on to git's own CGI program."""

    protocol_version = "HTTP/1.0"
    program: ClassVar[str]
    base_dir: ClassVar[Path]

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        environment = {
            "GIT_PROJECT_ROOT": str(self.base_dir),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
        }
        answer = subprocess.run(
            [self.program], input=body, env={**os.environ, **environment}, capture_output=True, check=False
        ).stdout
        head, _, content = answer.partition(b"\r\n\r\n")
        headers = [line.split(": ", 1) for line in head.decode().splitlines()]
        self.send_response(int(next((value.split()[0] for name, value in headers if name == "Status"), 200)))
        for name, value in headers:
            if name != "Status":
                self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 - the name is the base class's


class _Locked(BaseHTTPRequestHandler):
    """Wants a password for everything."""

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="private"')
        self.end_headers()


@contextlib.contextmanager
def http_server(base_dir: Path) -> Iterator[int]:
    """Serves the repositories below a folder as https:// does, without the encryption; yields the port."""
    handler = type("_Handler", (_SmartHttp,), {"program": _program("git-http-backend"), "base_dir": base_dir})
    with serving(handler) as port:
        yield port


@contextlib.contextmanager
def locked_server() -> Iterator[int]:
    """A web server that wants a password; yields the port."""
    with serving(_Locked) as port:
        yield port


@contextlib.contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """Answers requests with a handler; yields the port."""
    with ThreadingHTTPServer((HOST, 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


# --- a bad line -----------------------------------------------------------------------------------------------------


def cut(client: socket.socket, _data: bytes) -> bool:
    """Ends the connection."""
    client.shutdown(socket.SHUT_RDWR)
    return False


def fall_silent(_client: socket.socket, _data: bytes) -> bool:
    """Keeps the connection, but nothing comes over it any more, its end neither."""
    return False


def corrupt(client: socket.socket, data: bytes) -> bool:
    """Passes on, each byte with a bit that is another."""
    client.sendall(bytes(byte ^ 1 for byte in data))
    return True


@contextlib.contextmanager
def bad_line(port: int, good_bytes: int, harm: Harm) -> Iterator[int]:
    """A line to a server on which `harm` befalls what comes after so many bytes of each connection; yields a port."""
    connections: list[socket.socket] = []

    def accept(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection((HOST, port))
                connections.extend((client, server))
                threading.Thread(target=_pass_on, args=(client, server), daemon=True).start()
                threading.Thread(target=_pass_on, args=(server, client, good_bytes, harm), daemon=True).start()

    with socket.create_server((HOST, 0)) as listener:
        thread = threading.Thread(target=accept, args=(listener,))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in connections:
                connection.close()


def _pass_on(
    source: socket.socket, target: socket.socket, good_bytes: int | None = None, harm: Harm = fall_silent
) -> None:
    passed = 0
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            good = len(data) if good_bytes is None else max(0, min(len(data), good_bytes - passed))
            target.sendall(data[:good])
            passed += good
            if good < len(data) and not harm(target, data[good:]):
                return
        target.shutdown(socket.SHUT_WR)


def at(pin: Pin, url: str) -> Pin:
    """Returns the same pin, to be fetched from elsewhere."""
    return replace(pin, url=url)
