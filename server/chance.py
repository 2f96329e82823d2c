"""Random bytes of the operating system, drawn many at a time."""

import os
import secrets
import threading
from collections.abc import Callable

AHEAD = 1024
LARGEST = 16
"""So many bytes at most are given of those drawn ahead: enough for ids, nonces and tickets, and for no key."""


class DrawnAhead:
    """A random source: what `source` gives, `AHEAD` bytes at a time.

    Six times an order the system was asked for a few bytes; each time costs a call of the system, and lets another
    thread take the interpreter's lock. No byte is given twice, to whichever thread, nor by a process and one that was
    forked from it.
    """

    def __init__(self, source: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._drawn = b""
        self._given = 0

    def __call__(self, count: int) -> bytes:
        """Give so many bytes; more than `LARGEST` are drawn for this call alone."""
        if count > LARGEST:
            return self._source(count)
        with self._lock:
            start, end = self._given, self._given + count
            if end > len(self._drawn) or self._process != os.getpid():
                self._drawn, self._process = self._source(AHEAD), os.getpid()
                start, end = 0, count
            self._given = end
            return self._drawn[start:end]
