"""Messages that are read by their shape: always the message, or the refusal, that the whole way gives."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from message_values import SERVICES, XML_TEXT, MessageValues
from schema_mutations import ONLY_DECODED, WRONG

from soap import ClientEngine, ContractError, Engine, SoapError, Version, load_contract
from soap.messages import sales
from soap.names import XSD
from soap.plain import Plain, plain_of
from soap.schema import SimpleType, read_schema
from soap.shapes import MOST_BYTES, cut
from xmlgate import Limits, parse

Order = Callable[..., str]

_LIMITS = Limits(max_bytes=4 * 1024 * 1024, elements=1_000_000)
_VALUE = re.compile(rb">([^<>\s][^<]*)</")


@dataclass(frozen=True, kw_only=True)
class Twins:
    """A service twice: `plain` goes the whole way with every message, `quick` remembers shapes."""

    plain: Engine
    quick: Engine
    values: MessageValues
    client: ClientEngine

    def written(self, operation: str, message: Any) -> bytes:
        return bytes(self.client.request(operation, message).body)

    def teach(self, body: bytes, *, content_type: str = Version.SOAP11.content_type) -> None:
        """Send a message as often as it takes to be remembered."""
        for _ in range(2):
            outcome(self.quick, body, content_type=content_type)

    def agree(self, body: bytes, *, content_type: str = Version.SOAP11.content_type, action: str | None = None) -> Any:
        """See that both end alike, and give how."""
        expected = outcome(self.plain, body, content_type=content_type, action=action)
        assert outcome(self.quick, body, content_type=content_type, action=action) == expected
        return expected


def outcome(engine: Engine, body: bytes, *, content_type: str, action: str | None = None) -> Any:
    """Give the operation, version and message, or all that a refusal says."""
    try:
        received = engine.open(body, content_type=content_type, soap_action=action)
        return received.operation.name, received.version, received.size, engine.decode(received)
    except SoapError as error:
        return error.code, error.message, error.path, error.line, error.version, error.not_understood


def is_known(engine: Engine, body: bytes, *, content_type: str = Version.SOAP11.content_type) -> bool:
    return engine.open(body, content_type=content_type, soap_action=None).payload is None


def twins_of(name: str, *, shapes: int = 100_000, limits: Limits = _LIMITS) -> Twins:
    contract, messages = load_contract(f"v1/{name}.wsdl"), SERVICES[name]
    return Twins(
        plain=Engine(contract, messages, limits=limits, validate_answers=True),
        quick=Engine(contract, messages, limits=limits, validate_answers=True, shapes=shapes),
        values=MessageValues(contract.schemas[contract.namespace], messages),
        client=ClientEngine(contract, messages, version=Version.SOAP11),
    )


@pytest.fixture(scope="session", params=SERVICES)
def twins(request: pytest.FixtureRequest) -> Twins:
    return twins_of(request.param)


@pytest.fixture
def shops() -> Twins:
    return twins_of("sales")


def test_every_operation_is_read_by_its_shape_the_third_time_and_gives_the_equal_message(twins: Twins) -> None:
    for operation in twins.plain.contract.operations.values():
        message = twins.values.greatest(operation.request)
        body = twins.written(operation.name, message)
        assert not is_known(twins.quick, body)
        twins.teach(body)
        assert is_known(twins.quick, body) or len(body) > MOST_BYTES, operation.name
        assert twins.agree(body)[3] == message


def test_a_list_is_read_by_its_shape_and_keeps_its_order(shops: Twins) -> None:
    lines = tuple(sales.OrderLine(item_number=f"A-{number}", quantity=number) for number in range(1, 101))
    body = shops.written("CreateOrder", sales.CreateOrderRequest(transaction_id="t", order_line=lines))
    shops.teach(body)
    assert is_known(shops.quick, body)
    assert shops.agree(body.replace(b">A-", b">B-"))[3].order_line[99].item_number == "B-100"


@given(data=st.data())
@pytest.mark.examples
@settings(derandomize=True, max_examples=examples(80), deadline=None)
def test_another_message_of_the_same_shape_is_that_message(twins: Twins, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(list(twins.plain.contract.operations.values())))
    twins.teach(twins.written(operation.name, twins.values.full(operation.request)))
    message = data.draw(twins.values.drawn(operation.request))
    body = twins.written(operation.name, message)
    for _ in range(4):
        assert twins.agree(body)[3] == message


HOSTILE = (
    "",
    " ",
    " a",
    "a ",
    "a b",
    "&amp;",
    "a&amp;b",
    "&amp;lt;",
    "&lt;b&gt;&quot;&apos;",
    "&amp;#65;",
    "&amp",
    "&AMP;",
    "&lt;&nbsp;",
    "]]&gt;",
    "&",
    "&#65;",
    "&x;",
    "]]>",
    ">",
    "a>b",
    "<b/>",
    "a<b>c</b>",
    "<!--x-->",
    "a<!-- > -->b",
    "<![CDATA[a]]>",
    "a<![CDATA[>x</]]>",
    "<?a b?>",
    "\0",
    "a\x01",
    "a\tb",
    "a\nb",
    "a\r\nb",
    "\x7f",
    "\x85",
    "a\xa0",
    "\ufeff",
    "\ufffe",
    "a\uffff",
    "\u2028",
    "ü",
    "e\u0301",
    "\U0001f600",
    "٣",
    "²",
    "0",
    "00",
    "007",
    "-0",
    "-1",
    "+5",
    "1_0",
    "1e3",
    "1.0",
    "9" * 18,
    "9" * 19,
    "0" * 5000,
    "true",
    "True",
    "1",
    "QUJD",
    "QUJ=",
    "QUI=",
    "QQ==",
    "QR==",
    "QUJD\u00e9",
    "QUJD====",
    "A" * 43 + "=",
    "2026-01-31T12:00:00Z",
    "2026-01-31T12:00:00+14:00",
    "2026-01-31T12:00:00+13:59",
    "2026-01-31T24:00:00Z",
    "2026-01-31T12:00:60Z",
    "2026-01-31T12:00:00.1234567Z",
    "2026-02-30T12:00:00Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+13:00",
    "9999-12-31T23:59:59-13:00",
    "2026-W05-6T12:00:00Z",
    "Hidden",
    "hidden",
    "x" * 100,
    "x" * 101,
    "x" * 5000,
)


@given(data=st.data())
@pytest.mark.examples
@settings(derandomize=True, max_examples=examples(150), deadline=None)
def test_any_text_in_the_place_of_a_value_ends_as_it_does_the_whole_way(twins: Twins, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(list(twins.plain.contract.operations.values())))
    body = twins.written(operation.name, twins.values.full(operation.request))
    twins.teach(body)
    places = list(_VALUE.finditer(body))
    if not places:
        return
    place = data.draw(st.sampled_from(places))
    wrong = [text for texts in (*WRONG.values(), *ONLY_DECODED.values()) for text in texts]
    text = data.draw(st.sampled_from([*HOSTILE, *wrong]) | st.text(XML_TEXT, max_size=20) | st.text(max_size=5))
    encoded = text.encode("utf-8", errors="surrogatepass")
    twins.agree(body[: place.start(1)] + encoded + body[place.end(1) :])


@given(data=st.data())
@pytest.mark.examples
@settings(derandomize=True, max_examples=examples(150), deadline=None)
def test_any_change_of_some_bytes_ends_as_it_does_the_whole_way(twins: Twins, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(list(twins.plain.contract.operations.values())))
    body = twins.written(operation.name, twins.values.full(operation.request, many=1))
    twins.teach(body)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(body)))
        end = min(len(body), start + data.draw(st.integers(0, 4)))
        put = data.draw(st.binary(max_size=3) | st.sampled_from([b"<", b">", b"</", b"/>", b"&", b'"', b"=", b"<!--"]))
        body = body[:start] + put + body[end:]
    for _ in range(3):
        twins.agree(body)


def test_a_value_with_references_to_the_five_entities_is_read_by_its_shape(
    shops: Twins, order: Order, shop: Any
) -> None:
    body = shop.envelope(order(middle="<m:orderNumber>&lt;A&amp;amp;B&gt; &quot;&apos;</m:orderNumber>"))
    shops.teach(body)
    assert is_known(shops.quick, body)
    assert shops.agree(body)[3].order_number == "<A&amp;B> \"'"
    longest = body.replace(b"&lt;A&amp;amp;B", b"&amp;" * 100).replace(b"&gt; &quot;&apos;", b"")
    assert is_known(shops.quick, longest)
    assert shops.agree(longest)[3].order_number == "&" * 100
    assert shops.agree(longest.replace(b"&amp;<", b"&amp;&amp;<"))[0] == "SchemaViolation"


@pytest.mark.parametrize("spoiled", [b"&#45;", b"\r\n", b"&amp;"])
def test_a_value_that_is_not_as_it_was_sent_does_not_cost_others_their_shape(
    spoiled: bytes, shops: Twins, order: Order, shop: Any
) -> None:
    body = shop.envelope(order())
    shops.teach(body.replace(b">t-1<", b">t%b1<" % spoiled))
    shops.teach(body)
    assert is_known(shops.quick, body)


def test_names_that_are_no_ascii_are_never_part_of_a_shape(shops: Twins, order: Order) -> None:
    text = (
        f'<s:Envelope xmlns:s="{Version.SOAP11}"><s:Body>'
        '<\U00010000:CreateOrder xmlns:\U00010000="urn:opendepot:sales:1">'
        + order().partition(">")[2].replace("m:", "\U00010000:")
        + "</s:Body></s:Envelope>"
    )
    body = text.encode()
    for sent in (body, body, body, body.replace(b">t-1<", b">" + b"=" * 65 + b"<")):
        shops.agree(sent)
        assert not is_known(shops.quick, body)


def test_a_message_of_nothing_but_ends_of_tags_is_taken_apart_in_time_that_grows_with_its_length() -> None:
    # A second of processor time with an expression that goes beyond the next `>`, a thousandth of that without.
    hostile = b"<a>" + b">a" * 32_000 + b"<b"
    began = time.process_time()
    found = cut(hostile, Version.SOAP11)
    assert time.process_time() - began < 0.1
    assert found is not None
    assert len(found.values) == 0
    found = cut(b"<a>x>y</a>", Version.SOAP11)
    assert found is not None
    assert list(found.values) == ["y"]


def _refuse_no_more(shops: Twins, body: bytes, content_type: str = Version.SOAP11.content_type) -> None:
    """See that a message is read each time and never by its shape."""
    for _ in range(4):
        assert isinstance(shops.agree(body, content_type=content_type)[3], sales.CreateOrderRequest)
        assert not is_known(shops.quick, body, content_type=content_type)


NEVER = {
    "a header": {"header": "<s:Header/>"},
    "a header block": {"header": "<s:Header><x xmlns='urn:x'>v</x></s:Header>"},
    "an attribute": {"attributes": ' xsi:type="m:CreateOrderRequest"'},
    "a comment": {"middle": "<!-- a -->"},
    "a comment with a value in it": {"middle": "<!-- >a</ -->"},
    "a CDATA section": {"transaction": "<m:transactionId><![CDATA[t]]></m:transactionId>"},
    "a reference": {"transaction": "<m:transactionId>t&#45;1</m:transactionId>"},
    "a value that begins with a space": {"middle": "<m:orderNumber> a</m:orderNumber>"},
    "an element that says it is absent": {"middle": '<m:orderNumber xsi:nil="true"/>'},
    "an empty element that means absent": {"middle": "<m:orderNumber></m:orderNumber>"},
    "a literal encodingStyle": {"attributes": ' s:encodingStyle=""'},
    "a quoted end of a tag": {"declared": "o='>x'"},
    "a reference in an attribute": {"declared": "xmlns:o='urn:&#120;'"},
}


@pytest.mark.parametrize("about", NEVER)
def test_what_is_more_than_elements_and_values_is_never_read_by_its_shape(
    about: str, shops: Twins, order: Order, shop: Any
) -> None:
    parts = dict(NEVER[about])
    around = {name: parts.pop(name) for name in ("header", "declared") if name in parts}
    _refuse_no_more(shops, shop.envelope(order(**parts), **around))


@pytest.mark.parametrize(
    ("encoding", "declared", "content_type"),
    [
        ("ascii", "US-ASCII", "text/xml"),
        ("utf-8", "utf8", "text/xml"),
        ("utf-16", "utf-16", "text/xml"),
        ("utf-8", "utf-8", 'text/xml; charset="us-ascii"'),
        ("utf-8", "utf-8", "text/xml; charset=utf8"),
    ],
)
def test_what_is_not_utf8_by_that_name_is_never_read_by_its_shape(
    encoding: str, declared: str, content_type: str, order: Order, shop: Any
) -> None:
    shops = twins_of("sales")
    text = f'<?xml version="1.0" encoding="{declared}"?>{shop.envelope(order()).decode()}'
    _refuse_no_more(shops, text.encode(encoding), content_type)


def test_a_declared_encoding_still_rules_out_bytes_that_are_not_of_it(shops: Twins, order: Order, shop: Any) -> None:
    ascii_only = b'<?xml version="1.0" encoding="US-ASCII"?>' + shop.envelope(order())
    shops.teach(ascii_only)
    assert shops.agree(ascii_only.replace(b"t-1", "ü".encode()))[0] == "EncodingUnsupported"


def test_a_known_shape_under_another_version_or_action_is_refused_as_ever(
    shops: Twins, order: Order, shop: Any
) -> None:
    body = shop.envelope(order())
    shops.teach(body)
    assert is_known(shops.quick, body)
    assert shops.agree(body, content_type=Version.SOAP12.content_type)[0] == "ContentTypeMismatch"
    assert shops.agree(body, action='"urn:opendepot:sales:1/GetOrder"')[0] == "SoapActionMismatch"
    assert shops.agree(body, content_type="text/plain")[0] == "MediaTypeUnsupported"
    assert shops.agree(b"\xef\xbb\xbf" + body)[0] == "CreateOrder"


def test_a_message_of_a_known_shape_that_is_too_large_is_refused_as_ever(order: Order, shop: Any) -> None:
    body = shop.envelope(order(middle="<m:orderNumber>n</m:orderNumber>"))
    small = twins_of("sales", limits=Limits(max_bytes=len(body) + 5))
    small.teach(body)
    longer = body.replace(b">n<", b">123456<")
    assert small.agree(longer)[0] == "CreateOrder"
    assert is_known(small.quick, longer)
    assert small.agree(longer.replace(b">123456<", b">1234567<"))[0] == "TooLarge"


def test_a_message_that_is_longer_than_what_is_looked_at_is_read_the_whole_way(shop: Any) -> None:
    depots = twins_of("depot")
    operation = depots.plain.contract.operations["GetLicenseUpdate"]
    body = depots.written(operation.name, depots.values.full(operation.request))
    padded = body + b" " * MOST_BYTES
    for _ in range(3):
        depots.agree(padded)
        assert not is_known(depots.quick, padded)


def test_a_message_is_answered_though_its_shape_would_give_another_and_no_other_is_read_by_that(
    order: Order, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shops, body = twins_of("sales"), shop.envelope(order())
    longer = Plain(value="{0} + '!'")
    with monkeypatch.context() as patched:
        patched.setattr("soap.shapes.plain_of", lambda type_: longer if type_.built_in == "string" else plain_of(type_))
        for _ in range(4):
            shops.agree(body)
    assert not is_known(shops.quick, body)


def test_no_more_shapes_are_remembered_than_was_said_and_the_oldest_goes(order: Order, shop: Any) -> None:
    few = twins_of("sales", shapes=3)
    bodies = [shop.envelope(order(end=" " * spaces)) for spaces in range(5)]
    for body in bodies:
        few.teach(body)
    assert few.quick.shapes is not None
    assert len(few.quick.shapes) == 3
    assert [is_known(few.quick, body) for body in bodies] == [False, False, True, True, True]


def test_who_sends_ever_new_shapes_has_few_of_them_made(order: Order, shop: Any) -> None:
    shops = twins_of("sales")
    assert shops.quick.shapes is not None
    for spaces in range(600):
        shops.teach(shop.envelope(order(end=" " * spaces)))
    assert 64 <= len(shops.quick.shapes) <= 64 + 2 * 600 // 64 + 1


def test_a_message_that_comes_once_is_not_remembered(order: Order, shop: Any) -> None:
    shops = twins_of("sales")
    outcome(shops.quick, shop.envelope(order()), content_type="text/xml")
    assert shops.quick.shapes is not None
    assert len(shops.quick.shapes) == 0


def test_a_schema_that_binds_values_to_each_other_is_no_contract(schema_text: Callable[..., str]) -> None:
    element = '<xs:element name="a" type="xs:string">{}</xs:element>'
    text = schema_text(
        '<xs:complexType name="T"><xs:sequence>' + element.format('<xs:unique name="u"/>') + "</xs:sequence>"
        '</xs:complexType><xs:element name="E" type="t:T"/>'
    )
    with pytest.raises(ContractError, match=r"xs:unique is not allowed \(rule R7\)"):
        read_schema(parse(text.encode(), limits=Limits()))


KINDS = {
    "a text": ("sales", "CreateOrder", "orderNumber"),
    "a text with a pattern": ("sales", "CreateOrder", "containerSerial"),
    "one of several": ("sales", "CreateOrder", "kind"),
    "a number": ("sales", "CreateOrder", "quantity"),
    "a number of 64 bits": ("depot", "RestoreLicense", "firmCode"),
    "bytes": ("sales", "CreateOrder", "value"),
    "true or false": ("admin", "SetShopFilter", "confirmed"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_of_each_type_that_is_not_plain_ends_as_it_does_the_whole_way(kind: str) -> None:
    service, operation, name = KINDS[kind]
    pair = twins_of(service)
    request = pair.plain.contract.operations[operation].request
    body = pair.written(operation, pair.values.greatest(request))
    value = re.compile(rb"<m:%b>([^<]*)</m:%b>" % (name.encode(), name.encode()))
    place = value.search(body)
    assert place is not None, f"{operation} has no {name}"
    pair.teach(body)
    assert is_known(pair.quick, body)
    wrong = [text for texts in (*WRONG.values(), *ONLY_DECODED.values()) for text in texts]
    for text in (*HOSTILE, *wrong, "QUI", "QUJDRA==", "QUJDRB==", "QUJDREU=", "QUJDREV=", " QUJD", "QU JD"):
        pair.agree(body[: place.start(1)] + text.encode("utf-8", errors="surrogatepass") + body[place.end(1) :])


def test_a_time_that_is_taken_as_plain_is_valid_and_the_same_moment() -> None:
    schema = etree.XMLSchema(
        etree.fromstring(f'<xs:schema xmlns:xs="{XSD}"><xs:element name="a" type="xs:dateTime"/></xs:schema>')
    )
    plain = plain_of(SimpleType(name="dateTime", built_in="dateTime", documentation=""))
    assert plain is not None
    read = plain.names["time_of"]
    zones = ("2026-01-31T12:00:00+14:01", "2026-01-31T12:00:00-23:59", "2026-01-31T12:00:00+05:60")
    times = [text for text in HOSTILE if text[:2] in {"20", "00", "99"}]
    assert sum(read(text) is not None for text in times) >= 2
    for text in (
        *times,
        "1999-12-31T23:59:59.000001-05:30",
        "2026-01-31T12:00:00-00:00",
        "12026-01-31T12:00:00Z",
        *zones,
    ):
        found = read(text)
        if found is not None:
            element = etree.Element("a")
            element.text = text
            assert schema.validate(element), text
            assert found == datetime.fromisoformat(text)
            assert found.tzinfo is UTC
