"""A stream of bytes cut into requests: a head, its body, the next head. Sans I/O.

The reader never looks past the request that is being answered: what a client sends ahead waits as bytes.
"""

import re

from server.http.chunked import ChunkedReader
from server.http.head import CRLF_CRLF, Head, HeadReader
from server.http.proxied import Proxied, read_proxy_header
from server.http.refusals import BodyTooLarge, HttpRefused

_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_FIRST_BYTE = re.compile(rb"[A-Z]")


class RequestReader:
    """Turns fed bytes into heads and bodies, one request at a time."""

    def __init__(self, heads: HeadReader) -> None:
        self._heads = heads
        self._most_head = heads.limits.head_bytes
        self._buffer = bytearray()
        self._searched = 0
        self._length = 0
        self._chunked: ChunkedReader | None = None
        self._skipped_line = False

    @property
    def waiting(self) -> int:
        """How many bytes were fed and not yet taken."""
        return len(self._buffer)

    @property
    def arrived(self) -> int:
        """How many bytes of the current body are there."""
        return len(self._buffer) + (0 if self._chunked is None else self._chunked.arrived)

    def feed(self, data: bytes) -> None:
        """Take bytes in."""
        self._buffer += data

    def next_proxy_header(self) -> Proxied | None:
        """Take the PROXY protocol header off the front; None while it is not whole. Raises HttpRefused."""
        proxied = read_proxy_header(self._buffer)
        if proxied is not None:
            del self._buffer[: proxied.taken]
        return proxied

    def next_head(self) -> Head | None:
        """Take the next head; None while it is not whole. Raises HttpRefused."""
        buffer = self._buffer
        end = buffer.find(CRLF_CRLF, self._searched)
        if end < 0 or buffer[0] == 0x0D:
            return self._unfinished_head()
        if end > self._most_head:
            raise HttpRefused(431, "the head is too long")
        head = self._heads.read(bytes(buffer[:end]))
        del buffer[: end + 4]
        self._searched = 0
        self._skipped_line = False
        return head

    def _unfinished_head(self) -> Head | None:
        """Refuse early what cannot become a head, and skip one empty line in front (RFC 9112, section 2.2)."""
        buffer = self._buffer
        if buffer.startswith(b"\r\n") and not self._skipped_line:
            del buffer[:2]
            self._searched = 0
            self._skipped_line = True
            return self.next_head()
        if buffer and buffer != b"\r" and _FIRST_BYTE.match(buffer) is None:
            raise HttpRefused(400, "bytes that begin no request")
        if _BARE_LINE_FEED.search(buffer, self._searched):
            raise HttpRefused(400, "a bare line feed in the head")
        if len(buffer) >= self._most_head + len(CRLF_CRLF):
            raise HttpRefused(431, "the head is too long")
        self._searched = max(0, len(buffer) - 3)
        return None

    def expect_body(self, head: Head, *, most: int) -> None:
        """Say that the body of `head` shall be read, `most` bytes of it at the most."""
        self._length = head.length or 0
        self._chunked = ChunkedReader(most=most) if head.chunked else None
        if self._length > most:
            raise BodyTooLarge

    def next_body(self) -> bytes | None:
        """Take the body; None while it is not whole. Raises HttpRefused, BodyTooLarge."""
        buffer, length = self._buffer, self._length
        if self._chunked is not None:
            return self._chunked.read(buffer)
        if len(buffer) < length:
            return None
        if len(buffer) == length:
            body = bytes(buffer)
            buffer.clear()
            return body
        body = bytes(buffer[:length])
        del buffer[:length]
        return body
