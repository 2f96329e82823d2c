"""Orders that wait together are written as one, and nobody can tell but by the number of statements."""

import asyncio
import itertools
import random
import shutil
import sqlite3
from dataclasses import replace

import pytest
from failing_sqlite import FromTheNth, failing_connections, open_failing, run_batch

from storage.commands import AlreadyAnswered, OrderNumberTaken, Placed
from storage.errors import StorageUnavailable


@pytest.fixture
def places(database, tmp_path, dumping):
    return database, tmp_path, dumping


def some_orders(make, chance, count):
    """Orders of which many stand in the way of each other, or of one that was placed before, and some are impossible.

    The ticket of an order that is there already takes some of the lines.
    """
    commands = []
    for _ in range(count):
        twin = chance.choice(commands) if commands and chance.random() < 0.15 else None
        if twin is not None:
            commands.append(twin)
            continue
        command = make.order(
            number=chance.choice([None, None, None, make.id("number"), "N-0", "N-1", "N-2"]),
            transaction=f"transaction {chance.randrange(8)}" if chance.random() < 0.2 else None,
            items=["ITEM-1"] * chance.randint(1, 4) if chance.random() < 0.9 else ["ITEM-1", "NO-SUCH-ITEM"],
            quantity=chance.randint(1, 3) if chance.random() < 0.95 else 2**70,
        )
        told = [make.message(chance.choice("KLM")) for _ in range(chance.choice([0, 0, 1, 2]))]
        commands.append(replace(command, messages=tuple(told)))
    return commands


def seen(outcome):
    return type(outcome) if isinstance(outcome, Exception) else outcome


@pytest.mark.parametrize("seed", range(12))
async def test_a_batch_of_any_orders_ends_as_if_each_had_come_alone(prepared, make, places, seed):
    database, tmp_path, dumping = places
    chance = random.Random(seed)
    batches = []
    for _ in range(6):
        batch = some_orders(make, chance, chance.randint(2, 12))
        if chance.random() < 0.3:
            batch.insert(chance.randrange(len(batch)), make.item(make.id("ITEM")))
        # Most batches of a shop have nothing in them that fails.
        batches.append(batch if chance.random() < 0.6 else [make.order(number=make.id("number")) for _ in batch])
    found = {}
    for limit in (1, 100):
        path = tmp_path / f"{limit}.db"
        shutil.copy(database, path)
        storage = await open_failing(path, sqlite3.Connection, batch_limit=limit)
        outcomes = [list(map(seen, await run_batch(storage, batch))) for batch in batches]
        await storage.close()
        found[limit] = (outcomes, dumping(path))
    assert found[100] == found[1]
    kinds = {type(outcome) for batch in found[1][0] for outcome in batch}
    assert Placed in kinds
    assert {AlreadyAnswered, OrderNumberTaken} & kinds


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from-then-on"])
@pytest.mark.parametrize("after", [False, True], ids=["instead", "afterwards"])
async def test_a_failure_of_any_statement_of_a_batch_of_orders_loses_and_doubles_nothing(
    prepared, make, places, after, lasting
):
    database, tmp_path, dumping = places
    batch = [replace(make.order(number=make.id("number")), messages=(make.message("K"),)) for _ in range(3)]
    expected = []
    for commands in ([], batch):
        path = tmp_path / f"expected-{len(commands)}.db"
        shutil.copy(database, path)
        storage = await open_failing(path, sqlite3.Connection)
        assert await run_batch(storage, commands) == [Placed()] * len(commands)
        await storage.close()
        expected.append(dumping(path))
    nothing, whole = expected
    for number in itertools.count(1):
        path = tmp_path / f"{number}.db"
        shutil.copy(database, path)
        connections, due = failing_connections(), FromTheNth(number, lasting=lasting)
        storage = await open_failing(path, connections)
        connections.after, connections.due = after, staticmethod(due)
        outcomes = await run_batch(storage, batch)
        connections.due = staticmethod(lambda _: False)
        found = dumping(path)
        if outcomes == [Placed()] * 3:
            assert found == whole, due.struck
        else:
            assert [type(outcome) for outcome in outcomes] == [StorageUnavailable] * 3, due.struck
            # After a COMMIT the outcome is unknown to whoever was answered.
            assert found == nothing or (due.struck[0] == "COMMIT" and found == whole), due.struck
            await asyncio.gather(*map(storage.execute, batch))
        await storage.close()
        if not due.struck:
            break
    assert number > 6


async def test_forty_orders_that_wait_together_are_a_handful_of_statements(prepared, make, database):
    connections = failing_connections()
    storage = await open_failing(database, connections)
    await storage.ready()
    statements = []
    connections.due = staticmethod(lambda sql: statements.append(sql) or False)
    batch = [make.order(number=make.id("number"), items=("ITEM-1",) * 3) for _ in range(40)]
    assert await run_batch(storage, batch) == [Placed()] * 40
    await storage.close()
    inserting = [sql for sql in statements if sql.startswith("INSERT")]
    # 40 rows of each table are 32 and 8; 120 licences are 64, 32, 16 and 8.
    assert len(inserting) == 2 * 4 + 4
    assert sum(sql.startswith("SAVEPOINT") for sql in statements) == 1, "that of the first command alone"
