"""Migrations of SQLite, all that are due in one transaction.

The write lock is taken first, so that processes that start together migrate once.
"""

import sqlite3
from collections.abc import Iterator, Sequence

from storage.errors import ForeignDatabase
from storage.migrations import Migration, due_migrations

_LEDGER = """
CREATE TABLE schema_migrations (
    number   INTEGER PRIMARY KEY,
    name     TEXT NOT NULL,
    checksum BLOB NOT NULL
) STRICT
"""


def migrate(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> None:
    """Bring the schema up to the last of these migrations.

    Raises:
        ForeignDatabase: the file holds tables, but none of ours.
        SchemaTooNew: a migration was applied that this version does not know.
        MigrationChanged: an applied migration differs from the one here.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        for migration in due_migrations(_applied(connection), migrations):
            for statement in split_statements(migration.sql):
                connection.execute(statement)
            connection.execute(
                "INSERT INTO schema_migrations (number, name, checksum) VALUES (?, ?, ?)",
                (migration.number, migration.name, migration.checksum),
            )
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def split_statements(script: str) -> Iterator[str]:
    """The statements of a script, each up to its semicolon at the end of a line (triggers stay whole)."""
    gathered = ""
    for line in script.splitlines(keepends=True):
        gathered += line
        if sqlite3.complete_statement(gathered):
            yield gathered
            gathered = ""
    if any(line.strip() and not line.lstrip().startswith("--") for line in gathered.splitlines()):
        raise ValueError("the last statement of the script has no semicolon")


def _applied(connection: sqlite3.Connection) -> list[tuple[int, bytes]]:
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if "schema_migrations" not in tables:
        if tables:
            raise ForeignDatabase("the file is a database of another program; name another file")
        connection.execute(_LEDGER)
    rows = connection.execute("SELECT number, checksum FROM schema_migrations ORDER BY number")
    return [(row[0], row[1]) for row in rows]
