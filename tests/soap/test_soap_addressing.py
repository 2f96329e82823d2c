"""WS-Addressing 1.0: what the blocks ask of an answer, and the faults of its SOAP Binding."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from soap import SoapError, Version
from soap.addressing import MOST_REPEATED, action_of, read_addressing
from soap.messages import sales

WSA = "http://www.w3.org/2005/08/addressing"
W = f"{{{WSA}}}"
SALES = "urn:opendepot:sales:1"
ACTION = f"<w:Action>{SALES}/ListItems</w:Action>"
ID = "<w:MessageID>urn:uuid:1</w:MessageID>"
ANSWER = sales.ListItemsAnswer(page=sales.ItemPage(has_more=False))
FAR = "http://192.0.2.1/answers"


def _to(name: str, address: str = f"{WSA}/anonymous", more: str = "") -> str:
    return f"<w:{name}><w:Address>{address}</w:Address>{more}</w:{name}>"


def _open(shop: Any, blocks: str, version: Version, *, action: str | None = None, body: str = "<m:ListItems/>") -> Any:
    data = shop.envelope(
        body, version=version, header=f"<s:Header>{blocks}</s:Header>", declared=f'xmlns:w="{WSA}" xmlns:p="urn:p"'
    )
    kind = version.content_type + (f'; action="{action}"' if version is Version.SOAP12 and action else "")
    return shop.engine.open(data, content_type=kind, soap_action=action)


def _refusal(shop: Any, blocks: str, version: Version, **more: Any) -> SoapError:
    with pytest.raises(SoapError) as caught:
        _open(shop, blocks, version, **more)
    assert caught.value.version is version
    return caught.value


def _header(data: bytes, version: Version) -> dict[str, str]:
    header = etree.fromstring(data).find(f"{{{version}}}Header")
    return {} if header is None else {str(block.tag): block.text or "" for block in header}


def test_the_answer_names_its_action_and_what_it_relates_to(shop: Any, version: Version) -> None:
    reply = shop.engine.encode(_open(shop, ACTION + ID + _to("ReplyTo"), version), ANSWER)

    assert _header(reply.body, version) == {
        f"{W}Action": f"{SALES}:Sales:ListItemsResponse",
        f"{W}RelatesTo": "urn:uuid:1",
    }
    assert etree.fromstring(reply.body)[1][0].tag == f"{{{SALES}}}ListItemsResponse"


def test_a_plain_message_gets_an_answer_without_a_header(shop: Any, version: Version) -> None:
    received = shop.engine.open(
        shop.envelope("<m:ListItems/>", version=version), content_type=version.content_type, soap_action=None
    )

    assert received.addressing is None
    assert _header(shop.engine.encode(received, ANSWER).body, version) == {}


def test_blocks_for_somebody_else_ask_nothing(shop: Any, version: Version) -> None:
    name = "actor" if version is Version.SOAP11 else "role"
    blocks = f'<w:ReplyTo s:{name}="urn:else"/><w:Action s:{name}="urn:else">x</w:Action>'

    assert _open(shop, blocks, version).addressing is None


def test_must_understand_is_no_obstacle(shop: Any, version: Version) -> None:
    blocks = (ACTION + ID).replace("<w:Action>", '<w:Action s:mustUnderstand="1">')

    assert _open(shop, blocks, version).addressing.message_id == "urn:uuid:1"


@pytest.mark.parametrize("answer_to", ["ReplyTo", "FaultTo"])
def test_whoever_wants_no_answer_gets_status_202_and_nothing(
    answer_to: str, shop: Any, fault_of: Any, version: Version
) -> None:
    received = _open(shop, ACTION + ID + _to(answer_to, f"{WSA}/none"), version)
    answer = shop.engine.encode(received, ANSWER)
    fault = shop.engine.fault(fault_of(SoapError("Malformed", "x")), version=version, addressing=received.addressing)

    assert (fault.status, fault.body) == (202, b"")
    assert ((answer.status, answer.body) == (202, b"")) is (answer_to == "ReplyTo")


def test_without_an_answer_no_message_id_is_needed(shop: Any, version: Version) -> None:
    assert _open(shop, ACTION + _to("ReplyTo", f"{WSA}/none"), version).addressing.message_id is None


def test_reference_parameters_come_back_as_marked_header_blocks(shop: Any, fault_of: Any, version: Version) -> None:
    parameters = "<w:ReferenceParameters><p:a x='1'>b&amp;<p:c/></p:a></w:ReferenceParameters>"
    received = _open(shop, ACTION + ID + _to("ReplyTo", more=parameters), version)
    fault = shop.engine.fault(fault_of(SoapError("Malformed", "x")), version=version, addressing=received.addressing)
    for data in (shop.engine.encode(received, ANSWER).body, fault.body):
        (block,) = etree.fromstring(data)[0].findall("{urn:p}a")

        assert dict(block.attrib) == {"x": "1", f"{W}IsReferenceParameter": "true"}
        assert (block.text, len(block)) == ("b&", 1)


@pytest.mark.parametrize(
    ("blocks", "code", "names"),
    [
        (ID, "AddressingRequired", "Action"),
        (f"<w:Action/>{ID}", "AddressingRequired", "Action"),
        (ACTION, "AddressingRequired", "MessageID"),
        (ACTION + ID + ID, "AddressingRepeated", "MessageID"),
        (ACTION + ACTION + ID, "AddressingRepeated", "Action"),
        (ACTION + ID + _to("ReplyTo") * 2, "AddressingRepeated", "ReplyTo"),
        (f"{ACTION}{ID}<w:To>a</w:To><w:To>b</w:To>", "AddressingRepeated", "To"),
        (f"{ACTION}{ID}<w:ReplyTo/>", "AddressingNoAddress", "ReplyTo"),
        (f"{ACTION}{ID}<w:FaultTo><Address/></w:FaultTo>", "AddressingNoAddress", "FaultTo"),
        (f"{ACTION}{ID}<w:From>x</w:From>", "AddressingNoAddress", "From"),
        (ACTION + ID + _to("ReplyTo", FAR), "AddressingNotAnonymous", "ReplyTo"),
        (ACTION + ID + _to("FaultTo", FAR), "AddressingNotAnonymous", "FaultTo"),
        (ACTION + ID + _to("ReplyTo", ""), "AddressingNotAnonymous", "ReplyTo"),
        (f"{ACTION}<w:MessageID>{'x' * 5000}</w:MessageID>", "AddressingTooLarge", "MessageID"),
        (
            ACTION + ID + _to("ReplyTo", more=f"<w:ReferenceParameters>{'<p:a/>' * 17}</w:ReferenceParameters>"),
            "AddressingTooLarge",
            "ReplyTo",
        ),
        (
            ACTION + ID + _to("FaultTo", more=f"<w:ReferenceParameters><a>{'x' * 5000}</a></w:ReferenceParameters>"),
            "AddressingTooLarge",
            "FaultTo",
        ),
    ],
)
def test_what_cannot_be_answered_as_it_asks_is_refused_by_the_name_of_the_block(
    blocks: str, code: str, names: str, shop: Any, version: Version
) -> None:
    error = _refusal(shop, blocks, version)

    assert (error.code, error.path, error.problem) == (
        code,
        f"Envelope/Header/{names}",
        ("ProblemHeaderQName", names),
    )
    assert FAR not in error.message


def test_several_relates_to_and_unknown_blocks_of_the_namespace_say_nothing(shop: Any, version: Version) -> None:
    more = "<w:RelatesTo>a</w:RelatesTo><w:RelatesTo>b</w:RelatesTo><w:Other/><w:Other/>"

    assert _open(shop, ACTION + ID + more, version).addressing.message_id == "urn:uuid:1"


def test_a_block_of_the_namespace_that_ws_addressing_does_not_have_is_not_understood(
    shop: Any, version: Version
) -> None:
    error = _refusal(shop, f'{ACTION}{ID}<w:Other s:mustUnderstand="1"/>', version)

    assert (error.code, error.not_understood) == ("NotUnderstood", ((WSA, "Other"),))


@pytest.mark.parametrize("named", [f"{SALES}/ListItems", f"{SALES}:Sales:ListItemsRequest"])
def test_the_action_is_the_soap_action_or_the_default_of_the_wsdl(named: str, shop: Any, version: Version) -> None:
    assert _open(shop, f"<w:Action> {named}\n</w:Action>{ID}", version).operation.name == "ListItems"
    assert _open(shop, f"<w:Action>{named}</w:Action>{ID}", version, action=named) is not None


@pytest.mark.parametrize("named", [f"{SALES}/CreateOrder", "urn:other", f"{SALES}/listitems"])
def test_another_action_is_not_supported(named: str, shop: Any, version: Version) -> None:
    error = _refusal(shop, f"<w:Action>{named}</w:Action>{ID}", version)

    assert (error.code, error.problem) == ("ActionUnknown", ("ProblemAction", named))
    assert error.addressing is not None
    assert error.addressing.message_id == "urn:uuid:1"


def test_action_and_soap_action_must_agree(shop: Any, version: Version) -> None:
    error = _refusal(shop, ACTION + ID, version, action="urn:unknown")

    assert (error.code, error.path) == ("AddressingMismatch", "Envelope/Header/Action")


def test_a_fault_of_ws_addressing_has_its_codes_and_its_detail(shop: Any, fault_of: Any, version: Version) -> None:
    error = _refusal(shop, ACTION + ID + _to("ReplyTo", FAR), version)
    reply = shop.engine.fault(fault_of(error), version=version, addressing=error.addressing)
    root = etree.fromstring(reply.body)
    header = _header(reply.body, version)

    assert header[f"{W}Action"] == f"{WSA}/fault"
    assert header[f"{W}RelatesTo"] == "urn:uuid:1"
    (name,) = root.iter(f"{W}ProblemHeaderQName")
    assert (name.text, name.nsmap["wsa"]) == ("wsa:ReplyTo", WSA)
    if version is Version.SOAP11:
        assert reply.status == 500
        assert root.findtext(".//faultcode") == "wsa:OnlyAnonymousAddressSupported"
        assert root.find(".//detail") is None
        assert [parent.tag for parent in name.iterancestors()][:2] == [f"{W}FaultDetail", f"{{{version}}}Header"]
        assert str(root.findtext(".//faultstring")).startswith("AddressingNotAnonymous: ")
    else:
        assert reply.status == 400
        values = [str(value.text).rpartition(":")[2] for value in root.iter(f"{{{version}}}Value")]
        assert values == ["Sender", "InvalidAddressingHeader", "OnlyAnonymousAddressSupported"]
        assert next(parent.tag for parent in name.iterancestors()) == f"{{{version}}}Detail"


@pytest.mark.parametrize(
    ("code", "operation", "action"),
    [
        ("SchemaViolation", "ListItems", f"{SALES}:Sales:ListItems:Fault:RequestFault"),
        ("SchemaViolation", "", f"{WSA}/soap/fault"),
        ("NotUnderstood", "ListItems", f"{WSA}/soap/fault"),
        ("ActionUnknown", "ListItems", f"{WSA}/fault"),
    ],
)
def test_a_fault_has_its_own_action_or_that_of_all_of_its_kind(
    code: str, operation: str, action: str, shop: Any, fault_of: Any
) -> None:
    version = Version.SOAP12
    asked = _open(shop, ACTION + ID, version).addressing
    reply = shop.engine.fault(fault_of(SoapError(code, "x")), version=version, addressing=asked, operation=operation)

    assert _header(reply.body, version)[f"{W}Action"] == action


def test_default_actions_have_the_delimiter_of_their_namespace() -> None:
    assert action_of("urn:a", "B", "C") == "urn:a:B:C"
    assert action_of("http://a/b/", "C", "D") == "http://a/b/C/D"


_BLOCKS = st.lists(
    st.sampled_from(
        [ACTION, ID, "<w:To/>", "<w:ReplyTo/>", "<w:From/>", "<w:RelatesTo/>", "<w:FaultTo>x</w:FaultTo>"]
        + [_to(name, address) for name in ("ReplyTo", "FaultTo") for address in ("", FAR, f"{WSA}/none")]
        + [
            _to("ReplyTo", more=f"<w:ReferenceParameters><p:{'a' * n}>x</p:{'a' * n}></w:ReferenceParameters>")
            for n in (1, 300)
        ]
    ),
    max_size=8,
)


@given(_BLOCKS)
def test_any_blocks_are_read_or_refused_and_no_answer_repeats_much(blocks: list[str]) -> None:
    version = Version.SOAP12
    root = etree.fromstring(f'<h xmlns:w="{WSA}" xmlns:p="urn:p">{"".join(blocks)}</h>')
    refused: SoapError | None = None
    try:
        asked = read_addressing(list(root), version)
    except SoapError as error:
        refused = error
    if refused is not None:
        assert refused.code.startswith("Addressing")
        assert refused.addressing is not None
        asked = refused.addressing
    for fault in (False, True):
        header = asked.header("urn:a", fault=fault)
        assert len(header) < 3 * MOST_REPEATED
        etree.fromstring(f"<h>{header}</h>")
