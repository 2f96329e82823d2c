"""The table of derived states: what people see of licences, from wanted, occupied and confirmed."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from storage.records import LicenseUse, Placement


class LicenseState(StrEnum):
    """How far a licence is collected."""

    NOT = "NotCollected"
    PARTLY = "PartlyCollected"
    WHOLLY = "WhollyCollected"


class PlacementState(StrEnum):
    """What people see of a licence in one container."""

    COLLECTED = "Collected"
    CONFIRMED = "Confirmed"
    LEAVING = "Leaving"
    GONE = "Gone"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    state: PlacementState
    meaning: str
    holds: Callable[[Placement], bool]


PLACEMENT_STATES: tuple[_Row, ...] = (
    _Row(state=PlacementState.GONE, meaning="nothing is or may be there", holds=lambda p: p.wanted == p.occupied == 0),
    _Row(
        state=PlacementState.LEAVING,
        meaning="more may be there than should be; free after the receipt",
        holds=lambda p: p.occupied > p.wanted,
    ),
    _Row(
        state=PlacementState.CONFIRMED,
        meaning="a receipt has confirmed all of it",
        holds=lambda p: p.confirmed == p.wanted,
    ),
    _Row(state=PlacementState.COLLECTED, meaning="sent, not confirmed yet", holds=lambda _: True),
)
"""The first row that holds is the state."""


def placement_state(placement: Placement) -> PlacementState:
    """Give what people see of a placement."""
    return next(row.state for row in PLACEMENT_STATES if row.holds(placement))


def license_state(quantity: int, wanted: int) -> LicenseState:
    """Give how far `wanted` of `quantity` pieces are collected."""
    if wanted == 0:
        return LicenseState.NOT
    return LicenseState.WHOLLY if wanted >= quantity else LicenseState.PARTLY


def free(use: LicenseUse) -> int:
    """Give how many pieces can be collected: room in both sums, wanted and occupied (section 3, step 4)."""
    return max(0, use.license.quantity - max(use.wanted, use.occupied))
