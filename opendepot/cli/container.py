"""`opendepot container create|context|import|show`: the offline way, by files."""

import json
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from containers import Container, ContainerError

app = typer.Typer(no_args_is_help=True, help="A software container on this machine: create, export, import, show.")

PathArgument = Annotated[Path, typer.Argument(metavar="PATH", help="The container's file.")]


def opened(path: Path) -> Container:
    """Open a container with this machine's clock and random source."""
    return Container.open(path, clock=now, random=secrets.token_bytes)


def now() -> datetime:
    """Give the time of this machine."""
    return datetime.now(UTC)


@app.command()
def create(
    path: PathArgument,
    trust: Annotated[
        Path, typer.Option(help="The vendor's certificate (vendor-certificate.pem), which an application ships.")
    ],
) -> None:
    """Create an empty container that trusts one vendor."""
    container = Container.create(path, trust_pem=_read(trust), clock=now, random=secrets.token_bytes)
    typer.echo(container.serial)


@app.command()
def context(
    path: PathArgument,
    firm_code: Annotated[int, typer.Option(help="The vendor's firm code; GetTicket names it.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the context file goes (.rac.xml).")],
) -> None:
    """Export a context file, to be sent with the ticket."""
    output.write_bytes(opened(path).context(firm_code))
    typer.echo(output)


@app.command("import")
def import_(
    path: PathArgument,
    update: Annotated[Path, typer.Argument(metavar="UPDATE", help="The update file (.rau.xml).")],
    receipt: Annotated[
        Path | None, typer.Option(help="Where the receipt goes; send it to the server.", show_default=False)
    ] = None,
) -> None:
    """Import an update file and write the receipt."""
    result = opened(path).import_update(_read(update))
    if receipt is not None:
        receipt.write_bytes(result.receipt)
    typer.echo(f"applied {result.applied} step(s), skipped {result.skipped}")


@app.command()
def show(path: PathArgument) -> None:
    """Print what the container holds, as JSON, without its private key."""
    typer.echo(json.dumps(opened(path).describe(), indent=2, default=str))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ContainerError("FileUnreadable", f"cannot read {path}: {error.strerror}") from None
