"""The rules of decision, in one place: everything that decides or explains asks here (design, section 7).

Stage 1: a deny that stands wins. A plain deny always stands. An exceptable one stands unless an allow matches whose
prefix is strictly longer, in whatever scope. Of several that stand the one named is that of the first level (global,
endpoint, shop, shop at endpoint), there that of the longest prefix, there the first.

Stage 2: the allow with the longest prefix wins, in whatever scope; of several as long the one named is that of the
last level, there the first.

Stage 3: the default of the endpoint.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from operator import attrgetter

from ipfilters.rules import Effect, Mode, Rule

by_level = attrgetter("scope.level")
"""The key that sorts rules for `judge` which are sorted within each level."""


class Reason(StrEnum):
    """Why an address is let in or not: a closed set, fit to label a metric."""

    DENY_RULE = "deny-rule"
    ALLOW_RULE = "allow-rule"
    DEFAULT_DENY = "default-deny"
    DEFAULT_ALLOW = "default-allow"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a set of rules says of an address; `winner` is the rule that decided, None for the default."""

    allowed: bool
    reason: Reason
    winner: Rule | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """Whether a connection is let in, and why.

    `winner` is the rule that decided, None for the default. `shadow` is what had been decided if all shadow rules that
    match were enforced, None when none matches; it never has a part in `allowed`.
    """

    allowed: bool
    reason: Reason
    winner: Rule | None = None
    shadow: Outcome | None = None

    @property
    def by_default(self) -> bool:
        """Whether the default of the endpoint decided: where it did not, it would not by shadow rules either."""
        return self.winner is None

    @property
    def would_allow(self) -> bool:
        """Whether shadow rules would let in what is denied."""
        return self.shadow is not None and self.shadow.allowed and not self.allowed

    @property
    def would_deny(self) -> bool:
        """Whether shadow rules would deny what is let in."""
        return self.shadow is not None and self.allowed and not self.shadow.allowed


# Through the slots: a hundred thousand are made at once, and a frozen dataclass's `__init__` takes three times as long.
_set_allowed, _set_reason, _set_winner, _set_shadow = (getattr(Decision, name).__set__ for name in Decision.__slots__)


def alone(rule: Rule) -> Decision | None:
    """Give what a rule decides where no other matches, as long as it stands; None for one that is not so simple."""
    if rule.mode is not Mode.ENFORCE or rule.expires_at is not None:
        return None
    allowed = rule.effect is Effect.ALLOW
    decision = object.__new__(Decision)
    _set_allowed(decision, allowed)
    _set_reason(decision, Reason.ALLOW_RULE if allowed else Reason.DENY_RULE)
    _set_winner(decision, rule)
    _set_shadow(decision, None)
    return decision


def judge(rules: Sequence[Rule], *, default: bool) -> Outcome:
    """Decide by rules that all match and are all enforced.

    They are sorted by level, within a level by falling prefix length, within that as in the rule set.
    """
    allow = longest_allow(rules)
    for rule in rules:
        if stands(rule, against=allow):
            return Outcome(allowed=False, reason=Reason.DENY_RULE, winner=rule)
    if allow is not None:
        return Outcome(allowed=True, reason=Reason.ALLOW_RULE, winner=allow)
    return Outcome(allowed=default, reason=Reason.DEFAULT_ALLOW if default else Reason.DEFAULT_DENY)


def telling(rules: Sequence[Rule]) -> Sequence[Rule]:
    """Leave of rules about one network those that can have a say: of several alike only the first is ever named."""
    first: dict[tuple[object, ...], Rule] = {}
    for rule in rules:
        first.setdefault((rule.scope.level, rule.effect, rule.mode, rule.expires_at), rule)
    return tuple(first.values())


def longest_allow(rules: Sequence[Rule]) -> Rule | None:
    """Give the allow of stage 2, from rules sorted as for `judge`."""
    best: Rule | None = None
    for rule in rules:
        if rule.effect is Effect.ALLOW and (best is None or _goes_before(rule, best)):
            best = rule
    return best


def stands(rule: Rule, *, against: Rule | None) -> bool:
    """Whether a rule is a deny that holds against the longest allow that matches, None for no allow."""
    if rule.effect is Effect.EXCEPTABLE_DENY:
        return against is None or rule.network.prefixlen >= against.network.prefixlen
    return rule.effect is Effect.DENY


def decide(rules: Sequence[Rule], *, default: bool, now: datetime) -> Decision:
    """Decide by rules that match, enforced or shadow, expired ones among them; sorted as for `judge`."""
    alive = [rule for rule in rules if not rule.is_expired(now)]
    enforced = [rule for rule in alive if rule.mode is Mode.ENFORCE]
    outcome = judge(enforced, default=default)
    shadow = judge(alive, default=default) if len(alive) > len(enforced) else None
    return Decision(allowed=outcome.allowed, reason=outcome.reason, winner=outcome.winner, shadow=shadow)


def _goes_before(rule: Rule, best: Rule) -> bool:
    length, longest = rule.network.prefixlen, best.network.prefixlen
    return length > longest or (length == longest and rule.scope.level > best.scope.level)
