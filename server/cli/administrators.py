"""`opendepot admin add`."""

from typing import Annotated

import typer

from server.cli.common import ConfigOption, JsonOption, print_json, with_config

app = typer.Typer(no_args_is_help=True, help="Who may use the Admin interface.")


@app.callback()
def group() -> None:
    """Who may use the Admin interface."""


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The administrator's name, for the history.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  an option is named on the command line
) -> None:
    """Let somebody use the Admin interface and print the API key: now, and never again."""
    api_key = with_config(config, lambda core: core.catalogue.add_administrator(name))
    if as_json:
        print_json({"name": name, "api_key": api_key})
        return
    typer.echo(f"added administrator {name}\nAPI key, shown this once: {api_key}")
