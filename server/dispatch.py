"""One exchange from admission to answer: the stages in order, the deadline, the fault, the one event."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from observe import EventLog, Metrics
from server.access import Caller, GateB, gate_a
from server.errors import DeadlinePassed, NotIdentified
from server.faults import fault_for
from server.handlers.base import Call, Handler, Services
from soap import Engine, Exchange, Received, Reply, SoapError, Stage, Version

ResultT = TypeVar("ResultT")

OFF_LOOP_BYTES = 64 * 1024
"""Bodies above this are parsed, validated and decoded in a thread, so that they do not hold up other exchanges."""

NO_HEADERS: Mapping[str, str] = {}
CHALLENGE: Mapping[str, str] = {
    "WWW-Authenticate": 'Bearer realm="opendepot", Basic realm="opendepot", charset="UTF-8"'
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """A SOAP service of this process. `identified`: a shop must prove who it is."""

    path: str
    engine: Engine
    handlers: Mapping[str, Handler]
    wsdl: bytes
    identified: bool

    @property
    def name(self) -> str:
        """The name in the WSDL."""
        return self.engine.contract.name


class Incoming(Protocol):
    """A request as a shell gives it: what stood in the HTTP header, and a way to read the body."""

    content_type: str | None
    content_encoding: str | None
    content_length: int | None
    soap_action: str | None
    authorization: str | None
    peer: str

    async def read(self, most: int) -> bytes:
        """Read the body. Raises `soap.SoapError` TooLarge, `server.errors.BodyTooSlow`, ConnectionError."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a shell sends back."""

    reply: Reply
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(kw_only=True, slots=True)
class _Running:
    """What becomes known of an exchange while it runs."""

    service: Service
    reference: str
    version: Version = Version.SOAP11
    operation: str = ""
    request_bytes: int = 0
    caller: Caller | None = None
    exchange: Exchange = field(default_factory=Exchange)


class Dispatcher:
    """Carries out exchanges, each with its own reference in log and fault."""

    def __init__(
        self,
        *,
        gate_b: GateB,
        services: Services,
        events: EventLog,
        metrics: Metrics,
        monotonic: Callable[[], float],
        random: Callable[[int], bytes],
        max_body_bytes: int,
        exchange_seconds: float,
    ) -> None:
        self._gate_b = gate_b
        self._services = services
        self._events = events
        self._metrics = metrics
        self._monotonic = monotonic
        self._random = random
        self._max_body_bytes = max_body_bytes
        self._exchange_seconds = exchange_seconds

    async def exchange(self, service: Service, incoming: Incoming) -> Answer:
        """Answer one request, with a fault if need be. Raises only CancelledError and ConnectionError."""
        running = _Running(service=service, reference=self._random(8).hex())
        started = self._monotonic()
        outcome, status = "aborted", 0
        self._metrics.in_flight.inc()
        try:
            answer, outcome = await self._answered(running, incoming)
            status = answer.reply.status
            running.exchange.to(Stage.SENT)
        except (asyncio.CancelledError, ConnectionError):
            running.exchange.to(Stage.ABORTED)
            raise
        else:
            return answer
        finally:
            seconds = self._monotonic() - started
            self._metrics.in_flight.dec()
            self._metrics.exchanged(
                service=service.name,
                operation=running.operation,
                outcome=outcome,
                seconds=seconds,
                request_bytes=running.request_bytes,
            )
            self._log(running, incoming, outcome=outcome, status=status, seconds=seconds)

    async def _answered(self, running: _Running, incoming: Incoming) -> tuple[Answer, str]:
        try:
            return Answer(reply=await self._in_time(running, incoming)), "ok"
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001  the rim: any error ends as a fault with a reference
            return self._faulted(running, error)

    def _faulted(self, running: _Running, error: Exception) -> tuple[Answer, str]:
        fault = fault_for(error, reference=running.reference)
        if fault.code == "Internal":
            self._events.failure("internal_error", error, reference=running.reference, service=running.service.name)
        if isinstance(error, SoapError) and error.version is not None:
            running.version = error.version
        running.exchange.to(Stage.FAULTING)
        reply = running.service.engine.fault(fault, version=running.version)
        return Answer(reply=reply, headers=CHALLENGE if isinstance(error, NotIdentified) else NO_HEADERS), fault.code

    async def _in_time(self, running: _Running, incoming: Incoming) -> Reply:
        deadline = asyncio.timeout(self._exchange_seconds)
        try:
            async with deadline:
                return await self._carried_out(running, incoming)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise DeadlinePassed("the exchange took too long; it may have been carried out") from error

    async def _carried_out(self, running: _Running, incoming: Incoming) -> Reply:
        """Pass all stages, in the order of design section 3."""
        service, exchange = running.service, running.exchange
        engine = service.engine
        kind = gate_a(
            content_type=incoming.content_type,
            content_encoding=incoming.content_encoding,
            declared=incoming.content_length,
            most=self._max_body_bytes,
        )
        running.version = kind.version
        body = await incoming.read(self._max_body_bytes)
        running.request_bytes = len(body)
        exchange.to(Stage.ADMITTED)
        off_loop = len(body) > OFF_LOOP_BYTES
        received = await _on(
            off_loop,
            lambda: engine.open(body, content_type=incoming.content_type, soap_action=incoming.soap_action),
        )
        running.version, running.operation = received.version, received.operation.name
        running.caller = await self._gate_b.admit(
            received, authorization=incoming.authorization, identified=service.identified
        )
        exchange.to(Stage.AUTHENTICATED)
        message = await _on(off_loop, lambda: engine.decode(received))
        exchange.to(Stage.VALIDATED)
        return await self._handled(running, received, Call(message=message, caller=running.caller))

    async def _handled(self, running: _Running, received: Received, call: Call[object]) -> Reply:
        running.exchange.to(Stage.RUNNING)
        answer = await running.service.handlers[received.operation.name](call, self._services)
        reply = running.service.engine.encode(received, answer)
        running.exchange.to(Stage.ANSWERING)
        return reply

    def _log(self, running: _Running, incoming: Incoming, *, outcome: str, status: int, seconds: float) -> None:
        shop = None if running.caller is None else running.caller.identified_shop
        self._events.info(
            "exchange",
            reference=running.reference,
            service=running.service.name,
            operation=running.operation,
            version="1.1" if running.version is Version.SOAP11 else "1.2",
            peer=incoming.peer,
            shop=None if shop is None else shop.name,
            stage=running.exchange.reached.value,
            outcome=outcome,
            status=status,
            request_bytes=running.request_bytes,
            milliseconds=round(seconds * 1000, 3),
        )


async def _on(off_loop: bool, work: Callable[[], ResultT]) -> ResultT:  # noqa: FBT001  reads well at the call
    return await asyncio.to_thread(work) if off_loop else work()
