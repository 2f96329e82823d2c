"""Time-ordered ids: UUID version 7 (RFC 9562, section 5.7), rising within a process even within one millisecond."""

import threading
from collections.abc import Callable
from datetime import datetime

_LAST_GROUP = (1 << 48) - 1
_LAST_GROUP_AT = 24
"""The last group of an id has 12 hexadecimal digits, behind four others and a hyphen each."""


class Ids:
    """Makes ids from an injected clock and random source."""

    def __init__(self, *, clock: Callable[[], datetime], random: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._random = random
        self._last = 0
        self._lock = threading.Lock()

    def new(self) -> str:
        """Give the next id: 48 bits of milliseconds, then a random start that counts up within a millisecond."""
        return self.several(1)[0]

    def several(self, count: int, *, at: datetime | None = None) -> list[str]:
        """Give the next ids; random source and clock are asked once for all, the clock only where `at` does not say."""
        moment = self._clock() if at is None else at
        milliseconds = int(moment.timestamp() * 1000) & ((1 << 48) - 1)
        fresh = (milliseconds << 74) | (int.from_bytes(self._random(10)) & ((1 << 74) - 1))
        with self._lock:
            first = fresh if fresh > self._last else self._last + 1
            self._last = first + count - 1
        end = (first & _LAST_GROUP) + count
        if end > _LAST_GROUP:
            return [_versioned(value) for value in range(first, first + count)]
        # Nearly always they differ in the last group alone.
        front = _versioned(first)[:_LAST_GROUP_AT]
        return [f"{front}{value:012x}" for value in range(end - count, end)]


def first_id_at(moment: datetime) -> str:
    """Give what sorts before every id that was made at a time or later, and behind the earlier ones."""
    milliseconds = max(0, int(moment.timestamp() * 1000)) & ((1 << 48) - 1)
    return _text((milliseconds << 80) | (7 << 76) | (2 << 62))


def _versioned(value: int) -> str:
    time, high, low = value >> 74, (value >> 62) & 0xFFF, value & ((1 << 62) - 1)
    return _text((time << 80) | (7 << 76) | (high << 64) | (2 << 62) | low)


def _text(value: int) -> str:
    # The class UUID takes three times as long to say the same.
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
