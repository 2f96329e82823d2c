"""Kill -9 of the server and of its PostgreSQL, at random under load: nothing acknowledged is lost, nothing doubled."""

import asyncio
import itertools
import random
from collections import Counter

import pytest
from breaking_postgres import KINDS, break_postgres
from checking import Refused
from killing import LOST, collecting, ended, shopping, started, violations
from postgres_server import started_server
from worlds import make_world

pytestmark = pytest.mark.slow

TARGETS = ("server", *KINDS)
CHECK_EACH = 20
PAUSE_SECONDS = 0.01


async def keep_on(load) -> None:
    """Run a load again whenever it loses its server or is told to come back; any other fault is a defect."""
    for attempt in itertools.count():
        try:
            await load(attempt)
        except Refused as refused:
            if not refused.retry:
                raise
        except LOST:
            pass
        await asyncio.sleep(PAUSE_SECONDS)


async def run_through_kills(world, postgres, database, *, name, targets, chance) -> None:
    """Kill one target after the other; go on each time only when orders are taken again."""
    process = await started(world)
    load = [
        asyncio.create_task(keep_on(lambda attempt, n=n: shopping(world, f"{name}-{n}-{attempt}"))) for n in range(2)
    ] + [
        asyncio.create_task(keep_on(lambda _, container=container: collecting(world, container, chance)))
        for container in world.containers
    ]
    try:
        for target in targets:
            await orders_taken(world, load)
            await asyncio.sleep(chance.uniform(0.0, 0.3))
            if target == "server":
                await ended(process)
                process = await started(world)
            else:
                await break_postgres(postgres, database, target)
        await orders_taken(world, load)
    finally:
        for task in load:
            task.cancel()
        outcomes = await asyncio.gather(*load, return_exceptions=True)
        await ended(process)
    unexpected = [outcome for outcome in outcomes if not isinstance(outcome, asyncio.CancelledError)]
    assert not unexpected, f"{name}: {unexpected}"


async def orders_taken(world, load) -> None:
    """Return once another order was acknowledged, or a load found a defect."""
    before = len(world.ledger.orders)
    while len(world.ledger.orders) == before and not any(task.done() for task in load):  # noqa: ASYNC110
        await asyncio.sleep(PAUSE_SECONDS)


async def killed(folder, *, kills, seed):
    print(f"kills {kills}, seed {seed}")
    chance = random.Random(seed)
    targets = [TARGETS[number % len(TARGETS)] for number in range(kills)]
    chance.shuffle(targets)
    postgres = started_server(durable=True)
    try:
        database = postgres.new_database()
        world = await make_world(folder, database=postgres.address(database))
        world.ask = lambda sql: postgres.run(sql, database=database)
        for start in range(0, kills, CHECK_EACH):
            part = targets[start : start + CHECK_EACH]
            await run_through_kills(world, postgres, database, name=f"k{start}", targets=part, chance=chance)
            found = await violations(world)
            print(f"  {start + len(part)} kills, {len(world.ledger.orders)} orders, {len(world.ledger.files)} files")
            assert found == [], f"after {start + len(part)} kills, seed {seed}"
            world.renew_full_containers()
    finally:
        postgres.remove()
    print(f"{dict(Counter(targets))}: nothing lost, nothing doubled")
    return world.ledger


async def test_a_few_kills_of_server_and_database_lose_nothing_and_double_nothing(tmp_path):
    ledger = await killed(tmp_path / "depot", kills=4, seed=1)
    assert ledger.orders
    assert ledger.files


@pytest.mark.long
@pytest.mark.timeout(7200)
async def test_many_kills_of_server_and_database_lose_nothing_and_double_nothing(tmp_path, pytestconfig):
    await killed(tmp_path / "depot", kills=pytestconfig.getoption("--kills"), seed=pytestconfig.getoption("--seed"))
