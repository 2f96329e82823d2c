"""`opendepot shop add|rights|policy`."""

from typing import Annotated

import typer

from server.cli.common import ConfigOption, JsonOption, print_json, with_config
from storage.records import AccessPolicy

app = typer.Typer(no_args_is_help=True, help="Shops and ERP systems that may order.")


@app.callback()
def group() -> None:
    """Shops and ERP systems that may order."""


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The shop's name; HTTP Basic uses it as user name.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  an option is named on the command line
) -> None:
    """Add a shop and print its API key: now, and never again."""
    shop, api_key = with_config(config, lambda core: core.catalogue.add_shop(name))
    if as_json:
        print_json({"shop_id": shop.shop_id, "name": shop.name, "api_key": api_key})
        return
    typer.echo(f"added shop {shop.name}\nAPI key, shown this once: {api_key}")


@app.command()
def rights(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The shop's name.")],
    right: Annotated[
        list[str] | None,
        typer.Option(
            help="A right, once for each: extend-any (add to any ticket whose text the shop holds, and renew what "
            "other shops have ordered). Left out: none.",
            show_default=False,
        ),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Give a shop exactly these rights."""
    with_config(config, lambda core: core.catalogue.set_rights(name, tuple(right or ())))
    typer.echo(f"shop {name} has the rights: {' '.join(sorted(set(right or ()))) or 'none'}")


@app.command()
def policy(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The shop's name.")],
    what: Annotated[AccessPolicy, typer.Argument(metavar="POLICY", help="What proves the shop.")],
    config: ConfigOption = None,
) -> None:
    """Say what proves that a request comes from a shop: ip, credential, 'ip AND credential' or 'ip OR credential'."""
    with_config(config, lambda core: core.catalogue.set_policy(name, what))
    typer.echo(f"shop {name}: {what}")
