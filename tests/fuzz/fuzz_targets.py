"""What is fuzzed: each target takes any bytes, and raises AssertionError, or what escapes, where something is wrong.

`corpus/NAME/` holds inputs that are kept for a target. The first byte chooses between the ways an input may come.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from lxml import etree

from containers import ContainerError, contexts, read_context, read_poll, read_signed_step, read_update, states
from server.http.head import HeadLimits, HeadReader
from server.http.refusals import BodyTooLarge, HttpRefused
from server.http.requests import RequestReader
from soap import ENGINE_FAULTS, Engine, Fault, SoapError, Version, load_contract
from soap.messages import depot, sales
from xmlgate import Limits, XmlRefused, first_below, parse
from xmlgate.gate import count_exactly

CORPUS = Path(__file__).parent / "corpus"
CHARSETS = (None, "utf-8", "UTF-8", "utf-16", "us-ascii", "utf-7", "utf-16le", "")
SMALL = Limits(max_bytes=4096, depth=6, elements=40, attributes=6, namespaces=6, name_bytes=24)
"""So that a fuzzer gets beyond each limit with few bytes."""
MOST_BODY = 512


def _hold(what: bool) -> None:
    assert what


def fuzz_gate(data: bytes) -> None:
    """What is read keeps every limit, and is read again as the same when it is written out."""
    charset, data = CHARSETS[data[0] % len(CHARSETS)] if data else None, data[1:]
    first_below(data, parents={"a", "{urn:a}a"}, charset=charset)
    try:
        root = parse(data, limits=SMALL, charset=charset)
    except XmlRefused as refused:
        _hold(refused.message.isascii())
        return
    assert root.getroottree().docinfo.internalDTD is None
    elements = list(root.iter())
    assert all(isinstance(element.tag, str) for element in elements)
    assert len(elements) <= SMALL.elements
    assert max(len(list(element.iterancestors())) + 1 for element in elements) <= SMALL.depth
    assert max(len(element.attrib) for element in elements) <= SMALL.attributes
    assert max(len(element.nsmap) for element in elements) <= SMALL.namespaces + 1  # xml is bound without a declaration
    written = etree.tostring(root, encoding="utf-8")
    try:
        count_exactly(written, limits=Limits())
    except XmlRefused as refused:
        # Expat knows the names of XML 1.0's fourth edition, libxml2 those of its fifth, which are more.
        _hold(refused.code == "Malformed" and not written.isascii())
    assert etree.tostring(parse(written, limits=Limits()), encoding="utf-8") == written


@cache
def _engines() -> tuple[Engine, Engine]:
    small = Limits(max_bytes=16_384)
    sold, collected = (
        Engine(load_contract(f"v1/{name}.wsdl"), messages, limits=small, validate_answers=False)
        for name, messages in (("sales", sales), ("depot", depot))
    )
    return sold, collected


def _opened(engine: Engine, data: bytes, content_type: str, soap_action: str | None = None) -> None:
    """A message is one of the contract's, or refused with a fault that is well-formed and known."""
    operations = engine.contract.operations
    try:
        received = engine.open(data, content_type=content_type, soap_action=soap_action)
        message = engine.decode(received)
    except SoapError as error:
        fault = Fault(
            code=error.code,
            kind=ENGINE_FAULTS[error.code],
            message=error.message,
            reference="0123456789abcdef",
            path=error.path,
            not_understood=error.not_understood,
            problem=error.problem,
        )
        for version in Version:
            body = engine.fault(fault, version=version, addressing=error.addressing).whole
            assert etree.fromstring(body).tag == f"{{{version}}}Envelope"
        return
    assert type(message).__name__ == operations[received.operation.name].request.name


def fuzz_envelope(data: bytes) -> None:
    """Any message to Sales, in either version and with either action."""
    chosen, data = (data[0], data[1:]) if data else (0, b"")
    version = list(Version)[chosen & 1]
    charset = CHARSETS[chosen >> 1 & 7]
    kind = version.media_type if charset is None else f"{version.media_type}; charset={charset}"
    action = "urn:opendepot:sales:1/CreateOrder" if chosen & 16 else None
    _opened(_engines()[0], data, kind, action)


def fuzz_mtom(data: bytes) -> None:
    """Any package to the Depot."""
    chosen, data = (data[0], data[1:]) if data else (0, b"")
    version = list(Version)[chosen & 1]
    start = '; start="<root@x>"' if chosen & 2 else ""
    kind = f'multipart/related; type="application/xop+xml"; boundary="b"{start}; start-info="{version.media_type}"'
    _opened(_engines()[1], data, kind)


def _requests(pieces: list[bytes]) -> tuple[object, ...]:
    """Give what is read of a connection, and how it ends."""
    reader = RequestReader(HeadReader(HeadLimits(head_bytes=512, line_bytes=128, fields=8)))
    found: list[object] = []
    head = None
    for piece in pieces:
        reader.feed(piece)
        try:
            while reader.waiting:
                if head is None:
                    head = reader.next_head()
                    if head is None:
                        break
                    found.append(head)
                    reader.expect_body(head, most=MOST_BODY)
                body = reader.next_body()
                if body is None:
                    break
                assert len(body) <= MOST_BODY
                found.append(body)
                head = None
        except (HttpRefused, BodyTooLarge) as refused:
            return (*found, str(refused))
    return tuple(found)


