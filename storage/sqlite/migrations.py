"""Numbered migrations: `0001_name.sql`, `0002_name.sql`, ... each applied once, all that are due in one transaction.

The write lock is taken first, so that processes that start together migrate once. What was applied is remembered with
its checksum: a changed file or a database of a newer version is refused before anything is written.
"""

import hashlib
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from storage.errors import ForeignDatabase, MigrationChanged, SchemaTooNew
from storage.sqlite.statements import sql_folder

_FILE_NAME = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")
_LEDGER = """
CREATE TABLE schema_migrations (
    number   INTEGER PRIMARY KEY,
    name     TEXT NOT NULL,
    checksum BLOB NOT NULL
) STRICT
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Migration:
    """One step of the schema: its number, from 1 without gaps, its name and its SQL."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> bytes:
        """SHA-256 of the SQL text."""
        return hashlib.sha256(self.sql.encode()).digest()


def shipped_migrations() -> tuple[Migration, ...]:
    """The migrations of this version in order; ValueError when the numbers have a gap or a name is wrong."""
    found = []
    for file in sorted(sql_folder("migrations").iterdir(), key=lambda file: file.name):
        match = _FILE_NAME.match(file.name)
        if match is None:
            raise ValueError(f"{file.name} is not named like 0001_what_it_does.sql")
        found.append(Migration(number=int(match[1]), name=match[2], sql=file.read_text(encoding="utf-8")))
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise ValueError("the numbers of the migrations have a gap or a repetition")
    return tuple(found)


def migrate(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> None:
    """Bring the schema up to the last of these migrations.

    Raises:
        ForeignDatabase: the file holds tables, but none of ours.
        SchemaTooNew: a migration was applied that this version does not know.
        MigrationChanged: an applied migration differs from the one here.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        applied = _applied(connection)
        _compare(applied, migrations)
        for migration in migrations[len(applied) :]:
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


def _compare(applied: Sequence[tuple[int, bytes]], migrations: Sequence[Migration]) -> None:
    if len(applied) > len(migrations):
        raise SchemaTooNew(
            f"the database is at schema {applied[-1][0]}, this version knows {len(migrations)}; use the newer version"
        )
    for (number, checksum), migration in zip(applied, migrations, strict=False):
        if (number, checksum) != (migration.number, migration.checksum):
            raise MigrationChanged(
                f"migration {migration.number:04} was applied with other content; use the version that applied it"
            )
