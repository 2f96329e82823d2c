"""`opendepot ozomm serve|check`."""

import asyncio
from contextlib import AsyncExitStack
from typing import Annotated

import typer

from server.cli.common import ConfigOption
from server.core import utc_now
from server.errors import SettingsError
from server.listener import serve_until_told
from server.ozomm.assembling import Assembler
from server.ozomm.configuration import load_configuration
from server.ozomm.example_crm import run_example
from server.process import run_loop
from server.settings import Settings, load_settings
from server.supervise.supervisor import supervise

app = typer.Typer(no_args_is_help=True, help="OZOMM, which extends licences that expire.")


@app.command()
def serve(
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="Address of OZOMM.", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(help="Port of OZOMM; 0: a free one.", show_default=False)] = None,
    admin_port: Annotated[
        int | None, typer.Option(help="Port of /healthz, /readyz, /metrics; 0: a free one.", show_default=False)
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Worker processes, replaced when they die; 0: serve in this process.", show_default=False),
    ] = None,
) -> None:
    """Serve OZOMM alone, until SIGTERM or Ctrl-C: as `opendepot serve` with services = ["ozomm"]."""
    command_line = {"host": host, "port": port, "admin_port": admin_port, "workers": workers, "services": ("ozomm",)}
    settings = load_settings(config, **command_line)
    if settings.workers:
        run_loop(supervise(config=config, command_line=command_line, settings=settings))
    else:
        run_loop(serve_until_told(settings))


@app.command()
def check(config: ConfigOption = None) -> None:
    """Read the file that `ozomm_file` names, open its secrets, and say what decides about which items."""
    settings = load_settings(config)
    if settings.ozomm_file is None:
        raise SettingsError("ozomm_file is not set, so no item is extended; see docs/how-to/connect-your-crm.md")
    for line in asyncio.run(_checked(settings)):
        typer.echo(line)


async def _checked(settings: Settings) -> list[str]:
    assert settings.ozomm_file is not None  # noqa: S101  the caller has looked
    configuration = load_configuration(settings.ozomm_file)
    async with AsyncExitStack() as stack:
        loop = asyncio.get_running_loop()
        await Assembler(
            configuration,
            folder=settings.ozomm_file.parent,
            stack=stack,
            clock=utc_now,
            monotonic=loop.time,
            told=lambda *_: None,
        ).rules()
    return [
        f"{', '.join(rule.items)}: {rule.eligibility} decides; while it is silent: {rule.when_silent.value}"
        for rule in configuration.rules
    ]


@app.command("example-crm")
def example_crm(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 9000,
    slow: Annotated[float, typer.Option(min=0, help="Seconds that it takes to answer.")] = 0.0,
    down: Annotated[bool, typer.Option("--down", help="Answer every question with HTTP 503.")] = False,  # noqa: FBT002  an option is named on the command line
) -> None:
    """Run a CRM to try OZOMM with: it lets everybody extend but those whose ticket ends with 0, and makes an offer."""
    asyncio.run(run_example(port=port, slow_seconds=slow, down=down, say=typer.echo))
