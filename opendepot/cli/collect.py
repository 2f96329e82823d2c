"""`opendepot collect` and `opendepot give-back`: ticket to licences and back, online."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from opendepot.blocking import BlockingDepotClient
from opendepot.cli.container import opened
from opendepot.depot import Collected

UrlOption = Annotated[str, typer.Option(help="The server's public URL, such as https://licences.example.com.")]
TicketOption = Annotated[str, typer.Option(help="The ticket.")]


def collect(
    url: UrlOption,
    ticket: TicketOption,
    container: Annotated[Path, typer.Option(help="The container's file; `opendepot container create` makes one.")],
) -> None:
    """Collect all free licences of a ticket into a container: context, update, import, receipt."""
    target = opened(container)
    with BlockingDepotClient(url) as depot:
        _say(depot.collect(ticket, target))


def give_back(
    url: UrlOption,
    ticket: TicketOption,
    container: Annotated[Path, typer.Option(help="The container's file.")],
) -> None:
    """Take all licences of a ticket out of a container, so that they can be collected elsewhere."""
    target = opened(container)
    with BlockingDepotClient(url) as depot:
        _say(depot.give_back(ticket, target))


def update(
    url: UrlOption,
    container: Annotated[Path, typer.Option(help="The container's file.")],
    firm_code: Annotated[int | None, typer.Option(help="One firm code; left out: all.", show_default=False)] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Stay, and import every change as it comes.")] = False,  # noqa: FBT002  an option is named on the command line
) -> None:
    """Bring a container up to date without a ticket: what the vendor changed, and what was left open."""
    target = opened(container)
    firm_codes = target.firm_codes() if firm_code is None else (firm_code,)
    with BlockingDepotClient(url) as depot:
        if not follow:
            _say(depot.update(target, code) for code in firm_codes)
            return
        if len(firm_codes) != 1:
            raise typer.BadParameter("name one firm code to follow", param_hint="--firm-code")
        for changed in depot.follow(target, firm_codes[0]):
            _say([changed])


def report_lost(
    url: UrlOption,
    ticket: TicketOption,
    serial: Annotated[str, typer.Option(help="The serial of the lost container.")],
    reason: Annotated[str | None, typer.Option(help="What happened.", show_default=False)] = None,
) -> None:
    """Report that a container is lost or broken, so that its licences can be collected elsewhere."""
    with BlockingDepotClient(url) as depot:
        for firm_code, decision in depot.report_lost(ticket, serial, reason=reason).items():
            number = "" if decision.approval_id is None else f" ({decision.approval_id})"
            typer.echo(f"firm code {firm_code}: {decision.state}{number}")


def _say(transferred: Iterable[Collected]) -> None:
    for firm in transferred:
        confirmed = "confirmed" if firm.confirmed else "not confirmed yet: run the same command again"
        typer.echo(f"firm code {firm.firm_code}: {firm.applied} step(s) imported, {confirmed}")
        for entry in firm.listing:
            typer.echo(f"  {entry.item_number}  product code {entry.product_code}  quantity {entry.quantity}")
