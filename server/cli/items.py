"""`opendepot item add|list`."""

from dataclasses import asdict
from typing import Annotated

import typer

from licensing.allowances import Allowances
from server.cli.common import ConfigOption, JsonOption, print_json, with_config

app = typer.Typer(no_args_is_help=True, help="The vendor's articles.")


@app.command()
def add(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="The article number that shops order by.")],
    *,
    firm_code: Annotated[int, typer.Option(help="The vendor's firm code.")],
    product_code: Annotated[int, typer.Option(help="The product code.")],
    option: Annotated[
        list[str] | None,
        typer.Option(
            help="name=value, once for each: activationTime, expirationTime (a date, or add:365d), usagePeriod, "
            "maintenanceStart, maintenanceEnd, checkpoint (days), featureMap, unitCounter, text, customerInformation.",
            show_default=False,
        ),
    ] = None,
    returns: Annotated[
        int | None, typer.Option(help="How often a licence may be given back; left out: always.", show_default=False)
    ] = None,
    return_days: Annotated[
        int | None,
        typer.Option(help="Days after which it may be given back once more.", show_default=False),
    ] = None,
    restores: Annotated[int, typer.Option(help="How often a lost container is replaced without an approval.")] = 0,
    restore_days: Annotated[
        int | None,
        typer.Option(help="Days after which it is replaced without an approval once more.", show_default=False),
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            help="name=value, once for each: containerKinds (some of Dongle,CmAct,Universal), dedicated (yes: each for "
            "one container, named when ordered), inseparable (yes: all of a ticket together), split (no: whole into "
            "one container), ticketDays (days from the order in which it can be collected).",
            show_default=False,
        ),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Add an article."""
    allowances = Allowances(returns=returns, return_days=return_days, restores=restores, restore_days=restore_days)
    item = with_config(
        config,
        lambda core: core.catalogue.add_item(
            item_number=number,
            firm_code=firm_code,
            product_code=product_code,
            options=tuple(option or ()),
            allowances=allowances,
            rules=tuple(rule or ()),
        ),
    )
    typer.echo(f"added item {item.item_number}")


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002  an option is named on the command line
    """List all articles."""
    items = with_config(config, lambda core: core.catalogue.list_items())
    if as_json:
        print_json([asdict(item) for item in items])
        return
    for item in items:
        typer.echo(f"{item.item_number}  firm code {item.firm_code}  product code {item.product_code}  {item.options}")
