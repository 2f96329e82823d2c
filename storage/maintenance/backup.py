"""Backup and restore of a whole database, whichever it is. Keys are never in a backup."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from storage import sqlite_path
from storage.maintenance import postgres_backup, sqlite_backup
from storage.maintenance.backup_manifest import (
    FORMAT,
    BackupManifest,
    check_file,
    contents_of,
    manifest_path,
    read_manifest,
    write_manifest,
)
from storage.maintenance.errors import MaintenanceError
from storage.maintenance.files import Progress, no_progress, put_in_place, sha256_of
from storage.maintenance.links import is_postgres, open_link


@dataclass(frozen=True, kw_only=True, slots=True)
class Restored:
    """What a restore has done. `aside`: where the old database is kept, a file or a schema; None without one."""

    aside: str | None
    epoch: int
    manifest: BackupManifest


async def back_up(
    location: str, file: Path, *, version: str, now: datetime, progress: Progress = no_progress
) -> BackupManifest:
    """Write a backup of a database that may be in use, and its manifest beside it, both durable and private.

    The copy is looked over before it gets its name. Raises MaintenanceError, and errors of `storage.errors`.
    """
    for path in (file, manifest_path(file)):
        if await asyncio.to_thread(path.exists):
            raise MaintenanceError(f"{path} exists; name another file, or take it away first")
    draft = file.with_name(file.name + ".draft")
    sqlite_backup.remove_database(draft)
    try:
        if is_postgres(location):
            contents = await postgres_backup.dump_online(location, draft)
        else:
            contents = await sqlite_backup.copy_online(sqlite_path(location), draft, progress)
        manifest = BackupManifest(
            format=FORMAT,
            version=version,
            made_at=now.isoformat(),
            bytes=draft.stat().st_size,
            sha256=await asyncio.to_thread(sha256_of, draft, progress),
            contents=contents,
        )
        await asyncio.to_thread(put_in_place, draft, file)
        await asyncio.to_thread(write_manifest, file, manifest)
    finally:
        sqlite_backup.remove_database(draft)
    return manifest


async def restore(
    location: str, file: Path, *, replace: bool, now: datetime, progress: Progress = no_progress
) -> Restored:
    """Put a backup in the place of a database, in a new epoch. The old one is kept aside.

    Raises MaintenanceError, having changed nothing: the backup is damaged or of another kind or version, the database
    is in use, or it is not empty and `replace` is not given.
    """
    manifest = await _checked(location, file, progress)
    if is_postgres(location):
        schema, epoch = await postgres_backup.put_back(file, manifest, location, replace=replace, now=now)
        return Restored(aside=schema, epoch=epoch, manifest=manifest)
    target = sqlite_path(location)
    aside, epoch = await sqlite_backup.put_back(file, manifest, target, replace=replace, now=now)
    return Restored(aside=None if aside is None else str(aside), epoch=epoch, manifest=manifest)


@asynccontextmanager
async def restored_copy(
    location: str, file: Path, *, now: datetime, progress: Progress = no_progress
) -> AsyncIterator[tuple[str, BackupManifest]]:
    """A backup restored beside the database, which is not touched: the copy's location, and the manifest.

    The copy is a file in the temporary folder, or a database of its own on the same server; it ends with the context.
    Raises MaintenanceError for a backup that is damaged, of another kind or version, or lacks rows.
    """
    manifest = await _checked(location, file, progress)
    async with _scratch(location) as copy:
        if is_postgres(location):
            await postgres_backup.put_back(file, manifest, copy, replace=False, now=now)
        else:
            await sqlite_backup.put_back(file, manifest, sqlite_path(copy), replace=False, now=now)
        await _check_rows(copy, manifest)
        yield copy, manifest


async def _check_rows(copy: str, manifest: BackupManifest) -> None:
    link = await open_link(copy)
    try:
        found = (await contents_of(link)).rows
    finally:
        await link.close()
    for table, count in manifest.contents.rows.items():
        restored = found[table] - (1 if table == "audit" else 0)  # the restore itself is in the audit
        if restored != count:
            raise MaintenanceError(f"the backup has {restored} rows of {table}, its manifest says {count}")


@asynccontextmanager
async def _scratch(location: str) -> AsyncIterator[str]:
    if is_postgres(location):
        async with postgres_backup.scratch_database(location) as copy:
            yield copy
    else:
        with TemporaryDirectory(prefix="opendepot-verify-") as folder:
            yield str(Path(folder) / "copy.sqlite3")


async def _checked(location: str, file: Path, progress: Progress) -> BackupManifest:
    manifest = await asyncio.to_thread(read_manifest, file)
    kind = "postgres" if is_postgres(location) else "sqlite"
    if manifest.contents.dialect != kind:
        raise MaintenanceError(
            f"the backup is one of {manifest.contents.dialect}, the database is {kind}; move between them with "
            "`opendepot export` and `opendepot import`"
        )
    await asyncio.to_thread(check_file, file, manifest, progress)
    return manifest
