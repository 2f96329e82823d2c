"""`opendepot shop add|list|show|rights|policy|disable|enable`."""

from enum import StrEnum
from typing import Annotated

import typer

from ipfilters import Endpoint
from licensing.credentials import fingerprint_text
from server.cli.common import ConfigOption, JsonOption, print_json, with_config
from server.cli.filtering import YesOption, confirm_policy
from storage.commands import LoadFilters, ShopView
from storage.records import AccessPolicy, Credential

app = typer.Typer(no_args_is_help=True, help="Shops and ERP systems that may order.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The shop's name.")]
RightOption = Annotated[
    list[str] | None,
    typer.Option(
        help="A right, once for each: order; read (its own orders, and items); extend-any (add to any ticket whose "
        "text the shop holds, and renew what other shops have ordered); front (speak for others by OnBehalfOf); bulk "
        "(the updates of many containers).",
        show_default=False,
    ),
]


class Interface(StrEnum):
    """Where a policy holds."""

    SALES = "Sales"
    DEPOT = "Depot"


@app.callback()
def group() -> None:
    """Shops and ERP systems that may order."""


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The shop's name; HTTP Basic uses it as user name.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  an option is named on the command line
) -> None:
    """Add a shop with the rights order and read, and print its API key: now, and never again."""
    shop, api_key = with_config(config, lambda core: core.catalogue.add_shop(name))
    if as_json:
        print_json({"shop_id": shop.shop_id, "name": shop.name, "api_key": api_key})
        return
    typer.echo(f"added shop {shop.name}\nAPI key, shown this once: {api_key}")


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002  as above
    """List all shops with their rights and what proves them."""
    shops = with_config(config, lambda core: core.storage.query(LoadFilters())).shops
    if as_json:
        print_json(
            [
                {
                    "name": shop.name,
                    "active": shop.active,
                    "rights": shop.rights.split(),
                    "policy": shop.access_policy,
                    "depot_policy": shop.depot_policy,
                }
                for shop in shops
            ]
        )
        return
    for shop in shops:
        typer.echo(
            f"{shop.name}  {'' if shop.active else 'DISABLED  '}{shop.rights or 'no rights'}; "
            f"Sales {shop.access_policy}; Depot {shop.depot_policy}"
        )


@app.command()
def show(name: NameArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002  as above
    """Show a shop with its rights, policies and credentials; keys and secrets are not shown."""
    view = with_config(config, lambda core: core.credentials.show(name))
    if as_json:
        print_json(_as_values(view))
        return
    shop = view.shop
    typer.echo(f"shop {shop.name}{'' if shop.active else ', disabled'}, added {shop.created_at:%Y-%m-%d %H:%M} UTC")
    typer.echo(f"rights  {shop.rights or 'none'}")
    typer.echo(f"policy  Sales {shop.access_policy}; Depot {shop.depot_policy}")
    for credential in view.credentials:
        typer.echo(
            f"{credential.credential_id}  {credential.kind}  {_state(credential)}  {_words(credential)}".rstrip()
        )


def _state(credential: Credential) -> str:
    if credential.revoked_at is not None:
        return f"revoked {credential.revoked_at:%Y-%m-%d %H:%M} UTC"
    if credential.valid_until is not None:
        return f"until {credential.valid_until:%Y-%m-%d %H:%M} UTC"
    return "holds"


def _words(credential: Credential) -> str:
    mark = "" if credential.material is None else f" sha256:{fingerprint_text(credential.material)}"
    return credential.label + mark


def _as_values(view: ShopView) -> dict[str, object]:
    return {
        "name": view.shop.name,
        "active": view.shop.active,
        "rights": view.shop.rights.split(),
        "policy": view.shop.access_policy,
        "depot_policy": view.shop.depot_policy,
        "credentials": [
            {
                "credential_id": one.credential_id,
                "kind": one.kind,
                "label": one.label,
                "fingerprint": None if one.material is None else fingerprint_text(one.material),
                "created_at": one.created_at.isoformat(),
                "valid_until": None if one.valid_until is None else one.valid_until.isoformat(),
                "revoked_at": None if one.revoked_at is None else one.revoked_at.isoformat(),
            }
            for one in view.credentials
        ],
    }


@app.command()
def rights(name: NameArgument, right: RightOption = None, config: ConfigOption = None) -> None:
    """Give a shop exactly these rights."""
    with_config(config, lambda core: core.catalogue.set_rights(name, tuple(right or ())))
    typer.echo(f"shop {name} has the rights: {' '.join(sorted(set(right or ()))) or 'none'}")


@app.command()
def policy(
    name: NameArgument,
    what: Annotated[AccessPolicy, typer.Argument(metavar="POLICY", help="What proves the shop.")],
    at: Annotated[Interface, typer.Option(help="Where: Sales or Depot.")] = Interface.SALES,
    yes: YesOption = False,  # noqa: FBT002  an option
    config: ConfigOption = None,
) -> None:
    """Say what proves a shop: ip, credential, mtls, signature, 'ip AND mtls', 'ip OR credential', and so on.

    Asks before a change that would let the shop in no more.
    """
    confirm_policy(name, what, endpoint=Endpoint(at.value), yes=yes, config=config)
    if at is Interface.SALES:
        with_config(config, lambda core: core.catalogue.set_policy(name, what))
    else:
        with_config(config, lambda core: core.credentials.set_depot_policy(name, what))
    typer.echo(f"shop {name}: {what}{'' if at is Interface.SALES else ' at the Depot'}")


@app.command()
def disable(name: NameArgument, config: ConfigOption = None) -> None:
    """Let a shop in no more, whatever it proves; tickets it has sold can still be collected."""
    with_config(config, lambda core: core.credentials.set_active(name, active=False))
    typer.echo(f"shop {name} is disabled; `opendepot shop enable {name}` lets it in again")


@app.command()
def enable(name: NameArgument, config: ConfigOption = None) -> None:
    """Let a shop in again that was disabled."""
    with_config(config, lambda core: core.credentials.set_active(name, active=True))
    typer.echo(f"shop {name} is enabled")
