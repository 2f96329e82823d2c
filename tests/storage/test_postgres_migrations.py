"""Migrations of PostgreSQL are applied once, in order, whole, whoever starts with whom."""

import asyncio
from dataclasses import replace

import pytest
from postgres_server import until_blocked

from storage import open_storage
from storage.errors import ForeignDatabase, LocationInvalid, MigrationChanged, SchemaTooNew, StorageError
from storage.migrations import Migration, shipped_migrations
from storage.postgres.connection import Opener
from storage.postgres.migrations import migrate
from storage.statements import sql_folder

ONE = Migration(number=1, name="one", sql="CREATE TABLE a (n INTEGER);\n")
TWO = Migration(number=2, name="two", sql="INSERT INTO a VALUES (1);\nINSERT INTO a VALUES (2);\n")


@pytest.fixture
def fresh(postgres_server):
    """A database without anything: its opener, and a function that runs statements in it."""
    name = postgres_server.new_database()
    yield (
        Opener(location=postgres_server.address(name)),
        lambda *statements: postgres_server.run(*statements, database=name),
    )
    postgres_server.run(f"DROP DATABASE {name} WITH (FORCE)", database="postgres")


async def test_opening_a_second_time_changes_nothing(storage, open_node, dump):
    before = dump()
    await open_node()
    assert dump() == before


async def test_nodes_that_start_together_on_an_empty_database_migrate_it_once(fresh):
    opener, run = fresh
    storages = await asyncio.gather(*(open_storage(opener.location) for _ in range(8)))
    for storage in storages:
        await storage.ready()
        await storage.close()
    assert run("SELECT write_checks FROM server") == [(8,)]
    shipped = shipped_migrations(sql_folder("postgres/migrations"))
    numbers = [(0,), *((migration.number,) for migration in shipped)]
    assert run("SELECT number FROM schema_migrations ORDER BY number") == numbers


async def test_nodes_that_find_a_migration_due_apply_it_once(fresh):
    opener, run = fresh
    await migrate(opener, [ONE])
    await asyncio.gather(*(migrate(opener, [ONE, TWO]) for _ in range(8)))
    assert run("SELECT n FROM a ORDER BY n") == [(1,), (2,)]


async def test_a_node_with_nothing_to_do_does_not_wait_for_one_that_migrates(fresh):
    opener, run = fresh
    await migrate(opener, [ONE])
    holder = await opener.connect()
    await holder.execute("BEGIN")
    await holder.execute("SELECT 1 FROM schema_migrations WHERE number = 0 FOR UPDATE")
    await migrate(opener, [ONE])
    due = asyncio.create_task(migrate(opener, [ONE, TWO]))
    await until_blocked(run)
    assert not due.done()
    await holder.execute("ROLLBACK")
    await due
    await holder.close()
    assert run("SELECT n FROM a ORDER BY n") == [(1,), (2,)]


async def test_a_migration_that_fails_leaves_the_schema_as_it_was(fresh):
    opener, run = fresh
    await migrate(opener, [ONE])
    broken = replace(TWO, sql="INSERT INTO a VALUES (1);\nINSERT INTO missing VALUES (2);\n")
    with pytest.raises(StorageError, match="42P01"):
        await migrate(opener, [ONE, broken])
    assert run("SELECT n FROM a") == []
    assert run("SELECT number FROM schema_migrations WHERE number > 0") == [(1,)]


async def test_a_first_migration_that_fails_leaves_an_empty_database(fresh):
    opener, run = fresh
    with pytest.raises(StorageError, match="42P01"):
        await migrate(opener, [replace(ONE, sql="INSERT INTO missing VALUES (2)")])
    assert run("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []


async def test_a_table_that_a_migration_finds_already_there_is_no_reason_to_begin_again(fresh):
    opener, _ = fresh
    with pytest.raises(StorageError, match="42P07"):
        await migrate(opener, [ONE, replace(TWO, sql=ONE.sql)])


async def test_a_changed_migration_is_refused(fresh):
    opener, run = fresh
    await migrate(opener, [ONE])
    with pytest.raises(MigrationChanged, match="0001"):
        await migrate(opener, [replace(ONE, sql=ONE.sql + "-- changed\n"), TWO])
    assert run("SELECT n FROM a") == []


async def test_a_database_of_a_newer_version_is_refused(fresh):
    opener, run = fresh
    await migrate(opener, [ONE])
    run("INSERT INTO schema_migrations VALUES (9999, 'future', '')")
    with pytest.raises(SchemaTooNew, match="9999"):
        await migrate(opener, [ONE])


async def test_a_database_of_another_program_is_refused_and_left_alone(fresh):
    opener, run = fresh
    run("CREATE TABLE theirs (n INTEGER)")
    with pytest.raises(ForeignDatabase):
        await open_storage(opener.location)
    assert run("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [("theirs",)]


async def test_a_database_in_another_encoding_is_refused(postgres_server):
    postgres_server.run("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'", database="postgres")
    with pytest.raises(LocationInvalid, match="UTF8"):
        await open_storage(postgres_server.address("latin"))
    postgres_server.run("DROP DATABASE latin", database="postgres")
