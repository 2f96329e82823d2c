"""What storage answers when it cannot do what it was asked.

`code` names the case, `retry` says whether the same request can succeed later without anybody changing it. Messages say
what was wrong and how to mend it; they never hold values of rows.
"""

from typing import ClassVar


class StorageError(Exception):
    """Base of all errors of storage."""

    code: ClassVar[str] = "StorageFailed"
    retry: ClassVar[bool] = False


class StorageBusy(StorageError):
    """The queue of the writer is full, or another process held the database for longer than the busy time-out."""

    code = "StorageBusy"
    retry = True


class StorageUnavailable(StorageError):
    """The disk is full, or reading or writing it failed. After a failed COMMIT the outcome is unknown: ask by key."""

    code = "StorageUnavailable"
    retry = True


class DiskFull(StorageUnavailable):
    """There is no room left for more rows; what is there may still be changed in its place."""


class StorageClosed(StorageError):
    """The storage was closed: the process is on its way out."""

    code = "StorageClosed"
    retry = True


class StorageCorrupt(StorageError):
    """The file is damaged or is no database."""

    code = "StorageCorrupt"


class ConstraintRefused(StorageError):
    """A rule of the schema refused what a command wanted to write; nothing of that command was written."""

    code = "ConstraintRefused"


class QuantityExceeded(StorageError):
    """A placement would have raised a sum over the licence's quantity; nothing of that command was written."""

    code = "QuantityExceeded"
    retry = True


class StepUnknown(StorageError):
    """A signature was given for a step that was never reserved; nothing of that command was written."""

    code = "StepUnknown"


class NotInitialised(StorageError):
    """The server has no epoch yet: `InitialiseServer` comes first."""

    code = "NotInitialised"


class LocationInvalid(StorageError):
    """The address does not name a database that this version can open."""

    code = "LocationInvalid"


class ForeignDatabase(StorageError):
    """The file is a database, but not one of OpenDepot."""

    code = "ForeignDatabase"


class SchemaTooNew(StorageError):
    """A newer version has migrated the database; this one would not understand it."""

    code = "SchemaTooNew"


class MigrationChanged(StorageError):
    """A migration that was applied is not the one that this version holds under the same number."""

    code = "MigrationChanged"


class ImportUnfinished(StorageError):
    """The database holds a part of an import. It can be used once `opendepot import` has been run to its end."""

    code = "ImportUnfinished"
