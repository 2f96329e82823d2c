"""FindOrders: a shop's orders, page by page, each exactly once whatever is ordered meanwhile."""

import hmac
import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from licensing.errors import PageTokenInvalid, StateUnknown
from licensing.ids import first_id_at
from licensing.order_views import OrderDetails
from licensing.orders import Sales
from licensing.placements import LicenseState
from licensing.vault import Vault
from storage import Storage
from storage.commands import FindOrder, FindOrders, OrderView
from storage.records import Shop

ORDERS_ON_A_PAGE = 50
READ_AT_ONCE = 200
MOST_READ = 1000
"""Orders that one call looks at: a filter that nothing fits must not read a million of them."""

CLOCKS_APART = timedelta(days=1)
"""How far the clocks of nodes may differ, at most, for a search by time to find everything."""

_MAC_BYTES = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderFilters:
    """What the orders that are sought must fit, all of it; None: anything."""

    order_number: str | None = None
    item_number: str | None = None
    customer_number: str | None = None
    license_state: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderPage:
    """Some orders, oldest first, and the token of the next page where there may be more."""

    orders: tuple[OrderDetails, ...]
    next_page_token: str | None


class OrderSearch:
    """Finds orders of a shop. Page tokens are signed: they hold for one shop and the same filters."""

    def __init__(self, *, storage: Storage, vault: Vault, sales: Sales) -> None:
        self._storage = storage
        self._vault = vault
        self._sales = sales

    async def find(self, *, shop: Shop, filters: OrderFilters, page_token: str | None) -> OrderPage:
        """Give a page of orders. Raises PageTokenInvalid, StateUnknown."""
        if filters.license_state is not None and filters.license_state not in set(LicenseState):
            raise StateUnknown(f"the states are {', '.join(LicenseState)}", path="licenseState")
        token = _Token(vault=self._vault, shop=shop, filters=filters)
        after = "" if page_token is None else token.read(page_token)
        if filters.order_number is not None:
            return OrderPage(orders=await self._numbered(shop, filters, after), next_page_token=None)
        found: list[OrderDetails] = []
        for _ in range(MOST_READ // READ_AT_ONCE):
            views = await self._storage.query(self._question(shop, filters, after))
            for view in views:
                after = view.order.order_id
                found += self._fitting(view, filters)
                if len(found) == ORDERS_ON_A_PAGE:
                    return OrderPage(orders=tuple(found), next_page_token=token.written(after))
            if len(views) < READ_AT_ONCE:
                return OrderPage(orders=tuple(found), next_page_token=None)
        return OrderPage(orders=tuple(found), next_page_token=token.written(after))

    async def _numbered(self, shop: Shop, filters: OrderFilters, after: str) -> tuple[OrderDetails, ...]:
        view = await self._storage.query(FindOrder(shop_id=shop.shop_id, order_number=filters.order_number))
        if view is None or view.order.order_id <= after:
            return ()
        lookup = self._sales.customer_lookup(filters.customer_number)
        if lookup is not None and view.order.customer_lookup != lookup:
            return ()
        return tuple(self._fitting(view, filters))

    def _question(self, shop: Shop, filters: OrderFilters, after: str) -> FindOrders:
        start, end = filters.created_from, filters.created_to
        return FindOrders(
            shop_id=shop.shop_id,
            after=after if start is None else max(after, _id_at(start, -CLOCKS_APART)),
            before=None if end is None else _id_at(end, CLOCKS_APART),
            customer_lookup=self._sales.customer_lookup(filters.customer_number),
            limit=READ_AT_ONCE,
        )

    def _fitting(self, view: OrderView, filters: OrderFilters) -> list[OrderDetails]:
        """Give the order as it stands now, if it fits."""
        at = view.order.created_at
        if (filters.created_from is not None and at < filters.created_from) or (
            filters.created_to is not None and at >= filters.created_to
        ):
            return []
        details = self._sales.details(view)
        fits = (
            filters.item_number is None or any(x.item_number == filters.item_number for x in details.licenses)
        ) and (filters.license_state is None or any(x.state == filters.license_state for x in details.licenses))
        return [details] if fits else []


def _id_at(moment: datetime, shift: timedelta) -> str:
    try:
        return first_id_at(moment + shift)
    except OverflowError:
        return first_id_at(
            datetime(1970, 1, 1, tzinfo=UTC) if shift < timedelta() else datetime(9999, 1, 1, tzinfo=UTC)
        )


class _Token:
    """Where the next page starts, signed for a shop and its filters."""

    def __init__(self, *, vault: Vault, shop: Shop, filters: OrderFilters) -> None:
        self._sign: Callable[[str], bytes] = lambda after: vault.index(
            "page-token", json.dumps([shop.shop_id, asdict(filters), after], default=str)
        )[:_MAC_BYTES]

    def written(self, after: str) -> str:
        return urlsafe_b64encode(self._sign(after) + after.encode()).decode()

    def read(self, token: str) -> str:
        try:
            data = b64decode(token.encode(), altchars=b"-_", validate=True)
            after = data[_MAC_BYTES:].decode()
        except ValueError:
            data, after = b"", ""
        if not hmac.compare_digest(data[:_MAC_BYTES], self._sign(after)):
            raise PageTokenInvalid(
                "the pageToken is none that an answer gave this shop for these filters", path="pageToken"
            )
        return after
