"""The envelope of a message: version, header blocks and the one child of the Body (SOAP 1.1 and 1.2)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from lxml import etree

from soap.errors import SoapError
from soap.names import HEADER, MY_ROLES, WSA, WSSE, Version

_PARAMETER = re.compile(r""";\s*(?P<name>[\w.+-]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<token>[^;\s"]*))\s*""")
ON_BEHALF_OF = f"{{{HEADER}}}OnBehalfOf"
SECURITY = f"{{{WSSE}}}Security"
"""Understood here means handed on: whoever lets callers in must read it."""

_ENVELOPES: Mapping[str, Version] = {f"{{{version}}}Envelope": version for version in Version}
_HEADERS: Mapping[Version, str] = {version: f"{{{version}}}Header" for version in Version}
_BODIES: Mapping[Version, str] = {version: f"{{{version}}}Body" for version in Version}

_ADDRESSING = frozenset(
    f"{{{WSA}}}{name}" for name in ("To", "From", "ReplyTo", "FaultTo", "Action", "MessageID", "RelatesTo")
)
_BOOLEANS = frozenset({"0", "1", "false", "true"})
_ENCODING = "http://www.w3.org/2003/05/soap-encoding"
_NO_ENCODING = "http://www.w3.org/2003/05/soap-envelope/encoding/none"

MOST_NAMED = 10
"""How many header blocks a fault names as not understood."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ContentType:
    """A Content-Type header taken apart; `action` is SOAP 1.2's parameter (RFC 3902).

    `boundary` and `start` are those of an MTOM package, which has one envelope among its parts.
    """

    version: Version
    charset: str | None
    action: str | None
    boundary: str | None = None
    start: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """The parts of an envelope. `blocks` are the header blocks that this service understands, by tag.

    `addressing` are those of WS-Addressing that are for this service, each as often as it came.
    """

    version: Version
    payload: etree._Element
    blocks: Mapping[str, etree._Element]
    addressing: tuple[etree._Element, ...] = ()


def read_content_type(header: str | None) -> ContentType:
    """Read a request's Content-Type. Raises SoapError MediaTypeUnsupported."""
    if header is not None and len(header) <= _LONGEST_REMEMBERED:
        return _remembered_content_type(header)
    return _read_content_type(header)


def _read_content_type(header: str | None) -> ContentType:
    media_type, semicolon, rest = (header or "").partition(";")
    media_type = media_type.strip().lower()
    parameters = {
        found["name"].lower(): found["token"] if found["quoted"] is None else found["quoted"]
        for found in _PARAMETER.finditer(semicolon + rest)
    }
    if media_type == "multipart/related":
        return _package(parameters)
    version = _VERSIONS.get(media_type)
    if version is None:
        raise SoapError(
            "MediaTypeUnsupported", "the Content-Type must be text/xml (SOAP 1.1) or application/soap+xml (1.2)"
        )
    return ContentType(version=version, charset=parameters.get("charset"), action=parameters.get("action"))


def _package(parameters: Mapping[str, str]) -> ContentType:
    """Read the parameters of an MTOM package (XOP section 4.1)."""
    info, _, more = parameters.get("start-info", "").replace('\\"', '"').partition(";")
    version = _VERSIONS.get(info.strip().lower())
    if parameters.get("type", "").strip().lower() != "application/xop+xml" or version is None:
        raise SoapError(
            "MediaTypeUnsupported",
            'multipart/related must have type="application/xop+xml" and as start-info text/xml or application/soap+xml',
            version=version,
        )
    in_info = {found["name"].lower(): found["quoted"] or found["token"] for found in _PARAMETER.finditer(f";{more}")}
    return ContentType(
        version=version,
        charset=None,
        action=parameters.get("action", in_info.get("action")),
        boundary=parameters.get("boundary", ""),
        start=parameters.get("start"),
    )


_VERSIONS: Mapping[str, Version] = {version.media_type: version for version in Version}
_LONGEST_REMEMBERED = 256
_remembered_content_type = lru_cache(maxsize=256)(_read_content_type)
"""Clients send the same few all the time."""


def read_envelope(root: etree._Element, content_type: ContentType) -> Envelope:
    """Take an envelope apart, header blocks checked for mustUnderstand.

    Raises SoapError VersionMismatch, ContentTypeMismatch, EnvelopeInvalid, EncodingStyleUnknown, HeaderInvalid or
    NotUnderstood.
    """
    version = _ENVELOPES.get(str(root.tag))
    if version is None:
        raise SoapError(
            "VersionMismatch",
            f"the root element must be Envelope in the namespace {Version.SOAP11} or {Version.SOAP12}",
            version=content_type.version,
        )
    if version is not content_type.version:
        raise SoapError(
            "ContentTypeMismatch",
            f"an envelope of this namespace has the Content-Type {version.media_type}",
            version=version,
        )
    parts = list(root)
    header = parts.pop(0) if parts and parts[0].tag == _HEADERS[version] else None
    if len(parts) != 1 or parts[0].tag != _BODIES[version]:
        raise SoapError(
            "EnvelopeInvalid",
            "an Envelope holds a Header at most once, then one Body, and nothing else",
            path="Envelope",
            line=root.sourceline,
            version=version,
        )
    body = parts[0]
    for part in (root, body) if header is None else (root, header, body):
        _check_part(part, root, version)
    # What must be understood comes before anything else that a message is judged by (SOAP 1.2 part 1, section 2.6).
    addressing: list[etree._Element] = []
    blocks = _NO_BLOCKS if header is None else _understood(header, version, addressing)
    if len(body) != 1:
        _check_references(body, version)
        raise SoapError(
            "EnvelopeInvalid",
            "the Body must hold exactly one element, the request of an operation",
            path="Envelope/Body",
            line=body.sourceline,
            version=version,
        )
    _check_encoding_style(body[0], "Envelope/Body", version)
    return Envelope(version=version, payload=body[0], blocks=blocks, addressing=tuple(addressing))


_NO_BLOCKS: Mapping[str, etree._Element] = {}


def _check_part(part: etree._Element, root: etree._Element, version: Version) -> None:
    """Check what may stand at and in Envelope, Header and Body beside their elements.

    Attributes of theirs must have a namespace and must not be encodingStyle (SOAP 1.2 part 1, sections 5.1 to 5.3 and
    5.1.1). In SOAP 1.1 old clients write encodingStyle around messages that are literal all the same.
    """
    wrong = ""
    if version is Version.SOAP12 and part.attrib:
        if part.get(f"{{{version}}}encodingStyle") is not None:
            wrong = "encodingStyle may not stand at Envelope, Header or Body"
        elif not all(str(name).startswith("{") for name in part.attrib):
            wrong = "an attribute of Envelope, Header or Body must have a namespace"
    if _is_text(part.text) or any(_is_text(child.tail) for child in part):
        wrong = "in Envelope, Header and Body there is nothing but elements"
    if wrong:
        raise SoapError("EnvelopeInvalid", wrong, path=path_to(part, root), line=part.sourceline, version=version)


def _is_text(text: str | None) -> bool:
    return bool(text and text.strip(" \t\r\n"))


def _check_encoding_style(element: etree._Element, path: str, version: Version) -> None:
    """Refuse an encodingStyle that is not literal."""
    style = element.get(f"{{{version}}}encodingStyle")
    if style is not None and style not in {"", _NO_ENCODING}:
        raise _encoded(element, path, version)


def _check_references(body: etree._Element, version: Version) -> None:
    """Tell those that encode (SOAP 1.1 section 5.4.1, values beside each other under ids) what they do."""
    for child in body[1:]:
        if child.get("id") is not None or child.get(f"{{{_ENCODING}}}id") is not None:
            raise _encoded(child, "Envelope/Body", version)


def _encoded(element: etree._Element, path: str, version: Version) -> SoapError:
    return SoapError(
        "EncodingStyleUnknown",
        "this service reads document/literal messages only, without encodingStyle (Delphi: ioDocument, ioLiteral)",
        path=path,
        line=element.sourceline,
        version=version,
    )


def path_to(element: etree._Element, root: etree._Element) -> str:
    """Give the path of the envelope's own parts."""
    return "Envelope" if element is root else f"Envelope/{etree.QName(element).localname}"


def _understood(
    header: etree._Element, version: Version, addressing: list[etree._Element]
) -> dict[str, etree._Element]:
    """Pick the blocks that are for this service; rule R11 for ours, mustUnderstand for everybody's."""
    understood: dict[str, etree._Element] = {}
    ignored: list[etree._Element] = []
    mine = [block for block in header if _role(block, version) in MY_ROLES]
    if version is Version.SOAP12:
        _check_booleans(mine)
    for block in mine:
        if etree.QName(block).localname == "OnBehalfOf":
            if block.tag != ON_BEHALF_OF or block.tag in understood:
                raise _twice(block, f"OnBehalfOf stands once in the namespace {HEADER}", version)
            if version is Version.SOAP12:
                _check_encoding_style(block, "Envelope/Header/OnBehalfOf", version)
            understood[str(block.tag)] = block
        elif block.tag in _ADDRESSING:
            addressing.append(block)
        elif block.tag == SECURITY:
            if SECURITY in understood:
                raise _twice(block, "Security stands once for this service; put everything into one block", version)
            understood[SECURITY] = block
        else:
            ignored.append(block)
    _check_ignored(ignored, version)
    return understood


def _check_ignored(blocks: list[etree._Element], version: Version) -> None:
    """Refuse to ignore what must be understood (SOAP 1.1 section 4.2.3, SOAP 1.2 part 1 section 5.2.3)."""
    ignored = [block for block in blocks if block.get(f"{{{version}}}mustUnderstand", "").strip() in {"1", "true"}]
    if ignored:
        raise SoapError(
            "NotUnderstood",
            "a header block with mustUnderstand is not known to this service; leave it out or drop mustUnderstand",
            path="Envelope/Header",
            line=ignored[0].sourceline,
            version=version,
            not_understood=_names(ignored),
        )


def _twice(block: etree._Element, message: str, version: Version) -> SoapError:
    path = f"Envelope/Header/{etree.QName(block).localname}"
    return SoapError("HeaderInvalid", message, path=path, line=block.sourceline, version=version)


def _check_booleans(blocks: list[etree._Element]) -> None:
    """Refuse a mustUnderstand or relay that is no boolean (SOAP 1.2 part 1, sections 5.2.3 and 5.2.4)."""
    for block in blocks:
        for name in ("mustUnderstand", "relay"):
            if block.get(f"{{{Version.SOAP12}}}{name}", "true").strip() not in _BOOLEANS:
                raise SoapError(
                    "EnvelopeInvalid",
                    f"{name} is a boolean: true, false, 1 or 0",
                    path="Envelope/Header",
                    line=block.sourceline,
                    version=Version.SOAP12,
                )


def _names(blocks: list[etree._Element]) -> tuple[tuple[str, str], ...]:
    """Name blocks as a fault does, each once and not all of thousands."""
    names = ((etree.QName(block).namespace or "", etree.QName(block).localname) for block in blocks)
    return tuple(dict.fromkeys(names))[:MOST_NAMED]


def _role(block: etree._Element, version: Version) -> str:
    """Give whom a block is for (SOAP 1.1 section 4.2.2, SOAP 1.2 part 1 section 5.2.2)."""
    return block.get(f"{{{version}}}{'actor' if version is Version.SOAP11 else 'role'}", "").strip()
