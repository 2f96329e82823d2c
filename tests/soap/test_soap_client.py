from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from lxml import etree

from soap import ENGINE_FAULTS, AnswerInvalid, Blame, ClientEngine, Fault, FaultKind, FaultReceived, SoapError, Version
from soap.faults import render_fault
from soap.messages import depot, sales
from soap.messages.header import FrontClient

SALES = "urn:opendepot:sales:1"
S11, S12 = Version.SOAP11, Version.SOAP12

Answered = Callable[..., Any]


@pytest.fixture
def answered(shop: Any, version: Version) -> Answered:
    """What the client makes of an answer to an operation."""

    def read(body: bytes, *, operation: str = "ListItems", content_type: str | None = version.content_type) -> Any:
        return shop.clients[version].answer(operation, content_type=content_type, body=body)

    return read


def _refused(read: Answered, body: bytes, **options: Any) -> str:
    with pytest.raises(AnswerInvalid) as caught:
        read(body, **options)
    return str(caught.value)


def _fault(read: Answered, body: bytes, **options: Any) -> FaultReceived:
    with pytest.raises(FaultReceived) as caught:
        read(body, **options)
    return caught.value


def _envelope(inner: str, version: Version) -> bytes:
    return f'<s:Envelope xmlns:s="{version}" xmlns:m="{SALES}"><s:Body>{inner}</s:Body></s:Envelope>'.encode()


def _foreign(version: Version, text: str, detail: str = "") -> bytes:
    if version is S11:
        code = f"<faultcode>s:Server</faultcode><faultstring>{text}</faultstring>"
        within = f"<detail>{detail}</detail>" if detail else ""
    else:
        code = (
            f"<s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Reason><s:Text xml:lang='en'>{text}</s:Text></s:Reason>"
        )
        within = f"<s:Detail>{detail}</s:Detail>" if detail else ""
    return _envelope(f"<s:Fault>{code}{within}</s:Fault>", version)


PAGE = "<m:ListItemsResponse><m:page><m:hasMore>{}</m:hasMore>{}</m:page></m:ListItemsResponse>"


