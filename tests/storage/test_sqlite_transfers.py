"""Transfers that wait together are written as one, and nobody can tell but by the number of statements."""

import asyncio
import itertools
import random
import shutil
import sqlite3
from dataclasses import replace

import pytest
from failing_sqlite import FromTheNth, failing_connections, open_failing, run_batch

from storage.commands import Applied, Moved
from storage.errors import QuantityExceeded, StorageUnavailable
from storage.records import Mark
from storage.sqlite.many_rows import MOST_ROWS, parameter_names, write_rows

E = 1_800_000_000_000
CONTAINERS, LICENCES = 6, 10


@pytest.fixture
async def stock(prepared, make, database, tmp_path, dumping):
    """A database with licences, and their ids."""
    storage = await open_failing(database, sqlite3.Connection)
    order = make.order(number="stock", items=["ITEM-1"] * LICENCES, quantity=2)
    await storage.execute(order)
    await storage.close()
    return database, tmp_path, dumping, [line.license_id for line in order.licenses]


def seen(outcome):
    return type(outcome) if isinstance(outcome, Exception) else outcome


def collection(make, number, license_id, **changes):
    """The first collection of one licence by a container that nobody has met."""
    serial = f"130-9{number}"
    row = make.container(serial, epoch=E, base=(E, 1), end=(E, 1), end_state=b"<full/>", newest_export=1)
    command = make.apply(
        row,
        context=make.context(1, serial=serial),
        license_versions={license_id: 1},
        placements=(make.placement(license_id, wanted=1, occupied=1, serial=serial),),
        steps=(make.step((E, 1), (0, 0), serial=serial, kind="Reset", signed=b"signed"),),
        transfer=make.transfer(b"key", (0, 0), (E, 1), serial=serial),
        audit=make.audit(serial),
        messages=(make.message("K"),),
    )
    return replace(command, **changes)


def some_transfers(make, chance, licenses, count):
    """Transfers of which many stand in the way of each other, or of one that was applied before."""
    commands = []
    for number in range(count):
        own = chance.randrange(CONTAINERS) if chance.random() < 0.3 else 1000 + chance.randrange(10**6)
        chosen = chance.choice(licenses)
        command = collection(make, own, chosen, license_versions={chosen: chance.choice([1, 1, 1, 2, 3])})
        known = chance.random() < 0.3
        if known:
            row = replace(command.container, version=chance.choice([1, 1, 2]), mark=Mark.MARKED)
            command = replace(command, container=row, steps=(), transfer=None)
        if chance.random() < 0.1:
            command = replace(command, placements=(replace(command.placements[0], wanted=3),))
        if chance.random() < 0.1:
            command = replace(command, rejoining=True)
        if chance.random() < 0.1:
            command = replace(command, options={chosen: f'{{"text":"{number}"}}'})
        if chance.random() < 0.1:
            command = replace(command, license_versions={}, placements=())
        commands.append(command)
    return commands


@pytest.mark.parametrize("seed", range(12))
async def test_a_batch_of_any_transfers_ends_as_if_each_had_come_alone(stock, make, seed):
    database, tmp_path, dumping, licenses = stock
    chance = random.Random(seed)
    batches = [some_transfers(make, chance, licenses, chance.randint(2, 12)) for _ in range(6)]
    batches.insert(0, [collection(make, number, license_id) for number, license_id in enumerate(licenses[:CONTAINERS])])
    found = {}
    for limit in (1, 100):
        path = tmp_path / f"{limit}.db"
        shutil.copy(database, path)
        storage = await open_failing(path, sqlite3.Connection, batch_limit=limit)
        outcomes = [
            [
                type(outcome) if isinstance(outcome, Exception) else outcome
                for outcome in await run_batch(storage, batch)
            ]
            for batch in batches
        ]
        await storage.close()
        found[limit] = (outcomes, dumping(path))
    outcomes, contents = found[1]
    assert found[100][0] == outcomes
    numbers = {"outbox", "outbox_keys"}
    assert {table: rows for table, rows in found[100][1].items() if table not in numbers} == {
        table: rows for table, rows in contents.items() if table not in numbers
    }
    kinds = {outcome if isinstance(outcome, type) else type(outcome) for batch in outcomes for outcome in batch}
    assert {Applied, Moved} <= kinds


