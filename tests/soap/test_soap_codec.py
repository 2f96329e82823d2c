from base64 import b64encode
from collections.abc import Callable
from dataclasses import field, make_dataclass
from datetime import UTC, datetime, timedelta, timezone
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from soap import ContractError, SoapError, Version
from soap.codec import compile_decoder, compile_encoder, escape
from soap.schema import ComplexType, read_schema
from soap.validate import Validator

KINDS = ("string", "int", "long", "boolean", "dateTime", "base64Binary")


class Codec:
    """A type with one optional element per built-in type, and its decoder and encoder."""

    def __init__(self, schema_text: Callable[..., str]) -> None:
        fields = "".join(f'<xs:element name="{kind}" type="xs:{kind}" minOccurs="0"/>' for kind in KINDS)
        root = etree.fromstring(
            schema_text(
                '<xs:element name="E" type="t:Values"/><xs:complexType name="Values">'
                f"<xs:sequence>{fields}</xs:sequence></xs:complexType>"
            )
        )
        self.type: ComplexType = read_schema(root).elements["E"]
        self.validator = Validator(root)
        self.decode = compile_decoder(self.type, values_module(*(f.attribute for f in self.type.fields)))
        self._encode = compile_encoder(self.type, prefix="t")

    def read(self, kind: str, text: str) -> Any:
        element = etree.fromstring(f'<t:E xmlns:t="urn:t">\n<t:{kind}>{text}</t:{kind}></t:E>')
        assert self.validator.valid(element)
        return getattr(self.decode(element), self.attribute(kind))

    def write(self, kind: str, value: Any) -> str:
        out: list[str] = []
        values = dict.fromkeys((f.attribute for f in self.type.fields), None) | {self.attribute(kind): value}
        self._encode(SimpleNamespace(**values), out)
        return "".join(out)

    def attribute(self, kind: str) -> str:
        return next(f.attribute for f in self.type.fields if f.name == kind)


def values_module(*attributes: str) -> ModuleType:
    """A messages module with a class Values of these fields."""
    module = ModuleType("made_up")
    fields = [(name, Any, field(default=None)) for name in attributes]
    module.__dict__["Values"] = make_dataclass("Values", fields, frozen=True, kw_only=True, slots=True)
    return module


@pytest.fixture(scope="module")
def codec(schema_text: Callable[..., str]) -> Codec:
    return Codec(schema_text)


@given(
    text=st.text(
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff") | st.sampled_from("\t\n\r")
    )
)
@settings(derandomize=True, max_examples=300, deadline=None)
def test_escaped_text_reads_back_as_itself(text: str) -> None:
    assert (etree.fromstring(f"<a>{escape(text)}</a>".encode()).text or "") == text


def test_markup_and_carriage_returns_are_escaped() -> None:
    assert escape("a & b <c> ]]>\r\n") == "a &amp; b &lt;c&gt; ]]&gt;&#13;\n"


@pytest.mark.parametrize("code", [*range(9), 11, 12, *range(14, 32), 0xD800, 0xDBFF, 0xDC00, 0xDFFF, 0xFFFE, 0xFFFF])
def test_what_xml_cannot_carry_is_refused_without_being_echoed(code: int) -> None:
    with pytest.raises(ValueError, match=r"^a text holds a character that XML cannot carry$"):
        escape(f"secret{chr(code)}")


@pytest.mark.parametrize("code", [9, 10, 32, 0x7F, 0x85, 0xD7FF, 0xE000, 0xFFFD, 0x10000, 0x1FFFE, 0x10FFFF])
def test_what_xml_can_carry_is_left_alone(code: int) -> None:
    assert escape(chr(code)) == chr(code)


