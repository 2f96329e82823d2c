"""Kill -9 of PostgreSQL and of its sessions, at random and at named points, loses and doubles nothing."""

import asyncio
import itertools
import random
from collections import Counter

import pytest
from breaking_postgres import KINDS, break_postgres
from order_ledger import OrderLedger, looked_up
from places import PostgresPlace
from postgres_proxy import Act, passing, proxied
from postgres_server import run_apart, started_server

from storage import open_storage
from storage.commands import Placed
from storage.errors import StorageError

CALLERS = 8
POINTS = {
    "before BEGIN": ("BEGIN", Act.PASS),
    "before the statement of the batch": ("INTO orders", Act.PASS),
    "before COMMIT": ("COMMIT", Act.PASS),
    "between COMMIT and its answer": ("COMMIT", Act.CUT_AFTER),
}


@pytest.fixture(scope="module")
def breakable():
    """A server that only the tests of this file use."""
    server = started_server(durable=False)
    yield server
    server.remove()


@pytest.fixture
def broken_place(breakable):
    return PostgresPlace(breakable, breakable.new_database())


async def stock(storage, make):
    await storage.execute(make.initialise())
    await storage.execute(make.shop("acme"))
    await storage.execute(make.item("ITEM-1"))


async def killed(place, make, path, *, kills, seed):
    print(f"kills {kills}, seed {seed}")
    chance = random.Random(seed)
    ledger = OrderLedger(path=path)
    storage = await open_storage(place.location, batch_limit=4)
    await stock(storage, make)
    over = asyncio.Event()
    numbers = itertools.count()

    async def ordering():
        while not over.is_set():
            # Every second order has a twin that comes at the same time.
            await ledger.place(storage, make.order(transaction=f"T-{next(numbers) // 2}", quantity=2))

    load = [asyncio.create_task(ordering()) for _ in range(CALLERS)]
    done = Counter()
    kinds = [KINDS[number % len(KINDS)] for number in range(kills)]
    chance.shuffle(kinds)
    try:
        for kind in kinds:
            await asyncio.sleep(chance.uniform(0.01, 0.2))
            done[kind] += 1
            await break_postgres(place.server, place.name, kind)
            before = len(ledger.acknowledged)
            while len(ledger.acknowledged) == before and not any(task.done() for task in load):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
    finally:
        over.set()
        await asyncio.gather(*load)
    await storage.close()
    found = ledger.violations(place.run)
    print(
        f"{dict(done)}; {len(ledger.acknowledged)} orders, {ledger.refused} refusals, {ledger.unknown} unknown: {found}"
    )
    return ledger, found


async def test_a_few_kills_of_postgresql_lose_nothing_and_heal_by_themselves(broken_place, make, tmp_path):
    ledger, found = await killed(broken_place, make, tmp_path / "ledger", kills=6, seed=1)
    assert found == []
    assert ledger.refused > 0


@pytest.mark.long
@pytest.mark.timeout(7200)
async def test_many_kills_of_postgresql_lose_nothing(broken_place, make, tmp_path, pytestconfig):
    kills, seed = pytestconfig.getoption("--kills"), pytestconfig.getoption("--seed")
    _, found = await killed(broken_place, make, tmp_path / "ledger", kills=kills, seed=seed)
    assert found == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_kill_at_each_named_point_leaves_all_or_nothing(broken_place, make, tmp_path, kind):
    place = broken_place
    async with proxied(place.server.folder) as proxy:
        storage = await open_storage(proxy.address(place.name))
        await stock(storage, make)
        ledger = OrderLedger(path=tmp_path / "ledger")
        for number, (point, (start, act)) in enumerate(POINTS.items()):
            armed = [True]

            async def judge(message, start=start, act=act, armed=armed):
                if not armed or start not in message.sql:
                    return Act.PASS
                armed.clear()
                if act is Act.PASS:
                    await break_postgres(place.server, place.name, kind)
                return act

            proxy.judge = judge
            order = make.order(transaction=f"T-{number}")
            try:
                outcome = await storage.execute(order)
            except StorageError as error:
                outcome = error
            assert not armed, f"{point} was not reached"
            assert outcome == Placed() or outcome.retry, point
            proxy.judge = passing
            if act is Act.CUT_AFTER:
                await break_postgres(place.server, place.name, kind)
            view = await looked_up(storage, f"T-{number}")
            # A kill is seen before BEGIN by a storage that has done nothing yet, and then it tries again by itself.
            assert (view is not None) is (outcome == Placed() or act is Act.CUT_AFTER), point
            await ledger.place(storage, order)
        await storage.close()
    assert ledger.violations(place.run) == []


def test_a_kill_is_a_kill(breakable):
    run_apart(break_postgres, breakable, "postgres", "postmaster")
    assert breakable.run("SELECT 1", database="postgres") == [(1,)]
    assert "was not properly shut down" in (breakable.folder / "log").read_text()
