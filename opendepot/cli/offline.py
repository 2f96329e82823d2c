"""`opendepot offline collect|give-back|confirm`: what is sent for a container that has no network, by its files."""

from pathlib import Path
from typing import Annotated

import typer

from containers import ContainerError
from opendepot.blocking import BlockingDepotClient
from opendepot.cli.collect import TicketOption, UrlOption
from soap.messages import depot

app = typer.Typer(no_args_is_help=True, help="For a container without a network: send its files, fetch its updates.")

ContextOption = Annotated[Path, typer.Option(help="The context file that the container exported (.rac.xml).")]
OutputOption = Annotated[Path, typer.Option("--output", "-o", help="Where the update file goes (.rau.xml).")]


def read(path: Path) -> bytes:
    """Read a file. Raises ContainerError `FileUnreadable`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ContainerError("FileUnreadable", f"cannot read {path}: {error.strerror}") from None


@app.command()
def collect(url: UrlOption, ticket: TicketOption, context: ContextOption, output: OutputOption) -> None:
    """Fetch the update file that puts all free licences of a ticket into the container."""
    request = depot.GetLicenseUpdateRequest(ticket=ticket, context=read(context))
    with BlockingDepotClient(url) as client:
        keep(client.get_license_update(request), output)


@app.command()
def give_back(url: UrlOption, ticket: TicketOption, context: ContextOption, output: OutputOption) -> None:
    """Fetch the update file that takes the licences of a ticket out of the container."""
    request = depot.ReturnLicenseRequest(ticket=ticket, context=read(context))
    with BlockingDepotClient(url) as client:
        keep(client.return_license(request), output)


@app.command()
def update(url: UrlOption, context: ContextOption, output: OutputOption) -> None:
    """Fetch the update file with what the vendor changed, and what was left open, without a ticket."""
    with BlockingDepotClient(url) as client:
        keep(client.get_auto_update(read(context)), output)


@app.command()
def confirm(
    url: UrlOption,
    receipt: Annotated[Path, typer.Argument(metavar="RECEIPT", help="The receipt that the import wrote.")],
) -> None:
    """Send the receipt of an import. Returned licences are free from then on."""
    with BlockingDepotClient(url) as client:
        confirmation = client.confirm_license_update(read(receipt))
    typer.echo(f"{confirmation.serial}: {confirmation.state}")


def keep(result: depot.UpdateResult, output: Path) -> None:
    """Write an update file, and say what to do with it."""
    if result.update is None:
        typer.echo(f"{result.state}: there is no update file")
        return
    output.write_bytes(result.update)
    typer.echo(f"{result.state}: {output}; import it into the container, then send the receipt")
