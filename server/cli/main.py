"""The command `opendepot`: all verbs, and one place where an error becomes a line and an exit code."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

import opendepot.cli
from containers import ContainerError
from ipfilters import AddressRefused, RulesRefused
from licensing.errors import LicensingError
from opendepot import AnswerInvalid, FaultReceived, ServiceUnreachable, SupportNeeded
from opendepot.bench.fleet import BenchFailed
from opendepot.cli.verbs import Verbs
from server.cli import (
    administrators,
    audit,
    backups,
    campaigns,
    containers,
    customers,
    demo,
    doctor,
    extensions,
    initialise,
    ipfilter,
    ipfilter_looking,
    items,
    journal,
    keys,
    mail,
    migrate,
    moves,
    outbox,
    ozomm,
    serve,
    shop_credentials,
    shops,
    tickets,
)
from server.errors import SettingsError
from storage.errors import StorageError
from storage.maintenance.errors import MaintenanceError

app = typer.Typer(
    name="opendepot",
    cls=Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="An open licence central: shops order and receive a ticket, containers turn it into licences.",
)
app.command("init")(initialise.init)
app.command("serve")(serve.serve)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("migrate")(migrate.migrate)
app.command("backup")(backups.backup)
app.command("restore")(backups.restore_)
app.command("export")(moves.export)
app.command("import")(moves.import_)
app.add_typer(items.app, name="item", cls=Verbs)
shop_credentials.add_to(shops.app)
app.add_typer(shops.app, name="shop", cls=Verbs)
app.add_typer(tickets.app, name="ticket", cls=Verbs)
app.add_typer(audit.app, name="audit", cls=Verbs)
app.add_typer(containers.approvals, name="approval", cls=Verbs)
app.add_typer(journal.app, name="journal", cls=Verbs)
app.add_typer(keys.app, name="keys", cls=Verbs)
app.add_typer(outbox.app, name="outbox", cls=Verbs)
app.add_typer(extensions.app, name="extension", cls=Verbs)
app.add_typer(ozomm.app, name="ozomm", cls=Verbs)
app.add_typer(mail.app, name="mail", cls=Verbs)
app.add_typer(campaigns.app, name="campaign", cls=Verbs)
app.add_typer(customers.app, name="customer", cls=Verbs)
app.add_typer(administrators.app, name="admin", cls=Verbs)
app.add_typer(ipfilter.app, name="ipfilter", cls=Verbs)
ipfilter_looking.add_to(ipfilter.app)
opendepot.cli.add_to(app)
containers.add_to(opendepot.cli.container.app)


@app.callback(invoke_without_command=True)
def root(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,  # noqa: FBT002  an option is named on the command line
) -> None:
    """Give the version, or go on to a verb."""
    if show_version:
        typer.echo(version("opendepot"))
        raise typer.Exit


EXPECTED_ERRORS = (
    AddressRefused,
    RulesRefused,
    SettingsError,
    StorageError,
    MaintenanceError,
    LicensingError,
    ContainerError,
    FaultReceived,
    AnswerInvalid,
    ServiceUnreachable,
    SupportNeeded,
    BenchFailed,
)
"""Errors that a user can mend: told in one line. Anything else is a bug and keeps its traceback."""


def main() -> None:
    """Run the command line. Exit code 0: done; 1: told why not; 2: the command itself is wrong."""
    try:
        app()
    except EXPECTED_ERRORS as error:
        typer.echo(f"opendepot: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
