"""Where a database stands among the migrations, and whether its schema is what they make of it."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from storage import open_storage
from storage.errors import ForeignDatabase
from storage.maintenance.links import Dialect, Link, open_link
from storage.maintenance.tables import HISTORY
from storage.migrations import Migration, due_migrations, shipped_migrations
from storage.sqlite.migrations import migrate
from storage.statements import load_statements, sql_folder


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemaState:
    """The migrations that a database has, and those that are still due, in order."""

    applied: tuple[Migration, ...]
    pending: tuple[Migration, ...]


def migrations_of(dialect: Dialect) -> tuple[Migration, ...]:
    """The migrations that this version ships for a kind of database."""
    return shipped_migrations(sql_folder(f"{dialect}/migrations"))


async def schema_state(link: Link) -> SchemaState:
    """Read the state of a database, changing nothing.

    Raises ForeignDatabase, SchemaTooNew, MigrationChanged, ImportUnfinished.
    """
    shipped = migrations_of(link.dialect)
    tables = await table_names(link)
    if HISTORY not in tables:
        if tables:
            raise ForeignDatabase("the database holds the tables of another program; name another one")
        return SchemaState(applied=(), pending=shipped)
    rows = await link.fetch("SELECT number, checksum FROM schema_migrations WHERE number > 0 ORDER BY number")
    due = due_migrations([(row[0], row[1]) for row in rows], shipped)
    return SchemaState(applied=shipped[: len(rows)], pending=tuple(due))


async def table_names(link: Link) -> set[str]:
    """The names of all tables."""
    return {row[0] for row in await link.fetch(check_statements(link.dialect)["table_names"])}


async def migrate_database(location: str | Path) -> SchemaState:
    """Apply what is due, under the database's own lock, whole or not at all. The state as it was found.

    Raises what `schema_state` raises, and StorageUnavailable.
    """
    link = await open_link(location)
    try:
        found = await schema_state(link)
    finally:
        await link.close()
    storage = await open_storage(location)
    await storage.close()
    return found


def check_statements(dialect: Dialect) -> dict[str, str]:
    """The statements of checks by name."""
    return dict(load_statements((sql_folder("checks/common"), sql_folder(f"checks/{dialect}"))))


async def schema_differences(link: Link) -> Sequence[str]:
    """What of the schema is not as the migrations make it: the objects that are missing, changed or too many."""
    expected = await (_expected_sqlite(link) if link.dialect == "sqlite" else _expected_postgres(link))
    schema = [] if link.dialect == "sqlite" else [(await link.fetch("SELECT current_schema()"))[0][0]]
    found = {row[0]: row[1] for row in await link.fetch(check_statements(link.dialect)["schema_objects"], *schema)}
    return [
        *(f"{name} is missing" for name in sorted(expected.keys() - found.keys())),
        *(f"{name} is not of ours" for name in sorted(found.keys() - expected.keys())),
        *(f"{name} is changed" for name in sorted(expected.keys() & found.keys()) if expected[name] != found[name]),
    ]


async def _expected_sqlite(link: Link) -> dict[str, str]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        migrate(fresh, migrations_of("sqlite")[: len((await schema_state(link)).applied)])
        return dict(fresh.execute(check_statements("sqlite")["schema_objects"]).fetchall())


async def _expected_postgres(link: Link) -> dict[str, str]:
    """Migrate a schema of its own inside of a transaction that is taken back, and look at it there."""
    applied = (await schema_state(link)).applied
    async with link.rehearsal():
        await link.script("CREATE SCHEMA opendepot_expected; SET LOCAL search_path TO opendepot_expected")
        await link.script(load_statements((sql_folder("postgres/queries"),))["create_history"])
        for migration in applied:
            await link.script(migration.sql)
        rows = await link.fetch(check_statements("postgres")["schema_objects"], "opendepot_expected")
        return {row[0]: row[1] for row in rows}
