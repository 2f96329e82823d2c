"""`opendepot migrate`."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from server.cli.common import ConfigOption, JsonOption, print_json
from server.settings import load_settings
from storage.maintenance.links import open_link
from storage.maintenance.schema import SchemaState, migrate_database, schema_state
from storage.migrations import Migration

PlanOption = Annotated[bool, typer.Option("--plan", help="Only say which migrations are due; change nothing.")]


def migrate(config: ConfigOption = None, plan: PlanOption = False, as_json: JsonOption = False) -> None:  # noqa: FBT002  options are named on the command line
    """Bring the database's schema up to this version: all migrations that are due, under a lock, whole or not at all.

    `serve` does the same when it starts; this is for those who want it at a time of their own. Migrations only add what
    the version before does not mind, so old servers may go on serving until they are replaced. A database that a newer
    version has migrated is refused.
    """
    database = load_settings(config).database
    state = asyncio.run(_planned(database) if plan else migrate_database(database))
    if as_json:
        pending, known = _described(state.pending), _described(state.applied)
        applied = known if plan else known + pending
        print_json({"applied": applied, "pending": pending if plan else [], "done": [] if plan else pending})
        return
    for migration in state.pending:
        typer.echo(f"{'due' if plan else 'applied'}: {migration.number:04}_{migration.name}")
    if not state.pending:
        typer.echo(f"nothing is due; the schema is at migration {state.applied[-1].number}")


async def _planned(database: str) -> SchemaState:
    link = await open_link(database)
    try:
        return await schema_state(link)
    finally:
        await link.close()


def _described(migrations: Sequence[Migration]) -> list[dict[str, object]]:
    return [{"number": migration.number, "name": migration.name} for migration in migrations]
