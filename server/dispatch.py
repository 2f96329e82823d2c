"""One exchange from admission to answer: the stages in order, the fault, the one event."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from ipfilters import Endpoint
from observe import EventLog, Metrics
from server.errors import BodyTooSlow, DeadlinePassed, NotIdentified, ServerError
from server.faults import fault_for
from server.handlers.base import Call, Handler, Services
from server.http.answers import PLAIN, Answer
from server.http.application import CutShort, Peer, Trouble
from server.http.head import Head
from server.pages.contract import Page
from server.security.callers import Caller, Calling
from server.security.gates import Gates, gate_a
from server.security.guessing import GuessKeeper, is_guess, targets_of
from server.security.wssecurity.once import carried_out_once
from server.security.wssecurity.refusals import SecurityFailed, SecurityRefused, SecurityReplayed
from server.security.wssecurity.signing import AnswerSigner
from soap import Addressing, Engine, Exchange, Received, Reply, Segments, SoapError, Stage, Version
from storage import Storage

OFF_LOOP_BYTES = 64 * 1024
"""Bodies above this are parsed, validated, decoded and answered in a thread, so that they hold up nobody else."""

CHALLENGE = (("www-authenticate", 'Bearer realm="opendepot", Basic realm="opendepot", charset="UTF-8"'),)


# Python 3.11 takes long to find a member of an enumeration by its name.
_ADMITTED, _AUTHENTICATED, _VALIDATED, _RUNNING, _ANSWERING, _SENT = (
    Stage.ADMITTED,
    Stage.AUTHENTICATED,
    Stage.VALIDATED,
    Stage.RUNNING,
    Stage.ANSWERING,
    Stage.SENT,
)
_ENDPOINTS: Mapping[str, Endpoint] = {each.value: each for each in Endpoint}


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """A SOAP service of this process.

    `documents`: what GET gives, by the query in lower case (`wsdl`,
    `xsd=sales.xsd`). `page` is for people. `name` is that in the WSDL, `endpoint` what IP filters call it.
    """

    path: str
    engine: Engine
    handlers: Mapping[str, Handler]
    documents: Mapping[str, bytes]
    page: Page | None = None
    name: str = field(init=False)
    endpoint: Endpoint = field(init=False)

    def __post_init__(self) -> None:
        """Look up once what each exchange asks for."""
        object.__setattr__(self, "name", self.engine.contract.name)
        object.__setattr__(self, "endpoint", _ENDPOINTS[self.name])


class Dispatcher:
    """Opens exchanges, each with its own reference in log and fault, and holds what they need."""

    def __init__(
        self,
        *,
        gates: Gates,
        guesses: GuessKeeper,
        services: Services,
        events: EventLog,
        metrics: Metrics,
        monotonic: Callable[[], float],
        random: Callable[[int], bytes],
        body_seconds: float,
        storage: Storage,
        signer: AnswerSigner | None = None,
    ) -> None:
        self.gates = gates
        self.guesses = guesses
        self.services = services
        self.events = events
        self.metrics = metrics
        self.monotonic = monotonic
        self.random = random
        self.body_seconds = body_seconds
        self.storage = storage
        self.signer = signer

    def open(self, service: Service, head: Head, peer: Peer, *, named: str | None = None) -> "SoapExchange | Answer":
        """Admit a request by its head, or answer it with a fault; `named` is the shop in the URL."""
        exchange = SoapExchange(self, service, head, peer, named=named)
        try:
            exchange.admit()
        except (SoapError, ServerError) as error:
            answer = exchange.faulted(error)
            exchange.sent()
            return answer
        return exchange

    def refuse_reader(self, endpoint: Endpoint, head: Head, peer: Peer) -> Answer | None:
        """Give the refusal of who may not even read what a service publishes, None for everybody else.

        What is published is no secret, so what no rule names may be read; only rules that deny count.
        """
        try:
            calling = self.gates.calling(
                endpoint, peer=peer.address, secure=peer.secure, certificate=None, fields=head.fields, named=None
            )
            self.gates.admit_reader(calling)
        except ServerError as error:
            reference = self.random(8).hex()
            if error.denial is not None:
                self.gates.tell_denied(reference, error.denial)
            status = fault_for(error, reference=reference).status(Version.SOAP12)
            text = f"{error.code}: {error.message} (reference {reference})\n"
            return Answer(status=status, content_type=PLAIN, body=text.encode())
        return None


class SoapExchange:
    """One SOAP exchange. The shell gives it a body, or tells its trouble, and at the end how it ended."""

    __slots__ = (
        "_addressing",
        "_caller",
        "_calling",
        "_dispatcher",
        "_head",
        "_message",
        "_named",
        "_one_way",
        "_operation",
        "_outcome",
        "_peer",
        "_reference",
        "_request_bytes",
        "_service",
        "_signs",
        "_stages",
        "_started",
        "_status",
        "_version",
    )

    def __init__(self, dispatcher: Dispatcher, service: Service, head: Head, peer: Peer, *, named: str | None) -> None:
        self._dispatcher = dispatcher
        self._service = service
        self._head = head
        self._peer = peer
        self._named = named
        self._calling: Calling | None = None
        self._signs = dispatcher.signer is not None and dispatcher.signer.wanted(None)
        self._stages = Exchange()
        self._reference = dispatcher.random(8).hex()
        self._started = dispatcher.monotonic()
        self._version = Version.SOAP11
        self._addressing: Addressing | None = None
        self._one_way = False
        self._operation = ""
        self._request_bytes = 0
        self._caller: Caller | None = None
        self._message: object = None
        self._outcome = "ok"
        self._status = 0
        dispatcher.metrics.in_flight += 1

    @property
    def most(self) -> int:
        """The greatest body that is admitted, in bytes."""
        return self._service.engine.most_bytes

    def admit(self) -> None:
        """Pass gate A. Raises SoapError, ServerError."""
        fields, gates = self._head.fields, self._dispatcher.gates
        self._version = gate_a(
            content_type=fields.get("content-type"),
            content_encoding=fields.get("content-encoding"),
            declared=self._head.length,
            most=self.most,
        ).version
        self._calling = gates.calling(
            self._service.endpoint,
            peer=self._peer.address,
            secure=self._peer.secure,
            certificate=self._peer.certificate,
            fields=fields,
            named=self._named,
        )
        gates.admit_address(self._calling)

    def run(self, body: bytes) -> Coroutine[Any, Any, Answer]:
        """Give what answers the request, with a fault if need be."""
        return self._answered(body)

    async def _answered(self, body: bytes) -> Answer:
        try:
            reply = await self._carried_out(body)
            answer_body = reply.body if isinstance(reply.body, bytes) else await self._begun(reply.body)
            self._stages.to(_ANSWERING)
        except Exception as error:  # noqa: BLE001  the rim: any error ends as a fault with a reference
            await self._count_guess(error)
            return self.faulted(error)
        self._status = reply.status
        if isinstance(answer_body, bytes) and self._signs and answer_body:
            answer_body = self._signed(answer_body)
        return Answer(status=reply.status, content_type=reply.content_type, body=answer_body)

    def _signed(self, body: bytes) -> bytes:
        signer = self._dispatcher.signer
        return body if signer is None else signer.sign(body)

    async def _begun(self, segments: Segments) -> AsyncGenerator[bytes, None]:
        """Give a streamed body only when its first item is there, since a fault is possible until then."""
        try:
            first = await anext(segments.items, None)
            start = segments.prefix + (segments.suffix() + segments.end if first is None else segments.encode(first))
        except BaseException:
            await segments.items.aclose()
            raise
        return self._pieces(start, segments, whole=first is None)

    async def _pieces(self, start: bytes, segments: Segments, *, whole: bool) -> AsyncGenerator[bytes, None]:
        """Write a streamed answer to its end. What fails now cannot become a fault, so the connection is cut."""
        dispatcher = self._dispatcher
        try:
            yield start
            if whole:
                return
            dispatcher.metrics.streamed_items.labels(self._service.name, self._operation).inc()
            async for item in segments.items:
                yield segments.encode(item)
                dispatcher.metrics.streamed_items.labels(self._service.name, self._operation).inc()
            yield segments.suffix()
            for place, load in enumerate(segments.attached, start=1):
                yield segments.part(place, await load())
            if segments.end:
                yield segments.end
        except Exception as error:
            fault = fault_for(error, reference=self._reference)
            fields = {"reference": self._reference, "service": self._service.name, "operation": self._operation}
            if fault.code == "Internal":
                dispatcher.events.failure("internal_error", error, **fields)
            dispatcher.events.warning("stream_cut", code=fault.code, **fields)
            raise CutShort from error
        finally:
            await segments.items.aclose()

    def refuse(self, trouble: Trouble) -> Answer:
        """Give the fault for a trouble of the shell's."""
        match trouble:
            case Trouble.BODY_TOO_LARGE:
                error: Exception = SoapError("TooLarge", f"the body is larger than {self.most} bytes")
            case Trouble.BODY_TOO_SLOW:
                error = BodyTooSlow(f"the body did not arrive within {self._dispatcher.body_seconds:g} s")
            case Trouble.DEADLINE_PASSED:
                error = DeadlinePassed("the exchange took too long; it may have been carried out")
        return self.faulted(error)

    def faulted(self, error: Exception) -> Answer:
        """Give the fault for an error."""
        fault = fault_for(error, reference=self._reference)
        if fault.code == "Internal":
            self._dispatcher.events.failure(
                "internal_error", error, reference=self._reference, service=self._service.name
            )
        if isinstance(error, ServerError) and error.denial is not None:
            self._dispatcher.gates.tell_denied(self._reference, error.denial)
        if isinstance(error, SecurityRefused):
            self._dispatcher.events.info(
                "message_security_refused", reference=self._reference, code=fault.code, detail=_detail(error)
            )
        if isinstance(error, SecurityReplayed):
            # Found out when the marks are written, long after the proofs were counted.
            self._dispatcher.metrics.message_security.labels(fault.code).inc()
        if isinstance(error, SoapError) and error.version is not None:
            self._version = error.version
        self._stages.to(Stage.FAULTING)
        addressing = error.addressing if isinstance(error, SoapError) else None
        reply = self._service.engine.fault(
            fault, version=self._version, addressing=addressing or self._addressing, operation=self._operation
        )
        self._outcome, self._status = fault.code, reply.status
        return Answer(
            status=reply.status,
            content_type=reply.content_type,
            # Whoever sends one-way waits for no envelope (Basic Profile 1.1, R2714); the status tells enough.
            body=b"" if self._one_way else self._signed(reply.whole) if self._signs else reply.whole,
            fields=CHALLENGE if isinstance(error, NotIdentified) else (),
        )

    async def _count_guess(self, error: Exception) -> None:
        call = self._calling
        if call is not None and is_guess(error, call):
            account = None if self._caller is None else self._caller.account
            await self._dispatcher.guesses.failed(call.client.address, targets_of(call, self._message, account))

    async def _carried_out(self, body: bytes) -> Reply:
        """Pass all stages, one after the other for an address that guesses."""
        assert self._calling is not None  # noqa: S101  gate A has made it
        if self._dispatcher.guesses.idle:
            return await self._through_gate_b(body, self._calling)
        async with self._dispatcher.guesses.slowed_down(self._calling.client.address):
            return await self._through_gate_b(body, self._calling)

    async def _through_gate_b(self, body: bytes, call: Calling) -> Reply:
        """Pass the stages in the order of design section 3."""
        dispatcher, service, stages, fields = self._dispatcher, self._service, self._stages, self._head.fields
        engine = service.engine
        self._request_bytes = len(body)
        stages.to(_ADMITTED)
        off_loop = len(body) > OFF_LOOP_BYTES
        if len(body) > engine.usual_bytes:
            await dispatcher.gates.admit_large(call, usual=engine.usual_bytes)
        content_type, soap_action, accept = fields.get("content-type"), fields.get("soapaction"), fields.get("accept")
        if off_loop:
            received = await asyncio.to_thread(
                engine.open, body, content_type=content_type, soap_action=soap_action, accept=accept
            )
        else:
            received = engine.open(body, content_type=content_type, soap_action=soap_action, accept=accept)
        self._version, self._operation = received.version, received.operation.name
        self._addressing, self._one_way = received.addressing, received.operation.one_way
        self._signs = dispatcher.signer is not None and dispatcher.signer.wanted(received.security)
        received, self._caller = await dispatcher.gates.admit(received, call)
        stages.to(_AUTHENTICATED)
        if call.front is None or dispatcher.guesses.idle:
            return await self._decoded(received, self._caller, off_loop=off_loop)
        async with dispatcher.guesses.slowed_down(call.client.address):
            return await self._decoded(received, self._caller, off_loop=off_loop)

    async def _decoded(self, received: Received, caller: Caller, *, off_loop: bool) -> Reply:
        engine, stages = self._service.engine, self._stages
        message = await asyncio.to_thread(engine.decode, received) if off_loop else engine.decode(received)
        self._message = message
        stages.to(_VALIDATED)
        return await self._handled(received, Call(message=message, caller=caller), off_loop=off_loop)

    async def _handled(self, received: Received, call: Call[object], *, off_loop: bool) -> Reply:
        self._stages.to(_RUNNING)
        service = self._service
        handler, marks = service.handlers[received.operation.name], call.caller.marks
        if marks:
            answer = await carried_out_once(
                marks, self._dispatcher.storage, lambda: handler(call, self._dispatcher.services)
            )
        else:
            answer = await handler(call, self._dispatcher.services)
        encode = service.engine.encode
        if off_loop:
            return await asyncio.to_thread(encode, received, answer, reference=self._reference)
        return encode(received, answer, reference=self._reference)

    def sent(self) -> None:
        """The network has taken the whole answer."""
        self._stages.to(_SENT)
        self._over(self._outcome, self._status)

    def aborted(self) -> None:
        """The connection ended before the answer was taken."""
        self._stages.to(Stage.ABORTED)
        self._over("aborted", 0)

    def _over(self, outcome: str, status: int) -> None:
        dispatcher, service = self._dispatcher, self._service.name
        seconds = dispatcher.monotonic() - self._started
        dispatcher.metrics.in_flight -= 1
        dispatcher.metrics.exchanged(
            service=service,
            operation=self._operation,
            outcome=outcome,
            seconds=seconds,
            request_bytes=self._request_bytes,
        )
        shop, calling = None if self._caller is None else self._caller.identified_shop, self._calling
        dispatcher.events.exchange(
            reference=self._reference,
            service=service,
            operation=self._operation,
            version="1.1" if self._version is Version.SOAP11 else "1.2",
            peer=self._peer.address,
            client=None if calling is None else calling.client.address,
            front=None if calling is None else calling.front,
            address_allowed=None if calling is None else calling.allowed,
            filter_version=None if calling is None else calling.version,
            shop=None if shop is None else shop.name,
            stage=self._stages.reached,
            outcome=outcome,
            status=status,
            request_bytes=self._request_bytes,
            milliseconds=round(seconds * 1000, 3),
        )


def _detail(error: SecurityRefused) -> str:
    return error.detail if isinstance(error, SecurityFailed) else ""
