"""Faults: one value, one writer per SOAP version, and how each refusal of the engine looks on the wire."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from soap.codec import escape
from soap.names import XML, XML_DECLARATION, Version


class Blame(StrEnum):
    """Whose fault it is, by SOAP 1.2's names (SOAP 1.2 part 1 section 5.4.6; SOAP 1.1 section 4.4.1)."""

    SENDER = "Sender"
    RECEIVER = "Receiver"
    VERSION = "VersionMismatch"
    HEADER = "MustUnderstand"


_SOAP11_CODES = {Blame.SENDER: "Client", Blame.RECEIVER: "Server"}


@dataclass(frozen=True, kw_only=True, slots=True)
class FaultKind:
    """What is fixed for a fault code: the detail element, whose fault it is, HTTP status, and what to do.

    `status` None: by the rules of the SOAP version. `retry`: the same message may succeed later. `about_header`: SOAP
    1.1 (section 4.4) forbids a detail then. `meaning` and `mend` are for the reference of fault codes.
    """

    element: str
    meaning: str
    mend: str
    blame: Blame = Blame.SENDER
    status: int | None = None
    retry: bool = False
    about_header: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One fault to send. `reference` names the exchange in the log."""

    code: str
    kind: FaultKind
    message: str
    reference: str
    path: str | None = None
    not_understood: tuple[tuple[str, str], ...] = ()

    def status(self, version: Version) -> int:
        """Give the HTTP status: SOAP 1.1 sends 500 (section 6.2), SOAP 1.2 sends 400 for Sender (part 2, table 20)."""
        if self.kind.status is not None:
            return self.kind.status
        return 400 if version is Version.SOAP12 and self.kind.blame is Blame.SENDER else 500


def render_fault(fault: Fault, *, version: Version, namespace: str) -> bytes:
    """Write a fault message whose detail element is in the service's `namespace`."""
    detail = _detail(fault, namespace)
    return (_render_soap11 if version is Version.SOAP11 else _render_soap12)(fault, detail).encode("utf-8")


def _detail(fault: Fault, namespace: str) -> str:
    path = "" if fault.path is None else f"<f:path>{escape(fault.path)}</f:path>"
    return (
        f'<f:{fault.kind.element} xmlns:f="{namespace}"><f:code>{fault.code}</f:code>'
        f"<f:message>{escape(fault.message)}</f:message><f:reference>{escape(fault.reference)}</f:reference>"
        f"<f:retry>{'Later' if fault.kind.retry else 'Never'}</f:retry>{path}</f:{fault.kind.element}>"
    )


def _render_soap11(fault: Fault, detail: str) -> str:
    code = _SOAP11_CODES.get(fault.kind.blame, fault.kind.blame.value)
    body = "" if fault.kind.about_header else f"<detail>{detail}</detail>"
    return (
        f'{XML_DECLARATION}<soap:Envelope xmlns:soap="{Version.SOAP11}"><soap:Body><soap:Fault>'
        f'<faultcode>soap:{code}</faultcode><faultstring xml:lang="en">{escape(fault.message)}</faultstring>{body}'
        "</soap:Fault></soap:Body></soap:Envelope>"
    )


def _render_soap12(fault: Fault, detail: str) -> str:
    blocks = "".join(_not_understood(namespace, local) for namespace, local in fault.not_understood if namespace)
    if fault.kind.blame is Blame.VERSION:
        blocks = "<soap:Upgrade>" + "".join(_supported(version) for version in (Version.SOAP12, Version.SOAP11))
        blocks += "</soap:Upgrade>"
    header = f"<soap:Header>{blocks}</soap:Header>" if blocks else ""
    return (
        f'{XML_DECLARATION}<soap:Envelope xmlns:soap="{Version.SOAP12}">{header}<soap:Body>'
        f"<soap:Fault><soap:Code><soap:Value>soap:{fault.kind.blame}</soap:Value></soap:Code>"
        f'<soap:Reason><soap:Text xml:lang="en">{escape(fault.message)}</soap:Text></soap:Reason>'
        f"<soap:Detail>{detail}</soap:Detail></soap:Fault></soap:Body></soap:Envelope>"
    )


