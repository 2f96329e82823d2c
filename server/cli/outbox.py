"""`opendepot outbox list|retry|drop`."""

from typing import Annotated

import typer

from licensing.outbox import Outbox
from server.cli.common import ConfigOption, JsonOption, print_rows, refuse_unless_one_or_all, tries, with_config
from server.core import Core, utc_now
from storage.outbox import OutboxRow

app = typer.Typer(no_args_is_help=True, help="Messages to others, such as webhooks, that wait or were given up.")

MessageArgument = Annotated[str, typer.Argument(metavar="MESSAGE", help="The message's id, as `outbox list` shows it.")]


@app.command("list")
def list_(
    dead: Annotated[bool, typer.Option("--dead", help="Only those that were given up.")] = False,  # noqa: FBT002  an option is named on the command line
    limit: Annotated[int, typer.Option(min=1, help="Most messages.")] = 100,
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  as above
) -> None:
    """List messages that were not delivered yet, in the order of their delivery. Their content is not shown."""
    found = with_config(config, lambda core: _outbox(core).list(dead=dead, limit=limit))
    print_rows(found, as_json=as_json, described=_described, line=_line)


@app.command()
def retry(
    message: Annotated[
        str | None, typer.Argument(metavar="MESSAGE", help="The message's id.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All that were given up.")] = False,  # noqa: FBT002  as above
    config: ConfigOption = None,
) -> None:
    """Try a message again now, with its tries counted anew. Those that it kept back follow it."""
    refuse_unless_one_or_all(message, every=every, named="a message")
    count = with_config(config, lambda core: _outbox(core).retry(message))
    typer.echo(f"{count} to be tried again")


@app.command()
def drop(
    message: MessageArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,  # noqa: FBT002  as above
    config: ConfigOption = None,
) -> None:
    """Take a message away undelivered, for ever. Those that it kept back follow."""
    if not yes:
        typer.confirm("The receiver will never get this message. Drop it?", abort=True)
    with_config(config, lambda core: _outbox(core).drop(message))
    typer.echo("dropped")


def _outbox(core: Core) -> Outbox:
    return Outbox(storage=core.storage, clock=utc_now)


def _line(row: OutboxRow) -> str:
    message = row.message
    return (
        f"{message.message_id}  {message.channel}  {message.kind}  {row.state}  key {message.key} "
        f"number {row.number}  {tries(row)}"
    )


def _described(row: OutboxRow) -> dict[str, object]:
    return {
        "message_id": row.message.message_id,
        "channel": row.message.channel,
        "kind": row.message.kind,
        "key": row.message.key,
        "number": row.number,
        "order_id": row.message.order_id,
        "state": row.state.value,
        "attempts": row.attempts,
        "due_at": row.due_at.isoformat(),
        "last_failure": row.last_failure,
        "created_at": row.message.created_at.isoformat(),
    }
