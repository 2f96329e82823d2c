"""Backups of a PostgreSQL database by its own programs: one snapshot in the custom format, and the way back.

A restore is one transaction: what stood there is moved aside, the dump comes in, and the new epoch begins; or nothing
has happened.
"""

import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from storage.errors import StorageError
from storage.maintenance.backup_manifest import BackupManifest, Contents, check_schema, contents_of
from storage.maintenance.epochs import next_epoch
from storage.maintenance.errors import MaintenanceError
from storage.maintenance.files import new_private_file
from storage.maintenance.links import Link, open_link
from storage.maintenance.postgres_tools import Tools, find_tools, run_script, run_tool
from storage.maintenance.schema import check_statements, migrate_database, table_names
from storage.maintenance.tables import HISTORY, PRESET
from storage.rows import from_time

_NOT_OURS = (" SCHEMA - ", " COMMENT - SCHEMA ", " ACL ", " EXTENSION - ", " COMMENT - EXTENSION ")


async def dump_online(location: str, draft: Path) -> Contents:
    """Dump one snapshot of a database that may be in use into a new file, and read it back. What it holds."""
    link = await open_link(location)
    try:
        tools, schema = await _tools(link)
        async with link.snapshot():
            contents = await contents_of(link)
            ((snapshot,),) = await link.fetch(check_statements("postgres")["export_snapshot"])
            new_private_file(draft)
            options = ("--format=custom", "--no-owner", "--no-privileges", f"--schema={_quoted(schema)}")
            target = (f"--snapshot={snapshot}", f"--file={draft}", f"--dbname={location}")
            await run_tool(tools.command("pg_dump", *options, *target))
        await run_tool(tools.command("pg_restore", "--file=/dev/null", str(draft)))
    finally:
        await link.close()
    return contents


async def put_back(
    file: Path, manifest: BackupManifest, location: str, *, replace: bool, now: datetime
) -> tuple[str | None, int]:
    """Put a checked dump into a database. The schema that the old tables were moved to, and the new epoch.

    Raises MaintenanceError, having changed nothing, where a server uses the database, or it is not empty and `replace`
    is not given, or PostgreSQL refuses.
    """
    check_schema(manifest.contents)
    link = await open_link(location)
    try:
        tools, schema = await _tools(link)
        old_epoch, moved = await _look_at_old(link, replace=replace)
        aside = f"before_restore_{now:%Y%m%dt%H%M%S%f}" if moved else None
        before = await _moving(link, schema, aside)
    finally:
        await link.close()
    epoch = next_epoch(now, max(manifest.contents.highest_epoch, old_epoch))
    after = _beginning(schema, epoch, now, manifest.made_at)
    await _pour_in(tools, file, location, before=before, after=after)
    await migrate_database(location)
    return aside, epoch


async def _tools(link: Link) -> tuple[Tools, str]:
    ((major, schema),) = await link.fetch(check_statements("postgres")["server_major"])
    return find_tools(major), schema


async def _look_at_old(link: Link, *, replace: bool) -> tuple[int, bool]:
    """Give the highest epoch of what stands in the database, and whether it holds anything to be kept."""
    ((users,),) = await link.fetch(check_statements("postgres")["other_users"])
    if users:
        raise MaintenanceError(
            f"the database is in use by {users} connections of a server; stop it, then run this again"
        )
    tables = await table_names(link)
    if not tables:
        return 0, False
    if HISTORY not in tables:
        if not replace:
            raise MaintenanceError("the database holds other tables; --replace moves them aside into another schema")
        return 0, True
    try:
        old = await contents_of(link)
    except StorageError as error:
        if not replace:
            raise MaintenanceError(f"{error}; or --replace moves the tables aside into another schema") from None
        return 0, True
    rows = sum(count for table, count in old.rows.items() if table not in PRESET)
    if rows and not replace:
        raise MaintenanceError(
            f"the database is not empty ({rows} rows); --replace moves its tables aside into another schema"
        )
    return old.highest_epoch, True


async def _moving(link: Link, schema: str, aside: str | None) -> str:
    """The statements that move everything of ours into another schema."""
    if aside is None:
        return ""
    functions = [row[0] for row in await link.fetch(check_statements("postgres")["own_functions"])]
    tables = [f"{_quoted(schema)}.{_quoted(name)}" for name in sorted(await table_names(link))]
    moves = [f"ALTER TABLE {table} SET SCHEMA {aside};" for table in tables]
    moves += [f"ALTER FUNCTION {function} SET SCHEMA {aside};" for function in functions]
    return "\n".join([f"CREATE SCHEMA {aside};", *moves, ""])


def _beginning(schema: str, epoch: int, now: datetime, made_at: str) -> str:
    details = f'{{"made_at": "{made_at}", "epoch": {epoch}}}'
    return (
        f"\nSET search_path TO {_quoted(schema)};\n"
        f"UPDATE server SET current_epoch = {epoch} WHERE current_epoch IS NOT NULL;\n"
        "INSERT INTO audit (at, actor, action, subject, details) "
        f"VALUES ({from_time(now)}, 'operator', 'Restore', 'server', {_literal(details)});\n"
    )


async def _pour_in(tools: Tools, file: Path, location: str, *, before: str, after: str) -> None:
    listed = (await run_tool(tools.command("pg_restore", "--list", str(file)))).decode()
    wanted = [line for line in listed.splitlines() if not any(mark in line for mark in _NOT_OURS)]
    with tempfile.NamedTemporaryFile("w", suffix=".list") as entries:
        entries.write("\n".join(wanted) + "\n")
        entries.flush()
        options = ("--no-owner", "--no-privileges", f"--use-list={entries.name}", "--file=-", str(file))
        psql = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null")
        await run_script(
            tools.command("psql", *psql, f"--dbname={location}", "--file=-"),
            before=f"BEGIN;\n{before}",
            source=tools.command("pg_restore", *options),
            after=f"{after}COMMIT;\n",
        )


@asynccontextmanager
async def scratch_database(location: str) -> AsyncIterator[str]:
    """A new database on the same server, dropped afterwards; its address. Raises where the user may not create one."""
    name = f"opendepot_verify_{secrets.token_hex(6)}"
    link = await open_link(location)
    try:
        await link.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        try:
            yield urlunsplit(urlsplit(location)._replace(path=f"/{name}"))
        finally:
            await link.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await link.close()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
