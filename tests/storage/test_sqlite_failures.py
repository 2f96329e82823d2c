"""A statement that fails, whichever it is, leaves the data as they were or wholly changed, and the storage in use."""

import asyncio
import itertools
import shutil
import sqlite3

import pytest
from failing_sqlite import failing_connections, open_failing, run_batch

from storage.commands import FindOrder, LoadServer, Placed
from storage.errors import StorageBusy, StorageError, StorageUnavailable
from storage.sqlite.connection import Opener
from storage.sqlite.engine import SqliteStorage

KINDS = ["initialise", "item", "shop", "order", "transfer", "signed", "seal", "told", "erase"]


@pytest.fixture
def places(database, tmp_path, dumping):
    return database, tmp_path, dumping


@pytest.mark.parametrize("after", [False, True], ids=["instead", "afterwards"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_failure_of_any_statement_leaves_all_or_nothing(prepared, make, places, kind, after):
    database, tmp_path, dumping = places
    before = dumping(database)
    reference = tmp_path / "reference.db"
    shutil.copy(database, reference)
    storage = await open_failing(reference, sqlite3.Connection)
    await storage.execute(prepared[kind])
    await storage.close()
    whole = dumping(reference)
    assert whole != before
    for failing_statement in itertools.count(1):
        path = tmp_path / f"{failing_statement}.db"
        shutil.copy(database, path)
        connections = failing_connections()
        storage = await open_failing(path, connections)
        statements = itertools.count(1)
        connections.after = after
        connections.due = staticmethod(lambda _, s=statements, n=failing_statement: next(s) == n)
        failed = False
        try:
            await storage.execute(prepared[kind])
        except StorageUnavailable:
            failed = True
        connections.due = staticmethod(lambda _: False)
        assert dumping(path) in ((before, whole) if failed else (whole,))
        await storage.execute(make.item("ITEM-AFTERWARDS"))
        await storage.close()
        if not failed:
            break
    assert failing_statement > 5


def second_commit():
    commits = itertools.count(1)
    return staticmethod(lambda sql: sql == "COMMIT" and next(commits) == 2)


async def test_a_commit_that_fails_fails_every_command_of_the_batch_and_writes_none(prepared, make, database, dumping):
    connections = failing_connections(sqlite3.SQLITE_FULL)
    storage = await open_failing(database, connections)
    connections.due = second_commit()
    commands = [make.order() for _ in range(5)]
    outcomes = await run_batch(storage, commands)
    assert [type(outcome) for outcome in outcomes] == [StorageUnavailable] * 5
    assert len(set(map(id, outcomes))) == 5
    for command in commands:
        assert await storage.query(FindOrder(shop_id="shop-acme", order_id=command.order.order_id)) is None
    assert await run_batch(storage, commands) == [Placed()] * 5
    await storage.close()


async def test_a_statement_that_ends_the_transaction_fails_the_whole_batch(prepared, make, database):
    class Ending(sqlite3.Connection):
        armed = False

        def executemany(self, sql, *args):
            if type(self).armed:
                type(self).armed = False
                super().execute("ROLLBACK")
                raise sqlite3.OperationalError("the whole transaction is gone")
            return super().executemany(sql, *args)

    storage = await open_failing(database, Ending)
    commands = [make.item("ITEM-5"), make.order(), make.item("ITEM-6")]
    Ending.armed = True
    outcomes = await run_batch(storage, commands)
    assert [type(outcome) for outcome in outcomes] == [StorageError] * 3
    assert await run_batch(storage, commands) == [True, Placed(), True]
    await storage.close()


async def test_a_connection_that_cannot_roll_back_is_replaced(prepared, make, database):
    connections = failing_connections()
    storage = await open_failing(database, connections)
    connections.due = staticmethod(lambda sql: sql in ("COMMIT", "ROLLBACK"))
    with pytest.raises(StorageUnavailable):
        await storage.execute(make.item("ITEM-5"))
    connections.due = staticmethod(lambda sql: sql.startswith("PRAGMA"))
    with pytest.raises(StorageUnavailable):
        await storage.execute(make.item("ITEM-5"))
    connections.due = staticmethod(lambda _: False)
    assert await storage.execute(make.item("ITEM-5")) is True
    await storage.close()


async def test_a_query_that_fails_is_answered_with_a_typed_error_and_the_next_one_works(prepared, make, database):
    connections = failing_connections()
    storage = await open_failing(database, connections)
    for failing in ("BEGIN", "SELECT"):
        connections.due = staticmethod(lambda sql, start=failing: sql.startswith(start))
        with pytest.raises(StorageUnavailable):
            await storage.query(LoadServer())
        connections.due = staticmethod(lambda _: False)
        assert await storage.query(LoadServer()) is None
    await storage.close()


async def test_a_reading_connection_that_cannot_roll_back_is_replaced(prepared, make, database):
    connections = failing_connections()
    storage = await open_failing(database, connections)
    connections.due = staticmethod(lambda sql: sql == "ROLLBACK")
    assert await storage.query(LoadServer()) is None
    await storage.execute(make.initialise())
    assert (await storage.query(LoadServer())).current_epoch == make.epoch
    await storage.close()


async def test_a_full_queue_is_busy_and_takes_more_once_it_has_moved(prepared, make, database):
    opener = Opener(path=database, busy_seconds=1)
    storage = await SqliteStorage.open(opener=opener, queue_limit=3, batch_limit=2, reader_count=1)
    outcomes = await asyncio.gather(
        *(storage.execute(make.item(f"ITEM-{n}")) for n in range(10, 16)), return_exceptions=True
    )
    assert outcomes[:5] == [True] * 5  # two that begin together and three waiting
    assert [type(outcome) for outcome in outcomes[5:]] == [StorageBusy]
    assert await storage.execute(make.item("ITEM-20")) is True
    await storage.close()


async def test_ready_raises_when_nothing_can_be_written_while_reads_go_on(prepared, database):
    connections = failing_connections(sqlite3.SQLITE_FULL)
    storage = await open_failing(database, connections)
    await storage.ready()
    connections.due = staticmethod(lambda sql: sql.startswith("UPDATE"))
    with pytest.raises(StorageUnavailable, match="disk is full"):
        await storage.ready()
    assert await storage.query(LoadServer()) is None
    await storage.close()
