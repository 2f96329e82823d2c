"""The declared list of tables is the schema of both databases: a new table or column cannot be forgotten."""

import sqlite3

from storage.maintenance.links import open_link
from storage.maintenance.tables import HISTORY, LEASES, TABLES, Kind
from storage.migrations import shipped_migrations
from storage.sqlite.migrations import migrate
from storage.statements import sql_folder

SQLITE = {Kind.TEXT: {"TEXT"}, Kind.NUMBER: {"INTEGER"}, Kind.FLAG: {"INTEGER"}, Kind.BYTES: {"BLOB"}}
POSTGRES = {Kind.TEXT: {"text"}, Kind.NUMBER: {"bigint"}, Kind.FLAG: {"boolean"}, Kind.BYTES: {"bytea"}}


async def test_the_list_names_every_table_and_column_of_the_database(storage, database, backend):
    link = await open_link(database)
    names = {
        "sqlite": "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        "postgres": "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()",
    }
    found = {row[0] for row in await link.fetch(names[backend])}
    assert found == {table.name for table in TABLES} | {HISTORY, LEASES}
    for table in TABLES:
        if backend == "sqlite":
            rows = await link.fetch(f"SELECT name, type FROM pragma_table_info('{table.name}')")
            kinds = SQLITE | {Kind.AUDIT_ID: {"INTEGER"}}
        else:
            rows = await link.fetch(
                "SELECT column_name, data_type FROM information_schema.columns "
                f"WHERE table_schema = current_schema() AND table_name = '{table.name}'"
            )
            kinds = POSTGRES | {Kind.AUDIT_ID: {"text"}}
        columns = {row[0]: row[1] for row in rows}
        assert columns.keys() == table.columns.keys(), table.name
        for name, kind in table.columns.items():
            assert columns[name] in kinds[kind], f"{table.name}.{name}"
    await link.close()


async def test_the_key_of_each_table_is_unique_in_the_database(storage, database, backend):
    link = await open_link(database)
    for table in TABLES:
        if backend == "sqlite":
            unique = await link.fetch(
                "SELECT group_concat(c.name, ' ') FROM pragma_index_list(?) AS i, pragma_index_info(i.name) AS c "
                'WHERE i."unique" GROUP BY i.name',
                table.name,
            )
            rowid = await link.fetch(
                "SELECT group_concat(name, ' ') FROM pragma_table_info(?) WHERE pk > 0", table.name
            )
            keys = {row[0] for row in [*unique, *rowid]}
        else:
            rows = await link.fetch(
                "SELECT string_agg(a.attname, ' ' ORDER BY array_position(i.indkey::int2[], a.attnum)) "
                "FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) "
                "WHERE i.indrelid = $1::text::regclass AND i.indisunique GROUP BY i.indexrelid",
                table.name,
            )
            keys = {row[0] for row in rows}
        assert " ".join(table.key) in keys, table.name
    await link.close()


def test_a_table_stands_after_those_that_it_refers_to():
    db = sqlite3.connect(":memory:", isolation_level=None)
    migrate(db, shipped_migrations(sql_folder("sqlite/migrations")))
    seen: set[str] = set()
    for table in TABLES:
        for row in db.execute(f"PRAGMA foreign_key_list({table.name})"):
            assert row[2] in seen | {table.name}, f"{table.name} refers to {row[2]}"
        seen.add(table.name)
    db.close()
