from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from lxml import etree

from soap import ENGINE_FAULTS, ContractError, Engine, SoapError, Version, load_contract
from soap.messages import depot, sales
from soap.messages.header import FrontClient
from xmlgate import Limits, XmlRefused

Order = Callable[..., str]

SALES = "urn:opendepot:sales:1"
ADDRESS = "<h:clientAddress>192.0.2.1</h:clientAddress>"


def _front(content: str, attributes: str = "") -> str:
    return f"<s:Header><h:OnBehalfOf{attributes}>{content}</h:OnBehalfOf></s:Header>"


def test_a_message_is_opened_up_to_its_operation_and_then_decoded(shop: Any, order: Order, version: Version) -> None:
    received = shop.engine.open(
        shop.envelope(order(), version=version), content_type=version.content_type, soap_action=None
    )

    assert (received.version, received.operation.name, received.on_behalf_of) == (version, "CreateOrder", None)
    assert shop.engine.decode(received) == sales.CreateOrderRequest(
        transaction_id="t-1", order_line=(sales.OrderLine(item_number="A-1", quantity=1),)
    )


def test_contract_and_messages_of_different_services_do_not_start() -> None:
    with pytest.raises(ContractError, match=r"soap\.messages\.depot does not match the contract at CreateOrderRequest"):
        Engine(load_contract("v1/sales.wsdl"), depot, limits=Limits(), validate_answers=True)


@pytest.mark.parametrize(
    ("body", "code", "line"),
    [
        (b"", "Malformed", 1),
        (b"<a>\n</b>", "Malformed", 2),
        (b"<!DOCTYPE a><a/>", "DtdForbidden", 1),
        (b"<?a b?><a/>", "ProcessingInstruction", 1),
        (b'<?xml version="1.0" encoding="latin-1"?><a/>', "EncodingUnsupported", None),
        (b"<a>" + b" " * 300_000 + b"</a>", "TooLarge", None),
        (b"<a>" * 40 + b"</a>" * 40, "TooComplex", None),
    ],
)
def test_what_the_gate_refuses_keeps_code_and_line_and_gets_the_version(
    body: bytes, code: str, line: int | None, shop: Any, version: Version
) -> None:
    error = shop.refusal(body, version=version)

    assert (error.code, error.line, error.version) == (code, line, version)
    assert isinstance(error.__cause__, XmlRefused)


def test_the_charset_of_the_content_type_reaches_the_gate(shop: Any) -> None:
    body = shop.envelope("<m:ListItems/>")
    for charset, read in (("utf-8", True), ('"UTF-8"', True), ("utf-16", False), ("utf-7", False)):
        content_type = f"text/xml; charset={charset}"
        if read:
            assert shop.engine.open(body, content_type=content_type, soap_action=None).operation.name == "ListItems"
        else:
            with pytest.raises(SoapError) as caught:
                shop.engine.open(body, content_type=content_type, soap_action=None)
            assert caught.value.code == "EncodingUnsupported"


def test_utf16_is_read(shop: Any) -> None:
    body = shop.envelope("<m:ListItems><m:pageToken>ü中𐀀</m:pageToken></m:ListItems>").decode().encode("utf-16")

    for content_type in ("text/xml", "text/xml; charset=utf-16"):
        received = shop.engine.open(body, content_type=content_type, soap_action=None)
        assert shop.engine.decode(received) == sales.ListItemsRequest(page_token="ü中𐀀")


@pytest.mark.parametrize(
    "body",
    [
        "<m:CreateOrderResponse/>",
        "<m:RequestFault/>",
        "<m:createorder/>",
        "<CreateOrder/>",
        '<CreateOrder xmlns="urn:opendepot:depot:1"/>',
        '<GetTicket xmlns="urn:opendepot:depot:1"/>',
        "<s:Fault/>",
        "<h:OnBehalfOf/>",
    ],
)
def test_a_child_of_the_body_that_is_no_request_is_an_unknown_operation(body: str, shop: Any, version: Version) -> None:
    error = shop.refusal(shop.envelope(f"\n{body}", version=version), version=version)

    assert (error.code, error.path, error.line, error.version) == ("OperationUnknown", "Envelope/Body", 2, version)
    assert "Sales" in error.message
    assert SALES in error.message


OTHER = (f"{SALES}/GetOrder", f'"{SALES}/GetOrder"', f' "{SALES}/GetOrder" ', f' {SALES}/GetOrder"')
PASSING = (
    None,
    "",
    '""',
    "  ",
    f'"{SALES}/CreateOrder"',
    f"{SALES}/CreateOrder",
    f"{SALES}#CreateOrder",
    f"{SALES}/getorder",
    f"{SALES}/GetOrder/",
    "urn:opendepot:depot:1/GetTicket",
    "nonsense\x00é",
)


