"""What a hostile or broken peer can send: always a message or a refusal, and never an echo."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from soap import ENGINE_FAULTS, AnswerInvalid, FaultReceived, SoapError, Version
from soap.envelope import MOST_NAMED
from xmlgate import Limits

Order = Callable[..., str]

SALES = "urn:opendepot:sales:1"
OWN = "<h:OnBehalfOf><h:clientAddress>192.0.2.1</h:clientAddress></h:OnBehalfOf>"

FRAGMENTS = [
    b"<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/hostname'>]>",
    b"<!DOCTYPE a>",
    b"<?pi data?>",
    b"<?xml version='1.0' encoding='utf-7'?>",
    b"<!-- comment -->",
    b"<!--",
    b"<![CDATA[<m:x>]]>",
    b"<![CDATA[",
    b"]]>",
    b"&e;",
    b"&amp;",
    b"&#0;",
    b"&#x110000;",
    b"&#xD800;",
    b"&#13;",
    b"&",
    b"<a>" * 40,
    b"</a>" * 40,
    b"<a>" * 40 + b"</a>" * 40,
    b"<a/>" * 3,
    b' xsi:nil="true"',
    b' xsi:nil="false"',
    b' xsi:type="m:OrderLine"',
    b' xsi:type="nobody:T"',
    b' xsi:schemaLocation="urn:x file:///etc/hostname"',
    b' xmlns="urn:opendepot:sales:1"',
    b' xmlns=""',
    b' xmlns:m="urn:other"',
    b' xmlns:s="urn:other"',
    b' xmlns:xml="http://www.w3.org/XML/1998/namespace"',
    b' s:mustUnderstand="1"',
    b' a="1"',
    b' a="1" a="2"',
    b"<m:quantity/>",
    b"<m:quantity>" + b"0" * 5000 + b"1</m:quantity>",
    b"<m:orderNumber/>",
    b"<m:orderNumber> </m:orderNumber>",
    b"<m:context>QU!JD</m:context>",
    b"<m:context>\xc3\xa4</m:context>",
    b"<s:Header/>",
    b"<s:Header><OnBehalfOf/></s:Header>",
    f"<s:Header>{OWN}</s:Header>".encode(),
    b'<s:Header><xml:x s:mustUnderstand="1"/></s:Header>',
    b'<s:Header><x:y xmlns:x="urn:?&amp;\'" s:mustUnderstand="1"/></s:Header>',
    b"<s:Body>",
    b"</s:Body>",
    b"<s:Body/>",
    b"<s:Fault/>",
    b"<m:" + b"n" * 97 + "éé".encode() + b"/>",
    b"<" + b"p" * 97 + "é:x".encode() + b"/>",
    b"\x00",
    b"\x0b",
    b"\xff",
    b"\xc3",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    "\u2028\u0085\ufffe".encode(),
    b"\r\n\t ",
    b"1e5",
    b"-1",
    b"2026-01-31T12:00:00",
]
CONTENT_TYPES = st.sampled_from(
    [
        None,
        "",
        "text/xml",
        "application/soap+xml",
        'text/xml; charset="utf-8"',
        "text/xml; charset=utf-16",
        "text/xml; charset=",
        "text/xml; charset=\x00é",
        f'application/soap+xml; charset=utf-8; action="{SALES}/GetOrder"',
        'application/soap+xml; action="',
        "multipart/related",
    ]
)
ACTIONS = st.sampled_from([None, "", '""', f"{SALES}/GetOrder", f'"{SALES}/CreateOrder"', "\x00é"])
BREAKS = ["flip", "delete", "double", "swap tags", "insert at a tag", "insert anywhere", "move"]


def _tags(data: bytes) -> list[tuple[int, int]]:
    """Where tags stand in a message, as far as can be seen without reading it."""
    found, at = [], data.find(b"<")
    while at >= 0 and (end := data.find(b">", at)) >= 0:
        found.append((at, end + 1))
        at = data.find(b"<", end)
    return found


def _swapped(data: bytes, one: tuple[int, int], two: tuple[int, int]) -> bytes:
    (a, b), (c, d) = sorted([one, two])
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def _inserted(draw: st.DrawFn, data: bytes, kind: str) -> bytes:
    edges = [edge for tag in _tags(data) for edge in (tag[0], tag[1] - 1, tag[1])]
    at = draw(st.sampled_from(edges)) if kind == "insert at a tag" and edges else draw(st.integers(0, len(data)))
    return data[:at] + draw(st.sampled_from(FRAGMENTS)) + data[at:]


@st.composite
def _broken(draw: st.DrawFn, data: bytes) -> bytes:
    for kind in draw(st.lists(st.sampled_from(BREAKS), min_size=1, max_size=3)):
        tags = _tags(data)
        if kind.startswith("insert"):
            data = _inserted(draw, data, kind)
        elif kind == "swap tags" and len(tags) > 1:
            data = _swapped(data, *draw(st.lists(st.sampled_from(tags), min_size=2, max_size=2, unique=True)))
        elif data:
            start = draw(st.integers(0, len(data) - 1))
            end = draw(st.integers(start + 1, min(len(data), start + 60)))
            piece = data[start:end]
            if kind == "flip":
                data = data[:start] + bytes([data[start] ^ (1 << draw(st.integers(0, 7)))]) + data[start + 1 :]
            else:
                to = draw(st.integers(0, len(data)))
                rest = data if kind == "double" else data[:start] + data[end:]
                data = rest if kind == "delete" else rest[:to] + piece + rest[to:]
    return data


def _outcome(service: Any, data: bytes, *, content_type: str | None, action: str | None) -> Any:
    """A message or the refusal. Any other exception goes through, and fails the test."""
    try:
        return service.engine.decode(service.engine.open(data, content_type=content_type, soap_action=action))
    except SoapError as error:
        return error


def _check(service: Any, fault_of: Any, outcome: Any) -> None:
    if not isinstance(outcome, SoapError):
        assert type(outcome) in [
            getattr(service.messages, o.request.name) for o in service.contract.operations.values()
        ]
        return
    assert outcome.code in ENGINE_FAULTS
    assert (outcome.version is None) == (outcome.code == "MediaTypeUnsupported")
    assert len(outcome.not_understood) <= MOST_NAMED
    for version in Version:
        body = service.engine.fault(fault_of(outcome), version=version).body
        root = etree.fromstring(body)
        assert (root[-1].tag, root[-1][0].tag) == (f"{{{version}}}Body", f"{{{version}}}Fault")
        assert len(body) < 16_000


@given(
    data=st.binary(max_size=400),
    content_type=CONTENT_TYPES | st.text(max_size=60),
    action=ACTIONS | st.text(max_size=30),
)
@pytest.mark.examples
@settings(derandomize=True, max_examples=examples(150), deadline=None)
def test_any_bytes_under_any_content_type_are_a_message_or_a_refusal(
    service: Any, fault_of: Any, data: bytes, content_type: str | None, action: str | None
) -> None:
    _check(service, fault_of, _outcome(service, data, content_type=content_type, action=action))


@given(
    pieces=st.lists(st.sampled_from(FRAGMENTS), max_size=8), version=st.sampled_from(Version), place=st.integers(0, 3)
)
@pytest.mark.examples
@settings(derandomize=True, max_examples=examples(200), deadline=None)
def test_any_fragments_in_any_place_of_an_envelope_are_a_message_or_a_refusal(
    service: Any, fault_of: Any, pieces: list[bytes], version: Version, place: int
) -> None:
    operation = next(iter(service.contract.operations))
    text = service.envelope(f"<m:{operation}>@2</m:{operation}>@1", version=version, header="@0") + b"@3"
    data = text.replace(f"@{place}".encode(), b"".join(pieces))
    for other in range(4):
        data = data.replace(f"@{other}".encode(), b"")

    _check(service, fault_of, _outcome(service, data, content_type=version.content_type, action=None))


@given(data=st.data())
@pytest.mark.examples
@settings(derandomize=True, max_examples=examples(400), deadline=None)
def test_any_broken_message_is_a_message_or_a_refusal(service: Any, fault_of: Any, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(sorted(service.requests)))
    version = data.draw(st.sampled_from(Version))
    request = service.clients[version].request(operation, data.draw(service.requests[operation]))
    body = request.body.replace(b"<soap:Body>", data.draw(st.sampled_from([b"", b"<soap:Header/>"])) + b"<soap:Body>")
    broken = data.draw(_broken(body.replace(b"soap:", b"s:").replace(b":soap=", b":s=")))
    content_type = data.draw(st.just(version.content_type) | st.just(version.content_type) | CONTENT_TYPES)

    _check(service, fault_of, _outcome(service, broken, content_type=content_type, action=data.draw(ACTIONS)))


@given(data=st.data())
@pytest.mark.examples
@settings(derandomize=True, max_examples=examples(200), deadline=None)
def test_any_broken_answer_is_a_message_a_fault_or_said_to_be_invalid(service: Any, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(sorted(service.answers)))
    version = data.draw(st.sampled_from(Version))
    received = type(
        "Received",
        (),
        {"operation": service.contract.operations[operation], "version": version, "addressing": None, "mtom": False},
    )
    reply = service.engine.encode(received, data.draw(service.answers[operation]))
    body = data.draw(st.just(reply.body).flatmap(_broken) | st.binary(max_size=100))
    content_type = data.draw(st.just(version.content_type) | CONTENT_TYPES)
    try:
        answer = service.clients[version].answer(operation, content_type=content_type, body=body)
    except (FaultReceived, AnswerInvalid):
        return
    assert type(answer).__name__ == service.contract.operations[operation].answer.name


CANARY = "Canary7Z"
VALUES = [CANARY, f"0{CANARY}", f"{CANARY} ", f"{CANARY}&lt;", f"Expected is ( {CANARY} ).", CANARY * 30]


def _choose(draw: st.DrawFn, choices: Iterable[str]) -> str:
    return draw(st.sampled_from(list(choices)))


@st.composite
def _told(draw: st.DrawFn, order: Order) -> tuple[str, str]:
    """A header and a body with the canary wherever no name stands: values, attributes, text, comments."""
    value = _choose(draw, VALUES)
    attribute = _choose(draw, ["", *(f' {name}="{value}"' for name in ("a", "m:a", "xsi:type", "xsi:nil", "xml:lang"))])
    place = _choose(draw, ["transactionId", "orderNumber", "customer", "itemNumber", "quantity", "other", "root"])
    inside = _choose(draw, ["", "<m:x/>", f"<!-- {CANARY} -->", f"<m:name>{value}</m:name>"])
    element = f"<m:{place}{attribute}>{value}{inside}</m:{place}>"
    parts = {
        "transactionId": {"transaction": element},
        "itemNumber": {"item": element},
        "quantity": {"quantity": element},
        "root": {"attributes": attribute},
    }.get(place, {"middle": element})
    front = _choose(
        draw,
        [
            "",
            f"<h:OnBehalfOf><h:clientAddress{attribute}>{value * 5}</h:clientAddress></h:OnBehalfOf>",
            f"<h:OnBehalfOf><h:clientAddress>192.0.2.1</h:clientAddress>{value}</h:OnBehalfOf>",
            f'<OnBehalfOf a="{value}">{value}</OnBehalfOf>',
            f'<x s:mustUnderstand="1" a="{value}">{value}</x>',
            f'<x s:mustUnderstand="{value}" s:actor="{value}"/>',
        ],
    )
    return f"<s:Header>{front}</s:Header>", order(**parts, end=_choose(draw, ["", value, f"<m:x>{value}</m:x>"]))


@given(data=st.data())
@pytest.mark.examples
@settings(derandomize=True, max_examples=examples(250), deadline=None)
def test_no_value_of_a_message_reaches_an_error_or_its_fault(
    shop: Any, fault_of: Any, order: Order, data: st.DataObject
) -> None:
    header, body = data.draw(_told(order))
    version = data.draw(st.sampled_from(Version))
    text = shop.envelope(body, header=header, version=version)
    cut = data.draw(st.sampled_from([len(text)] * 3 + [len(text) - 9]) | st.integers(0, len(text)))
    extra = data.draw(st.sampled_from(["", f"; charset={CANARY}", f'; action="{CANARY}"', f"; {CANARY}"]))
    action = data.draw(st.sampled_from([None, CANARY, f"{SALES}/GetOrder"]))
    outcome = _outcome(shop, text[:cut], content_type=f"{version.media_type}{extra}", action=action)

    if isinstance(outcome, SoapError):
        told = [outcome.message, str(outcome), repr(outcome), str(outcome.path), str(outcome.not_understood)]
        written = [shop.engine.fault(fault_of(outcome), version=v).body.decode() for v in Version]
        assert not [words for words in told + written if CANARY in words]


def test_a_fault_is_never_much_larger_than_the_names_in_it(shop: Any, fault_of: Any, version: Version) -> None:
    blocks = "".join(f'<n:a{i} s:mustUnderstand="1"/>' for i in range(4000))
    header = f'<s:Header xmlns:n="{"u" * Limits().name_bytes}">{blocks}</s:Header>'
    error = shop.refusal(shop.envelope("<m:ListItems/>", header=header, version=version), version=version)

    assert error.code == "NotUnderstood"
    assert len(shop.engine.fault(fault_of(error), version=version).body) < 2000 + MOST_NAMED * Limits().name_bytes


def test_one_long_namespace_does_not_make_memory_of_every_name_below_it(shop: Any, order: Order) -> None:
    attributes = "".join(f' n:a{i}=""' for i in range(60))
    lines = f"<m:orderLine{attributes}/>" * 90
    text = shop.envelope(order(line=lines), declared=f'xmlns:n="{"u" * 100_000}"')

    assert shop.refusal(text).code == "TooComplex"


@pytest.mark.parametrize("place", ["@header", "@inside", "@behind"])
def test_a_flood_of_wrong_elements_is_refused_by_the_first(place: str, shop: Any) -> None:
    flood = "<m:x/>" * 15_000
    text = shop.envelope("<m:ListItems>@inside</m:ListItems>@behind", header="<s:Header>@header</s:Header>").decode()
    for name in ("@header", "@inside", "@behind"):
        text = text.replace(name, flood if name == place else "")

    if place == "@header":
        assert shop.read(text.encode()) == shop.messages.ListItemsRequest()
    else:
        assert shop.refusal(text.encode()).path == {"@inside": "ListItems/x[1]", "@behind": "Envelope/Body"}[place]
