"""Export: one state of a whole database as lines in files, one for each table, in constant memory.

The database may be in use; what is written after the export has begun is not in it. The state cannot be held beyond the
process, so an export that broke off begins anew, in the same folder.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import Any

from storage.maintenance.backup_manifest import contents_of
from storage.maintenance.errors import MaintenanceError
from storage.maintenance.export_manifest import (
    FORMAT,
    MANIFEST,
    UNFINISHED,
    ExportedTable,
    ExportManifest,
    file_name,
    write_manifest,
)
from storage.maintenance.files import Progress, make_durable, new_private_file, no_progress
from storage.maintenance.lines import line_of
from storage.maintenance.links import Link, open_link, place
from storage.maintenance.tables import AUDIT, TABLES, Kind, Table


async def export(
    location: str, folder: Path, *, version: str, now: datetime, progress: Progress = no_progress
) -> ExportManifest:
    """Write all tables of a database into a folder, which is made, private and durable.

    Raises MaintenanceError where the folder holds something else, or an export already; and errors of `storage.errors`.
    """
    await asyncio.to_thread(_prepare, folder)
    link = await open_link(location)
    try:
        async with link.snapshot():
            contents = await contents_of(link)
            total, done, tables = sum(contents.rows.values()), 0, {}
            for number, table in enumerate(TABLES):
                path = folder / file_name(number, table.name)

                def tell(rows: int, *, table: Table = table, before: int = done) -> None:
                    progress(table.name, before + rows, total)

                rows, digest = await _written(link, table, path, tell)
                done += rows
                tables[table.name] = ExportedTable(
                    file=path.name, rows=rows, sha256=digest, columns=list(table.columns)
                )
    finally:
        await link.close()
    manifest = ExportManifest(
        format=FORMAT,
        version=version,
        made_at=now.isoformat(),
        schema=contents.schema,
        highest_epoch=contents.highest_epoch,
        key_fingerprint=contents.key_fingerprint,
        tables=tables,
    )
    await asyncio.to_thread(write_manifest, folder, manifest)
    (folder / UNFINISHED).unlink()
    return manifest


async def lines(link: Link, table: Table) -> AsyncGenerator[list[bytes], None]:
    """The lines of a table in the order of its key, chunk by chunk. Inside of a snapshot."""
    columns = ", ".join(f'"{name}"' for name in table.columns)
    sql = f"SELECT {columns} FROM {table.name} ORDER BY {', '.join(table.key)}"  # noqa: S608 - declared names
    counted = 0
    async with aclosing(link.stream(sql)) as chunks:
        async for chunk in chunks:
            placed = [await _placed(link, table, row, counted + at) for at, row in enumerate(chunk, start=1)]
            counted += len(chunk)
            yield [line_of(table, row) for row in placed]


async def _placed(link: Link, table: Table, row: Sequence[Any], number: int) -> Sequence[Any]:
    """A row with the places of audit rows instead of their keys."""
    if Kind.AUDIT_ID not in table.columns.values():
        return row
    found = []
    for kind, value in zip(table.columns.values(), row, strict=True):
        if kind is not Kind.AUDIT_ID or value is None:
            found.append(value)
        elif table.name == AUDIT:
            found.append(number)
        else:
            sql = f"SELECT count(*) FROM audit WHERE audit_id <= {place(link, 1)}"  # noqa: S608 - a place for a value
            found.append((await link.fetch(sql, value))[0][0])
    return found


async def _written(link: Link, table: Table, path: Path, tell: Callable[[int], None]) -> tuple[int, str]:
    digest, rows = hashlib.sha256(), 0
    await asyncio.to_thread(new_private_file, path)
    with path.open("ab") as file:
        async with aclosing(lines(link, table)) as chunks:
            async for chunk in chunks:
                piece = b"".join(chunk)
                digest.update(piece)
                await asyncio.to_thread(file.write, piece)
                rows += len(chunk)
                tell(rows)
    await asyncio.to_thread(make_durable, path)
    return rows, digest.hexdigest()


def _prepare(folder: Path) -> None:
    """Make the folder, or take the one of an export that broke off and empty it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mark = folder / UNFINISHED
        if mark.exists():
            for number, table in enumerate(TABLES):
                (folder / file_name(number, table.name)).unlink(missing_ok=True)
        elif any(folder.iterdir()):
            what = "an export" if (folder / MANIFEST).exists() else "other files"
            raise MaintenanceError(f"{folder} holds {what}; name another folder")
        else:
            new_private_file(mark)
            make_durable(folder)
    except OSError as error:
        raise MaintenanceError(f"cannot write {folder}: {error.strerror}") from None
