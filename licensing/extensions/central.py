"""The licence central as OZOMM sees it: a ticket looked at, extended, taken back, collected."""

import contextlib
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from licensing.catalogue import Catalogue
from licensing.depot import Depot
from licensing.errors import LicensingError, NameTaken
from licensing.extensions.questions import NOBODY, Customer
from licensing.extensions.values import Asker, SeenLicense, Update
from licensing.order_values import OrderLine, OrderRequest
from licensing.orders import Sales
from licensing.placements import LicenseState
from licensing.rights import EXTEND_ANY, ORDER
from licensing.tickets import normalise_ticket
from licensing.transfers.planning import Target
from licensing.vault import Vault
from licensing.vendor_actions import VendorActions
from storage import Storage
from storage.commands import FindTickets, LoadFilters
from storage.erasure import FindErasable
from storage.records import Shop

OZOMM_SHOP = "ozomm"
"""The name of the shop that extensions are ordered by in the same process."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenTicket:
    """A ticket with its licences. `order_id` and `customer`: whose it is, as far as the central tells."""

    ticket_id: str
    licenses: tuple[SeenLicense, ...]
    order_id: str | None = None
    customer: Customer = NOBODY


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A line of an extension's order; `license_id` None: a licence of its own on the ticket."""

    item_number: str
    quantity: int
    license_id: str | None


class Fate(StrEnum):
    """What a refusal means: it will never be done, somebody has to mend something, or later."""

    IMPOSSIBLE = "impossible"
    BROKEN = "broken"
    LATER = "later"


class NotDone(Exception):
    """The central did not do it; `code` is that of the fault."""

    def __init__(self, code: str, fate: Fate) -> None:
        super().__init__(code)
        self.code = code
        self.fate = fate


IMPOSSIBLE = frozenset(
    {
        *("LicenseWithdrawn", "NotRenewable", "FirmCodeDiffers", "QuantityDiffers", "LicenseUnknown", "TicketUnknown"),
        *("RenewedSince", "OrderUnknown", "LicenseRepeated", "DedicatedElsewhere"),
    }
)
"""Codes of refusals that are the licence's own; nobody has to mend anything."""


def fate_of(code: str, *, retry: bool) -> Fate:
    """Give what a refusal means."""
    if retry:
        return Fate.LATER
    return Fate.IMPOSSIBLE if code in IMPOSSIBLE else Fate.BROKEN


class Central(Protocol):
    """The Sales and the Depot interface, in this process or on another computer."""

    async def look(self, ticket: str, *, asker: Asker | None = None) -> SeenTicket:
        """Look at a ticket, for whoever asks first. Raises TicketUnknown, NotDone."""
        ...

    async def order(self, *, ticket: str, transaction_id: str, lines: tuple[Line, ...]) -> str:
        """Extend licences by an order, once; its id. Raises NotDone, and storage's errors."""
        ...

    async def cancel(self, *, order_id: str, transaction_id: str, reason: str) -> None:
        """Take an order back, once. Raises NotDone, and storage's errors."""
        ...

    async def collect(self, *, ticket: str, targets: tuple[Target, ...], context: bytes) -> Update:
        """Make the update file for a container; a refusal is a state. Raises NotDone, and storage's errors."""
        ...


class LocalCentral:
    """The central of this process, which orders as a shop of its own with the right extend-any."""

    def __init__(
        self,
        *,
        storage: Storage,
        vault: Vault,
        catalogue: Catalogue,
        sales: Sales,
        vendor_actions: VendorActions,
        depot: Depot,
        shop_name: str = OZOMM_SHOP,
    ) -> None:
        self._storage = storage
        self._vault = vault
        self._catalogue = catalogue
        self._sales = sales
        self._vendor_actions = vendor_actions
        self._depot = depot
        self._shop_name = shop_name
        self._shop: Shop | None = None

    async def look(self, ticket: str, *, asker: Asker | None = None) -> SeenTicket:  # noqa: ARG002  the protocol's
        """Look at a ticket, and at who has bought it. Raises TicketUnknown."""
        text = normalise_ticket(ticket)
        overview = await self._depot.get_ticket(tickets=(text,))
        (view,) = await self._storage.query(FindTickets(lookups=(self._vault.index("ticket", text),)))
        order_id = view.licenses[0].license.order_id if view.licenses else None
        return SeenTicket(
            ticket_id=view.ticket.ticket_id,
            licenses=tuple(
                SeenLicense(
                    license_id=x.license_id,
                    item_number=x.item_number,
                    firm_code=x.firm_code,
                    quantity=x.quantity,
                    expires_at=x.expires_at,
                    alive=x.state != LicenseState.WITHDRAWN,
                )
                for x in overview.licenses
            ),
            order_id=order_id,
            customer=Customer() if order_id is None else await self._customer(order_id),
        )

    async def _customer(self, order_id: str) -> Customer:
        for order in await self._storage.query(FindErasable(order_id=order_id)):
            if order.customer_sealed is not None:
                found = json.loads(self._vault.open("customer", order.customer_sealed))
                return Customer(
                    address=found.get("email"),
                    name=found.get("name"),
                    language=found.get("language"),
                    number=found.get("customer_number"),
                )
        return Customer()

    async def order(self, *, ticket: str, transaction_id: str, lines: tuple[Line, ...]) -> str:
        """Extend licences by an order. Raises NotDone, and storage's errors."""
        request = OrderRequest(
            transaction_id=transaction_id,
            original_ticket=ticket,
            lines=tuple(
                OrderLine(item_number=line.item_number, quantity=line.quantity, extends_license_id=line.license_id)
                for line in lines
            ),
        )
        try:
            return (await self._sales.create_order(shop=await self._own_shop(), request=request)).order_id
        except LicensingError as error:
            raise NotDone(error.code, fate_of(error.code, retry=error.retry)) from error

    async def cancel(self, *, order_id: str, transaction_id: str, reason: str) -> None:
        """Take an order back. Raises NotDone, and storage's errors."""
        try:
            await self._vendor_actions.cancel_order(
                shop=await self._own_shop(), transaction_id=transaction_id, reason=reason, order_id=order_id
            )
        except LicensingError as error:
            raise NotDone(error.code, fate_of(error.code, retry=error.retry)) from error

    async def collect(self, *, ticket: str, targets: tuple[Target, ...], context: bytes) -> Update:
        """Make the update file for a container. Raises storage's errors."""
        try:
            answer = await self._depot.get_license_update(ticket=ticket, targets=targets, context=context)
        except LicensingError as error:
            return Update(state=error.code)
        return Update(state=answer.state, file=answer.update)

    async def _own_shop(self) -> Shop:
        if self._shop is None or EXTEND_ANY not in self._shop.rights.split():
            self._shop = await self._found_shop()
        if self._shop is None:
            # The key is told to nobody: only this process orders by this shop.
            with contextlib.suppress(NameTaken):  # another process was faster
                await self._catalogue.add_shop(self._shop_name, rights=(ORDER, EXTEND_ANY), actor="ozomm")
            self._shop = await self._found_shop()
        if self._shop is None:
            raise NotDone("ShopUnknown", Fate.LATER)
        return self._shop

    async def _found_shop(self) -> Shop | None:
        shops = (await self._storage.query(LoadFilters())).shops
        return next((shop for shop in shops if shop.name == self._shop_name), None)
