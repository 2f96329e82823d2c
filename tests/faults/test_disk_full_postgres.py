"""A disk that is full under PostgreSQL: orders are told to come back, readiness is red, and it heals by itself.

The database stands in a tablespace on a file system of its own, so that PostgreSQL's log has room: where that is full,
PostgreSQL stops, which is a lost connection to us.
"""

import io
import os
from pathlib import Path

import pytest
from killing import collect_once
from postgres_server import started_server
from test_disk_full import fill, mounted, ordered_until_refused, readiness
from worlds import OverTheWire, make_world, order

from opendepot import FaultReceived
from server.cli.initialise import CONFIG
from server.listener import serving
from server.settings import load_settings
from soap.messages import sales

pytestmark = pytest.mark.slow

SIZE = "24m"


async def test_a_full_disk_under_postgresql_refuses_orders_and_heals_by_itself(tmp_path: Path) -> None:
    postgres = started_server(durable=True)
    try:
        with mounted(postgres.folder / "small", size=SIZE) as small:
            owner = postgres.folder.stat()
            place = small / "space"
            place.mkdir()
            os.chown(place, owner.st_uid, owner.st_gid)
            postgres.run(f"CREATE TABLESPACE small LOCATION '{place}'", database="postgres")
            postgres.run("CREATE DATABASE depot TABLESPACE small STRATEGY FILE_COPY", database="postgres")
            await _refused_and_healed(tmp_path / "depot", postgres.address("depot"), small)
            postgres.stop()
    finally:
        postgres.remove()


async def _refused_and_healed(folder: Path, database: str, small: Path) -> None:
    world = await make_world(folder, database=database)
    log = io.StringIO()
    settings = load_settings(world.folder / CONFIG, port=world.port, admin_port=0)
    async with serving(settings, log=log) as up, world.shop() as shop, world.licensee() as licensee:
        asking = OverTheWire(shop, licensee)
        world.ledger.asks("before")
        world.ledger.acknowledged("before", await asking.order("before"))
        await collect_once(world, asking, world.containers[0], str(world.ledger.orders["before"]["ticket"]))
        for turn in range(2):
            assert (await readiness(up.admin_url))[0] == 200
            filler = fill(small)
            refused = await ordered_until_refused(world, asking, f"full-{turn}")
            with pytest.raises(FaultReceived) as caught:
                await shop.create_order(order(refused))
            assert (caught.value.code, caught.value.retry) == ("StorageUnavailable", True)
            assert "disk of the database is full" in str(caught.value)
            status, checks = await readiness(up.admin_url)
            assert status == 503
            assert "disk of the database is full" in checks["storage"]
            known = await shop.get_order(sales.GetOrderRequest(transaction_id="before"))
            assert known.ticket == world.ledger.orders["before"]["ticket"]
            filler.unlink()
            assert (await readiness(up.admin_url))[0] == 200
            world.ledger.acknowledged(refused, await asking.order(refused))
        for name, receipt in world.ledger.orders.items():
            assert await asking.order(name) == receipt
    assert "Traceback" not in log.getvalue()
