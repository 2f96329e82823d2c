from dataclasses import replace
from typing import get_args

import pytest
from lxml import etree

from soap import ENGINE_FAULTS, Blame, Fault, FaultKind, Version
from soap.faults import render_fault
from xmlgate import RefusalCode

NAMESPACE = "urn:opendepot:sales:1"
S11, S12 = f"{{{Version.SOAP11}}}", f"{{{Version.SOAP12}}}"
M = f"{{{NAMESPACE}}}"
KIND = FaultKind(element="RequestFault", meaning="m", mend="d")
FAULT = Fault(code="Case", kind=KIND, message='Mend <it> & "that".\r', reference="ref-1", path="A/b[2]")


def _rendered(fault: Fault, version: Version) -> etree._Element:
    return etree.fromstring(render_fault(fault, version=version, namespace=NAMESPACE))


def _detail(fault: etree._Element) -> dict[str, str]:
    return {str(child.tag).removeprefix(M): child.text or "" for child in fault}


def _qname(element: etree._Element) -> str:
    """Expand the qname attribute of a header block against the namespaces in scope."""
    prefix, _, local = str(element.get("qname")).partition(":")
    namespace = "http://www.w3.org/XML/1998/namespace" if prefix == "xml" else element.nsmap[prefix]
    return f"{{{namespace}}}{local}"


def test_a_fault_of_soap11_has_code_string_and_typed_detail() -> None:
    fault = _rendered(FAULT, Version.SOAP11)[0][0]

    assert [child.tag for child in fault] == ["faultcode", "faultstring", "detail"]
    assert fault.findtext("faultcode") == "soap:Client"
    assert fault.nsmap["soap"] == Version.SOAP11
    assert fault.findtext("faultstring") == FAULT.message
    assert [child.tag for child in fault[2]] == [f"{M}RequestFault"]
    assert _detail(fault[2][0]) == {
        "code": "Case",
        "message": FAULT.message,
        "reference": "ref-1",
        "retry": "Never",
        "path": "A/b[2]",
    }


def test_a_fault_of_soap12_has_code_reason_and_typed_detail() -> None:
    fault = _rendered(FAULT, Version.SOAP12)[0][0]

    assert [child.tag for child in fault] == [f"{S12}Code", f"{S12}Reason", f"{S12}Detail"]
    assert fault.findtext(f"{S12}Code/{S12}Value") == "soap:Sender"
    subcode = fault.find(f"{S12}Code/{S12}Subcode/{S12}Value")
    assert subcode is not None
    prefix, _, code = str(subcode.text).partition(":")
    assert (subcode.nsmap[prefix], code) == (NAMESPACE, "Case")
    text = fault.find(f"{S12}Reason/{S12}Text")
    assert text is not None
    assert (text.text, text.get("{http://www.w3.org/XML/1998/namespace}lang")) == (FAULT.message, "en")
    assert _detail(fault[2][0])["path"] == "A/b[2]"


def test_path_and_retry_follow_the_case(version: Version) -> None:
    later = replace(FAULT, path=None, kind=replace(KIND, retry=True, element="ServerFault"))
    detail = next(_rendered(later, version).iter(f"{M}ServerFault"))

    assert _detail(detail)["retry"] == "Later"
    assert "path" not in _detail(detail)


@pytest.mark.parametrize(
    ("blame", "soap11", "soap12"),
    [
        (Blame.SENDER, "soap:Client", "soap:Sender"),
        (Blame.RECEIVER, "soap:Server", "soap:Receiver"),
        (Blame.VERSION, "soap:VersionMismatch", "soap:VersionMismatch"),
        (Blame.HEADER, "soap:MustUnderstand", "soap:MustUnderstand"),
        (Blame.ENCODING, "soap:Client", "soap:DataEncodingUnknown"),
    ],
)
def test_blame_has_the_name_of_the_version(blame: Blame, soap11: str, soap12: str) -> None:
    fault = replace(FAULT, kind=replace(KIND, blame=blame))

    assert _rendered(fault, Version.SOAP11).findtext(f".//{S11}Fault/faultcode") == soap11
    assert _rendered(fault, Version.SOAP12).findtext(f".//{S12}Value") == soap12


