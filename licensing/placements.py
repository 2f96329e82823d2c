"""The tables of derived states: what people see of licences and of their pieces in containers.

Nothing here is stored: a state follows from wanted, occupied and confirmed, from the licence's record, and from the
mark of the container. `docs/reference/lifecycle.md` is made of these tables.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from storage.records import License, LicenseUse, Mark, Placement


class LicenseState(StrEnum):
    """What became of a licence, and how far it is collected."""

    WITHDRAWN = "Withdrawn"
    REPLACED = "Replaced"
    EXPIRED = "Expired"
    NOT = "NotCollected"
    PARTLY = "PartlyCollected"
    WHOLLY = "WhollyCollected"


class PlacementState(StrEnum):
    """What people see of a licence in one container."""

    LOST = "Lost"
    WITHDRAWN = "Withdrawn"
    RETURNED = "Returned"
    WITHDRAW_PENDING = "WithdrawPending"
    RETURN_PENDING = "ReturnPending"
    WAITING = "Waiting"
    CONFIRMED = "Confirmed"
    COLLECTED = "Collected"


@dataclass(frozen=True, kw_only=True, slots=True)
class LicenseFacts:
    """What the state of a licence, or of a line of an order, is derived from. `expires`: None is never."""

    quantity: int
    wanted: int
    withdrawn: bool = False
    replaced: bool = False
    expires: datetime | None = None
    now: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PlacementFacts:
    """What the state of a licence in one container is derived from."""

    wanted: int
    occupied: int
    confirmed: int
    withdrawn: bool = False
    mark: Mark = Mark.OK


@dataclass(frozen=True, kw_only=True, slots=True)
class LicenseRow:
    """One row of the table of licence states."""

    state: LicenseState
    rule: str
    meaning: str
    holds: Callable[[LicenseFacts], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlacementRow:
    """One row of the table of placement states."""

    state: PlacementState
    rule: str
    meaning: str
    holds: Callable[[PlacementFacts], bool]


LICENSE_STATES: tuple[LicenseRow, ...] = (
    LicenseRow(
        state=LicenseState.WITHDRAWN,
        rule="withdrawn",
        meaning="the vendor took all of it back",
        holds=lambda f: f.withdrawn,
    ),
    LicenseRow(
        state=LicenseState.REPLACED,
        rule="another line is in force",
        meaning="a later line renewed it, or another item took its place; for lines of orders only",
        holds=lambda f: f.replaced,
    ),
    LicenseRow(
        state=LicenseState.EXPIRED,
        rule="expiration time <= now",
        meaning="its time is over; a line that renews it brings it back",
        holds=lambda f: f.expires is not None and f.now is not None and f.expires <= f.now,
    ),
    LicenseRow(
        state=LicenseState.NOT,
        rule="wanted = 0",
        meaning="no container holds a piece, or shall",
        holds=lambda f: f.wanted == 0,
    ),
    LicenseRow(
        state=LicenseState.PARTLY,
        rule="wanted < quantity",
        meaning="some pieces can still be collected",
        holds=lambda f: f.wanted < f.quantity,
    ),
    LicenseRow(
        state=LicenseState.WHOLLY,
        rule="otherwise",
        meaning="every piece is in a container, or on its way",
        holds=lambda _: True,
    ),
)
"""The first row that holds is the state."""

PLACEMENT_STATES: tuple[PlacementRow, ...] = (
    PlacementRow(
        state=PlacementState.LOST,
        rule="container lost",
        meaning="the container was declared lost; its pieces are free",
        holds=lambda f: f.mark is Mark.LOST,
    ),
    PlacementRow(
        state=PlacementState.WITHDRAWN,
        rule="licence withdrawn, wanted = occupied = 0",
        meaning="a receipt has shown that nothing is left there",
        holds=lambda f: f.withdrawn and f.wanted == f.occupied == 0,
    ),
    PlacementRow(
        state=PlacementState.RETURNED,
        rule="wanted = occupied = 0",
        meaning="nothing is or may be there; the pieces are free",
        holds=lambda f: f.wanted == f.occupied == 0,
    ),
    PlacementRow(
        state=PlacementState.WITHDRAW_PENDING,
        rule="licence withdrawn, occupied > wanted",
        meaning="pieces may still be there until the container's receipt",
        holds=lambda f: f.withdrawn and f.occupied > f.wanted,
    ),
    PlacementRow(
        state=PlacementState.RETURN_PENDING,
        rule="occupied > wanted",
        meaning="more may be there than shall be, after a return or a withdrawal of some pieces; free at the receipt",
        holds=lambda f: f.occupied > f.wanted,
    ),
    PlacementRow(
        state=PlacementState.WAITING,
        rule="wanted > occupied",
        meaning="pieces are meant for this container; no file was made yet",
        holds=lambda f: f.wanted > f.occupied,
    ),
    PlacementRow(
        state=PlacementState.CONFIRMED,
        rule="confirmed = wanted",
        meaning="a receipt has confirmed all of it",
        holds=lambda f: f.confirmed == f.wanted,
    ),
    PlacementRow(
        state=PlacementState.COLLECTED, rule="otherwise", meaning="sent, not confirmed yet", holds=lambda _: True
    ),
)
"""The first row that holds is the state."""


def state_of_license(facts: LicenseFacts) -> LicenseState:
    """Give the state of a licence or of a line."""
    return next(row.state for row in LICENSE_STATES if row.holds(facts))


def state_of_placement(facts: PlacementFacts) -> PlacementState:
    """Give the state of a licence in one container."""
    return next(row.state for row in PLACEMENT_STATES if row.holds(facts))


def placement_state(placement: Placement, *, withdrawn: bool = False, mark: Mark = Mark.OK) -> PlacementState:
    """Give what people see of a placement."""
    return state_of_placement(
        PlacementFacts(
            wanted=placement.wanted,
            occupied=placement.occupied,
            confirmed=placement.confirmed,
            withdrawn=withdrawn,
            mark=mark,
        )
    )


def license_state(quantity: int, wanted: int) -> LicenseState:
    """Give how far `wanted` of `quantity` pieces are collected, of one licence or of several together."""
    return state_of_license(LicenseFacts(quantity=quantity, wanted=wanted))


def use_state(use: LicenseUse, *, now: datetime | None = None, replaced: bool = False) -> LicenseState:
    """Give the state of a licence; `now`: None leaves its expiry out."""
    return state_of_license(
        LicenseFacts(
            quantity=use.license.quantity,
            wanted=use.wanted,
            withdrawn=use.license.withdrawn,
            replaced=replaced,
            expires=expiry(use.license),
            now=now,
        )
    )


def expiry(license_: License) -> datetime | None:
    """Give when a licence expires, or None for never."""
    found = json.loads(license_.options).get("expiration_time")
    return None if found is None else datetime.fromisoformat(found)


def free(use: LicenseUse) -> int:
    """Give how many pieces can be collected: room in both sums, wanted and occupied (section 3, step 4)."""
    if use.license.withdrawn:
        return 0
    return max(0, use.license.quantity - max(use.wanted, use.occupied))
