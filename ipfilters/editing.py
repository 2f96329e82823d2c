"""What an edit of the rules would do that its editor should be asked about first."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network

from ipfilters.addresses import Network
from ipfilters.rules import Endpoint, Rule
from ipfilters.snapshot import Snapshot

OPEN_SHARE = 0.5
"""An endpoint that lets in more than this share of all addresses, of either family, is open to everybody."""

_INTERNET: tuple[Network, ...] = (IPv4Network("0.0.0.0/0"), IPv6Network("2000::/3"))
"""All of IPv4, and what of IPv6 has been given out as global unicast (RFC 4291, section 2.4, and IANA)."""


class Danger(StrEnum):
    """What an edit would do."""

    LOCKS_OUT = "locks-out"
    OPENS = "opens"


@dataclass(frozen=True, kw_only=True, slots=True)
class Warned:
    """A danger, where it is, and the rule that brings it: None for the default or for several rules together."""

    danger: Danger
    endpoint: Endpoint
    shop: str | None
    rule: Rule | None
    message: str


def check_edit(
    before: Snapshot,
    after: Snapshot,
    *,
    editor: str,
    endpoint: Endpoint = Endpoint.ADMIN,
    shop: str | None = None,
    now: datetime,
) -> tuple[Warned, ...]:
    """Give what an edit brings that was not so before: a question for each, nothing when it is harmless.

    LOCKS_OUT: the editor's own address, which asks at `endpoint` as `shop`, would no longer be let in. OPENS: an
    endpoint, for callers of no shop or of one that has rules, would let in more than `OPEN_SHARE` of the internet.
    Both as of the aware instant `now`. Raises AddressRefused for the editor's address.
    """
    warned = []
    decision = after.decide(editor, endpoint=endpoint, shop=shop, now=now)
    if not decision.allowed and before.decide(editor, endpoint=endpoint, shop=shop, now=now).allowed:
        by = "the default of the endpoint" if decision.winner is None else str(decision.winner)
        warned.append(
            Warned(
                danger=Danger.LOCKS_OUT,
                endpoint=endpoint,
                shop=shop,
                rule=decision.winner,
                message=f"this locks out {editor}, the address that you use yourself, by {by}",
            )
        )
    for where, whose in _changed(before, after):
        share = open_share(after, endpoint=where, shop=whose, now=now)
        if share > OPEN_SHARE >= open_share(before, endpoint=where, shop=whose, now=now):
            warned.append(_opened(after, where, whose, share, now))
    return tuple(warned)


def open_share(snapshot: Snapshot, *, endpoint: Endpoint, shop: str | None = None, now: datetime) -> float:
    """Give the share of all addresses that are let in, 0.0 to 1.0: that of IPv4 or of IPv6, whichever is more."""
    return max(_share(snapshot, internet, endpoint, shop, now) for internet in _INTERNET)


def _share(snapshot: Snapshot, internet: Network, endpoint: Endpoint, shop: str | None, now: datetime) -> float:
    points = snapshot.points(internet, endpoint=endpoint, shop=shop)
    ends = [*(int(point) for point in points[1:]), int(internet.broadcast_address) + 1]
    allowed = sum(
        end - int(point)
        for point, end in zip(points, ends, strict=True)
        if snapshot.decide(str(point), endpoint=endpoint, shop=shop, now=now).allowed
    )
    return allowed / internet.num_addresses


def _opened(after: Snapshot, endpoint: Endpoint, shop: str | None, share: float, now: datetime) -> Warned:
    decided = (
        after.decide(str(point), endpoint=endpoint, shop=shop, now=now).winner
        for internet in _INTERNET
        for point in after.points(internet, endpoint=endpoint, shop=shop)
    )
    rule = next((winner for winner in decided if winner is not None and winner.network.prefixlen == 0), None)
    whom = "" if shop is None else f" as shop {shop}"
    by = "" if rule is None else f", by {rule}"
    return Warned(
        danger=Danger.OPENS,
        endpoint=endpoint,
        shop=shop,
        rule=rule,
        message=f"this opens {endpoint}{whom} to {share:.0%} of all addresses{by}",
    )


def _changed(before: Snapshot, after: Snapshot) -> Iterator[tuple[Endpoint, str | None]]:
    """Give where decisions can have changed by rules of that scope; other shops get what callers of no shop get."""
    old, new = _by_scope(before), _by_scope(after)
    changed = {scope for scope in old.keys() | new.keys() if old.get(scope) != new.get(scope)}
    shops = {shop for _, shop in changed if shop is not None}
    for endpoint in Endpoint:
        common = before.rule_set.defaults.allows(endpoint) is not after.rule_set.defaults.allows(endpoint)
        if common or changed & {(None, None), (endpoint, None)}:
            yield endpoint, None
        for shop in sorted(shops):
            if changed & {(None, shop), (endpoint, shop)}:
                yield endpoint, shop


def _by_scope(snapshot: Snapshot) -> dict[tuple[Endpoint | None, str | None], set[tuple[object, ...]]]:
    found: dict[tuple[Endpoint | None, str | None], set[tuple[object, ...]]] = {}
    for rule in snapshot.rule_set.rules:
        what = (rule.effect, rule.network, rule.mode, rule.expires_at)
        found.setdefault((rule.scope.endpoint, rule.scope.shop), set()).add(what)
    return found
