"""The way out: whoever has asked is answered and told that it was the last time, and nobody is waited for in vain."""

import asyncio
import io
import json
import select
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from http_cases import Read
from http_shell import LOOPS, PATIENCE, Recorder, answers_in, plain
from http_slow_cases import CLOSING, GET, forever, large
from http_slow_shell import INSTANT, LARGE, LIMITS, Rude, World, run, until, world

from server.cli.initialise import CONFIG
from server.http.accepting import Acceptor, Entrance
from server.http.answers import PLAIN, Answer
from server.http.connection import Phase
from server.http.keeper import DRAIN_IDLE_SECONDS
from server.http.proxied import render_proxy_header
from server.listener import serving
from server.settings import load_settings

LONG = replace(
    LIMITS, header_seconds=8.0, body_seconds=8.0, idle_seconds=8.0, exchange_seconds=16.0, linger_seconds=4.0
)
"""So long that nothing but the drain ends a connection within its first seconds."""

POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"

each_loop = pytest.mark.parametrize("loop", LOOPS)


@asynccontextmanager
async def draining(here: World) -> AsyncIterator[asyncio.Task[int]]:
    """Drain the listener behind the block, from its begin on."""
    await here.acceptor.stop(last=True)
    task = asyncio.create_task(here.keeper.drain(seconds=PATIENCE))
    await until(lambda: here.keeper.draining)
    yield task
    assert await task == 0, "nobody is cut"
    assert here.keeper.open_connections == 0


# Silent connections


@each_loop
@pytest.mark.parametrize(
    ("sends", "phase"), [(b"", Phase.OPENED), (GET, Phase.IDLE)], ids=["never asked", "asked before"]
)
def test_a_silent_connection_is_closed_after_a_second(sends: bytes, phase: Phase, loop: str) -> None:
    async def scenario() -> None:
        async with world(limits=LONG) as here, Rude(here.address) as client:
            await client.send(sends)
            connection = await here.phase_is(phase)
            async with draining(here):
                await here.pass_to(DRAIN_IDLE_SECONDS - INSTANT)
                assert connection.phase is phase
                await here.pass_to(DRAIN_IDLE_SECONDS)
                await client.to_end()
                assert not client.was_reset

    run(scenario, loop)


@each_loop
@pytest.mark.parametrize(
    ("sends", "phase"), [(b"", Phase.OPENED), (GET, Phase.IDLE)], ids=["never asked", "asked before"]
)
def test_a_request_within_that_second_is_answered_and_the_last(sends: bytes, phase: Phase, loop: str) -> None:
    async def scenario() -> None:
        async with world(limits=LONG) as here, Rude(here.address) as client:
            await client.send(sends)
            await here.phase_is(phase)
            async with draining(here):
                await here.pass_to(DRAIN_IDLE_SECONDS - INSTANT)
                await client.send(GET)
                *_, last = answers_in(await client.to_end(), ["GET"] * 2, at_end=True)[0]
                assert (last.status, last.closes) == (200, True)
                client.finish()

    run(scenario, loop)


@each_loop
def test_a_connection_of_a_proxy_is_waited_for_until_it_has_asked(loop: str) -> None:
    async def scenario() -> None:
        async with world(limits=LONG, proxied=True) as here, Rude(here.address) as client:
            await here.phase_is(Phase.PROXIED)
            async with draining(here):
                await here.pass_to(4 * DRAIN_IDLE_SECONDS)
                await client.send(render_proxy_header(("192.0.2.7", 1), ("192.0.2.1", 2)) + GET)
                (answer,), _ = answers_in(await client.to_end(), ["GET"], at_end=True)
                assert (answer.status, answer.closes) == (200, True)
                client.finish()

    run(scenario, loop)


# Requests that have begun


@each_loop
@pytest.mark.parametrize(
    ("first", "phase", "rest"),
    [(GET[:9], Phase.HEAD, GET[9:]), (POST + b"12345", Phase.BODY, b"67890")],
    ids=["head", "body"],
)
def test_a_request_that_has_begun_may_end_and_is_answered(first: bytes, phase: Phase, rest: bytes, loop: str) -> None:
    async def scenario() -> None:
        async with world(limits=LONG) as here, Rude(here.address) as client:
            await client.send(first)
            await here.phase_is(phase)
            async with draining(here):
                await here.pass_to(4 * DRAIN_IDLE_SECONDS)
                await client.send(rest)
                (answer,), _ = answers_in(await client.to_end(), ["GET"], at_end=True)
                assert (answer.status, answer.closes) == (200, True)
                client.finish()

    run(scenario, loop)


