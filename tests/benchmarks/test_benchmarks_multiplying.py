"""A multiplied database is like one that had taken all its orders, row by row, index by index, and it goes on."""

import asyncio
import sqlite3

import pytest

from benchmarks import multiplying
from benchmarks.growth import _new_orders, _place, _template
from benchmarks.multiplying import MULTIPLIED, multiply_postgres, multiply_sqlite
from benchmarks.postgres import own_postgres
from storage import open_storage

HELD = 1_000
PLACED = 20


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(multiplying, "CHUNK", 300)


async def place_more(location):
    storage = await open_storage(location)
    try:
        await _place(storage, await _new_orders(PLACED))
    finally:
        await storage.close()


def test_a_multiplied_sqlite_file_is_whole_and_takes_orders(tmp_path):
    path = tmp_path / "depot.sqlite3"
    asyncio.run(_template(str(path)))
    multiply_sqlite(path, HELD)
    asyncio.run(place_more(str(path)))
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    assert db.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
    for table in MULTIPLIED:
        ((rows,),) = db.execute(f"SELECT count(*) FROM {table}")
        assert rows == HELD + PLACED + (2 if table == "audit" else 0)
    db.close()


SHAPE = """SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
        || CASE WHEN convalidated THEN '' ELSE ' unproven' END FROM pg_constraint WHERE conrelid <> 0
    ORDER BY 1"""


@pytest.mark.long
def test_a_multiplied_postgres_database_has_the_shape_that_it_had_and_takes_orders():
    with own_postgres(shared_buffers="64MB") as server:
        database = server.new_database()
        location = server.address(database)
        asyncio.run(_template(location))
        shape = server.run(SHAPE, database=database)
        asyncio.run(multiply_postgres(location, HELD))
        assert server.run(SHAPE, database=database) == shape
        asyncio.run(place_more(location))
        for table in MULTIPLIED:
            ((rows,),) = server.run(f"SELECT count(*) FROM {table}", database=database)
            assert rows == HELD + PLACED + (2 if table == "audit" else 0)
        lost = "SELECT count(*) FROM {0} AS l LEFT JOIN {1} AS r USING ({2}) WHERE r.{2} IS NULL"
        for child, parent, key in (("licenses", "orders", "order_id"), ("orders", "tickets", "ticket_id")):
            assert server.run(lost.format(child, parent, key), database=database) == [(0,)]
