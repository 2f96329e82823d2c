"""What PHP, SAP, .NET, Delphi, 1C and Java choke on is in no WSDL, and what they send is read or told precisely."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from lxml import etree
from message_values import SERVICES

from soap import Contract, Version, flattened_wsdl, load_contract, wsdl_apart
from soap.names import WSDL, WSDL_SOAP11, WSDL_SOAP12, XSD, XSI

ADDRESS = "https://licences.example/v1/service"
W, XS, S11, S12 = (f"{{{namespace}}}" for namespace in (WSDL, XSD, WSDL_SOAP11, WSDL_SOAP12))
VALUES = {"int", "long", "boolean", "dateTime"}


@pytest.fixture(scope="session", params=SERVICES)
def contract(request: pytest.FixtureRequest) -> Contract:
    return load_contract(f"v1/{request.param}.wsdl")


@pytest.fixture(scope="session", params=[flattened_wsdl, wsdl_apart], ids=["flattened", "apart"])
def root(contract: Contract, request: pytest.FixtureRequest) -> etree._Element:
    """The WSDL, and behind it its schemas."""
    write: Callable[..., bytes] = request.param
    found = etree.fromstring(write(contract, address=ADDRESS))
    if request.param is wsdl_apart:
        found.extend([etree.fromstring(etree.tostring(schema)) for schema in contract.schemas.values()])
    return found


def test_php_finds_one_operation_for_each_element_and_old_copies_stay_right(root: etree._Element) -> None:
    """It takes the first operation of two with one input, and keeps a WSDL for a day: the address has the version."""
    parts = {str(m.get("name")): str(m[-1].get("element")) for m in root.iterfind(f"{W}message")}
    inputs = [
        parts[str(node.get("message")).rpartition(":")[2]]
        for node in root.iterfind(f".//{W}operation/{W}input[@message]")
    ]

    assert len(set(inputs)) == len(inputs)
    assert str(root.get("targetNamespace")).endswith(":1")
    assert {str(node.get("location")) for node in root.iter(f"{S11}address", f"{S12}address")} == {ADDRESS}


def test_sap_finds_named_types_short_names_and_nothing_that_its_proxies_cannot_have(root: etree._Element) -> None:
    kinds = {etree.QName(node).localname for node in root.iter(f"{XS}*")}
    names = [str(node.get("name")) for node in root.iter(etree.Element) if node.get("name")]

    assert kinds.isdisjoint({"choice", "any", "anyAttribute", "group", "attribute", "attributeGroup", "union", "list"})
    assert not [node for node in root.iter(f"{XS}*") if {"abstract", "substitutionGroup", "ref"} & set(node.attrib)]
    assert all(len(name) <= 30 for name in names)
    assert not list(root.iterfind(f".//{XS}element/{XS}complexType"))
    assert not list(root.iterfind(f".//{XS}element/{XS}simpleType"))


def test_sap_finds_no_type_that_contains_itself(contract: Contract) -> None:
    def walk(type_: Any, above: tuple[str, ...]) -> None:
        assert type_.name not in above
        for field in getattr(type_, "fields", ()):
            walk(field.type, (*above, type_.name))

    for operation in contract.operations.values():
        walk(operation.request, ())
        walk(operation.answer, ())


def test_net_finds_a_contract_that_its_serializer_takes_and_no_policy(root: etree._Element) -> None:
    spaces = {etree.QName(node).namespace for node in root.iter(etree.Element)}

    assert spaces == {WSDL, WSDL_SOAP11, WSDL_SOAP12, XSD}
    for node in root.iter(f"{XS}element"):
        assert node.get("form") is None
        # Without a `Specified` beside it a value type that is missing is lost.
        assert not (str(node.get("type")).rpartition(":")[2] in VALUES and node.get("minOccurs") == "0")
    for message in root.iterfind(f"{W}message"):
        assert [part.get("element") is not None for part in message] == [True]
    faults = [
        [str(fault.get("message")) for fault in operation.iterfind(f"{W}fault")]
        for operation in root.iterfind(f"{W}portType/{W}operation")
    ]
    assert all(len(set(names)) == len(names) for names in faults)


def test_java_finds_wrappers_that_unwrap_into_one_value_and_nothing_nillable(
    contract: Contract, root: etree._Element
) -> None:
    assert not [node for node in root.iter(f"{XS}element") if node.get("nillable")]
    assert not [node for node in root.iter(f"{XS}documentation") if "\\" in (node.text or "")]
    for operation in contract.operations.values():
        assert len(operation.answer.fields) == 1
        assert not operation.answer.fields[0].optional


def test_1c_finds_one_namespace_for_messages_and_actions(contract: Contract, root: etree._Element) -> None:
    for node in root.iter(f"{S11}operation", f"{S12}operation"):
        assert re.fullmatch(f"{re.escape(contract.namespace)}/[A-Za-z]+", str(node.get("soapAction")))
    for operation in contract.operations.values():
        assert operation.request_tag.startswith(f"{{{contract.namespace}}}")


ENCODED = 'xmlns:xsd="http://www.w3.org/2001/XMLSchema" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"'
DELPHI = {
    "references": (
        '<m:CreateOrder><parameters href="#1"/></m:CreateOrder>'
        f'<m:CreateOrderRequest id="1" xsi:type="m:CreateOrderRequest" {ENCODED}>'
        '<transactionId xsi:type="xsd:string">t-1</transactionId></m:CreateOrderRequest>'
    ),
    "encoded": (f'<m:CreateOrder {ENCODED}><transactionId xsi:type="xsd:string">t-1</transactionId></m:CreateOrder>'),
}


@pytest.mark.parametrize("case", DELPHI)
def test_delphi_is_told_which_options_it_lacks(case: str, shop: Any, fault_of: Any, version: Version) -> None:
    text = DELPHI[case]
    if version is Version.SOAP12:
        text = text.replace(' id="1"', ' e:id="1" xmlns:e="http://www.w3.org/2003/05/soap-encoding"')
    error = shop.refusal(shop.envelope(text, version=version), version=version)
    fault = etree.fromstring(shop.engine.fault(fault_of(error), version=version).whole)

    assert (error.code, error.path) == ("EncodingStyleUnknown", "Envelope/Body")
    assert "ioDocument" in error.message
    assert "ioLiteral" in error.message
    code = fault.findtext(".//faultcode") or fault.findtext(f".//{{{version}}}Value")
    assert code == ("soap:Client" if version is Version.SOAP11 else "soap:DataEncodingUnknown")


def test_delphi_without_a_namespace_on_its_parameters_is_told_which(shop: Any, version: Version) -> None:
    text = "<m:CreateOrder><transactionId>t-1</transactionId></m:CreateOrder>"
    error = shop.refusal(shop.envelope(text, version=version), version=version)

    assert error.path == "CreateOrder/transactionId"
    assert "must be in the namespace urn:opendepot:sales:1" in error.message


def test_types_that_php_and_net_write_at_each_value_are_read(shop: Any, order: Any, version: Version) -> None:
    xsd = f'xmlns:xsd="{XSD}"'
    text = order(
        transaction=f'<m:transactionId {xsd} xsi:type="m:TransactionId">t-1</m:transactionId>',
        quantity=f'<m:quantity {xsd} xsi:type="m:Quantity">1</m:quantity>',
        middle='<m:customer xsi:type="m:Customer"><m:name>A</m:name></m:customer>',
    )

    assert shop.read(shop.envelope(text, version=version), version=version).customer.name == "A"


def test_what_a_client_leaves_out_or_sends_as_nothing_is_the_same(shop: Any, order: Any, version: Version) -> None:
    plain = shop.read(shop.envelope(order(), version=version), version=version)
    for nothing in (
        "<m:orderNumber/>",
        '<m:orderNumber xsi:nil="true"/>',
        "<m:customer/>",
        "<m:customer><m:email/></m:customer>",
    ):
        sent = shop.envelope(order(middle=nothing), version=version)
        assert shop.read(sent, version=version) == plain


def test_a_prefix_or_a_default_namespace_is_all_the_same(shop: Any, order: Any, version: Version) -> None:
    prefixed = order()
    default = (
        prefixed.replace("<m:", "<")
        .replace("</m:", "</")
        .replace("<CreateOrder", f'<CreateOrder xmlns="{shop.contract.namespace}"')
    )
    found = {shop.read(shop.envelope(text, version=version), version=version) for text in (prefixed, default)}

    assert len(found) == 1
    assert XSI not in default
