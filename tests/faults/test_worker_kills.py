"""Kill -9 of one worker of several under load: the others go on, another takes its place, and nothing is lost."""

import asyncio
import os
import random
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from checking import Refused
from killing import LOST, collect_once, ended, recent, started, violations
from worlds import OverTheWire, World, make_world

pytestmark = pytest.mark.slow

KILLS = 2


def workers_of(pid: int) -> list[int]:
    """The processes that a supervisor, which this test started, has started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            if parent == pid:
                found.append(int(status.parent.name))
    return found


async def insisting(world: World, name: str, stop: asyncio.Event) -> None:
    """Order one after the other, each again until it is answered."""
    for number in range(10_000):
        transaction_id = f"{name}-{number}"
        world.ledger.asks(transaction_id)
        while transaction_id not in world.ledger.orders:
            if stop.is_set():
                return
            try:
                async with world.shop() as shop, world.licensee() as licensee:
                    receipt = await OverTheWire(shop, licensee).order(transaction_id)
                    world.ledger.acknowledged(transaction_id, receipt)
            except LOST:
                await asyncio.sleep(0.01)
            except Refused as refused:
                assert refused.code in {"StorageBusy", "StorageClosed"}, refused  # noqa: PT017 - anything else ends the load


async def collecting(world: World, number: int, rng: random.Random, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await asyncio.sleep(0.001)
        if world.ledger.orders:
            try:
                async with world.shop() as shop, world.licensee() as licensee:
                    ticket = recent(world.ledger.orders, rng)
                    await collect_once(world, OverTheWire(shop, licensee), world.containers[number], ticket)
            except LOST:
                await asyncio.sleep(0.01)


async def more_orders(world: World) -> None:
    """Wait until some more orders were acknowledged: somebody serves."""
    before = len(world.ledger.orders)
    for _ in range(1000):
        if len(world.ledger.orders) > before + 5:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("nobody serves")


async def test_a_worker_that_is_killed_takes_nothing_with_it(tmp_path: Path) -> None:
    world, rng, stop = await make_world(tmp_path / "depot"), random.Random(5), asyncio.Event()
    process = await started(world, workers=2)
    try:
        load = [asyncio.create_task(insisting(world, f"w{number}", stop)) for number in range(4)]
        load += [asyncio.create_task(collecting(world, number, rng, stop)) for number in range(len(world.containers))]
        await more_orders(world)
        killed: set[int] = set()
        while len(killed) < KILLS:
            assert process.returncode is None
            await asyncio.sleep(rng.uniform(0.1, 0.3))
            alive = [pid for pid in workers_of(process.pid) if pid not in killed]
            if alive:
                killed.add(victim := rng.choice(alive))
                os.kill(victim, signal.SIGKILL)
        await more_orders(world)
        stop.set()
        await asyncio.gather(*load)
        assert process.returncode is None
    finally:
        await ended(process)
    assert await violations(world) == []
