"""Everything that led to a decision, to read and to log."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ipfilters.addresses import parse_address
from ipfilters.client import Client
from ipfilters.deciding import Decision, Reason, longest_allow, stands
from ipfilters.rules import Effect, Endpoint, Mode, Rule
from ipfilters.snapshot import Snapshot


class Part(StrEnum):
    """What part a rule that matches had in a decision."""

    WINS = "wins"
    OVERRULED = "overruled"
    EXCEPTED = "excepted"
    SHADOW = "shadow"
    EXPIRED = "expired"


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """A rule that matches, its part, and why it has that part."""

    rule: Rule
    part: Part
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """A decision with everything that led to it.

    `matches` are all rules whose scope and network match, in the order in which they are looked at: denies by level
    and falling prefix length, then allows by falling prefix length, then those that have expired. `version` is that of
    the snapshot.
    """

    client: Client
    endpoint: Endpoint
    shop: str | None
    decision: Decision
    matches: tuple[Match, ...]
    version: int
    now: datetime

    def __str__(self) -> str:
        """Write the explanation as lines of text."""
        return "\n".join(_lines(self))

    def as_values(self) -> dict[str, object]:
        """Give the explanation as values that `json.dumps` takes."""
        shadow = self.decision.shadow
        return {
            "peer": self.client.peer,
            "hops": list(self.client.hops),
            "client": self.client.address,
            "header_ignored": self.client.ignored,
            "endpoint": str(self.endpoint),
            "shop": self.shop,
            "allowed": self.decision.allowed,
            "reason": str(self.decision.reason),
            "winner": _id_of(self.decision.winner),
            "shadow": None
            if shadow is None
            else {"allowed": shadow.allowed, "reason": str(shadow.reason), "winner": _id_of(shadow.winner)},
            "matches": [
                {**rule_values(match.rule), "part": str(match.part), "why": match.why} for match in self.matches
            ],
            "version": self.version,
            "now": self.now.isoformat(),
        }


def explain(
    snapshot: Snapshot, client: Client, *, endpoint: Endpoint, shop: str | None = None, now: datetime
) -> Explanation:
    """Decide as `Snapshot.decide` does, and give all that led there. Raises AddressRefused."""
    decision = snapshot.decide(client.address, endpoint=endpoint, shop=shop, now=now)
    rules = snapshot.matching(parse_address(client.address), endpoint=endpoint, shop=shop)
    enforced = [rule for rule in rules if rule.mode is Mode.ENFORCE and not rule.is_expired(now)]
    allow = longest_allow(enforced)
    return Explanation(
        client=client,
        endpoint=endpoint,
        shop=shop,
        decision=decision,
        matches=tuple(_match(rule, decision, allow, now) for rule in _looked_at(rules, now)),
        version=snapshot.version,
        now=now,
    )


def rule_values(rule: Rule) -> dict[str, object]:
    """Give a rule as values that `json.dumps` takes."""
    return {
        "id": rule.id,
        "effect": str(rule.effect),
        "network": str(rule.network),
        "scope": str(rule.scope),
        "mode": str(rule.mode),
        "expires_at": None if rule.expires_at is None else rule.expires_at.isoformat(),
        "owner": rule.owner,
        "comment": rule.comment,
        "source": str(rule.source),
    }


def _looked_at(rules: Iterable[Rule], now: datetime) -> list[Rule]:
    def place(rule: Rule) -> tuple[bool, bool, int, int]:
        level, length = int(rule.scope.level), rule.network.prefixlen
        if rule.effect is Effect.ALLOW:
            return rule.is_expired(now), True, -length, -level
        return rule.is_expired(now), False, level, -length

    return sorted(rules, key=place)


def _match(rule: Rule, decision: Decision, allow: Rule | None, now: datetime) -> Match:
    part, why = _part(rule, decision, allow, now)
    return Match(rule=rule, part=part, why=why)


def _part(rule: Rule, decision: Decision, allow: Rule | None, now: datetime) -> tuple[Part, str]:
    winner = decision.winner
    if rule.is_expired(now):
        return Part.EXPIRED, "it has expired and no longer matches"
    if rule.mode is Mode.SHADOW:
        return Part.SHADOW, "it is a shadow rule and only tells what it would do"
    # An enforced rule that matches leaves the default no say, so without a winner none comes here.
    if winner is None or rule is winner:
        return Part.WINS, _why_it_wins(rule, allow)
    if rule.effect is not Effect.ALLOW and not stands(rule, against=allow):
        return Part.EXCEPTED, f"it is exceptable, and the allow {_id_of(allow)} has a longer prefix"
    if decision.reason is Reason.DENY_RULE:
        allows = rule.effect is Effect.ALLOW
        return Part.OVERRULED, "a deny that stands goes before every allow" if allows else "an earlier deny wins"
    return Part.OVERRULED, f"the allow {_id_of(winner)} has a longer prefix or a more special scope, or stands first"


def _why_it_wins(rule: Rule, allow: Rule | None) -> str:
    if rule.effect is Effect.ALLOW:
        return "no deny stands, and no allow has a longer prefix"
    if rule.effect is Effect.DENY:
        return "it is the first deny that stands"
    return "it is the first deny that stands: " + ("no allow matches" if allow is None else "no allow is longer")


def _lines(explained: Explanation) -> Iterable[str]:
    client, decision = explained.client, explained.decision
    yield f"peer      {client.peer}" + (
        ", no listed proxy, so its forwarding header is ignored" if client.ignored else ""
    )
    yield f"proxies   {', '.join(client.hops) or 'none'}"
    yield f"client    {client.address}"
    yield f"asks for  {explained.endpoint}" + ("" if explained.shop is None else f" as shop {explained.shop}")
    yield f"answer    {_outcome(decision.allowed, decision.winner)}"
    if decision.shadow is not None:
        changed = "a change" if decision.shadow.allowed is not decision.allowed else "no change"
        yield f"shadow    {_outcome(decision.shadow.allowed, decision.shadow.winner)}: {changed}"
    yield f"rules     version {explained.version}, {len(explained.matches)} match"
    for number, match in enumerate(explained.matches, 1):
        yield f"  {number}. {match.rule}"
        yield f"     {match.part}: {match.why}"
        notes = [note for note in (match.rule.owner, match.rule.comment) if note]
        if notes:
            yield f"     {': '.join(notes)}"


def _outcome(allowed: bool, winner: Rule | None) -> str:  # noqa: FBT001  one word of a sentence
    by = "the default of the endpoint" if winner is None else f"rule {winner.id}"
    return f"{'allowed' if allowed else 'denied'} by {by}"


def _id_of(rule: Rule | None) -> str | None:
    return None if rule is None else rule.id
