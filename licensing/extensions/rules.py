"""Which source decides about which item, and what happens while it is silent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from licensing.extensions.questions import Eligibility


class Silence(StrEnum):
    """What becomes of an extension while the CRM does not answer.

    Refuse it; queue it until the answer comes; or extend by a provisional item meanwhile, which the late answer
    confirms or withdraws.
    """

    REFUSE = "refuse"
    QUEUE = "queue"
    PROVISIONAL = "provisional"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """How items are extended. `items` are item numbers or patterns such as `EDITOR-*`.

    `extend_with` is the item that extends, None for the licence's own; `periods` the one for a wished number of days.
    `provisional_item` extends by few days. A question that is not answered for `give_up_hours` is answered no.
    """

    items: tuple[str, ...]
    eligibility: Eligibility
    name: str
    when_silent: Silence = Silence.QUEUE
    extend_with: str | None = None
    periods: Mapping[int, str] = field(default_factory=dict)
    provisional_item: str | None = None
    give_up_hours: float = 72.0

    def covers(self, item_number: str) -> bool:
        """Whether the rule is for an item."""
        return any(fnmatchcase(item_number, pattern) for pattern in self.items)

    def item_for(self, item_number: str, *, days: int | None, said: str | None) -> str | None:
        """Give the item that extends a licence, None when none of the wished length is offered."""
        if said is not None:
            return said
        if days is not None:
            return self.periods.get(days)
        return self.extend_with or item_number


def rule_for(item_number: str, rules: Sequence[Rule]) -> Rule | None:
    """Give the first rule that covers an item, None when it is not extended by OZOMM."""
    return next((rule for rule in rules if rule.covers(item_number)), None)
