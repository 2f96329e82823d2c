"""Numbered migrations: `0001_name.sql`, `0002_name.sql`, ... each applied once.

What was applied is remembered with its checksum: a changed file or a database of a newer version is refused before
anything is written. How they are applied is each database's own matter.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable

from storage.errors import ImportUnfinished, MigrationChanged, SchemaTooNew

IMPORT_MARK = 999_999
"""Stands among the applied migrations, with the digest of what is imported, until an import is whole."""

_FILE_NAME = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")

Applied = Sequence[tuple[int, bytes]]
"""Number and checksum of each migration that was applied, in order."""


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


def shipped_migrations(folder: Traversable) -> tuple[Migration, ...]:
    """The migrations of a folder in order; ValueError when the numbers have a gap or a name is wrong."""
    found = []
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        match = _FILE_NAME.match(file.name)
        if match is None:
            raise ValueError(f"{file.name} is not named like 0001_what_it_does.sql")
        found.append(Migration(number=int(match[1]), name=match[2], sql=file.read_text(encoding="utf-8")))
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise ValueError("the numbers of the migrations have a gap or a repetition")
    return tuple(found)


def due_migrations(applied: Applied, migrations: Sequence[Migration]) -> Sequence[Migration]:
    """Those that are still to be applied.

    Raises:
        SchemaTooNew: a migration was applied that is not among these.
        MigrationChanged: an applied migration differs from the one here.
        ImportUnfinished: an import into the database was begun, but not finished.
    """
    if applied and applied[-1][0] == IMPORT_MARK:
        raise ImportUnfinished("an import was not finished; run `opendepot import` again with the same export")
    if len(applied) > len(migrations):
        raise SchemaTooNew(
            f"the database is at schema {applied[-1][0]}, this version knows {len(migrations)}; use the newer version"
        )
    for (number, checksum), migration in zip(applied, migrations, strict=False):
        if (number, checksum) != (migration.number, migration.checksum):
            raise MigrationChanged(
                f"migration {migration.number:04} was applied with other content; use the version that applied it"
            )
    return migrations[len(applied) :]
