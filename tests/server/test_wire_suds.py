"""A foreign client, suds, runs the whole cycle from the served WSDL over TCP; it speaks SOAP 1.1 alone."""

import asyncio
import base64
from typing import Any

import pytest
import suds
import suds.client
import suds.transport.http
from foreign_cycle import outcome_of
from wire import FIRM_CODE, Server

pytestmark = pytest.mark.slow


def client(server: Server, service: str, api_key: str | None = None) -> Any:
    return suds.client.Client(
        f"{server.url}/v1/{service}?wsdl",
        port=f"{service.capitalize()}Soap11",
        headers={} if api_key is None else {"Authorization": f"Bearer {api_key}"},
        cache=None,
        timeout=10,
    ).service


def cycle(server: Server) -> None:
    sales, depot = client(server, "sales", server.api_key), client(server, "depot")
    order = sales.CreateOrder(
        transactionId="suds-1",
        orderNumber="S-1",
        customer={"name": "A. Buyer", "language": "de"},
        orderLine=[{"itemNumber": "EDITOR", "quantity": 2}],
    )
    assert depot.GetTicket(ticket=[order.ticket]).state == "NotCollected"

    # suds knows nothing of base64: what is xs:base64Binary it takes and gives as text.
    container = server.container("suds.json")
    answer = depot.GetLicenseUpdate(
        ticket=order.ticket, context=base64.b64encode(container.context(FIRM_CODE)).decode()
    )
    assert answer.state == "Done"
    imported = container.import_update(base64.b64decode(answer.update, validate=True))
    confirmed = depot.ConfirmLicenseUpdate(receipt=base64.b64encode(imported.receipt).decode())
    assert confirmed.state == "Confirmed"
    assert [(entry.item_number, entry.quantity) for entry in container.listing(FIRM_CODE)] == [("EDITOR", 2)]
    overview = depot.GetTicket(ticket=[order.ticket])
    assert (overview.state, [x.confirmed for x in overview.license]) == ("WhollyCollected", [2])

    with pytest.raises(suds.WebFault) as refused:
        depot.GetTicket(ticket=["AAAAA-AAAAA-AAAAA-AAAAA-AAAAA"])
    fault = refused.value.fault.detail.NotFoundFault
    assert (fault.code, fault.retry, fault.path) == ("TicketUnknown", "Never", "ticket[1]")
    assert refused.value.fault.faultcode == "soap:Client"
    assert refused.value.fault.faultstring == fault.message
    assert outcome_of(server, fault.reference) == "TicketUnknown"


async def test_suds_runs_the_whole_cycle_and_reads_a_fault(server: Server) -> None:
    await asyncio.to_thread(cycle, server)
    assert all(event["level"] == "info" for event in server.events())