@pytest.mark.parametrize("stands_in_the_way", ["container", "licence", "quantity"])
async def test_one_that_moved_leaves_its_neighbours_alone(stock, make, stands_in_the_way):
    database, _, _, licenses = stock
    storage = await open_failing(database, sqlite3.Connection)
    batch = [collection(make, number, license_id) for number, license_id in enumerate(licenses)]
    if stands_in_the_way == "container":
        await storage.execute(make.apply(batch[3].container))
    elif stands_in_the_way == "licence":
        batch[3] = replace(batch[3], license_versions={licenses[3]: 7})
    else:
        (placement,) = batch[3].placements
        batch[3] = replace(batch[3], placements=(replace(placement, wanted=3),))
    expected = [Applied()] * len(batch)
    expected[3] = QuantityExceeded if stands_in_the_way == "quantity" else Moved()
    outcomes = await run_batch(storage, batch)
    await storage.close()
    assert list(map(seen, outcomes)) == expected


async def test_the_second_of_two_that_want_one_licence_or_one_container_is_moved(stock, make):
    database, _, _, licenses = stock
    storage = await open_failing(database, sqlite3.Connection)
    first, other = collection(make, 1, licenses[0]), collection(make, 2, licenses[1])
    batch = [first, other, collection(make, 3, licenses[0]), collection(make, 2, licenses[3])]
    outcomes = await run_batch(storage, batch)
    await storage.close()
    assert outcomes == [Applied(), Applied(), Moved(), Moved()]


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from-then-on"])
@pytest.mark.parametrize("after", [False, True], ids=["instead", "afterwards"])
async def test_a_failure_of_any_statement_of_a_batch_of_transfers_loses_and_doubles_nothing(
    stock, make, after, lasting
):
    database, tmp_path, dumping, licenses = stock
    batch = [collection(make, number, license_id) for number, license_id in enumerate(licenses[:3])]
    expected = []
    for commands in ([], batch):
        path = tmp_path / f"expected-{len(commands)}.db"
        shutil.copy(database, path)
        storage = await open_failing(path, sqlite3.Connection)
        assert await run_batch(storage, commands) == [Applied()] * len(commands)
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
        if outcomes == [Applied()] * 3:
            assert found == whole, due.struck
        else:
            assert [type(outcome) for outcome in outcomes] == [StorageUnavailable] * 3, due.struck
            # After a COMMIT the outcome is unknown to whoever was answered.
            assert found == nothing or (due.struck[0] == "COMMIT" and found == whole), due.struck
            await asyncio.gather(*map(storage.execute, batch))
        await storage.close()
        if not due.struck:
            break
    assert number > 10


async def test_ten_transfers_that_wait_together_are_a_few_statements(stock, make):
    database, _, _, licenses = stock
    connections = failing_connections()
    storage = await open_failing(database, connections)
    await storage.ready()
    statements = []
    connections.due = staticmethod(lambda sql: statements.append(sql) or False)
    batch = [replace(collection(make, n, name), messages=()) for n, name in enumerate(licenses)]
    assert await run_batch(storage, batch) == [Applied()] * LICENCES
    await storage.close()
    assert sum(sql.startswith("SAVEPOINT") for sql in statements) == 1, "that of the first command alone"
    # Ten rows are eight and two, in each of six tables and in the statement that raises versions.
    assert sum(sql.startswith(("INSERT", "UPDATE licenses")) for sql in statements) == 2 * 7


@pytest.mark.parametrize("count", [1, 2, 3, MOST_ROWS, MOST_ROWS + 5])
@pytest.mark.parametrize("name", ["raise_license_version", "put_placement"])
async def test_what_is_written_for_many_rows_finds_each_by_an_index(stock, name, count):
    database, *_ = stock
    plans = []
    connection = sqlite3.connect(database)

    class Explaining:
        def execute(self, sql, values):
            plans.extend(connection.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall())
            return connection.execute(sql, values)

    try:
        assert write_rows(Explaining(), name, ["x"] * (len(parameter_names(name)) * count)) == 0
    finally:
        connection.close()
    scanned = {row[3].split()[1] for row in plans if row[3].startswith("SCAN ")}
    assert not scanned & {"licenses", "l", "here", "o", "placements"}, plans


def test_only_a_statement_with_one_row_of_all_its_parameters_is_made_into_one_for_many():
    for name in ("change_container", "raise_data_version"):
        with pytest.raises(ValueError, match=name):
            parameter_names(name)
