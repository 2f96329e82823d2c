"""`opendepot serve`."""

from typing import Annotated

import typer

from server.cli.common import ConfigOption
from server.listener import serve_until_told
from server.process import run_loop
from server.settings import load_settings
from server.supervise.supervisor import supervise


def serve(
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="Address of the SOAP services.", show_default=False)] = None,
    port: Annotated[
        int | None, typer.Option(help="Port of the SOAP services; 0: a free one.", show_default=False)
    ] = None,
    admin_port: Annotated[
        int | None, typer.Option(help="Port of /healthz, /readyz, /metrics; 0: a free one.", show_default=False)
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Worker processes, replaced when they die; 0: serve in this process.", show_default=False),
    ] = None,
) -> None:
    """Serve the SOAP services until SIGTERM or Ctrl-C; running exchanges are finished first.

    SIGHUP takes up settings and certificates anew, worker by worker, without losing a request.
    """
    command_line = {"host": host, "port": port, "admin_port": admin_port, "workers": workers}
    settings = load_settings(config, **command_line)
    if settings.workers:
        run_loop(supervise(config=config, command_line=command_line, settings=settings))
    else:
        run_loop(serve_until_told(settings))
