"""Each limit of what a message, a head or a connection may be: at the limit it is read, one past it is refused.

`docs/reference/limits.md` names these tests. The settings are small here, so that nothing but the one limit is near.
"""

from collections.abc import Callable
from typing import Any

import pytest
from attack_cases import SALES, WSA, envelope, order
from attacks_xop import INCLUDE, package_type, part, root, update

from server.http.head import HeadReader
from server.http.refusals import HttpRefused
from server.http.requests import RequestReader
from server.settings import Settings
from soap import Engine, SoapError, Version, load_contract
from soap.addressing import MOST_REPEATED
from soap.messages import depot, sales
from soap.multipart import MOST_HEAD, MOST_PARTS

AROUND = len(envelope(order(transaction="")))
PLAIN = "<s:CreateOrder><s:transactionId>t</s:transactionId>@</s:CreateOrder>"
LINE = "<s:orderLine><s:itemNumber>EDITOR</s:itemNumber><s:quantity>1</s:quantity></s:orderLine>"
TICKET = "<ticket>00000-00000-00000-00000-00000</ticket>"


def engine(name: str, **settings: int) -> Engine:
    given = Settings(**settings)
    messages = {"sales": sales, "depot": depot}[name]
    contract = load_contract(f"v1/{name}.wsdl")
    return Engine(contract, messages, limits=given.xml_limits, validate_answers=False, own_limits=given.own_limits)


def code(reader: Engine, body: str | bytes, content_type: str = Version.SOAP11.content_type) -> str:
    """Give the code that a message is refused with, '' for one that is read."""
    data = body.encode() if isinstance(body, str) else body
    try:
        reader.decode(reader.open(data, content_type=content_type, soap_action=None))
    except SoapError as error:
        return error.code
    return ""


def deep(count: int) -> str:
    """An honest order, with a header block so deep; Envelope and Header are two of it."""
    return envelope(order(), header="<x>" * (count - 2) + "</x>" * (count - 2))


def wide(count: int) -> str:
    """So many elements: Envelope, Header, Body and the five of an order are eight of it."""
    return envelope(order(), header="<x/>" * (count - 8))


