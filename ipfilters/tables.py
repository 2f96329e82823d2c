"""Networks of one family as disjoint intervals: one bisection finds everything that holds an address."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from ipfilters.addresses import Network

Value = TypeVar("Value")

Span = tuple[int, int, Value]
"""The first address of a network as a number, its prefix length, and what stands on it."""


def in_order(span: Span[Value]) -> int:
    """Give the key that spans are sorted by: a network comes right before what is inside it."""
    # One number is compared many times as fast as a pair.
    return span[0] << 8 | span[1]


class Cell(Generic[Value]):
    """What stands on one network, and the cell of the next wider network around it."""

    __slots__ = ("outer", "values")

    def __init__(self, outer: "Cell[Value] | None", value: Value) -> None:
        self.values = [value]
        self.outer = outer

    def all(self) -> Iterator[Value]:
        """Give what stands on this network and on those around it, the longest prefix first."""
        cell: Cell[Value] | None = self
        while cell is not None:
            yield from cell.values
            cell = cell.outer


class Table(Generic[Value]):
    """Values by network, for addresses of `bits` bits given as numbers. Networks of another family do not belong here.

    Two networks are either apart or one inside the other, so each interval between bounds has one innermost network.
    Cells are linked and not copied: a wide network costs the same however many are inside. `starts` are the first
    addresses of the intervals, `cells` the innermost cell of each, None where there is no network.
    """

    __slots__ = ("cells", "starts")

    def __init__(self, entries: Iterable[tuple[Network, Value]], *, bits: int) -> None:
        self._fill(sorted((span_of(network, value) for network, value in entries), key=in_order), bits)

    @classmethod
    def of_spans(cls, spans: Iterable[Span[Value]], *, bits: int) -> "Table[Value]":
        """Make a table of spans that are sorted by `in_order`."""
        table = cls.__new__(cls)
        table._fill(spans, bits)
        return table

    def _fill(self, spans: Iterable[Span[Value]], bits: int) -> None:
        self.starts: list[int] = [0]
        self.cells: list[Cell[Value] | None] = [None]
        # The networks that are open around the next one, the innermost last: end, prefix length, cell.
        around: list[tuple[int, int, Cell[Value]]] = []
        outer: Cell[Value] | None = None
        for start, length, value in spans:
            while around and around[-1][0] <= start:
                outer = self._end(around)
            if outer is not None and around[-1][1] == length:
                outer.values.append(value)
                continue
            outer = Cell(outer, value)
            around.append((start + (1 << (bits - length)), length, outer))
            self._begin(start, outer)
        while around:
            self._end(around)

    def find(self, number: int) -> Cell[Value] | None:
        """Give the innermost network around an address, None when there is none."""
        return self.cells[bisect_right(self.starts, number) - 1]

    def bounds(self, first: int, last: int) -> list[int]:
        """Give the first address of every interval that begins from `first` to `last`, both included."""
        return self.starts[bisect_left(self.starts, first) : bisect_right(self.starts, last)]

    def _end(self, around: list[tuple[int, int, Cell[Value]]]) -> Cell[Value] | None:
        """End the innermost network, and give the one that is around it."""
        end = around.pop()[0]
        outer = around[-1][2] if around else None
        self._begin(end, outer)
        return outer

    def _begin(self, start: int, cell: Cell[Value] | None) -> None:
        # What began at the same address and is now narrowed, or ended and is now followed, had no address of its own.
        if self.starts[-1] == start:
            self.cells[-1] = cell
        else:
            self.starts.append(start)
            self.cells.append(cell)


def span_of(network: Network, value: Value) -> Span[Value]:
    """Give what stands on a network with the network as numbers."""
    return int(network.network_address), network.prefixlen, value
