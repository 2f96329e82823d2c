"""Recorded decisions against new rules: what would change, such as 14 of 88,203 requests."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ipfilters.addresses import AddressRefused
from ipfilters.deciding import Decision
from ipfilters.rules import Endpoint
from ipfilters.snapshot import Snapshot


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """A decision from the log: who asked for what, whether it was let in, and how often the same was recorded."""

    address: str
    endpoint: Endpoint
    shop: str | None
    allowed: bool
    count: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A recorded decision that would be another one now, and the rule that would make it so."""

    recorded: Recorded
    decision: Decision

    def __str__(self) -> str:
        """Write the change, such as `192.0.2.7 at Sales as shop acme: 3 times allowed, now denied by the default`."""
        recorded, winner = self.recorded, self.decision.winner
        shop = "" if recorded.shop is None else f" as shop {recorded.shop}"
        before, after = ("allowed", "denied") if recorded.allowed else ("denied", "allowed")
        by = "the default" if winner is None else f"rule {winner.id}, {winner}"
        return f"{recorded.address} at {recorded.endpoint}{shop}: {recorded.count} times {before}, now {after} by {by}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """The outcome of a replay; `total` and `changed` count requests, `unreadable` those without a usable address."""

    total: int
    changed: int
    unreadable: int
    changes: tuple[Change, ...]

    def __str__(self) -> str:
        """Write one line with the counts, and one for each change."""
        unreadable = f" ({self.unreadable:,} without a usable address)" if self.unreadable else ""
        first = f"{self.changed:,} of {self.total:,} requests would change{unreadable}"
        return "\n".join([first, *(str(change) for change in self.changes)])


def replay(records: Iterable[Recorded], snapshot: Snapshot, *, now: datetime) -> Replayed:
    """Decide recorded requests anew, as of the aware instant `now`; changes keep the order of the records."""
    total = changed = unreadable = 0
    changes = []
    for recorded in records:
        total += recorded.count
        try:
            decision = snapshot.decide(recorded.address, endpoint=recorded.endpoint, shop=recorded.shop, now=now)
        except AddressRefused:
            unreadable += recorded.count
            continue
        if decision.allowed is not recorded.allowed:
            changed += recorded.count
            changes.append(Change(recorded=recorded, decision=decision))
    return Replayed(total=total, changed=changed, unreadable=unreadable, changes=tuple(changes))
