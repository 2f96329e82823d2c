"""What the rules of an item allow a licensee to do without asking: give pieces back, and replace a lost container.

Both are counted per licence and time, not per piece. An item without such rules allows every return, and no restore
without an approval.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from licensing.errors import OptionInvalid, ReturnRefused
from storage.records import Allowance

MOST_TIMES, MOST_DAYS = 1_000_000, 36_500


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowances:
    """How often something is allowed, and after how many days without it once more.

    `returns` None: any number of times, unless `return_days` is given. `restores`: how often without an approval.
    """

    returns: int | None = None
    return_days: int | None = None
    restores: int = 0
    restore_days: int | None = None

    def __post_init__(self) -> None:
        """Raise OptionInvalid for values that no item can have."""
        for name, value, most in (
            ("returns", self.returns, MOST_TIMES),
            ("return_days", self.return_days, MOST_DAYS),
            ("restores", self.restores, MOST_TIMES),
            ("restore_days", self.restore_days, MOST_DAYS),
        ):
            if value is not None and not 0 <= value <= most:
                raise OptionInvalid(f"{name} must be 0 to {most}", path=name)

    def rules(self) -> Mapping[str, int]:
        """Give the part of an item's rules that this is; what has its default is left out."""
        given = {
            "returns": self.returns,
            "return_days": self.return_days,
            "restores": self.restores or None,
            "restore_days": self.restore_days,
        }
        return {name: value for name, value in given.items() if value is not None}


WITHOUT_RULES = Allowances()


def allowances_of(rules: str) -> Allowances:
    """Give what the rules of an item (JSON text) allow."""
    found = json.loads(rules)
    return Allowances(**{name: found[name] for name in Allowances.__dataclass_fields__ if name in found})


def check_return(counted: Allowance, *, ordered_at: datetime, now: datetime, path: str) -> None:
    """Return if pieces of a licence may be given back now. Raises ReturnRefused, which says when they may."""
    rules = allowances_of(counted.rules)
    if rules.returns is None and rules.return_days is None:
        return
    if rules.returns is not None and counted.returns < rules.returns:
        return
    if rules.return_days is None:
        raise ReturnRefused(
            f"the licence was given back {counted.returns} times, and {rules.returns} are allowed; ask the vendor",
            path=path,
        )
    again = (counted.returned_at or ordered_at) + timedelta(days=rules.return_days)
    if now < again:
        raise ReturnRefused(f"the licence can be given back from {again:%Y-%m-%d %H:%M} UTC on", path=path)


def restores_alone(counted: Allowance, *, now: datetime) -> bool:
    """Return whether a licence may leave a lost container without an approval."""
    rules = allowances_of(counted.rules)
    if counted.restores < rules.restores:
        return True
    if rules.restore_days is None or counted.restored_at is None:
        return False
    return now >= counted.restored_at + timedelta(days=rules.restore_days)
