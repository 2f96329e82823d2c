"""What callers see of a PostgreSQL in trouble: faults to retry, and all well by itself when the trouble is over."""

import asyncio
import io
import os
import shutil
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from order_ledger import INVARIANTS
from places import PostgresPlace
from postgres_proxy import passing, proxied
from postgres_server import PostgresServer

from observe import Readiness
from opendepot import FaultReceived, SalesClient
from server.cli.initialise import CONFIG, initialise
from server.core import opened_core
from server.listener import serving
from server.settings import load_settings
from soap.messages import sales

TMPFS_BYTES = 96 << 20


def order(number) -> sales.CreateOrderRequest:
    return sales.CreateOrderRequest(
        transaction_id=f"T-{number}", order_line=(sales.OrderLine(item_number="A", quantity=1),)
    )


@asynccontextmanager
async def shop_on(address, folder, **settings):
    """A whole server on a database, and a shop that orders from it without trying again."""
    # It runs a loop of its own, so it needs a thread.
    await asyncio.to_thread(initialise, folder)
    loaded = load_settings(folder / CONFIG, database=address, port=0, admin_port=0, **settings)
    async with opened_core(loaded) as core:
        await core.catalogue.add_item(item_number="A", firm_code=6000010, product_code=1)
        _, api_key = await core.catalogue.add_shop("shop")
    async with (
        serving(loaded, log=io.StringIO()) as server,
        SalesClient(server.url, api_key=api_key, attempts=1) as shop,
    ):
        yield server, shop


async def readiness(server) -> Readiness:
    return await server.application.health.readiness()


async def codes_of(shop, numbers) -> list[str]:
    """What each of these orders was answered with: `placed`, or the code of a fault, which must say retry."""
    outcomes = await asyncio.gather(*(shop.create_order(order(n)) for n in numbers), return_exceptions=True)
    faults = [outcome for outcome in outcomes if not isinstance(outcome, sales.OrderReceipt)]
    assert all(isinstance(fault, FaultReceived) and fault.retry for fault in faults), faults
    return sorted({outcome.code if isinstance(outcome, FaultReceived) else "placed" for outcome in outcomes})


async def test_a_slow_commit_fills_the_line_which_is_told_to_retry_and_then_all_are_placed(place, tmp_path):
    async with (
        proxied(place.server.folder) as proxy,
        shop_on(proxy.address(place.name), tmp_path / "depot", writer_queue=2) as (server, shop),
    ):
        stopped = asyncio.Event()

        def stop_at_commit(message):
            if message.is_commit:
                proxy.flowing.clear()
                stopped.set()
            return passing(message)

        assert (await readiness(server)).ready
        proxy.judge = stop_at_commit
        first = asyncio.create_task(shop.create_order(order("first")))
        await stopped.wait()
        proxy.judge = passing
        checks = (await readiness(server)).checks
        assert "no answer within" in checks["storage"]
        proxy.flowing.set()
        await first
        assert (await readiness(server)).ready
        codes = await codes_of(shop, range(40))
        assert set(codes) <= {"placed", "StorageBusy"}
        assert "StorageBusy" in codes
        for number in range(40):
            await shop.create_order(order(number))
    assert place.run("SELECT count(*) FROM orders") == [(41,)]


@pytest.fixture
def small_server(tmp_path):
    """A server whose data stand on a tmpfs that can be filled."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a tmpfs")
    server = PostgresServer(
        durable=False, settings={"max_wal_size": "32MB", "min_wal_size": "32MB", "shared_buffers": "16MB"}
    )
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={TMPFS_BYTES}", "tmpfs", server.folder], check=True)
    try:
        user = server._identity["user"]
        os.chown(server.folder, user, -1)
        server.create()
        server.start()
        yield server
        server.stop()
    finally:
        server.stop()
        subprocess.run(["umount", server.folder], check=True)
        shutil.rmtree(server.folder)


def fill(folder: Path) -> Path:
    """Take all room that is left."""
    ballast = folder / "ballast"
    with ballast.open("wb") as file:
        file.write(b"\0" * shutil.disk_usage(folder).free)
    return ballast


async def test_a_full_disk_is_a_fault_to_retry_and_room_heals_it(small_server, tmp_path):
    place = PostgresPlace(small_server, small_server.new_database())
    async with shop_on(place.location, tmp_path / "depot") as (server, shop):
        first = await shop.create_order(order("first"))
        ballast = await asyncio.to_thread(fill, small_server.folder)
        big = [
            sales.CreateOrderRequest(
                transaction_id=f"big-{n}", order_line=(sales.OrderLine(item_number="A", quantity=1),) * 50
            )
            for n in range(1000)
        ]
        fault = None
        for request in big:
            try:
                await shop.create_order(request)
            except FaultReceived as error:
                fault = error
                break
        assert fault is not None, "the disk was not filled"
        assert (fault.code, fault.retry) == ("StorageUnavailable", True)
        ballast.unlink()
        for _ in range(600):
            if (await readiness(server)).ready:
                break
            await asyncio.sleep(0.05)
        assert (await readiness(server)).ready
        assert await shop.create_order(order("first")) == first
        await shop.create_order(big[0])
        assert [name for name, sql in INVARIANTS.items() if place.run(sql) != [(0,)]] == []
