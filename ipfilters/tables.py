"""Networks of one family as disjoint intervals: one bisection finds everything that holds an address."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Generic, TypeVar

from ipfilters.addresses import Network

Value = TypeVar("Value")


class Cell(Generic[Value]):
    """What stands on one network, and the cell of the next wider network around it."""

    __slots__ = ("outer", "values")

    def __init__(self, outer: "Cell[Value] | None") -> None:
        self.values: list[Value] = []
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
    Cells are linked and not copied: a wide network costs the same however many are inside.
    """

    __slots__ = ("_cells", "_starts")

    def __init__(self, entries: Iterable[tuple[Network, Value]], *, bits: int) -> None:
        self._starts: list[int] = [0]
        self._cells: list[Cell[Value] | None] = [None]
        spans = sorted(
            ((int(network.network_address), network.prefixlen, value) for network, value in entries),
            key=itemgetter(0, 1),
        )
        open_cells: list[tuple[int, int, Cell[Value]]] = []
        for start, length, value in spans:
            self._close(open_cells, before=start)
            if not open_cells or open_cells[-1][1] != length:
                cell = Cell(open_cells[-1][2] if open_cells else None)
                open_cells.append((start + (1 << (bits - length)), length, cell))
                self._begin(start, cell)
            open_cells[-1][2].values.append(value)
        self._close(open_cells, before=1 << bits)

    def find(self, number: int) -> Cell[Value] | None:
        """Give the innermost network around an address, None when there is none."""
        return self._cells[bisect_right(self._starts, number) - 1]

    def bounds(self, first: int, last: int) -> list[int]:
        """Give the first address of every interval that begins from `first` to `last`, both included."""
        return self._starts[bisect_left(self._starts, first) : bisect_right(self._starts, last)]

    def _close(self, open_cells: list[tuple[int, int, Cell[Value]]], *, before: int) -> None:
        while open_cells and open_cells[-1][0] <= before:
            end = open_cells.pop()[0]
            self._begin(end, open_cells[-1][2] if open_cells else None)

    def _begin(self, start: int, cell: Cell[Value] | None) -> None:
        # What began at the same address and is now narrowed, or ended and is now followed, had no address of its own.
        if self._starts[-1] == start:
            self._cells[-1] = cell
        else:
            self._starts.append(start)
            self._cells.append(cell)
