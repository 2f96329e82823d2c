"""WS-Addressing over TCP: the answer names the request, or there is none."""

from lxml import etree
from wire import Server, envelope, order

from soap import Version

WSA = "http://www.w3.org/2005/08/addressing"


def _blocks(answer_to: str, action: str = "urn:opendepot:sales:1/CreateOrder") -> str:
    return (
        f'<w:Action xmlns:w="{WSA}">{action}</w:Action><w:MessageID xmlns:w="{WSA}">urn:m</w:MessageID>'
        f'<w:ReplyTo xmlns:w="{WSA}"><w:Address>{WSA}/{answer_to}</w:Address></w:ReplyTo>'
    )


async def test_an_answer_and_a_fault_of_the_rules_relate_to_the_request(server: Server) -> None:
    for version in Version:
        good = await server.post(
            "sales", envelope(order(), version=version, header=_blocks("anonymous")), version=version
        )
        bad = await server.post(
            "sales", envelope(order("t-2", item="NONE"), version=version, header=_blocks("anonymous")), version=version
        )

        assert good.status == 200
        assert etree.fromstring(good.body)[0].findtext(f"{{{WSA}}}RelatesTo") == "urn:m"
        fault = etree.fromstring(bad.body)[0]
        assert fault.findtext(f"{{{WSA}}}RelatesTo") == "urn:m"
        assert fault.findtext(f"{{{WSA}}}Action") == "urn:opendepot:sales:1:Sales:CreateOrder:Fault:NotFoundFault"


async def test_a_message_id_is_no_transaction_id(server: Server) -> None:
    first = await server.post("sales", envelope(order("t-1"), header=_blocks("anonymous")))
    second = await server.post("sales", envelope(order("t-2"), header=_blocks("anonymous")))

    assert (first.status, second.status) == (200, 200)
    assert first.body != second.body


async def test_whoever_wants_no_answer_gets_none_and_the_order_is_placed(server: Server) -> None:
    silent = await server.post("sales", envelope(order("t-1"), header=_blocks("none")))
    wrong = await server.post("sales", envelope(order("t-2", item="NONE"), header=_blocks("none")))
    for taken in (silent, wrong):
        assert (taken.status, taken.body) == (202, b"")
        assert "Content-Type" not in taken.headers
    found = envelope('<GetOrder xmlns="urn:opendepot:sales:1"><transactionId>t-1</transactionId></GetOrder>')
    assert (await server.post("sales", found)).status == 200
    outcomes = [event["outcome"] for event in server.events() if event["event"] == "exchange"]
    assert outcomes == ["ok", "ItemUnknown", "ok"]


async def test_a_wrong_action_is_told_in_the_words_of_ws_addressing(server: Server) -> None:
    received = await server.post("sales", envelope(order(), header=_blocks("anonymous", "urn:x")))

    assert received.status == 500
    assert received.payload.findtext("faultcode") == "wsa:ActionNotSupported"
