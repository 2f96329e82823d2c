"""Sockets, the two listeners, signals and the drain."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TextIO

from aiohttp import web

from server.admin import admin_application
from server.app import Application, build_application, opened_core
from server.errors import SettingsError
from server.settings import Settings
from server.transport import soap_application

LINGERING_SECONDS = 2.0
"""How long the rest of a refused body is read, so that the client sees the fault and not a reset connection."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Serving:
    """A server that is up.

    `url` is where clients reach its SOAP services (the setting `public_url`, else `local_url`), `local_url` where it
    listens on this machine, `admin_url` its admin listener.
    """

    url: str
    local_url: str
    admin_url: str
    application: Application


def bind(host: str, port: int, *, setting: str) -> socket.socket:
    """Open a listening socket. Raises SettingsError when the address cannot be used."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise SettingsError(f"{setting}: cannot listen on {host} port {port}: {error.strerror or error}") from None


def url_of(listening: socket.socket) -> str:
    """Give the http URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@asynccontextmanager
async def serving(settings: Settings, *, log: TextIO = sys.stderr) -> AsyncIterator[Serving]:
    """Run a server until the block ends, then drain it: no new requests, running ones are finished.

    Raises SettingsError, `storage.errors.StorageError` or `soap.ContractError` when it cannot start.
    """
    soap_socket = bind(settings.host, settings.port, setting="host, port")
    admin_socket = bind(settings.admin_host, settings.admin_port, setting="admin_host, admin_port")
    local_url = url_of(soap_socket)
    url = settings.public_url or local_url
    try:
        async with opened_core(settings) as core:
            application = build_application(settings, core, public_url=url, log=log)
            soap = soap_application(application.services, application.dispatcher, body_seconds=settings.body_seconds)
            admin = admin_application(application.health, application.metrics)
            async with _site(soap, soap_socket, settings), _site(admin, admin_socket, settings):
                up = Serving(url=url, local_url=local_url, admin_url=url_of(admin_socket), application=application)
                application.events.info("serving", url=url, local_url=local_url, admin_url=up.admin_url)
                yield up
                application.events.info("draining")
            application.events.info("stopped")
    finally:
        soap_socket.close()
        admin_socket.close()


@asynccontextmanager
async def _site(application: web.Application, listening: socket.socket, settings: Settings) -> AsyncIterator[None]:
    runner = web.AppRunner(
        application,
        access_log=None,
        auto_decompress=False,
        keepalive_timeout=settings.idle_seconds,
        shutdown_timeout=settings.drain_seconds,
        lingering_time=min(LINGERING_SECONDS, settings.body_seconds),
        handler_cancellation=True,
    )
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        yield
    finally:
        await runner.cleanup()


async def serve_until_told(settings: Settings, *, log: TextIO = sys.stderr) -> None:
    """Serve until SIGTERM or SIGINT, then drain."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    async with serving(settings, log=log):
        await stop.wait()
