"""Sockets and the two listeners of one process: SOAP on the shell of `server.http`, the operator's on aiohttp."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TextIO

from aiohttp import web

from server.admin import InProcess, admin_application
from server.app import Application, build_application
from server.core import OpenDatabase, opened_core
from server.errors import SettingsError
from server.housekeeping import housekeeping
from server.http.keeper import Keeper
from server.settings import Settings
from server.soap_listener import admin_soap_listener, soap_listener, url_of

BACKLOG = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class Serving:
    """A server that is up.

    `url` is where clients reach its SOAP services (the setting `public_url`, else `local_url`), `local_url` where it
    listens on this machine, `admin_url` its admin listener,
    `admin_soap_url` that of the Admin interface, if there is one.
    """

    url: str
    local_url: str
    admin_url: str
    admin_soap_url: str | None
    application: Application
    keeper: Keeper


def bind(host: str, port: int, *, setting: str) -> socket.socket:
    """Open a listening socket. Raises SettingsError when the address cannot be used."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise SettingsError(f"{setting}: cannot listen on {host} port {port}: {error.strerror or error}") from None


@asynccontextmanager
async def serving(
    settings: Settings, *, log: TextIO = sys.stderr, open_database: OpenDatabase | None = None
) -> AsyncIterator[Serving]:
    """Run a server in this process until the block ends, then drain it.

    Raises SettingsError, `storage.errors.StorageError` or `soap.ContractError` when it cannot start.
    """
    soap_socket = bind(settings.host, settings.port, setting="host, port")
    admin_socket = bind(settings.admin_host, settings.admin_port, setting="admin_host, admin_port")
    local_url = url_of(soap_socket, secure=settings.tls_certificate_file is not None)
    url = settings.public_url or local_url
    admin_soap_socket = bind_admin_soap(settings)
    admin_soap_url = None if admin_soap_socket is None else url_of(admin_soap_socket)
    try:
        async with opened_core(settings, open_database=open_database) as core:
            application = build_application(settings, core, public_url=url, admin_url=admin_soap_url or "", log=log)
            admin = admin_application(InProcess(application.health, application.metrics))
            async with (
                housekeeping(settings, core, application),
                site(admin, admin_socket),
                soap_listener(settings, application, soap_socket, last=lambda: True) as listener,
                admin_soap_listener(settings, application, admin_soap_socket) as begin_admin,
            ):
                listener.begin()
                begin_admin()
                up = Serving(
                    url=url,
                    local_url=local_url,
                    admin_url=url_of(admin_socket),
                    admin_soap_url=admin_soap_url,
                    application=application,
                    keeper=listener.keeper,
                )
                application.events.info(
                    "serving", url=url, local_url=local_url, admin_url=up.admin_url, admin_soap_url=admin_soap_url
                )
                yield up
                application.events.info("draining")
            application.events.info("stopped")
    finally:
        for used in (soap_socket, admin_socket, admin_soap_socket):
            if used is not None:
                used.close()


def bind_admin_soap(settings: Settings) -> socket.socket | None:
    """Open the listening socket of the Admin interface, where there is one. Raises SettingsError."""
    if settings.admin_soap_port is None:
        return None
    return bind(settings.admin_soap_host, settings.admin_soap_port, setting="admin_soap_host, admin_soap_port")


@asynccontextmanager
async def site(application: web.Application, listening: socket.socket) -> AsyncIterator[None]:
    """Serve an aiohttp application on a socket until the block ends."""
    runner = web.AppRunner(application, access_log=None, auto_decompress=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        yield
    finally:
        await runner.cleanup()


async def serve_until_told(settings: Settings, *, log: TextIO = sys.stderr) -> None:
    """Serve until SIGTERM or SIGINT, then drain. SIGHUP has filter files looked at."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    async with serving(settings, log=log) as up:
        loop.add_signal_handler(signal.SIGHUP, up.application.filters.hurry)
        await stop.wait()