def attributes_in_all(count: int) -> str:
    """So many attributes, four of which are the namespaces of the envelope."""
    return envelope(order(), header='<x a="1" b="1"/>' * ((count - 4) // 2) + '<x a="1"/>' * (count % 2))


def attributes(count: int) -> str:
    return envelope(order(), header="<x " + " ".join(f'a{n}="1"' for n in range(count)) + "/>")


def namespaces(count: int) -> str:
    """So many namespaces in scope, four of which are the envelope's."""
    return envelope(order(), header="<x " + " ".join(f'xmlns:a{n}="urn:{n}"' for n in range(count - 4)) + "/>")


def orders(count: int) -> str:
    """CreateOrders with so many elements: Envelope, Body, CreateOrders and five for each order."""
    each = f"<s:order><s:transactionId>t</s:transactionId>{LINE}</s:order>"
    rest = (count - 3) % 5
    head = f"<e:Header>{'<x/>' * (rest - 1)}</e:Header>" if rest else ""
    return envelope(f"<s:CreateOrders>{each * ((count - 3) // 5)}</s:CreateOrders>").replace(
        "<e:Body>", f"{head}<e:Body>"
    )


def padded(text: str, size: int) -> str:
    return text + " " * (size - len(text))


READ_BY: dict[str, tuple[dict[str, int], Callable[[int], str], int, str]] = {
    "max_body_bytes": ({"max_body_bytes": 2_000}, lambda n: padded(envelope(order()), n), 2_000, "TooLarge"),
    "max_orders_body_bytes": (
        {"max_body_bytes": 2_000, "max_orders_body_bytes": 5_000},
        lambda n: padded(orders(27), n),
        5_000,
        "TooLarge",
    ),
    "max_orders_elements": (
        {"max_body_bytes": 1_024, "max_elements": 100, "max_orders_elements": 150},
        orders,
        150,
        "TooComplex",
    ),
    "max_depth": ({"max_depth": 10}, deep, 10, "TooComplex"),
    "max_elements": ({"max_elements": 100}, wide, 100, "TooComplex"),
    "max_elements, as attributes in all": ({"max_elements": 100}, attributes_in_all, 100, "TooComplex"),
    "max_attributes": ({"max_attributes": 20}, attributes, 20, "TooComplex"),
    "max_namespaces": ({"max_namespaces": 20}, namespaces, 20, "TooComplex"),
    "max_name_bytes, of an element": (
        {"max_name_bytes": 80},
        lambda n: envelope(order(), header=f"<{'n' * n}/>"),
        80,
        "TooComplex",
    ),
    "max_name_bytes, of an attribute": (
        {"max_name_bytes": 80},
        lambda n: envelope(order(), header=f'<x {"n" * n}="1"/>'),
        80,
        "TooComplex",
    ),
    "max_name_bytes, of a namespace": (
        {"max_name_bytes": 80},
        lambda n: envelope(order(), header=f'<x xmlns="{"n" * n}"/>'),
        80,
        "TooComplex",
    ),
}


@pytest.mark.parametrize("limit", READ_BY)
def test_a_message_at_a_limit_is_read_and_one_past_it_is_refused(limit: str) -> None:
    settings, make, most, refused = READ_BY[limit]
    reader = engine("sales", **settings)
    assert code(reader, make(most)) == ""
    assert code(reader, make(most + 1)) == refused


@pytest.mark.parametrize("limit", READ_BY)
def test_no_other_limit_is_near(limit: str) -> None:
    """What is refused one past a limit is read where that limit is the default."""
    settings, make, most, _ = READ_BY[limit]
    name = limit.partition(",")[0]
    others = {other: value for other, value in settings.items() if other != name}
    assert code(engine("sales", **others), make(most + 1)) == ""


def test_a_thousand_orders_with_customer_and_four_lines_are_read_and_the_limits_are_those_of_the_defaults() -> None:
    reader = engine("sales")
    customer = "<s:customer><s:name>Ada Lovelace</s:name><s:email>ada@example.com</s:email></s:customer>"
    each = f"<s:order><s:transactionId>t</s:transactionId>{customer}{LINE * 4}</s:order>"
    assert code(reader, envelope(f"<s:CreateOrders>{each * 1_000}</s:CreateOrders>")) == ""
    most = Settings().max_orders_elements
    # More than a thousand, but no more elements than may be.
    assert code(reader, padded(orders(most), Settings().max_body_bytes + 1)) == "SchemaViolation"
    assert code(reader, padded(orders(most + 1), Settings().max_body_bytes + 1)) == "TooComplex"
    assert code(reader, padded(orders(100), Settings().max_orders_body_bytes)) == ""
    assert code(reader, padded(orders(100), Settings().max_orders_body_bytes + 1)) == "TooLarge"


def addressed(blocks: str) -> str:
    action = f"<w:Action>{SALES}/CreateOrder</w:Action>"
    return envelope(order(), header=action + blocks)


def replying(inner: str) -> str:
    address = f"<w:Address>{WSA}/anonymous</w:Address>"
    return addressed(
        f"<w:MessageID>1</w:MessageID><w:ReplyTo>{address}<w:ReferenceParameters>{inner}</w:ReferenceParameters></w:ReplyTo>"
    )


def packaged(pieces: bytes) -> bytes:
    return root(update(INCLUDE, version=Version.SOAP11), Version.SOAP11) + pieces + b"--b--\r\n"


def headed(size: int) -> bytes:
    """A part with a header of so many bytes."""
    fields = "Content-ID: <value@x>\r\nX: "
    return part(b"QUJD", more=f"X: {'x' * (size - len(fields))}\r\n")


FIXED: dict[str, tuple[str, Callable[[int], str | bytes], int, str]] = {
    "orderLine": ("sales", lambda n: envelope(order(lines=LINE * n)), 100, "SchemaViolation"),
    "order": ("sales", lambda n: orders(3 + 5 * n), 1_000, "SchemaViolation"),
    "ticket": (
        "depot",
        lambda n: envelope(f'<GetTicket xmlns="urn:opendepot:depot:1">{TICKET * n}</GetTicket>'),
        20,
        ("SchemaViolation"),
    ),
    "MessageID": (
        "sales",
        lambda n: addressed(f"<w:MessageID>{'m' * n}</w:MessageID>"),
        MOST_REPEATED,
        "AddressingTooLarge",
    ),
    "reference parameters": ("sales", lambda n: replying("<p/>" * n), 16, "AddressingTooLarge"),
    "parts": (
        "depot",
        lambda n: packaged(part(b"QUJD") + b"".join(part(b"", id_=f"{i}@x") for i in range(n - 2))),
        MOST_PARTS,
        "MultipartInvalid",
    ),
    "header of a part": ("depot", lambda n: packaged(headed(n)), MOST_HEAD, "MultipartInvalid"),
}


@pytest.mark.parametrize("limit", FIXED)
def test_what_no_setting_changes_is_read_at_its_limit_and_refused_one_past_it(limit: str) -> None:
    service, make, most, refused = FIXED[limit]
    reader = engine(service)
    for size, expected in ((most, ""), (most + 1, refused)):
        made = make(size)
        kind = package_type(Version.SOAP11) if isinstance(made, bytes) else Version.SOAP11.content_type
        assert code(reader, made, kind) == expected


def head(settings: Settings, raw: bytes) -> int:
    """Give the status that a head is refused with, 0 for one that is read."""
    reader = RequestReader(HeadReader(settings.connection_limits.head))
    reader.feed(raw)
    try:
        assert reader.next_head() is not None
    except HttpRefused as refused:
        return refused.status
    return 0


def test_a_head_at_its_limits_is_read_and_one_past_them_is_refused() -> None:
    start = b"POST / HTTP/1.1\r\nHost: x\r\n"
    few = Settings(max_head_fields=10)
    for extra, expected in ((9, 0), (10, 431)):
        assert head(few, start + b"".join(b"X%d: y\r\n" % n for n in range(extra)) + b"\r\n") == expected
    short = Settings(max_head_bytes=2_000)
    for size, expected in ((2_000, 0), (2_001, 431)):
        filled = start + b"X: " + b"x" * (size - len(start) - 3) + b"\r\n\r\n"
        assert head(short, filled) == expected


@pytest.mark.parametrize(
    ("setting", "value", "name"),
    [
        ("header_seconds", 1.5, "header_seconds"),
        ("body_seconds", 1.5, "body_seconds"),
        ("idle_seconds", 1.5, "idle_seconds"),
        ("exchange_seconds", 1.5, "exchange_seconds"),
        ("minimum_rate", 7, "bytes_a_second"),
        ("max_requests_per_connection", 7, "requests"),
        ("max_connections", 7, "connections"),
        ("max_connections_per_address", 7, "connections_an_address"),
    ],
)
def test_a_limit_of_connections_is_what_its_setting_says(setting: str, value: Any, name: str) -> None:
    assert getattr(Settings(**{setting: value}).connection_limits, name) == value
