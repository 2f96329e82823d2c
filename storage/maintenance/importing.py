"""Import: the lines of an export into an empty database, of the same kind or of the other, in constant memory.

Each chunk of lines is a transaction, and the lines are in the order of the key, so that how many rows a table has says
where an import that was killed goes on. Until all is there and was compared with the export, a mark among the applied
migrations keeps every server from opening the database.
"""

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from storage import open_storage, sqlite_path
from storage.maintenance.epochs import begin_epoch, next_epoch
from storage.maintenance.errors import MaintenanceError
from storage.maintenance.export_manifest import ExportManifest, check_files, read_manifest
from storage.maintenance.exporting import lines
from storage.maintenance.files import Progress, no_progress
from storage.maintenance.lines import row_of
from storage.maintenance.links import CHUNK, Dialect, Link, is_postgres, open_link, place
from storage.maintenance.schema import migrations_of, table_names
from storage.maintenance.tables import HISTORY, PRESET, SERVER, TABLES, Table
from storage.migrations import IMPORT_MARK


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """What an import has done. `resumed`: how many rows were there before; `epoch`: the new one."""

    manifest: ExportManifest
    resumed: int
    epoch: int


async def import_(location: str, folder: Path, *, now: datetime, progress: Progress = no_progress) -> Imported:
    """Put an export into an empty database, or go on with it; compare all of it; begin a new epoch.

    Raises MaintenanceError: the export is damaged or of another version, the database is not empty or holds a part of
    another export, or what was imported differs. Raises errors of `storage.errors`.
    """
    manifest, identity = await asyncio.to_thread(read_manifest, folder)
    await asyncio.to_thread(check_files, folder, manifest, progress)
    link = await _begun(location, manifest, identity)
    try:
        resumed = await _fill(link, folder, manifest, progress)
        await _compare(link, manifest, progress)
        epoch = next_epoch(now, manifest.highest_epoch)
        await _finish(link, folder, manifest, now=now, epoch=epoch)
    finally:
        await link.close()
    return Imported(manifest=manifest, resumed=resumed, epoch=epoch)


async def _begun(location: str, manifest: ExportManifest, identity: bytes) -> Link:
    """Connect to a database that is marked as holding a part of this export."""
    dialect: Dialect = "postgres" if is_postgres(location) else "sqlite"
    known = [f"{migration.number:04}_{migration.name}" for migration in migrations_of(dialect)]
    if manifest.schema != known:
        raise MaintenanceError(
            f"the export was made at schema {manifest.schema[-1]}, this version is at {known[-1]}; export with the "
            "version that imports"
        )
    mark = await _mark(location)
    if mark is None:
        storage = await open_storage(location)
        await storage.close()
    elif mark != identity:
        raise MaintenanceError("the database holds a part of another export; go on with that one, or name another one")
    link = await open_link(location)
    try:
        if mark is None:
            await _mark_empty(link, identity)
    except BaseException:
        await link.close()
        raise
    return link


async def _mark(location: str) -> bytes | None:
    """What a database that is being imported into holds a part of; None for any other, or where there is none."""
    if not is_postgres(location) and not await asyncio.to_thread(sqlite_path(location).exists):
        return None
    link = await open_link(location)
    try:
        if HISTORY not in await table_names(link):
            return None
        rows = await link.fetch(f"SELECT checksum FROM schema_migrations WHERE number = {IMPORT_MARK}")  # noqa: S608 - a number
        return bytes(rows[0][0]) if rows else None
    finally:
        await link.close()


async def _mark_empty(link: Link, identity: bytes) -> None:
    async with link.transaction():
        for table in TABLES:
            count = await _count(link, table)
            if table.name not in PRESET and count:
                raise MaintenanceError(
                    f"the database is not empty ({count} rows of {table.name}); an import needs an empty one"
                )
        for name in PRESET - {SERVER}:
            await link.execute(f"DELETE FROM {name}")  # noqa: S608 - a declared name
        await link.insert(HISTORY, ("number", "name", "checksum"), [(IMPORT_MARK, "import", identity)])


async def _fill(link: Link, folder: Path, manifest: ExportManifest, progress: Progress) -> int:
    """Add the rows that are not there yet; how many were there before."""
    resumed, done, total = 0, 0, manifest.rows
    for table in TABLES:
        if table.name == SERVER:
            continue
        exported, there = manifest.tables[table.name], await _count(link, table)
        resumed += there
        with (folder / exported.file).open("rb") as file:
            waiting = iter(file)
            await asyncio.to_thread(_skip, waiting, there)
            while chunk := await asyncio.to_thread(_chunk, waiting):
                rows = [row_of(table, line, link.dialect) for line in chunk]
                async with link.transaction():
                    await link.insert(table.name, list(table.columns), rows)
                there += len(rows)
                progress(table.name, done + there, total)
        done += exported.rows
    return resumed


async def _compare(link: Link, manifest: ExportManifest, progress: Progress) -> None:
    """Read everything back, and compare counts and checksums with the export's."""
    done = 0
    async with link.snapshot():
        for table in TABLES:
            if table.name == SERVER:
                continue
            digest, rows, exported = hashlib.sha256(), 0, manifest.tables[table.name]
            async with aclosing(lines(link, table)) as chunks:
                async for chunk in chunks:
                    digest.update(b"".join(chunk))
                    rows += len(chunk)
                    progress(f"comparing {table.name}", done + rows, manifest.rows)
            if (rows, digest.hexdigest()) != (exported.rows, exported.sha256):
                raise MaintenanceError(
                    f"table {table.name} differs from the export ({rows} rows of {exported.rows}): something else has "
                    "written into the database; begin again with an empty one"
                )
            done += rows


async def _finish(link: Link, folder: Path, manifest: ExportManifest, *, now: datetime, epoch: int) -> None:
    (server,) = [table for table in TABLES if table.name == SERVER]
    exported = manifest.tables[SERVER]
    (line,) = await asyncio.to_thread((folder / exported.file).read_bytes().splitlines, True)  # noqa: FBT003 - keepends takes no name
    values = dict(zip(server.columns, row_of(server, line, link.dialect), strict=True))
    names = [name for name in server.columns if name not in server.key]
    places = ", ".join(f"{name} = {place(link, number)}" for number, name in enumerate(names, start=1))
    async with link.transaction():
        await link.execute(f"UPDATE server SET {places}", *(values[name] for name in names))  # noqa: S608 - declared names
        await begin_epoch(link, epoch=epoch, action="Import", now=now, details={"made_at": manifest.made_at})
        await link.execute(f"DELETE FROM schema_migrations WHERE number = {IMPORT_MARK}")  # noqa: S608 - a number


async def _count(link: Link, table: Table) -> int:
    ((count,),) = await link.fetch(f"SELECT count(*) FROM {table.name}")  # noqa: S608 - a declared name
    return int(count)


def _skip(waiting: Iterator[bytes], count: int) -> None:
    for _ in islice(waiting, count):
        pass


def _chunk(waiting: Iterator[bytes]) -> list[bytes]:
    return list(islice(waiting, CHUNK))
