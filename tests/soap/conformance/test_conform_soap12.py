"""The scenarios of the W3C's SOAP 1.2 test collection that one node without encodings can meet, and their like in 1.1.

`docs/reference/conformance.md` names each by its number there. The collection's echo header is our OnBehalfOf, which
this service understands, and its echo operation is our ListItems.
"""

from dataclasses import dataclass
from typing import Any

import pytest
from lxml import etree

from soap import SoapError, Version

S11, S12 = Version.SOAP11, Version.SOAP12
ROLE = "http://www.w3.org/2003/05/soap-envelope/role"
ENCODING = "http://www.w3.org/2003/05/soap-encoding"
ASK = "<m:ListItems/>"
FAR = "http://example.org/roles/B"


def _set(name: str, value: str) -> str:
    return f's:{name}="{value}"'


def _known(attributes: str = "") -> str:
    return f"<h:OnBehalfOf {attributes}><h:clientAddress>192.0.2.1</h:clientAddress></h:OnBehalfOf>"


def _unknown(attributes: str = "", content: str = "foo") -> str:
    return f'<n:Unknown xmlns:n="urn:example:unknown" {attributes}>{content}</n:Unknown>'


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A message, and what must come of it: `fault` is a code of SOAP 1.2, '' for none; `seen` whether our block is."""

    header: str = ""
    body: str = ASK
    fault: str = ""
    seen: bool = False
    before: str = ""
    envelope: str = ""
    at_body: str = ""
    behind: str = ""
    namespace: str = S12


SCENARIOS = {
    "T1": Scenario(header=_known(f's:role="{ROLE}/next"'), seen=True),
    "T3": Scenario(header=_known(), seen=True),
    "T4": Scenario(header=_known(f's:role="{ROLE}/ultimateReceiver"'), seen=True),
    "T5": Scenario(header=_known(f's:role="{FAR}"')),
    "T10": Scenario(header=_unknown(f's:role="{ROLE}/ultimateReceiver"')),
    "T11": Scenario(header=_unknown(f's:role="{ROLE}/ultimateReceiver" s:mustUnderstand="false"')),
    "T12": Scenario(header=_unknown(f's:role="{ROLE}/ultimateReceiver" s:mustUnderstand="1"'), fault="MustUnderstand"),
    "T13": Scenario(
        header=_unknown(f's:role="{ROLE}/ultimateReceiver" s:mustUnderstand="true"'), fault="MustUnderstand"
    ),
    "T14": Scenario(header=_known('s:mustUnderstand="wrong"'), fault="Sender"),
    "T15": Scenario(header=_unknown(f's:role="{FAR}" s:mustUnderstand="1"')),
    "T19": Scenario(header=_known(f's:role="{ROLE}/none" s:mustUnderstand="true"')),
    "T22": Scenario(header=_known('s:mustUnderstand="1"'), seen=True),
    "T23": Scenario(header=_unknown('s:mustUnderstand="1"') + _known('s:mustUnderstand="wrong"'), fault="Sender"),
    "T24": Scenario(namespace="http://wrong-version/", fault="VersionMismatch"),
    "T25": Scenario(before='<!DOCTYPE s:Envelope SYSTEM "env.dtd"[]>', fault="Sender"),
    "T26": Scenario(behind='<?xml-stylesheet href="http://example.org/sub.xsl" type="text/xsl"?>', fault="Sender"),
    "T28": Scenario(at_body=f's:encodingStyle="{ENCODING}"', fault="Sender"),
    "T29": Scenario(header=_known(f's:role="http://example.org/roles/C{"z" * 1500}"')),
    "T32": Scenario(header=_known('s:mustUnderstand="true"'), seen=True),
    "T33": Scenario(body='<m:DoesNotExist xmlns:m="urn:example:other"/>', fault="Sender"),
    "T34": Scenario(header=_unknown(f'xmlns:e="{S11}" e:mustUnderstand="true"')),
    "T35": Scenario(header=_unknown('s:mustUnderstand="1"'), body="", fault="MustUnderstand"),
    "T36": Scenario(header=_unknown(f's:mustUnderstand="1" s:role="{ROLE}/ultimateReceiver"'), fault="MustUnderstand"),
    "T37": Scenario(header=_unknown(f's:role="{ROLE}/ultimateReceiver"')),
    "T38": Scenario(header=_unknown('s:mustUnderstand="false"') + _known('s:mustUnderstand="0"'), seen=True),
    "T39": Scenario(header=_unknown('s:mustUnderstand="9"'), fault="Sender"),
    "T63": Scenario(header="<h:OnBehalfOf s:mustUnderstand='1'>ABCD</h:OnBehalfOf>", fault="Sender"),
    "T64": Scenario(before="<!DOCTYPE DOC [<!NOTATION n SYSTEM 'http://example.org/xml'>]>", fault="Sender"),
    "T65": Scenario(before="<!DOCTYPE DOC [<!ELEMENT Envelope (Body) >]>", fault="Sender"),
    "T66": Scenario(before="<?xml version='1.0' encoding='UTF8'?>", header=_known(), seen=True),
    "T67": Scenario(before="<?xml version='1.0' standalone='yes'?>", header=_known(), seen=True),
    "T68": Scenario(header=f"\n\n  {_known()}\n\n", body=f"\n \t{ASK}\r\n\n", behind="\n\n\n", seen=True),
    "T70": Scenario(behind="<Trailer>\n</Trailer>", fault="Sender"),
    "T71": Scenario(envelope='attr1="a-value"', fault="Sender"),
    "T72": Scenario(envelope=f's:encodingStyle="{ENCODING}"', fault="Sender"),
    "T73": Scenario(body=f'<m:ListItems s:encodingStyle="{ENCODING}"/>', fault="DataEncodingUnknown"),
    "T74": Scenario(
        header=_known(f's:role="{ROLE}/next"')
        + _unknown(content=f'<n:raiseFault s:mustUnderstand="1" s:role="{ROLE}/next"/>'),
        seen=True,
    ),
    "T78": Scenario(header=_known(f's:role="{ROLE}/ultimateReceiver"'), seen=True),
    "T80": Scenario(body='<m:ListItems s:encodingStyle="http://example.org/Poison"/>', fault="DataEncodingUnknown"),
}


def _written(scenario: Scenario, m: str) -> bytes:
    header = f"<s:Header>{scenario.header}</s:Header>" if scenario.header else ""
    return (
        f'{scenario.before}<s:Envelope xmlns:s="{scenario.namespace}" xmlns:m="{m}" xmlns:h="urn:opendepot:header:1" '
        f"{scenario.envelope}>{header}<s:Body {scenario.at_body}>{scenario.body}</s:Body>{scenario.behind}</s:Envelope>"
    ).encode()


def _outcome(shop: Any, data: bytes, version: Version) -> Any:
    try:
        received = shop.engine.open(data, content_type=version.content_type, soap_action=None)
        shop.engine.decode(received)
    except SoapError as error:
        return error
    return received


def _code(fault: etree._Element) -> str:
    value = str(fault.findtext(f"{{{S12}}}Code/{{{S12}}}Value"))
    assert fault.nsmap[value.partition(":")[0]] == S12
    return value.partition(":")[2]


@pytest.mark.parametrize("number", SCENARIOS)
def test_a_scenario_of_the_collection_ends_as_it_must(number: str, shop: Any, fault_of: Any) -> None:
    scenario = SCENARIOS[number]
    found = _outcome(shop, _written(scenario, shop.contract.namespace), S12)
    if not scenario.fault:
        assert not isinstance(found, SoapError), found
        assert (found.on_behalf_of is not None) is scenario.seen
        return
    assert isinstance(found, SoapError)
    reply = shop.engine.fault(fault_of(found), version=S12)
    root = etree.fromstring(reply.whole)
    (fault,) = root[-1]
    assert _code(fault) == scenario.fault
    assert reply.status == (400 if scenario.fault == "Sender" else 500)
    names = [etree.QName(block).localname for block in root[0]] if len(root) > 1 else []
    assert names == {"MustUnderstand": ["NotUnderstood"], "VersionMismatch": ["Upgrade"]}.get(scenario.fault, [])


def test_t30_a_message_of_soap_11_is_answered_in_soap_11(shop: Any) -> None:
    found = _outcome(shop, _written(Scenario(namespace=S11), shop.contract.namespace), S11)

    assert found.version is S11


def test_t69_an_envelope_without_body_is_the_senders_fault(shop: Any, version: Version) -> None:
    data = f'<s:Envelope xmlns:s="{version}"><s:Header/></s:Envelope>'.encode()
    found = _outcome(shop, data, version)

    assert (found.code, found.path, found.version) == ("EnvelopeInvalid", "Envelope", version)


@pytest.mark.parametrize("body", ["", ASK * 2, "<m:DoesNotExist/>", "<m:ListItems><m:wrong/></m:ListItems>"])
def test_what_must_be_understood_comes_before_all_that_is_wrong_with_the_body(
    body: str, shop: Any, version: Version
) -> None:
    header = f"<s:Header>{_unknown(_set('mustUnderstand', '1'))}</s:Header>"
    found = _outcome(shop, shop.envelope(body, header=header, version=version), version)

    assert (found.code, found.not_understood) == ("NotUnderstood", (("urn:example:unknown", "Unknown"),))


@pytest.mark.parametrize("part", ["Envelope", "Header", "Body"])
def test_an_attribute_without_namespace_is_refused_at_the_envelopes_own_parts(part: str, shop: Any) -> None:
    text = shop.envelope(ASK, header="<s:Header/>", version=S12).decode().replace(f"<s:{part}", f'<s:{part} a="1"', 1)
    found = _outcome(shop, text.encode(), S12)

    assert (found.code, found.path) == ("EnvelopeInvalid", "Envelope" if part == "Envelope" else f"Envelope/{part}")
    # SOAP 1.1 asks for it as well (section 4.1.1); old clients of it are let through.
    old = text.replace(S12, S11).encode()
    assert not isinstance(_outcome(shop, old, S11), SoapError)


@pytest.mark.parametrize(
    ("old", "path"),
    [("<s:Header/>", "Envelope"), ("</s:Header>", "Envelope/Header"), ("<m:ListItems/>", "Envelope/Body")],
)
def test_text_beside_the_elements_of_an_envelope_is_refused(old: str, path: str, shop: Any, version: Version) -> None:
    empty = "<s:Header/>" if old == "<s:Header/>" else "<s:Header></s:Header>"
    text = shop.envelope(ASK, header=empty, version=version).decode()
    found = _outcome(shop, text.replace(old, f"text{old}", 1).encode(), version)

    assert (found.code, found.path, found.version) == ("EnvelopeInvalid", path, version)


@pytest.mark.parametrize("value", ["true", "false", "1", "0", " true "])
@pytest.mark.parametrize("name", ["mustUnderstand", "relay"])
def test_every_way_to_write_a_boolean_is_read(name: str, value: str, shop: Any) -> None:
    header = f"<s:Header>{_known(_set(name, value))}</s:Header>"
    found = _outcome(shop, shop.envelope(ASK, header=header, version=S12), S12)

    assert found.on_behalf_of is not None


@pytest.mark.parametrize("block", [_known, _unknown])
@pytest.mark.parametrize("name", ["mustUnderstand", "relay"])
@pytest.mark.parametrize("value", ["", "TRUE", "yes", "2"])
def test_a_boolean_that_is_none_is_refused_at_blocks_that_are_for_this_service_alone(
    value: str, name: str, block: Any, shop: Any
) -> None:
    wrong = _set(name, value)
    for attributes, refused in ((wrong, True), (f"{wrong} {_set('role', FAR)}", False)):
        header = f"<s:Header>{block(attributes)}</s:Header>"
        found = _outcome(shop, shop.envelope(ASK, header=header, version=S12), S12)
        assert isinstance(found, SoapError) is refused
    # SOAP 1.1 has no relay, and of mustUnderstand it knows 0 and 1 (section 4.2.3); anything else says nothing.
    header = f"<s:Header>{block(wrong)}</s:Header>"
    assert not isinstance(_outcome(shop, shop.envelope(ASK, header=header), S11), SoapError)


def test_relay_says_nothing_to_the_last_node(shop: Any) -> None:
    for value in ("true", "false"):
        for must, fault in (("1", "NotUnderstood"), ("0", None)):
            attributes = f"{_set('relay', value)} {_set('mustUnderstand', must)}"
            header = f"<s:Header>{_unknown(attributes)}</s:Header>"
            found = _outcome(shop, shop.envelope(ASK, header=header, version=S12), S12)
            assert getattr(found, "code", None) == fault


def test_an_encoding_of_a_block_that_is_read_is_refused_if_it_is_not_literal(shop: Any) -> None:
    for style, fault in ((ENCODING, "EncodingStyleUnknown"), (f"{S12}/encoding/none", None), ("", None)):
        header = f"<s:Header>{_known(_set('encodingStyle', style))}</s:Header>"
        found = _outcome(shop, shop.envelope(ASK, header=header, version=S12), S12)
        assert getattr(found, "code", None) == fault


@pytest.mark.parametrize("number", ["T12", "T15", "T22", "T35"])
def test_the_actor_of_soap_11_decides_as_the_role_of_soap_12_does(number: str, shop: Any, fault_of: Any) -> None:
    scenario = SCENARIOS[number]
    text = _written(scenario, shop.contract.namespace).decode().replace("s:role=", "s:actor=").replace(S12, S11)
    text = text.replace(f"{S11}/role/ultimateReceiver", "http://schemas.xmlsoap.org/soap/actor/next")
    found = _outcome(shop, text.encode(), S11)
    if not scenario.fault:
        assert (found.on_behalf_of is not None) is scenario.seen
        return
    root = etree.fromstring(shop.engine.fault(fault_of(found), version=S11).whole)
    assert root.findtext(".//faultcode") == "soap:MustUnderstand"
    # No detail about a header block (section 4.4): code and reference stand in the text.
    assert root.find(".//detail") is None
    assert root.findtext(".//faultstring") == f"NotUnderstood: {found.message} (reference 0123456789abcdef)"


@pytest.mark.parametrize("number", [number for number, scenario in SCENARIOS.items() if scenario.fault])
def test_a_fault_of_the_collection_has_the_structure_of_soap_12(number: str, shop: Any, fault_of: Any) -> None:
    found = _outcome(shop, _written(SCENARIOS[number], shop.contract.namespace), S12)
    data = shop.engine.fault(fault_of(found), version=S12).whole
    root = etree.fromstring(data)
    (fault,) = root[-1]

    assert [etree.QName(child).localname for child in fault] == ["Code", "Reason", "Detail"]
    assert {etree.QName(child).namespace for child in fault} == {S12}
    (text,) = fault[1]
    assert text.get("{http://www.w3.org/XML/1998/namespace}lang") == "en"
    assert [etree.QName(entry).namespace for entry in fault[2]] == [shop.contract.namespace]
    assert b"<!DOCTYPE" not in data
    assert data.count(b"<?") == 1
    assert not [name for element in root.iter() for name in element.attrib if str(name).endswith("encodingStyle")]
