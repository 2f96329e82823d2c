"""`opendepot item add|update|show|list`."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from licensing.allowances import Allowances
from licensing.collecting import written_rules
from licensing.data import NO_DATA, Data, parse_data, without_data
from licensing.options import written_options
from server.cli.common import ConfigOption, JsonOption, print_json, with_config
from server.core import Core
from storage.records import Item

DataOption = Annotated[
    typer.FileText | None,
    typer.Option(
        "--data",
        help='A file of TOML, - for standard input: number = "text" or number = "base64:...", under [protected], '
        "[hidden] or [secret]; 128 fields of 256 bytes each. Kept encrypted, and never shown.",
        show_default=False,
    ),
]
LicenseOption = Annotated[
    list[str] | None,
    typer.Option(
        help="name=value, once for each: activationTime, expirationTime (a date, or add:365d), usagePeriod, "
        "maintenanceStart, maintenanceEnd, checkpoint (days), featureMap, unitCounter, text, customerInformation.",
        show_default=False,
    ),
]
ReturnsOption = Annotated[
    int | None, typer.Option(help="How often a licence may be given back; left out: always.", show_default=False)
]
ReturnDaysOption = Annotated[
    int | None,
    typer.Option(help="Days after which it may be given back once more.", show_default=False),
]
RestoreDaysOption = Annotated[
    int | None,
    typer.Option(help="Days after which it is replaced without an approval once more.", show_default=False),
]
RuleOption = Annotated[
    list[str] | None,
    typer.Option(
        help="name=value, once for each: containerKinds (some of Dongle,CmAct,Universal), dedicated (yes: each for "
        "one container, named when ordered), inseparable (yes: all of a ticket together), split (no: whole into "
        "one container), ticketDays (days from the order in which it can be collected).",
        show_default=False,
    ),
]

app = typer.Typer(no_args_is_help=True, help="The vendor's articles.")


@app.command()
def add(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="The article number that shops order by.")],
    *,
    firm_code: Annotated[int, typer.Option(help="The vendor's firm code.")],
    product_code: Annotated[int, typer.Option(help="The product code.")],
    option: LicenseOption = None,
    returns: ReturnsOption = None,
    return_days: ReturnDaysOption = None,
    restores: Annotated[int, typer.Option(help="How often a lost container is replaced without an approval.")] = 0,
    restore_days: RestoreDaysOption = None,
    data: DataOption = None,
    rule: RuleOption = None,
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
            data=_read_data(data),
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
    data: DataOption = None,
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
    fields = _read_data(data)

    async def updated(core: Core) -> tuple[Item, tuple[str, ...]]:
        item = await core.catalogue.update_item(
            number,
            options=tuple(option or ()),
            rules=tuple(rule or ()),
            without=tuple(without or ()),
            active=sold,
            data=fields,
        )
        return item, core.catalogue.data_of(item)

    _print(*with_config(config, updated))


@app.command()
def show(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="The article number.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  an option is named on the command line
) -> None:
    """Show an article with its options and rules, sold or not."""

    async def shown(core: Core) -> tuple[Item, tuple[str, ...]]:
        item = await core.catalogue.show_item(number)
        return item, core.catalogue.data_of(item)

    item, data = with_config(config, shown)
    if as_json:
        print_json({**_public(item), "data": list(data)})
        return
    _print(item, data)


def _read_data(source: typer.FileText | None) -> Data:
    return NO_DATA if source is None else parse_data(source.read())


def _public(item: Item) -> dict[str, object]:
    """Give an item as JSON values, without what is sealed in it."""
    return {**asdict(item), "options": json.dumps(without_data(json.loads(item.options)), sort_keys=True)}


def _print(item: Item, data: tuple[str, ...] = ()) -> None:
    sold = "sold" if item.active else "not sold"
    typer.echo(f"{item.item_number}  firm code {item.firm_code}  product code {item.product_code}  {sold}")
    for pair in written_options(item.options):
        typer.echo(f"  option {pair}")
    for pair in data:
        typer.echo(f"  data {pair}")
    for pair in written_rules(item.rules):
        typer.echo(f"  rule {pair}")


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002  an option is named on the command line
    """List all articles."""
    items = with_config(config, lambda core: core.catalogue.list_items())
    if as_json:
        print_json([_public(item) for item in items])
        return
    for item in items:
        options = _public(item)["options"]
        typer.echo(f"{item.item_number}  firm code {item.firm_code}  product code {item.product_code}  {options}")
