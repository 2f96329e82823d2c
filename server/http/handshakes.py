"""A TLS handshake that fails, told to the client by the alert that OpenSSL has made (RFC 8446, section 6.2).

asyncio and uvloop end a connection at the first error of its handshake and throw away what OpenSSL wanted to send last.
So the context keeps hold of what was to be sent, and the alert goes out before the event loop hears of the error.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

_MOST_THROWN_AWAY = 1024 * 1024


class Handshake:
    """The handshake of one connection, which the event loop does on `accepted`."""

    def __init__(self, accepted: socket.socket) -> None:
        self._accepted = accepted
        self._left: socket.socket | None = None

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Have connections that are opened in the block, and in tasks and callbacks that come of it, be this one."""
        token = _running.set(self)
        try:
            yield
        finally:
            _running.reset(token)

    def failed(self, last: bytes) -> None:
        """Send what OpenSSL has left, and keep the socket, which the event loop closes at once, for its arrival."""
        with contextlib.suppress(OSError):
            self._accepted.send(last)
            self._left = self._accepted.dup()

    async def end(self, *, seconds: float) -> None:
        """Wait until the client has taken the alert, so many seconds at the most.

        What it has sent ahead must be read: closed with that unread, the system sends a reset, and that takes the alert
        from the client.
        """
        if self._left is None:
            return
        loop, thrown_away = asyncio.get_running_loop(), 0
        with self._left, contextlib.suppress(OSError, TimeoutError):
            self._left.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(seconds):
                while thrown_away < _MOST_THROWN_AWAY and (data := await loop.sock_recv(self._left, 65536)):
                    thrown_away += len(data)


_running: ContextVar[Handshake | None] = ContextVar("handshake", default=None)


class AlertingContext(ssl.SSLContext):
    """A context whose failed handshakes tell the `Handshake` that runs."""

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **options: Any) -> ssl.SSLObject:
        """Make the TLS side of a connection; event loops call this once for each."""
        secure = super().wrap_bio(incoming, outgoing, *args, **options)
        handshake = _running.get()
        if handshake is not None:
            shake = secure.do_handshake

            def do_handshake() -> None:
                try:
                    shake()
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    raise
                except ssl.SSLError:
                    handshake.failed(outgoing.read())
                    raise
                # Once is enough, and the two would hold each other until the garbage collector comes.
                del secure.do_handshake

            secure.do_handshake = do_handshake  # type: ignore[method-assign]  # the only place where the alert can be had
        return secure
