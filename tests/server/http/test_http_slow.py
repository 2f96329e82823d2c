"""Slow clients, silent ones, and those that break off: each ends at the deadline of its phase and not before."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from http_cases import Read
from http_shell import LOOPS, Recorder, answers_in, plain
from http_slow_cases import BROKEN, CHUNKED, CLOSING, GET, LARGE_GET, POST, SLOW, Broken, Slow, large, large_or_small
from http_slow_shell import A_READ, INSTANT, LARGE, LIMITS, MIB, Rude, World, asked_ahead, run, until, world

from server.http.answers import Answer
from server.http.application import Trouble
from server.http.connection import Phase

each_loop = pytest.mark.parametrize("loop", LOOPS)


# Every phase has its deadline


@each_loop
@pytest.mark.parametrize("slow", SLOW.values(), ids=SLOW)
def test_a_client_that_falls_silent_ends_at_the_deadline_of_its_phase_and_not_before(slow: Slow, loop: str) -> None:
    recorder = Recorder(answering=slow.answering)

    async def scenario() -> None:
        async with world(recorder, proxied=slow.proxied) as here, Rude(here.address) as client:
            await client.send(slow.sends)
            connection = await here.phase_is(slow.phase)
            await until(lambda: connection.heard == len(slow.sends))
            await here.pass_to(slow.seconds - INSTANT)
            assert connection.phase is slow.phase
            assert here.reasons == []
            await here.pass_to(slow.seconds)
            await client.to_end()
            if slow.lingers:
                # The client has its answer but does not go.
                await here.pass_to(slow.seconds + LIMITS.linger_seconds - INSTANT)
                assert connection.phase is Phase.LINGERING
                await here.pass_to(slow.seconds + LIMITS.linger_seconds)
            await here.empty()
            assert not client.was_reset
            answers, left = answers_in(client.received, ["GET"] * 2, at_end=True)
            assert (tuple(answer.status for answer in answers), left) == (slow.statuses, b"")
            assert tuple(here.reasons) == slow.reasons

    run(scenario, loop)
    assert tuple(recorder.troubles) == slow.troubles
    assert (recorder.opened, recorder.sent, recorder.aborted) == (slow.opened, slow.opened, slow.aborted)


@each_loop
def test_an_idle_connection_has_its_time_anew_after_each_answer(loop: str) -> None:
    async def scenario() -> None:
        async with world() as here, Rude(here.address) as client:
            for number in range(4):
                await here.pass_to(number * (LIMITS.idle_seconds - INSTANT) if number else 0.0)
                await client.send(GET)
                await until(lambda expected=number + 1: here.recorder.sent == expected)
            assert here.keeper.open_connections == 1
            await here.pass_to(3 * (LIMITS.idle_seconds - INSTANT) + LIMITS.idle_seconds)
            await client.to_end()
            assert not client.was_reset

    run(scenario, loop)


# What drips


@each_loop
def test_a_head_that_drips_gets_no_more_time_for_that(loop: str) -> None:
    async def scenario() -> None:
        async with world() as here, Rude(here.address) as client:
            for step, byte in enumerate(GET[:-4] + b"\r\nX: " + b"x" * 1000):
                await client.send(bytes([byte]))
                connection = await here.phase_is(Phase.HEAD)
                await until(lambda: connection.heard == step + 1)  # noqa: B023  awaited within the step
                await here.pass_to((step + 1) / 64)
                if connection.phase is not Phase.HEAD:
                    break
            assert (step + 1) / 64 == LIMITS.header_seconds
            (answer,), _ = answers_in(await client.to_end(), ["GET"], at_end=True)
            assert answer.status == 408
            assert here.reasons == [(408, "the head did not arrive in time")]

    run(scenario, loop)


async def drip(here: World, client: Rude, *, pieces: int, of: Callable[[int], bytes]) -> float:
    """Send a piece of a body each 1/64 s, and give the second at which the server would hear no more of them."""
    connection = await here.phase_is(Phase.BODY)
    heard = connection.heard
    for step in range(pieces):
        await here.pass_to(step / 64)
        if connection.phase is not Phase.BODY:
            return step / 64
        await client.send(of(step))
        heard += len(of(step))
        await until(lambda: connection.heard == heard)  # noqa: B023  awaited within the step
    return pieces / 64


@each_loop
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_body_below_the_minimum_rate_ends_when_it_falls_behind(chunked: bool, loop: str) -> None:
    """512 bytes a second arrive: after 1 s they have earned half a second more, and that is over."""
    recorder = Recorder()

    async def scenario() -> None:
        async with world(recorder) as here, Rude(here.address) as client:
            await client.send(CHUNKED if chunked else POST)
            ended = await drip(here, client, pieces=1000, of=lambda _: b"8\r\n12345678\r\n" if chunked else b"12345678")
            # Behind a whole chunk waits nothing, so that chunked bytes count as those of a length do.
            assert ended == 1.0
            (answer,), _ = answers_in(await client.to_end(), ["POST"], at_end=True)
            assert (answer.status, answer.closes) == (408, True)

    run(scenario, loop)
    assert recorder.troubles == [Trouble.BODY_TOO_SLOW]
    assert (recorder.sent, recorder.aborted) == (1, 0)


@each_loop
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_body_above_the_minimum_rate_may_take_longer_than_the_time_for_a_body(chunked: bool, loop: str) -> None:
    recorder = Recorder()

    async def scenario() -> None:
        async with world(recorder) as here, Rude(here.address) as client:
            await client.send(CHUNKED if chunked else POST)
            piece = b"x" * 40
            ended = await drip(here, client, pieces=99, of=lambda _: b"28\r\n%b\r\n" % piece if chunked else piece)
            assert ended == 99 / 64 > 3 * LIMITS.body_seconds
            await client.send(b"28\r\n%b\r\n0\r\n\r\n" % piece if chunked else piece)
            await here.phase_is(Phase.IDLE)
            assert [read.body for read in recorder.reads] == [b"x" * 4000]

    run(scenario, loop)
    assert (recorder.troubles, recorder.sent) == ([], 1)


@each_loop
def test_a_body_above_the_minimum_rate_ends_with_the_time_for_an_exchange(loop: str) -> None:
    recorder = Recorder()

    async def scenario() -> None:
        async with world(recorder) as here, Rude(here.address) as client:
            await client.send(POST)
            assert await drip(here, client, pieces=1000, of=lambda _: b"x" * 20) == LIMITS.exchange_seconds
            (answer,), _ = answers_in(await client.to_end(), ["POST"], at_end=True)
            assert answer.status == 408

    run(scenario, loop)
    assert recorder.troubles == [Trouble.BODY_TOO_SLOW]


# Clients that finish, and clients that break off, in each phase


@each_loop
@pytest.mark.parametrize("resets", [False, True], ids=["finishes", "resets"])
@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_client_that_breaks_off_in_a_phase_is_let_go_at_once(broken: Broken, resets: bool, loop: str) -> None:
    recorder = Recorder()

    async def scenario() -> None:
        async with world(recorder, proxied=broken.proxied) as here, Rude(here.address) as client:
            await client.send(broken.sends)
            connection = await here.phase_is(broken.phase)
            await until(lambda: connection.heard == len(broken.sends))
            # No time passes any more: it is not a deadline that ends the connection.
            if resets:
                client.reset()
            else:
                client.finish()
                answers, left = answers_in(await client.to_end(), ["GET"], at_end=True)
                assert (tuple(answer.status for answer in answers), left) == (broken.statuses, b"")
            await here.empty()
            assert here.reasons == []

    run(scenario, loop)
    assert (recorder.opened, recorder.sent) == (broken.opened, broken.sent)
    assert recorder.troubles == []


@each_loop
def test_a_client_that_finishes_while_it_is_answered_gets_the_answer_and_the_end(loop: str) -> None:
    recorder = Recorder()

    async def scenario() -> None:
        gate = asyncio.Event()

        async def gated(read: Read) -> Answer:
            await gate.wait()
            return plain(read)

        recorder.answering = gated
        async with world(recorder) as here, Rude(here.address) as client:
            await client.send(GET)
            await here.phase_is(Phase.RUNNING)
            client.finish()
            await here.pass_to(LIMITS.exchange_seconds - INSTANT)
            gate.set()
            (answer,), _ = answers_in(await client.to_end(), ["GET"], at_end=True)
            assert (answer.status, answer.closes) == (200, True)
            await here.empty()

    run(scenario, loop)
    assert (recorder.sent, recorder.aborted) == (1, 0)


@each_loop
def test_a_client_that_finishes_while_its_large_answer_is_under_way_gets_all_of_it(loop: str) -> None:
    recorder = Recorder(answering=large)

    async def scenario() -> None:
        async with world(recorder) as here, Rude(here.address, small=True) as client:
            await client.send(GET)
            await here.phase_is(Phase.SENDING)
            client.finish()
            (answer,), _ = answers_in(await client.to_end(), ["GET"], at_end=True)
            assert len(answer.body) == LARGE
            await here.empty()

    run(scenario, loop)
    assert (recorder.sent, recorder.aborted) == (1, 0)


@each_loop
def test_a_client_that_breaks_off_while_its_request_runs_ends_what_runs(loop: str) -> None:
    ended = []

    async def watched(_read: Read) -> Answer:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)
        raise AssertionError

    recorder = Recorder(answering=watched)

    async def scenario() -> None:
        async with world(recorder) as here, Rude(here.address) as client:
            await client.send(GET)
            connection = await here.phase_is(Phase.RUNNING)
            await until(lambda: connection._task is not None)
            client.reset()
            await until(lambda: bool(ended))
            await here.empty()

    run(scenario, loop)
    assert (recorder.sent, recorder.aborted) == (0, 1)


@each_loop
def test_a_client_that_breaks_off_while_its_answer_is_under_way_aborts_it(loop: str) -> None:
    recorder = Recorder(answering=large)

    async def scenario() -> None:
        async with world(recorder) as here, Rude(here.address, small=True) as client:
            await client.send(GET)
            await here.phase_is(Phase.SENDING)
            client.reset()
            await here.empty()
            assert here.reasons == []

    run(scenario, loop)
    assert (recorder.sent, recorder.aborted) == (0, 1)


# Clients that do not read


@each_loop
def test_a_client_that_never_reads_ends_when_its_answer_was_not_taken_in_time(loop: str) -> None:
    recorder = Recorder(answering=large)
    rate = 16 * MIB
    seconds = LIMITS.body_seconds + LARGE / rate

    async def scenario() -> None:
        limits = replace(LIMITS, bytes_a_second=rate)
        async with world(recorder, limits=limits) as here, Rude(here.address, small=True) as client:
            await asked_ahead(here, client, GET)
            connection = await here.phase_is(Phase.SENDING)
            await here.pass_to(seconds - INSTANT)
            assert connection.phase is Phase.SENDING
            await here.pass_to(seconds + INSTANT)
            await here.empty()
            assert here.reasons == [(0, "the answer was not taken in time")]
            assert len(await client.to_end()) < LARGE
            assert connection.most_waiting <= limits.ahead_bytes + A_READ, "not all that was sent ahead is in memory"

    run(scenario, loop)
    assert (recorder.opened, recorder.sent, recorder.aborted) == (1, 0, 1)


@each_loop
def test_a_client_that_reads_slowly_and_above_the_rate_gets_all_and_may_ask_again(loop: str) -> None:
    recorder = Recorder(answering=large_or_small)
    rate = 8 * MIB
    seconds = LIMITS.body_seconds + LARGE / rate
    steps = 16

    async def scenario() -> None:
        limits = replace(LIMITS, bytes_a_second=rate)
        async with world(recorder, limits=limits) as here, Rude(here.address, small=True) as client:
            await client.send(LARGE_GET)
            connection = await here.phase_is(Phase.SENDING)
            taken = 0
            for step in range(steps):
                while taken < LARGE * step // steps:
                    taken += len(await client.read(65536))
                await here.pass_to((seconds - INSTANT) * (step + 1) / steps)
                assert connection.phase in {Phase.SENDING, Phase.IDLE}
            await client.send(CLOSING)
            answers, _ = answers_in(await client.to_end(), ["GET"] * 2, at_end=True)
            assert [len(answer.body) for answer in answers] == [LARGE, len("GET / and 0 bytes\n")]

    run(scenario, loop)
    assert (recorder.opened, recorder.sent, recorder.aborted) == (2, 2, 0)


# What runs for too long


@each_loop
@pytest.mark.parametrize("finished", [False, True], ids=["waits", "half open"])
def test_what_runs_past_its_deadline_is_cancelled_and_its_client_is_told(finished: bool, loop: str) -> None:
    ends = []

    async def stuck(_read: Read) -> Answer:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise
        raise AssertionError

    recorder = Recorder(answering=stuck)

    async def scenario() -> None:
        async with world(recorder) as here, Rude(here.address) as client:
            await client.send(GET)
            await here.phase_is(Phase.RUNNING)
            if finished:
                client.finish()
            await here.pass_to(LIMITS.exchange_seconds - INSTANT)
            assert ends == []
            await here.pass_to(LIMITS.exchange_seconds)
            (answer,), _ = answers_in(await client.to_end(), ["GET"], at_end=True)
            assert (answer.status, answer.body) == (503, f"{Trouble.DEADLINE_PASSED.value}\n".encode())

    run(scenario, loop)
    assert ends == ["cancelled"]
    assert (recorder.sent, recorder.aborted) == (1, 0)


@each_loop
def test_what_does_not_even_end_when_it_is_cancelled_loses_its_connection(loop: str) -> None:
    recorder = Recorder()
    cancelled = []

    async def scenario() -> None:
        release = asyncio.Event()

        async def stubborn(read: Read) -> Answer:
            while not release.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await release.wait()
                    break
                cancelled.append(1)
            return plain(read)

        recorder.answering = stubborn
        async with world(recorder) as here, Rude(here.address) as client:
            await client.send(GET)
            connection = await here.phase_is(Phase.RUNNING)
            # It must have begun, else it never will: a task that is cancelled before that just ends.
            await until(lambda: connection._task is not None)
            await asyncio.sleep(0)
            await here.pass_to(LIMITS.exchange_seconds)
            assert cancelled == [1]
            await here.pass_to(LIMITS.exchange_seconds + 1.0 - INSTANT)
            assert connection.phase is Phase.RUNNING
            await here.pass_to(LIMITS.exchange_seconds + 1.0)
            assert await client.to_end() == b""
            await here.empty()
            assert (recorder.sent, recorder.aborted) == (0, 1)
            release.set()
            await until(lambda: not here.keeper.tasks)

    run(scenario, loop)
    assert recorder.troubles == []


@each_loop
def test_a_deadline_that_one_request_survived_is_not_that_of_the_next(loop: str) -> None:
    """The first turns its cancellation into an answer; the second is stuck, and is told so like any other."""
    recorder = Recorder()

    async def scenario() -> None:
        async def resilient(read: Read) -> Answer:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if len(recorder.seen) > 1:
                    raise
            return plain(read)

        recorder.answering = resilient
        async with world(recorder) as here, Rude(here.address) as client:
            await client.send(GET)
            await here.phase_is(Phase.RUNNING)
            await here.pass_to(LIMITS.exchange_seconds - INSTANT)
            await here.pass_to(LIMITS.exchange_seconds)
            await here.phase_is(Phase.IDLE)
            await client.send(GET)
            await here.phase_is(Phase.RUNNING)
            await here.pass_to(2 * LIMITS.exchange_seconds)
            answers, _ = answers_in(await client.to_end(), ["GET"] * 2, at_end=True)
            assert [answer.status for answer in answers] == [200, 503]

    run(scenario, loop)
    assert recorder.troubles == [Trouble.DEADLINE_PASSED]


# All of them together, in real time


@pytest.mark.xdist_group("machine")
@each_loop
def test_slow_clients_of_all_kinds_together_end_in_time_while_an_honest_one_is_answered(loop: str) -> None:
    """With the system's clock: the fewest seconds are certain, and for the most there is the patience of the test.

    A second is what a busy machine may take to hand over what a client has sent.
    """
    recorder = Recorder(answering=large_or_small)
    of_each = 8
    limits = replace(
        LIMITS, header_seconds=1.0, body_seconds=1.5, idle_seconds=1.25, exchange_seconds=2.0, bytes_a_second=64 * MIB
    )
    fewest = {"silent": 1.0, "head": 1.0, "drip": 1.0, "body": 1.5, "idle": 1.25, "unread": 1.5, "finished": 0.0}
    addresses = {f"127.0.1.{number}": kind for number, kind in enumerate(fewest, 1)}

    async def slow(here: World, address: str, kind: str) -> None:
        async with Rude(here.address, small=kind == "unread", source=address) as client:
            first = {"head": GET[:9], "body": POST, "idle": GET, "unread": LARGE_GET, "finished": GET[:9]}.get(kind)
            if first is not None:
                await client.send(first)
            if kind == "finished":
                client.finish()
            if kind == "drip":
                while await client.send(b"G") and client.heard_nothing():  # noqa: ASYNC110  it drips
                    await asyncio.sleep(0.02)
            if kind == "unread":
                await until(lambda: len(here.reasons_of(address)) == of_each)
            await client.to_end()

    async def scenario() -> None:
        async with world(recorder, limits=limits, real_time=True) as here:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(slow(here, address, kind))
                    for address, kind in addresses.items()
                    for _ in range(of_each)
                ]
                while not all(task.done() for task in tasks):
                    async with Rude(here.address, source="127.0.0.1") as honest:
                        await honest.send(CLOSING)
                        answers, _ = answers_in(await honest.to_end(), ["GET"], at_end=True)
                        assert [answer.status for answer in answers] == [200]
            await here.empty()
            for address, kind in addresses.items():
                lasted = [one.lost_at - one.made_at for one in here.connections if one.peer.address == address]
                assert len(lasted) == of_each
                assert min(lasted) >= fewest[kind], kind
            reasons = {reason: sum(1 for _, found in here.reasons if found == reason) for _, reason in here.reasons}
            assert reasons == {
                "no request came in time": of_each,
                "the head did not arrive in time": 2 * of_each,
                "the answer was not taken in time": of_each,
            }

    run(scenario, loop)
    assert recorder.troubles == [Trouble.BODY_TOO_SLOW] * of_each
    assert recorder.aborted == of_each
