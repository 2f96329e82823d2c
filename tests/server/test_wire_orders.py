"""CreateOrders over TCP: up to a thousand, 640 KiB, results in order; other operations keep the small limits."""

import asyncio
import time

import pytest
from wire import Server, Start, envelope, order
from zeep_client import zeep_client

from soap import Version

SALES = "urn:opendepot:sales:1"
BOTH = pytest.mark.parametrize("version", list(Version), ids=["1.1", "1.2"])


def orders(count: int, *, start: int = 0, padding: int = 0) -> str:
    customer = f"<customer><name>{'n' * 190}</name><company>{'c' * 190}</company></customer>" if padding else ""
    each = "".join(
        f"<order><transactionId>b-{number}</transactionId>{customer}<orderLine><itemNumber>EDITOR</itemNumber>"
        f"<quantity>1</quantity></orderLine></order>"
        for number in range(start, start + count)
    )
    return f'<CreateOrders xmlns="{SALES}">{each}</CreateOrders>'


def several(server: Server, version: str) -> None:
    sales = zeep_client(server, "sales", version, server.api_key)
    line = [{"itemNumber": "EDITOR", "quantity": 1}]
    asked = [
        {"transactionId": "z-1", "orderNumber": "Z-1", "orderLine": line},
        {"transactionId": "z-2", "orderLine": [{"itemNumber": "NONE", "quantity": 1}]},
        {"transactionId": "z-3", "originalOrderNumber": "Z-1", "orderLine": line},
    ]
    batch = sales.CreateOrders(order=asked)
    assert batch.state == "PartlyDone"
    assert [(x.transactionId, x.status) for x in batch.result] == [
        ("z-1", "Done"),
        ("z-2", "Refused"),
        ("z-3", "Done"),
    ]
    assert (batch.result[1].refusal.code, batch.result[1].refusal.retry, batch.result[1].refusal.path) == (
        "ItemUnknown",
        "Never",
        "orderLine[1]/itemNumber",
    )
    assert batch.result[2].order.ticket == batch.result[0].order.ticket
    assert sales.CreateOrders(order=asked) == batch
    assert sales.CreateOrders(order=asked[:1]).state == "Done"
    assert sales.CreateOrders(order=asked[1:2]).state == "Refused"


@pytest.mark.parametrize("version", ["11", "12"])
async def test_zeep_places_several_orders(server: Server, version: str) -> None:
    await asyncio.to_thread(several, server, version)


@BOTH
async def test_a_thousand_orders_are_taken_and_one_more_is_not(server: Server, version: Version) -> None:
    body = envelope(orders(1000, padding=1), version=version)
    assert len(body) > 400_000
    started = time.monotonic()
    received = await server.post("sales", body, version=version)
    assert received.status == 200, received.body[:500]
    batch = received.payload[0]
    assert batch.findtext(f"{{{SALES}}}state") == "Done"
    assert [x.text for x in batch.iter(f"{{{SALES}}}transactionId")] == [f"b-{number}" for number in range(1000)]
    assert time.monotonic() - started < 60
    received = await server.post("sales", envelope(orders(1001), version=version), version=version)
    assert (received.fault()["code"], received.fault()["path"]) == ("SchemaViolation", "CreateOrders/order[1001]")


@BOTH
async def test_other_operations_and_services_keep_the_small_limit(start: Start, version: Version) -> None:
    server = await start(max_orders_body_bytes=600_000)
    padding = f"<!--{'x' * 300_000}-->"
    for service, body in (
        ("sales", order() + padding),
        ("sales", f'<ListItems xmlns="{SALES}"/>' + padding),
        ("depot", '<GetTicket xmlns="urn:opendepot:depot:1"/>' + padding),
        ("sales", orders(1) + f"<!--{'x' * 700_000}-->"),
    ):
        received = await server.post(service, envelope(body, version=version), version=version)
        assert (received.status, received.fault()["code"]) == (413, "TooLarge")
    received = await server.post("sales", envelope(orders(1) + padding, version=version), version=version)
    assert received.status == 200


async def test_a_large_message_has_an_element_limit_of_its_own(start: Start) -> None:
    server = await start(max_elements=100, max_orders_elements=2000, max_body_bytes=2048)
    assert (await server.post("sales", envelope(orders(200, padding=1)))).status == 200
    received = await server.post("sales", envelope(orders(300, padding=1)))
    assert received.fault()["code"] == "TooComplex"


async def test_a_large_message_of_nobody_is_refused(server: Server) -> None:
    received = await server.post("sales", envelope(orders(1000, padding=1)), identified=False)
    assert (received.status, received.fault()["code"]) == (401, "NotIdentified")


def found(server: Server, version: str) -> None:
    sales = zeep_client(server, "sales", version, server.api_key)
    line = [{"itemNumber": "EDITOR", "quantity": 1}]
    orders = [
        {"transactionId": f"f-{number:03}", "customer": {"name": "A", "customerNumber": "K-1"}, "orderLine": line}
        for number in range(60)
    ]
    sales.CreateOrders(order=orders)
    first = sales.FindOrders(customerNumber="K-1", licenseState="NotCollected", itemNumber="EDITOR")
    assert (first.hasMore, len(first.order)) == (True, 50)
    rest = sales.FindOrders(
        customerNumber="K-1", licenseState="NotCollected", itemNumber="EDITOR", pageToken=first.nextPageToken
    )
    assert (rest.hasMore, sorted(x.transactionId for x in (*first.order, *rest.order))) == (
        False,
        sorted(x["transactionId"] for x in orders),
    )
    since = {"time": first.order[0].orderTime}
    assert len(sales.FindOrders(createdFrom=since, createdTo={"time": "2999-01-01T00:00:00Z"}).order) == 50
    empty = sales.FindOrders(orderNumber="none")
    assert (empty.hasMore, empty.order) == (False, [])


@pytest.mark.parametrize("version", ["11", "12"])
async def test_zeep_finds_orders(server: Server, version: str) -> None:
    await asyncio.to_thread(found, server, version)


@BOTH
async def test_what_a_search_refuses(server: Server, version: Version) -> None:
    for inner, code in (
        ("<licenseState>Gone</licenseState>", "StateUnknown"),
        ("<pageToken>AAAA</pageToken>", "PageTokenInvalid"),
    ):
        body = envelope(f'<FindOrders xmlns="{SALES}">{inner}</FindOrders>', version=version)
        received = await server.post("sales", body, version=version)
        assert (received.fault()["code"], received.fault()["element"]) == (code, "RequestFault")
        assert received.status == (500 if version is Version.SOAP11 else 400)
