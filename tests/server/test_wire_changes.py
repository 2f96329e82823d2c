"""Renewing, cancelling, withdrawing and replacing over TCP: by a foreign client, and every refusal as a typed fault."""

import asyncio
from typing import Any

import pytest
from lxml import etree
from wire import FIRM_CODE, Received, Server, envelope, order
from zeep_client import zeep_client

import wsdl
from server.cli.initialise import CONFIG
from server.core import opened_core
from server.settings import load_settings
from soap import Version

SALES = "urn:opendepot:sales:1"
BOTH = pytest.mark.parametrize("version", list(Version), ids=["1.1", "1.2"])
SCHEMA = etree.XMLSchema(etree.fromstring(wsdl.read("v1/sales.xsd")))


def changes(server: Server, version: str) -> None:
    sales, depot = (
        zeep_client(server, "sales", version, server.api_key),
        zeep_client(server, "depot", version),
    )
    first = sales.CreateOrder(
        transactionId="first", orderNumber="N-1", orderLine=[{"itemNumber": "EDITOR", "quantity": 3}]
    )
    license_id = first.license[0].licenseId
    renewal = {
        "transactionId": "renewal",
        "orderNumber": "N-2",
        "originalOrderNumber": "N-1",
        "orderLine": [{"itemNumber": "EDITOR", "quantity": 3, "extendsLicenseId": license_id}],
    }
    assert sales.CreateOrder(**renewal).license[0].licenseId == license_id
    assert sales.CreateOrder(**renewal).ticket == first.ticket
    assert [(x.state, x.generation) for x in sales.GetOrder(orderNumber="N-1").license] == [("Replaced", 1)]
    assert [(x.state, x.generation) for x in sales.GetOrder(orderNumber="N-2").license] == [("NotCollected", 2)]

    container = server.container(f"changes-{version}.json")
    answer = depot.GetLicenseUpdate(ticket=first.ticket, context=container.context(FIRM_CODE))
    depot.ConfirmLicenseUpdate(container.import_update(answer.update).receipt)
    asked = {"transactionId": "w", "licenseId": license_id, "pieces": {"quantity": 1}, "reason": "one too many"}
    taken = sales.WithdrawLicense(**asked)
    assert sales.WithdrawLicense(**asked) == taken
    assert [(x.quantity, x.collected, x.confirmed) for x in taken.license] == [(2, 2, 3)]
    put = sales.ReplaceLicense(transactionId="r", licenseId=license_id, itemNumber="PLUGIN", reason="other edition")
    assert [(x.itemNumber, x.generation, x.state) for x in put.license] == [("PLUGIN", 3, "WhollyCollected")]
    answer = depot.GetLicenseUpdate(ticket=first.ticket, context=container.context(FIRM_CODE))
    container.import_update(answer.update)
    assert [(x.item_number, x.quantity) for x in container.listing(FIRM_CODE)] == [("PLUGIN", 2)]

    lone = sales.CreateOrder(transactionId="lone", orderLine=[{"itemNumber": "PLUGIN", "quantity": 1}])
    gone = sales.CancelOrder(transactionId="c", orderId=lone.orderId, reason="sent back")
    assert (gone.orderId, [x.state for x in gone.license]) == (lone.orderId, ["Withdrawn"])
    assert depot.GetTicket(ticket=[lone.ticket]).state == "Withdrawn"


@pytest.mark.parametrize("version", ["11", "12"])
async def test_zeep_renews_withdraws_replaces_and_cancels(server: Server, version: str) -> None:
    await asyncio.to_thread(changes, server, version)
    assert all(event["level"] == "info" for event in server.events())


def withdraw(license_id: str, *, transaction: str = "w", pieces: int = 0) -> str:
    some = f"<pieces><quantity>{pieces}</quantity></pieces>" if pieces else ""
    return (
        f'<WithdrawLicense xmlns="{SALES}"><transactionId>{transaction}</transactionId>'
        f"<licenseId>{license_id}</licenseId>{some}<reason>a reason</reason></WithdrawLicense>"
    )


def put_in_place(license_id: str, item: str) -> str:
    return (
        f'<ReplaceLicense xmlns="{SALES}"><transactionId>r</transactionId><licenseId>{license_id}</licenseId>'
        f"<itemNumber>{item}</itemNumber><reason>a reason</reason></ReplaceLicense>"
    )


def cancel(names: str) -> str:
    return (
        f'<CancelOrder xmlns="{SALES}"><transactionId>c</transactionId>{names}<reason>a reason</reason></CancelOrder>'
    )


