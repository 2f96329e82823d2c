"""Migrations are applied once, in order, whole, and only by a version that knows them all."""

import sqlite3
from dataclasses import replace

import pytest

from storage import open_storage
from storage.errors import ForeignDatabase, MigrationChanged, SchemaTooNew
from storage.migrations import Migration, shipped_migrations
from storage.sqlite.migrations import migrate, split_statements
from storage.statements import sql_folder

ONE = Migration(number=1, name="one", sql="CREATE TABLE a (n INTEGER);\n")
TWO = Migration(number=2, name="two", sql="INSERT INTO a VALUES (1);\nINSERT INTO a VALUES (2);\n")


@pytest.fixture
def connection(database):
    opened = sqlite3.connect(database, isolation_level=None)
    yield opened
    opened.close()


async def test_opening_a_second_time_changes_nothing(storage, database, dump):
    await storage.close()
    content, rows = database.read_bytes(), dump()
    again = await open_storage(database)
    await again.close()
    assert (database.read_bytes(), dump()) == (content, rows)


def test_the_shipped_migrations_are_numbered_from_one():
    shipped = shipped_migrations(sql_folder("sqlite/migrations"))
    assert [migration.number for migration in shipped] == list(range(1, len(shipped) + 1))
    assert shipped[0].name == "initial"


@pytest.mark.parametrize(
    ("names", "complaint"),
    [(["0001_a.sql", "0003_b.sql"], "gap"), (["0001_a.sql", "0001_b.sql"], "gap"), (["1_a.sql"], "not named like")],
)
def test_migrations_with_a_gap_or_a_wrong_name_are_refused(tmp_path, names, complaint):
    for name in names:
        (tmp_path / name).write_text("SELECT 1;\n")
    with pytest.raises(ValueError, match=complaint):
        shipped_migrations(tmp_path)


def test_a_later_migration_is_applied_to_what_is_there(connection):
    migrate(connection, [ONE])
    connection.execute("INSERT INTO a VALUES (0)")
    for _ in range(2):
        migrate(connection, [ONE, TWO])
    assert connection.execute("SELECT n FROM a ORDER BY n").fetchall() == [(0,), (1,), (2,)]


def test_a_migration_that_fails_leaves_the_schema_as_it_was(connection):
    migrate(connection, [ONE])
    broken = replace(TWO, sql="INSERT INTO a VALUES (1);\nINSERT INTO missing VALUES (2);\n")
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, [ONE, broken])
    assert connection.execute("SELECT n FROM a").fetchall() == []
    assert connection.execute("SELECT number FROM schema_migrations").fetchall() == [(1,)]
    assert not connection.in_transaction


def test_a_changed_migration_is_refused(connection):
    migrate(connection, [ONE])
    changed = replace(ONE, sql=ONE.sql + "-- changed\n")
    with pytest.raises(MigrationChanged, match="0001"):
        migrate(connection, [changed, TWO])
    assert connection.execute("SELECT n FROM a").fetchall() == []


async def test_a_database_of_a_newer_version_is_refused(storage, database, behind):
    await storage.close()
    behind("INSERT INTO schema_migrations VALUES (9999, 'future', x'00')")
    with pytest.raises(SchemaTooNew, match="9999"):
        await open_storage(database)


async def test_a_changed_checksum_is_refused(storage, database, behind):
    await storage.close()
    behind("UPDATE schema_migrations SET checksum = x'00' WHERE number = 1")
    with pytest.raises(MigrationChanged):
        await open_storage(database)


async def test_a_database_of_another_program_is_refused_and_left_alone(database, behind):
    behind("CREATE TABLE theirs (n INTEGER)")
    with pytest.raises(ForeignDatabase):
        await open_storage(database)
    assert behind("SELECT name FROM sqlite_schema") == [("theirs",)]


def test_a_script_is_split_at_its_statements_and_triggers_stay_whole():
    script = (
        "-- a comment; with a semicolon\nCREATE TABLE a (n INTEGER);\n\n"
        "CREATE TRIGGER t BEFORE UPDATE ON a\nBEGIN\n    SELECT 1;\n    SELECT 2;\nEND;\n-- the end\n"
    )
    first, second = split_statements(script)
    assert first.rstrip().endswith("CREATE TABLE a (n INTEGER);")
    assert second.strip().startswith("CREATE TRIGGER")
    assert second.rstrip().endswith("END;")


def test_a_script_without_its_last_semicolon_is_refused():
    with pytest.raises(ValueError, match="no semicolon"):
        list(split_statements("SELECT 1;\nSELECT 2\n"))
