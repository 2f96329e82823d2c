"""`opendepot admin add|list|revoke`."""

from typing import Annotated

import typer

from licensing.rights import ADMIN_ALL
from server.cli.common import ConfigOption, JsonOption, print_json, with_config

app = typer.Typer(no_args_is_help=True, help="Who may use the Admin interface.")


@app.callback()
def group() -> None:
    """Who may use the Admin interface."""


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The administrator's name, for the history.")],
    role: Annotated[
        list[str] | None,
        typer.Option(
            help="A role, once for each: read, support (tickets and containers), security (shops and filters), all. "
            "Left out: all.",
            show_default=False,
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  an option is named on the command line
) -> None:
    """Let somebody use the Admin interface and print the API key: now, and never again."""
    roles = tuple(role or (ADMIN_ALL,))
    api_key = with_config(config, lambda core: core.catalogue.add_administrator(name, roles=roles))
    if as_json:
        print_json({"name": name, "roles": sorted(set(roles)), "api_key": api_key})
        return
    typer.echo(f"added administrator {name}\nAPI key, shown this once: {api_key}")


@app.command("list")
def list_(config: ConfigOption = None) -> None:
    """List those who may use the Admin interface, and their roles."""
    for found in with_config(config, lambda core: core.catalogue.list_administrators()):
        typer.echo(f"{found.name}  {found.roles}")


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The administrator's name.")],
    config: ConfigOption = None,
) -> None:
    """Let somebody use the Admin interface no more."""
    with_config(config, lambda core: core.catalogue.revoke_administrator(name))
    typer.echo(f"administrator {name} is let in no more")
