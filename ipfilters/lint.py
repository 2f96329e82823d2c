"""What is odd about rules that are all well written: rules that do nothing, do too much, or are over."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import collapse_addresses, ip_network

from ipfilters.addresses import Network
from ipfilters.deciding import judge
from ipfilters.rules import Effect, Endpoint, Mode, Rule
from ipfilters.snapshot import Snapshot
from ipfilters.tables import Cell, Table


class Severity(StrEnum):
    """How bad a finding is: an error makes the rules useless or dangerous, a hint may well be meant."""

    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"


class Code(StrEnum):
    """What a finding is about."""

    NEVER_WINS = "never-wins"
    DUPLICATE = "duplicate"
    OPPOSITE = "opposite"
    EXPIRED = "expired"
    EXPIRING = "expiring"
    NEVER_HIT = "never-hit"
    UNHIT = "unhit"
    TOO_WIDE = "too-wide"
    PROXIES_EVERYBODY = "proxies-everybody"
    PROXIES_WIDE = "proxies-wide"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One oddity. `rule` is what it is about, `other` the rule that it has it from; None where there is none."""

    code: Code
    severity: Severity
    message: str
    rule: Rule | None = None
    other: Rule | None = None


WIDE = {4: 8, 6: 16}
"""Networks with shorter prefixes than these are too wide to be meant, by IP version."""

_PRIVATE = tuple(
    ip_network(text)
    # RFC 1918, RFC 6598 (carriers' own), RFC 4193.
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)


def lint_rules(
    snapshot: Snapshot,
    *,
    now: datetime,
    expiring: timedelta = timedelta(days=14),
    hits: Mapping[str, int] | None = None,
) -> list[Finding]:
    """Look at all rules as of the aware instant `now`, in their order.

    `expiring` is how far ahead an expiry is told. `hits` are counts by rule id, None when nobody counted.
    """
    findings = [*_times(snapshot.rule_set.rules, now, expiring)]
    alive = [rule for rule in snapshot.rule_set.rules if not rule.is_expired(now)]
    duplicates = {finding.rule.id: finding for finding in _duplicates(alive) if finding.rule is not None}
    findings += duplicates.values()
    findings += _never_winning(snapshot, [rule for rule in alive if rule.id not in duplicates], now)
    findings += _opposites(alive)
    findings += _wide(alive)
    if hits is not None:
        findings += (
            Finding(
                code=Code.NEVER_HIT,
                severity=Severity.HINT,
                message=f"{rule}: it never decided; drop it when nobody needs it",
                rule=rule,
            )
            for rule in alive
            if not hits.get(rule.id)
        )
    order = {rule.id: number for number, rule in enumerate(snapshot.rule_set.rules)}
    return sorted(findings, key=lambda finding: -1 if finding.rule is None else order[finding.rule.id])


def lint_proxies(networks: Iterable[Network]) -> list[Finding]:
    """Look at the proxies whose forwarding header is believed.

    Everybody, also in parts, is an error: any client could then say to be anyone. A warning is a network that is
    very wide, or a whole private range, in which not only proxies live.
    """
    listed = list(networks)
    findings = []
    whole: list[Network] = [
        *collapse_addresses(network for network in listed if network.version == 4),
        *collapse_addresses(network for network in listed if network.version == 6),
    ]
    for network in whole:
        if network.prefixlen == 0:
            message = f"the trusted proxies hold {network}, so every client can say to be anyone; list proxies alone"
            findings.append(Finding(code=Code.PROXIES_EVERYBODY, severity=Severity.ERROR, message=message))
        elif network.prefixlen < WIDE[network.version] or any(_holds(network, private) for private in _PRIVATE):
            message = f"the trusted proxies hold all of {network}, where not only proxies live; list proxies alone"
            findings.append(Finding(code=Code.PROXIES_WIDE, severity=Severity.WARNING, message=message))
    return findings


def _times(rules: Iterable[Rule], now: datetime, expiring: timedelta) -> Iterator[Finding]:
    for rule in rules:
        if rule.expires_at is None:
            continue
        when = rule.expires_at.isoformat()
        if rule.is_expired(now):
            message = f"{rule}: it expired at {when}; drop it, or write a later expires_at"
            yield Finding(code=Code.EXPIRED, severity=Severity.WARNING, message=message, rule=rule)
        elif rule.is_expired(now + expiring):
            message = f"{rule}: it expires at {when}"
            yield Finding(code=Code.EXPIRING, severity=Severity.WARNING, message=message, rule=rule)


