"""`opendepot customer erase`."""

from typing import Annotated

import typer

from licensing.erasure import Erasure
from server.cli.common import ConfigOption, JsonOption, print_json, with_config
from server.core import Core, utc_now
from storage.erasure import ErasableOrder

app = typer.Typer(no_args_is_help=True, help="Personal data of customers.")
OrderNumberOption = Annotated[
    str | None, typer.Option(help="Of the orders with this number; with --shop of that shop's.", show_default=False)
]
CustomerOption = Annotated[
    bool,
    typer.Option(
        "--customer",
        help="Of all orders of a customer. Name, company, e-mail address or number is asked for, or read from "
        "standard input, so that it stands in no list of processes.",
    ),
]
CompactOption = Annotated[
    bool,
    typer.Option(
        "--compact", help="Then rewrite the database, so that nothing is left in its files. It is locked meanwhile."
    ),
]


@app.callback()
def group() -> None:
    """Personal data of customers."""


@app.command()
def erase(
    *,
    order_id: Annotated[str | None, typer.Option(help="Of the order with this id.", show_default=False)] = None,
    order_number: OrderNumberOption = None,
    shop: Annotated[str | None, typer.Option(help="The name of the shop.", show_default=False)] = None,
    customer: CustomerOption = False,
    compact: CompactOption = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase the personal data of orders, for ever. Licences stay, and the audit chain stays whole."""
    if (order_id is not None) + (order_number is not None) + customer != 1:
        raise typer.BadParameter("give one of --order-id, --order-number and --customer")
    value = typer.prompt("Name, company, e-mail address or number", hide_input=False, err=True) if customer else ""

    async def find(core: Core) -> tuple[ErasableOrder, ...]:
        erasure = _erasure(core)
        if customer:
            return await erasure.find_customer(value)
        return await erasure.find(order_id=order_id, order_number=order_number, shop=shop)

    found = with_config(config, find)
    if not yes:
        for order in found:
            typer.echo(f"order {order.order_id} of {order.created_at:%Y-%m-%d}", err=True)
        typer.confirm(f"Erase the personal data of {len(found)} orders for ever?", abort=True, err=True)

    async def run(core: Core) -> int:
        count = await _erasure(core).erase(found)
        if compact:
            await core.storage.forget(thorough=True)
        return count

    count = with_config(config, run)
    if as_json:
        print_json({"erased": count, "erased_before": len(found) - count})
        return
    typer.echo(f"erased the personal data of {count} orders; of {len(found) - count} it was erased before")


def _erasure(core: Core) -> Erasure:
    return Erasure(storage=core.storage, vault=core.vault, clock=utc_now)
