"""What stands between a client and a server and only passes bytes on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager


class Relay:
    """Passes bytes on, counts connections, and may speak HTTP's CONNECT as a proxy of a company does."""

    def __init__(self, target: tuple[str, int] | None = None) -> None:
        self.target, self.connections, self.open, self.most = target, 0, 0, 0
        self.asked: list[str] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.most = max(self.most, self.open)
        self._writers.add(writer)
        try:
            target, first = self.target, b""
            if target is None:
                head = await reader.readuntil(b"\r\n\r\n")
                method, where, _ = head.decode().split("\r\n")[0].split(" ")
                self.asked.append(f"{method} {where}")
                host, _, port = where.removeprefix("http://").partition("/")[0].partition(":")
                target = (host, int(port))
                if method == "CONNECT":
                    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                else:
                    first = head.replace(f"http://{host}:{port}".encode(), b"", 1)
            there_reader, there = await asyncio.open_connection(*target)
            there.write(first)
            await asyncio.gather(_pumped(reader, there, _same), _pumped(there_reader, writer, self.answered))
        finally:
            self.open -= 1
            self._writers.discard(writer)
            writer.close()

    def cut(self) -> None:
        """Close all connections, as a server does with those that were idle for too long."""
        for writer in self._writers:
            writer.close()

    async def answered(self, data: bytes) -> bytes:
        """Give what the client gets of an answer; nothing: the connection is closed."""
        return data


async def _same(data: bytes) -> bytes:
    return data


async def _pumped(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, passed: Callable[[bytes], Awaitable[bytes]]
) -> None:
    try:
        while data := await passed(await source.read(65536)):
            target.write(data)
            await target.drain()
    except ConnectionError:
        pass
    finally:
        target.close()


@asynccontextmanager
async def relaying(relay: Relay) -> AsyncIterator[Relay]:
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield relay
    finally:
        server.close()
        await server.wait_closed()


def place_of(url: str) -> tuple[str, int]:
    host, _, port = url.partition("://")[2].partition(":")
    return host, int(port)
