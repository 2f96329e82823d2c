"""What one connection, one address and the listener may take, and what is left for others when they take more."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from http_cases import Read
from http_shell import LOOPS, Recorder, answers_in, plain
from http_slow_cases import CHUNKED, CLOSING, GET
from http_slow_shell import A_READ, INSTANT, LIMITS, MIB, Rude, asked_ahead, run, until, world

import server
from server.http.answers import PLAIN, Answer
from server.http.application import Trouble
from server.http.connection import Phase
from server.http.head import Head
from server.http.keeper import counted_as

each_loop = pytest.mark.parametrize("loop", LOOPS)


# How many connections


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::1", "::/64"),
    ],
)
def test_an_address_counts_as_itself_and_of_version_6_as_its_64(address: str, counted: str) -> None:
    assert counted_as(address) == counted


@each_loop
def test_an_address_has_its_share_of_connections_and_others_have_theirs(loop: str) -> None:
    async def scenario() -> None:
        limits = replace(LIMITS, connections_an_address=2)
        async with world(limits=limits) as here, AsyncExitStack() as stack:
            for number in range(2):
                await stack.enter_async_context(Rude(here.address, source="127.0.0.1"))
                await here.phase_is(Phase.OPENED, number)
            async with Rude(here.address, source="127.0.0.1") as third:
                assert await third.to_end() == b""
            assert here.reasons == [(0, "too many connections of one address")]
            async with Rude(here.address, source="127.0.0.2") as other:
                assert await answered(other)
            await here.pass_to(LIMITS.header_seconds)
            await here.empty()
            async with Rude(here.address, source="127.0.0.1") as again:
                assert await answered(again)

    run(scenario, loop)


@each_loop
def test_the_listener_has_its_most_connections_whoever_has_them(loop: str) -> None:
    async def scenario() -> None:
        async with world(limits=replace(LIMITS, connections=2)) as here, AsyncExitStack() as stack:
            for number in range(2):
                await stack.enter_async_context(Rude(here.address, source=f"127.0.0.{number + 1}"))
                await here.phase_is(Phase.OPENED, number)
            async with Rude(here.address, source="127.0.0.3") as third:
                assert await third.to_end() == b""
            assert here.reasons == [(0, "too many connections")]
            await here.pass_to(LIMITS.header_seconds)
            await here.empty()
            async with Rude(here.address, source="127.0.0.3") as again:
                assert await answered(again)

    run(scenario, loop)


@each_loop
def test_the_most_connections_hold_for_those_that_come_all_at_once(loop: str) -> None:
    async def scenario() -> None:
        async with world(limits=replace(LIMITS, connections=4)) as here, AsyncExitStack() as stack:
            clients = [socket.create_connection(here.address) for _ in range(20)]
            for client in clients:
                stack.callback(client.close)
            await until(lambda: len(here.connections) + len(here.recorder.refusals) == 20)
            assert here.reasons == [(0, "too many connections")] * 16

    run(scenario, loop)


@each_loop
def test_a_connection_has_its_most_requests_and_the_last_answer_says_so(loop: str) -> None:
    recorder = Recorder()

    async def scenario() -> None:
        async with world(recorder, limits=replace(LIMITS, requests=3)) as here, Rude(here.address) as client:
            await client.send(GET * 5)
            answers, left = answers_in(await client.to_end(), ["GET"] * 5, at_end=True)
            assert [answer.closes for answer in answers] == [False, False, True]
            assert left == b""

    run(scenario, loop)
    assert (recorder.opened, recorder.sent) == (3, 3)


async def answered(client: Rude) -> bool:
    await client.send(CLOSING)
    answers, _ = answers_in(await client.to_end(), ["GET"], at_end=True)
    return [answer.status for answer in answers] == [200]


# What is sent ahead


@each_loop
def test_what_is_sent_ahead_of_an_answer_is_bounded_in_memory_and_all_answered(loop: str) -> None:
    request = b"GET / HTTP/1.1\r\nHost: x\r\nX: %b\r\n\r\n" % (b"x" * 8000)
    recorder = Recorder()

    async def scenario() -> None:
        gate = asyncio.Event()

        async def gated(read: Read) -> Answer:
            await gate.wait()
            return plain(read)

        recorder.answering = gated
        async with world(recorder) as here, Rude(here.address) as client:
            sent = await asked_ahead(here, client, request)
            (connection,) = here.connections
            assert connection.phase is Phase.RUNNING
            assert recorder.opened == 1
            assert connection.most_waiting <= LIMITS.ahead_bytes + A_READ
            gate.set()
            client.finish()
            answers, left = answers_in(await client.to_end(), ["GET"] * (sent // len(request)), at_end=True)
            assert (len(answers), left) == (sent // len(request), b"")
            assert connection.most_waiting <= LIMITS.ahead_bytes + A_READ

    run(scenario, loop)


@each_loop
@pytest.mark.parametrize("admitted", [True, False], ids=["by an exchange", "by the head alone"])
def test_a_flood_of_requests_that_are_answered_at_once_is_bounded_and_leaves_others_their_turns(
    admitted: bool, loop: str
) -> None:
    """Whoever sends faster than it can be answered waits, and does not fill the memory or the loop."""
    recorder = Recorder(opening=None if admitted else lambda _: Answer(status=404, content_type=PLAIN, body=b"no\n"))
    flood = MIB // len(GET)
    turns: list[int] = []

    async def scenario() -> None:
        async with world(recorder) as here, Rude(here.address) as client:

            async def send() -> None:
                await client.send(GET * flood)
                client.finish()

            async def watch() -> None:
                connection = await here.phase_is(Phase.IDLE)
                left = connection._requests_left
                while connection.phase is not Phase.CLOSED:
                    await asyncio.sleep(0)
                    turns.append(left - connection._requests_left)
                    left = connection._requests_left

            async with asyncio.TaskGroup() as group:
                group.create_task(send())
                group.create_task(watch())
                received = await client.to_end()
            assert received.count(b"HTTP/1.1 ") == flood
            assert here.connections[0].most_waiting <= LIMITS.ahead_bytes + A_READ

    run(scenario, loop)
    assert max(turns) <= 64, "a connection gets a turn of 32 requests, not more for having sent more"


# Descriptors


@contextmanager
def short_of_descriptors(loop: str, *, spare: int) -> Iterator[tuple[subprocess.Popen[str], tuple[str, int]]]:
    folder = Path(__file__).parent
    path = os.pathsep.join([str(folder), str(Path(server.__file__).parent.parent)])
    process = subprocess.Popen(
        [sys.executable, str(folder / "http_slow_descriptors.py"), loop, str(spare)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
        encoding="utf-8",
    )
    try:
        assert process.stdout is not None
        yield process, ("127.0.0.1", int(process.stdout.readline().split()[1]))
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()


@each_loop
def test_a_listener_without_descriptors_goes_on_when_there_are_some_again(loop: str) -> None:
    spare = 5
    with short_of_descriptors(loop, spare=spare) as (process, address):
        assert process.stdout is not None
        assert process.stdin is not None
        clients = [socket.create_connection(address, timeout=60) for _ in range(spare + 3)]
        assert process.stdout.readline() == "refused 0 the system accepts no more\n"
        for client in clients:
            client.sendall(CLOSING)
        # Each that is answered and gone makes room for one that waits.
        for client in clients:
            answer = b"".join(iter(lambda of=client: of.recv(65536), b""))
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
            client.close()
        process.stdin.close()
        lines = process.stdout.read().splitlines()
        assert lines[-1] == "descriptors 0"
        assert set(lines[:-1]) <= {"refused 0 the system accepts no more"}
        assert len(lines) < 100, "it waits for a while before it asks the system again"
        assert process.wait() == 0


# After a refusal


@each_loop
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_client_in_the_middle_of_a_refused_body_reads_the_answer_and_no_reset(chunked: bool, loop: str) -> None:
    """It sends half a mebibyte before it looks, as many clients do."""
    recorder = Recorder()
    body = b"x" * (MIB // 2)
    coded = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)

    async def scenario() -> None:
        async with world(recorder) as here, Rude(here.address) as client:
            head = CHUNKED if chunked else b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
            await client.send(head + b"80000\r\n" * chunked)
            await here.phase_is(Phase.LINGERING)
            assert await client.send(coded if chunked else body)
            (answer,), _ = answers_in(await client.to_end(), ["POST"], at_end=True)
            assert (answer.status, answer.closes) == (413, True)
            assert not client.was_reset

    run(scenario, loop)
    assert recorder.troubles == [Trouble.BODY_TOO_LARGE]
    assert (recorder.sent, recorder.aborted) == (1, 0)


@each_loop
def test_a_client_whose_head_is_refused_reads_the_answer_and_no_reset(loop: str) -> None:
    async def scenario() -> None:
        async with world() as here, Rude(here.address) as client:
            await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: none\r\n\r\n" + b"x" * (MIB // 4))
            (answer,), _ = answers_in(await client.to_end(), ["POST"], at_end=True)
            assert (answer.status, client.was_reset) == (400, False)

    run(scenario, loop)


@each_loop
def test_whoever_sends_without_end_after_a_refusal_is_cut(loop: str) -> None:
    """No time passes here: it is the bytes that are too many."""

    async def scenario() -> None:
        async with world() as here, Rude(here.address) as client:
            await client.send(b"no request\r\n\r\n")
            connection = await here.phase_is(Phase.LINGERING)
            while await client.send(b"x" * 65536):
                assert connection.heard < 8 * MIB
            await here.empty()
            assert connection.heard <= MIB + 2 * A_READ

    run(scenario, loop)


@each_loop
def test_whoever_drips_after_a_refusal_is_cut(loop: str) -> None:
    async def scenario() -> None:
        async with world() as here, Rude(here.address) as client:
            await client.send(b"no request\r\n\r\n")
            connection = await here.phase_is(Phase.LINGERING)
            for number in range(8):
                await here.pass_to(number * LIMITS.linger_seconds / 8)
                await client.send(b"x")
                await until(lambda: connection.heard == 15 + number)  # noqa: B023  awaited within the step
            await here.pass_to(LIMITS.linger_seconds - INSTANT)
            assert connection.phase is Phase.LINGERING
            await here.pass_to(LIMITS.linger_seconds)
            await here.empty()

    run(scenario, loop)


@each_loop
def test_a_head_that_is_answered_ends_the_connection_when_its_body_is_not_read(loop: str) -> None:
    """The body must not be taken for the next request."""
    seen: list[str] = []

    def opening(head: Head) -> Answer:
        seen.append(head.path)
        return Answer(status=404, content_type=PLAIN, body=b"no\n")

    async def scenario() -> None:
        async with world(Recorder(opening=opening)) as here, Rude(here.address) as client:
            body = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
            await client.send(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            (answer,), _ = answers_in(await client.to_end(), ["POST"], at_end=True)
            assert (answer.status, answer.closes) == (404, True)

    run(scenario, loop)
    assert seen == ["/nowhere"]