def test_a_request_of_soap11_has_its_action_in_a_header_and_quoted(shop: Any) -> None:
    request = shop.clients[S11].request("ListItems", sales.ListItemsRequest(page_token="a&b"))

    assert request.headers == {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{SALES}/ListItems"'}
    assert request.body.startswith(b'<?xml version="1.0" encoding="utf-8"?>\n')
    body = etree.fromstring(request.body)[0]
    assert [body.tag, body[0].tag, body[0][0].text] == [f"{{{S11}}}Body", f"{{{SALES}}}ListItems", "a&b"]


@pytest.mark.parametrize(
    "client", [FrontClient(client_address="2001:db8::1"), FrontClient(client_address="192.0.2.1", account="e & f")]
)
def test_a_front_s_request_tells_whom_it_speaks_for_as_the_engine_reads_it(
    shop: Any, version: Version, client: FrontClient
) -> None:
    request = shop.clients[version].request("ListItems", sales.ListItemsRequest(), on_behalf_of=client)

    received = shop.engine.open(request.body, content_type=request.headers["Content-Type"], soap_action=None)
    assert (received.operation.name, received.on_behalf_of) == ("ListItems", client)


def test_a_request_of_soap12_has_its_action_in_the_content_type(shop: Any) -> None:
    request = shop.clients[S12].request("ListItems", sales.ListItemsRequest())

    assert request.headers == {"Content-Type": f'application/soap+xml; charset=utf-8; action="{SALES}/ListItems"'}
    assert etree.fromstring(request.body)[0].tag == f"{{{S12}}}Body"


def test_a_client_speaks_soap12_unless_told(shop: Any) -> None:
    request = ClientEngine(shop.contract, sales).request("ListItems", sales.ListItemsRequest())

    assert request.headers["Content-Type"].startswith("application/soap+xml")


def test_a_request_of_an_operation_that_the_service_does_not_have_is_a_key_error(shop: Any) -> None:
    with pytest.raises(KeyError, match="GetTicket"):
        shop.clients[S12].request("GetTicket", depot.GetTicketRequest(ticket=("x",)))


def test_an_answer_is_given_as_its_message(answered: Answered, version: Version) -> None:
    expected = sales.ListItemsAnswer(page=sales.ItemPage(has_more=True))

    assert answered(_envelope(PAGE.format("true", ""), version)) == expected


@pytest.mark.parametrize(
    ("codec", "charset"), [("utf-16", "utf-16"), ("utf-16-le", "UTF-16LE"), ("utf-8-sig", "utf-8")]
)
def test_an_answer_may_come_in_utf_16_or_with_a_mark(
    codec: str, charset: str, answered: Answered, version: Version
) -> None:
    inner = PAGE.format("1", "<m:nextPageToken>ü中𐀀</m:nextPageToken>")
    body = _envelope(inner, version).decode().encode(codec)

    answer = answered(body, content_type=f"{version.media_type}; charset={charset}")
    assert answer.page.next_page_token == "ü中𐀀"


def test_an_answer_may_come_in_the_other_version(shop: Any) -> None:
    for asked, came in ((S11, S12), (S12, S11)):
        answer = shop.clients[asked].answer(
            "ListItems", content_type=came.content_type, body=_envelope(PAGE.format("0", ""), came)
        )
        assert answer.page.has_more is False


@pytest.mark.parametrize(
    ("content_type", "body", "words"),
    [
        ("text/html", b"<html><body>502 Bad Gateway</body></html>", "the Content-Type must be text/xml"),
        (None, b"", "the Content-Type must be text/xml"),
        ("text/xml", b"", "no SOAP message"),
        ("text/xml", b"\x00\xff garbage", "no SOAP message"),
        ("text/xml", b"<html><p>not closed</html>", "end tag"),
        ("text/xml", b"<html/>", "the root element must be Envelope"),
        ("text/xml; charset=latin-1", b"<a/>", "encoding"),
        ("text/xml", b"<!DOCTYPE a><a/>", "document type declaration"),
    ],
)
def test_what_is_no_soap_message_is_said_to_be_none(
    content_type: str | None, body: bytes, words: str, answered: Answered
) -> None:
    message = _refused(answered, body, content_type=content_type)

    assert message.startswith("the answer is no SOAP message: ")
    assert words.lower() in message.lower()


@pytest.mark.parametrize("inner", ["", PAGE.format("1", "") * 2])
def test_a_body_without_exactly_one_element_is_no_answer(inner: str, answered: Answered, version: Version) -> None:
    assert "the Body must hold exactly one element" in _refused(answered, _envelope(inner, version))


@pytest.mark.parametrize("inner", ["text", PAGE.format("1", "") + "text"])
def test_text_beside_an_answer_is_refused(inner: str, answered: Answered, version: Version) -> None:
    assert "there is nothing but elements" in _refused(answered, _envelope(inner, version))


def test_a_body_that_is_not_in_an_envelope_is_no_answer(answered: Answered, version: Version) -> None:
    body = f'<x xmlns:s="{version}" xmlns:m="{SALES}"><s:Body>{PAGE.format("1", "")}</s:Body></x>'.encode()

    assert "must be Envelope" in _refused(answered, body)


def test_an_envelope_under_the_content_type_of_the_other_version_is_no_answer(
    answered: Answered, version: Version
) -> None:
    other = S12 if version is S11 else S11

    assert other.media_type in _refused(answered, _envelope(PAGE.format("1", ""), other))


@pytest.mark.parametrize(
    "inner",
    [
        "<m:GetOrderResponse/>",
        "<m:ListItems/>",
        "<ListItemsResponse/>",
        '<ListItemsResponse xmlns="urn:opendepot:depot:1"/>',
        "<m:RequestFault/>",
        "<Fault/>",
        '<o:Fault xmlns:o="urn:other"/>',
    ],
)
def test_the_answer_of_another_operation_is_refused(inner: str, answered: Answered, version: Version) -> None:
    assert _refused(answered, _envelope(inner, version)) == "the answer is not that of ListItems"


@pytest.mark.parametrize(
    ("inner", "path", "words"),
    [
        (PAGE.format("secret", ""), "ListItemsResponse/page/hasMore", "not of the required type"),
        (PAGE.format("1", "<m:secret/>"), "ListItemsResponse/page/secret", "not expected"),
        ("<m:ListItemsResponse/>", "ListItemsResponse", "expected: page"),
        (PAGE.format("1", '<m:nextPageToken a="secret"/>'), "ListItemsResponse/page/nextPageToken", "attributes"),
    ],
)
def test_an_answer_that_does_not_keep_to_the_contract_is_told_by_its_place(
    inner: str, path: str, words: str, answered: Answered, version: Version
) -> None:
    message = _refused(answered, _envelope(inner, version))

    assert message.startswith(f"the answer does not keep to the contract at {path}: ")
    assert words in message


ORDER = (
    "<m:GetOrderResponse><m:order><m:orderId>1</m:orderId><m:transactionId>t</m:transactionId><m:ticket>T</m:ticket>"
    "<m:orderTime>{}</m:orderTime><m:license><m:licenseId>l</m:licenseId><m:itemNumber>i</m:itemNumber><m:quantity>{}"
    "</m:quantity><m:generation>1</m:generation><m:state>NotCollected</m:state><m:collected>0</m:collected><m:confirmed>0</m:confirmed></m:license>"
    "</m:order></m:GetOrderResponse>"
)


@pytest.mark.parametrize(
    ("time", "quantity", "path"),
    [
        ("2026-01-31T12:00:00", "1", "GetOrderResponse/order/orderTime"),
        ("0001-01-01T00:00:00+14:00", "1", "GetOrderResponse/order/orderTime"),
        ("2026-01-31T12:00:00Z", "0" * 5000 + "1", "GetOrderResponse/order/license/quantity"),
    ],
)
def test_what_only_the_decoder_refuses_is_an_invalid_answer_too(
    time: str, quantity: str, path: str, answered: Answered, version: Version
) -> None:
    message = _refused(answered, _envelope(ORDER.format(time, quantity), version), operation="GetOrder")

    assert message.startswith(f"the answer does not keep to the contract at {path}: ")


def test_the_same_answer_with_a_zone_is_read(answered: Answered, version: Version) -> None:
    answer = answered(_envelope(ORDER.format("2026-01-31T12:00:00Z", "1"), version), operation="GetOrder")

    assert answer.order.order_time == datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize("retry", [True, False])
@pytest.mark.parametrize("path", [None, "CreateOrder/orderLine[2]/quantity"])
def test_a_fault_of_the_service_is_read_with_all_its_parts(
    retry: bool, path: str | None, answered: Answered, version: Version
) -> None:
    kind = FaultKind(element="ServerFault", meaning="m", mend="d", blame=Blame.RECEIVER, retry=retry)
    fault = Fault(code="Overloaded", kind=kind, message="Come <back> & wait.", reference="r-1", path=path)
    found = _fault(answered, render_fault(fault, version=version, namespace=SALES))

    assert (found.code, found.message, found.reference) == ("Overloaded", "Come <back> & wait.", "r-1")
    assert (found.retry, found.path, str(found)) == (retry, path, "Overloaded: Come <back> & wait.")


@pytest.mark.parametrize("code", ENGINE_FAULTS)
def test_every_fault_of_the_engine_is_read_back(
    code: str, shop: Any, answered: Answered, fault_of: Any, version: Version
) -> None:
    reply = shop.engine.fault(
        fault_of(SoapError(code, "mend it", path="a/b", not_understood=(("urn:x", "y"),))), version=version
    )
    found = _fault(answered, reply.body, content_type=reply.content_type)

    # SOAP 1.1 allows no detail for a fault about a header block (section 4.4), so its text has code and reference.
    without_detail = version is S11 and ENGINE_FAULTS[code].about_header
    assert (found.code, found.path) == (code, None if without_detail else "a/b")
    assert (found.message, found.retry, found.reference) == ("mend it", False, "0123456789abcdef")


@pytest.mark.parametrize(
    "detail",
    [
        "",
        "plain text",
        "<error><code>Overloaded</code><retry>Later</retry><reference>x</reference><path>p</path></error>",
        '<o:ServerFault xmlns:o="urn:o"><o:code>Overloaded</o:code><o:retry>Later</o:retry></o:ServerFault>',
    ],
)
def test_a_foreign_fault_gives_its_text_and_nothing_else(detail: str, answered: Answered, version: Version) -> None:
    found = _fault(answered, _foreign(version, " The gateway is down. ", detail))

    assert (found.code, found.message, found.reference) == ("", "The gateway is down.", "")
    assert (found.retry, found.path, str(found)) == (False, None, "The gateway is down.")


def test_the_detail_of_the_service_is_found_behind_foreign_ones(answered: Answered, version: Version) -> None:
    ours = (
        "<m:ServerFault><m:code>Overloaded</m:code><m:message>Wait.</m:message><m:retry>Later</m:retry></m:ServerFault>"
    )
    found = _fault(answered, _foreign(version, "x", f"<trace/>{ours}"))

    assert (found.code, found.message, found.retry) == ("Overloaded", "Wait.", True)


@pytest.mark.parametrize("inner", ["<s:Fault/>", "<s:Fault><detail/></s:Fault>", "<s:Fault><s:Detail/></s:Fault>"])
def test_a_fault_without_words_is_still_a_fault(inner: str, answered: Answered, version: Version) -> None:
    found = _fault(answered, _envelope(inner, version))

    assert (found.code, found.message, found.retry) == ("", "the service answered with a fault", False)


def test_a_detail_without_message_falls_back_on_the_text(answered: Answered, version: Version) -> None:
    found = _fault(answered, _foreign(version, "Reason.", "<m:ServerFault><m:code/></m:ServerFault>"))

    assert (found.code, found.message) == ("", "Reason.")


def test_a_large_update_file_is_read(store: Any, version: Version) -> None:
    update = bytes(range(256)) * 8000
    received = SimpleNamespace(
        operation=store.contract.operations["GetLicenseUpdate"], version=version, addressing=None, mtom=False
    )
    answer = depot.GetLicenseUpdateAnswer(result=depot.UpdateResult(state="Done", update=update))
    reply = store.engine.encode(received, answer)

    assert store.clients[version].answer("GetLicenseUpdate", content_type=reply.content_type, body=reply.body) == answer
