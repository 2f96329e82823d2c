"""How often each rule decided, and when last: counted here, taken and kept by the caller."""

from dataclasses import dataclass
from datetime import datetime

from ipfilters.deciding import Decision
from ipfilters.rules import Mode


@dataclass(frozen=True, kw_only=True, slots=True)
class Hits:
    """How often a rule decided since the counts were last taken, and when it did so last (aware)."""

    count: int
    last_at: datetime


class HitCounts:
    """Counts decisions by the id of their winner, a shadow rule where it would have won.

    One for each thread that decides: counting takes no lock, so that it costs next to nothing.
    """

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._last: dict[str, datetime] = {}

    def count(self, decision: Decision, now: datetime) -> None:
        """Count one decision; one by the default counts for no rule."""
        winner, shadow = decision.winner, decision.shadow
        if winner is not None:
            self._counts[winner.id] = self._counts.get(winner.id, 0) + 1
            self._last[winner.id] = now
        if shadow is not None and shadow.winner is not None and shadow.winner.mode is Mode.SHADOW:
            self._counts[shadow.winner.id] = self._counts.get(shadow.winner.id, 0) + 1
            self._last[shadow.winner.id] = now

    def take(self) -> dict[str, Hits]:
        """Give what was counted by rule id, and begin again at nothing."""
        counts, last = self._counts, self._last
        self._counts, self._last = {}, {}
        return {rule: Hits(count=count, last_at=last[rule]) for rule, count in counts.items()}
