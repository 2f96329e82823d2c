"""What the verbs of the server share: the settings file, the open core, plain output."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from server.core import Core, opened_core
from server.settings import Settings, load_settings

ResultT = TypeVar("ResultT")

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
