"""Erasing personal data, at a customer's wish or when it is old. Licences and the audit chain live on."""

import json
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from licensing.audit import ERASE
from licensing.errors import CustomerUnknown
from licensing.marketing.addresses import address_lookup, ascii_address
from licensing.orders import CREATE_ORDER
from licensing.vault import Vault
from storage import Storage
from storage.erasure import ErasableOrder, EraseOrders, FindErasable, WalkOrders
from storage.records import AuditRow

PAGE = 500
ORDERS_AT_ONCE = 50


class Erasure:
    """Finds orders by what is known of their customer, and erases what belongs to a person."""

    def __init__(self, *, storage: Storage, vault: Vault, clock: Callable[[], datetime]) -> None:
        self._storage = storage
        self._vault = vault
        self._clock = clock
        self._unforgotten = False

    async def find(
        self, *, order_id: str | None = None, order_number: str | None = None, shop: str | None = None
    ) -> tuple[ErasableOrder, ...]:
        """Give the orders of an id or a number. Raises CustomerUnknown when there is none."""
        found = await self._storage.query(FindErasable(order_id=order_id, order_number=order_number, shop=shop))
        if not found:
            raise CustomerUnknown("there is no such order; `opendepot audit list` shows the ids of orders")
        return found

    async def find_customer(self, value: str) -> tuple[ErasableOrder, ...]:
        """Give the orders whose customer has this name, company, e-mail address or number, whatever its case.

        Every customer is unsealed for it: there is no index of persons. Raises CustomerUnknown when there is none.
        """
        wanted = value.strip().casefold()
        found: list[ErasableOrder] = []
        after = ""
        while wanted and (page := await self._storage.query(WalkOrders(limit=PAGE, after=after))):
            found += [order for order in page if wanted in self._values(order)]
            after = page[-1].order_id
        if not found:
            raise CustomerUnknown("no order has a customer with this name, company, e-mail address or number")
        return tuple(found)

    def _values(self, order: ErasableOrder) -> set[str]:
        if order.customer_sealed is None:
            return set()
        customer = json.loads(self._vault.open("customer", order.customer_sealed))
        return {
            text.strip().casefold() for name, text in customer.items() if name != "language" and isinstance(text, str)
        }

    def _addresses(self, orders: Iterable[ErasableOrder]) -> Iterable[bytes]:
        """Give what the mail addresses of orders are known by."""
        for order in orders:
            if order.customer_sealed is not None:
                address = json.loads(self._vault.open("customer", order.customer_sealed)).get("email")
                if address is not None:
                    yield address_lookup(self._vault, ascii_address(address))

    async def erase(self, orders: Iterable[ErasableOrder], *, actor: str = "cli") -> int:
        """Erase the personal data of orders; how many had not been erased before.

        What is known of their customers' mail addresses, consent and suppression, goes with them.
        """
        found = list(orders)
        count = 0
        for start in range(0, len(found), ORDERS_AT_ONCE):
            count += await self._erase(found[start : start + ORDERS_AT_ONCE], actor)
        await self._storage.forget(thorough=False)
        return count

    async def sweep(self, *, days: int) -> int:
        """Erase the personal data of orders older than so many days; how many had not been erased before.

        Of mail addresses goes what is as old, so that a customer who came back keeps what was said since. Orders are
        gone through by their ids, which rise with time, up to the first that is young enough. Where the sweep has come
        is remembered.
        """
        before = self._clock() - timedelta(days=days)
        count = 0
        while True:
            page = await self._storage.query(WalkOrders(limit=ORDERS_AT_ONCE, after=None))
            old: list[ErasableOrder] = []
            for order in page:
                if order.created_at >= before:
                    break
                old.append(order)
            if old:
                count += await self._erase(old, "retention", swept_to=old[-1].order_id, before=before)
            if not old or len(old) < ORDERS_AT_ONCE:
                break
        self._unforgotten = self._unforgotten or bool(count)
        if self._unforgotten:
            await self._storage.forget(thorough=False)
            self._unforgotten = False
        return count

    async def _erase(
        self, orders: list[ErasableOrder], actor: str, *, swept_to: str | None = None, before: datetime | None = None
    ) -> int:
        now = self._clock()
        erased = await self._storage.execute(
            EraseOrders(
                order_ids=tuple(order.order_id for order in orders),
                operation=CREATE_ORDER,
                at=now,
                audit=AuditRow(at=now, actor=actor, action=ERASE, subject="", details="{}"),
                swept_to=swept_to,
                addresses=tuple(self._addresses(orders)),
                addresses_before=before,
            )
        )
        return len(erased)
