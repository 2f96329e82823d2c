"""The chunked transfer coding (RFC 9112, section 7.1), in its strictest form.

A size is 1 to 8 hexadecimal digits, lines end in CRLF, and there are neither extensions nor trailers: nobody needs
them here, and each is a place where two readers of one message may disagree.
"""

import re
from collections.abc import Callable

from server.http.refusals import BodyTooLarge, HttpRefused

LAST_CHUNK = b"0\r\n\r\n"

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
_BEGUN_SIZE_LINE = re.compile(rb"[0-9A-Fa-f]{0,8}|[0-9A-Fa-f]{1,8}\r")
_BYTES_A_CHUNK = 64
_CHUNKS_FREE = 64
_CHUNKS_AHEAD = 4096
"""Chunks that a body may have before its bytes are there, however large it may become."""


def chunk(data: bytes) -> bytes:
    """Give one chunk; `data` must not be empty, since an empty chunk ends the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class ChunkedReader:
    """Takes one chunked body off the front of a buffer, in whatever pieces it comes."""

    def __init__(self, *, most: int) -> None:
        """Begin a body that may hold `most` bytes."""
        self._most = most
        self._most_chunks = _CHUNKS_FREE + most // _BYTES_A_CHUNK
        self._chunks = 0
        self._body = bytearray()
        self._chunk_left = 0
        self._step: Callable[[bytearray], bool] = self._size

    @property
    def arrived(self) -> int:
        """How many bytes of the body were taken."""
        return len(self._body)

    def read(self, buffer: bytearray) -> bytes | None:
        """Take what there is off `buffer`; give the body once it is whole, else None.

        Raises HttpRefused for a broken coding or very many tiny chunks, BodyTooLarge.
        """
        while self._step(buffer):
            if self._step == self._ended:
                return bytes(self._body)
        return None

    def _size(self, buffer: bytearray) -> bool:
        line = _SIZE_LINE.match(buffer)
        if line is None:
            if _BEGUN_SIZE_LINE.fullmatch(buffer) is None:
                raise HttpRefused(400, "a chunk size that is none")
            return False
        size = int(line[1], 16)
        if len(self._body) + size > self._most:
            raise BodyTooLarge
        self._chunks += 1
        if self._chunks > min(self._most_chunks, _CHUNKS_AHEAD + len(self._body) // _BYTES_A_CHUNK):
            raise HttpRefused(400, "very many tiny chunks")
        del buffer[: line.end()]
        self._chunk_left = size
        self._step = self._data if size else self._last_line_end
        return True

    def _data(self, buffer: bytearray) -> bool:
        piece = buffer[: self._chunk_left]
        del buffer[: len(piece)]
        self._body += piece
        self._chunk_left -= len(piece)
        if self._chunk_left:
            return False
        self._step = self._line_end
        return True

    def _line_end(self, buffer: bytearray) -> bool:
        return self._took_line_end(buffer, then=self._size)

    def _last_line_end(self, buffer: bytearray) -> bool:
        return self._took_line_end(buffer, then=self._ended)

    def _ended(self, _buffer: bytearray) -> bool:
        return True

    def _took_line_end(self, buffer: bytearray, *, then: Callable[[bytearray], bool]) -> bool:
        found = buffer[:2]
        if not b"\r\n".startswith(found):
            raise HttpRefused(400, "a chunk that does not end where it should, or a trailer")
        if len(found) < 2:
            return False
        del buffer[:2]
        self._step = then
        return True
