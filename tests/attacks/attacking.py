"""The attacker: a server in a process of its own, bytes to it, and what each attack cost it."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from attack_cases import OUTSIDE, SECRET_FILE, Attack

from server.cli.initialise import initialise

HERE = Path(__file__).parent
PATIENCE = 30.0
"""Seconds after which something has gone wrong for certain."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a server used for one attack, above what it had."""

    milliseconds: float
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Seen:
    """All that came back on a connection until its end."""

    data: bytes

    @property
    def statuses(self) -> tuple[int, ...]:
        pieces = self.data.split(b"HTTP/1.1 ")[1:]
        return tuple(int(piece[:3]) for piece in pieces)

    @property
    def body(self) -> bytes:
        """The body of the last answer."""
        return self.data.rpartition(b"HTTP/1.1 ")[2].partition(b"\r\n\r\n")[2]


class Attacked:
    """A running server, and what an attacker does to it."""

    def __init__(self, process: "subprocess.Popen[str]", *, log: Path, outside: str, secret_file: Path) -> None:
        self._process = process
        self._log = log
        self._names = {
            name.encode(): value.encode() for name, value in ((OUTSIDE, outside), (SECRET_FILE, str(secret_file)))
        }
        said = self._read()
        self.port: int = said["port"]
        self.pid = process.pid
        self.api_key: str = said["api_key"]
        self.admin_port: int = said["admin_port"]
        self.admin_key: str = said["admin_key"]

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the server has ended"
        return dict(json.loads(line))

    def tell(self, command: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return self._read()

    def bytes_of(self, attack: Attack) -> bytes:
        """Give what an attack sends, with real names for what must not be reached."""
        made = attack.make()
        if isinstance(made, bytes):
            return made.replace(b"@KEY@", self.api_key.encode())
        body = made.body
        for name, value in self._names.items():
            body = body.replace(name, value)
        return replace(made, body=body).wire(self.admin_key if attack.admin else self.api_key)

    def open(self, *, admin: bool = False) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.admin_port if admin else self.port), timeout=PATIENCE)

    def send(self, data: bytes, *, holds_open: bool = False, admin: bool = False) -> Seen:
        """Send bytes on a connection of their own and read it to its end."""
        with self.open(admin=admin) as connection:
            try:
                connection.sendall(data)
                if not holds_open:
                    connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it has heard enough; what it said is read below
            return Seen(data=read_to_end(connection))

    def measured(self, attack: Attack, data: bytes) -> tuple[Seen, Cost]:
        """Attack, and count what it costs."""
        self.tell("begin")
        seen = self.send(data, holds_open=attack.holds_open, admin=attack.admin)
        return seen, Cost(**self.tell("end"))

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]


def read_to_end(connection: socket.socket) -> bytes:
    received = b""
    try:
        while data := connection.recv(65536):
            received += data
    except ConnectionResetError:
        pass  # what it said before is what counts
    return received


def _environment() -> dict[str, str]:
    """Give the environment without what has coverage measured: that costs several times what it measures."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE", "COV_"))}


@contextmanager
def attacked(folder: Path) -> Iterator[Attacked]:
    """Run a server until the block ends. A listener that nobody may connect to is its outside."""
    depot, log, secret_file = folder / "depot", folder / "log", folder / "secret"
    secret_file.write_text("the secret of the file")
    initialise(depot)
    with socket.create_server(("127.0.0.1", 0)) as outside:
        outside.setblocking(False)
        process = subprocess.Popen(
            [sys.executable, str(HERE / "attacked_process.py"), str(depot), str(log)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**_environment(), "PYTHONPATH": str(HERE.parents[1])},
            encoding="utf-8",
        )
        try:
            yield Attacked(process, log=log, outside=f"127.0.0.1:{outside.getsockname()[1]}", secret_file=secret_file)
            assert process.poll() is None, "the server has ended"
            try:
                outside.accept()
            except BlockingIOError:
                pass  # nobody waits there: nothing has connected
            else:
                raise AssertionError("the server has connected to where an attack pointed")
        finally:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()
                process.wait()
                process.stdout.close()
