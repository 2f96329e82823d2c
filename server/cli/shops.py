"""`opendepot shop add`."""

from typing import Annotated

import typer

from server.cli.common import ConfigOption, JsonOption, print_json, with_config

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
