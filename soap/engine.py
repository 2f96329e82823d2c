"""One service: bytes to a typed call, and a typed answer to bytes. No I/O, no clock, no state between messages.

A call passes `open` (byte gate, parse, envelope, operation), then whatever identifies the caller, then `decode`
(rule R10, validation, message). No message leaves `decode` unvalidated. Answers leave through `encode` and `fault`.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

from lxml import etree

from soap.addressing import FAULT_ACTION, MOST_REPEATED, SOAP_FAULT_ACTION, Addressing, action_of, read_addressing
from soap.codec import Encode, compile_decoder, compile_encoder
from soap.contract import Contract, Operation
from soap.envelope import ON_BEHALF_OF, SECURITY, ContentType, Envelope, read_content_type, read_envelope
from soap.errors import ContractError, SoapError
from soap.faults import Blame, Fault, render_fault
from soap.messages import header as header_messages
from soap.messages.header import FrontClient
from soap.mtom import Attaching, StreamedPackage, accepts, expand, open_package, write_package
from soap.multipart import Part
from soap.names import WSU, XML_DECLARATION, Version
from soap.normalise import Taken, clear_not_nil, could_mean_absent, needless, normalise
from soap.schema import ComplexType
from soap.segments import SegmentWriter
from soap.shapes import Cut, Shapes, cut
from soap.streaming import Segments, Streamed
from soap.validate import LARGE, Validator
from xmlgate import Limits, XmlRefused, first_below, parse

_BODIES = frozenset(f"{{{version}}}Body" for version in Version)


class Received(NamedTuple):
    """A message that is an envelope of one of the service's operations, not yet validated.

    `security` is the header block Security of WS-Security, as it came. It and what stands around `payload` are still as
    they were sent, so that signatures can be verified. `size`: bytes of the message.

    `known`: the message itself where it was read by its shape: it has no header, and no tree was built of it. `parts`
    are those of a message by whose shape the next one may be read.
    """

    version: Version
    operation: Operation
    payload: etree._Element | None = None
    on_behalf_of: FrontClient | None = None
    addressing: Addressing | None = None
    security: etree._Element | None = None
    size: int = 0
    mtom: bool = False
    known: Any = None
    parts: Cut | None = None


class Reply(NamedTuple):
    """Bytes to send back, with the HTTP status and Content-Type that belong to them.

    Status 202 has neither: the request was taken, and nothing is said of it.
    """

    status: int
    content_type: str
    body: bytes | Segments

    @property
    def whole(self) -> bytes:
        """The body of a reply that is not streamed: every fault, and every answer but a `Streamed` one."""
        if isinstance(self.body, Segments):
            raise TypeError("a streamed reply has no whole body")
        return self.body


_UTF8 = frozenset({None, "utf-8", "UTF-8"})
_TAKEN = Reply(status=202, content_type="", body=b"")


class _Frame(NamedTuple):
    """What stands around an answer's content; header blocks go between `envelope` and `body`, which are `start`."""

    content_type: str
    start: str
    end: str
    envelope: str
    body: str
    action: str


def _frame(operation: Operation, version: Version, namespace: str, service: str) -> _Frame:
    name = operation.answer_tag.rpartition("}")[2]
    envelope = f'{XML_DECLARATION}<soap:Envelope xmlns:soap="{version}">'
    body = f'<soap:Body><m:{name} xmlns:m="{namespace}">'
    return _Frame(
        content_type=version.content_type,
        start=f"{envelope}{body}",
        end=f"</m:{name}></soap:Body></soap:Envelope>",
        envelope=f"{envelope}<soap:Header>",
        body=f"</soap:Header>{body}",
        action=action_of(namespace, service, f"{operation.name}Response"),
    )


def _has_binary(type_: ComplexType) -> bool:
    return any(
        _has_binary(field.type) if isinstance(field.type, ComplexType) else field.type.built_in == "base64Binary"
        for field in type_.fields
    )


