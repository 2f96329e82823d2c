"""Listening sockets: one connection at a time is accepted, so that workers on one socket share evenly."""

import asyncio
import contextlib
import ctypes
import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass

from server.http.application import Peer
from server.http.connection import Connection
from server.http.handshakes import Handshake
from server.http.keeper import Keeper

_PAUSE_SECONDS = 0.1
"""How long nothing is accepted after the system has refused to give another descriptor."""

_LONGEST_QUEUE = 10_000

_SHUTDOWN_SECONDS = 24 * 3600.0
"""The connection's own deadline ends a TLS shutdown: what it has to send first may take as long as an answer."""

_SO_ATTACH_FILTER = getattr(socket, "SO_ATTACH_FILTER", 26)
_TAKE_NOTHING = struct.pack("HBBI", 0x06, 0, 0, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entrance:
    """How connections come in at a listening socket.

    A TLS handshake gets `handshake_seconds`. `proxied_from` tells whether a peer may, and then must, send a PROXY
    protocol header; None where nobody does.
    """

    listening: socket.socket
    tls: ssl.SSLContext | None = None
    handshake_seconds: float = 5.0
    proxied_from: Callable[[str], bool] | None = None


class Acceptor:
    """Accepts the connections of one listening socket."""

    def __init__(self, entrance: Entrance, keeper: Keeper) -> None:
        if entrance.tls is not None and entrance.proxied_from is not None:
            raise ValueError("PROXY protocol is for plain listeners only")
        self._entrance = entrance
        self._keeper = keeper
        self._loop = asyncio.get_running_loop()
        self._openings: set[asyncio.Task[None]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._started = False
        entrance.listening.setblocking(False)  # noqa: FBT003  no keyword there

    def start(self) -> None:
        """Begin to accept."""
        self._started = True
        self._pause = None
        self._loop.add_reader(self._entrance.listening.fileno(), self._accept)

    async def stop(self, *, last: bool) -> None:
        """Accept what the system has let in by now, and then no more. `last`: nobody else will either.

        Whoever has not begun leaves that to the others, as long as there are any.
        """
        if last:
            turn_away(self._entrance.listening)
        for _ in range(_LONGEST_QUEUE if self._started or last else 0):
            if not self._accept():
                break
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._entrance.listening.fileno())
        if self._openings:
            await asyncio.wait(self._openings)

    def _accept(self) -> bool:
        """Accept one connection; False when none was waiting."""
        try:
            accepted, address = self._entrance.listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        except OSError:
            # Out of descriptors, most of all. The connection stays in the queue; asking again at once would spin.
            self._keeper.application.refused(Peer(address=""), status=0, reason="the system accepts no more")
            self._loop.remove_reader(self._entrance.listening.fileno())
            self._pause = self._loop.call_later(_PAUSE_SECONDS, self.start)
            return False
        accepted.setblocking(False)  # noqa: FBT003  no keyword there
        host = address[0]
        proxied_from = self._entrance.proxied_from
        if proxied_from is not None and not proxied_from(host):
            self._keeper.application.refused(Peer(address=host), status=0, reason="not one of the trusted proxies")
            accepted.close()
        elif not self._keeper.enter(host, relayed=proxied_from is not None):
            accepted.close()
        else:
            task = self._loop.create_task(self._open(accepted, host))
            self._openings.add(task)
            task.add_done_callback(self._openings.discard)
        return True

    async def _open(self, accepted: socket.socket, host: str) -> None:
        entrance = self._entrance
        connection = Connection(self._keeper, address=host, proxied=entrance.proxied_from is not None)
        handshake = Handshake(accepted)
        try:
            if entrance.tls is None:
                await self._loop.connect_accepted_socket(lambda: connection, accepted)
            else:
                with handshake.running():
                    await self._loop.connect_accepted_socket(
                        lambda: connection,
                        accepted,
                        ssl=entrance.tls,
                        ssl_handshake_timeout=entrance.handshake_seconds,
                        ssl_shutdown_timeout=_SHUTDOWN_SECONDS,
                    )
        except (OSError, TimeoutError):
            self._keeper.application.refused(Peer(address=host), status=0, reason="no TLS handshake")
            accepted.close()
            await handshake.end(seconds=self._keeper.limits.linger_seconds)
            if not connection.made:
                self._keeper.leave(connection.counted)


def turn_away(listening: socket.socket) -> None:
    """Let no new connection be made at a listening socket, while those already made can be accepted.

    Closing it, or a shorter queue, would reset connections that clients take for made. A packet filter that takes
    nothing (Linux) lets them try until the socket is closed, and hear then that nobody listens.
    """
    program = ctypes.create_string_buffer(_TAKE_NOTHING)
    with contextlib.suppress(OSError):
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(program)))
