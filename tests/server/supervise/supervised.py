"""The real command with its workers as processes of a session of its own, and what it has said so far."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wire import envelope, order

from server.cli.initialise import CONFIG, initialise
from server.core import opened_core
from server.settings import load_settings
from soap import Version

SERVE = "from server.cli.main import main; main()"
PATIENCE = 60.0
"""Seconds after which something has gone wrong for certain; nothing is expected to take a part of it."""

ITEM = "A"
FIRM_CODE = 6000010


@dataclass(frozen=True)
class Depot:
    """A folder with a server's files, an item and a shop."""

    folder: Path
    api_key: str

    @property
    def config(self) -> Path:
        return self.folder / CONFIG

    @property
    def database(self) -> Path:
        return self.folder / "opendepot.sqlite3"

    def copied(self, folder: Path) -> "Depot":
        shutil.copytree(self.folder, folder)
        return Depot(folder=folder, api_key=self.api_key)

    def order(self, transaction_id: str, *, close: bool = False) -> bytes:
        """A whole HTTP request that orders."""
        return self.head(body := self.order_body(transaction_id), close=close) + body

    def order_body(self, transaction_id: str) -> bytes:
        return envelope(order(transaction_id, item=ITEM))

    def head(self, body: bytes, *, close: bool = False) -> bytes:
        lines = [
            "POST /v1/sales HTTP/1.1",
            "Host: depot",
            f"Content-Type: {Version.SOAP11.content_type}",
            f"Authorization: Bearer {self.api_key}",
            f"Content-Length: {len(body)}",
        ]
        return ("\r\n".join(lines + ["Connection: close"] * close) + "\r\n\r\n").encode()


def in_thread(work: Callable[[], Any]) -> Any:
    """Run what has an event loop of its own where one may be running already."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    thread.join()
    assert results, "it raised; see above"
    return results[0]


def make_depot(folder: Path) -> Depot:
    """Initialise a server's files with one item and one shop."""

    async def fill() -> str:
        async with opened_core(load_settings(folder / CONFIG)) as core:
            await core.catalogue.add_item(item_number=ITEM, firm_code=FIRM_CODE, product_code=1)
            _, api_key = await core.catalogue.add_shop("shop")
        return api_key

    in_thread(lambda: initialise(folder))
    return Depot(folder=folder, api_key=in_thread(lambda: asyncio.run(fill())))


