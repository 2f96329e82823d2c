"""`opendepot item add|update|show|list`."""

from dataclasses import asdict
from typing import Annotated

import typer

from licensing.allowances import Allowances
from licensing.collecting import written_rules
from licensing.options import written_options
from server.cli.common import ConfigOption, JsonOption, print_json, with_config
from storage.records import Item

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


@app.command()
def update(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="The article number.")],
    *,
    option: Annotated[
        list[str] | None, typer.Option(help="name=value, as for item add; sets this option.", show_default=False)
    ] = None,
    rule: Annotated[
        list[str] | None, typer.Option(help="name=value, as for item add; sets this rule.", show_default=False)
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="The name of an option or rule that goes.", show_default=False)
    ] = None,
    sold: Annotated[
        bool | None, typer.Option("--sold/--not-sold", help="Whether shops may order it.", show_default=False)
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Change an article for what is ordered from now on; what was bought stays as it is."""
    item = with_config(
        config,
        lambda core: core.catalogue.update_item(
            number, options=tuple(option or ()), rules=tuple(rule or ()), without=tuple(without or ()), active=sold
        ),
    )
    _print(item)


@app.command()
def show(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="The article number.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  an option is named on the command line
) -> None:
    """Show an article with its options and rules, sold or not."""
    item = with_config(config, lambda core: core.catalogue.show_item(number))
    if as_json:
        print_json(asdict(item))
        return
    _print(item)


def _print(item: Item) -> None:
    sold = "sold" if item.active else "not sold"
    typer.echo(f"{item.item_number}  firm code {item.firm_code}  product code {item.product_code}  {sold}")
    for pair in written_options(item.options):
        typer.echo(f"  option {pair}")
    for pair in written_rules(item.rules):
        typer.echo(f"  rule {pair}")


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002  an option is named on the command line
    """List all articles."""
    items = with_config(config, lambda core: core.catalogue.list_items())
    if as_json:
        print_json([asdict(item) for item in items])
        return
    for item in items:
        typer.echo(f"{item.item_number}  firm code {item.firm_code}  product code {item.product_code}  {item.options}")
