"""Faults: one value, one writer per SOAP version, and how each refusal of the engine looks on the wire."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from soap.codec import escape
from soap.names import WSA, XML, XML_DECLARATION, Version


class Blame(StrEnum):
    """Whose fault it is, by SOAP 1.2's names (SOAP 1.2 part 1 section 5.4.6; SOAP 1.1 section 4.4.1)."""

    SENDER = "Sender"
    RECEIVER = "Receiver"
    VERSION = "VersionMismatch"
    HEADER = "MustUnderstand"
    ENCODING = "DataEncodingUnknown"


_SOAP11_CODES = {Blame.SENDER: "Client", Blame.RECEIVER: "Server", Blame.ENCODING: "Client"}


@dataclass(frozen=True, kw_only=True, slots=True)
class FaultKind:
    """What is fixed for a fault code: the detail element, whose fault it is, HTTP status, and what to do.

    `status` None: by the rules of the SOAP version. `retry`: the same message may succeed later. `about_header`: SOAP
    1.1 (section 4.4) forbids a detail then, so code and reference stand in the text. `subcodes` are those that
    WS-Addressing gives, outer first. `meaning` and `mend` are for the reference of fault codes.
    """

    element: str
    meaning: str
    mend: str
    blame: Blame = Blame.SENDER
    status: int | None = None
    retry: bool = False
    about_header: bool = False
    subcodes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One fault to send. `reference` names the exchange in the log."""

    code: str
    kind: FaultKind
    message: str
    reference: str
    path: str | None = None
    not_understood: tuple[tuple[str, str], ...] = ()
    problem: tuple[str, str] | None = None

    def status(self, version: Version) -> int:
        """Give the HTTP status: SOAP 1.1 sends 500 (section 6.2), SOAP 1.2 sends 400 for Sender (part 2, table 20).

        SOAP 1.1 has no DataEncodingUnknown.
        """
        if self.kind.status is not None:
            return self.kind.status
        return 400 if version is Version.SOAP12 and self.kind.blame is Blame.SENDER else 500


def render_fault(fault: Fault, *, version: Version, namespace: str, header: str = "") -> bytes:
    """Write a fault message whose detail element is in the service's `namespace`; `header` are blocks as text."""
    render = _render_soap11 if version is Version.SOAP11 else _render_soap12
    return render(fault, namespace, header).encode("utf-8")


def _detail(fault: Fault, namespace: str) -> str:
    path = "" if fault.path is None else f"<f:path>{escape(fault.path)}</f:path>"
    return (
        f'<f:{fault.kind.element} xmlns:f="{namespace}"><f:code>{fault.code}</f:code>'
        f"<f:message>{escape(fault.message)}</f:message><f:reference>{escape(fault.reference)}</f:reference>"
        f"<f:retry>{'Later' if fault.kind.retry else 'Never'}</f:retry>{path}</f:{fault.kind.element}>"
    )


def _problem(fault: Fault) -> str:
    """Write what WS-Addressing tells beside its codes (SOAP Binding, section 6.3)."""
    if fault.problem is None:
        return ""
    name, text = fault.problem
    content = f"<wsa:Action>{escape(text)}</wsa:Action>" if name == "ProblemAction" else f"wsa:{escape(text)}"
    return f'<wsa:{name} xmlns:wsa="{WSA}">{content}</wsa:{name}>'


def _header(blocks: str) -> str:
    return f"<soap:Header>{blocks}</soap:Header>" if blocks else ""


def _render_soap11(fault: Fault, namespace: str, header: str) -> str:
    kind = fault.kind
    code = f"<faultcode>soap:{_SOAP11_CODES.get(kind.blame, kind.blame.value)}</faultcode>"
    if kind.subcodes:
        code = f'<faultcode xmlns:wsa="{WSA}">wsa:{kind.subcodes[-1]}</faultcode>'
    if kind.about_header:
        problem = _problem(fault)
        if problem:
            header += f'<wsa:FaultDetail xmlns:wsa="{WSA}">{problem}</wsa:FaultDetail>'
        text, detail = f"{fault.code}: {fault.message} (reference {fault.reference})", ""
    else:
        text, detail = fault.message, f"<detail>{_detail(fault, namespace)}</detail>"
    return (
        f'{XML_DECLARATION}<soap:Envelope xmlns:soap="{Version.SOAP11}">{_header(header)}<soap:Body><soap:Fault>'
        f'{code}<faultstring xml:lang="en">{escape(text)}</faultstring>{detail}'
        "</soap:Fault></soap:Body></soap:Envelope>"
    )


