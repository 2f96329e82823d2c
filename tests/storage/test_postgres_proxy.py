"""The proxy that stands between a storage and PostgreSQL in tests ends whatever it is told in between."""

import asyncio
import struct

from postgres_proxy import proxied

STARTUP = struct.pack("!ii", 8, 196608)
SYNC = b"S" + struct.pack("!i", 4)


async def test_a_connection_that_is_held_both_ways_ends_when_it_is_reset(tmp_path):
    heard, ended = asyncio.Queue(), asyncio.Event()

    async def server(reader, writer):
        while data := await reader.read(100):
            heard.put_nowait(data)
            writer.write(b"answer")
        writer.close()
        ended.set()

    listening = await asyncio.start_unix_server(server, tmp_path / ".s.PGSQL.5432")
    async with asyncio.timeout(10), proxied(tmp_path) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(STARTUP)
        assert await heard.get() == STARTUP
        assert await reader.readexactly(6) == b"answer"
        proxy.flowing.clear()
        writer.write(SYNC)
        (link,) = proxy._links
        link._server_reader.feed_data(b"more of it")
        # Both directions have something in hand now and wait for the network to flow again.
        while len(proxy.flowing._waiters) < 2:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)
        assert proxy.reset_all() == 1
        await ended.wait()
        assert await asyncio.gather(reader.read(), return_exceptions=True) != [b"more of it"]
        while proxy._links:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert heard.empty()
    listening.close()
    await listening.wait_closed()
    writer.close()
