"""The SOAP listener on a socket: what a worker serves with. Not beside aiohttp, which takes a worker long to load."""

import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from server.app import Application
from server.core import utc_now
from server.http.accepting import Acceptor, Entrance
from server.http.keeper import Keeper
from server.settings import Settings
from server.tls import Anchors, tls_context


@dataclass(frozen=True, kw_only=True, slots=True)
class SoapListener:
    """A listener that has all it needs; `begin` has it accept."""

    keeper: Keeper
    begin: Callable[[], None]


def url_of(listening: socket.socket, *, secure: bool = False) -> str:
    """Give the URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    scheme = "https" if secure else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


@asynccontextmanager
async def soap_listener(
    settings: Settings, application: Application, listening: socket.socket, *, last: Callable[[], bool]
) -> AsyncIterator[SoapListener]:
    """Give what serves SOAP on a socket, once it is told to begin, until the block ends; then drain.

    `last` tells at the end whether nobody else will accept on this socket any more.
    """
    tls = tls_context(settings)
    if tls is not None:
        anchors = Anchors(tls)
        application.filters.on_certificates = lambda certificates: anchors.add(certificates.anchors())
    keeper = Keeper(application.soap, limits=settings.connection_limits, clock=utc_now, monotonic=time.monotonic)
    entrance = Entrance(
        listening=listening,
        tls=tls,
        handshake_seconds=settings.handshake_seconds,
        proxied_from=_proxied_from(settings),
    )
    acceptor = Acceptor(entrance, keeper)
    application.metrics.connections.set_function(lambda: keeper.open_connections)
    # Kept until the drain is over: what is answered in it is judged by rules that are fresh, and counts for them.
    async with AsyncExitStack() as kept:
        try:
            await kept.enter_async_context(application.filters.kept())
            yield SoapListener(keeper=keeper, begin=acceptor.start)
        finally:
            application.stop_waiting()
            was_last = last()
            await acceptor.stop(last=was_last)
            cut = await keeper.drain(seconds=settings.drain_seconds)
            if not was_last and last():
                # The others have been told to end, too, while this one drained: what waits is for this one.
                await acceptor.stop(last=True)
                cut += await keeper.drain(seconds=settings.drain_seconds)
            if cut:
                application.events.warning("drain_cut", connections=cut, after_seconds=settings.drain_seconds)


@asynccontextmanager
async def admin_soap_listener(
    settings: Settings,
    application: Application,
    listening: socket.socket | None,
    *,
    last: Callable[[], bool] = lambda: True,
) -> AsyncIterator[Callable[[], None]]:
    """Give what has the Admin interface served on a socket until the block ends; then drain. Without one do nothing."""
    if listening is None:
        yield lambda: None
        return
    keeper = Keeper(application.admin_soap, limits=settings.connection_limits, clock=utc_now, monotonic=time.monotonic)
    entrance = Entrance(listening=listening, tls=None, handshake_seconds=settings.handshake_seconds, proxied_from=None)
    acceptor = Acceptor(entrance, keeper)
    try:
        yield acceptor.start
    finally:
        await acceptor.stop(last=last())
        await keeper.drain(seconds=settings.drain_seconds)


def _proxied_from(settings: Settings) -> Callable[[str], bool] | None:
    if not settings.proxy_protocol_from:
        return None
    networks = [ip_network(text) for text in settings.proxy_protocol_from]

    def trusted(host: str) -> bool:
        address = ip_address(host.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in networks)

    return trusted
