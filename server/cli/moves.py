"""`opendepot export` and `opendepot import`."""

import asyncio
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from server.cli.common import ConfigOption
from server.cli.progress import progress_bar
from server.core import utc_now
from server.operating.installation import Installation
from server.settings import load_settings
from storage.maintenance.exporting import export as export_database
from storage.maintenance.files import no_progress
from storage.maintenance.importing import import_ as import_database

DirArgument = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of the export.")]


def export(folder: DirArgument, config: ConfigOption = None) -> None:
    """Write all data as lines into DIR, with a manifest and checksums: the way from SQLite to PostgreSQL and back.

    Stop the server before: what is written after the export has begun is not in it. Keys are not in it. An export that
    broke off is run again with the same DIR, and begins anew.
    """
    settings = load_settings(config)
    with progress_bar(shown=True) as progress:
        made = asyncio.run(
            export_database(
                settings.database, folder, version=version("opendepot"), now=utc_now(), progress=progress or no_progress
            )
        )
    typer.echo(f"wrote {folder}: {made.rows} rows of {len(made.tables)} tables")


def import_(folder: DirArgument, config: ConfigOption = None) -> None:
    """Put the export in DIR into the empty database of the settings; compare all of it; begin a new epoch.

    An import that broke off, by kill -9 too, is run again with the same DIR and goes on; until it is whole no server
    opens the database. Each container gets a reset at its first context.
    """
    here = Installation(settings=load_settings(config), config=config, now=utc_now())
    with progress_bar(shown=True) as progress:
        done = asyncio.run(
            import_database(here.settings.database, folder, now=here.now, progress=progress or no_progress)
        )
    if done.resumed:
        typer.echo(f"went on after {done.resumed} rows")
    typer.echo(f"imported {done.manifest.rows} rows, all compared with the export; the epoch is now {done.epoch}")
    vault = here.vault()
    if vault is None or not vault.has_fingerprint(done.manifest.key_fingerprint):
        typer.echo("the keys here are not those of this export: put back the files under secrets/ that belong to it")
    typer.echo(f"next: {here.command('doctor --deep')}, then {here.command('serve')}")
