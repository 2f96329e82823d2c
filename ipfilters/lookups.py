"""What stands in the interval that an address is in: made once of a table, asked for each new address."""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from struct import Struct
from typing import Generic, TypeVar

from ipfilters.tables import Table

Item = TypeVar("Item")
Value = TypeVar("Value")

_INDEXED = 1024
"""From so many intervals on, addresses are looked for among those of their first 16 bits only."""

_HALF = 1 << 16
_HALVES = Struct(">HH").unpack
_FIRST = Struct(">H14x").unpack


class Lookup(Generic[Item]):
    """Items by interval. Addresses are given as their bytes, which are in the order of their numbers."""

    __slots__ = ("_items", "_starts")

    def __init__(self, starts: Sequence[bytes], items: Sequence[Item]) -> None:
        self._starts = starts
        self._items = items

    def find(self, packed: bytes) -> Item:
        """Give what stands in the interval of an address."""
        return self._items[bisect_right(self._starts, packed) - 1]


class IndexedLookup(Lookup[Item]):
    """The same for many intervals of IPv4: the first half of an address says which few they are that it can be in.

    Many networks then cost what few do. `seconds` are for each first half the second halves that an interval begins
    with, but for the interval that goes on from below; `rows` what stands in that one, then in each that begins.
    """

    __slots__ = ("_rows", "_seconds")

    def __init__(self, seconds: Sequence[tuple[int, ...]], rows: Sequence[tuple[Item, ...]]) -> None:
        super().__init__((), ())
        self._seconds = seconds
        self._rows = rows

    def find(self, packed: bytes) -> Item:
        """Give what stands in the interval of an address."""
        first: int
        first, second = _HALVES(packed)
        return self._rows[first][bisect_right(self._seconds[first], second)]


class NarrowedLookup(Lookup[Item]):
    """The same for many intervals of IPv6: the first 16 bits of an address say between which ones it is.

    `bounds` says for each first 16 bits, and once more for the end, how many intervals begin before.
    """

    __slots__ = ("_bounds",)

    def __init__(self, starts: Sequence[bytes], items: Sequence[Item], bounds: Sequence[int]) -> None:
        super().__init__(starts, items)
        self._bounds = bounds

    def find(self, packed: bytes) -> Item:
        """Give what stands in the interval of an address."""
        first: int
        (first,) = _FIRST(packed)
        bounds = self._bounds
        return self._items[bisect_right(self._starts, packed, bounds[first], bounds[first + 1]) - 1]


class Intervals:
    """Where intervals begin, whatever stands in them: several things may stand in the same ones."""

    def __init__(self, starts: Sequence[int], *, bits: int) -> None:
        self._starts = [start.to_bytes(bits // 8, "big") for start in starts]

    def carrying(self, items: Sequence[Item]) -> Lookup[Item]:
        """Find these items, one for each interval."""
        return Lookup(self._starts, items)


class IndexedIntervals(Intervals):
    """The same for many of IPv4, parted by the first half of their addresses."""

    def __init__(self, starts: Sequence[int]) -> None:
        super().__init__((), bits=32)
        # One object for each number: most networks begin at one of 256, which then stay where they are reached fast.
        shared: dict[int, int] = {}
        seconds = tuple([shared.setdefault(second, second) for second in [start & 0xFFFF for start in starts]])
        self._firsts: list[int] = []
        self._ends = _bounds(starts, bits=32)[1:]
        self._seconds: list[tuple[int, ...]] = []
        before = 0
        for end in self._ends:
            # What begins with the first of all addresses here leaves nothing of what was below.
            first = before if before < end and not seconds[before] else before - 1
            self._firsts.append(first)
            self._seconds.append(seconds[first + 1 : end])
            before = end

    def carrying(self, items: Sequence[Item]) -> Lookup[Item]:
        """Find these items, one for each interval."""
        whole, rows, row, at = tuple(items), [], (items[0],), 0
        for first, end in zip(self._firsts, self._ends, strict=True):
            if end - first > 1:
                rows.append(whole[first:end])
                continue
            if first != at:
                # One row for all that lies in the same interval: the widest are a large part of all addresses.
                row, at = (whole[first],), first
            rows.append(row)
        return IndexedLookup(self._seconds, rows)


class NarrowedIntervals(Intervals):
    """The same for many of IPv6, which stay in one list: a part of them has to be searched only."""

    def __init__(self, starts: Sequence[int]) -> None:
        super().__init__(starts, bits=128)
        # Packed: a list of numbers would be ten times as large, and is reached into at random.
        self._bounds = array("I", _bounds(starts, bits=128))

    def carrying(self, items: Sequence[Item]) -> Lookup[Item]:
        """Find these items, one for each interval."""
        return NarrowedLookup(self._starts, items, self._bounds)


def intervals_of(table: Table[Value], *, bits: int) -> Intervals:
    """Give the intervals of a table, for addresses of `bits` bits."""
    # What ends with the last address of all begins an interval that no address is in.
    starts = table.starts if table.starts[-1] < 1 << bits else table.starts[:-1]
    if len(starts) < _INDEXED:
        return Intervals(starts, bits=bits)
    return IndexedIntervals(starts) if bits == 32 else NarrowedIntervals(starts)


def _bounds(starts: Sequence[int], *, bits: int) -> list[int]:
    """Give how many intervals begin before each of the first 16 bits of addresses, and how many there are."""
    counts = [0] * (_HALF + 1)
    below = bits - 16
    for start in starts:
        counts[(start >> below) + 1] += 1
    return list(accumulate(counts))