class Engine:
    """The compiled contract of one service."""

    def __init__(
        self,
        contract: Contract,
        messages: ModuleType,
        *,
        limits: Limits,
        validate_answers: bool,
        own_limits: Mapping[str, Limits] | None = None,
        shapes: int = 0,
    ) -> None:
        """Compile all tables. Raises ContractError when contract and messages do not fit together.

        `own_limits`: operations, by name, whose messages may be larger than `limits` say. `shapes`: how many shapes of
        messages are remembered (see `soap.shapes`).
        """
        self.contract = contract
        self._limits = limits
        self._own_limits = {
            contract.operations[name].request_tag: own
            for name, own in (own_limits or {}).items()
            if name in contract.operations
        }
        self.usual_bytes = limits.max_bytes
        self.most_bytes = max(limits.max_bytes, *(own.max_bytes for own in self._own_limits.values()), 0)
        self._validate_answers = validate_answers
        self.shapes = Shapes(messages, most=shapes) if shapes else None
        self._validator = Validator(contract.schemas[contract.namespace])
        self._header_validator = Validator(next(s for n, s in contract.schemas.items() if n != contract.namespace))
        self._front_type = contract.header_schema.elements["OnBehalfOf"]
        self._front_decoder = compile_decoder(self._front_type, header_messages)
        operations = contract.operations.values()
        self._by_tag: Mapping[str, Operation] = {operation.request_tag: operation for operation in operations}
        self._by_action: Mapping[str, Operation] = {operation.action: operation for operation in operations}
        self._as_sent: Mapping[str, Operation] = {f'"{action}"': one for action, one in self._by_action.items()}
        self._decoders = {o.name: compile_decoder(o.request, messages) for o in operations}
        self._encoders = {o.name: compile_encoder(o.answer, prefix="m") for o in operations if not o.one_way}
        self._segment_writers: dict[str, SegmentWriter] = {}
        self._binary = frozenset(o.name for o in operations if not o.one_way and _has_binary(o.answer))
        self._attachers: dict[str, Encode] = {}
        self._frames = {
            (o.name, version): _frame(o, version, contract.namespace, contract.name)
            for o in operations
            if not o.one_way
            for version in Version
        }
        ambiguous = [name for operation in operations for name in needless(operation.request)]
        if ambiguous:
            raise ContractError(f"these could be sent empty and still be valid (rule R10): {', '.join(ambiguous)}")

    def open(
        self, body: bytes, *, content_type: str | None, soap_action: str | None, accept: str | None = None
    ) -> Received:
        """Read a message up to its operation. Raises SoapError, its `version` set when known."""
        kind = read_content_type(content_type)
        mtom, size = accepts(accept), len(body)
        others: tuple[Part, ...] = ()
        parts = self._cut(body, kind)
        if parts is not None and self.shapes is not None and (shape := self.shapes.find(parts)) is not None:
            known = shape.read(parts.values)
            if known is not None:
                action = kind.action if kind.version is Version.SOAP12 else soap_action
                self._check_action(shape.operation, action, kind.version)
                return Received(kind.version, shape.operation, None, None, None, None, size, mtom, known)
        if kind.boundary is not None:
            kind, body, others = self._unpacked(kind, body)
            mtom = True
        try:
            root = parse(body, limits=self._limits_for(body, kind.charset), charset=kind.charset)
        except XmlRefused as refused:
            raise SoapError(refused.code, refused.message, line=refused.line, version=kind.version) from refused
        envelope = read_envelope(root, kind)
        if others:
            expand(root, others, envelope.version)
        addressing = read_addressing(envelope.addressing, envelope.version) if envelope.addressing else None
        try:
            action = kind.action if envelope.version is Version.SOAP12 else soap_action
            received = self._received(envelope, action, addressing, mtom=mtom, size=size)
        except SoapError as refused:
            refused.addressing = addressing
            raise
        return received if parts is None else received._replace(parts=parts)

    def _cut(self, body: bytes, kind: ContentType) -> Cut | None:
        """Take a message apart to look for its shape, unless it is one of those that are never read by it."""
        plain = self.shapes is not None and kind.boundary is None and kind.charset in _UTF8
        return cut(body, kind.version) if plain and len(body) <= self._limits.max_bytes else None

    def _unpacked(self, kind: ContentType, body: bytes) -> tuple[ContentType, bytes, tuple[Part, ...]]:
        """Take the envelope out of an MTOM package; its own Content-Type tells its charset, and maybe the action."""
        try:
            package = open_package(body, boundary=kind.boundary or "", start=kind.start)
        except SoapError as refused:
            refused.version = kind.version
            raise
        # The part's type says again what the message is; only its other parameters are new.
        inner = read_content_type(f"{kind.version.media_type};{package.content_type.partition(';')[2]}")
        action = inner.action if kind.action is None else kind.action
        return replace(inner, action=action), package.envelope, package.others

    def _received(
        self, envelope: Envelope, action: str | None, addressing: Addressing | None, *, mtom: bool, size: int
    ) -> Received:
        operation = self._by_tag.get(str(envelope.payload.tag))
        if operation is None:
            raise SoapError(
                "OperationUnknown",
                f"the child of the Body is no operation of {self.contract.name} ({self.contract.namespace})",
                path="Envelope/Body",
                line=envelope.payload.sourceline,
                version=envelope.version,
            )
        self._check_action(operation, action, envelope.version)
        if addressing is not None:
            self._check_addressing(operation, action, addressing, envelope.version)
        return Received(
            version=envelope.version,
            operation=operation,
            payload=envelope.payload,
            on_behalf_of=self._front(envelope.blocks.get(ON_BEHALF_OF), envelope.version),
            addressing=addressing,
            security=envelope.blocks.get(SECURITY),
            size=size,
            mtom=mtom,
        )

    def _limits_for(self, body: bytes, charset: str | None) -> Limits:
        """Give the limits of a message: a large one is looked into for its operation before a tree is made of it."""
        if len(body) <= self._limits.max_bytes or not self._own_limits:
            return self._limits
        name = first_below(body, parents=_BODIES, charset=charset)
        return self._own_limits.get(name or "", self._limits)

    def _check_action(self, operation: Operation, action: str | None, version: Version) -> None:
        """Rule R9: an action is wrong only when it names another operation."""
        named = self._as_sent.get(action or "") or self._by_action.get((action or "").strip().strip('"'))
        if named is not None and named is not operation:
            raise SoapError(
                "SoapActionMismatch",
                f"the action names {named.name}, but the Body holds {operation.name}",
                path=f"Envelope/Body/{operation.name}",
                version=version,
            )

    def _check_addressing(
        self, operation: Operation, action: str | None, addressing: Addressing, version: Version
    ) -> None:
        """Hold wsa:Action to the operation and to the SOAPAction (SOAP Binding, sections 4.2 and 6.4.1.7)."""
        names = {operation.action, action_of(self.contract.namespace, self.contract.name, f"{operation.name}Request")}
        named, path = addressing.action or "", "Envelope/Header/Action"
        if named not in names:
            message = f"wsa:Action is not that of {operation.name}; send {operation.action}"
            problem = ("ProblemAction", named[:MOST_REPEATED])
            raise SoapError("ActionUnknown", message, path=path, version=version, problem=problem)
        if (action or "").strip().strip('"') not in {"", named}:
            message = "wsa:Action and the SOAPAction must be the same, or the SOAPAction empty"
            problem = ("ProblemHeaderQName", "Action")
            raise SoapError("AddressingMismatch", message, path=path, version=version, problem=problem)

    def _front(self, block: etree._Element | None, version: Version) -> FrontClient | None:
        if block is None:
            return None
        # The block itself stays as it was sent: a signature may cover it, and its id is there for that.
        block = deepcopy(block)
        for name in [n for n in block.attrib if str(n).startswith((f"{{{version}}}", f"{{{WSU}}}"))]:
            del block.attrib[name]
        if not self._header_validator.valid(block):
            error = self._header_validator.explain(block, self._front_type, about="HeaderInvalid")
            error.version = version
            error.path = f"Envelope/Header/{error.path}"
            raise error
        front: FrontClient = self._front_decoder(block)
        return front

    def decode(self, received: Received) -> Any:
        """Validate a message and give it as its dataclass. Raises SoapError SchemaViolation."""
        operation, payload = received.operation, received.payload
        if payload is None:
            return received.known
        taken: list[Taken] = []
        # Each validation of a large message is dear, and this may spare one.
        cleared = received.size > LARGE and clear_not_nil(payload, wrong=False)
        valid = self._validator.valid_of(payload, operation.request, size=received.size)
        if not valid and not (
            could_mean_absent(self._validator.wrong(payload, operation.request), payload)
            and normalise(payload, operation.request, taken=taken)
            and self._validator.valid_of(payload, operation.request, size=received.size)
        ):
            error = self._validator.explain(payload, operation.request, taken=taken, found=True)
            error.version = received.version
            raise error
        try:
            message = self._decoders[operation.name](payload)
        except SoapError as refused:
            refused.version = received.version
            raise
        if valid and not cleared and self.shapes is not None and received.parts is not None:
            self.shapes.remember(received.parts, operation, payload, message)
        return message

    def encode(self, received: Received, answer: Any, *, reference: str = "part") -> Reply:
        """Write an operation's answer in the version of the request; none for a one-way operation or ReplyTo none.

        `reference`: a name of this exchange that nobody could know before it.
        Raises ValueError for a text that XML cannot carry and for a time without a zone, and AssertionError when
        answers are validated (a setting, always on in tests) and this one is not valid.
        """
        operation, addressing = received.operation, received.addressing
        if operation.one_way:
            return _TAKEN
        frame = self._frames[operation.name, received.version]
        if addressing is None:
            start = frame.start
        elif addressing.reply.nowhere:
            return _TAKEN
        else:
            start = f"{frame.envelope}{addressing.header(frame.action)}{frame.body}"
        attaches = received.mtom and operation.name in self._binary
        if isinstance(answer, Streamed):
            package = StreamedPackage(received.version, reference=reference) if attaches else None
            body = self._segments(operation, frame._replace(start=start), answer, package)
            content_type = frame.content_type if package is None else package.content_type
            return Reply(status=200, content_type=content_type, body=body)
        if attaches:
            return self._package(received, start, answer)
        out = [start]
        self._encoders[operation.name](answer, out)
        out.append(frame.end)
        data = "".join(out).encode("utf-8")
        if self._validate_answers:
            self._check_answer(data, operation)
        return Reply(200, frame.content_type, data)

    def _package(self, received: Received, start: str, answer: Any) -> Reply:
        """Write an answer with its binary values beside it."""
        operation, version = received.operation, received.version
        encoder = self._attachers.get(operation.name)
        if encoder is None:
            encoder = self._attachers[operation.name] = compile_encoder(operation.answer, prefix="m", attach=True)
        out = Attaching(start)
        encoder(answer, out)
        out.append(self._frames[operation.name, version].end)
        if self._validate_answers:
            self.encode(received._replace(mtom=False), answer)
        content_type, body = write_package(out, version)
        return Reply(status=200, content_type=content_type, body=body)

    def _segments(
        self, operation: Operation, frame: _Frame, answer: Streamed, package: StreamedPackage | None
    ) -> Segments:
        writer = self._segment_writers.get(operation.name)
        if writer is None:
            check = partial(self._check_answer, operation=operation) if self._validate_answers else None
            writer = self._segment_writers[operation.name] = SegmentWriter(operation.answer, check=check)
        return writer.segments(answer, start=frame.start, end=frame.end, package=package)

    def _check_answer(self, body: bytes, operation: Operation) -> None:
        element = etree.fromstring(body)[-1][0]
        if not self._validator.valid(element):
            raise AssertionError(f"invalid answer: {self._validator.explain(element, operation.answer)}")

    def fault(
        self, fault: Fault, *, version: Version, addressing: Addressing | None = None, operation: str = ""
    ) -> Reply:
        """Write a fault; none when FaultTo, or else ReplyTo, is none.

        `addressing` is that of the request, and `operation` the name of its operation, both where they are known.
        """
        header = ""
        if addressing is not None:
            if addressing.fault.nowhere:
                return _TAKEN
            header = addressing.header(self._fault_action(fault, operation), fault=True)
        body = render_fault(fault, version=version, namespace=self.contract.namespace, header=header)
        return Reply(status=fault.status(version), content_type=version.content_type, body=body)

    def _fault_action(self, fault: Fault, operation: str) -> str:
        """Give the action of a fault: its own, or that of all that are SOAP's or WS-Addressing's."""
        if fault.kind.subcodes:
            return FAULT_ACTION
        if not operation or fault.kind.blame in {Blame.VERSION, Blame.HEADER, Blame.ENCODING}:
            return SOAP_FAULT_ACTION
        return action_of(self.contract.namespace, self.contract.name, operation, "Fault", fault.kind.element)
