"""What a handler is given and what it may use."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from licensing.bulk import Bulk
from licensing.catalogue import Catalogue
from licensing.credentials import Credentials
from licensing.depot import Depot
from licensing.extensions.engine import Extensions
from licensing.linking import UpdateLinks
from licensing.losses import Losses
from licensing.orders import Sales
from licensing.pushing import Pushing
from licensing.searching import OrderSearch
from licensing.vendor_actions import VendorActions
from server.filters.shops import ShopFilters
from server.security.callers import Caller

MessageT = TypeVar("MessageT")


@dataclass(frozen=True, kw_only=True, slots=True)
class Call(Generic[MessageT]):
    """A validated message and who sent it."""

    message: MessageT
    caller: Caller


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """The rules, as handlers reach them."""

    sales: Sales
    order_search: OrderSearch
    vendor_actions: VendorActions
    depot: Depot
    losses: Losses
    pushing: Pushing
    bulk: Bulk
    links: UpdateLinks
    update_url: Callable[[str], str]
    shop_filters: ShopFilters
    catalogue: Catalogue
    credentials: Credentials
    extensions: Extensions


Handler = Callable[[Call[Any], Services], Awaitable[Any]]
