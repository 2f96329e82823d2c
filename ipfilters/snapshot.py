"""A rule set compiled for deciding: immutable, swapped by reference by whoever uses it (design, section 7)."""

from datetime import datetime
from ipaddress import IPv4Address, IPv6Address

from ipfilters.addresses import Address, Network, read_number
from ipfilters.deciding import Decision
from ipfilters.rules import Endpoint, Rule, RuleSet
from ipfilters.verdicts import Judged, remember
from ipfilters.views import View, Views

_Key = tuple[str, Endpoint, str | None] | tuple[str, Endpoint]
"""What a decision is remembered by: address, endpoint and shop, or without a shop that of `refused_early`."""


class Snapshot:
    """A compiled rule set. Deciding is safe in any thread; what it remembers never changes an answer.

    `version` is whatever its user counts by, `compiled_at` is aware. An address that was decided before costs one
    look-up in a dictionary, a new one a bisection: what is decided stands ready in each interval of addresses. Where
    a few rules of a shop meet many that are common, it is made ready when the first address is in both.
    """

    def __init__(self, rule_set: RuleSet, *, version: int, compiled_at: datetime) -> None:
        self.rule_set = rule_set
        self.version = version
        self.compiled_at = compiled_at
        views = Views(rule_set, now=compiled_at)
        self._views, self._early = views.places, views.early
        self._remembered: dict[_Key, Judged] = {}
        # What was decided for another time than that of compiling, by what was decided then.
        self._later: dict[Judged, Judged] = {}

    def decide(self, address: str, *, endpoint: Endpoint, shop: str | None = None, now: datetime) -> Decision:
        """Decide whether an address may connect; `now` is aware, `shop` None for a caller that is of no shop.

        Where the shop is not known yet, ask `refused_early`. Raises AddressRefused.
        """
        judged = self._remembered.get((address, endpoint, shop))
        if judged is None or not (judged.timeless or judged.holds(now)):
            judged = self._fresh((address, endpoint, shop), self.view(endpoint, shop), now)
        return judged.decision

    def refused_early(self, address: str, *, endpoint: Endpoint, now: datetime) -> Decision | None:
        """Give the denial that holds for whatever shop, None while it depends on the shop.

        It is decided as for a shop that had the allows of all shops and the denies of none: who is denied even so is
        denied in the end. None is no leave: once the shop is known, `decide` has to be asked. Raises AddressRefused.
        """
        judged = self._remembered.get((address, endpoint))
        if judged is None or not (judged.timeless or judged.holds(now)):
            judged = self._fresh((address, endpoint), self._early[endpoint], now)
        return None if judged.decision.allowed else judged.decision

    def matching(self, address: Address, *, endpoint: Endpoint, shop: str | None = None) -> list[Rule]:
        """Give every rule whose scope and network match, shadow and expired ones among them.

        They are sorted as `deciding.judge` needs them.
        """
        return self.view(endpoint, shop).matching(address.version, int(address))

    def points(self, network: Network, *, endpoint: Endpoint, shop: str | None = None) -> list[Address]:
        """Give one address of a network for each set of rules that can match in it: the lowest, in order."""
        first, last = int(network.network_address), int(network.broadcast_address)
        numbers = {first, *self.view(endpoint, shop).bounds(network.version, first, last)}
        kind = IPv4Address if network.version == 4 else IPv6Address
        return [kind(number) for number in sorted(numbers)]

    def view(self, endpoint: Endpoint, shop: str | None) -> View:
        """Give what applies at an endpoint to a shop."""
        return self._views.get((endpoint, shop)) or self._views[endpoint, None]

    def shops(self) -> list[str]:
        """Give the shops that have rules, sorted."""
        return sorted({shop for _, shop in self._views if shop is not None})

    def _fresh(self, key: _Key, view: View, now: datetime) -> Judged:
        if now.tzinfo is None:
            raise ValueError("now needs an offset from UTC")
        version, number = read_number(key[0])
        judged = view.four.find(number) if version == 4 else view.six.find(number)
        if not (judged.timeless or judged.holds(now)):
            judged = self._at(judged, view, now)
        remember(self._remembered, key, judged)
        return judged

    def _at(self, judged: Judged, view: View, now: datetime) -> Judged:
        found = self._later.get(judged)
        if found is None or not found.holds(now):
            found = Judged(judged.rules, default=view.default, now=now)
            remember(self._later, judged, found)
        return found


def compile_rules(rule_set: RuleSet, *, version: int, compiled_at: datetime) -> Snapshot:
    """Compile a rule set; `compiled_at` is aware. It shares nothing with what runs, so a thread can do it.

    Expired rules go in: they do not match, and explanations name them.
    """
    return Snapshot(rule_set, version=version, compiled_at=compiled_at)
