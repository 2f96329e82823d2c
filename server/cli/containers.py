"""`opendepot container history|accept|lost|block|unblock` and `opendepot approval list|decide`, for support.

They join the licensee's verbs under `container`, which work on a container's file; these work on the server's database.
"""

import getpass
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from containers import parse_state
from opendepot.cli.offline import read
from server.cli.common import ConfigOption, JsonOption, print_json, print_rows, with_config
from storage.commands import ContainerHistory
from storage.records import Approval

approvals = typer.Typer(no_args_is_help=True, help="Reported losses that wait for a decision.")

SerialArgument = Annotated[str, typer.Argument(metavar="SERIAL", help="The container's serial.")]
FirmCodeOption = Annotated[int, typer.Option(help="The firm code; what is decided is decided for it alone.")]
ReasonOption = Annotated[str, typer.Option(help="Why; the audit keeps it.")]


def add_to(app: typer.Typer) -> None:
    """Put support's verbs beside those of the licensee."""
    for name, verb in (
        ("history", history),
        ("accept", accept),
        ("lost", lost),
        ("block", block),
        ("unblock", unblock),
    ):
        app.command(name)(verb)


def history(serial: SerialArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002  an option is named on the command line
    """Show what the server knows of a container: mark, licences, contexts, steps, decisions."""
    found = with_config(config, lambda core: core.losses.history(serial))
    if as_json:
        print_json([_described(one) for one in found])
        return
    for one in found:
        row = one.container
        typer.echo(
            f"container {row.serial}  firm code {row.firm_code}  {row.mark}{'  blocked' if one.blocked else ''}  "
            f"confirmed {_point(row.confirmed)}, end {_point(row.end)}"
        )
        for placement in one.placements:
            typer.echo(
                f"  licence {placement.license_id}: wanted {placement.wanted}, occupied {placement.occupied}, "
                f"confirmed {placement.confirmed}"
            )
        for context in one.contexts:
            typer.echo(
                f"  {context.received_at:%Y-%m-%d %H:%M:%S} context {context.export} at {_point(context.counter)}"
            )
        for step in one.steps:
            sent = "signed" if step.signed else "reserved"
            typer.echo(f"  {step.issued_at:%Y-%m-%d %H:%M:%S} step {step.kind} to {_point(step.counter)}, {sent}")
        for audit in one.audit:
            typer.echo(f"  {audit.at:%Y-%m-%d %H:%M:%S} {audit.action} by {audit.actor}  {audit.details}")


def accept(
    serial: SerialArgument,
    *,
    firm_code: FirmCodeOption,
    context: Annotated[Path, typer.Option(help="A context that the copy to be accepted has just exported.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the update file goes (.rau.xml).")],
    reason: ReasonOption,
    config: ConfigOption = None,
) -> None:
    """Accept one of two copies of a container; only it can load the update file, and its receipt makes it ok again."""
    data = read(context)
    update = with_config(
        config,
        lambda core: core.losses.accept(serial, firm_code, context=data, reason=reason, actor=_actor()),
    )
    output.write_bytes(update)
    typer.echo(f"{serial} is healing; import {output} into that copy and send the receipt")


def lost(serial: SerialArgument, firm_code: FirmCodeOption, reason: ReasonOption, config: ConfigOption = None) -> None:
    """Declare a container lost: all it holds is free at once, and it gets nothing until it has given that up."""
    with_config(config, lambda core: core.losses.declare_lost(serial, firm_code, reason=reason, actor=_actor()))
    typer.echo(f"{serial} is lost")


def block(serial: SerialArgument, reason: ReasonOption, config: ConfigOption = None) -> None:
    """Let a container get nothing, for any firm code. What it holds stays; receipts are still taken."""
    with_config(config, lambda core: core.losses.block(serial, reason=reason, actor=_actor()))
    typer.echo(f"{serial} is blocked")


def unblock(serial: SerialArgument, reason: ReasonOption, config: ConfigOption = None) -> None:
    """Take a block away."""
    with_config(config, lambda core: core.losses.unblock(serial, reason=reason, actor=_actor()))
    typer.echo(f"{serial} is not blocked")


@approvals.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002  an option is named on the command line
    """List the losses that wait for a decision."""
    found = with_config(config, lambda core: core.losses.list_approvals())
    print_rows(found, as_json=as_json, described=asdict, line=_waiting)


@approvals.command()
def decide(
    approval: Annotated[str, typer.Argument(metavar="APPROVAL", help="The id that `approval list` shows.")],
    *,
    approve: Annotated[bool, typer.Option("--approve/--deny", help="Free what the container holds, or do not.")],
    reason: ReasonOption,
    config: ConfigOption = None,
) -> None:
    """Decide about a reported loss."""
    decision = with_config(
        config,
        lambda core: core.losses.decide_approval(approval, approve=approve, reason=reason, actor=_actor()),
    )
    typer.echo(decision.state)


def _actor() -> str:
    return f"cli:{getpass.getuser()}"


def _waiting(one: Approval) -> str:
    return (
        f"{one.approval_id}  container {one.serial}  firm code {one.firm_code}  "
        f"since {one.requested_at:%Y-%m-%d %H:%M}  {one.reason or ''}".rstrip()
    )


def _point(counter: tuple[int, int]) -> str:
    return f"{counter[0]}.{counter[1]}"


def _described(one: ContainerHistory) -> dict[str, Any]:
    row = one.container
    return {
        "serial": row.serial,
        "firmCode": row.firm_code,
        "mark": row.mark,
        "blocked": one.blocked,
        "confirmed": row.confirmed,
        "end": row.end,
        "lostAt": row.lost_at,
        "holds": [asdict(entry) for entry in parse_state(row.confirmed_state)],
        "placements": [asdict(placement) for placement in one.placements],
        "contexts": [
            {"export": context.export, "counter": context.counter, "receivedAt": context.received_at}
            for context in one.contexts
        ],
        "steps": [{"counter": step.counter, "kind": step.kind, "issuedAt": step.issued_at} for step in one.steps],
        "audit": [asdict(audit) for audit in one.audit],
    }
