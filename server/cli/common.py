"""What the verbs of the server share: the settings file, the open core, plain output."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar

import typer

from server.core import Core, opened_core
from server.settings import Settings, load_settings

ResultT = TypeVar("ResultT")
RowT = TypeVar("RowT")

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="OPENDEPOT_CONFIG",
        help="The settings file that `opendepot init` wrote, or OPENDEPOT_CONFIG.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def with_core(settings: Settings, work: Callable[[Core], Awaitable[ResultT]]) -> ResultT:
    """Open the core, do the work, close it."""

    async def run() -> ResultT:
        async with opened_core(settings) as core:
            return await work(core)

    return asyncio.run(run())


def with_config(config: Path | None, work: Callable[[Core], Awaitable[ResultT]]) -> ResultT:
    """Do work on the core that a settings file describes."""
    return with_core(load_settings(config), work)


def print_json(value: Any) -> None:
    """Print a value as JSON, for scripts."""
    typer.echo(json.dumps(value, indent=2, default=str))


def print_rows(
    rows: Iterable[RowT], *, as_json: bool, described: Callable[[RowT], object], line: Callable[[RowT], str]
) -> None:
    """Print rows: all as one JSON array, or a line each for people."""
    if as_json:
        print_json([described(row) for row in rows])
        return
    for row in rows:
        typer.echo(line(row))


class Tried(Protocol):
    """What is tried again and again until it is done or given up."""

    @property
    def attempts(self) -> int:
        """How often it was tried."""
        ...

    @property
    def due_at(self) -> datetime:
        """When it is tried next."""
        ...

    @property
    def last_failure(self) -> str | None:
        """Why it did not work, None where it has not failed."""
        ...


def tries(row: Tried) -> str:
    """Say how often something was tried, when it is due, and why it failed last."""
    failure = f"  {row.last_failure}" if row.last_failure else ""
    return f"{row.attempts} tries, due {row.due_at:%Y-%m-%d %H:%M:%S}{failure}"


def refuse_unless_one_or_all(chosen: str | None, *, every: bool, named: str) -> None:
    """Raise BadParameter unless either one is named or --all is given."""
    if (chosen is None) is not every:
        raise typer.BadParameter(f"give the id of {named}, or --all")