def fuzz_http(data: bytes) -> None:
    """A connection is read in one way, wherever it is cut."""
    at = data[0] if data else 0
    data = data[1:]
    whole = _requests([data])
    cut = _requests([data[:at], data[at:]])
    single = _requests([data[place : place + 1] for place in range(len(data))])
    # Of a refusal it may be heard earlier; what was read before it is the same.
    assert [part for part in whole if not isinstance(part, str)] == [part for part in cut if not isinstance(part, str)]
    assert [part for part in whole if not isinstance(part, str)] == [
        part for part in single if not isinstance(part, str)
    ]
    assert isinstance(whole[-1:] and whole[-1], str) == isinstance(single[-1:] and single[-1], str)


def fuzz_contexts(data: bytes) -> None:
    """A file of a container is read, or refused with the one error."""
    chosen, data = (data[0], data[1:]) if data else (0, b"")
    read: Callable[[bytes], object] = (read_context, read_poll, read_update, read_signed_step)[chosen & 3]
    try:
        read(data)
    except ContainerError as error:
        _hold(bool(error.code))


@cache
def _twins() -> tuple[Engine, Engine]:
    """Sales twice: one goes the whole way with every message, one remembers the shapes of all that are kept."""
    contract, limits = load_contract("v1/sales.wsdl"), Limits(max_bytes=16_384)
    plain = Engine(contract, sales, limits=limits, validate_answers=False)
    quick = Engine(contract, sales, limits=limits, validate_answers=False, shapes=256)
    for data in kept("shapes"):
        for _ in range(3):
            _ending(quick, data[1:], list(Version)[data[0] & 1])
    assert quick.shapes is not None
    assert len(quick.shapes) >= 5
    return plain, quick


def _ending(engine: Engine, data: bytes, version: Version) -> tuple[object, ...]:
    """Give the message, or all that is told of its refusal."""
    try:
        received = engine.open(data, content_type=version.content_type, soap_action=None)
        return received.operation.name, received.version, received.size, engine.decode(received)
    except SoapError as error:
        return error.code, error.message, error.path, error.line, error.version, error.not_understood


def fuzz_shapes(data: bytes) -> None:
    """A message that may be read by its shape ends as it ends without, before that is remembered and after."""
    chosen, data = (data[0], data[1:]) if data else (0, b"")
    version = list(Version)[chosen & 1]
    plain, quick = _twins()
    expected = _ending(plain, data, version)
    for _ in range(3):
        assert _ending(quick, data, version) == expected


def fuzz_scanning(data: bytes) -> None:
    """What is found in a context or a listing without a parser is what the parser finds; else nothing is found."""
    chosen, data = (data[0], data[1:]) if data else (0, b"")
    if chosen & 1:
        state = states._scanned(data)
        with _unscanned():
            assert state is None or states.parsed(data) == state
        return
    found = contexts._scanned(data)
    assert found is None or contexts._parsed(data, limits=contexts.CONTEXT_LIMITS) == found
    assert _context_told(data, contexts.CONTEXT_LIMITS) == _context_told(data, Limits())


@contextmanager
def _unscanned() -> Iterator[None]:
    """Have listings read by the parser alone: none is so short."""
    most, states.MOST_SCANNED = states.MOST_SCANNED, -1
    try:
        yield
    finally:
        states.MOST_SCANNED = most


def _context_told(data: bytes, limits: Limits) -> object:
    try:
        return read_context(data, limits=limits)
    except ContainerError as error:
        return error.code, str(error), error.line


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "gate": fuzz_gate,
    "envelope": fuzz_envelope,
    "mtom": fuzz_mtom,
    "http": fuzz_http,
    "contexts": fuzz_contexts,
    "shapes": fuzz_shapes,
    "scanning": fuzz_scanning,
}

_TEXTS = (
    "<!DOCTYPE a>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?a?>",
    '<?xml version="1.0" encoding="utf-16"?>',
    "&lt;",
    "&#0;",
    "&x;",
    ' xmlns="urn:a"',
    ' xmlns:a="urn:a"',
    ' xmlns:r="../relative"',
    ' xsi:nil="true"',
    ' s:mustUnderstand="1"',
    "</",
    "/>",
    "<a>",
    "--b\r\n",
    "\r\n--b--",
    "Content-ID: <c@x>\r\n",
    "Content-Transfer-Encoding: base64\r\n",
    '<x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="cid:c@x"/>',
    "\r\n\r\n",
    "\n",
    "Transfer-Encoding: chunked\r\n",
    "Content-Length: 3\r\n",
    "0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "99999999999999999999",
    "\ufeff",
    "\ufffe",
    "\U0001f600",
)
TOKENS = (*(text.encode() for text in _TEXTS), b"\xff\xfe", b"\xfe\xff", b"\x00", b"\xc0\xaf", b"\xed\xa0\x80")
"""Pieces that mean something to a target."""


def kept(target: str) -> list[bytes]:
    """Give the inputs that are kept for a target."""
    return [path.read_bytes() for path in sorted((CORPUS / target).iterdir())]
