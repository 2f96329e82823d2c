"""Slow sockets, in short: whoever keeps a connection without saying anything is answered, and then let go."""

from collections.abc import Iterator
from functools import partial

from attack_cases import Attack

HEAD = b"POST /v1/sales HTTP/1.1\r\nHost: x.test\r\nContent-Type: text/xml\r\n"
SLOW: dict[str, tuple[bytes, tuple[int, ...], str]] = {
    "silent": (b"", (), ""),
    "a line end": (b"\r\n", (), ""),
    "one letter": (b"P", (408,), ""),
    "half a request line": (HEAD[:12], (408,), ""),
    "a request line": (HEAD[:25], (408,), ""),
    "half a head": (HEAD, (408,), ""),
    "a head but for its last byte": (HEAD + b"Content-Length: 5\r\n\r", (408,), ""),
    "no body": (HEAD + b"Content-Length: 500\r\n\r\n", (408,), "BodyTooSlow"),
    "half a body": (HEAD + b"Content-Length: 500\r\n\r\n<e:Envelope", (408,), "BodyTooSlow"),
    "a body but for its last byte": (HEAD + b"Content-Length: 500\r\n\r\n" + b" " * 499, (408,), "BodyTooSlow"),
    "chunked without a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", (408,), "BodyTooSlow"),
    "half a size": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1", (408,), "BodyTooSlow"),
    "chunks that never end": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n \r\n", (408,), "BodyTooSlow"),
    "who waits to be told to go on": (
        HEAD + b"Content-Length: 500\r\nExpect: 100-continue\r\n\r\n",
        (100, 408),
        "BodyTooSlow",
    ),
}


def _raw(data: bytes) -> bytes:
    return data


def attacks() -> Iterator[Attack]:
    for name, (data, statuses, code) in SLOW.items():
        yield Attack(name=name, make=partial(_raw, data), statuses=statuses, code=code, holds_open=True)