@pytest.mark.parametrize("action", OTHER)
def test_rule_r9_a_soap_action_that_names_another_operation_is_refused(action: str, shop: Any, order: Order) -> None:
    error = shop.refusal(shop.envelope(order()), soap_action=action)

    assert (error.code, error.path, error.version) == (
        "SoapActionMismatch",
        "Envelope/Body/CreateOrder",
        Version.SOAP11,
    )
    assert "GetOrder" in error.message
    assert "CreateOrder" in error.message


@pytest.mark.parametrize("action", PASSING)
def test_rule_r9_any_other_soap_action_passes(action: str | None, shop: Any, order: Order) -> None:
    assert shop.read(shop.envelope(order()), soap_action=action).transaction_id == "t-1"


@pytest.mark.parametrize("parameter", [f'; action="{SALES}/GetOrder"', f";action={SALES}/GetOrder"])
def test_rule_r9_the_action_of_soap12_stands_in_the_content_type(parameter: str, shop: Any, order: Order) -> None:
    body = shop.envelope(order(), version=Version.SOAP12)
    media_type = Version.SOAP12.media_type

    with pytest.raises(SoapError) as caught:
        shop.engine.open(body, content_type=f"{media_type}{parameter}", soap_action=None)
    assert (caught.value.code, caught.value.version) == ("SoapActionMismatch", Version.SOAP12)

    for passing in ("", '; action=""', f'; action="{SALES}/CreateOrder"', '; action="urn:unknown"', "; action"):
        received = shop.engine.open(body, content_type=f"{media_type}{passing}", soap_action=f"{SALES}/GetOrder")
        assert received.operation.name == "CreateOrder"


def test_rule_r9_the_action_parameter_says_nothing_in_soap11(shop: Any, order: Order) -> None:
    content_type = f'text/xml; action="{SALES}/GetOrder"'

    assert shop.engine.open(shop.envelope(order()), content_type=content_type, soap_action=None) is not None


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (_front(ADDRESS), FrontClient(client_address="192.0.2.1")),
        (
            _front(f"{ADDRESS}<h:account>ü &amp; co</h:account>"),
            FrontClient(client_address="192.0.2.1", account="ü & co"),
        ),
        (_front(ADDRESS, ' s:mustUnderstand="1"'), FrontClient(client_address="192.0.2.1")),
        (_front(ADDRESS, ' s:actor="urn:else" s:role="urn:else" s:mustUnderstand="1"'), None),
        (_front(ADDRESS, ' xsi:type="h:FrontClient"'), FrontClient(client_address="192.0.2.1")),
    ],
)
def test_on_behalf_of_is_given_as_a_message_when_it_is_for_this_service(
    header: str, expected: FrontClient | None, shop: Any, version: Version
) -> None:
    body = shop.envelope("<m:ListItems/>", header=header, version=version)

    assert shop.engine.open(body, content_type=version.content_type, soap_action=None).on_behalf_of == expected


@pytest.mark.parametrize(
    ("header", "path", "words"),
    [
        (_front(""), "Envelope/Header/OnBehalfOf", "expected: clientAddress"),
        (_front("<h:clientAddress>1</h:clientAddress>"), "Envelope/Header/OnBehalfOf/clientAddress", "too short"),
        (
            _front(f"<h:clientAddress>{'1' * 46}</h:clientAddress>"),
            "Envelope/Header/OnBehalfOf/clientAddress",
            "Allowed: An IPv4 address in dotted form or an IPv6 address. 2 to 45 characters.",
        ),
        (_front("<clientAddress>192.0.2.1</clientAddress>"), "Envelope/Header/OnBehalfOf/clientAddress", "header:1"),
        (_front(f"{ADDRESS}<h:account/>"), "Envelope/Header/OnBehalfOf/account", "too short"),
        (_front(ADDRESS * 2), "Envelope/Header/OnBehalfOf/clientAddress[2]", "this element is not expected"),
        (_front(ADDRESS, ' Id="x"'), "Envelope/Header/OnBehalfOf", "attributes are not allowed"),
        (_front(ADDRESS, ' xsi:nil="true"'), "Envelope/Header/OnBehalfOf", "xsi:nil is not allowed"),
        (
            _front(ADDRESS, ' xmlns:o="http://www.w3.org/2003/05/soap-envelope-other" o:role="x"'),
            "Envelope/Header/OnBehalfOf",
            "attributes are not allowed",
        ),
    ],
)
def test_on_behalf_of_with_wrong_content_is_an_invalid_header(
    header: str, path: str, words: str, shop: Any, version: Version
) -> None:
    error = shop.refusal(shop.envelope("<m:ListItems/>", header=header, version=version), version=version)

    assert (error.code, error.path, error.version) == ("HeaderInvalid", path, version)
    assert words in error.message


