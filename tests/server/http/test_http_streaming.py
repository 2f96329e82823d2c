"""Answers in pieces: right framing, never far ahead of the reader, never whole when broken, closed whatever happens."""

import asyncio
import http.client
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Any

import pytest
from http_cases import Read
from http_shell import LOOPS, Recorder, answers_in
from http_slow_cases import CLOSING, GET
from http_slow_shell import INSTANT, LIMITS, MIB, Rude, World, run, until, world

from server.http.answers import PLAIN, Answer
from server.http.connection import Phase

OLD = b"GET / HTTP/1.0\r\n\r\n"
OLD_KEPT = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"

each_loop = pytest.mark.parametrize("loop", LOOPS)

Pieces = Callable[[], AsyncGenerator[bytes, None]]


def streams(pieces: Pieces) -> Recorder:
    """An application that answers everything with pieces."""
    return Recorder(answering=lambda _: Answer(status=200, content_type=PLAIN, body=pieces()))


async def fetched(here: World, method: str = "GET") -> tuple[dict[str, str], bytes]:
    """Ask by a client of another maker, in a thread, on a connection that is closed afterwards."""

    def ask() -> tuple[dict[str, str], bytes]:
        connection = http.client.HTTPConnection(*here.address, timeout=60)
        try:
            connection.request(method, "/")
            answer = connection.getresponse()
            return {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    return await asyncio.to_thread(ask)


# Framing


@each_loop
@pytest.mark.parametrize(
    "pieces",
    [[], [b""], [b"one"], [b"", b"one", b"", b"two" * 100_000, b""], [bytes([number]) for number in range(256)]],
    ids=["none", "an empty one", "one", "empty ones between", "many of one byte"],
)
def test_another_client_reads_the_pieces_as_one_body(pieces: list[bytes], loop: str) -> None:
    async def made() -> AsyncGenerator[bytes, None]:
        for piece in pieces:
            yield piece
            await asyncio.sleep(0)

    recorder = streams(made)

    async def scenario() -> None:
        async with world(recorder) as here:
            fields, body = await fetched(here)
            assert fields["transfer-encoding"] == "chunked"
            assert "content-length" not in fields
            assert body == b"".join(pieces)

    run(scenario, loop)
    assert recorder.sent == 1


async def two() -> AsyncGenerator[bytes, None]:
    yield b"one"
    yield b""
    yield b"0123456789abcdef"


@each_loop
def test_pieces_are_chunks_with_one_end_and_the_connection_goes_on(loop: str) -> None:
    recorder = streams(two)

    async def scenario() -> None:
        async with world(recorder) as here, Rude(here.address) as client:
            await client.send(GET + CLOSING)
            _, first, rest = (await client.to_end()).partition(
                b"\r\n\r\n3\r\none\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"
            )
            assert first
            head, second, end = rest.partition(b"\r\n\r\n3\r\none\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"connection: close" in head
            assert second
            assert end == b""

    run(scenario, loop)
    assert recorder.sent == 2


@each_loop
@pytest.mark.parametrize("request_bytes", [OLD, OLD_KEPT], ids=["closes", "wants to keep"])
def test_pieces_for_an_old_client_have_no_coding_and_end_with_the_connection(request_bytes: bytes, loop: str) -> None:
    recorder = streams(two)

    async def scenario() -> None:
        async with world(recorder) as here, Rude(here.address) as client:
            await client.send(request_bytes)
            head, _, body = (await client.to_end()).partition(b"\r\n\r\n")
            assert b"transfer-encoding" not in head
            assert b"content-length" not in head
            assert b"\r\nconnection: close" in head
            assert body == b"one0123456789abcdef"
            assert not client.was_reset

    run(scenario, loop)
    assert recorder.sent == 1


@each_loop
def test_head_of_pieces_has_no_body_makes_none_and_the_connection_goes_on(loop: str) -> None:
    made = []

    async def pieces() -> AsyncGenerator[bytes, None]:
        made.append(1)
        yield b"one"

    recorder = streams(pieces)

    async def scenario() -> None:
        async with world(recorder) as here, Rude(here.address) as client:
            await client.send(GET.replace(b"GET", b"HEAD") + CLOSING.replace(b"GET", b"HEAD"))
            heads = (await client.to_end()).split(b"\r\n\r\n")
            assert [head[:15] for head in heads] == [b"HTTP/1.1 200 OK"] * 2 + [b""]
            assert all(b"transfer-encoding: chunked" in head for head in heads[:2])

    run(scenario, loop)
    assert (made, recorder.sent) == ([], 2)


# Back pressure


@each_loop
def test_no_piece_is_made_before_the_one_before_was_taken(loop: str) -> None:
    pieces, size = 48, MIB // 2
    made: list[int] = []
    worlds: list[World] = []

    async def endless() -> AsyncGenerator[bytes, None]:
        for number in range(pieces):
            connection = worlds[0].connections[0]
            made.append(connection._transport.get_write_buffer_size())
            yield b"%d" % (number % 10) * size

    recorder = streams(endless)

    async def scenario() -> None:
        # The kernel makes room in large steps, so that single pieces take longer than their share.
        limits = replace(LIMITS, body_seconds=4.0, bytes_a_second=MIB)
        async with world(recorder, limits=limits) as here, Rude(here.address, small=True) as client:
            worlds.append(here)
            await client.send(CLOSING)
            connection = await here.phase_is(Phase.SENDING)
            await until(lambda: connection._writable is not None)
            # The network is full, and stays so while nobody reads: the maker stands still.
            for _ in range(100):
                await asyncio.sleep(0.001)
            assert len(made) < pieces // 2
            body = 0
            while body < pieces * size:
                got = len(await client.read(256 * 1024))
                assert got
                body += got
                client.received = client.received[-1000:]
                here.clock.now += got / MIB
            await client.to_end()
            assert client.received.endswith(b"\r\n0\r\n\r\n")
            assert here.clock.now - here.begun > 4 * limits.body_seconds

    run(scenario, loop)
    assert made == [0] * pieces
    assert recorder.sent == 1


@each_loop
def test_a_client_that_does_not_take_a_piece_in_time_is_cut(loop: str) -> None:
    closed = []

    async def endless() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"x" * MIB
        finally:
            closed.append(1)

    recorder = streams(endless)

    async def scenario() -> None:
        async with (
            world(recorder, limits=replace(LIMITS, bytes_a_second=64 * MIB)) as here,
            Rude(here.address, small=True) as client,
        ):
            await client.send(GET)
            connection = await here.phase_is(Phase.SENDING)
            await until(lambda: connection._writable is not None)
            for _ in range(100):
                await asyncio.sleep(0.001)
            await here.pass_to(LIMITS.body_seconds)
            assert connection.phase is Phase.SENDING
            await here.pass_to(LIMITS.body_seconds + 1 / 64 + INSTANT)
            await here.empty()
            assert here.reasons == [(0, "the answer was not taken in time")]

    run(scenario, loop)
    assert (closed, recorder.aborted) == ([1], 1)


# Time between pieces


@each_loop
@pytest.mark.parametrize("before", [0, 1, 3], ids=["the first piece", "the second piece", "the fourth piece"])
@pytest.mark.parametrize("in_time", [True, False])
def test_each_piece_may_take_as_long_in_the_making_as_an_exchange_and_no_longer(
    before: int, in_time: bool, loop: str
) -> None:
    gate: list[asyncio.Event] = []
    ends: list[str] = []

    async def pieces() -> AsyncGenerator[bytes, None]:
        try:
            for _ in range(before):
                yield b"early"
            await gate[0].wait()
            yield b"late"
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    recorder = streams(pieces)

    async def scenario() -> None:
        gate.append(asyncio.Event())
        async with world(recorder) as here, Rude(here.address) as client:
            await client.send(CLOSING)
            while client.received.count(b"early") < before or b"\r\n\r\n" not in client.received:
                assert await client.read(65536)
            connection = await here.phase_is(Phase.SENDING)
            await here.pass_to(LIMITS.exchange_seconds - INSTANT)
            assert connection.phase is Phase.SENDING
            if in_time:
                gate[0].set()
                assert (await client.to_end()).endswith(b"4\r\nlate\r\n0\r\n\r\n")
            else:
                await here.pass_to(LIMITS.exchange_seconds)
                assert not (await client.to_end()).endswith(b"0\r\n\r\n")
                await here.empty()

    run(scenario, loop)
    assert ends == ([] if in_time else ["cancelled"])
    assert (recorder.sent, recorder.aborted) == ((1, 0) if in_time else (0, 1))


# What breaks


async def breaking() -> AsyncGenerator[bytes, None]:
    yield b"the first part"
    raise RuntimeError("expected")


@each_loop
def test_what_breaks_in_the_middle_never_looks_whole(loop: str) -> None:
    recorder = streams(breaking)
    escapes: list[dict[str, Any]] = []

    async def scenario() -> None:
        async with world(recorder) as here:
            with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
                await fetched(here)

    run(scenario, loop, escapes=escapes)
    assert [str(context["exception"]) for context in escapes] == ["expected"]
    assert (recorder.sent, recorder.aborted) == (0, 1)


@each_loop
def test_what_breaks_in_the_middle_never_looks_whole_to_an_old_client_either(loop: str) -> None:
    """There the end of the connection is the end of the answer: only a reset tells them apart."""
    recorder = streams(breaking)

    async def scenario() -> None:
        async with world(recorder) as here, Rude(here.address) as client:
            await client.send(OLD)
            await client.to_end()
            assert client.was_reset

    run(scenario, loop, escapes=[])
    assert (recorder.sent, recorder.aborted) == (0, 1)


@each_loop
def test_what_is_late_never_looks_whole_to_an_old_client(loop: str) -> None:
    async def stuck() -> AsyncGenerator[bytes, None]:
        yield b"the first part"
        await asyncio.Event().wait()

    recorder = streams(stuck)

    async def scenario() -> None:
        async with world(recorder) as here, Rude(here.address) as client:
            await client.send(OLD)
            while b"part" not in client.received:
                assert await client.read(65536)
            await here.pass_to(LIMITS.exchange_seconds + LIMITS.body_seconds)
            await client.to_end()
            assert client.was_reset

    run(scenario, loop)
    assert (recorder.sent, recorder.aborted) == (0, 1)


@each_loop
def test_what_breaks_before_its_first_piece_sends_nothing_that_looks_whole(loop: str) -> None:
    async def broken() -> AsyncGenerator[bytes, None]:
        raise RuntimeError("expected")
        yield b""

    recorder = streams(broken)

    async def scenario() -> None:
        async with world(recorder) as here, Rude(here.address) as client:
            await client.send(GET)
            assert not (await client.to_end()).endswith(b"0\r\n\r\n")

    run(scenario, loop, escapes=[])
    assert (recorder.sent, recorder.aborted) == (0, 1)


# Whoever goes away


@each_loop
@pytest.mark.parametrize("waits_for", ["the network", "the next piece"])
def test_pieces_are_closed_by_the_shell_when_the_client_goes_away(waits_for: str, loop: str) -> None:
    """And not by the garbage collector some time: what they hold, such as a snapshot of a database, is let go then."""
    held: list[AsyncGenerator[bytes, None]] = []
    closed: list[str] = []

    async def pieces() -> AsyncGenerator[bytes, None]:
        try:
            yield b"x" * 1000
            while waits_for == "the network":
                yield b"x" * MIB
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            closed.append("closed")

    def answering(_read: Read) -> Answer:
        held.append(pieces())
        return Answer(status=200, content_type=PLAIN, body=held[0])

    recorder = Recorder(answering=answering)

    async def scenario() -> None:
        async with world(recorder) as here, Rude(here.address, small=True) as client:
            await client.send(GET)
            connection = await here.phase_is(Phase.SENDING)
            while client.received.count(b"x") < 1000:
                assert await client.read(100)
            await until(lambda: (connection._writable is not None) is (waits_for == "the network"))
            client.reset()
            await here.empty()
            await here.keeper.drain(seconds=0)
            assert closed == ["closed"], "a drain waits for what cleans up"

    run(scenario, loop)
    assert (recorder.sent, recorder.aborted) == (0, 1)


@each_loop
def test_a_client_that_breaks_off_just_after_the_last_piece_is_no_error(loop: str) -> None:
    """The end cannot be said any more to whoever is gone, and that is nothing that anybody must hear of."""
    clients: list[Rude] = []

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"one"
        # Between the last byte and what the shell does then.
        asyncio.get_running_loop().call_soon(clients[0].reset)

    recorder = streams(pieces)

    async def scenario() -> None:
        async with world(recorder) as here, Rude(here.address) as client:
            clients.append(client)
            await client.send(CLOSING)
            await until(lambda: recorder.sent + recorder.aborted == 1)
            await here.empty()

    run(scenario, loop)


@each_loop
def test_pieces_after_an_exchange_that_took_its_time_are_answered_in_order(loop: str) -> None:
    async def answering(read: Read) -> Answer:
        await asyncio.sleep(0)
        if read.target == "/pieces":
            return Answer(status=200, content_type=PLAIN, body=two())
        return Answer(status=200, content_type=PLAIN, body=b"whole")

    recorder = Recorder(answering=answering)

    async def scenario() -> None:
        async with world(recorder) as here, Rude(here.address) as client:
            await client.send(GET.replace(b"/ ", b"/pieces ") * 3 + CLOSING)
            received = await client.to_end()
            assert received.count(b"10\r\n0123456789abcdef\r\n0\r\n\r\n") == 3
            (last,), _ = answers_in(received[received.rindex(b"HTTP/1.1 ") :], ["GET"], at_end=True)
            assert last.body == b"whole"

    run(scenario, loop)
    assert recorder.sent == 4