@pytest.mark.parametrize("operation", ["CreateOrder"])
def test_a_request_with_a_control_character_is_refused_before_it_is_sent(shop: Any, operation: str) -> None:
    message = shop.messages.CreateOrderRequest(
        transaction_id="a\x00", order_line=(shop.messages.OrderLine(item_number="A", quantity=1),)
    )

    with pytest.raises(ValueError, match="XML cannot carry"):
        shop.clients[Version.SOAP12].request(operation, message)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00+02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("2026-01-31T12:00:00-14:00", datetime(2026, 2, 1, 2, tzinfo=UTC)),
        ("2026-01-31T12:00:00.5Z", datetime(2026, 1, 31, 12, microsecond=500_000, tzinfo=UTC)),
        ("2026-01-31T12:00:00.123456Z", datetime(2026, 1, 31, 12, microsecond=123_456, tzinfo=UTC)),
        ("2026-01-31T12:00:00.1234569Z", datetime(2026, 1, 31, 12, microsecond=123_456, tzinfo=UTC)),
        ("2026-01-31T12:00:00Z \n", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2024-02-29T23:59:59Z", datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_time_with_a_zone_is_read_in_utc(codec: Codec, text: str, expected: datetime) -> None:
    found = codec.read("dateTime", text)

    assert (found, found.tzinfo) == (expected, UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T12:00:00",
        "2026-01-31T12:00:00.5",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "12026-01-31T12:00:00Z",
        "-0001-01-31T12:00:00Z",
        "2026-01-31T24:00:00Z",
    ],
)
def test_a_time_without_a_zone_or_out_of_range_is_a_schema_violation_with_its_place(codec: Codec, text: str) -> None:
    with pytest.raises(SoapError) as caught:
        codec.read("dateTime", text)

    assert (caught.value.code, caught.value.path, caught.value.line) == ("SchemaViolation", "E/dateTime", 2)
    assert "have a zone, such as 2026-01-31T12:00:00Z" in caught.value.message
    assert text not in caught.value.message.replace("2026-01-31T12:00:00Z", "")


def test_times_are_written_in_utc_with_z(codec: Codec) -> None:
    zone = timezone(timedelta(hours=2))

    assert codec.write("dateTime", datetime(2026, 1, 31, 12, tzinfo=zone)) == (
        "<t:dateTime>2026-01-31T10:00:00Z</t:dateTime>"
    )
    assert codec.write("dateTime", datetime(2026, 1, 31, 12, microsecond=5, tzinfo=UTC)) == (
        "<t:dateTime>2026-01-31T12:00:00.000005Z</t:dateTime>"
    )


def test_a_time_without_a_zone_is_not_written_as_local_time(codec: Codec) -> None:
    with pytest.raises(ValueError, match="must have a zone"):
        codec.write("dateTime", datetime(2026, 1, 31, 12))  # noqa: DTZ001  the very mistake


@given(content=st.binary(max_size=300), breaks=st.lists(st.sampled_from([" ", "\n", "\t", "\r\n"]), max_size=20))
@settings(derandomize=True, max_examples=150, deadline=None)
def test_base64_may_hold_white_space_anywhere(codec: Codec, content: bytes, breaks: list[str]) -> None:
    text = b64encode(content).decode()
    size = max(1, len(text) // (len(breaks) + 1))
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    spaced = "".join(f"{piece}{gap}" for piece, gap in zip(pieces, [*breaks, *[""] * len(pieces)], strict=False))

    assert codec.read("base64Binary", f"\n{spaced} ") == content


@pytest.mark.parametrize("text", ["QU!JD", "-_-_", "QU\u00a0JD", "\u00e4\u00e4", "QUJD.", "#"])
def test_base64_that_only_libxml2_takes_for_valid_is_refused(codec: Codec, text: str) -> None:
    with pytest.raises(SoapError) as caught:
        codec.read("base64Binary", text)

    assert (caught.value.code, caught.value.path, caught.value.line) == ("SchemaViolation", "E/base64Binary", 2)
    assert text not in caught.value.message


@given(text=st.text(st.sampled_from("ABab01+/=-_!\u00e4 \n"), max_size=12))
@settings(derandomize=True, max_examples=500, deadline=None)
def test_base64_is_read_or_refused_whatever_the_schema_lets_pass(codec: Codec, text: str) -> None:
    element = etree.fromstring(f'<t:E xmlns:t="urn:t"><t:base64Binary>{text}</t:base64Binary></t:E>')
    if codec.validator.valid(element):
        try:
            found = codec.decode(element).base64_binary
        except SoapError as error:
            assert set(text) & set("-_!\u00e4"), error  # noqa: PT017  both outcomes are right
        else:
            assert b64encode(found).decode() == "".join(text.split())


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("int", "-2147483648", -(2**31)),
        ("int", " +7\n", 7),
        ("int", "-0", 0),
        ("int", "007", 7),
        ("long", "9223372036854775807", 2**63 - 1),
        ("boolean", "true", True),
        ("boolean", " 1 ", True),
        ("boolean", "false", False),
        ("boolean", "0", False),
        ("string", "", ""),
        ("string", "  a\n b ", "  a\n b "),
        ("string", "a<!-- no part of it -->b<![CDATA[<c>]]>&#x64;", "ab<c>d"),
        ("base64Binary", "", b""),
    ],
)
def test_values_of_the_other_types_are_read(codec: Codec, kind: str, text: str, expected: object) -> None:
    parser = etree.XMLParser(remove_comments=True)
    element = etree.fromstring(f'<t:E xmlns:t="urn:t"><t:{kind}>{text}</t:{kind}></t:E>', parser)

    assert codec.validator.valid(element)
    assert getattr(codec.decode(element), codec.attribute(kind)) == expected


