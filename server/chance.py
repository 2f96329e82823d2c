"""Random bytes of the operating system, drawn many at a time."""

import os
import secrets
import threading
import weakref
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
        self._drawn = b""
        self._given = 0
        forget = weakref.WeakMethod(self._forget)
        os.register_at_fork(after_in_child=lambda: _called(forget))

    def __call__(self, count: int) -> bytes:
        """Give so many bytes; more than `LARGEST` are drawn for this call alone."""
        if count > LARGEST:
            return self._source(count)
        with self._lock:
            start, end = self._given, self._given + count
            if end > len(self._drawn):
                self._drawn = self._source(AHEAD)
                start, end = 0, count
            self._given = end
            return self._drawn[start:end]

    def _forget(self) -> None:
        """Begin anew in a forked process, where nobody holds the lock."""
        self._lock = threading.Lock()
        self._drawn = b""
        self._given = 0


def _called(method: "weakref.WeakMethod[Callable[[], None]]") -> None:
    found = method()
    if found is not None:
        found()
