"""`opendepot keys rotate|list|check|retire`."""

import asyncio
import secrets
from datetime import datetime
from typing import Annotated, Any

import typer

from server.cli.common import ConfigOption, JsonOption, print_json, with_core
from server.cli.doctor import PROBLEMS, tell
from server.core import Core, utc_now
from server.errors import SettingsError
from server.keys.counting import Dependents, count_dependents, dependents_of, load_view
from server.keys.files import read_rings
from server.keys.keeper import ALIVE
from server.keys.rotating import Rotated, Rotating
from server.operating.installation import Installation, secret_findings
from server.operating.keys import key_findings, unopened_finding
from server.operating.report import Finding, Level, problem
from server.settings import Settings, load_settings
from storage.errors import StorageError
from storage.keys import KeyKind, KeyRow, KeyState
from storage.maintenance.links import open_link

WAIT_SECONDS = 90.0

app = typer.Typer(no_args_is_help=True, help="Peppers and sealing keys: replace them while servers run.")

KindArgument = Annotated[
    KeyKind,
    typer.Argument(
        metavar="KIND",
        help="sealing-key: what tickets, answers and personal data are encrypted with; pepper: what hashes of "
        "credentials are made with.",
    ),
]


@app.command()
def rotate(
    kind: KindArgument = KeyKind.SEALING_KEY,
    wait: Annotated[float, typer.Option(help="Most seconds to wait for all processes that serve.")] = WAIT_SECONDS,
    config: ConfigOption = None,
) -> None:
    """Make a new key, put it in use once every server has it, and renew what older keys made.

    Servers go on serving. Run it again after it was broken off, or when a node did not have the new key in time: it
    goes on where it stopped. The old key still opens; `opendepot keys retire` takes it away later.
    """
    settings = load_settings(config)
    done = with_core(settings, lambda core: _rotating(settings, core, wait=wait).rotate(kind))
    _tell_rotated(kind, done)
    if done.renewal.unopened:
        raise typer.Exit(PROBLEMS)


@app.command()
def retire(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="The id of a key that merely opens.")],
    config: ConfigOption = None,
) -> None:
    """Take a key away on which nothing depends any more, from the database and from the file of this node.

    Backups that were made while it was in use can be restored with it only: keep a copy of it apart as long as those.
    """
    settings = load_settings(config)
    row = with_core(settings, lambda core: _rotating(settings, core, wait=0.0).retire(key_id))
    typer.echo(
        f"{row.kind.value} {row.key_id} is gone; copy the file to the other nodes, and keep the old one with the "
        "backups that need it"
    )


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002  an option is named
    """List keys by their ids: their states, their ages, how many rows depend on each, who has them; never the keys."""
    settings = load_settings(config)
    listed = asyncio.run(_listed(settings, utc_now()))
    if as_json:
        print_json(listed)
        return
    for key in listed["keys"]:
        since = "made before keys had ids" if key["days"] is None else f"{key['days']} days old"
        typer.echo(
            f"{key['kind']:12}  {key['key']}  {key['state']:8}  {since}; needed for {key['needed_for'] or 'nothing'}"
        )
    for holder in listed["processes"]:
        typer.echo(f"{holder['process']} has {', '.join(holder['holds'])}")


@app.command()
def check(config: ConfigOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002  an option is named
    """Look for keys that are missing or open to others, and open every sealed value. Changes nothing.

    Exit code 0: no problem (there may be warnings); 3: at least one problem.
    """
    here = Installation(settings=load_settings(config), config=config, now=utc_now())
    findings = asyncio.run(_checked(here))
    if as_json:
        print_json([finding.described() for finding in findings])
    else:
        for finding in findings:
            tell(finding)
    if any(finding.level is Level.PROBLEM for finding in findings):
        raise typer.Exit(PROBLEMS)


def _rotating(settings: Settings, core: Core, *, wait: float) -> Rotating:
    return Rotating(
        settings,
        storage=core.storage,
        vault=core.vault,
        keeper=core.keys,
        clock=utc_now,
        random=secrets.token_bytes,
        tell=typer.echo,
        wait_seconds=wait,
    )


def _tell_rotated(kind: KeyKind, done: Rotated) -> None:
    typer.echo(f"{kind.value} {done.key_id} is in use; {done.renewal.renewed} rows were renewed")
    if done.renewal.unopened:
        typer.echo(
            f"{done.renewal.unopened} sealed values open with no key: {', '.join(done.renewal.named)}; "
            "`opendepot keys check` tells more"
        )
    elif kind is KeyKind.SEALING_KEY:
        typer.echo(
            "next: copy the Firm Security Box to the other nodes; `opendepot keys list` shows when the old may go"
        )
    else:
        typer.echo("hashes of API keys and usernames are renewed at their next use; `opendepot keys list` counts them")


async def _listed(settings: Settings, now: datetime) -> dict[str, Any]:
    rings = read_rings(settings)
    link = await open_link(settings.database)
    try:
        view, counts = await load_view(link), await count_dependents(link)
    finally:
        await link.close()
    known = {row.key_id for row in view.keys}
    only_in_files = [
        KeyRow(
            key_id=key.name,
            kind=kind,
            state=KeyState.ACTIVE if key.first else KeyState.ADDED,
            is_first=key.first,
            made_at=key.made_at,
        )
        for kind in KeyKind
        for key in rings[kind]
        if key.name not in known
    ]
    keys = sorted([*only_in_files, *view.keys], key=lambda row: (row.kind, row.made_at, row.key_id))
    return {
        "keys": [_described(row, dependents_of(counts, rings[row.kind], row.kind, row.key_id), now) for row in keys],
        "processes": [
            {"process": holder.process, "node": holder.node, "holds": list(holder.holds)}
            for holder in view.holders
            if now - holder.seen_at < ALIVE
        ],
    }


def _described(row: KeyRow, found: Dependents, now: datetime) -> dict[str, Any]:
    return {
        "kind": row.kind.value,
        "key": row.key_id,
        "state": row.state.value,
        "days": None if row.is_first else (now - row.made_at).days,
        "rows": found.rows,
        "places": dict(found.places),
        "needed_for": "" if not found.rows else found.told(),
    }


async def _checked(here: Installation) -> list[Finding]:
    findings = list(secret_findings(here))
    try:
        link = await open_link(here.settings.database)
        try:
            findings += [finding async for finding in key_findings(here, link, thorough=True)]
        finally:
            await link.close()
    except (StorageError, SettingsError) as error:
        findings.append(problem("database", str(error), mend=here.command("doctor")))
        return findings
    return [*findings, await unopened_finding(here)]