def test_an_unknown_operation_is_told_before_a_wrong_on_behalf_of(shop: Any) -> None:
    assert shop.refusal(shop.envelope("<m:Nothing/>", header=_front(""))).code == "OperationUnknown"


def test_rule_r10_is_applied_before_a_message_is_refused(shop: Any, order: Order, version: Version) -> None:
    text = order(
        middle='<m:orderNumber/><m:originalOrderNumber xsi:nil="true"/><m:customer><m:company></m:company></m:customer>'
    )
    found = shop.read(shop.envelope(text, version=version), version=version)

    assert (found.order_number, found.original_order_number, found.customer) == (None, None, None)


def test_rule_r10_does_not_hide_what_else_is_wrong(shop: Any, order: Order) -> None:
    error = shop.refusal(shop.envelope(order(middle="<m:orderNumber/>", quantity="<m:quantity/>")))

    assert (error.path, error.message) == (
        "CreateOrder/orderLine/quantity",
        "line 1: the value is not of the required type. Allowed: 1 to 1000000.",
    )


def test_rule_r10_does_not_change_the_path_of_what_else_is_wrong(shop: Any, order: Order, version: Version) -> None:
    wrong = "<m:data><m:kind>Open</m:kind><m:number>1</m:number><m:value/></m:data>"
    text = order(middle="<m:customer><m:name/></m:customer>", quantity=f"<m:quantity>1</m:quantity><m:data/>{wrong}")
    error = shop.refusal(shop.envelope(text, version=version), version=version)

    assert error.path == "CreateOrder/customer/name"
    text = order(middle='<m:customer xsi:nil="1"/><m:customer><m:name/></m:customer>')
    error = shop.refusal(shop.envelope(text, version=version), version=version)

    assert error.path == "CreateOrder/customer[2]/name"


def test_a_message_may_be_decoded_twice(shop: Any, order: Order) -> None:
    body = shop.envelope(order(middle="<m:orderNumber/>"))
    received = shop.engine.open(body, content_type="text/xml", soap_action=None)

    assert shop.engine.decode(received) == shop.engine.decode(received)


def test_what_only_the_decoder_refuses_has_place_and_version_too(store: Any, version: Version) -> None:
    body = f"<m:ConfirmLicenseUpdate>\n<m:receipt>Q{'!' * 4}UJD</m:receipt></m:ConfirmLicenseUpdate>"
    error = store.refusal(store.envelope(body, version=version), version=version)

    assert (error.code, error.path, error.line, error.version) == (
        "SchemaViolation",
        "ConfirmLicenseUpdate/receipt",
        2,
        version,
    )


def test_an_invalid_answer_is_a_bug_that_is_found_where_answers_are_validated(shop: Any, version: Version) -> None:
    operation = shop.contract.operations["CreateOrder"]
    received = SimpleNamespace(operation=operation, version=version, addressing=None, mtom=False)
    answer = sales.CreateOrderAnswer(receipt=sales.OrderReceipt(order_id="1", ticket="T", license=()))
    careless = Engine(shop.contract, sales, limits=Limits(), validate_answers=False)

    with pytest.raises(AssertionError, match=r"invalid answer: .*expected: collectUrl, license"):
        shop.engine.encode(received, answer)
    assert careless.encode(received, answer).status == 200


def test_an_answer_has_the_version_of_the_request_and_the_response_element(shop: Any, version: Version) -> None:
    received = shop.engine.open(
        shop.envelope("<m:ListItems/>", version=version), content_type=version.content_type, soap_action=None
    )
    reply = shop.engine.encode(received, sales.ListItemsAnswer(page=sales.ItemPage(has_more=False)))
    root = etree.fromstring(reply.body)

    assert (reply.status, reply.content_type) == (200, f"{version.media_type}; charset=utf-8")
    assert [root.tag, root[0].tag, root[0][0].tag] == [
        f"{{{version}}}Envelope",
        f"{{{version}}}Body",
        f"{{{SALES}}}ListItemsResponse",
    ]


@pytest.mark.parametrize("code", ENGINE_FAULTS)
def test_a_fault_is_written_with_the_status_and_content_type_of_its_version(
    code: str, shop: Any, fault_of: Any, version: Version
) -> None:
    fault = fault_of(SoapError(code, "words", path="a/b", line=3))
    reply = shop.engine.fault(fault, version=version)

    assert (reply.status, reply.content_type) == (fault.status(version), version.content_type)
    assert etree.fromstring(reply.body)[-1][0].tag == f"{{{version}}}Fault"
    assert b"line 3: words" in reply.body
