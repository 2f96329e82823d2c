"""What applies where: the rules at each endpoint for each shop, compiled so that what many share is made once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain
from typing import TypeVar

from ipfilters.addresses import read_bytes
from ipfilters.deciding import Decision, by_level
from ipfilters.lookups import Intervals, Lookup, intervals_of
from ipfilters.rules import Effect, Endpoint, Rule, RuleSet
from ipfilters.tables import Cell, Span, Table, in_order, span_of
from ipfilters.verdicts import Changing, Finder, Judge, PairedVerdicts

Key = TypeVar("Key")
Place = tuple[Endpoint | None, str | None]

REMEMBERED = 65_536
"""So many decisions are remembered in all; a new one costs a few times as much."""

_FEWEST = 16
"""So many are remembered for each shop at least: its servers have a few addresses."""

_BITS = {4: 32, 6: 128}


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """What applies to addresses of one family: what is decided, and tables of all rules, from the first level on."""

    finder: Finder
    tables: tuple[Table[Rule], ...]


class View:
    """What applies at one endpoint to one shop.

    `four` and `six` find what stands for an address by its bytes. `most` is how many decisions are remembered.
    """

    __slots__ = ("_most", "_remembered", "_tables", "four", "six")

    def __init__(self, *, four: Side, six: Side, most: int) -> None:
        self.four = four.finder.find
        self.six = six.finder.find
        self._tables = {4: four.tables, 6: six.tables}
        self._most = most
        # What holds for ever: what changes when a rule expires is looked up each time.
        self._remembered: dict[str, Decision] = {}

    def decide(self, address: str, now: datetime) -> Decision:
        """Decide whether an address may connect; `now` is aware. Raises AddressRefused."""
        remembered = self._remembered
        decision = remembered.get(address)
        if decision is not None:
            return decision
        packed = read_bytes(address)
        found = self.four(packed) if len(packed) == 4 else self.six(packed)
        if isinstance(found, Changing):
            return found.at(now)
        if len(remembered) >= self._most:
            remembered.clear()
        remembered[address] = found
        return found

    def matching(self, version: int, number: int) -> list[Rule]:
        """Give every rule around an address, sorted as `deciding.judge` needs them."""
        cells = (table.find(number) for table in self._tables[version])
        return sorted(chain.from_iterable(cell.all() for cell in cells if cell is not None), key=by_level)

    def bounds(self, version: int, first: int, last: int) -> set[int]:
        """Give the first address of every interval that begins from `first` to `last`, both included."""
        return set(chain.from_iterable(table.bounds(first, last) for table in self._tables[version]))


class Layer:
    """Rules that apply together, by family as sorted spans. Two layers are the same when they are one object."""

    __slots__ = ("_spans",)

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._spans: dict[int, list[Span[Rule]]] = {4: [], 6: []}
        for rule in rules:
            self._spans[rule.network.version].append(span_of(rule.network, rule))
        for spans in self._spans.values():
            spans.sort(key=in_order)

    def spans(self, version: int) -> list[Span[Rule]]:
        """Give the rules of a family."""
        return self._spans[version]


Layers = tuple[Layer, ...]

Groups = tuple[Layers, ...]
"""Layers by who shares them, from the first level on: everybody, those at an endpoint, a shop."""


class Views:
    """All views of a rule set. `early` is what decides before the shop is known (`Snapshot.refused_early`)."""

    def __init__(self, rule_set: RuleSet, *, now: datetime) -> None:
        self._judge = Judge(now=now)
        self._tables: dict[tuple[int, Layers], Table[Rule]] = {}
        self._intervals: dict[tuple[int, Layers], Intervals] = {}
        self._cells: dict[tuple[int, Layers], Lookup[Cell[Rule] | None]] = {}
        self._sides: dict[tuple[int, Groups, bool], Side] = {}
        layers, any_shop = _layers(rule_set.rules)
        shops = sorted({shop for _, shop in layers if shop is not None})
        self._most = max(_FEWEST, REMEMBERED // (len(Endpoint) * (2 + len(shops))))
        self.places: dict[tuple[Endpoint, str | None], View] = {}
        self.early: dict[Endpoint, View] = {}
        for endpoint in Endpoint:
            default = rule_set.defaults.allows(endpoint)
            common = (_present(layers, ((None, None),)), _present(layers, ((endpoint, None),)))
            self.early[endpoint] = self._view((*common, _present(any_shop, (None, endpoint))), default)
            self.places[endpoint, None] = self._view(common, default)
            for shop in shops:
                own = _present(layers, ((None, shop), (endpoint, shop)))
                self.places[endpoint, shop] = self._view((*common, own), default)

    def _view(self, groups: Groups, default: bool) -> View:  # noqa: FBT001
        four, six = (self._side(version, groups, default) for version in (4, 6))
        return View(four=four, six=six, most=self._most)

    def _side(self, version: int, groups: Groups, default: bool) -> Side:  # noqa: FBT001
        filled = tuple(group for group in groups if any(layer.spans(version) for layer in group))
        side = self._sides.get((version, filled, default))
        if side is None:
            tables = tuple(self._table(version, group) for group in filled)
            side = Side(finder=self._finder(version, filled, default), tables=tables)
            self._sides[version, filled, default] = side
        return side

    def _finder(self, version: int, groups: Groups, default: bool) -> Finder:  # noqa: FBT001
        """Compile groups of layers as one, as long as the few need not carry the many with them, once for each shop."""
        if len(groups) <= 1:
            return self._decided(version, groups, default)
        *before, last = (len(self._table(version, group).starts) for group in groups)
        if sum(before) <= last:
            return self._decided(version, groups, default)
        return PairedVerdicts(
            self._side(version, groups[:-1], default).finder,
            [self._found(version, group) for group in groups[:-1]],
            self._found(version, groups[-1]),
            partial(self._judge.together, default=default),
        )

    def _decided(self, version: int, groups: Groups, default: bool) -> Finder:  # noqa: FBT001
        layers = tuple(chain.from_iterable(groups))
        cells = self._table(version, layers).cells
        return self._parted(version, layers).carrying(self._judge.judge(cells, default=default))

    def _found(self, version: int, layers: Layers) -> Lookup[Cell[Rule] | None]:
        found = self._cells.get((version, layers))
        if found is None:
            cells = self._table(version, layers).cells
            found = self._cells[version, layers] = self._parted(version, layers).carrying(cells)
        return found

    def _parted(self, version: int, layers: Layers) -> Intervals:
        parted = self._intervals.get((version, layers))
        if parted is None:
            parted = self._intervals[version, layers] = intervals_of(self._table(version, layers), bits=_BITS[version])
        return parted

    def _table(self, version: int, layers: Layers) -> Table[Rule]:
        table = self._tables.get((version, layers))
        if table is None:
            spans = chain.from_iterable(layer.spans(version) for layer in layers)
            ordered = sorted(spans, key=in_order) if len(layers) > 1 else spans
            table = self._tables[version, layers] = Table.of_spans(ordered, bits=_BITS[version])
        return table


def _layers(rules: Iterable[Rule]) -> tuple[dict[Place, Layer], dict[Endpoint | None, Layer]]:
    by_place: dict[Place, list[Rule]] = {}
    allows: dict[Endpoint | None, list[Rule]] = {}
    for rule in rules:
        scope = rule.scope
        by_place.setdefault((scope.endpoint, scope.shop), []).append(rule)
        if scope.shop is not None and rule.effect is Effect.ALLOW:
            allows.setdefault(scope.endpoint, []).append(rule)
    return (
        {place: Layer(found) for place, found in by_place.items()},
        {endpoint: Layer(found) for endpoint, found in allows.items()},
    )


def _present(layers: Mapping[Key, Layer], keys: Iterable[Key]) -> tuple[Layer, ...]:
    return tuple(layers[key] for key in keys if key in layers)
