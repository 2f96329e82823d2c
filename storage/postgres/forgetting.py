"""Clearing the tables of PostgreSQL of old versions of rows."""

from storage.postgres.connection import Opener
from storage.postgres.errors import DRIVER_ERRORS, typed_error

TABLES = ("orders", "answers", "audit", "transfers", "outbox")
"""Those that hold what can be erased."""


async def rewrite(opener: Opener) -> None:
    """Write the tables anew, without old versions of rows; each is locked while it lasts.

    Raises errors of `storage.errors`.
    """
    connection = await opener.connect()
    try:
        for table in TABLES:
            await connection.execute(f"VACUUM (FULL) {table}")
    except DRIVER_ERRORS as error:
        failure = typed_error(error)
    else:
        return
    finally:
        connection.terminate()
    raise failure
