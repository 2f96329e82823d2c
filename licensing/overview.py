"""What a licensee and support see of tickets."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from licensing.options import expiration_of
from licensing.placements import LicenseState, free, license_state, placement_state, use_state
from storage.commands import TicketTrace
from storage.records import LicenseUse, Mark


@dataclass(frozen=True, kw_only=True, slots=True)
class TicketLicense:
    """A licence of a ticket, how far it is collected and what may be done with it."""

    license_id: str
    item_number: str
    firm_code: int
    product_code: int
    quantity: int
    state: str
    collected: int
    confirmed: int
    free: int
    actions: tuple[str, ...]
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TicketOverview:
    """The licences of one or several tickets, and how far they are collected altogether."""

    state: str
    licenses: tuple[TicketLicense, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlacementDetails:
    """A licence in a container, for support."""

    serial: str
    license_id: str
    item_number: str
    wanted: int
    occupied: int
    confirmed: int
    state: str
    mark: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TicketDetails:
    """All that support sees of a ticket. `orders`: id, the shop's number, and the time of each."""

    ending: str
    created_at: datetime
    orders: tuple[tuple[str, str | None, datetime], ...]
    overview: TicketOverview
    placements: tuple[PlacementDetails, ...]


def overview_of(uses: Iterable[LicenseUse], *, now: datetime | None = None) -> TicketOverview:
    """Give the licences as a licensee sees them, in the order given; `now`: None leaves their expiry out."""
    licenses = tuple(
        TicketLicense(
            license_id=use.license.license_id,
            item_number=use.license.item_number,
            firm_code=use.license.firm_code,
            product_code=use.license.product_code,
            quantity=use.license.quantity,
            state=use_state(use, now=now),
            collected=use.wanted,
            confirmed=use.confirmed,
            free=free(use),
            expires_at=expiration_of(use.license.options),
            actions=(*(("Collect",) if free(use) else ()), *(("Return",) if use.wanted else ())),
        )
        for use in uses
    )
    quantity, wanted = sum(x.quantity for x in licenses), sum(x.collected for x in licenses)
    alive = any(x.state != LicenseState.WITHDRAWN for x in licenses)
    return TicketOverview(
        state=license_state(quantity, wanted) if alive or not licenses else LicenseState.WITHDRAWN, licenses=licenses
    )


def details_of(trace: TicketTrace, *, ending: str, now: datetime | None = None) -> TicketDetails:
    """Give a ticket as support sees it; `ending` is all that is shown of its text."""
    licenses = {use.license.license_id: use.license for use in trace.licenses}
    marks = {(row.serial, row.firm_code): row.mark for row in trace.containers}
    return TicketDetails(
        ending=ending,
        created_at=trace.ticket.created_at,
        orders=tuple((order.order_id, order.order_number, order.created_at) for order in trace.orders),
        overview=overview_of(trace.licenses, now=now),
        placements=tuple(
            PlacementDetails(
                serial=placement.serial,
                license_id=placement.license_id,
                item_number=licenses[placement.license_id].item_number,
                wanted=placement.wanted,
                occupied=placement.occupied,
                confirmed=placement.confirmed,
                state=placement_state(placement, withdrawn=licenses[placement.license_id].withdrawn, mark=mark),
                mark=mark,
            )
            for placement in trace.placements
            for mark in (marks.get((placement.serial, licenses[placement.license_id].firm_code), Mark.OK),)
        ),
    )
