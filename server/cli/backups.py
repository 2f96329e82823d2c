"""`opendepot backup` and `opendepot restore`."""

import asyncio
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from containers import load_trust
from server.cli.common import ConfigOption
from server.cli.doctor import PROBLEMS, tell
from server.cli.progress import progress_bar
from server.core import utc_now
from server.operating.installation import Installation
from server.operating.invariants import check_invariants
from server.operating.report import Finding, Level
from server.settings import load_settings
from storage.maintenance.backup import back_up, restore, restored_copy
from storage.maintenance.errors import MaintenanceError
from storage.maintenance.files import no_progress

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The backup; its manifest stands beside it.")]
VerifyOption = Annotated[
    bool,
    typer.Option("--verify", help="Restore a copy beside the database, look it over as doctor --deep does, drop it."),
]
ReplaceOption = Annotated[
    bool, typer.Option("--replace", help="Replace a database that is not empty; the old one is kept aside.")
]


def backup(file: FileArgument, config: ConfigOption = None) -> None:
    """Write a backup of the database into FILE, while the server serves, and FILE.manifest.json beside it.

    One consistent state, looked over and on the disk when this ends. PostgreSQL: by pg_dump, which must be installed.
    Keys are not in it: keep the folder secrets/ apart.
    """
    settings = load_settings(config)
    with progress_bar(shown=True) as progress:
        made = asyncio.run(
            back_up(
                settings.database, file, version=version("opendepot"), now=utc_now(), progress=progress or no_progress
            )
        )
    rows = made.contents.rows
    typer.echo(
        f"wrote {file}: {made.bytes} bytes, {rows['orders']} orders, {rows['steps']} steps; sha256 {made.sha256}"
    )
    typer.echo("keys are not in it: keep the files under secrets/ apart")


def restore_(
    file: FileArgument,
    config: ConfigOption = None,
    verify: VerifyOption = False,  # noqa: FBT002  an option is named on the command line
    replace: ReplaceOption = False,  # noqa: FBT002  as above
) -> None:
    """Put the backup in FILE in the place of the database, while the server is stopped.

    The restored database begins a new epoch: each container gets a reset at its first context. The old database is kept
    aside, as a file or as a schema. Exit code 3: --verify has found a problem.
    """
    here = Installation(settings=load_settings(config), config=config, now=utc_now())
    if verify:
        findings = asyncio.run(_verified(here, file))
        for finding in findings:
            tell(finding)
        if any(finding.level is Level.PROBLEM for finding in findings):
            raise typer.Exit(PROBLEMS)
        typer.echo(f"{file} can be restored")
        return
    with progress_bar(shown=True) as progress:
        done = asyncio.run(
            restore(here.settings.database, file, replace=replace, now=here.now, progress=progress or no_progress)
        )
    typer.echo(f"restored {file} of {done.manifest.made_at}; the epoch is now {done.epoch}")
    if done.aside is not None:
        typer.echo(f"the old database is kept: {done.aside}")
    vault = here.vault()
    if vault is None or not vault.has_fingerprint(done.manifest.contents.key_fingerprint):
        typer.echo("the keys here are not those of this backup: put back the files under secrets/ that belong to it")
    typer.echo(f"next: {here.command('doctor --deep')}, then {here.command('serve')}")


async def _verified(here: Installation, file: Path) -> tuple[Finding, ...]:
    box = here.box()
    with progress_bar(shown=True) as progress:
        async with restored_copy(here.settings.database, file, now=here.now, progress=progress or no_progress) as (
            copy,
            manifest,
        ):
            vault = here.vault()
            if vault is not None and not vault.has_fingerprint(manifest.contents.key_fingerprint):
                raise MaintenanceError(
                    "the backup was made with other keys; put back the files under secrets/ that belong to it"
                )
            return await check_invariants(
                copy,
                vault=vault,
                trust=() if box is None else load_trust(box.root_certificate_pem),
                progress=progress,
            )