def _subcode(names: tuple[str, ...]) -> str:
    """Nest subcodes, outer first (SOAP 1.2 part 1 section 5.4.1.3)."""
    if not names:
        return ""
    return f"<soap:Subcode><soap:Value>{names[0]}</soap:Value>{_subcode(names[1:])}</soap:Subcode>"


def _render_soap12(fault: Fault, namespace: str, header: str) -> str:
    blocks = "".join(_not_understood(namespace, local) for namespace, local in fault.not_understood if namespace)
    if fault.kind.blame is Blame.VERSION:
        blocks = "<soap:Upgrade>" + "".join(_supported(version) for version in (Version.SOAP12, Version.SOAP11))
        blocks += "</soap:Upgrade>"
    if fault.kind.subcodes:
        subcode, space = _subcode(tuple(f"c:{name}" for name in fault.kind.subcodes)), WSA
    else:
        subcode, space = _subcode((f"c:{fault.code}",)), namespace
    return (
        f'{XML_DECLARATION}<soap:Envelope xmlns:soap="{Version.SOAP12}">{_header(header + blocks)}<soap:Body>'
        f'<soap:Fault><soap:Code xmlns:c="{space}"><soap:Value>soap:{fault.kind.blame}</soap:Value>{subcode}'
        f'</soap:Code><soap:Reason><soap:Text xml:lang="en">{escape(fault.message)}</soap:Text></soap:Reason>'
        f"<soap:Detail>{_detail(fault, namespace)}{_problem(fault)}</soap:Detail>"
        "</soap:Fault></soap:Body></soap:Envelope>"
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
    "MultipartInvalid": FaultKind(
        element="RequestFault",
        meaning="The message is no MIME package that can be read in one way only.",
        mend="Build it as RFC 2046 and XOP say: boundary, header, empty line, content; start names the envelope.",
    ),
    "IncludeInvalid": FaultKind(
        element="RequestFault",
        meaning="An xop:Include does not name a part of its own in the same message.",
        mend="Give each Include an href of cid: and the Content-ID of one part, used once.",
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
    "EncodingStyleUnknown": FaultKind(
        element="RequestFault",
        blame=Blame.ENCODING,
        meaning="The message is encoded by rules (encodingStyle), not literal.",
        mend="Send document/literal, as the WSDL says; in Delphi set ioDocument and ioLiteral.",
    ),
    "AddressingRequired": FaultKind(
        element="RequestFault",
        about_header=True,
        subcodes=("MessageAddressingHeaderRequired",),
        meaning="A header block that WS-Addressing requires is missing.",
        mend="Send wsa:Action and wsa:MessageID, or nothing of WS-Addressing.",
    ),
    "AddressingRepeated": FaultKind(
        element="RequestFault",
        about_header=True,
        subcodes=("InvalidAddressingHeader", "InvalidCardinality"),
        meaning="A header block of WS-Addressing stands more than once.",
        mend="Send it once.",
    ),
    "AddressingNoAddress": FaultKind(
        element="RequestFault",
        about_header=True,
        subcodes=("InvalidAddressingHeader", "MissingAddressInEPR"),
        meaning="An endpoint reference of WS-Addressing has no address.",
        mend="Give it one wsa:Address.",
    ),
    "AddressingNotAnonymous": FaultKind(
        element="RequestFault",
        about_header=True,
        subcodes=("InvalidAddressingHeader", "OnlyAnonymousAddressSupported"),
        meaning="ReplyTo or FaultTo asks for an answer at another address.",
        mend="Use the anonymous address, or none for no answer, or leave the block out.",
    ),
    "AddressingTooLarge": FaultKind(
        element="RequestFault",
        about_header=True,
        subcodes=("InvalidAddressingHeader",),
        meaning="What the answer must repeat of WS-Addressing is too large.",
        mend="Send a shorter MessageID and fewer reference parameters.",
    ),
    "AddressingMismatch": FaultKind(
        element="RequestFault",
        about_header=True,
        subcodes=("InvalidAddressingHeader", "ActionMismatch"),
        meaning="wsa:Action and the SOAPAction differ.",
        mend="Send the same in both, or an empty SOAPAction.",
    ),
    "ActionUnknown": FaultKind(
        element="RequestFault",
        about_header=True,
        subcodes=("ActionNotSupported",),
        meaning="wsa:Action is not that of the operation in the Body.",
        mend="Send the soapAction that the WSDL gives the operation.",
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
