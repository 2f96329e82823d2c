"""The WS-I Basic Profiles (1.1, 1.2, 2.0) on messages: every answer and every fault that a service can write."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from lxml import etree

from soap import ENGINE_FAULTS, FaultReceived, SoapError, Version
from soap.names import XSI

XML = "http://www.w3.org/XML/1998/namespace"
OWN = ("Envelope", "Header", "Body")


def _answers(service: Any, version: Version) -> Iterator[bytes]:
    for operation in service.contract.operations.values():
        received = SimpleNamespace(operation=operation, version=version, addressing=None, mtom=False)
        yield service.engine.encode(received, service.values.full(operation.answer)).whole


def _faults(service: Any, fault_of: Any, version: Version) -> Iterator[bytes]:
    for code in ENGINE_FAULTS:
        error = SoapError(code, "mend <it> & go on", path="a/b", not_understood=(("urn:x", "y"),))
        yield service.engine.fault(fault_of(error), version=version).whole


def _requests(service: Any, version: Version) -> Iterator[bytes]:
    for operation in service.contract.operations.values():
        yield service.clients[version].request(operation.name, service.values.full(operation.request)).body


@pytest.fixture
def messages(any_service: Any, fault_of: Any, version: Version) -> list[bytes]:
    """All that a service and its client can write."""
    return [
        *_answers(any_service, version),
        *_faults(any_service, fault_of, version),
        *_requests(any_service, version),
    ]


def test_a_message_has_no_dtd_no_processing_instruction_and_is_utf_8(messages: list[bytes]) -> None:
    for data in messages:
        assert data.startswith(b'<?xml version="1.0" encoding="utf-8"?>\n')
        assert b"<!" not in data
        assert data.count(b"<?") == 1
        data.decode("utf-8")


def test_a_message_is_a_header_at_most_and_one_body_with_one_child_of_a_namespace(
    messages: list[bytes], version: Version
) -> None:
    for data in messages:
        root = etree.fromstring(data)
        names = [etree.QName(child).localname for child in root]
        assert names in (["Body"], ["Header", "Body"])
        assert {etree.QName(child).namespace for child in (root, *root)} == {version}
        (child,) = root[-1]
        assert etree.QName(child).namespace
        assert not (root[-1].text or "").strip()


def test_nothing_of_a_message_is_encoded(messages: list[bytes], version: Version) -> None:
    for data in messages:
        for element in etree.fromstring(data).iter():
            spaces = {etree.QName(str(name)).namespace for name in element.attrib}
            assert version not in spaces
            assert XSI not in spaces
        assert b"xmlns:xml=" not in data


def test_the_envelopes_own_parts_have_no_attributes(messages: list[bytes], version: Version) -> None:
    for data in messages:
        for element in etree.fromstring(data).iter(*(f"{{{version}}}{name}" for name in OWN)):
            assert not element.attrib


def test_a_fault_of_soap_11_has_its_children_without_namespace_and_a_code_of_its_own(
    any_service: Any, fault_of: Any
) -> None:
    for data in _faults(any_service, fault_of, Version.SOAP11):
        (fault,) = etree.fromstring(data)[-1]
        assert [child.tag for child in fault] in (
            ["faultcode", "faultstring"],
            ["faultcode", "faultstring", "detail"],
        )
        code = str(fault.findtext("faultcode"))
        assert "." not in code
        assert fault[0].nsmap[code.partition(":")[0]]
        assert fault[1].get(f"{{{XML}}}lang") == "en"


def test_a_client_reads_a_fault_whatever_stands_in_its_detail(shop: Any, fault_of: Any, version: Version) -> None:
    error = SoapError("SchemaViolation", "mend it", path="a/b")
    text = shop.engine.fault(fault_of(error), version=version).whole.decode()
    more = '<x/><y xmlns="urn:y" a="1">text</y>'
    for old, new in (
        ("<detail>", f'<detail a="1" x:b="2" xmlns:x="urn:x">{more}'),
        ("<soap:Detail>", f"<soap:Detail>{more}"),
    ):
        text = text.replace(old, new)
    with pytest.raises(FaultReceived) as caught:
        shop.clients[version].answer("ListItems", content_type=version.content_type, body=text.encode())

    assert (caught.value.code, caught.value.path) == ("SchemaViolation", "a/b")


def test_a_fault_may_speak_any_language(shop: Any, fault_of: Any, version: Version) -> None:
    text = shop.engine.fault(fault_of(SoapError("Malformed", "x")), version=version).whole.decode()
    body = text.replace('xml:lang="en"', 'xml:lang="de-AT"').encode()
    with pytest.raises(FaultReceived) as caught:
        shop.clients[version].answer("ListItems", content_type=version.content_type, body=body)

    assert caught.value.code == "Malformed"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ("version", "VersionMismatch"),
        ("header", "NotUnderstood"),
        ("body", "OperationUnknown"),
    ],
)
def test_version_comes_before_headers_and_headers_before_the_body(
    wrong: str, code: str, shop: Any, version: Version
) -> None:
    """A message that is wrong in all that follows `wrong` as well is refused for `wrong`."""
    order = ["version", "header", "body"]
    bad = set(order[order.index(wrong) :])
    header = '<n:x xmlns:n="urn:n" s:mustUnderstand="1"/>' if "header" in bad else ""
    body = "<m:Nothing/>" if "body" in bad else "<m:ListItems/>"
    text = shop.envelope(body, header=f"<s:Header>{header}</s:Header>", version=version).decode()
    if "version" in bad:
        text = text.replace(f'xmlns:s="{version}"', 'xmlns:s="urn:soap:9"')

    assert shop.refusal(text.encode(), version=version).code == code


def test_the_order_of_header_blocks_says_nothing(shop: Any, version: Version) -> None:
    ours = "<h:OnBehalfOf><h:clientAddress>192.0.2.1</h:clientAddress></h:OnBehalfOf>"
    other = '<n:x xmlns:n="urn:n"/>'
    for header in (ours + other, other + ours):
        data = shop.envelope("<m:ListItems/>", header=f"<s:Header>{header}</s:Header>", version=version)
        received = shop.engine.open(data, content_type=version.content_type, soap_action=None)
        assert received.on_behalf_of is not None


def test_an_action_is_sent_quoted_and_as_the_wsdl_has_it(any_service: Any) -> None:
    for operation in any_service.contract.operations.values():
        message = any_service.values.least(operation.request)
        headers = any_service.clients[Version.SOAP11].request(operation.name, message).headers
        assert headers["SOAPAction"] == f'"{operation.action}"'
        headers = any_service.clients[Version.SOAP12].request(operation.name, message).headers
        assert headers["Content-Type"] == f'application/soap+xml; charset=utf-8; action="{operation.action}"'
        assert "SOAPAction" not in headers
