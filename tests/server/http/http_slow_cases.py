"""Clients that fall silent or break off: what they send, in which phase that leaves the server, and what follows."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from http_cases import Read
from http_shell import plain
from http_slow_shell import LARGE, LIMITS

from server.http.answers import PLAIN, Answer
from server.http.application import Trouble
from server.http.connection import Phase

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LARGE_GET = GET.replace(b"/ ", b"/large ")
CLOSING = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def forever(_read: Read) -> Coroutine[Any, Any, Answer]:
    async def wait() -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    return wait()


def large(_read: Read) -> Answer:
    return Answer(status=200, content_type=PLAIN, body=b"x" * LARGE)


def large_or_small(read: Read) -> Answer:
    """A large answer to what asks for it, a small one to all else."""
    return large(read) if read.target == "/large" else plain(read)


@dataclass(frozen=True, kw_only=True)
class Slow:
    """What a client sends before it falls silent, and what follows."""

    sends: bytes
    phase: Phase
    seconds: float
    statuses: tuple[int, ...] = ()
    reasons: tuple[tuple[int, str], ...] = ()
    troubles: tuple[Trouble, ...] = ()
    opened: int = 0
    aborted: int = 0
    answering: Callable[[Read], Any] | None = None
    proxied: bool = False
    lingers: bool = False


SLOW = {
    "silent": Slow(
        sends=b"", phase=Phase.OPENED, seconds=LIMITS.header_seconds, reasons=((0, "no request came in time"),)
    ),
    "no PROXY header": Slow(
        sends=b"\r\n\r\n\0",
        phase=Phase.PROXIED,
        seconds=LIMITS.header_seconds,
        reasons=((0, "no PROXY protocol header came in time"),),
        proxied=True,
    ),
    "half a head": Slow(
        sends=GET[:-2],
        phase=Phase.HEAD,
        seconds=LIMITS.header_seconds,
        statuses=(408,),
        reasons=((408, "the head did not arrive in time"),),
        lingers=True,
    ),
    "half a second head": Slow(
        sends=GET + GET[:5],
        phase=Phase.HEAD,
        seconds=LIMITS.header_seconds,
        statuses=(200, 408),
        reasons=((408, "the head did not arrive in time"),),
        opened=1,
        lingers=True,
    ),
    "half a body": Slow(
        sends=POST + b"x" * 16,
        phase=Phase.BODY,
        seconds=LIMITS.body_seconds + 16 / 1024,
        statuses=(408,),
        troubles=(Trouble.BODY_TOO_SLOW,),
        opened=1,
        lingers=True,
    ),
    "no body": Slow(
        sends=POST,
        phase=Phase.BODY,
        seconds=LIMITS.body_seconds,
        statuses=(408,),
        troubles=(Trouble.BODY_TOO_SLOW,),
        opened=1,
        lingers=True,
    ),
    "half a chunk": Slow(
        sends=CHUNKED + b"10\r\n" + b"x" * 8,
        phase=Phase.BODY,
        seconds=LIMITS.body_seconds + 8 / 1024,
        statuses=(408,),
        troubles=(Trouble.BODY_TOO_SLOW,),
        opened=1,
        lingers=True,
    ),
    "stuck": Slow(
        sends=GET,
        phase=Phase.RUNNING,
        seconds=LIMITS.exchange_seconds,
        statuses=(503,),
        troubles=(Trouble.DEADLINE_PASSED,),
        opened=1,
        answering=forever,
        lingers=True,
    ),
    "idle": Slow(sends=GET, phase=Phase.IDLE, seconds=LIMITS.idle_seconds, statuses=(200,), opened=1),
    "keeps what was closed": Slow(
        sends=CLOSING, phase=Phase.LINGERING, seconds=LIMITS.linger_seconds, statuses=(200,), opened=1
    ),
}


@dataclass(frozen=True, kw_only=True)
class Broken:
    sends: bytes
    phase: Phase
    statuses: tuple[int, ...] = ()
    opened: int = 0
    sent: int = 0
    proxied: bool = False


BROKEN = {
    "PROXIED": Broken(sends=b"\r\n\r\n\0", phase=Phase.PROXIED, proxied=True),
    "OPENED": Broken(sends=b"", phase=Phase.OPENED),
    "HEAD": Broken(sends=GET[:-2], phase=Phase.HEAD),
    "BODY": Broken(sends=POST + b"x", phase=Phase.BODY, opened=1),
    "chunked BODY": Broken(sends=CHUNKED + b"5\r\nabcde\r\n", phase=Phase.BODY, opened=1),
    "IDLE": Broken(sends=GET, phase=Phase.IDLE, opened=1, sent=1, statuses=(200,)),
    "LINGERING": Broken(sends=CLOSING, phase=Phase.LINGERING, opened=1, sent=1, statuses=(200,)),
}
