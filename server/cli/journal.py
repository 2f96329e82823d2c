"""`opendepot journal replay`."""

from pathlib import Path
from typing import Annotated

import typer

from licensing.transfers.journal import read_journal
from server.cli.common import ConfigOption, with_core
from server.errors import SettingsError
from server.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="The journal of what containers were told.")


@app.callback()
def group() -> None:
    """The journal of what containers were told."""


@app.command()
def replay(
    path: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The journal; left out: the setting `journal`.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Bring back into a restored database what the journal has and the backup does not. Stop the server first."""
    settings = load_settings(config)
    journal = path or settings.journal
    if journal is None:
        raise SettingsError("journal: not set; name the file")
    if not journal.is_file():
        raise SettingsError(f"journal: there is no file {journal}")
    done = with_core(settings, lambda core: core.replaying.replay(read_journal(journal)))
    typer.echo(f"brought back {done.applied} record(s), {done.known} were there")
    if done.contradicted:
        typer.echo(
            f"{done.contradicted} step(s) contradict what the server has made since: their containers are ahead of it, "
            "and will be noticed at their next contact"
        )
