"""Commits that take long: reads go on, what waits is committed together, and beyond the queue callers are told so."""

import asyncio
import io
import sqlite3
import threading
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from checking import Refused
from worlds import OverTheWire, World, make_world, order, violations_at_rest

from opendepot import FaultReceived
from server.cli.initialise import CONFIG
from server.listener import serving
from server.settings import load_settings
from storage.sqlite.connection import Opener
from storage.sqlite.engine import SqliteStorage

pytestmark = pytest.mark.slow

QUEUE = 4


class Disk:
    """Connections whose COMMIT waits while the gate is closed."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.commits = 0
        disk = self

        class Slow(sqlite3.Connection):
            def execute(self, sql: str, *args: object) -> sqlite3.Cursor:
                if sql == "COMMIT":
                    disk.commits += 1
                    disk.open.wait()
                return super().execute(sql, *args)

        self.connections = Slow

    async def storage(self, location: Path, *, queue_limit: int, **_: Any) -> SqliteStorage:
        opener = Opener(path=Path(location), busy_seconds=5, factory=self.connections)
        return await SqliteStorage.open(opener=opener, queue_limit=queue_limit, batch_limit=128, reader_count=2)


async def attempt(world: World, asking: OverTheWire, name: str) -> str:
    """Order once; how that ended."""
    world.ledger.asks(name)
    try:
        world.ledger.acknowledged(name, await asking.order(name))
    except Refused as refused:
        return refused.code
    return "ok"


async def test_a_commit_that_hangs_holds_up_no_read_and_a_full_queue_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, disk = await make_world(tmp_path / "depot"), Disk()
    monkeypatch.setattr("server.core.open_storage", disk.storage)
    settings = load_settings(world.folder / CONFIG, port=world.port, admin_port=0, writer_queue=QUEUE)
    async with (
        serving(settings, log=io.StringIO()) as up,
        world.shop() as shop,
        world.licensee() as licensee,
        aiohttp.ClientSession() as session,
    ):
        asking = OverTheWire(shop, licensee)
        assert await attempt(world, asking, "before") == "ok"
        ticket = str(world.ledger.orders["before"]["ticket"])
        disk.open.clear()
        commits = disk.commits
        try:
            tasks = [asyncio.create_task(attempt(world, asking, f"T-{number}")) for number in range(12)]
            refused, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            assert {task.result() for task in refused} == {"StorageBusy"}
            with pytest.raises(FaultReceived) as caught:
                await shop.create_order(order("T-99"))
            assert (caught.value.code, caught.value.retry) == ("StorageBusy", True)
            assert (await licensee.get_ticket(ticket)).license, "reads go on"
            async with session.get(f"{up.admin_url}/readyz") as answer:
                assert answer.status == 503
        finally:
            disk.open.set()
        outcomes = await asyncio.gather(*tasks)
        assert sorted(set(outcomes)) == ["StorageBusy", "ok"]
        # One was at work, the others waited; a readiness check or two may be among them.
        assert outcomes.count("ok") <= QUEUE + 1
        assert disk.commits - commits <= 3, "what waited was committed together"
        for number, outcome in enumerate(outcomes):
            if outcome != "ok":
                assert await attempt(world, asking, f"T-{number}") == "ok"
        async with session.get(f"{up.admin_url}/readyz") as answer:
            assert answer.status == 200
    assert await violations_at_rest(world) == []
