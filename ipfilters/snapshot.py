"""A rule set compiled for deciding: immutable, swapped by reference by whoever uses it (design, section 7)."""

from collections.abc import Iterable
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from itertools import chain

from ipfilters import deciding
from ipfilters.addresses import Address, Network, read_number
from ipfilters.deciding import Decision
from ipfilters.rules import Effect, Endpoint, Rule, RuleSet
from ipfilters.tables import Cell, Table

_REMEMBERED = 65_536

Place = tuple[Endpoint | None, str | None]
_Key = tuple[str, Endpoint, str | None] | tuple[str, Endpoint]
"""What a decision is remembered by: address, endpoint and shop, or without a shop that of `refused_early`."""

_Entry = tuple[Decision, datetime | None, datetime | None]


class Snapshot:
    """A compiled rule set. Deciding is safe in any thread; what it remembers never changes an answer.

    `version` is whatever its user counts by, `compiled_at` is aware. An address that was decided before costs one
    look-up in a dictionary, a new one a bisection for each scope that has rules.
    """

    def __init__(self, rule_set: RuleSet, *, version: int, compiled_at: datetime) -> None:
        self.rule_set = rule_set
        self.version = version
        self.compiled_at = compiled_at
        self._views, self._early = _compiled(rule_set)
        # Time is part of what is remembered: an entry holds from one expiry of a rule that matches to the next.
        self._verdicts: dict[_Key, _Entry] = {}
        self._known: dict[tuple[object, ...], _Entry] = {}

    def decide(self, address: str, *, endpoint: Endpoint, shop: str | None = None, now: datetime) -> Decision:
        """Decide whether an address may connect; `now` is aware, `shop` None for a caller that is of no shop.

        Where the shop is not known yet, ask `refused_early`. Raises AddressRefused.
        """
        entry = self._verdicts.get((address, endpoint, shop))
        if entry is None or not _holds(entry, now):
            entry = self._remembered((address, endpoint, shop), self.view(endpoint, shop), now)
        return entry[0]

    def refused_early(self, address: str, *, endpoint: Endpoint, now: datetime) -> Decision | None:
        """Give the denial that holds for whatever shop, None while it depends on the shop.

        It is decided as for a shop that had the allows of all shops and the denies of none: who is denied even so is
        denied in the end. None is no leave: once the shop is known, `decide` has to be asked. Raises AddressRefused.
        """
        entry = self._verdicts.get((address, endpoint))
        if entry is None or not _holds(entry, now):
            entry = self._remembered((address, endpoint), self._early[endpoint], now)
        return None if entry[0].allowed else entry[0]

    def matching(self, address: Address, *, endpoint: Endpoint, shop: str | None = None) -> list[Rule]:
        """Give every rule whose scope and network match, shadow and expired ones among them.

        They are sorted as `deciding.judge` needs them.
        """
        return list(_rules(self.view(endpoint, shop).find(address.version, int(address))))

    def points(self, network: Network, *, endpoint: Endpoint, shop: str | None = None) -> list[Address]:
        """Give one address of a network for each set of rules that can match in it: the lowest, in order."""
        first, last = int(network.network_address), int(network.broadcast_address)
        view = self.view(endpoint, shop)
        tables = view.four if network.version == 4 else view.six
        numbers = {first}.union(*(table.bounds(first, last) for table in tables))
        kind = IPv4Address if network.version == 4 else IPv6Address
        return [kind(number) for number in sorted(numbers)]

    def view(self, endpoint: Endpoint, shop: str | None) -> "View":
        """Give what applies at an endpoint to a shop."""
        return self._views.get((endpoint, shop)) or self._views[endpoint, None]

    def shops(self) -> list[str]:
        """Give the shops that have rules, sorted."""
        return sorted({shop for _, shop in self._views if shop is not None})

    def _remembered(self, key: _Key, view: "View", now: datetime) -> _Entry:
        entry = self._found(key[0], view, now)
        if len(self._verdicts) >= _REMEMBERED:
            self._verdicts.clear()
        self._verdicts[key] = entry
        return entry

    def _found(self, address: str, view: "View", now: datetime) -> _Entry:
        cells = view.find(*read_number(address))
        key = (view, *cells)
        entry = self._known.get(key)
        if entry is None or not _holds(entry, now):
            entry = _decided(list(_rules(cells)), default=view.default, now=now)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = entry
        return entry


