"""Sales: orders, exactly once, and what a shop may see of them (design section 4)."""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from licensing.announcing import Announcer
from licensing.answers import Answers
from licensing.errors import (
    Contended,
    LicensingError,
    OrderNameRequired,
    OrderNumberExists,
    OrderUnknown,
    PageTokenInvalid,
    TicketUnknown,
)
from licensing.order_drafts import Drafter
from licensing.order_values import (
    CREATE_ORDER,
    Customer,
    OrderLine,
    OrderReceipt,
    OrderRequest,
    receipt_of,
    request_text,
)
from licensing.order_views import OrderDetails, details_of_order
from licensing.tickets import normalise_ticket
from licensing.vault import Vault
from storage import Storage
from storage.commands import (
    AlreadyAnswered,
    ChangeLicenses,
    FindOrder,
    ListItems,
    Moved,
    OrderNumberTaken,
    OrderView,
    PrepareOrder,
)
from storage.records import Item, Shop

__all__ = ["CREATE_ORDER", "Customer", "ItemPage", "OrderLine", "OrderReceipt", "OrderRequest", "Sales"]

ITEMS_ON_A_PAGE = 100
MOST_TRIES = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemPage:
    """Some items, and the token of the next page where there is one."""

    items: tuple[Item, ...]
    next_page_token: str | None


class Sales:
    """The rules of the Sales service. `collect_url` holds `{ticket}` where it is set.

    `changed` is called after an order that changes what some container shall hold.
    """

    def __init__(
        self,
        *,
        storage: Storage,
        vault: Vault,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        collect_url: str | None = None,
        announcer: Announcer | None = None,
        changed: Callable[[], None] | None = None,
    ) -> None:
        self._storage = storage
        self._vault = vault
        self._clock = clock
        self._answers = Answers(vault)
        self._drafter = Drafter(
            vault=vault,
            answers=self._answers,
            clock=clock,
            random=random,
            collect_url=collect_url,
            announcer=announcer,
        )
        self._changed = changed

    async def create_order(self, *, shop: Shop, request: OrderRequest) -> OrderReceipt:
        """Record an order durably, once.

        Raises TransactionConflict, Erased, ItemUnknown, OriginalOrderUnknown, OrderNumberExists, OriginalAmbiguous,
        OriginalRequired, RightMissing, TicketUnknown, what `renewing` refuses, Contended, and storage's errors; after
        StorageUnavailable the outcome is unknown, and the same request again finds out.
        """
        request_hash = self._answers.text_hash(request_text(request))
        try:
            return await self._place(shop, request, self._question(shop, request, by_memory=True), request_hash)
        except LicensingError:
            # The transactionId comes before any rule, and what is remembered may be a second old: ask again for all.
            return await self._place(shop, request, self._question(shop, request, by_memory=False), request_hash)

    async def _place(
        self, shop: Shop, request: OrderRequest, question: PrepareOrder, request_hash: bytes
    ) -> OrderReceipt:
        for _ in range(MOST_TRIES):
            prepared = await self._storage.query(question)
            if prepared.answer is not None:
                return receipt_of(self._answers.opened(prepared.answer, request_hash))
            draft = self._drafter.draft(shop, request, prepared)
            command = self._drafter.command(shop, draft, request_hash)
            match await self._storage.execute(command):
                case AlreadyAnswered(answer=answer):
                    return receipt_of(self._answers.opened(answer, request_hash))
                case OrderNumberTaken(order_id=order_id):
                    raise OrderNumberExists(
                        f"the orderNumber stands on order {order_id}; ask for it by GetOrder, or take another number",
                        path="orderNumber",
                    )
                case Moved():
                    continue
                case _:
                    if self._changed is not None and isinstance(command, ChangeLicenses):
                        self._changed()
                    return draft.receipt
        raise Contended("the licences that this order renews keep changing; send the same request again")

    def _question(self, shop: Shop, request: OrderRequest, *, by_memory: bool) -> PrepareOrder:
        return PrepareOrder(
            shop_id=shop.shop_id,
            operation=CREATE_ORDER,
            transaction_id=request.transaction_id,
            item_numbers=tuple(dict.fromkeys(line.item_number for line in request.lines)),
            original_order_number=request.original_order_number,
            original_ticket_lookup=self._ticket_lookup(request.original_ticket),
            extended=tuple([x.extends_license_id for x in request.lines if x.extends_license_id is not None]),
            by_memory=by_memory,
        )

    def _ticket_lookup(self, ticket: str | None) -> bytes | None:
        """Give the hash to find a ticket by, None for a text that no ticket can be."""
        try:
            return None if ticket is None else self._vault.index("ticket", normalise_ticket(ticket))
        except TicketUnknown:
            return None

    def customer_lookup(self, customer_number: str | None) -> bytes | None:
        """Give the keyed hash that orders are found by a customer's number with."""
        return self._drafter.customer_lookup(customer_number)

    async def get_order(
        self,
        *,
        shop: Shop,
        order_id: str | None = None,
        order_number: str | None = None,
        transaction_id: str | None = None,
    ) -> OrderDetails:
        """Give an order of this shop by exactly one of its names. Raises OrderNameRequired, OrderUnknown."""
        if sum(name is not None for name in (order_id, order_number, transaction_id)) != 1:
            raise OrderNameRequired("give exactly one of orderId, orderNumber and transactionId", path="GetOrder")
        view = await self._storage.query(
            FindOrder(shop_id=shop.shop_id, order_id=order_id, order_number=order_number, transaction_id=transaction_id)
        )
        if view is None:
            raise OrderUnknown("this shop has no such order", path="GetOrder")
        return self.details(view)

    def details(self, view: OrderView) -> OrderDetails:
        """Give an order that was found as it stands now."""
        ticket = self._drafter.ticket_text(view.ticket)
        return details_of_order(view, ticket=ticket, collect_url=self._drafter.collect_url(ticket), now=self._clock())

    async def list_items(self, *, shop: Shop, page_token: str | None) -> ItemPage:  # noqa: ARG002  every shop sells all
        """Give up to 100 items in the order of their numbers. Raises PageTokenInvalid."""
        after = "" if page_token is None else _read_token(page_token)
        found = await self._storage.query(ListItems(after=after, limit=ITEMS_ON_A_PAGE + 1))
        items = found[:ITEMS_ON_A_PAGE]
        more = len(found) > ITEMS_ON_A_PAGE
        return ItemPage(items=items, next_page_token=_token(items[-1].item_number) if more else None)


def _token(after: str) -> str:
    return urlsafe_b64encode(after.encode()).decode()


def _read_token(token: str) -> str:
    try:
        return b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except ValueError:
        raise PageTokenInvalid("the pageToken is none that an answer gave", path="pageToken") from None
