"""Shop A never sees or touches what is shop B's: every operation with every id of B's, by A's own credential."""

import asyncio

import pytest
import zeep
from filtered import core_of, outcome
from lxml import etree
from test_wire_rights import known
from test_wire_zeep import client
from wire import FIRM_CODE, Received, Server, envelope

from server.handlers import REGISTRY

SALES = "urn:opendepot:sales:1"


class Foreign:
    """What shop B has, and every way in which shop A may try to reach it."""

    def __init__(self, receipt: Received) -> None:
        found = {child.tag.rpartition("}")[2]: child.text or "" for child in receipt.payload.iter()}
        self.order_id, self.ticket = found["orderId"], found["ticket"]
        self.license_id = found["licenseId"]

    def calls(self) -> dict[str, tuple[str, ...]]:
        line = "<orderLine><itemNumber>EDITOR</itemNumber><quantity>1</quantity></orderLine>"
        renewing = line.replace("</orderLine>", f"<extendsLicenseId>{self.license_id}</extendsLicenseId></orderLine>")
        orders = (
            f"<originalOrderNumber>B-1</originalOrderNumber>{line}",
            f"<originalTicket>{self.ticket}</originalTicket>{line}",
            f"<originalTicket>{self.ticket}</originalTicket>{renewing}",
            f"<originalOrderNumber>A-1</originalOrderNumber>{renewing}",
        )
        names = (f"<orderId>{self.order_id}</orderId>", "<orderNumber>B-1</orderNumber>")
        reason = "<reason>r</reason>"
        licence = f"<licenseId>{self.license_id}</licenseId>"
        return {
            "CreateOrder": orders,
            "CreateOrders": tuple(
                f"<order><transactionId>in-{n}</transactionId>{x}</order>" for n, x in enumerate(orders)
            ),
            "GetOrder": (*names, "<transactionId>b-1</transactionId>"),
            "FindOrders": ("", "<customerNumber>C-B</customerNumber>"),
            "CancelOrder": tuple(name + reason for name in names),
            "WithdrawLicense": (licence + reason,),
            "ReplaceLicense": (f"{licence}<itemNumber>EDITOR</itemNumber>{reason}",),
            "ListItems": ("",),
        }


WITH_TRANSACTION = {"CreateOrder", "CancelOrder", "WithdrawLicense", "ReplaceLicense"}
READING = {"FindOrders", "ListItems", "CreateOrders"}


def place(transaction_id: str, number: str, customer: str) -> bytes:
    return envelope(
        f'<CreateOrder xmlns="{SALES}"><transactionId>{transaction_id}</transactionId>'
        f"<orderNumber>{number}</orderNumber>"
        f"<customer><name>Someone</name><customerNumber>{customer}</customerNumber></customer>"
        f"<orderLine><itemNumber>EDITOR</itemNumber><quantity>2</quantity></orderLine></CreateOrder>"
    )


async def test_no_operation_reaches_what_another_shop_has(server: Server) -> None:
    as_b = {"Authorization": f"Bearer {server.other_api_key}"}
    placed = await server.post("sales", place("b-1", "B-1", "C-B"), headers=as_b)
    assert outcome(placed) == "ok", placed.body
    assert outcome(await server.post("sales", place("a-1", "A-1", "C-A"))) == "ok"
    foreign = Foreign(placed)
    seen = envelope(f'<GetOrder xmlns="{SALES}"><orderId>{foreign.order_id}</orderId></GetOrder>')
    before = (await server.post("sales", seen, headers=as_b)).body
    calls = foreign.calls()
    assert set(calls) == set(REGISTRY["Sales"])
    secrets = [foreign.order_id, foreign.ticket, foreign.license_id, "C-B"]
    for operation, contents in calls.items():
        for number, content in enumerate(contents):
            key = f"<transactionId>x-{operation}-{number}</transactionId>" if operation in WITH_TRANSACTION else ""
            answer = await server.post("sales", envelope(f'<{operation} xmlns="{SALES}">{key}{content}</{operation}>'))
            said = outcome(answer)
            assert said != "SchemaViolation", (operation, content, answer.body)
            if operation not in READING:
                assert said != "ok", (operation, content)
            if operation == "CreateOrders":
                assert b"Refused" in answer.body
            told = [secret for secret in secrets if secret in answer.body.decode() and secret not in content]
            assert not told, (operation, content, told)
    assert (await server.post("sales", seen, headers=as_b)).body == before
    # The same transactionId is another one for another shop.
    assert outcome(await server.post("sales", place("b-1", "B-1", "C-A"))) == "ok"
    assert (await server.post("sales", seen, headers=as_b)).body == before


async def test_a_ticket_reaches_no_licence_of_another_one(server: Server) -> None:
    def attack() -> None:
        line = [{"itemNumber": "EDITOR", "quantity": 2}]
        keys = (server.api_key, server.other_api_key)
        own, foreign = (
            client(server, "sales", "11", key).CreateOrder(transactionId="t", orderLine=line) for key in keys
        )
        depot, container = client(server, "depot", "11"), server.container()
        theirs = [{"licenseId": foreign.license[0].licenseId}]
        before = depot.GetTicket(ticket=[foreign.ticket])
        calls = (depot.GetLicenseUpdate, depot.ReturnLicense)
        for call in calls:
            with pytest.raises(zeep.exceptions.Fault) as refused:
                call(ticket=own.ticket, license=theirs, context=container.context(FIRM_CODE))
            assert b"LicenseUnknown" in etree.tostring(refused.value.detail)
        assert depot.GetTicket(ticket=[foreign.ticket]) == before

    await asyncio.to_thread(attack)


async def test_a_credential_of_one_shop_cannot_be_taken_by_another_s_name(server: Server) -> None:
    async with core_of(server) as core:
        view = await core.credentials.show(server.extra["shop"])
        other, _ = await core.catalogue.add_shop("taker")
        with pytest.raises(Exception, match="has no credential"):
            await core.credentials.revoke(other.name, view.credentials[0].credential_id)
    await known(server)
    assert outcome(await server.post("sales", envelope(f'<ListItems xmlns="{SALES}"/>'))) == "ok"
