"""`opendepot audit verify|head|list`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from licensing.audit import SealingKey, Verification, read_head, render_head, verify_audit
from licensing.errors import AuditHeadInvalid
from server.cli.common import ConfigOption, JsonOption, print_json, with_config
from storage.audit import ListAudit, LoadAuditHead

app = typer.Typer(no_args_is_help=True, help="The audit trail: who did what, chained and signed.")


@app.command()
def verify(
    head: Annotated[
        Path | None,
        typer.Option(help="A head that `opendepot audit head` wrote earlier; the chain must lead through it."),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  an option is named on the command line
) -> None:
    """Walk the chain and say what is missing, changed or added. Exit code 1 when anything is."""
    kept = None if head is None else read_head(_read(head))
    found = with_config(
        config,
        lambda core: verify_audit(
            core.storage,
            public_key=core.audit_key.public_key,
            earlier=[SealingKey(seed).public_key for seed in core.vault.seeds("audit")],
            kept=kept,
        ),
    )
    if as_json:
        print_json(
            {
                "whole": found.whole,
                "sealed": found.sealed,
                "unsealed": found.unsealed,
                "erased": found.erased,
                "head": {"position": found.head.position, "sealed_at": found.head.sealed_at.isoformat()},
                "first_broken": found.problems[0].position if found.problems else None,
                "problems": [asdict(problem) for problem in found.problems],
            }
        )
    else:
        _tell(found)
    if not found.whole:
        raise typer.Exit(1)


@app.command("head")
def head_(config: ConfigOption = None) -> None:
    """Print the signed head of the chain. Keep it elsewhere: it shows a database that was put back or rewritten."""
    typer.echo(render_head(with_config(config, lambda core: core.storage.query(LoadAuditHead()))))


@app.command("list")
def list_(
    subject: Annotated[
        str | None,
        typer.Option(help="Only rows about this: an order id, SERIAL/FIRM CODE, an item, a shop.", show_default=False),
    ] = None,
    action: Annotated[
        str | None, typer.Option(help="Only rows of this action, such as CreateOrder.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most rows.")] = 50,
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002  an option is named on the command line
) -> None:
    """List audit rows, the newest first."""
    query = ListAudit(limit=limit, subject=subject, action=action)
    entries = with_config(config, lambda core: core.storage.query(query))
    if as_json:
        print_json(
            [
                {**asdict(entry.row), "at": entry.row.at.isoformat(), "id": entry.audit_id, "erased": entry.erased}
                | {"sealed": entry.seal is not None}
                for entry in entries
            ]
        )
        return
    for entry in entries:
        row = entry.row
        state = "erased" if entry.erased else "" if entry.seal else "unsealed"
        typer.echo(
            f"{row.at:%Y-%m-%d %H:%M:%S}  {row.actor}  {row.action}  {row.subject}  {row.details}  {state}".rstrip()
        )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AuditHeadInvalid(f"cannot read {path}: {error}") from None


def _tell(found: Verification) -> None:
    typer.echo(f"{found.sealed} rows sealed, {found.unsealed} wait for the sealer, {found.erased} with details erased")
    if found.head.position:
        typer.echo(f"head {found.head.position}, signed {found.head.sealed_at:%Y-%m-%d %H:%M:%S} UTC")
    for problem in found.problems:
        where = "" if problem.position is None else f"position {problem.position}: "
        row = "" if problem.audit_id is None else f" (row {problem.audit_id})"
        typer.echo(f"{where}{problem.kind}: {problem.message}{row}")
    typer.echo("the chain is whole" if found.whole else "the chain is broken; the first problem says where")
