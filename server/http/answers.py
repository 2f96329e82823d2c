"""Answers as bytes (RFC 9112, section 4)."""

from collections.abc import AsyncGenerator
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

PLAIN = "text/plain; charset=utf-8"


class Answer(NamedTuple):
    """What is sent back: whole bytes with their length, or pieces as they become ready, in the chunked coding.

    No content type is told where it is ''.

    When pieces end in an exception, the connection is cut, so that nobody takes what came for the whole.
    """

    status: int
    content_type: str
    body: bytes | AsyncGenerator[bytes, None]
    fields: tuple[tuple[str, str], ...] = ()


def refusal(status: int) -> Answer:
    """Give the generic answer to what is refused: it names the status and echoes nothing."""
    return Answer(status=status, content_type=PLAIN, body=f"{status} {phrase(status)}\n".encode())


def phrase(status: int) -> str:
    """Give the reason phrase of a status."""
    return HTTPStatus(status).phrase


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


_CONNECTION = {
    (True, 1): b"",
    (True, 0): b"connection: keep-alive\r\n",
    (False, 1): b"connection: close\r\n",
    (False, 0): b"connection: close\r\n",
}


def render_head(answer: Answer, *, date: bytes, keep_alive: bool, minor: int) -> bytes:
    """Give status line and fields. `date` is an HTTP date; `minor` is the x of the request's HTTP/1.x.

    Pieces go to an HTTP/1.0 client without a coding, and end with the connection.
    """
    start = _start(answer.status, answer.content_type, answer.fields)
    if isinstance(answer.body, bytes):
        framing = b"" if answer.status == 304 else b"content-length: %d\r\n" % len(answer.body)
    else:
        framing = b"transfer-encoding: chunked\r\n" if minor else b""
    return b"%bdate: %b\r\n%b%b\r\n" % (start, date, framing, _CONNECTION[keep_alive, minor])


@lru_cache(maxsize=256)
def _start(status: int, content_type: str, fields: tuple[tuple[str, str], ...]) -> bytes:
    lines = [f"HTTP/1.1 {status} {phrase(status)}"]
    lines += [f"content-type: {content_type}"] if content_type else []
    lines += [f"{name}: {value}" for name, value in fields]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a line end in an answer's field")
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1")
