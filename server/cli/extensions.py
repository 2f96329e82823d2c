"""`opendepot extension list|show|retry`."""

from typing import Annotated

import typer

from licensing.extensions.operating import ExtensionDesk, ShownExtension
from server.cli.common import (
    ConfigOption,
    JsonOption,
    print_json,
    print_rows,
    refuse_unless_one_or_all,
    tries,
    with_config,
)
from server.core import Core, utc_now
from storage.extensions import ExtensionRow

app = typer.Typer(no_args_is_help=True, help="Extensions of licences that were asked of OZOMM.")

ExtensionArgument = Annotated[
    str, typer.Argument(metavar="EXTENSION", help="The extension's id, as `extension list` shows it.")
]


@app.command("list")
def list_(
    state: Annotated[str | None, typer.Option(help="Only Pending, Extended or Refused.", show_default=False)] = None,
    stuck: Annotated[bool, typer.Option("--stuck", help="Only those that somebody has to mend.")] = False,  # noqa: FBT002  an option is named on the command line
    limit: Annotated[int, typer.Option(min=1, help="Most extensions.")] = 100,
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  as above
) -> None:
    """List extensions, newest first. Tickets and customers are not shown."""
    step = "stuck" if stuck else None
    found = with_config(config, lambda core: _desk(core).list(state=state, step=step, limit=limit))
    print_rows(found, as_json=as_json, described=_described, line=_line)


@app.command()
def show(
    extension: ExtensionArgument,
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  as above
) -> None:
    """Show an extension: its licences, what was decided, its orders. Of the ticket the last five symbols are shown."""
    found = with_config(config, lambda core: _desk(core).show(extension))
    values = {**_described(found.row), **_details(found)}
    if as_json:
        print_json(values)
        return
    for name, value in values.items():
        typer.echo(f"{name}: {'-' if value is None else value}")


@app.command()
def retry(
    extension: Annotated[
        str | None, typer.Argument(metavar="EXTENSION", help="The extension's id.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All that are stuck.")] = False,  # noqa: FBT002  as above
    config: ConfigOption = None,
) -> None:
    """Go on with an extension now: one that waits, or that is stuck and whose cause was mended."""
    refuse_unless_one_or_all(extension, every=every, named="an extension")
    count = with_config(config, lambda core: _desk(core).retry(extension))
    typer.echo(f"{count} to be gone on with")


def _desk(core: Core) -> ExtensionDesk:
    return ExtensionDesk(storage=core.storage, vault=core.vault, clock=utc_now)


def _line(row: ExtensionRow) -> str:
    return f"{row.extension_id}  {row.state}  at {row.step}  {tries(row)}"


def _described(row: ExtensionRow) -> dict[str, object]:
    return {
        "extension_id": row.extension_id,
        "state": row.state,
        "step": row.step,
        "attempts": row.attempts,
        "due_at": row.due_at.isoformat(),
        "leased_until": None if row.lease_until is None else row.lease_until.isoformat(),
        "last_failure": row.last_failure,
        "created_at": row.created_at.isoformat(),
        "changed_at": row.changed_at.isoformat(),
    }


def _details(found: ShownExtension) -> dict[str, object]:
    content = found.content
    if content is None:
        return {"erased": True}
    return {
        "transaction_id": content.transaction_id,
        "ticket": f"...-{found.ticket_ending}",
        "reason": content.reason.value,
        "licenses": [each.license_id for each in content.licenses],
        "items": None if content.approved is None else dict(content.approved),
        "order_id": content.extension_order_id,
        "provisional_order_id": content.bridge_order_id,
        "wished_days": content.days,
        "wished_quantity": content.quantity,
    }
