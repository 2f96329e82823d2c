"""A statement that fails, whichever it is, leaves the data as they were or wholly changed, and the storage in use."""

import asyncio
import itertools
import random

import asyncpg
import pytest
from failing_postgres import SECRET, failing_connections, open_failing, sql_error
from places import PostgresPlace, dump_of

from storage.commands import (
    AlreadyAnswered,
    Applied,
    FindOrder,
    FindTickets,
    LoadServer,
    OrderNumberTaken,
    Placed,
)
from storage.errors import ConstraintRefused, StorageBusy, StorageError, StorageUnavailable
from storage.postgres.transactions import Retries

KINDS = ["initialise", "item", "shop", "order", "transfer", "signed", "seal", "told", "erase"]
WAYS = {
    "instead": {"error": lambda: sql_error("53100")},
    "afterwards": {"error": lambda: sql_error("53100"), "after": True},
    "lost": {"error": lambda: asyncpg.ConnectionDoesNotExistError(SECRET), "lost": True},
    "lost afterwards": {
        "error": lambda: asyncpg.ConnectionDoesNotExistError(SECRET),
        "after": True,
        "lost": True,
    },
}


def copied(place):
    """Another database with the same rows."""
    return PostgresPlace(place.server, place.server.new_database(place.name))


async def attempt(connections, place, command, way, failing_statement):
    """What a command of which one statement fails is answered, and whether that statement was reached."""
    storage = await open_failing(place.location, connections)
    await storage.query(LoadServer())
    statements = itertools.count(1)
    connections.after, connections.lost = way.get("after", False), way.get("lost", False)
    connections.due = staticmethod(lambda _: way["error"]() if next(statements) == failing_statement else None)
    try:
        result = await storage.execute(command)
    except StorageUnavailable as error:
        result = error
    connections.due = staticmethod(lambda _: None)
    await storage.ready()
    await storage.close()
    return result, next(statements) > failing_statement


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_failure_of_any_statement_leaves_all_or_nothing(prepared, place, kind, way):
    reference = copied(place)
    storage = await open_failing(reference.location, asyncpg.Connection)
    expected = await storage.execute(prepared[kind])
    await storage.ready()
    await storage.close()
    before, whole = dump_of(place), dump_of(reference)
    before["server"] = whole["server"] = []  # counts how often it was made sure that writing works
    attempted = copied(place)
    unknown = 0
    for failing_statement in itertools.count(1):
        result, reached = await attempt(failing_connections(), attempted, prepared[kind], WAYS[way], failing_statement)
        found = {**dump_of(attempted), "server": []}
        if isinstance(result, StorageUnavailable):
            assert SECRET not in str(result)
            # Before COMMIT nothing is written; from COMMIT on the answer says that it is not known.
            unknown += "may have been carried out" in str(result)
            assert found in ((before, whole) if unknown else (before,))
        else:
            assert (result, found) == (expected, whole)
        if found != before:
            attempted = copied(place)
        if not reached:
            break
    assert unknown == 1
    assert failing_statement > 3


@pytest.mark.parametrize("seed", range(6))
async def test_transactions_that_collide_at_random_are_run_again_until_they_are_through(stocked, make, place, seed):
    chance = random.Random(seed)
    connections = failing_connections()
    storage = await open_failing(place.location, connections, retries=Retries(tries=60, random=lambda: 0.0))
    states = itertools.cycle(["40001", "40P01"])
    connections.due = staticmethod(lambda _: sql_error(next(states)) if chance.random() < 0.2 else None)
    orders = [make.order(transaction=f"T-{n % 20}", number=f"N-{n % 15}", quantity=2) for n in range(40)]
    results = await asyncio.gather(*map(storage.execute, orders))
    kinds = [type(result) for result in results]
    assert kinds.count(Placed) == 15
    assert kinds.count(AlreadyAnswered) + kinds.count(OrderNumberTaken) == 25
    placed = [order for order, result in zip(orders, results, strict=True) if result == Placed()]
    lines = [order.licenses[0].license_id for order in placed]
    moves = [
        make.apply(
            make.container(f"130-{n}"),
            placements=(make.placement(line, wanted=2, occupied=2, serial=f"130-{n}"),),
            audit=make.audit(),
        )
        for n, line in enumerate(lines)
    ]
    assert await asyncio.gather(*map(storage.execute, moves)) == [Applied()] * 15
    views = await stocked.query(FindTickets(lookups=tuple(order.ticket.lookup for order in placed)))
    assert await storage.query(LoadServer()) is not None
    assert [use.wanted for view in views for use in view.licenses] == [2] * 15
    assert place.run("SELECT count(*) FROM audit WHERE action = 'Act'") == [(4 + 15 + 15,)]
    await storage.close()


