"""Decisions made when rules are compiled: each interval of addresses carries its own, so that asking finds one."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from ipfilters import deciding
from ipfilters.deciding import Decision, by_level, telling
from ipfilters.rules import Rule
from ipfilters.tables import Cell, Table

Key = TypeVar("Key")
Answer = TypeVar("Answer")

_REMEMBERED = 65_536

_INDEXED = 1024
"""From so many intervals on, IPv4 addresses are looked for among those of their first 16 bits only."""


class Judged:
    """A decision, the rules that have a say in it, and how long it holds: from one expiry of these rules to the next.

    `rules` are sorted as `deciding.judge` needs them; of those alike there is one (`deciding.telling`). `since` and
    `until` are None where no rule expires before or after. Nobody changes one once it is made.
    """

    __slots__ = ("decision", "rules", "since", "timeless", "until")

    def __init__(self, rules: Sequence[Rule], *, default: bool, now: datetime) -> None:
        expiries = [rule.expires_at for rule in rules if rule.expires_at is not None]
        self.rules = rules
        self.decision: Decision = deciding.decide(rules, default=default, now=now)
        self.timeless = not expiries
        self.since = max((at for at in expiries if at <= now), default=None)
        self.until = min((at for at in expiries if at > now), default=None)

    def holds(self, now: datetime) -> bool:
        """Whether the decision is that of an instant."""
        return (self.since is None or self.since <= now) and (self.until is None or now < self.until)


class Judge:
    """Decides for the cells of tables as of an instant: for each once, and by both defaults where they have a say."""

    def __init__(self, *, now: datetime) -> None:
        self._now = now
        self._always: dict[Cell[Rule], Judged] = {}
        self._by_default: dict[bool, dict[Cell[Rule], Judged]] = {False: {}, True: {}}
        self._nobody = {default: self.together((), default=default) for default in (False, True)}
        self._told: dict[Cell[Rule], Sequence[Rule]] = {}

    def judge(self, cell: Cell[Rule] | None, *, default: bool) -> Judged:
        """Decide for a cell, or for no network."""
        if cell is None:
            return self._nobody[default]
        judged = self._always.get(cell) or self._by_default[default].get(cell)
        if judged is None:
            told = self._telling(cell)
            ordered = told if len(told) == 1 else sorted(told, key=by_level)
            judged = self.together(ordered, default=default)
            # What expires is decided again later, and then the default may have a say.
            always = judged.timeless and not judged.decision.by_default
            (self._always if always else self._by_default[default])[cell] = judged
        return judged

    def together(self, rules: Sequence[Rule], *, default: bool) -> Judged:
        """Decide for rules that match, sorted as `deciding.judge` needs them."""
        return Judged(rules, default=default, now=self._now)

    def _telling(self, cell: Cell[Rule]) -> Sequence[Rule]:
        if cell.outer is None:
            return self._told_by(cell)
        rules: list[Rule] = []
        around: Cell[Rule] | None = cell
        while around is not None:
            rules += self._told_by(around)
            around = around.outer
        return rules

    def _told_by(self, cell: Cell[Rule]) -> Sequence[Rule]:
        if len(cell.values) == 1:
            return cell.values
        told = self._told.get(cell)
        if told is None:
            told = self._told[cell] = telling(cell.values)
        return told


class Finder(Protocol):
    """Finds what was decided for addresses of one family, given as numbers."""

    def find(self, number: int) -> Judged:
        """Give what holds an address, as of the instant of compiling or of some question since."""


class Verdicts:
    """What a table of rules decides, interval by interval; `judge` decides for a cell, and for no network."""

    __slots__ = ("_judged", "_starts")

    def __init__(self, table: Table[Rule], judge: Callable[[Cell[Rule] | None], Judged]) -> None:
        self._starts: Sequence[int] = table.starts
        # A wide cell comes back between those that are inside it.
        decided = {cell: judge(cell) for cell in dict.fromkeys(table.cells)}
        self._judged = [decided[cell] for cell in table.cells]

    def find(self, number: int) -> Judged:
        """Give what holds an address."""
        return self._judged[bisect_right(self._starts, number) - 1]


class IndexedVerdicts(Verdicts):
    """The same for many networks of IPv4: the first 16 bits of an address say where its interval is, but for a few.

    Many networks then cost what few do. Numbers lie side by side, not as objects all over the memory.
    """

    __slots__ = ("_index",)

    def __init__(self, table: Table[Rule], judge: Callable[[Cell[Rule] | None], Judged]) -> None:
        super().__init__(table, judge)
        # What ends with the last address of all begins an interval that no address is in.
        starts = self._starts = array("I", (start for start in table.starts if start < 1 << 32))
        self._index = array("I", [*(bisect_left(starts, bits << 16) for bits in range(1 << 16)), len(starts)])

    def find(self, number: int) -> Judged:
        """Give what holds an address."""
        bits, index = number >> 16, self._index
        return self._judged[bisect_right(self._starts, number, index[bits], index[bits + 1]) - 1]


class PairedVerdicts:
    """What rules for many and a few of one's own decide together, decided when an address first meets rules of both.

    All that is common has lower levels than all that is one's own.
    """

    __slots__ = ("_common", "_known", "_own", "_together")

    def __init__(self, common: Finder, own: Finder, together: Callable[[Sequence[Rule]], Judged]) -> None:
        self._common = common
        self._own = own
        self._together = together
        self._known: dict[tuple[Judged, Judged], Judged] = {}

    def find(self, number: int) -> Judged:
        """Give what holds an address."""
        common, own = self._common.find(number), self._own.find(number)
        if not own.rules:
            return common
        if not common.rules:
            return own
        found = self._known.get((common, own))
        if found is None:
            found = self._together([*common.rules, *own.rules])
            remember(self._known, (common, own), found)
        return found


def remember(known: dict[Key, Answer], key: Key, answer: Answer) -> None:
    """Remember an answer, in a dictionary that forgets everything when it is full."""
    if len(known) >= _REMEMBERED:
        known.clear()
    known[key] = answer


def verdicts_of(table: Table[Rule], judge: Callable[[Cell[Rule] | None], Judged], *, bits: int) -> Verdicts:
    """Give what a table of rules decides; `judge` decides for a cell, and for no network."""
    kind = IndexedVerdicts if bits == 32 and len(table.starts) >= _INDEXED else Verdicts
    return kind(table, judge)
