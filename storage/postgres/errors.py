"""The errors of PostgreSQL and of its driver in the words of `storage.errors`."""

import asyncpg

from storage.errors import (
    ConstraintRefused,
    DiskFull,
    LocationInvalid,
    StorageBusy,
    StorageCorrupt,
    StorageError,
    StorageUnavailable,
)

DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What the driver raises, time-outs among it (`TimeoutError` is an `OSError`)."""

COLLISIONS = frozenset({"40001", "40P01"})
"""SQLSTATEs of a transaction that was taken back because of others: nothing was written, and it may be run again."""

_LOST = (StorageUnavailable, "the connection to the database failed; see whether it runs and can be reached")

# By SQLSTATE, the whole one first and then its class (appendix A of PostgreSQL's manual).
_BY_STATE: dict[str, tuple[type[StorageError], str]] = {
    "40001": (StorageBusy, "transactions stood in each other's way; try again"),
    "40P01": (StorageBusy, "transactions stood in each other's way; try again"),
    "55P03": (StorageBusy, "another transaction holds a row for too long; try again"),
    "57014": (StorageBusy, "the database took too long for a statement; try again"),
    "53300": (StorageBusy, "the database has no connection left; allow it more or open fewer"),
    "53100": (DiskFull, "the disk of the database is full; make room and try again"),
    "53200": (StorageUnavailable, "the database has not enough memory"),
    "25006": (StorageUnavailable, "the database takes no writes; name the primary server"),
    "42501": (StorageUnavailable, "the database user lacks a right; grant it"),
    "3D000": (LocationInvalid, "the database does not exist; create it or name another one"),
    "XX001": (StorageCorrupt, "the database is damaged; restore a backup"),
    "XX002": (StorageCorrupt, "an index of the database is damaged; rebuild it"),
    "54000": (ConstraintRefused, "a value is too large for the database"),
    "08": _LOST,
    "57": (StorageUnavailable, "the database stops, starts or ended the connection; try again"),
    "53": (StorageUnavailable, "the database lacks something that it needs"),
    "58": (StorageUnavailable, "reading or writing the database failed; check its disk"),
    "28": (LocationInvalid, "the database does not let this user in; check user, password and its rules"),
    "22": (ConstraintRefused, "the database takes no such value"),
    "23": (ConstraintRefused, "a rule of the schema refused the change"),
}

# By class, the first that fits. The driver raises the first one before anything is sent.
_BY_CLASS: tuple[tuple[type[Exception], tuple[type[StorageError], str]], ...] = (
    (asyncpg.exceptions._base.DataError, (ConstraintRefused, "the database takes no such value")),
    (asyncpg.ClientConfigurationError, (LocationInvalid, "the address or what it names is wrong")),
    (TimeoutError, (StorageUnavailable, "the database did not answer in time")),
    (asyncpg.InterfaceError, _LOST),
    (asyncpg.InternalClientError, _LOST),
    (OSError, _LOST),
)


def typed_error(error: Exception) -> StorageError:
    """The error of `storage.errors` that stands for one of `DRIVER_ERRORS`.

    Messages of PostgreSQL and of the driver hold values of rows, so only the names that the schema gave are kept.
    Whoever raises the answer does it outside of the `except`, lest the original hang on to it as its context.
    """
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        kind, message = _BY_STATE.get(state) or _BY_STATE.get(state[:2]) or (StorageError, "a statement was refused")
        names = [state, getattr(error, "constraint_name", None)]
        return kind(f"{message} ({' '.join(name for name in names if name)})")
    for candidate, (kind, message) in _BY_CLASS:
        if isinstance(error, candidate):
            return kind(f"{message} ({type(error).__name__})")
    return StorageError(f"the database refused a statement ({type(error).__name__})")


def outcome_unknown(error: Exception) -> StorageUnavailable:
    """What a COMMIT that got no clear answer is answered with."""
    state = getattr(error, "sqlstate", None) or type(error).__name__
    return StorageUnavailable(
        f"COMMIT got no answer and may have been carried out; ask by key before you retry ({state})"
    )