def renewal(license_id: str, *, extra: str = "<originalOrderNumber>N-1</originalOrderNumber>", **values: Any) -> str:
    line = order("again", extra=extra, **{"quantity": 2, **values})
    return line.replace("</quantity>", f"</quantity><extendsLicenseId>{license_id}</extendsLicenseId>")


def check(received: Received, version: Version, code: str, element: str, path: str) -> None:
    found = received.fault()
    assert (found["code"], found["element"], found.get("path")) == (code, element, path), found
    assert received.status == (500 if version is Version.SOAP11 else 400)
    detail = received.payload.find("detail" if version is Version.SOAP11 else f"{{{version}}}Detail")
    SCHEMA.assertValid(detail[0])


@BOTH
async def test_what_changes_of_licences_are_refused(server: Server, version: Version) -> None:
    placed = (await server.post("sales", envelope(order(quantity=2, extra="<orderNumber>N-1</orderNumber>")))).payload
    ticket, license_id = (placed.findtext(f".//{{{SALES}}}{name}") for name in ("ticket", "licenseId"))
    async with opened_core(load_settings(server.folder / CONFIG)) as core:
        await core.catalogue.add_item(
            item_number="USE", firm_code=FIRM_CODE, product_code=1, options=("usagePeriod=30d",)
        )
    original = f"<originalTicket>{ticket}</originalTicket>"
    number = "<originalOrderNumber>N-1</originalOrderNumber>"
    line = "orderLine[1]"
    for body, code, element, path in (
        (withdraw("none"), "LicenseUnknown", "NotFoundFault", "licenseId"),
        (withdraw(license_id, pieces=3), "TooManyPieces", "RuleFault", "pieces/quantity"),
        (put_in_place(license_id, "NONE"), "ItemUnknown", "NotFoundFault", "itemNumber"),
        (put_in_place(license_id, "OTHER"), "FirmCodeDiffers", "RuleFault", "itemNumber"),
        (cancel("<orderId>none</orderId>"), "OrderUnknown", "NotFoundFault", "CancelOrder"),
        (cancel(""), "OrderNameRequired", "RequestFault", "CancelOrder"),
        (renewal("none"), "LicenseUnknown", "NotFoundFault", f"{line}/extendsLicenseId"),
        (renewal(license_id, extra=""), "OriginalRequired", "RequestFault", f"{line}/extendsLicenseId"),
        (renewal(license_id, extra=number + original), "OriginalAmbiguous", "RequestFault", "originalTicket"),
        (renewal(license_id, extra=original), "RightMissing", "AccessFault", "originalTicket"),
        (renewal(license_id, quantity=1), "QuantityDiffers", "RuleFault", f"{line}/quantity"),
        (renewal(license_id, item="OTHER"), "FirmCodeDiffers", "RuleFault", line),
        (renewal(license_id, item="USE"), "NotRenewable", "RuleFault", line),
    ):
        received = await server.post("sales", envelope(body, version=version), version=version)
        check(received, version, code, element, path)
        assert ticket not in received.body.decode()


@BOTH
async def test_what_was_done_before_stands_in_the_way(server: Server, version: Version) -> None:
    placed = (await server.post("sales", envelope(order(quantity=2, extra="<orderNumber>N-1</orderNumber>")))).payload
    license_id = placed.findtext(f".//{{{SALES}}}licenseId")
    assert (await server.post("sales", envelope(renewal(license_id)))).status == 200
    received = await server.post(
        "sales", envelope(cancel("<orderNumber>N-1</orderNumber>"), version=version), version=version
    )
    assert (received.fault()["code"], received.fault()["element"]) == ("RenewedSince", "ConflictFault")
    assert (await server.post("sales", envelope(withdraw(license_id)))).status == 200
    for body, code, path in (
        (withdraw(license_id, transaction="w2"), "LicenseWithdrawn", "licenseId"),
        (put_in_place(license_id, "PLUGIN"), "LicenseWithdrawn", "itemNumber"),
    ):
        received = await server.post("sales", envelope(body, version=version), version=version)
        check(received, version, code, "RuleFault", path)
    received = await server.post("sales", envelope(withdraw(license_id, pieces=1), version=version), version=version)
    check(received, version, "TransactionConflict", "ConflictFault", "transactionId")


async def test_a_licence_of_another_shop_is_as_unknown_as_none(server: Server) -> None:
    placed = (await server.post("sales", envelope(order()))).payload
    license_id = placed.findtext(f".//{{{SALES}}}licenseId")
    other = {"Authorization": f"Bearer {server.other_api_key}"}
    found = [(await server.post("sales", envelope(withdraw(x)), headers=other)).fault() for x in (license_id, "none")]
    assert {**found[0], "reference": ""} == {**found[1], "reference": ""}