def _duplicates(rules: Iterable[Rule]) -> Iterator[Finding]:
    first: dict[tuple[object, ...], Rule] = {}
    for rule in rules:
        other = first.setdefault((rule.scope, rule.effect, rule.network, rule.mode), rule)
        if other is not rule:
            message = f"{rule}: {other.source} says the same; drop one"
            yield Finding(code=Code.DUPLICATE, severity=Severity.WARNING, message=message, rule=rule, other=other)


def _never_winning(snapshot: Snapshot, rules: list[Rule], now: datetime) -> Iterator[Finding]:
    exceptable = any(rule.effect is Effect.EXCEPTABLE_DENY for rule in rules)
    # A shop's own rules can help a more general one to win in one way only: an allow that excepts what beat it.
    allows = [(rule, rule.scope.shop) for rule in rules if exceptable and rule.effect is Effect.ALLOW]
    for rule in rules:
        shops = [rule.scope.shop]
        if rule.scope.shop is None:
            helping = {shop for allow, shop in allows if shop is not None and _overlap(allow.network, rule.network)}
            shops += sorted(helping)
        endpoints = tuple(Endpoint) if rule.scope.endpoint is None else (rule.scope.endpoint,)
        beaten_by = _beaten_by(snapshot, rule, [(endpoint, shop) for shop in shops for endpoint in endpoints], now)
        if beaten_by is not None:
            message = f"{rule}: it never decides anything; {beaten_by} goes before it"
            yield Finding(code=Code.NEVER_WINS, severity=Severity.WARNING, message=message, rule=rule, other=beaten_by)


def _beaten_by(
    snapshot: Snapshot, rule: Rule, places: Iterable[tuple[Endpoint, str | None]], now: datetime
) -> Rule | None:
    """Give a rule that wins over one that never wins, None when it wins somewhere.

    A shadow rule is judged as it would be if all shadow rules were enforced, as in `Decision.shadow`.
    """
    winner: Rule | None = None
    for endpoint, shop in places:
        for address in snapshot.points(rule.network, endpoint=endpoint, shop=shop):
            matching = snapshot.matching(address, endpoint=endpoint, shop=shop)
            alive = [
                match
                for match in matching
                if not match.is_expired(now) and (rule.mode is Mode.SHADOW or match.mode is Mode.ENFORCE)
            ]
            winner = judge(alive, default=False).winner
            if winner is rule:
                return None
    return winner


def _opposites(rules: list[Rule]) -> Iterator[Finding]:
    """Give for each rule the narrowest one around it, or equal and earlier, that does the opposite."""
    numbers = {rule.id: number for number, rule in enumerate(rules)}
    tables = {
        version: Table([(rule.network, rule) for rule in rules if rule.network.version == version], bits=bits)
        for version, bits in ((4, 32), (6, 128))
    }
    for rule in rules:
        cell: Cell[Rule] | None = tables[rule.network.version].find(int(rule.network.network_address))
        around = () if cell is None else cell.all()
        for other in around:
            length, its = rule.network.prefixlen, other.network.prefixlen
            earlier = its < length or (its == length and numbers[other.id] < numbers[rule.id])
            if earlier and _are_opposite(rule, other) and rule.scope.meets(other.scope):
                yield _opposite(rule, other)
                break


def _are_opposite(rule: Rule, other: Rule) -> bool:
    return (rule.effect is Effect.ALLOW) is not (other.effect is Effect.ALLOW)


def _opposite(rule: Rule, other: Rule) -> Finding:
    allow, deny = (rule, other) if rule.effect is Effect.ALLOW else (other, rule)
    longer = allow.network.prefixlen > deny.network.prefixlen
    winner = allow if longer and deny.effect is Effect.EXCEPTABLE_DENY else deny
    meant = rule.network != other.network and winner is rule
    return Finding(
        code=Code.OPPOSITE,
        severity=Severity.HINT if meant else Severity.WARNING,
        message=f"{rule}: it does the opposite of {other}; where both match, the {winner.effect} wins",
        rule=rule,
        other=other,
    )


def _wide(rules: Iterable[Rule]) -> Iterator[Finding]:
    for rule in rules:
        length = rule.network.prefixlen
        if rule.effect is Effect.ALLOW and length < WIDE[rule.network.version]:
            whom = "everybody" if length == 0 else "a large part of the internet"
            message = f"{rule}: it lets in {whom}; write narrower networks"
            yield Finding(code=Code.TOO_WIDE, severity=Severity.WARNING, message=message, rule=rule)
        elif rule.effect is Effect.DENY and length == 0:
            message = f"{rule}: it shuts out everybody, whatever is allowed; make it exceptable"
            yield Finding(code=Code.TOO_WIDE, severity=Severity.WARNING, message=message, rule=rule)


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def _holds(network: Network, inner: Network) -> bool:
    return _overlap(network, inner) and network.prefixlen <= inner.prefixlen
