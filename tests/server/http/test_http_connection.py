"""A connection in memory: every move that its table allows happens, no other can, and what it tells whom."""

import asyncio
import contextlib
import itertools
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

import pytest
from http_cases import Read, request
from http_shell import (
    LOOPS,
    NOW,
    Client,
    FakeClock,
    FakeTransport,
    Recorder,
    answers_in,
    listening,
    plain,
    refusal_bytes,
    run,
    settle,
)

from server.http.accepting import Acceptor, Entrance
from server.http.answers import PLAIN, Answer
from server.http.application import Peer, Trouble
from server.http.connection import TRANSITIONS, Connection, Phase
from server.http.head import Head
from server.http.keeper import ConnectionLimits, Keeper
from server.http.proxied import render_proxy_header

GET = request(b"GET /q000/it HTTP/1.1")
CLOSING = request(b"GET /q000/it HTTP/1.1", b"Connection: close")
POST = request(b"POST /q000/it HTTP/1.1", b"Content-Length: 3")
PROXY = render_proxy_header(("192.0.2.7", 1), ("192.0.2.1", 2))
READ = Read("GET", "/q000/it")


class Watched(Connection):
    """Writes its moves down."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.moves: list[tuple[Phase, Phase]] = []

    @property
    def phase(self) -> Phase:
        return self._phase

    def _to(self, phase: Phase) -> None:
        before = self._phase
        super()._to(phase)
        self.moves.append((before, phase))


class Bench:
    """One connection with its transport, keeper and application, and time that passes when told."""

    def __init__(
        self,
        recorder: Recorder | None = None,
        *,
        limits: ConnectionLimits | None = None,
        proxied: bool = False,
        slow: bool = False,
    ) -> None:
        self.clock = FakeClock()
        self.recorder = recorder or Recorder()
        self.keeper = Keeper(
            self.recorder, limits=limits or ConnectionLimits(), clock=lambda: NOW, monotonic=self.clock
        )
        assert self.keeper.enter("192.0.2.1")
        self.connection = Watched(self.keeper, address="192.0.2.1", proxied=proxied)
        self.transport = FakeTransport(self.connection, slow=slow)

    @property
    def phase(self) -> Phase:
        return self.connection.phase

    def give(self, data: bytes) -> None:
        self.transport.give(data)

    def pass_deadline(self) -> None:
        """Let time go on until the deadline of the phase, and have it looked at."""
        self.clock.now = max(self.clock.now, self.connection.deadline)
        self.connection.overdue(self.clock.now)

    async def end(self) -> list[tuple[Phase, Phase]]:
        """Let the network go away, whatever the phase."""
        await settle()
        self.transport.lose()
        await settle()
        await self.keeper.drain(seconds=0)
        assert self.recorder.opened == self.recorder.sent + self.recorder.aborted
        return self.connection.moves


def forever(_read: Read) -> Coroutine[Any, Any, Answer]:
    async def wait() -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    return wait()


def later(read: Read) -> Coroutine[Any, Any, Answer]:
    async def wait() -> Answer:
        await asyncio.sleep(0)
        return plain(read)

    return wait()


# The table


def in_proxied() -> Bench:
    return Bench(proxied=True)


def in_opened(*, slow: bool = False, answering: Callable[[Read], Any] | None = None) -> Bench:
    return Bench(Recorder(answering=answering), slow=slow)


def in_idle(*, slow: bool = False) -> Bench:
    bench = Bench()
    bench.give(GET)
    bench.transport.slow = slow
    return bench


def in_head(*, slow: bool = False) -> Bench:
    bench = in_opened(slow=slow)
    bench.give(b"G")
    return bench


def in_body(*, answering: Callable[[Read], Any] | None = None) -> Bench:
    bench = in_opened(answering=answering)
    bench.give(POST)
    return bench


def in_running() -> Bench:
    bench = in_opened(answering=forever)
    bench.give(GET)
    return bench


def in_sending(data: bytes = GET) -> Bench:
    bench = in_opened(slow=True)
    bench.give(data)
    return bench


def in_lingering() -> Bench:
    bench = in_opened()
    bench.give(CLOSING)
    return bench


def gave(bench: Bench, data: bytes) -> Bench:
    bench.give(data)
    return bench


def took(bench: Bench) -> Bench:
    bench.transport.take()
    return bench


def told_overdue(bench: Bench) -> Bench:
    bench.pass_deadline()
    return bench


TO_CLOSED: dict[Phase, Callable[[], Bench]] = {
    Phase.PROXIED: in_proxied,
    Phase.OPENED: in_opened,
    Phase.IDLE: in_idle,
    Phase.HEAD: in_head,
    Phase.BODY: in_body,
    Phase.RUNNING: in_running,
    Phase.SENDING: in_sending,
    Phase.LINGERING: in_lingering,
}
MOVES: dict[tuple[Phase, Phase], Callable[[], Bench]] = {
    (Phase.PROXIED, Phase.OPENED): lambda: gave(in_proxied(), PROXY),
    (Phase.OPENED, Phase.HEAD): in_head,
    (Phase.OPENED, Phase.BODY): in_body,
    (Phase.OPENED, Phase.SENDING): lambda: gave(in_opened(), b"\0"),
    (Phase.IDLE, Phase.HEAD): lambda: gave(in_idle(), b"G"),
    (Phase.IDLE, Phase.BODY): lambda: gave(in_idle(), POST),
    (Phase.IDLE, Phase.SENDING): lambda: gave(in_idle(slow=True), b"\0"),
    (Phase.HEAD, Phase.BODY): lambda: gave(in_head(), POST[1:]),
    (Phase.HEAD, Phase.SENDING): lambda: told_overdue(in_head(slow=True)),
    (Phase.BODY, Phase.RUNNING): lambda: gave(in_body(answering=forever), b"abc"),
    (Phase.BODY, Phase.SENDING): lambda: told_overdue(in_body()),
    (Phase.RUNNING, Phase.SENDING): in_sending,
    (Phase.SENDING, Phase.IDLE): lambda: took(in_sending()),
    (Phase.SENDING, Phase.LINGERING): lambda: took(in_sending(CLOSING)),
    **{(phase, Phase.CLOSED): bench for phase, bench in TO_CLOSED.items()},
}
ALLOWED = [(before, after) for before, afters in TRANSITIONS.items() for after in afters]


def name_of(move: tuple[Phase, Phase]) -> str:
    return f"{move[0].name} to {move[1].name}"


@pytest.mark.parametrize("move", sorted(ALLOWED, key=name_of), ids=name_of)
def test_a_move_of_the_table_happens(move: tuple[Phase, Phase]) -> None:
    assert move in MOVES, "no way is known to make this move: it does not belong into the table"
    moves: list[tuple[Phase, Phase]] = []

    async def scenario() -> None:
        bench = MOVES[move]()
        if move[1] is Phase.CLOSED:
            assert bench.phase is move[0]
        moves.extend(await bench.end())

    run(scenario)
    assert move in moves
    assert moves[-1][1] is Phase.CLOSED


@pytest.mark.parametrize("move", [move for move in itertools.product(Phase, Phase) if move not in ALLOWED], ids=name_of)
def test_a_move_outside_the_table_is_a_defect_that_is_told(move: tuple[Phase, Phase]) -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.connection._phase = move[0]
        with pytest.raises(AssertionError, match="no way from"):
            bench.connection._to(move[1])
        assert bench.phase is move[0]
        bench.connection._phase = Phase.OPENED
        await bench.end()

    run(scenario)


def test_the_table_has_a_row_for_each_phase_and_only_closed_is_an_end() -> None:
    assert set(TRANSITIONS) == set(Phase)
    assert [phase for phase, afters in TRANSITIONS.items() if not afters] == [Phase.CLOSED]


# Order


def test_requests_that_were_sent_ahead_wait_for_the_answer_of_the_one_before() -> None:
    async def scenario() -> None:
        bench = in_opened(answering=later)
        bench.give(GET + GET + POST + b"abc" + GET)
        assert len(bench.recorder.seen) == 1
        await settle()
        assert [read.method for read in bench.recorder.reads] == ["GET", "GET", "POST", "GET"]
        answers, left = answers_in(bench.transport.written, ["GET"] * 4)
        assert [answer.status for answer in answers] == [200] * 4
        assert not left
        await bench.end()

    run(scenario)


def test_many_requests_that_were_sent_ahead_give_others_their_turn() -> None:
    """What is ready to run gets its turn in the middle of a hundred of them, and all are answered."""
    turns = []

    async def scenario() -> None:
        bench = in_opened()
        asyncio.get_running_loop().call_soon(lambda: turns.append(len(bench.recorder.seen)))
        bench.give(GET * 100)
        await settle()
        assert len(bench.recorder.seen) == 100
        await bench.end()

    run(scenario)
    assert 0 < turns[0] < 100


def test_a_client_that_finished_while_its_requests_wait_for_their_turn_is_answered_all_the_same() -> None:
    async def scenario() -> None:
        bench = in_opened()
        bench.give(GET * 100)
        bench.transport.end_of_bytes()
        await settle()
        answers, _ = answers_in(bench.transport.written, ["GET"] * 100)
        assert len(answers) == 100
        assert bench.transport.is_closing()
        await bench.end()

    run(scenario)


@pytest.mark.parametrize("behind", [b"", b"G"])
def test_a_client_that_finished_while_it_is_answered_gets_its_answer_and_the_end(behind: bytes) -> None:
    async def scenario() -> None:
        bench = in_opened(answering=later)
        bench.give(GET + behind)
        bench.transport.end_of_bytes()
        assert not bench.transport.is_closing()
        await settle()
        (answer,), _ = answers_in(bench.transport.written, ["GET"])
        assert answer.status == 200
        assert answer.closes is (behind == b"")
        assert bench.transport.is_closing()
        await bench.end()
        assert bench.recorder.sent == 1

    run(scenario)


def test_a_turn_that_was_due_when_the_connection_went_away_does_nothing() -> None:
    async def scenario() -> None:
        bench = in_opened()
        bench.give(GET * 100)
        before = len(bench.recorder.seen)
        bench.transport.lose()
        await bench.end()
        assert len(bench.recorder.seen) == before

    run(scenario)


def test_the_last_request_that_a_connection_may_make_is_told_to_be_the_last() -> None:
    async def scenario() -> None:
        bench = Bench(limits=ConnectionLimits(requests=3))
        bench.give(GET * 5)
        answers, _ = answers_in(bench.transport.written, ["GET"] * 5)
        assert [answer.closes for answer in answers] == [False, False, True]
        assert len(bench.recorder.seen) == 3
        await bench.end()

    run(scenario)


# Heads that are answered without a body being read


@pytest.mark.parametrize(("data", "stays"), [(GET, True), (POST + b"abc", False), (CLOSING, False)])
def test_an_answer_to_a_head_keeps_the_connection_only_if_no_body_follows(data: bytes, stays: bool) -> None:
    def opening(_head: Head) -> Answer:
        return Answer(status=404, content_type=PLAIN, body=b"no\n")

    async def scenario() -> None:
        bench = Bench(Recorder(opening=opening))
        bench.give(data)
        bench.give(GET)
        answers, _ = answers_in(bench.transport.written, ["GET"] * 2)
        assert [answer.status for answer in answers] == ([404, 404] if stays else [404])
        assert bench.transport.finished is not stays
        assert not bench.recorder.opened
        await bench.end()

    run(scenario)


# What the application hears


def test_a_body_that_breaks_off_in_rubbish_is_refused_and_its_exchange_is_told() -> None:
    async def scenario() -> None:
        bench = in_opened()
        bench.give(request(b"POST /q000/it HTTP/1.1", b"Transfer-Encoding: chunked"))
        bench.give(b"rubbish\r\n")
        assert bench.transport.written == refusal_bytes(400, "Bad Request")
        assert (bench.recorder.aborted, bench.recorder.sent) == (1, 0)
        await bench.end()

    run(scenario)


def test_a_refusal_in_the_middle_of_a_head_request_has_no_body() -> None:
    """RFC 9110, section 9.3.2: an answer to HEAD has none, whatever it says."""

    async def scenario() -> None:
        bench = in_opened()
        bench.give(request(b"HEAD /q000/it HTTP/1.1", b"Transfer-Encoding: chunked"))
        bench.give(b"rubbish\r\n")
        assert bench.transport.written.startswith(b"HTTP/1.1 400 ")
        assert bench.transport.written.endswith(b"\r\n\r\n")
        assert bench.transport.finished
        await bench.end()

    run(scenario)


@pytest.mark.parametrize("together", [True, False])
def test_100_continue_is_for_a_body_that_has_not_begun(together: bool) -> None:
    async def scenario() -> None:
        bench = in_opened()
        head = request(b"POST /q000/it HTTP/1.1", b"Content-Length: 3", b"Expect: 100-continue")
        for data in [head + b"a", b"bc"] if together else [head, b"a", b"bc"]:
            bench.give(data)
        assert bench.transport.written.count(b"HTTP/1.1 100 Continue\r\n\r\n") == (0 if together else 1)
        assert bench.recorder.reads == (Read("POST", "/q000/it", b"abc"),)
        await bench.end()

    run(scenario)


@pytest.mark.parametrize("framing", [b"Content-Length: 4097", b"Transfer-Encoding: chunked"])
def test_a_body_that_is_too_large_gets_the_applications_own_answer(framing: bytes) -> None:
    async def scenario() -> None:
        bench = in_opened()
        bench.give(request(b"POST /q000/it HTTP/1.1", framing) + b"1001\r\n" * (b"chunked" in framing))
        assert bench.recorder.troubles == [Trouble.BODY_TOO_LARGE]
        (answer,), _ = answers_in(bench.transport.written, ["POST"])
        assert (answer.status, answer.closes) == (413, True)
        assert bench.transport.finished
        await bench.end()
        assert bench.recorder.sent == 1

    run(scenario)


@pytest.mark.parametrize("sync", [True, False])
def test_an_exception_of_an_exchange_cuts_the_connection_and_is_told_to_the_loop(sync: bool) -> None:
    def answering(_read: Read) -> Coroutine[Any, Any, Answer]:
        async def broken() -> Answer:
            raise RuntimeError("expected")

        if sync:
            raise RuntimeError("expected")
        return broken()

    recorder = Recorder(answering=answering)
    told: list[dict[str, Any]] = []

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
        async with listening(recorder) as server, Client(server.address) as client:
            await client.send(GET)
            assert await client.to_end() == b""

    run(scenario)
    assert [str(context["exception"]) for context in told] == ["expected"]
    assert (recorder.sent, recorder.aborted) == (0, 1)


def test_an_exchange_that_cancels_itself_cuts_the_connection() -> None:
    def answering(_read: Read) -> Coroutine[Any, Any, Answer]:
        async def cancelled() -> Answer:
            raise asyncio.CancelledError

        return cancelled()

    async def scenario() -> None:
        bench = in_opened(answering=answering)
        bench.give(GET)
        await settle()
        assert bench.transport.aborted
        assert bench.transport.written == b""
        await bench.end()
        assert bench.recorder.aborted == 1

    run(scenario)


def test_a_connection_that_goes_away_cancels_what_runs_and_tells_its_exchange() -> None:
    cancelled = []

    def answering(_read: Read) -> Coroutine[Any, Any, Answer]:
        async def wait() -> Answer:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(1)
                raise
            raise AssertionError

        return wait()

    async def scenario() -> None:
        bench = in_opened(answering=answering)
        bench.give(GET)
        await settle()
        bench.transport.lose()
        await settle()
        assert cancelled == [1]
        assert (bench.recorder.sent, bench.recorder.aborted) == (0, 1)
        assert not bench.keeper.tasks
        assert bench.keeper.open_connections == 0
        await bench.end()

    run(scenario)


def test_an_answer_that_is_ready_after_the_connection_went_away_is_not_sent() -> None:
    """The exchange holds out against its cancellation."""

    def answering(read: Read) -> Coroutine[Any, Any, Answer]:
        async def stubborn() -> Answer:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return plain(read)
            raise AssertionError

        return stubborn()

    async def scenario() -> None:
        bench = in_opened(answering=answering)
        bench.give(GET)
        await settle()
        bench.transport.lose()
        await settle()
        assert bench.transport.written == b""
        assert (bench.recorder.sent, bench.recorder.aborted) == (0, 1)
        await bench.end()

    run(scenario)


# What comes after the last answer


def test_what_comes_after_the_last_answer_is_thrown_away_up_to_a_bound() -> None:
    async def scenario() -> None:
        bench = in_lingering()
        answered = bench.transport.written
        for _ in range(16):
            bench.give(GET * 100 + b"x" * (65536 - len(GET) * 100))
        assert not bench.transport.aborted
        bench.give(b"x")
        assert bench.transport.aborted
        assert bench.transport.written == answered
        assert len(bench.recorder.seen) == 1
        await bench.end()

    run(scenario)


def test_the_end_of_the_client_ends_what_lingers() -> None:
    async def scenario() -> None:
        bench = in_lingering()
        assert bench.transport.finished
        assert not bench.transport.is_closing()
        bench.transport.end_of_bytes()
        assert bench.transport.is_closing()
        await bench.end()

    run(scenario)


# Bytes that were sent ahead


def test_reading_stops_when_too_much_was_sent_ahead_and_goes_on_after_the_answer() -> None:
    gate: list[asyncio.Future[None]] = []

    def answering(read: Read) -> Coroutine[Any, Any, Answer]:
        async def wait() -> Answer:
            gate.append(asyncio.get_running_loop().create_future())
            await gate[-1]
            return plain(read)

        return wait()

    async def scenario() -> None:
        bench = Bench(Recorder(answering=answering), limits=ConnectionLimits(ahead_bytes=2 * len(GET)))
        bench.give(GET)
        await settle()
        bench.give(GET + GET)
        assert bench.transport.reading
        bench.give(GET)
        assert not bench.transport.reading
        gate[-1].set_result(None)
        await settle()
        # One was taken, and what waits is no longer too much once that one is answered.
        gate[-1].set_result(None)
        await settle()
        assert bench.transport.reading
        gate[-1].set_result(None)
        await settle()
        gate[-1].set_result(None)
        await settle()
        assert len(bench.recorder.seen) == 4
        await bench.end()

    run(scenario)


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_reading_goes_on_when_what_was_sent_ahead_is_the_start_of_a_body(framing: str) -> None:
    """Else the rest of the body could never come, and its client would be told to be too slow."""
    body = b"x" * 4000
    fields = (b"Content-Length: 4000", body), (b"Transfer-Encoding: chunked", b"fa0\r\n" + body + b"\r\n0\r\n\r\n")
    field, coded = fields[framing == "chunked"]
    data = request(b"POST /q000/it HTTP/1.1", field) + coded

    async def scenario() -> None:
        bench = Bench(Recorder(answering=later), limits=ConnectionLimits(ahead_bytes=1000))
        bench.give(GET)
        bench.give(data[:3000])
        assert not bench.transport.reading
        await settle()
        assert bench.phase is Phase.BODY
        assert bench.transport.reading
        bench.give(data[3000:])
        await settle()
        assert bench.recorder.reads == (READ, Read("POST", "/q000/it", body))
        await bench.end()

    run(scenario)


def test_reading_goes_on_when_what_was_sent_ahead_is_the_start_of_a_head() -> None:
    data = request(b"GET /q000/it HTTP/1.1", b"X: " + b"x" * 4000)

    async def scenario() -> None:
        bench = Bench(Recorder(answering=later), limits=ConnectionLimits(ahead_bytes=1000))
        bench.give(GET)
        bench.give(data[:3000])
        assert not bench.transport.reading
        await settle()
        assert bench.phase is Phase.HEAD
        assert bench.transport.reading
        bench.give(data[3000:])
        await settle()
        assert bench.recorder.reads == (READ, READ)
        await bench.end()

    run(scenario)


def test_reading_goes_on_after_the_last_answer_so_that_the_rest_can_be_thrown_away() -> None:
    async def scenario() -> None:
        bench = Bench(Recorder(answering=later), limits=ConnectionLimits(ahead_bytes=10))
        bench.give(CLOSING)
        bench.give(GET)
        assert not bench.transport.reading
        await settle()
        assert bench.phase is Phase.LINGERING
        assert bench.transport.reading
        await bench.end()

    run(scenario)


# A network that does not take the answer at once


@pytest.mark.parametrize("data", [GET, CLOSING])
def test_an_exchange_is_sent_when_the_network_has_taken_its_answer_and_not_before(data: bytes) -> None:
    async def scenario() -> None:
        bench = in_sending(data)
        await settle()
        assert bench.recorder.sent == 0
        bench.transport.take()
        await settle()
        assert bench.recorder.sent == 1
        assert bench.phase is (Phase.IDLE if data is GET else Phase.LINGERING)
        await bench.end()

    run(scenario)


def test_an_exchange_is_aborted_when_the_network_goes_away_with_its_answer() -> None:
    async def scenario() -> None:
        bench = in_sending()
        await settle()
        bench.transport.lose()
        assert (bench.recorder.sent, bench.recorder.aborted) == (0, 1)
        await bench.end()

    run(scenario)


def test_the_next_request_waits_until_the_answer_before_was_taken() -> None:
    async def scenario() -> None:
        bench = in_sending(GET + GET)
        assert len(bench.recorder.seen) == 1
        bench.transport.take()
        await settle()
        assert len(bench.recorder.seen) == 2
        await bench.end()

    run(scenario)


def test_pieces_wait_for_the_network_and_end_when_it_goes_away() -> None:
    made = []

    async def pieces() -> AsyncGenerator[bytes, None]:
        try:
            for number in range(10):
                made.append(number)
                yield b"piece"
        finally:
            made.append(-1)

    def answering(_read: Read) -> Answer:
        return Answer(status=200, content_type=PLAIN, body=pieces())

    async def scenario() -> None:
        bench = in_opened(slow=True, answering=answering)
        bench.give(GET)
        await settle()
        bench.transport.lose()
        await settle()
        assert made in ([], [0, -1])
        assert (bench.recorder.sent, bench.recorder.aborted) == (0, 1)
        await bench.end()

    run(scenario)


# Counting


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("data", [b"", b"G", GET, b"\x16\x03\x01"], ids=["silent", "a byte", "HTTP", "half a hello"])
def test_a_connection_whose_handshake_fails_is_counted_out_again(data: bytes, loop: str) -> None:
    """Else whoever fails often enough could never come in again."""
    recorder = Recorder()

    async def scenario() -> None:
        keeper = Keeper(recorder, limits=ConnectionLimits(), clock=lambda: NOW, monotonic=FakeClock())
        with socket.create_server(("127.0.0.1", 0)) as entrance:
            # A context without a certificate can finish no handshake.
            acceptor = Acceptor(Entrance(listening=entrance, tls=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)), keeper)
            acceptor.start()
            async with Client(entrance.getsockname()) as client:
                await client.send(data)
                client.finish()
                await client.to_end()
            await acceptor.stop(last=False)
        assert keeper._addresses.total() == 0
        assert keeper.open_connections == 0

    run(scenario, LOOPS[loop])
    assert [reason for _, _, reason in recorder.refusals] == ["no TLS handshake"]


def test_there_is_one_more_look_at_the_deadlines_even_if_an_answer_to_one_fails() -> None:
    """A defect of the application in one connection must not take the deadlines from all others."""

    class Broken(Recorder):
        def refused(self, peer: Peer, *, status: int, reason: str) -> None:
            raise RuntimeError("expected")

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        bench = Bench(Broken())
        bench.keeper._ticking.cancel()
        bench.clock.now = bench.connection.deadline
        with contextlib.suppress(RuntimeError):
            bench.keeper._tick()
        assert bench.keeper._ticking is not None
        bench.keeper._ticking.cancel()
        await bench.end()

    run(scenario)