async def until(met: Callable[[], Any], what: str, *, seconds: float = PATIENCE) -> Any:
    """Wait until something is so, and give it. Fails after `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            while not (found := met()):  # noqa: ASYNC110  what other processes do sets no event here
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"after {seconds} s still not: {what}") from None
    return found


class Supervised:
    """A started command `opendepot serve`."""

    def __init__(
        self,
        depot: Depot,
        *,
        workers: int | None = 2,
        port: int = 0,
        admin_port: int = 0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.depot = depot
        self.log = depot.folder / "events.log"
        self._read = 0
        self._said: list[str] = []
        self._events: list[dict[str, Any]] = []
        arguments = ["serve", "--config", str(depot.config), "--port", str(port), "--admin-port", str(admin_port)]
        if workers is not None:
            arguments += ["--workers", str(workers)]
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("OPENDEPOT_", "WATCHDOG_")) and name != "NOTIFY_SOCKET"
        }
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", SERVE, *arguments],
                stdin=subprocess.DEVNULL,
                stderr=log,
                env={**clean, **(environment or {})},
                # Its processes can be told from all others by their group, also when their parent is gone.
                start_new_session=True,
            )
        self.pid = self._process.pid

    # What it says

    def said(self) -> list[str]:
        """All whole lines on standard error."""
        with self.log.open("rb") as log:
            log.seek(self._read)
            new = log.read().rpartition(b"\n")[0]
        if new:
            self._read += len(new) + 1
            self._said += new.decode().splitlines()
            self._events += [json.loads(line) for line in new.decode().splitlines() if line.startswith("{")]
        return self._said

    def events(self, name: str | None = None, **fields: Any) -> list[dict[str, Any]]:
        """The events with this name and these values."""
        self.said()
        wanted = ({} if name is None else {"event": name}) | fields
        return [event for event in self._events if wanted.items() <= event.items()]

    def plain(self) -> list[str]:
        """The lines that are no events."""
        return [line for line in self.said() if not line.startswith("{")]

    async def event(self, name: str, *, count: int = 1, **fields: Any) -> dict[str, Any]:
        """Wait for the event, for the `count`th time, and give that one."""

        def happened() -> bool:
            return len(self.events(name, **fields)) >= count

        try:
            await until(happened, f"event {name} {fields} {count} times")
        except AssertionError as error:
            raise AssertionError(f"{error}; it said\n" + "\n".join(self.said()[-40:])) from None
        return self.events(name, **fields)[count - 1]

    async def serving(self) -> "Supervised":
        """Wait until it serves."""
        await until(lambda: self._process.poll() is not None or self.events("serving"), "it serves")
        assert self._process.poll() is None, f"it ended: {self.said()}"
        return self

    @property
    def url(self) -> str:
        return str(self.events("serving")[0]["local_url"])

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def admin_url(self) -> str:
        return str(self.events("serving")[0]["admin_url"])

    def workers(self) -> dict[int, int]:
        """The process id in each slot, as the events tell; of the youngest where there are two."""
        living: list[tuple[int, int]] = []
        for event in self.events():
            if event["event"] == "worker_ready":
                living.append((event["worker"], event["process"]))
            elif event["event"] in {"worker_died", "worker_ended"}:
                living = [(slot, pid) for slot, pid in living if pid != event["process"]]
        return dict(living)

    def members(self) -> set[int]:
        """The processes that it started and that still run, as the system tells."""
        return {pid for pid, group, state in _processes() if group == self.pid and state != "Z"} - {self.pid}

    # What it is told

    def tell(self, number: signal.Signals) -> None:
        """Send a signal to the supervisor."""
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait for the supervisor's end and give its exit code."""
        await until(lambda: self._process.poll() is not None, "the supervisor has ended")
        return self._process.wait()

    async def all_gone(self) -> None:
        """Wait until no process of it is left."""
        await until(lambda: not self.members(), "all workers have ended")

    def end(self) -> None:
        """End what is left of it."""
        if self._process.poll() is None:
            self._process.kill()
        # A worker that is being started is seen now or, at the latest, after its parent is gone.
        self._process.wait()
        for pid in self.members():
            with_no_complaint(pid, signal.SIGKILL)

    async def fetched(self, path: str, *, admin: bool = False) -> tuple[int, str]:
        """GET something: status and body."""
        return await asyncio.to_thread(_fetched, (self.admin_url if admin else self.url) + path)

    async def ordered(self, transaction_id: str) -> int:
        """Order on a new connection: the HTTP status."""
        return await asyncio.to_thread(self._ordered, transaction_id)

    def _ordered(self, transaction_id: str) -> int:
        body = self.depot.order_body(transaction_id)
        request = urllib.request.Request(
            f"{self.url}/v1/sales",
            data=body,
            headers={"Content-Type": Version.SOAP11.content_type, "Authorization": f"Bearer {self.depot.api_key}"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            answer.read()
            return int(answer.status)


def _fetched(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def _processes() -> Iterator[tuple[int, int, str]]:
    """All processes: id, process group, state."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # The name, in brackets, may hold anything.
                rest = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            yield int(entry.name), int(rest[2]), rest[0]


def state_of(pid: int) -> str:
    """The state of a process as the system tells it, such as T for stopped; '' when it is gone."""
    return next((state for found, _, state in _processes() if found == pid), "")


def with_no_complaint(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def peers(pid: int) -> set[int]:
    """The ports of those who are connected to a process over TCP/IPv4."""
    table = {}
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        columns = line.split()
        table[f"socket:[{columns[9]}]"] = int(columns[2].rpartition(":")[2], 16)
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(table.get(str(descriptor.readlink()), 0))
        except OSError:
            continue
    return found - {0}


@contextmanager
def frozen(*pids: int) -> Iterator[None]:
    """Stop processes while the block runs."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with_no_complaint(pid, signal.SIGCONT)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a port of this machine, closed whatever happens."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@contextmanager
def taken_port() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]
