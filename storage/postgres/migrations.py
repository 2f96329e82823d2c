"""Migrations of PostgreSQL, all that are due in one transaction.

Nodes that start together meet at one row of the history: whoever holds it migrates, the others find nothing to do.
Where the history itself is missing they meet at its name, and all but one begin again. A node that finds nothing to
do takes no lock.
"""

from collections.abc import Sequence
from typing import Any

import asyncpg

from storage.errors import ForeignDatabase
from storage.migrations import Applied, Migration, due_migrations
from storage.postgres.connection import Opener, check_encoding
from storage.postgres.errors import DRIVER_ERRORS, typed_error
from storage.postgres.running import execute, fetch
from storage.postgres.statements import statements, with_limits
from storage.postgres.transactions import COMMIT, ROLLBACK

CREATED_MEANWHILE = frozenset({"23505", "42P07"})


async def migrate(opener: Opener, migrations: Sequence[Migration]) -> None:
    """Bring the schema up to the last of these migrations.

    Raises:
        ForeignDatabase: the schema holds tables, but none of ours.
        SchemaTooNew: a migration was applied that this version does not know.
        MigrationChanged: an applied migration differs from the one here.
        StorageError: the database refused; nothing was changed.
    """
    connection = await opener.connect()
    begin = with_limits("begin_migration", opener.limits)
    try:
        await check_encoding(connection)
        while not await _migrated(connection, begin, migrations):
            pass
    except DRIVER_ERRORS as error:
        failure = typed_error(error)
    else:
        return
    finally:
        connection.terminate()
    raise failure


async def _migrated(connection: Any, begin: str, migrations: Sequence[Migration]) -> bool:
    await connection.execute(begin)
    try:
        fresh = await _create_history(connection)
    except asyncpg.PostgresError as error:
        await connection.execute(ROLLBACK)
        if error.sqlstate in CREATED_MEANWHILE:
            return False
        raise
    if fresh or due_migrations(await _history(connection), migrations):
        await fetch(connection, "hold_history")
        for migration in due_migrations(await _history(connection), migrations):
            await connection.execute(migration.sql)
            await execute(
                connection,
                "remember_migration",
                number=migration.number,
                name=migration.name,
                checksum=migration.checksum,
            )
    await connection.execute(COMMIT)
    return True


async def _create_history(connection: Any) -> bool:
    tables = {row["tablename"] for row in await fetch(connection, "tables")}
    if "schema_migrations" in tables:
        return False
    if tables:
        raise ForeignDatabase("the database holds the tables of another program; name another one or another schema")
    await connection.execute(statements()["create_history"].sql)
    return True


async def _history(connection: Any) -> Applied:
    return [(row["number"], row["checksum"]) for row in await fetch(connection, "history")]