class View:
    """The tables that apply at one endpoint to one shop, from the first level to the last, and the default."""

    __slots__ = ("default", "four", "six")

    def __init__(self, layers: Iterable["_Layer"], *, default: bool) -> None:
        found = tuple(layers)
        self.default = default
        self.four = tuple(layer.four for layer in found if layer.four is not None)
        self.six = tuple(layer.six for layer in found if layer.six is not None)

    def find(self, version: int, number: int) -> list[Cell[Rule] | None]:
        """Give for each table the innermost network around an address."""
        return [table.find(number) for table in (self.four if version == 4 else self.six)]


class _Layer:
    """The rules of one scope, by family."""

    __slots__ = ("four", "six")

    def __init__(self, rules: list[Rule]) -> None:
        four = [(rule.network, rule) for rule in rules if rule.network.version == 4]
        six = [(rule.network, rule) for rule in rules if rule.network.version == 6]
        self.four: Table[Rule] | None = Table(four, bits=32) if four else None
        self.six: Table[Rule] | None = Table(six, bits=128) if six else None


def compile_rules(rule_set: RuleSet, *, version: int, compiled_at: datetime) -> Snapshot:
    """Compile a rule set; `compiled_at` is aware. It shares nothing with what runs, so a thread can do it.

    Expired rules go in: they do not match, and explanations name them.
    """
    return Snapshot(rule_set, version=version, compiled_at=compiled_at)


def _compiled(rule_set: RuleSet) -> tuple[dict[tuple[Endpoint, str | None], View], dict[Endpoint, View]]:
    by_place: dict[Place, list[Rule]] = {}
    allows: dict[Endpoint | None, list[Rule]] = {}
    for rule in rule_set.rules:
        scope = rule.scope
        by_place.setdefault((scope.endpoint, scope.shop), []).append(rule)
        if scope.shop is not None and rule.effect is Effect.ALLOW:
            allows.setdefault(scope.endpoint, []).append(rule)
    layers = {place: _Layer(rules) for place, rules in by_place.items()}
    any_shop = {endpoint: _Layer(rules) for endpoint, rules in allows.items()}
    views: dict[tuple[Endpoint, str | None], View] = {}
    early: dict[Endpoint, View] = {}
    for endpoint in Endpoint:
        default = rule_set.defaults.allows(endpoint)
        common = [layers[place] for place in ((None, None), (endpoint, None)) if place in layers]
        of_shops = [any_shop[key] for key in (None, endpoint) if key in any_shop]
        early[endpoint] = View([*common, *of_shops], default=default)
        for shop in {None, *(shop for _, shop in layers)}:
            own = [] if shop is None else [layers[at, shop] for at in (None, endpoint) if (at, shop) in layers]
            views[endpoint, shop] = View([*common, *own], default=default)
    return views, early


def _rules(cells: Iterable[Cell[Rule] | None]) -> Iterable[Rule]:
    return chain.from_iterable(cell.all() for cell in cells if cell is not None)


def _decided(rules: list[Rule], *, default: bool, now: datetime) -> _Entry:
    if now.utcoffset() is None:
        raise ValueError("now needs an offset from UTC")
    expiries = [rule.expires_at for rule in rules if rule.expires_at is not None]
    return (
        deciding.decide(rules, default=default, now=now),
        max((at for at in expiries if at <= now), default=None),
        min((at for at in expiries if at > now), default=None),
    )


def _holds(entry: _Entry, now: datetime) -> bool:
    _, since, until = entry
    return (since is None or since <= now) and (until is None or now < until)
