"""Clearing the tables of PostgreSQL of old versions of rows."""

from storage.postgres.connection import Opener
from storage.postgres.errors import DRIVER_ERRORS, typed_error

TABLES = ("orders", "answers", "audit", "transfers", "outbox")
"""Those that hold what can be erased."""


async def vacuum(opener: Opener, *, thorough: bool) -> None:
    """Give the space of old versions back; `thorough`: write the tables anew, which locks each while it lasts.

    Raises errors of `storage.errors`.
    """
    connection = await opener.connect()
    how = "VACUUM (FULL)" if thorough else "VACUUM"
    try:
        for table in TABLES:
            await connection.execute(f"{how} {table}")
    except DRIVER_ERRORS as error:
        failure = typed_error(error)
    else:
        return
    finally:
        connection.terminate()
    raise failure
