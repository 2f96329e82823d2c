"""One connection as an `asyncio.Protocol`: requests in order, flow control both ways, a deadline in every phase.

One class, and so one long file: every method moves the same phase and the same deadline. What is not that stands apart:
the tables in `phases`, reading in `requests`, rendering in `answers`, all connections together in `keeper`.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, cast

from server.http.answers import CONTINUE, Answer, refusal, render_head
from server.http.application import CutShort, Exchange, Peer, Trouble
from server.http.chunked import LAST_CHUNK, chunk
from server.http.head import Head
from server.http.keeper import DRAIN_IDLE_SECONDS, Keeper
from server.http.phases import BEFORE_HEAD, READING, SILENT, TOO_SLOW, TRANSITIONS, Phase
from server.http.refusals import BodyTooLarge, HttpRefused
from server.http.requests import RequestReader

_STEPS_A_TURN = 32
"""How many heads and bodies that were sent ahead are taken before other connections get their turn."""

_LINGER_BYTES = 1024 * 1024
_AT_ONCE = struct.pack("ii", 1, 0)
_LAST_SECONDS = 5.0
"""What follows on a deadline must be over by then."""


# Python 3.11 takes long to find a member of an enumeration by its name.
_IDLE, _HEAD, _BODY, _RUNNING, _SENDING, _CLOSED = (
    Phase.IDLE,
    Phase.HEAD,
    Phase.BODY,
    Phase.RUNNING,
    Phase.SENDING,
    Phase.CLOSED,
)


class Connection(asyncio.Protocol):
    """One connection, which the keeper has let in. `proxied`: a PROXY protocol header comes first.

    `counted` is the address that it counts for, `made` whether it came to be: without that nobody else counts it out.
    """

    def __init__(self, keeper: Keeper, *, address: str, proxied: bool = False) -> None:
        self.deadline = float("inf")
        self.made = False
        self._keeper = keeper
        self._limits = keeper.limits
        self._application = keeper.application
        self._reader = RequestReader(keeper.heads)
        self.counted = None if proxied else address
        self._phase = Phase.PROXIED if proxied else Phase.OPENED
        self._peer = Peer(address=address)
        self._requests_left = keeper.limits.requests
        self._head: Head | None = None
        self._exchange: Exchange | None = None
        self._task: asyncio.Task[Any] | None = None
        self._started = 0.0
        self._body_since = 0.0
        self._keep = False
        self._turn_due = False
        self._inside_write = False
        self._answer_deadline = 0.0
        self._client_finished = False
        self._overdue = False
        self._reading_paused = False
        self._writable: asyncio.Future[None] | None = None
        self._thrown_away = 0

    # The network

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: find out who is there."""
        self._transport = transport = cast("asyncio.Transport", transport)
        secure = transport.get_extra_info("ssl_object")
        # With a mark of nothing, a pause means what it should: the network has not taken the whole answer.
        transport.set_write_buffer_limits(high=0 if secure is None else 1, low=0)
        self._peer = Peer(
            address=self._peer.address,
            port=(transport.get_extra_info("peername") or ("", 0))[1],
            secure=secure is not None,
            certificate=None if secure is None else secure.getpeercert(binary_form=True),
        )
        self.deadline = self._keeper.monotonic() + self._limits.header_seconds
        self.made = True
        self._keeper.add(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes in, and go as far as they reach."""
        phase = self._phase
        if phase is Phase.LINGERING:
            self._thrown_away += len(data)
            if self._thrown_away > _LINGER_BYTES:
                self._transport.abort()
            return
        self._reader.feed(data)
        if phase in READING and not self._turn_due:
            self._advance()
        else:
            self._pause_when_ahead()

    def _pause_when_ahead(self) -> None:
        if self._reader.waiting > self._limits.ahead_bytes and not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """The client sends no more; what it has sent whole is still answered, but for TLS."""
        self._client_finished = True
        at_rest = self._phase is Phase.LINGERING or (self._phase in READING and not self._turn_due)
        return not at_rest and not self._peer.secure

    def pause_writing(self) -> None:
        """The network does not take the whole answer now."""
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """The network has taken what was written."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None
        # Not from in here: asyncio ends a transport twice that is closed while it tells that it can be written to.
        asyncio.get_running_loop().call_soon(self._was_taken)

    def _was_taken(self) -> None:
        if self._phase is _SENDING and self._task is None and self._writable is None and not self._inside_write:
            self._finished()
            self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  the signature is asyncio's
        """The end, whoever brought it about."""
        self._to(_CLOSED)
        self.deadline = float("inf")
        if self._writable is not None:
            self._writable.cancel()
        if self._task is not None:
            self._task.cancel()
        self._give_up_exchange()
        self._keeper.leave(self.counted)
        self._keeper.remove(self)

    # The keeper

    def overdue(self, now: float) -> None:
        """The deadline of this phase has passed."""
        self.deadline = now + _LAST_SECONDS
        match self._phase:
            case Phase.HEAD:
                self._refuse(HttpRefused(408, "the head did not arrive in time"))
            case Phase.BODY:
                self._trouble(Trouble.BODY_TOO_SLOW)
            case Phase.RUNNING if self._task is not None and not self._overdue:
                self._overdue = True
                self._task.cancel()
            case phase:
                if phase in TOO_SLOW:
                    self._application.refused(self._peer, status=0, reason=TOO_SLOW[phase])
                self._reset()

    def drain(self, now: float) -> None:
        """Close soon when silent; else the answer that is due will be the last."""
        if self._phase in SILENT:
            self.deadline = min(self.deadline, now + DRAIN_IDLE_SECONDS)

    def abort(self) -> None:
        """End at once."""
        self._reset()

    # Requests

    def _to(self, phase: Phase) -> None:
        if phase not in TRANSITIONS[self._phase]:
            raise AssertionError(f"no way from {self._phase} to {phase}")
        self._phase = phase

    def _advance(self) -> None:
        """Go as far as the bytes that are there allow."""
        try:
            for _ in range(_STEPS_A_TURN):
                if not self._step():
                    return
        except HttpRefused as refused:
            self._refuse(refused)
            return
        self._turn_due = True
        self._pause_when_ahead()
        asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        """Take up reading again, after an answer or after others had their turn."""
        self._turn_due = False
        if self._phase not in READING:
            return
        if self._reader.waiting:
            self._advance()
        # Who waits for the rest of a head or a body must read, however much of it is there already.
        waits = self._phase in READING or self._reader.waiting <= self._limits.ahead_bytes
        if self._reading_paused and waits and not self._turn_due:
            self._reading_paused = False
            self._transport.resume_reading()
        if self._client_finished and self._phase in READING and not self._turn_due:
            self._transport.close()

    def _step(self) -> bool:
        """Take one part of a request; False when more bytes, or an answer, must come first."""
        phase = self._phase
        if not self._reader.waiting:
            return False
        if phase in BEFORE_HEAD:
            return self._took_head(phase)
        if phase is _BODY:
            return self._took_body()
        return phase is Phase.PROXIED and self._took_proxy_header()

    def _took_head(self, phase: Phase) -> bool:
        begins = phase is not _HEAD
        if begins:
            self._started = self._keeper.monotonic()
        head = self._reader.next_head()
        if head is not None:
            self._begin(head)
            return True
        if begins and self._reader.waiting:
            self._to(_HEAD)
            self.deadline = self._started + self._limits.header_seconds
        return False

    def _begin(self, head: Head) -> None:
        self._head = head
        self._overdue = False
        self._requests_left -= 1
        opened = self._application.open(head, self._peer)
        if isinstance(opened, Answer):
            self._send(opened, keep=not head.has_body)
            return
        self._exchange = opened
        self._to(_BODY)
        try:
            self._reader.expect_body(head, most=opened.most)
            body = self._reader.next_body()
        except BodyTooLarge:
            self._trouble(Trouble.BODY_TOO_LARGE)
            return
        if body is not None:
            self._run(body)
            return
        self._body_since = self._keeper.monotonic()
        self.deadline = self._body_deadline(self._reader.arrived)
        if head.expects_continue and not self._reader.arrived:
            self._transport.write(CONTINUE)

    def _body_deadline(self, arrived: int) -> float:
        limits = self._limits
        allowed = self._body_since + limits.body_seconds + arrived / limits.bytes_a_second
        return min(allowed, self._started + limits.exchange_seconds)

    def _took_body(self) -> bool:
        try:
            body = self._reader.next_body()
        except BodyTooLarge:
            self._trouble(Trouble.BODY_TOO_LARGE)
            return False
        if body is None:
            self.deadline = self._body_deadline(self._reader.arrived)
            return False
        self._run(body)
        return True

    def _took_proxy_header(self) -> bool:
        proxied = self._reader.next_proxy_header()
        if proxied is None:
            return False
        if proxied.client is not None:
            address, port = proxied.client
            if not self._keeper.counts_for(address):
                self._transport.abort()
                return False
            self.counted = address
            self._peer = Peer(address=address, port=port)
        self._to(Phase.OPENED)
        return True

    def _run(self, body: bytes) -> None:
        exchange = self._exchange
        assert exchange is not None  # noqa: S101  tells the type checker
        self._to(_RUNNING)
        self.deadline = self._started + self._limits.exchange_seconds
        answer = exchange.run(body)
        if isinstance(answer, Answer):
            self._send(answer)
        else:
            self._spawn(answer, self._answered)

    def _spawn(self, work: Coroutine[Any, Any, Any], then: Callable[[asyncio.Task[Any]], None]) -> None:
        task = self._task = asyncio.get_running_loop().create_task(work)
        self._keeper.tasks.add(task)
        task.add_done_callback(then)

    def _ended(self, task: asyncio.Task[Any]) -> bool:
        """Take the end of a task in; True when it came to a result that is still wanted."""
        self._keeper.tasks.discard(task)
        self._task = None
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, CutShort):
            asyncio.get_running_loop().call_exception_handler(
                {"message": "an exchange raised", "exception": error, "protocol": self}
            )
        if task.cancelled() or error is not None:
            if self._overdue and self._phase is _RUNNING:
                self._trouble(Trouble.DEADLINE_PASSED)
            elif self._phase is not _CLOSED:
                self._reset()
            return False
        return self._phase is not _CLOSED

    def _answered(self, task: asyncio.Task[Any]) -> None:
        if self._ended(task):
            self._send(task.result())
            self._go_on()

    # Answers

    def _refuse(self, refused: HttpRefused) -> None:
        """End with the generic answer to what is no request."""
        self._application.refused(self._peer, status=refused.status, reason=refused.reason)
        if self._phase is Phase.PROXIED:
            self._transport.abort()
            return
        self._give_up_exchange()
        self._send(refusal(refused.status), keep=False)

    def _trouble(self, trouble: Trouble) -> None:
        """End with the application's own answer to a trouble of its exchange."""
        assert self._exchange is not None  # noqa: S101  tells the type checker
        self._send(self._exchange.refuse(trouble), keep=False)

    def _give_up_exchange(self) -> None:
        if self._exchange is not None:
            self._exchange.aborted()
            self._exchange = None

    def _send(self, answer: Answer, *, keep: bool = True) -> None:
        head, keeper = self._head, self._keeper
        minor = 1 if head is None else head.minor
        whole = isinstance(answer.body, bytes)
        self._keep = (
            keep
            and head is not None
            and head.keep_alive
            and self._requests_left > 0
            and (self._reader.waiting > 0 or not (keeper.draining or self._client_finished))
            and (minor == 1 or whole)
        )
        self._to(_SENDING)
        self._answer_deadline = 0.0
        start = render_head(answer, date=keeper.date, keep_alive=self._keep, minor=minor)
        without_body = head is not None and head.method == "HEAD"
        if isinstance(answer.body, bytes):
            self._write(start if without_body else start + answer.body)
            if self._writable is None:
                self._finished()
            return
        self._write(start)
        self._spawn(_closed(answer.body) if without_body else self._pieces(answer.body, minor), self._streamed)

    def _write(self, data: bytes) -> None:
        limits = self._limits
        more = len(data) / limits.bytes_a_second
        now = self._keeper.monotonic()
        # Under TLS what was written before may still wait in front of it.
        before = self._answer_deadline if self._peer.secure else now
        self._answer_deadline = max(now + limits.body_seconds, before) + more
        self.deadline = self._answer_deadline
        self._inside_write = True
        self._transport.write(data)
        self._inside_write = False

    async def _pieces(self, pieces: AsyncGenerator[bytes, None], minor: int) -> None:
        """Write pieces as the network takes them; each may take as long in the making as a whole exchange."""
        try:
            await self._taken()
            async for piece in pieces:
                if piece:
                    self._write(chunk(piece) if minor else piece)
                await self._taken()
        finally:
            await pieces.aclose()
        if minor:
            self._write(LAST_CHUNK)
            if self._writable is not None:
                await self._writable

    async def _taken(self) -> None:
        """Wait until the network has taken what was written, then give the next piece its time."""
        if self._writable is not None:
            await self._writable
        self.deadline = self._keeper.monotonic() + self._limits.exchange_seconds

    def _streamed(self, task: asyncio.Task[Any]) -> None:
        if self._ended(task):
            self._finished()
            self._go_on()

    def _finished(self) -> None:
        """The network has taken the whole answer."""
        transport = self._transport
        if transport.is_closing():
            return
        if self._exchange is not None:
            self._exchange.sent()
            self._exchange = None
        self._head = None
        now = self._keeper.monotonic()
        # Under TLS what was taken may still wait below, and then has the time of its answer.
        at_least = self._answer_deadline if self._peer.secure else now
        if self._keep:
            self._to(_IDLE)
            silent = DRAIN_IDLE_SECONDS if self._keeper.draining else self._limits.idle_seconds
            self.deadline = max(now + silent, at_least)
            return
        self._to(Phase.LINGERING)
        self.deadline = max(now + self._limits.linger_seconds, at_least)
        if self._client_finished or not transport.can_write_eof():
            transport.close()
        else:
            self._linger()

    def _linger(self) -> None:
        """Say that no more will come, and throw away what does.

        What a client still sends would be answered by a reset otherwise, and that would take the answer from it.
        """
        try:
            self._transport.write_eof()
        except OSError:
            self._transport.abort()
            return
        if self._reading_paused:
            self._reading_paused = False
            self._transport.resume_reading()

    def _reset(self) -> None:
        """Cut the connection so that nobody takes what came for a whole answer, whatever its framing."""
        socket_ = self._transport.get_extra_info("socket")
        if socket_ is not None and self._phase is _SENDING:
            with contextlib.suppress(OSError):
                socket_.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self._transport.abort()


async def _closed(pieces: AsyncGenerator[bytes, None]) -> None:
    await pieces.aclose()