def _not_understood(namespace: str, local: str) -> str:
    # No prefix but `xml` may be bound to its namespace (Namespaces in XML 1.0, section 3).
    if namespace == XML:
        return f'<soap:NotUnderstood qname="xml:{_attribute(local)}"/>'
    return f'<soap:NotUnderstood qname="n:{_attribute(local)}" xmlns:n="{_attribute(namespace)}"/>'


def _supported(version: Version) -> str:
    return f'<soap:SupportedEnvelope qname="v:Envelope" xmlns:v="{version}"/>'


def _attribute(text: str) -> str:
    return escape(text).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")


_MALFORMED = "The message is not well-formed XML 1.0."
_UNREADABLE = "Send XML 1.0 without DTD and processing instructions, as UTF-8 or UTF-16."

ENGINE_FAULTS: Mapping[str, FaultKind] = {
    "Malformed": FaultKind(
        element="RequestFault", meaning=_MALFORMED, mend="Escape values; the message names the line."
    ),
    "DtdForbidden": FaultKind(
        element="RequestFault", meaning="The message has a DTD, which SOAP forbids.", mend=_UNREADABLE
    ),
    "ProcessingInstruction": FaultKind(
        element="RequestFault",
        meaning="The message has a processing instruction, which SOAP forbids.",
        mend=_UNREADABLE,
    ),
    "EncodingUnsupported": FaultKind(
        element="RequestFault",
        meaning="The encoding is not UTF-8 or UTF-16, or declared otherwise.",
        mend=_UNREADABLE,
    ),
    "TooLarge": FaultKind(
        element="RequestFault",
        status=413,
        meaning="The body is larger than the operation allows.",
        mend="Send less at once.",
    ),
    "TooComplex": FaultKind(
        element="RequestFault",
        meaning="A limit of depth, elements, attributes or names is passed.",
        mend="Send a plainer message.",
    ),
    "MediaTypeUnsupported": FaultKind(
        element="RequestFault",
        status=415,
        meaning="The Content-Type is none of SOAP's.",
        mend="Send text/xml for SOAP 1.1 or application/soap+xml for SOAP 1.2.",
    ),
    "ContentEncodingRefused": FaultKind(
        element="RequestFault",
        status=415,
        meaning="The body is compressed.",
        mend="Send it without Content-Encoding.",
    ),
    "ContentTypeMismatch": FaultKind(
        element="RequestFault",
        status=415,
        meaning="The Content-Type is of one SOAP version and the envelope of the other.",
        mend="Let both be of one version.",
    ),
    "VersionMismatch": FaultKind(
        element="RequestFault",
        blame=Blame.VERSION,
        meaning="The root element is no envelope of SOAP 1.1 or 1.2.",
        mend="Use one of the two envelope namespaces.",
    ),
    "EnvelopeInvalid": FaultKind(
        element="RequestFault",
        meaning="The envelope is not built as SOAP says.",
        mend="Send one Header at most and one Body.",
    ),
    "HeaderInvalid": FaultKind(
        element="RequestFault",
        about_header=True,
        meaning="A header block of this service stands in a wrong namespace, twice, or with wrong content.",
        mend="Write it as the WSDL declares it.",
    ),
    "NotUnderstood": FaultKind(
        element="RequestFault",
        blame=Blame.HEADER,
        about_header=True,
        meaning="A header block with mustUnderstand is not known here.",
        mend="Leave it out, or drop mustUnderstand.",
    ),
    "OperationUnknown": FaultKind(
        element="RequestFault",
        meaning="The child of the Body is no operation of this service.",
        mend="Check name, namespace and address.",
    ),
    "SoapActionMismatch": FaultKind(
        element="RequestFault",
        meaning="The SOAPAction names another operation than the Body does.",
        mend="Send the operation's own SOAPAction, or an empty one.",
    ),
    "SchemaViolation": FaultKind(
        element="RequestFault",
        meaning="The message does not keep to the schema.",
        mend="The fault names element, line and what is allowed.",
    ),
}
