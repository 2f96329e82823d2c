"""A foreign client, zeep in strict mode, runs the whole cycle from the served WSDL over TCP, in both SOAP versions."""

import asyncio
from typing import Any

import pytest
import requests
import zeep
import zeep.exceptions
import zeep.transports
from foreign_cycle import outcome_of
from lxml import etree
from wire import FIRM_CODE, Server


def client(server: Server, service: str, version: str, api_key: str | None = None) -> Any:
    session = requests.Session()
    if api_key is not None:
        session.headers["Authorization"] = f"Bearer {api_key}"
    made = zeep.Client(
        f"{server.url}/v1/{service}?wsdl",
        transport=zeep.transports.Transport(session=session, timeout=10, operation_timeout=10),
        settings=zeep.Settings(strict=True),
    )
    return made.bind(f"{service.capitalize()}Service", f"{service.capitalize()}Soap{version}")


def cycle(server: Server, version: str) -> None:
    sales, depot = client(server, "sales", version, server.api_key), client(server, "depot", version)
    page = sales.ListItems()
    assert {item.itemNumber for item in page.item} == {"EDITOR", "PLUGIN", "OTHER"}
    assert page.hasMore is False

    values = {
        "transactionId": f"zeep-{version}",
        "orderNumber": f"Z-{version}",
        "customer": {"name": "A. Buyer", "language": "de"},
        "orderLine": [{"itemNumber": "EDITOR", "quantity": 2}],
    }
    receipt = sales.CreateOrder(**values)
    assert sales.CreateOrder(**values).ticket == receipt.ticket

    container = server.container(f"zeep-{version}.json")
    context = container.context(FIRM_CODE)
    first = depot.GetLicenseUpdate(
        ticket=receipt.ticket,
        license=[{"licenseId": receipt.license[0].licenseId, "target": {"quantity": 1}}],
        context=context,
    )
    assert first.state == "Done"
    imported = container.import_update(first.update)
    assert depot.ConfirmLicenseUpdate(receipt=imported.receipt).state == "Confirmed"

    second = sales.CreateOrder(
        transactionId=f"zeep-{version}-2",
        originalOrderNumber=f"Z-{version}",
        orderLine=[{"itemNumber": "PLUGIN", "quantity": 1}],
    )
    assert second.ticket == receipt.ticket
    rest = depot.GetLicenseUpdate(ticket=receipt.ticket, context=container.context(FIRM_CODE))
    again = container.import_update(rest.update)
    assert depot.ConfirmLicenseUpdate(again.receipt).state == "Confirmed"
    assert {entry.item_number: entry.quantity for entry in container.listing(FIRM_CODE)} == {"EDITOR": 2, "PLUGIN": 1}

    overview = depot.GetTicket(ticket=[receipt.ticket])
    assert overview.state == "WhollyCollected"
    assert [x.confirmed for x in overview.license] == [2, 1]
    order = sales.GetOrder(transactionId=f"zeep-{version}")
    assert [x.state for x in order.license] == ["WhollyCollected"]

    changed = {**values, "orderNumber": "another"}
    wrong = {**values, "orderLine": [{"itemNumber": "EDITOR", "quantity": 0}]}
    for given, element, code, path in (
        (changed, "ConflictFault", "TransactionConflict", "transactionId"),
        (wrong, "RequestFault", "SchemaViolation", "CreateOrder/orderLine/quantity"),
    ):
        with pytest.raises(zeep.exceptions.Fault) as refused:
            sales.CreateOrder(**given)
        fault = refused.value
        (found,) = fault.detail
        # As its type in the WSDL has it.
        typed = sales._client.wsdl.types.get_element(found.tag).parse(found, sales._client.wsdl.types)
        assert etree.QName(found) == etree.QName("urn:opendepot:sales:1", element)
        assert (typed.code, typed.path, typed.retry, typed.message) == (code, path, "Never", fault.message)
        assert outcome_of(server, typed.reference) == code
        subcodes = [etree.QName(one).localname for one in fault.subcodes or []]
        assert (fault.code, subcodes) == (("soap:Client", []) if version == "11" else ("soap:Sender", [code]))


@pytest.mark.parametrize("version", ["11", "12"])
async def test_zeep_runs_the_whole_cycle(server: Server, version: str) -> None:
    await asyncio.to_thread(cycle, server, version)
    assert all(event["level"] == "info" for event in server.events())
