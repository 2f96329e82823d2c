"""The whole server on PostgreSQL: two of them on one database, ordered from and collected from through the SDK."""

import asyncio
import io
import secrets
from contextlib import AsyncExitStack
from pathlib import Path

from places import Place

from opendepot import Container, DepotClient, SalesClient
from server.app import opened_core, utc_now
from server.cli.initialise import CONFIG, VENDOR_CERTIFICATE, initialise
from server.listener import serving
from server.settings import load_settings
from soap.messages import sales


async def test_two_servers_on_one_database_take_one_order_once_and_give_its_licences(
    place: Place, tmp_path: Path
) -> None:
    folder = tmp_path / "depot"
    # It runs a loop of its own, so it needs a thread.
    await asyncio.to_thread(initialise, folder)
    settings = load_settings(folder / CONFIG, database=str(place.location), port=0, admin_port=0, validate_answers=True)
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(serving(settings, log=io.StringIO())) for _ in range(2)]
        async with opened_core(settings) as core:
            await core.catalogue.add_item(item_number="A", firm_code=6000010, product_code=1)
            _, api_key = await core.catalogue.add_shop("shop")
        order = sales.CreateOrderRequest(
            transaction_id="t-1", order_number="n-1", order_line=(sales.OrderLine(item_number="A", quantity=2),)
        )
        receipts = []
        for server in (first, second, first):
            async with SalesClient(server.url, api_key=api_key) as shop:
                receipts.append(await shop.create_order(order))
        assert receipts == [receipts[0]] * 3
        container = Container.create(
            folder / "c.json",
            trust_pem=(folder / VENDOR_CERTIFICATE).read_bytes(),
            clock=utc_now,
            random=secrets.token_bytes,
        )
        async with DepotClient(second.url) as licensee:
            await licensee.collect(receipts[0].ticket, container)
        async with SalesClient(first.url, api_key=api_key) as shop:
            seen = await shop.get_order(sales.GetOrderRequest(order_id=receipts[0].order_id))
        assert [line.confirmed for line in seen.license] == [2]
    assert place.run("SELECT count(*) FROM orders") == [(1,)]
