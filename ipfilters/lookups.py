"""What stands in the interval that an address is in: made once of a table, asked for each new address."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from struct import Struct
from typing import Generic, TypeVar

from ipfilters.tables import Cell, Table

Item = TypeVar("Item")
Other = TypeVar("Other")
Value = TypeVar("Value")

_INDEXED = 1024
"""From so many intervals on, IPv4 addresses are looked for among those of their first 16 bits only."""

_HALVES = Struct(">HH").unpack


class Lookup(Generic[Item]):
    """Items by interval. Addresses are given as their bytes, which are in the order of their numbers."""

    __slots__ = ("_items", "_starts")

    def __init__(self, starts: Sequence[bytes], items: Sequence[Item]) -> None:
        self._starts = starts
        self._items = items

    def find(self, packed: bytes) -> Item:
        """Give what stands in the interval of an address."""
        return self._items[bisect_right(self._starts, packed) - 1]

    def carrying(self, items: Sequence[Other]) -> "Lookup[Other]":
        """Give other items for the same intervals."""
        return Lookup(self._starts, items)


class IndexedLookup(Lookup[Item]):
    """The same for many intervals of IPv4: the first half of an address says where its interval is, but for a few.

    Many networks then cost what few do. Numbers lie side by side in few bytes, not as objects all over the memory.
    """

    __slots__ = ("_firsts", "_seconds")

    def __init__(self, firsts: "array[int]", seconds: "array[int]", items: Sequence[Item]) -> None:
        super().__init__((), items)
        self._firsts = firsts
        self._seconds = seconds

    @classmethod
    def of_starts(cls, starts: Sequence[int], items: Sequence[Item]) -> "IndexedLookup[Item]":
        """Make it of the numbers that intervals begin with."""
        firsts = array("I", [*(bisect_left(starts, half << 16) for half in range(1 << 16)), len(starts)])
        return cls(firsts, array("H", [start & 0xFFFF for start in starts]), items)

    def find(self, packed: bytes) -> Item:
        """Give what stands in the interval of an address."""
        first, second = _HALVES(packed)
        firsts = self._firsts
        return self._items[bisect_right(self._seconds, second, firsts[first], firsts[first + 1]) - 1]

    def carrying(self, items: Sequence[Other]) -> "Lookup[Other]":
        """Give other items for the same intervals."""
        return IndexedLookup(self._firsts, self._seconds, items)


def lookup_of(table: Table[Value], *, bits: int) -> Lookup[Cell[Value] | None]:
    """Find the cells of a table, for addresses of `bits` bits."""
    # What ends with the last address of all begins an interval that no address is in.
    starts = [start for start in table.starts if start < 1 << bits]
    if bits == 32 and len(starts) >= _INDEXED:
        return IndexedLookup.of_starts(starts, table.cells)
    return Lookup([start.to_bytes(bits // 8, "big") for start in starts], table.cells)
