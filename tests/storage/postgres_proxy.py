"""A TCP proxy in front of PostgreSQL that reads what clients say and cuts, holds or lies where a test says so.

It knows of the protocol what it needs (PostgreSQL's manual, "Message Formats"): where a message of the client ends,
the text of a simple query, and which statement a Bind is about.
"""

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path

CHUNK = 1 << 16
_ROLLED_BACK = b"C\x00\x00\x00\x0dROLLBACK\0"
_COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\0"


class Act(Enum):
    """What is done about a message of a client."""

    PASS = auto()
    CUT_BEFORE = auto()
    """It never arrives, and both sides lose the connection."""
    CUT_CROSSING = auto()
    """It is sent on, and both sides lose the connection at once: whether it was carried out is chance."""
    CUT_AFTER = auto()
    """It is carried out, and the answer never arrives."""
    LIE = auto()
    """A COMMIT is turned into a ROLLBACK, and the answer says COMMIT."""


CUTS = (Act.CUT_BEFORE, Act.CUT_CROSSING, Act.CUT_AFTER)


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """What a client asks the database to carry out: a simple query, or a prepared statement bound to values."""

    sql: str

    @property
    def is_commit(self) -> bool:
        return self.sql == "COMMIT"


Judge = Callable[[Message], Act | Awaitable[Act]]


class RandomCuts:
    """Cuts a share of the messages that `chosen` picks, in one of `acts`; the seed replays the choice."""

    def __init__(
        self,
        *,
        seed: int,
        share: float,
        chosen: Callable[[Message], bool] = lambda message: message.is_commit,
        acts: tuple[Act, ...] = CUTS,
    ) -> None:
        self._random = random.Random(seed)
        self._share = share
        self._chosen = chosen
        self._acts = acts
        self.count = dict.fromkeys(acts, 0)

    def __call__(self, message: Message) -> Act:
        if not self._chosen(message) or self._random.random() >= self._share:
            return Act.PASS
        act = self._random.choice(self._acts)
        self.count[act] += 1
        return act


def passing(_: Message) -> Act:
    """Let everything through."""
    return Act.PASS


@dataclass(kw_only=True)
class PostgresProxy:
    """Listens on a port of its own. `target` and `judge` may be changed while it runs.

    While `flowing` is not set nothing goes either way, as if the network had stopped.
    """

    target: Path
    judge: Judge = passing
    port: int = 0
    seen: list[Message] = field(default_factory=list)
    flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _links: set["_Link"] = field(default_factory=set)

    def address(self, database: str, user: str = "depot") -> str:
        """The address of a database behind this proxy."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}?sslmode=disable"

    def reset_all(self) -> int:
        """Reset every connection; how many there were."""
        links = list(self._links)
        for link in links:
            link.reset()
        return len(links)

    async def judged(self, sql: str) -> Act:
        """Say what is done about a message, and remember it."""
        message = Message(sql=sql)
        self.seen.append(message)
        act = self.judge(message)
        return act if isinstance(act, Act) else await act

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until one side ends it or it is cut."""
        try:
            upstream = await asyncio.open_unix_connection(str(self.target))
        except OSError:
            _abort(writer)
            return
        link = _Link(proxy=self, client=(reader, writer), server=upstream)
        self._links.add(link)
        try:
            await link.carry()
        finally:
            self._links.discard(link)


class _Link:
    def __init__(
        self,
        *,
        proxy: PostgresProxy,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._proxy = proxy
        self._client_reader, self._client = client
        self._server_reader, self._server = server
        self._statements: dict[bytes, str] = {}
        self._act = Act.PASS
        self._reset = asyncio.Event()

    async def carry(self) -> None:
        # Where nothing flows neither direction hears that its connection has ended.
        tasks = [asyncio.create_task(each) for each in (self._forward(), self._backward(), self._reset.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.reset()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def reset(self) -> None:
        self._reset.set()
        _abort(self._client)
        _abort(self._server)

    async def _forward(self) -> None:
        """Client to database, message by message; the first one has no type."""
        self._server.write(await self._message(kind=b""))
        while True:
            kind = await self._client_reader.readexactly(1)
            whole = await self._message(kind=kind)
            sql = self._sql(kind, whole[5:])
            if sql is not None:
                self._act = await self._proxy.judged(sql)
            await self._proxy.flowing.wait()
            if self._act is Act.CUT_BEFORE:
                return
            if self._act is Act.LIE:
                whole = b"Q" + struct.pack("!i", 13) + b"ROLLBACK\0"
            self._server.write(whole)
            if self._act is Act.CUT_CROSSING:
                return

    async def _backward(self) -> None:
        while data := await self._server_reader.read(CHUNK):
            await self._proxy.flowing.wait()
            if self._act is Act.CUT_AFTER:
                return
            if self._act is Act.LIE:
                data, self._act = data.replace(_ROLLED_BACK, _COMMITTED), Act.PASS
            self._client.write(data)

    async def _message(self, *, kind: bytes) -> bytes:
        length = await self._client_reader.readexactly(4)
        (size,) = struct.unpack("!i", length)
        return kind + length + await self._client_reader.readexactly(size - 4)

    def _sql(self, kind: bytes, body: bytes) -> str | None:
        """What the database is asked to carry out, or None where the message asks for nothing yet."""
        if kind == b"Q":
            return body.rstrip(b"\0").decode()
        if kind == b"P":
            name, sql = body.split(b"\0", 2)[:2]
            self._statements[name] = sql.decode()
        elif kind == b"B":
            return self._statements.get(body.split(b"\0", 2)[1])
        return None


def _abort(writer: asyncio.StreamWriter) -> None:
    """Reset, not close: SO_LINGER of 0 s makes TCP say so (socket(7))."""
    found = writer.get_extra_info("socket")
    if found is not None and found.family == socket.AF_INET and not writer.transport.is_closing():
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def proxied(folder: Path, judge: Judge = passing) -> AsyncIterator[PostgresProxy]:
    """A running proxy in front of the server whose socket stands in a folder."""
    proxy = PostgresProxy(target=folder / ".s.PGSQL.5432", judge=judge)
    proxy.flowing.set()
    listening = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = listening.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        listening.close()
        while proxy.reset_all():  # noqa: ASYNC110
            await asyncio.sleep(0)
        await listening.wait_closed()
