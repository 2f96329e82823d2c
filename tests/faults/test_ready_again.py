"""After kill -9 under load a large database is ready again soon: the log read then is small, however large the file."""

import asyncio
import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from filling import fill
from killing import LOST, ended, run_and_kill, shopping, started
from worlds import FIRM_CODE, OverTheWire, World, make_world

MOST_SECONDS = 2.0
ROUNDS = 5


async def filled_world(folder: Path, orders: int) -> World:
    world = await make_world(folder)
    with closing(sqlite3.connect(world.database)) as db:
        shop_id = db.execute("SELECT shop_id FROM shops").fetchone()[0]
    await asyncio.to_thread(fill, world.database, shop_id=shop_id, item_number="A", firm_code=FIRM_CODE, orders=orders)
    return world


async def seconds_until_an_answer(world: World) -> float:
    """From the start of the process until an order that was acknowledged before the kill is answered again."""
    name, receipt = next(reversed(world.ledger.orders.items()))
    began = time.monotonic()
    process = await started(world)
    try:
        async with world.shop() as shop, world.licensee() as licensee:
            assert await OverTheWire(shop, licensee).order(name) == receipt
            return time.monotonic() - began
    finally:
        await ended(process)


async def killed_and_back(world: World, *, rounds: int, seed: int) -> list[float]:
    rng = random.Random(seed)
    taken = []
    for number in range(rounds):
        await run_and_kill(world, name=f"r{number}", rng=rng, collect=False)
        if world.ledger.orders:
            taken.append(await seconds_until_an_answer(world))
    return taken


def count_of_orders(world: World) -> int:
    with closing(sqlite3.connect(world.database)) as db:
        return int(db.execute("SELECT count(*) FROM orders").fetchone()[0])


async def test_a_filled_database_is_served_again_after_a_kill(tmp_path: Path) -> None:
    world = await filled_world(tmp_path / "depot", 2000)
    process = await started(world)
    load = asyncio.create_task(shopping(world, "first"))
    while not world.ledger.orders and not load.done():  # noqa: ASYNC110 - the ledger is no event
        await asyncio.sleep(0.01)
    await ended(process)
    with pytest.raises(LOST):
        await load
    await seconds_until_an_answer(world)
    assert 2000 + len(world.ledger.orders) <= count_of_orders(world) <= 2000 + len(world.ledger.asked)


@pytest.mark.long
@pytest.mark.timeout(0)
async def test_a_million_orders_are_ready_again_within_two_seconds(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    orders, seed = pytestconfig.getoption("--filled"), pytestconfig.getoption("--seed")
    world = await filled_world(tmp_path / "depot", orders)
    size = world.database.stat().st_size / 2**20
    taken = await killed_and_back(world, rounds=ROUNDS, seed=seed)
    print(
        f"{orders} orders, {size:.0f} MiB, seed {seed}: ready after kill -9 within "
        f"{', '.join(f'{seconds:.2f}' for seconds in taken)} s"
    )
    assert count_of_orders(world) <= orders + len(world.ledger.asked)
    assert max(taken) <= MOST_SECONDS
