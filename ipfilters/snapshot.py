"""A rule set compiled for deciding: immutable, swapped by reference by whoever uses it (design, section 7)."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address

from ipfilters.addresses import Address, Network
from ipfilters.deciding import Decision
from ipfilters.rules import Endpoint, Rule, RuleSet
from ipfilters.views import View, Views


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

    def decide(self, address: str, *, endpoint: Endpoint, shop: str | None = None, now: datetime) -> Decision:
        """Decide whether an address may connect; `now` is aware, `shop` None for a caller that is of no shop.

        Where the shop is not known yet, ask `refused_early`. Raises AddressRefused.
        """
        # Not by `view`: a call more is a tenth of all that is done here.
        return (self._views.get((endpoint, shop)) or self._views[endpoint, None]).decide(address, now)

    def refused_early(self, address: str, *, endpoint: Endpoint, now: datetime) -> Decision | None:
        """Give the denial that holds for whatever shop, None while it depends on the shop.

        It is decided as for a shop that had the allows of all shops and the denies of none: who is denied even so is
        denied in the end. None is no leave: once the shop is known, `decide` has to be asked. Raises AddressRefused.
        """
        decision = self._early[endpoint].decide(address, now)
        return None if decision.allowed else decision

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


def compile_rules(rule_set: RuleSet, *, version: int, compiled_at: datetime) -> Snapshot:
    """Compile a rule set; `compiled_at` is aware. It shares nothing with what runs, so a thread can do it.

    Expired rules go in: they do not match, and explanations name them.
    """
    with collector_waiting():
        return Snapshot(rule_set, version=version, compiled_at=compiled_at)


@contextmanager
def collector_waiting() -> Iterator[None]:
    """Let Python's collector of garbage wait while very many rules are read or compiled.

    All that is made is kept, and looking through it takes most of the time.

    Of two threads that do so at once the first to end wakes it, which costs the other time and nothing else.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