@pytest.mark.parametrize(
    ("blame", "status", "soap11", "soap12"),
    [
        (Blame.SENDER, None, 500, 400),
        (Blame.RECEIVER, None, 500, 500),
        (Blame.VERSION, None, 500, 500),
        (Blame.HEADER, None, 500, 500),
        (Blame.SENDER, 413, 413, 413),
        (Blame.RECEIVER, 503, 503, 503),
    ],
)
def test_the_http_status_is_that_of_the_version_unless_the_case_has_its_own(
    blame: Blame, status: int | None, soap11: int, soap12: int
) -> None:
    fault = replace(FAULT, kind=replace(KIND, blame=blame, status=status))

    assert (fault.status(Version.SOAP11), fault.status(Version.SOAP12)) == (soap11, soap12)


def test_a_fault_about_a_header_block_has_no_detail_in_soap11() -> None:
    fault = replace(FAULT, kind=replace(KIND, about_header=True))

    assert _rendered(fault, Version.SOAP11).find(".//detail") is None
    text = f"Case: {FAULT.message} (reference ref-1)"
    assert _rendered(fault, Version.SOAP11).findtext(".//faultstring") == text
    assert _rendered(fault, Version.SOAP12).find(f".//{S12}Detail") is not None


@pytest.mark.parametrize(
    ("namespace", "local"),
    [
        ("urn:n", "block"),
        ("http://www.w3.org/XML/1998/namespace", "lang"),
        ("urn:n?a=1&b='2'", "block"),
        (Version.SOAP12.value, "Header"),
        ("urn:n", "é𐀀"),
    ],
)
def test_soap12_names_each_block_that_was_not_understood(namespace: str, local: str) -> None:
    fault = replace(
        FAULT, kind=replace(KIND, blame=Blame.HEADER), not_understood=((namespace, local), ("", "none"), ("urn:o", "p"))
    )
    header = _rendered(fault, Version.SOAP12)[0]

    assert header.tag == f"{S12}Header"
    assert [block.tag for block in header] == [f"{S12}NotUnderstood"] * 2
    assert [_qname(block) for block in header] == [f"{{{namespace}}}{local}", "{urn:o}p"]
    assert [child.tag for child in _rendered(fault, Version.SOAP11)] == [f"{S11}Body"]


def test_a_namespace_cannot_leave_its_attribute() -> None:
    fault = replace(FAULT, kind=replace(KIND, blame=Blame.HEADER), not_understood=(('a"\r\n\t<&', 'b"'),))

    written = b'<soap:NotUnderstood qname="n:b&quot;" xmlns:n="a&quot;&#13;&#10;&#9;&lt;&amp;"/>'
    assert written in render_fault(fault, version=Version.SOAP12, namespace=NAMESPACE)


def test_soap12_says_which_versions_there_are_best_first() -> None:
    header = _rendered(replace(FAULT, kind=replace(KIND, blame=Blame.VERSION)), Version.SOAP12)[0]

    assert [block.tag for block in header] == [f"{S12}Upgrade"]
    assert [block.tag for block in header[0]] == [f"{S12}SupportedEnvelope"] * 2
    assert [_qname(block) for block in header[0]] == [f"{S12}Envelope", f"{S11}Envelope"]


def test_a_fault_without_header_blocks_has_no_header(version: Version) -> None:
    assert [str(child.tag).rpartition("}")[2] for child in _rendered(FAULT, version)] == ["Body"]


def test_a_fault_begins_with_a_declaration_and_no_byte_order_mark(version: Version) -> None:
    data = render_fault(replace(FAULT, message="ü"), version=version, namespace=NAMESPACE)

    assert data.startswith(b'<?xml version="1.0" encoding="utf-8"?>\n<soap:Envelope ')
    assert "ü".encode() in data


def test_every_refusal_of_the_gate_has_a_fault() -> None:
    assert set(get_args(RefusalCode)) <= ENGINE_FAULTS.keys()


@pytest.mark.parametrize("code", ENGINE_FAULTS)
def test_every_fault_of_the_engine_is_explained_and_never_worth_a_retry(code: str) -> None:
    kind = ENGINE_FAULTS[code]

    assert kind.element == "RequestFault"
    assert kind.blame in (Blame.SENDER, Blame.VERSION, Blame.HEADER, Blame.ENCODING)
    assert kind.retry is False
    assert kind.meaning.endswith(".")
    assert kind.mend.endswith(".")