@pytest.mark.parametrize("state", ["40001", "40P01"])
async def test_a_transaction_that_always_collides_is_given_up_as_busy(prepared, database, dump, state):
    connections = failing_connections()
    pauses = []

    def chance():
        pauses.append(1)
        return 0.0

    storage = await open_failing(database, connections, retries=Retries(tries=5, random=chance))
    before = dump()
    for kind in ("order", "transfer"):
        connections.due = staticmethod(lambda sql: sql_error(state) if sql == "COMMIT" else None)
        connections.seen.clear()
        with pytest.raises(StorageBusy, match=state):
            await storage.execute(prepared[kind])
        assert connections.seen.count("COMMIT") == 5
    assert len(pauses) == 8
    assert dump() == before
    await storage.close()


def test_pauses_rise_to_a_limit_and_are_a_random_part_of_it():
    retries = Retries(first_seconds=0.01, most_seconds=0.1, random=lambda: 0.5)
    assert [retries.pause(n) for n in range(6)] == [0.005, 0.01, 0.02, 0.04, 0.05, 0.05]


async def run_as_one_batch(storage, first, commands):
    """The outcomes of orders that wait together while a first one is carried out."""
    result, *outcomes = await asyncio.gather(*map(storage.execute, (first, *commands)), return_exceptions=True)
    assert result == Placed()
    return outcomes


async def test_a_lone_order_goes_at_once_and_what_waits_goes_together(prepared, make, database):
    connections = failing_connections()
    storage = await open_failing(database, connections)
    connections.seen.clear()
    assert await run_as_one_batch(storage, make.order(), [make.order() for _ in range(50)]) == [Placed()] * 50
    assert connections.seen.count("COMMIT") == 2
    assert len(connections.seen) == 6
    await storage.close()


async def test_a_commit_that_fails_fails_every_order_of_the_batch_and_is_not_sent_again(prepared, make, database):
    connections = failing_connections()
    storage = await open_failing(database, connections)
    commits = itertools.count(1)
    connections.due = staticmethod(
        lambda sql: asyncpg.ConnectionDoesNotExistError(SECRET) if sql == "COMMIT" and next(commits) == 2 else None
    )
    connections.lost = True
    orders = [make.order(transaction=f"T-{n % 3}") for n in range(5)]
    outcomes = await run_as_one_batch(storage, make.order(), orders)
    assert [type(outcome) for outcome in outcomes] == [StorageUnavailable] * 5
    assert all("may have been carried out" in str(outcome) for outcome in outcomes)
    assert len(set(map(id, outcomes))) == 5
    assert next(commits) == 3
    for order in orders:
        assert await storage.query(FindOrder(shop_id="shop-acme", order_id=order.order.order_id)) is None
    again = await run_as_one_batch(storage, make.order(), orders)
    assert [type(outcome) for outcome in again] == [Placed] * 3 + [AlreadyAnswered] * 2
    await storage.close()


async def test_a_transaction_that_was_taken_back_at_commit_is_no_success(prepared, make, database, dump):
    class Spoiling(asyncpg.Connection):
        async def execute(self, query, *args, **options):
            if query == "COMMIT":
                await super().execute("ROLLBACK")
                await super().execute("BEGIN")
                with pytest.raises(asyncpg.PostgresError):
                    await super().execute("SELECT 1 / 0")
            return await super().execute(query, *args, **options)

    before = dump()
    storage = await open_failing(database, Spoiling)
    with pytest.raises(StorageError, match="nothing was written"):
        await storage.execute(make.item("ITEM-5"))
    await storage.close()
    assert dump() == before


async def test_a_pooled_connection_that_died_meanwhile_is_replaced(prepared, make, database):
    connections = failing_connections()
    storage = await open_failing(database, connections)
    died = itertools.count(1)
    connections.lost = True
    connections.due = staticmethod(
        lambda sql: asyncpg.ConnectionDoesNotExistError("") if sql.startswith("BEGIN") and next(died) == 1 else None
    )
    assert await storage.execute(make.item("ITEM-5")) is True
    died = itertools.count(1)
    assert await storage.query(FindOrder(shop_id="shop-acme", order_number="N-0")) is not None
    await storage.close()


async def test_a_connection_that_cannot_roll_back_is_replaced(prepared, make, database, dump):
    connections = failing_connections()
    storage = await open_failing(database, connections)
    before = dump()
    connections.due = staticmethod(lambda sql: sql_error("XX000") if sql == "ROLLBACK" or "INTO audit" in sql else None)
    with pytest.raises(StorageError, match="XX000"):
        await storage.execute(make.item("ITEM-5"))
    connections.due = staticmethod(lambda _: None)
    assert dump() == before
    assert await storage.execute(make.item("ITEM-5")) is True
    await storage.close()


async def test_what_is_raised_carries_no_values_not_even_as_its_cause(stocked, make):
    order = make.order()
    await stocked.execute(order)
    for twin in (make.order(items=("NONE",)), make.order(items=("ITEM-1\0",)), make.order(number="\ud800")):
        with pytest.raises(ConstraintRefused) as caught:
            await stocked.execute(twin)
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)
        assert "NONE" not in str(caught.value)
        assert twin.order.order_id not in str(caught.value)
    with pytest.raises(ConstraintRefused) as caught:
        await stocked.query(FindOrder(shop_id="shop-acme", order_number="N\0"))
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