@each_loop
def test_what_runs_is_answered_and_so_is_what_was_sent_behind_it(loop: str) -> None:
    recorder = Recorder()

    async def scenario() -> None:
        gate = asyncio.Event()

        async def gated(read: Read) -> Answer:
            await gate.wait()
            return plain(read)

        recorder.answering = gated
        async with world(recorder, limits=LONG) as here, Rude(here.address) as client:
            await client.send(GET + GET)
            await here.phase_is(Phase.RUNNING)
            async with draining(here):
                await here.pass_to(4 * DRAIN_IDLE_SECONDS)
                gate.set()
                answers, left = answers_in(await client.to_end(), ["GET"] * 3, at_end=True)
                assert [(answer.status, answer.closes) for answer in answers] == [(200, False), (200, True)]
                assert left == b""
                client.finish()

    run(scenario, loop)
    assert (recorder.opened, recorder.sent) == (2, 2)


@each_loop
def test_a_large_answer_under_way_is_sent_to_its_end_and_its_connection_closed_soon_after(loop: str) -> None:
    """Its head is out and has not said that it is the last, so the client may ask once more within a second."""

    async def scenario() -> None:
        async with world(Recorder(answering=large), limits=LONG) as here, Rude(here.address, small=True) as client:
            await client.send(GET)
            connection = await here.phase_is(Phase.SENDING)
            async with draining(here):
                await here.pass_to(4 * DRAIN_IDLE_SECONDS)
                while len(client.received) < LARGE:
                    assert await client.read(1024 * 1024)
                await here.phase_is(Phase.IDLE)
                await here.pass_to(5 * DRAIN_IDLE_SECONDS - INSTANT)
                assert connection.phase is Phase.IDLE
                await here.pass_to(5 * DRAIN_IDLE_SECONDS)
                (answer,), _ = answers_in(await client.to_end(), ["GET"], at_end=True)
                assert (len(answer.body), client.was_reset) == (LARGE, False)

    run(scenario, loop)


