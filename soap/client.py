"""The other half of the engine: typed requests to bytes, and answers or faults back. No I/O.

It reads the same contract as the server, validates what comes back, and is what the SDK stands on.
"""

import re
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from lxml import etree

from soap.arriving import ArrivingAnswer, StreamedAnswers
from soap.codec import compile_decoder, compile_encoder
from soap.contract import Contract
from soap.envelope import read_content_type, read_envelope
from soap.errors import AnswerInvalid, SoapError
from soap.messages.header import FrontClient
from soap.names import HEADER, XML_DECLARATION, Version
from soap.place import local_name
from soap.validate import Validator
from xmlgate import Limits, XmlRefused, parse

_ABOUT_HEADER = re.compile(
    r"(?P<code>[A-Z][A-Za-z]+): (?P<message>.+) \(reference (?P<reference>[0-9a-f]+)\)", re.DOTALL
)
"""How a fault about a header block looks, which may have no detail (SOAP 1.1, section 4.4)."""

ANSWER_LIMITS = Limits(max_bytes=16 * 1024 * 1024, elements=200_000)
"""What a client accepts from a server that it chose: an update file may be large."""


class FaultReceived(Exception):
    """The service answered with a fault.

    `code` is the stable name of the case ('' when the fault has no detail of an OpenDepot service), `retry` whether
    the same message may succeed later, `reference` the name of the exchange in the server's log.
    """

    def __init__(self, *, code: str, message: str, reference: str, retry: bool, path: str | None) -> None:
        super().__init__(f"{code}: {message}" if code else message)
        self.code = code
        self.message = message
        self.reference = reference
        self.retry = retry
        self.path = path


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What to POST to the service's address."""

    headers: dict[str, str]
    body: bytes


class ClientEngine:
    """The compiled contract of one service, seen from a client."""

    def __init__(self, contract: Contract, messages: ModuleType, *, version: Version = Version.SOAP12) -> None:
        self.contract = contract
        self._version = version
        self._messages = messages
        self._streamed: dict[str, StreamedAnswers] = {}
        self._validator = Validator(contract.schemas[contract.namespace])
        self._encoders = {o.name: compile_encoder(o.request, prefix="m") for o in contract.operations.values()}
        self._front_encoder = compile_encoder(contract.header_schema.elements["OnBehalfOf"], prefix="h")
        self._decoders = {o.name: compile_decoder(o.answer, messages) for o in contract.operations.values()}

    def request(self, operation: str, message: Any, *, on_behalf_of: FrontClient | None = None) -> Request:
        """Write a request; `on_behalf_of` is whom a front speaks for.

        Raises KeyError for an operation that the service does not have, ValueError for a text that XML cannot carry.
        """
        version, action = self._version, self.contract.operations[operation].action
        out = [f'{XML_DECLARATION}<soap:Envelope xmlns:soap="{version}">']
        if on_behalf_of is not None:
            out.append(f'<soap:Header><h:OnBehalfOf xmlns:h="{HEADER}">')
            self._front_encoder(on_behalf_of, out)
            out.append("</h:OnBehalfOf></soap:Header>")
        out.append("<soap:Body>")
        out.append(f'<m:{operation} xmlns:m="{self.contract.namespace}">')
        self._encoders[operation](message, out)
        out.append(f"</m:{operation}></soap:Body></soap:Envelope>")
        if version is Version.SOAP11:
            headers = {"Content-Type": version.content_type, "SOAPAction": f'"{action}"'}
        else:
            headers = {"Content-Type": f'{version.content_type}; action="{action}"'}
        return Request(headers=headers, body="".join(out).encode("utf-8"))

    def answer(self, operation: str, *, content_type: str | None, body: bytes) -> Any:
        """Read what came back. Raises FaultReceived, or AnswerInvalid."""
        try:
            kind = read_content_type(content_type)
            envelope = read_envelope(parse(body, limits=ANSWER_LIMITS, charset=kind.charset), kind)
        except (SoapError, XmlRefused) as error:
            raise AnswerInvalid(f"the answer is no SOAP message: {error}") from error
        return self._read(operation, envelope.payload, kind.version)

    def arriving(self, operation: str, *, content_type: str | None) -> ArrivingAnswer:
        """Begin to read an answer item by item.

        Raises AnswerInvalid, and ValueError for an operation whose answer is not a list.
        """
        compiled = self._streamed.get(operation)
        if compiled is None:
            described = self.contract.operations[operation]
            compiled = self._streamed[operation] = StreamedAnswers(self.contract, self._messages, described)
        return ArrivingAnswer(compiled, content_type=content_type)

    def arrived(self, operation: str, arriving: ArrivingAnswer) -> Any:
        """Give the rest of an answer that has been read item by item. Raises FaultReceived, or AnswerInvalid."""
        payload, version = arriving.close()
        return self._read(operation, payload, version)

    def _read(self, operation: str, payload: etree._Element, version: Version) -> Any:
        if payload.tag == f"{{{version}}}Fault":
            raise _fault(payload, version, self.contract.namespace)
        described = self.contract.operations[operation]
        if payload.tag != described.answer_tag:
            raise AnswerInvalid(f"the answer is not that of {operation}")
        if not self._validator.valid(payload):
            raise _invalid(self._validator.explain(payload, described.answer))
        try:
            return self._decoders[operation](payload)
        except SoapError as error:
            raise _invalid(error) from error


def _invalid(error: SoapError) -> AnswerInvalid:
    return AnswerInvalid(f"the answer does not keep to the contract at {error.path}: {error}")


def _fault(fault: etree._Element, version: Version, namespace: str) -> FaultReceived:
    if version is Version.SOAP11:
        detail, text = fault.find("detail"), fault.findtext("faultstring")
    else:
        detail, text = fault.find(f"{{{version}}}Detail"), fault.findtext(f"{{{version}}}Reason/{{{version}}}Text")
    ours = () if detail is None else next(detail.iterchildren(f"{{{namespace}}}*"), ())
    found = {local_name(child): child.text or "" for child in ours}
    in_text = None if detail is not None else _ABOUT_HEADER.fullmatch((text or "").strip())
    if in_text is not None:
        found = in_text.groupdict()
    return FaultReceived(
        code=found.get("code", ""),
        message=found.get("message", "") or (text or "").strip() or "the service answered with a fault",
        reference=found.get("reference", ""),
        retry=found.get("retry") == "Later",
        path=found.get("path"),
    )
