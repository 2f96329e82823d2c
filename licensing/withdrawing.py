"""What a withdrawal and a cancelled order make of licences: records change, not chains (transfer protocol).

Quantity and wanted fall at once. What may be in a container, occupied, falls by its receipt alone, so that a piece that
was withdrawn is nowhere free before it has provably gone.
"""

from collections.abc import Sequence
from dataclasses import replace

from licensing.errors import LicenseWithdrawn, RenewedSince, TooManyPieces
from licensing.renewing import first_of, in_force, taken_back
from storage.commands import Family
from storage.records import License, LicenseUse, Placement


def withdrawn(family: Family, pieces: int | None) -> Family:
    """Give a licence after some of its pieces, or all, were taken back. Raises LicenseWithdrawn, TooManyPieces."""
    first = first_of(family)
    if first.withdrawn:
        raise LicenseWithdrawn("the licence was withdrawn before; nothing is left of it", path="licenseId")
    taken = first.quantity if pieces is None else pieces
    if taken > first.quantity:
        raise TooManyPieces(f"the licence has {first.quantity} pieces; take back no more", path="pieces/quantity")
    left = first.quantity - taken
    changed = replace(first, quantity=left, withdrawn=left == 0)
    return with_first(family, changed, placements=lowered(family.placements, most=left))


def lowered(placements: Sequence[Placement], *, most: int) -> tuple[Placement, ...]:
    """Give placements that want `most` pieces together at most.

    Pieces that no receipt has confirmed go first, then those of the container with the highest serial: any order would
    do, but it must be the same each time.
    """
    excess = sum(placement.wanted for placement in placements) - most
    rows = {placement.serial: placement for placement in placements}
    for keep_confirmed in (True, False):
        for serial in sorted(rows, reverse=True):
            row = rows[serial]
            take = min(excess, row.wanted - (min(row.wanted, row.confirmed) if keep_confirmed else 0))
            if take > 0:
                rows[serial] = replace(row, wanted=row.wanted - take)
                excess -= take
    return tuple(rows[serial] for serial in sorted(rows))


def cancelled(order_id: str, families: Sequence[Family]) -> tuple[Family, ...]:
    """Give the licences of an order's lines after the order was cancelled. Raises LicenseWithdrawn, RenewedSince.

    A licence that the order made is withdrawn; one that it renewed is as it was before.
    """
    changed = tuple(_cancelled(order_id, family) for family in families)
    if changed == tuple(families):
        raise LicenseWithdrawn("every licence of this order was withdrawn before; nothing is left of it")
    return changed


def _cancelled(order_id: str, family: Family) -> Family:
    first = first_of(family)
    if first.withdrawn:
        return _without_lines(family, order_id)
    if first.order_id == order_id:
        if any(use.license.order_id != order_id and not use.license.withdrawn for use in family.members):
            raise RenewedSince(
                f"another order has renewed licence {first.license_id}; cancel that one first, or withdraw the licence"
            )
        return _without_lines(withdrawn(family, None), order_id)
    standing = [use.license for use in family.members if use.license.order_id == order_id and not use.license.withdrawn]
    if not standing:
        return family
    if in_force(family).order_id != order_id:
        raise RenewedSince(
            f"licence {first.license_id} was renewed or replaced after this order; cancel that first, or withdraw it"
        )
    return _without_lines(with_first(family, taken_back(family), placements=family.placements), order_id)


def _without_lines(family: Family, order_id: str) -> Family:
    """Mark the lines by which an order has renewed a licence as withdrawn."""
    first, *others = family.members
    marked = [
        replace(use, license=replace(use.license, quantity=0, withdrawn=True))
        if use.license.order_id == order_id and not use.license.withdrawn
        else use
        for use in others
    ]
    return replace(family, members=(first, *marked))


def with_first(family: Family, first: License, *, placements: tuple[Placement, ...]) -> Family:
    """Give a licence with another record and other placements; every line counts its pieces."""
    wanted = sum(placement.wanted for placement in placements)
    members: list[LicenseUse] = [replace(use, wanted=wanted) for use in family.members]
    members[0] = replace(members[0], license=first)
    return replace(family, members=tuple(members), placements=placements)