@pytest.mark.parametrize("kind", ["int", "long"])
def test_a_number_of_thousands_of_digits_is_a_schema_violation(codec: Codec, kind: str) -> None:
    with pytest.raises(SoapError) as caught:
        codec.read(kind, "0" * 5000 + "1")

    assert (caught.value.code, caught.value.path) == ("SchemaViolation", f"E/{kind}")
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("int", -5, "-5"),
        ("long", 2**63 - 1, "9223372036854775807"),
        ("boolean", True, "true"),
        ("boolean", False, "false"),
        ("base64Binary", b"ABC", "QUJD"),
        ("base64Binary", b"", ""),
        ("string", "a&b", "a&amp;b"),
    ],
)
def test_values_of_the_other_types_are_written(codec: Codec, kind: str, value: object, text: str) -> None:
    assert codec.write(kind, value) == f"<t:{kind}>{text}</t:{kind}>"


@pytest.mark.parametrize("module", [ModuleType("empty"), values_module("string"), values_module(*KINDS, "more")])
def test_messages_that_do_not_match_the_contract_are_a_contract_error(codec: Codec, module: ModuleType) -> None:
    with pytest.raises(ContractError, match=r"does not match the contract at Values: run `python -m soap\.generate`"):
        compile_decoder(codec.type, module)


@pytest.fixture(scope="module")
def required(schema_text: Callable[..., str]) -> Callable[..., str]:
    """What writes a type of required fields, two texts and a number in an element of its own."""
    root = etree.fromstring(
        schema_text(
            '<xs:element name="E" type="t:Outer"/>'
            '<xs:complexType name="Inner"><xs:sequence><xs:element name="b" type="xs:string"/>'
            '<xs:element name="n" type="xs:int"/></xs:sequence></xs:complexType>'
            '<xs:complexType name="Outer"><xs:sequence><xs:element name="a" type="xs:string"/>'
            '<xs:element name="inner" type="t:Inner"/></xs:sequence></xs:complexType>'
        )
    )
    encode = compile_encoder(read_schema(root).elements["E"], prefix="t")

    def write(*, a: Any = "a", b: Any = "b", n: Any = 1) -> str:
        out: list[str] = []
        encode(SimpleNamespace(a=a, inner=SimpleNamespace(b=b, n=n)), out)
        return "".join(out)

    return write


@pytest.mark.parametrize("mark", ["<", ">", "&", "\r", "{", "'", "\\", "\u0085"])
def test_each_text_of_required_fields_is_escaped_whichever_of_them_needs_it(
    required: Callable[..., str], mark: str
) -> None:
    for a, b in [(mark, "b"), ("a", mark), (mark, mark), ("", "")]:
        written = required(a=a, b=b)
        assert written == f"<t:a>{escape(a)}</t:a><t:inner><t:b>{escape(b)}</t:b><t:n>1</t:n></t:inner>"


@pytest.mark.parametrize("name", ["a", "b"])
def test_no_text_of_required_fields_holds_what_xml_cannot_carry(required: Callable[..., str], name: str) -> None:
    for character in ("\x00", "\ud800", "\uffff"):
        with pytest.raises(ValueError, match="XML cannot carry"):
            required(**{name: character})


@pytest.mark.parametrize(("name", "value"), [("a", 1), ("a", b"a"), ("b", None), ("n", None), ("n", "1"), ("n", 1.5)])
def test_a_required_field_of_another_type_is_not_written(
    required: Callable[..., str], name: str, value: object
) -> None:
    with pytest.raises((TypeError, ValueError)):
        required(**{name: value})