@each_loop
def test_pieces_under_way_are_sent_to_their_end_and_their_connection_closed_soon_after(loop: str) -> None:
    gates: list[asyncio.Event] = []

    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"one"
        await gates[0].wait()
        yield b"two"

    recorder = Recorder(answering=lambda _: Answer(status=200, content_type=PLAIN, body=pieces()))

    async def scenario() -> None:
        gates.append(asyncio.Event())
        async with world(recorder, limits=LONG) as here, Rude(here.address) as client:
            await client.send(GET)
            connection = await here.phase_is(Phase.SENDING)
            async with draining(here):
                await here.pass_to(4 * DRAIN_IDLE_SECONDS)
                gates[0].set()
                await here.phase_is(Phase.IDLE)
                await here.pass_to(5 * DRAIN_IDLE_SECONDS - INSTANT)
                assert connection.phase is Phase.IDLE
                await here.pass_to(5 * DRAIN_IDLE_SECONDS)
                assert (await client.to_end()).endswith(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")

    run(scenario, loop)


@each_loop
def test_pieces_that_begin_during_the_drain_say_that_they_are_the_last(loop: str) -> None:
    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"one"

    recorder = Recorder(answering=lambda _: Answer(status=200, content_type=PLAIN, body=pieces()))

    async def scenario() -> None:
        async with world(recorder, limits=LONG) as here, Rude(here.address) as client:
            await here.phase_is(Phase.OPENED)
            async with draining(here):
                await client.send(GET)
                received = await client.to_end()
                assert b"\r\nconnection: close\r\n" in received
                assert received.endswith(b"3\r\none\r\n0\r\n\r\n")
                client.finish()

    run(scenario, loop)


# The time is up


@each_loop
def test_what_is_left_when_the_time_is_up_is_cut_and_counted(loop: str) -> None:
    recorder = Recorder(answering=forever)

    async def scenario() -> None:
        async with world(recorder, limits=LONG) as here, Rude(here.address) as stuck, Rude(here.address) as half:
            await stuck.send(GET)
            await here.phase_is(Phase.RUNNING)
            await half.send(POST)
            await here.phase_is(Phase.BODY, 1)
            async with Rude(here.address) as gone:
                await gone.send(CLOSING[:5])
                await here.phase_is(Phase.HEAD, 2)
            await here.acceptor.stop(last=True)
            assert await here.keeper.drain(seconds=0.05) == 2
            assert here.keeper.open_connections == 0
            assert not here.keeper.tasks
            for client in (stuck, half):
                assert await client.to_end() == b""

    run(scenario, loop)
    assert (recorder.opened, recorder.aborted) == (2, 2)


@each_loop
def test_a_drain_without_connections_ends_at_once(loop: str) -> None:
    async def scenario() -> None:
        async with world() as here:
            await here.acceptor.stop(last=True)
            assert await here.keeper.drain(seconds=PATIENCE) == 0

    run(scenario, loop)


# Connections that nobody has accepted yet


def connected(address: tuple[str, int], sends: bytes) -> socket.socket:
    """Connect and send without letting the loop run: the system lets both happen before anybody accepts."""
    client = socket.create_connection(address, timeout=PATIENCE)
    client.sendall(sends)
    client.setblocking(False)
    return client


async def to_end_of(client: socket.socket) -> bytes:
    received = b""
    while data := await asyncio.get_running_loop().sock_recv(client, 65536):
        received += data
    return received


@each_loop
@pytest.mark.parametrize("sends", [CLOSING, GET], ids=["wants to close", "wants to keep"])
def test_whoever_has_connected_and_asked_when_accepting_stops_is_answered(sends: bytes, loop: str) -> None:
    async def scenario() -> None:
        async with world(limits=LONG) as here:
            # No await up to the stop: the loop is busy, as it is in the middle of a large request.
            clients = [connected(here.address, sends) for _ in range(200)]
            await here.acceptor.stop(last=True)
            draining = asyncio.create_task(here.keeper.drain(seconds=PATIENCE))
            await until(lambda: here.keeper.draining and here.recorder.sent == 200)
            # One that was answered before the drain began does not know yet that it was the last time.
            await here.pass_to(DRAIN_IDLE_SECONDS)
            for client in clients:
                with client:
                    (answer,), _ = answers_in(await to_end_of(client), ["GET"], at_end=True)
                    assert answer.status == 200
            assert await draining == 0

    run(scenario, loop)


@each_loop
def test_whoever_has_connected_when_accepting_stops_and_asks_only_then_is_answered_too(loop: str) -> None:
    async def scenario() -> None:
        async with world(limits=LONG) as here:
            clients = [connected(here.address, b"") for _ in range(20)]
            await here.acceptor.stop(last=True)
            draining = asyncio.create_task(here.keeper.drain(seconds=PATIENCE))
            await until(lambda: here.keeper.draining)
            for client in clients:
                with client:
                    await asyncio.get_running_loop().sock_sendall(client, GET)
                    (answer,), _ = answers_in(await to_end_of(client), ["GET"], at_end=True)
                    assert (answer.status, answer.closes) == (200, True)
            assert await draining == 0

    run(scenario, loop)


@each_loop
def test_one_that_stops_and_is_not_the_last_serves_who_is_there_and_leaves_the_later_ones_to_others(loop: str) -> None:
    async def scenario() -> None:
        async with world(limits=LONG) as here:
            early = [connected(here.address, CLOSING) for _ in range(20)]
            with here.acceptor._entrance.listening.dup() as shared:
                await here.acceptor.stop(last=False)
                assert len(here.connections) == 20
                late = [connected(here.address, CLOSING) for _ in range(20)]
                other = Acceptor(Entrance(listening=shared), here.keeper)
                for client in early:
                    with client:
                        (answer,), _ = answers_in(await to_end_of(client), ["GET"], at_end=True)
                        assert answer.status == 200
                assert len(here.connections) == 20, "nobody has accepted the later ones"
                other.start()
                for client in late:
                    with client:
                        (answer,), _ = answers_in(await to_end_of(client), ["GET"], at_end=True)
                        assert answer.status == 200
                await other.stop(last=True)

    run(scenario, loop)


@each_loop
def test_nobody_can_connect_once_accepting_has_stopped(loop: str) -> None:
    """Else a client would take a connection for made that nobody will serve."""

    async def scenario() -> None:
        async with world(limits=LONG) as here:
            await here.acceptor.stop(last=True)
            with socket.socket() as late:
                late.setblocking(False)
                late.connect_ex(here.address)
                assert select.select([], [late], [], 0.2)[1] == []

    run(scenario, loop)


# A whole server


async def test_a_server_tells_how_many_connections_it_has_cut(folder: Path) -> None:
    settings = load_settings(folder / CONFIG, port=0, admin_port=0, drain_seconds=0.05)
    log = io.StringIO()
    async with AsyncExitStack() as stack:  # noqa: SIM117  clients that outlive the server
        async with serving(settings, log=log) as up:
            host, _, port = up.local_url.removeprefix("http://").rpartition(":")
            half, idle = [await stack.enter_async_context(Rude((host, int(port)))) for _ in range(2)]
            await half.send(
                b"POST /v1/sales HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: 9\r\n\r\n"
            )
            await idle.send(b"GET /v1/sales?wsdl HTTP/1.1\r\nHost: x\r\n\r\n")
            while b"definitions>" not in idle.received:
                assert await idle.read(65536)
            await until(lambda: up.application.metrics.in_flight == 1)
    events = [json.loads(line) for line in log.getvalue().splitlines()]
    (cut,) = [event for event in events if event["event"] == "drain_cut"]
    assert cut["after_seconds"] == 0.05
    assert cut["connections"] == 2
    (exchange,) = [event for event in events if event["event"] == "exchange"]
    assert exchange["outcome"] == "aborted"
