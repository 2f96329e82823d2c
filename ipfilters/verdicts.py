"""Decisions made when rules are compiled: each interval of addresses carries its own, so that asking finds one."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from ipfilters import deciding
from ipfilters.deciding import Decision, by_level, telling
from ipfilters.lookups import Lookup
from ipfilters.rules import Rule
from ipfilters.tables import Cell

Key = TypeVar("Key")
Answer = TypeVar("Answer")

_REMEMBERED = 65_536


class Changing:
    """A decision that is another one when a rule that has a say in it expires. Safe in any thread.

    `rules` are sorted as `deciding.judge` needs them.
    """

    __slots__ = ("_default", "_period", "_rules")

    def __init__(self, rules: Sequence[Rule], *, default: bool, now: datetime) -> None:
        self._rules = rules
        self._default = default
        self._period = _Period(rules, default=default, now=now)

    def at(self, now: datetime) -> Decision:
        """Give the decision of an aware instant."""
        if now.tzinfo is None:
            raise ValueError("now needs an offset from UTC")
        period = self._period
        if not period.holds(now):
            period = self._period = _Period(self._rules, default=self._default, now=now)
        return period.decision


class _Period:
    """A decision and how long it holds: from one expiry to the next. Nobody changes one once it is made."""

    __slots__ = ("_since", "_until", "decision")

    def __init__(self, rules: Sequence[Rule], *, default: bool, now: datetime) -> None:
        expiries = [rule.expires_at for rule in rules if rule.expires_at is not None]
        self.decision = deciding.decide(rules, default=default, now=now)
        self._since = max((at for at in expiries if at <= now), default=None)
        self._until = min((at for at in expiries if at > now), default=None)

    def holds(self, now: datetime) -> bool:
        return (self._since is None or self._since <= now) and (self._until is None or now < self._until)


Ruling = Decision | Changing
"""What stands in an interval: a decision for ever, or one that changes."""


class Judge:
    """Decides for the cells of tables as of an instant: for each once, and by both defaults where they have a say."""

    def __init__(self, *, now: datetime) -> None:
        self._now = now
        self._always: dict[Cell[Rule], Decision] = {}
        self._by_default: dict[bool, dict[Cell[Rule], Ruling]] = {False: {}, True: {}}
        self._nobody = {default: deciding.decide((), default=default, now=now) for default in (False, True)}
        self._told: dict[Cell[Rule], Sequence[Rule]] = {}

    def judge(self, cells: Sequence[Cell[Rule] | None], *, default: bool) -> list[Ruling]:
        """Decide for each cell, or for no network."""
        nobody, always, judged = self._nobody[default], self._always, []
        for cell in cells:
            # A wide cell comes back between those that are inside it.
            ruling = nobody if cell is None else always.get(cell) or self._judge(cell, default=default)
            judged.append(ruling)
        return judged

    def _judge(self, cell: Cell[Rule], *, default: bool) -> Ruling:
        if cell.outer is None and len(cell.values) == 1 and (alone := deciding.alone(cell.values[0])) is not None:
            # What most are, and a hundred thousand of them are compiled at once.
            self._always[cell] = alone
            return alone
        ruling = self._by_default[default].get(cell)
        if ruling is None:
            ruling = self.together((cell,), default=default)
            # What expires is decided again later, and then the default may have a say.
            if isinstance(ruling, Decision) and not ruling.by_default:
                self._always[cell] = ruling
            else:
                self._by_default[default][cell] = ruling
        return ruling

    def together(self, cells: Sequence[Cell[Rule] | None], *, default: bool) -> Ruling:
        """Decide for an address that is in one cell of each of some tables."""
        rules: list[Rule] = []
        for cell in cells:
            around = cell
            while around is not None:
                rules += around.values if len(around.values) == 1 else self._telling(around)
                around = around.outer
        return self._ruling(sorted(rules, key=by_level), default=default)

    def _ruling(self, rules: Sequence[Rule], *, default: bool) -> Ruling:
        for rule in rules:
            if rule.expires_at is not None:
                return Changing(rules, default=default, now=self._now)
        return deciding.decide(rules, default=default, now=self._now)

    def _telling(self, cell: Cell[Rule]) -> Sequence[Rule]:
        told = self._told.get(cell)
        if told is None:
            told = self._told[cell] = telling(cell.values)
        return told


class Finder(Protocol):
    """Finds what was decided for addresses of one family, given as their bytes."""

    def find(self, packed: bytes) -> Ruling:
        """Give what stands for an address."""


class PairedVerdicts:
    """What rules for many and a few of one's own decide together, decided when an address first meets rules of both.

    `ready` finds what the rules for many decide alone, `common` their cells, `own` those of one's own.
    """

    __slots__ = ("_cells", "_known", "_own", "_ready", "_together")

    def __init__(
        self,
        ready: Finder,
        common: Sequence[Lookup[Cell[Rule] | None]],
        own: Lookup[Cell[Rule] | None],
        together: Callable[[Sequence[Cell[Rule] | None]], Ruling],
    ) -> None:
        self._ready = ready
        self._cells = (*common, own)
        self._own = own
        self._together = together
        self._known: dict[Sequence[Cell[Rule] | None], Ruling] = {}

    def find(self, packed: bytes) -> Ruling:
        """Give what stands for an address."""
        if self._own.find(packed) is None:
            return self._ready.find(packed)
        cells = tuple(lookup.find(packed) for lookup in self._cells)
        found = self._known.get(cells)
        if found is None:
            found = self._together(cells)
            remember(self._known, cells, found)
        return found


def remember(known: dict[Key, Answer], key: Key, answer: Answer) -> None:
    """Remember an answer, in a dictionary that forgets everything when it is full."""
    if len(known) >= _REMEMBERED:
        known.clear()
    known[key] = answer
