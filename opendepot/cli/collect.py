"""`opendepot collect`: ticket to licences, online."""

from pathlib import Path
from typing import Annotated

import typer

from opendepot.blocking import BlockingDepotClient
from opendepot.cli.container import opened


def collect(
    url: Annotated[str, typer.Option(help="The server's public URL, such as https://licences.example.com.")],
    ticket: Annotated[str, typer.Option(help="The ticket.")],
    container: Annotated[Path, typer.Option(help="The container's file; `opendepot container create` makes one.")],
) -> None:
    """Collect all free licences of a ticket into a container: context, update, import, receipt."""
    target = opened(container)
    with BlockingDepotClient(url) as depot:
        collected = depot.collect(ticket, target)
    for firm in collected:
        confirmed = "confirmed" if firm.confirmed else "not confirmed yet: run the same command again"
        typer.echo(f"firm code {firm.firm_code}: {firm.applied} step(s) imported, {confirmed}")
        for entry in firm.listing:
            typer.echo(f"  {entry.item_number}  product code {entry.product_code}  quantity {entry.quantity}")
