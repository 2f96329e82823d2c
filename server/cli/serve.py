"""`opendepot serve`."""

import asyncio
from typing import Annotated

import typer

from server.cli.common import ConfigOption
from server.listener import serve_until_told
from server.settings import load_settings


def serve(
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="Address of the SOAP services.", show_default=False)] = None,
    port: Annotated[
        int | None, typer.Option(help="Port of the SOAP services; 0: a free one.", show_default=False)
    ] = None,
    admin_port: Annotated[
        int | None, typer.Option(help="Port of /healthz, /readyz, /metrics; 0: a free one.", show_default=False)
    ] = None,
) -> None:
    """Serve the SOAP services until SIGTERM or Ctrl-C; running exchanges are finished first."""
    settings = load_settings(config, host=host, port=port, admin_port=admin_port)
    asyncio.run(serve_until_told(settings))
