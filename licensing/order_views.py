"""An order as it stands now: its lines, and what became of the licences that they made or renewed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from licensing.placements import use_state
from licensing.renewing import first_of, in_force
from storage.commands import Family, OrderView
from storage.records import LicenseUse


@dataclass(frozen=True, kw_only=True, slots=True)
class LicenseStatus:
    """A line of an order, and how far the licence that it made or renewed is collected."""

    license_id: str
    item_number: str
    quantity: int
    generation: int
    state: str
    collected: int
    confirmed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderDetails:
    """An order as it stands now."""

    order_id: str
    order_number: str | None
    transaction_id: str
    ticket: str
    collect_url: str | None
    ordered_at: datetime
    licenses: tuple[LicenseStatus, ...]


def details_of_order(view: OrderView, *, ticket: str, collect_url: str | None, now: datetime) -> OrderDetails:
    """Give an order; `ticket` is its text."""
    return OrderDetails(
        order_id=view.order.order_id,
        order_number=view.order.order_number,
        transaction_id=view.order.transaction_id,
        ticket=ticket,
        collect_url=collect_url,
        ordered_at=view.order.created_at,
        licenses=line_states(view.licenses, view.families, now=now),
    )


def line_states(lines: Sequence[LicenseUse], families: Sequence[Family], *, now: datetime) -> tuple[LicenseStatus, ...]:
    """Give the state of each line of an order; `families` of those that were renewed, or renew another licence."""
    known = {first_of(family).license_id: family for family in families}
    return tuple(
        _status(use, known.get(use.license.extends_license_id or use.license.license_id), now=now) for use in lines
    )


def status_of(first: LicenseUse, *, now: datetime) -> LicenseStatus:
    """Give what a licence is now, by its first line."""
    line = first.license
    return _standing(first, item_number=line.item_number, generation=line.generation, state=use_state(first, now=now))


def _status(use: LicenseUse, family: Family | None, *, now: datetime) -> LicenseStatus:
    line = use.license
    if family is None:
        return status_of(use, now=now)
    first = family.members[0]
    is_first = line.extends_license_id is None
    item_number = _first_item(family) if is_first else line.item_number
    generation = 1 if is_first else line.generation
    if line.withdrawn and not is_first:  # the line was cancelled, whatever the licence is now
        return _overtaken(use, item_number=item_number, generation=generation, state=use_state(use))
    if in_force(family).license_id != line.license_id:
        state = use_state(first, now=now, replaced=True)
        return _overtaken(first, item_number=item_number, generation=generation, state=state)
    return _standing(first, item_number=item_number, generation=generation, state=use_state(first, now=now))


def _standing(use: LicenseUse, *, item_number: str, generation: int, state: str) -> LicenseStatus:
    return LicenseStatus(
        license_id=use.license.license_id,
        item_number=item_number,
        quantity=use.license.quantity,
        generation=generation,
        state=state,
        collected=use.wanted,
        confirmed=use.confirmed,
    )


def _overtaken(use: LicenseUse, *, item_number: str, generation: int, state: str) -> LicenseStatus:
    """A line that is not what the licence is now: the pieces are those of the line that is."""
    return LicenseStatus(
        license_id=use.license.extends_license_id or use.license.license_id,
        item_number=item_number,
        quantity=0 if use.license.withdrawn else use.license.quantity,
        generation=generation,
        state=state,
        collected=0,
        confirmed=0,
    )


def _first_item(family: Family) -> str:
    """Give the item that the first line ordered; the first line's row holds what the licence is now."""
    if len(family.members) == 1:
        return first_of(family).item_number
    found: str = json.loads(family.members[1].license.previous or "{}")["item_number"]
    return found
