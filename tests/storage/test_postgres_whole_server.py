"""The whole server on PostgreSQL: two of them on one database, ordered from and collected from through the SDK."""

import asyncio
import io
import secrets
from contextlib import AsyncExitStack
from pathlib import Path

from places import Place

from opendepot import Container, DepotClient, FaultReceived, SalesClient
from server.cli.initialise import CONFIG, VENDOR_CERTIFICATE, initialise
from server.core import opened_core, utc_now
from server.listener import serving
from server.settings import load_settings
from soap.messages import depot, sales


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


async def test_races_between_two_servers_make_each_order_once_and_give_out_each_piece_once(
    place: Place, tmp_path: Path
) -> None:
    folder = tmp_path / "depot"
    await asyncio.to_thread(initialise, folder)
    settings = load_settings(folder / CONFIG, database=str(place.location), port=0, admin_port=0)
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(serving(settings, log=io.StringIO())) for _ in range(2)]
        async with opened_core(settings) as core:
            await core.catalogue.add_item(item_number="A", firm_code=6000010, product_code=1)
            _, api_key = await core.catalogue.add_shop("shop")
        shops = [await stack.enter_async_context(SalesClient(server.url, api_key=api_key)) for server in servers]
        licensees = [await stack.enter_async_context(DepotClient(server.url)) for server in servers]

        async def order(number: int) -> sales.OrderReceipt:
            line = sales.OrderLine(item_number="A", quantity=5)
            request = sales.CreateOrderRequest(transaction_id=f"t-{number // 4}", order_line=(line,))
            return await shops[number % 2].create_order(request)

        receipts = await asyncio.gather(*map(order, range(40)))
        assert [receipts[start : start + 4] for start in range(0, 40, 4)] == [
            [receipts[start]] * 4 for start in range(0, 40, 4)
        ]
        assert len({receipt.ticket for receipt in receipts}) == 10
        # What one server has answered, the other one knows at once.
        for number, receipt in enumerate(receipts):
            seen = await shops[(number + 1) % 2].get_order(sales.GetOrderRequest(order_id=receipt.order_id))
            assert seen.ticket == receipt.ticket
        trust = (folder / VENDOR_CERTIFICATE).read_bytes()
        containers = [
            Container.create(folder / f"c{n}.json", trust_pem=trust, clock=utc_now, random=secrets.token_bytes)
            for n in range(8)
        ]
        (license_,) = receipts[0].license

        async def collect(number: int) -> bool:
            request = depot.GetLicenseUpdateRequest(
                ticket=receipts[0].ticket,
                license=(depot.LicenseTarget(license_id=license_.license_id, target=depot.TargetQuantity(quantity=1)),),
                context=containers[number].context(6000010),
            )
            try:
                answer = await licensees[number % 2].get_license_update(request)
            except FaultReceived as fault:
                if fault.code != "NothingFree":
                    raise
                return False
            assert answer.update is not None
            receipt = containers[number].import_update(answer.update).receipt
            await licensees[(number + 1) % 2].confirm_license_update(receipt)
            return True

        assert sum(await asyncio.gather(*map(collect, range(8)))) == 5
        held = [entry.quantity for container in containers for entry in container.listing(6000010)]
        assert held == [1] * 5
    assert place.run("SELECT count(*), count(DISTINCT transaction_id) FROM orders") == [(10, 10)]
    assert place.run("SELECT sum(wanted), sum(occupied), sum(confirmed) FROM placements") == [(5, 5, 5)]
