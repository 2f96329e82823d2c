"""`opendepot ticket show|trace`."""

from dataclasses import asdict
from typing import Annotated

import typer

from licensing.overview import TicketDetails
from server.cli.common import ConfigOption, JsonOption, print_json, with_config

app = typer.Typer(no_args_is_help=True, help="Tickets, for support.")


@app.callback()
def group() -> None:
    """Tickets, for support."""


@app.command()
def show(
    ticket: Annotated[str, typer.Argument(metavar="TICKET", help="The ticket.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  an option is named on the command line
) -> None:
    """Show a ticket's orders, licences and containers."""
    details = with_config(config, lambda core: core.depot.show_ticket(ticket))
    if as_json:
        print_json(asdict(details))
        return
    _print_details(details)


@app.command()
def trace(
    ticket: Annotated[str, typer.Argument(metavar="TICKET", help="The ticket.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  an option is named on the command line
) -> None:
    """Tell the whole life of a ticket: what stands now, and everything that happened, oldest first."""
    life = with_config(config, lambda core: core.tracer.trace(ticket))
    if as_json:
        print_json(asdict(life))
        return
    _print_details(life.now)
    typer.echo("")
    for event in life.history:
        reason = "" if event.reason is None else f"  reason: {event.reason}"
        told = "".join(f"  {name} {value}" for name, value in event.details.items())
        typer.echo(f"{event.at:%Y-%m-%d %H:%M:%S}  {event.actor}  {event.action}  {event.subject}{told}{reason}")


def _print_details(details: TicketDetails) -> None:
    typer.echo(f"ticket ...{details.ending}, made {details.created_at:%Y-%m-%d %H:%M} UTC")
    for order_id, order_number, at in details.orders:
        typer.echo(f"order {order_id}  number {order_number or '-'}  {at:%Y-%m-%d %H:%M}")
    for license_ in details.overview.licenses:
        typer.echo(
            f"licence {license_.license_id}  {license_.item_number}  firm code {license_.firm_code}  "
            f"{license_.state}: {license_.collected} of {license_.quantity}, {license_.confirmed} confirmed"
        )
    for placement in details.placements:
        typer.echo(
            f"container {placement.serial} ({placement.mark})  {placement.item_number}  {placement.state}: "
            f"wanted {placement.wanted}, occupied {placement.occupied}, confirmed {placement.confirmed}"
        )
