"""Backups of a SQLite file: an online copy of one state, and the way back."""

import asyncio
import os
import shutil
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from storage.errors import StorageError
from storage.maintenance.backup_manifest import BackupManifest, Contents, check_schema, contents_of
from storage.maintenance.epochs import begin_epoch, next_epoch
from storage.maintenance.errors import MaintenanceError
from storage.maintenance.files import Progress, make_durable, new_private_file
from storage.maintenance.links import open_link
from storage.maintenance.schema import migrate_database
from storage.maintenance.sqlite_link import SqliteLink
from storage.maintenance.tables import PRESET
from storage.sqlite.connection import typed_error

PAGES = 1024
COMPANIONS = ("-wal", "-shm", "-journal")


async def copy_online(source: Path, draft: Path, progress: Progress) -> Contents:
    """Copy one state of a database that may be in use into a new file, and look it over. What the copy holds.

    Raises MaintenanceError where the copy has damage, and errors of `storage.errors`.
    """
    link = await SqliteLink.open(source)
    try:
        # While the snapshot is held, what others write goes past it, and the copy never begins anew.
        async with link.snapshot():
            await asyncio.to_thread(_copy, link.connection, draft, progress)
    finally:
        await link.close()
    copy = await open_link(draft, immutable=True)
    try:
        found = await copy.fetch("PRAGMA integrity_check(1)")
        if found[0][0] != "ok":
            raise MaintenanceError(
                "the database has damage, so it was not backed up; `opendepot doctor --deep` has more"
            )
        return await contents_of(copy)
    finally:
        await copy.close()


def _copy(source: sqlite3.Connection, draft: Path, progress: Progress) -> None:
    new_private_file(draft)
    try:
        with closing(sqlite3.connect(draft, isolation_level=None)) as copy:
            source.backup(copy, pages=PAGES, progress=lambda _, left, all_: progress("pages copied", all_ - left, all_))
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it
    except sqlite3.Error as error:
        raise typed_error(error) from error


async def put_back(
    file: Path, manifest: BackupManifest, target: Path, *, replace: bool, now: datetime
) -> tuple[Path | None, int]:
    """Put a checked backup in the place of a database. Where the old file is kept, and the new epoch.

    Until the last moment the old database stands in its place; afterwards the new one does, in its new epoch. Raises
    MaintenanceError, having changed nothing, where the old one is in use, or is not empty and `replace` is not given.
    """
    check_schema(manifest.contents)
    old_epoch = await _look_at_old(target, replace=replace)
    draft = target.with_name(target.name + ".restoring")
    remove_database(draft)
    epoch = next_epoch(now, max(manifest.contents.highest_epoch, old_epoch))
    try:
        await asyncio.to_thread(copy_whole, file, draft)
        link = await open_link(draft)
        try:
            async with link.transaction():
                await begin_epoch(link, epoch=epoch, action="Restore", now=now, details={"made_at": manifest.made_at})
        finally:
            await link.close()
        await migrate_database(draft)
        await asyncio.to_thread(_settle, draft)
        aside = await asyncio.to_thread(_swap, draft, target, now)
    except BaseException:
        remove_database(draft)
        raise
    return aside, epoch


async def _look_at_old(target: Path, *, replace: bool) -> int:
    """Give the highest epoch of the database that is to be replaced, 0 without one."""
    if not await asyncio.to_thread(target.exists):
        return 0
    try:
        link = await open_link(target)
        try:
            old = await contents_of(link)
        finally:
            await link.close()
    except StorageError:
        if not replace:
            raise MaintenanceError(f"{target} is there, but cannot be read; --replace keeps it aside") from None
        return 0
    rows = sum(count for table, count in old.rows.items() if table not in PRESET)
    if rows and not replace:
        raise MaintenanceError(
            f"{target} is not empty ({rows} rows); --replace keeps it aside and puts the backup there"
        )
    await asyncio.to_thread(_refuse_used, target)
    return old.highest_epoch


def copy_whole(file: Path, draft: Path) -> None:
    """Copy a backup for its owner only."""
    new_private_file(draft)
    try:
        with file.open("rb") as source, draft.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
    except OSError as error:
        raise MaintenanceError(f"cannot copy {file} to {draft}: {error.strerror}") from None


def remove_database(path: Path) -> None:
    """Remove a file that was not finished, and what stands beside it: SQLite's files, and the one that writers lock."""
    for companion in ("", *COMPANIONS, "-turn"):
        path.with_name(path.name + companion).unlink(missing_ok=True)


def _settle(path: Path) -> None:
    """Make one durable file of a database and what stands beside it. Raises sqlite3.Error where it is in use."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
    make_durable(path)


def _refuse_used(target: Path) -> None:
    try:
        _settle(target)
    except sqlite3.OperationalError:
        raise MaintenanceError(f"{target} is in use; stop the server, then run this again") from None


def _swap(draft: Path, target: Path, now: datetime) -> Path | None:
    aside = None
    if target.exists():
        aside = target.with_name(f"{target.name}.before-restore-{now:%Y%m%dT%H%M%S.%fZ}")
        try:
            _refuse_used(target)
        except sqlite3.DatabaseError:
            # Damaged beyond opening. What stands beside it must not meet the new file.
            for companion in COMPANIONS:
                beside = target.with_name(target.name + companion)
                if beside.exists():
                    beside.replace(aside.with_name(aside.name + companion))
        os.link(target, aside)
    draft.replace(target)
    draft.with_name(draft.name + "-turn").unlink(missing_ok=True)
    make_durable(target.parent)
    return aside
