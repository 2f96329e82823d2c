"""Sales: orders, exactly once, and what a shop may see of them (design section 4)."""

import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime

from licensing.errors import (
    Erased,
    ItemUnknown,
    LicensingError,
    OrderNameRequired,
    OrderNumberExists,
    OrderUnknown,
    OriginalOrderUnknown,
    PageTokenInvalid,
    TransactionConflict,
)
from licensing.ids import Ids
from licensing.options import resolve
from licensing.placements import license_state
from licensing.tickets import ending, new_ticket
from licensing.vault import Vault
from storage import Storage
from storage.commands import AlreadyAnswered, FindOrder, ListItems, OrderNumberTaken, PlaceOrder, PrepareOrder
from storage.records import AuditRow, Item, License, Order, Shop, StoredAnswer, Ticket

CREATE_ORDER = "CreateOrder"
ITEMS_ON_A_PAGE = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Customer:
    """Who bought; kept sealed."""

    name: str
    company: str | None = None
    email: str | None = None
    customer_number: str | None = None
    language: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderLine:
    """One line: it becomes one licence."""

    item_number: str
    quantity: int


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderRequest:
    """What a shop orders, under its own transactionId."""

    transaction_id: str
    lines: tuple[OrderLine, ...]
    order_number: str | None = None
    original_order_number: str | None = None
    customer: Customer | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderedLicense:
    """A licence that a line became."""

    license_id: str
    item_number: str
    quantity: int


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderReceipt:
    """An order as it was recorded; for the same transactionId the same for ever."""

    order_id: str
    ticket: str
    collect_url: str | None
    licenses: tuple[OrderedLicense, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class LicenseStatus:
    """A licence and how far it is collected."""

    license_id: str
    item_number: str
    quantity: int
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


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemPage:
    """Some items, and the token of the next page where there is one."""

    items: tuple[Item, ...]
    next_page_token: str | None


class Sales:
    """The rules of the Sales service. `collect_url` holds `{ticket}` where it is set."""

    def __init__(
        self,
        *,
        storage: Storage,
        vault: Vault,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        collect_url: str | None = None,
    ) -> None:
        self._storage = storage
        self._vault = vault
        self._clock = clock
        self._random = random
        self._ids = Ids(clock=clock, random=random)
        self._collect_url = collect_url

    async def create_order(self, *, shop: Shop, request: OrderRequest) -> OrderReceipt:
        """Record an order durably, once.

        Raises TransactionConflict, Erased, ItemUnknown, OriginalOrderUnknown, OrderNumberExists, and storage's errors;
        after StorageUnavailable the outcome is unknown, and the same request again finds out.
        """
        try:
            return await self._create_order(shop, request, by_memory=True)
        except LicensingError:
            # The transactionId comes before any rule, and what is remembered may be a second old: ask again for all.
            return await self._create_order(shop, request, by_memory=False)

    async def _create_order(self, shop: Shop, request: OrderRequest, *, by_memory: bool) -> OrderReceipt:
        prepared = await self._storage.query(
            PrepareOrder(
                shop_id=shop.shop_id,
                operation=CREATE_ORDER,
                transaction_id=request.transaction_id,
                item_numbers=tuple(dict.fromkeys(line.item_number for line in request.lines)),
                original_order_number=request.original_order_number,
                by_memory=by_memory,
            )
        )
        request_hash = self._request_hash(request)
        if prepared.answer is not None:
            return self._answered_before(prepared.answer, request_hash)
        items = _items_of(request, prepared.items)
        if request.original_order_number is not None and prepared.original_ticket is None:
            raise OriginalOrderUnknown(
                "this shop has no order under originalOrderNumber; leave it out for a new ticket",
                path="originalOrderNumber",
            )
        command, receipt = self._order(shop, request, items, prepared.original_ticket, request_hash)
        match await self._storage.execute(command):
            case AlreadyAnswered(answer=answer):
                return self._answered_before(answer, request_hash)
            case OrderNumberTaken(order_id=order_id):
                raise OrderNumberExists(
                    f"the orderNumber stands on order {order_id}; ask for it by GetOrder, or take another number",
                    path="orderNumber",
                )
            case _:
                return receipt

    def _order(
        self,
        shop: Shop,
        request: OrderRequest,
        items: tuple[Item, ...],
        original: Ticket | None,
        request_hash: bytes,
    ) -> tuple[PlaceOrder, OrderReceipt]:
        """Make the command that records an order, and what it will be answered with."""
        now, order_id = self._clock(), self._ids.new()
        if original is None:
            ticket, text = self._new_ticket(now)
        else:
            ticket, text = original, self._ticket_text(original)
        order = Order(
            order_id=order_id,
            shop_id=shop.shop_id,
            transaction_id=request.transaction_id,
            order_number=request.order_number,
            ticket_id=ticket.ticket_id,
            customer_sealed=self._sealed_customer(request.customer),
            created_at=now,
        )
        licenses = tuple(
            self._license(order, number=number, line=line, item=item)
            for number, (line, item) in enumerate(zip(request.lines, items, strict=True), start=1)
        )
        receipt = OrderReceipt(
            order_id=order_id,
            ticket=text,
            collect_url=self._url(text),
            licenses=tuple(
                OrderedLicense(license_id=x.license_id, item_number=x.item_number, quantity=x.quantity)
                for x in licenses
            ),
        )
        answer = StoredAnswer(
            shop_id=shop.shop_id,
            operation=CREATE_ORDER,
            transaction_id=request.transaction_id,
            request_hash=request_hash,
            answer_sealed=self._vault.seal("answer", json.dumps(asdict(receipt)).encode()),
            created_at=now,
        )
        details = {"ticket": ending(text), "lines": len(licenses), "new_ticket": original is None}
        audit = AuditRow(
            at=now, actor=f"shop:{shop.name}", action=CREATE_ORDER, subject=order_id, details=json.dumps(details)
        )
        added = ticket if original is None else None
        return PlaceOrder(answer=answer, order=order, ticket=added, licenses=licenses, audit=audit), receipt

    def _license(self, order: Order, *, number: int, line: OrderLine, item: Item) -> License:
        return License(
            license_id=self._ids.new(),
            order_id=order.order_id,
            line_number=number,
            ticket_id=order.ticket_id,
            item_number=item.item_number,
            firm_code=item.firm_code,
            product_code=item.product_code,
            quantity=line.quantity,
            generation=1,
            options=resolve(item.options, ordered_at=order.created_at),
            extends_license_id=None,
            withdrawn=False,
            version=1,
            created_at=order.created_at,
        )

    def _new_ticket(self, now: datetime) -> tuple[Ticket, str]:
        text = new_ticket(self._random)
        row = Ticket(
            ticket_id=self._ids.new(),
            lookup=self._vault.index("ticket", text),
            sealed=self._vault.seal("ticket", text.encode()),
            created_at=now,
        )
        return row, text

    def _ticket_text(self, ticket: Ticket) -> str:
        return self._vault.open("ticket", ticket.sealed).decode()

    def _sealed_customer(self, customer: Customer | None) -> bytes | None:
        return None if customer is None else self._vault.seal("customer", json.dumps(asdict(customer)).encode())

    def _url(self, ticket: str) -> str | None:
        return None if self._collect_url is None else self._collect_url.replace("{ticket}", ticket)

    def _request_hash(self, request: OrderRequest) -> bytes:
        """Give the keyed hash of the decoded values, in canonical form."""
        return self._vault.index("request", json.dumps(asdict(request), sort_keys=True, ensure_ascii=True))

    def _answered_before(self, answer: StoredAnswer, request_hash: bytes) -> OrderReceipt:
        if answer.answer_sealed is None:
            raise Erased(
                "the answer to this transactionId was erased; take a new one if this is a new order",
                path="transactionId",
            )
        if answer.request_hash != request_hash:
            raise TransactionConflict(
                "this transactionId was used with other values; take a new one for a new order",
                path="transactionId",
            )
        found = json.loads(self._vault.open("answer", answer.answer_sealed))
        return OrderReceipt(**{**found, "licenses": tuple(OrderedLicense(**x) for x in found["licenses"])})

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
        ticket = self._ticket_text(view.ticket)
        return OrderDetails(
            order_id=view.order.order_id,
            order_number=view.order.order_number,
            transaction_id=view.order.transaction_id,
            ticket=ticket,
            collect_url=self._url(ticket),
            ordered_at=view.order.created_at,
            licenses=tuple(
                LicenseStatus(
                    license_id=use.license.license_id,
                    item_number=use.license.item_number,
                    quantity=use.license.quantity,
                    state=license_state(use.license.quantity, use.wanted),
                    collected=use.wanted,
                    confirmed=use.confirmed,
                )
                for use in view.licenses
            ),
        )

    async def list_items(self, *, shop: Shop, page_token: str | None) -> ItemPage:  # noqa: ARG002  every shop sells all
        """Give up to 100 items in the order of their numbers. Raises PageTokenInvalid."""
        after = "" if page_token is None else _read_token(page_token)
        found = await self._storage.query(ListItems(after=after, limit=ITEMS_ON_A_PAGE + 1))
        items = found[:ITEMS_ON_A_PAGE]
        more = len(found) > ITEMS_ON_A_PAGE
        return ItemPage(items=items, next_page_token=_token(items[-1].item_number) if more else None)


def _items_of(request: OrderRequest, found: tuple[Item, ...]) -> tuple[Item, ...]:
    """Give the item of each line. Raises ItemUnknown with the line's path."""
    by_number = {item.item_number: item for item in found if item.active}
    for number, line in enumerate(request.lines, start=1):
        if line.item_number not in by_number:
            raise ItemUnknown(
                "there is no such item, or it is no longer sold; ListItems gives those that may be sold",
                path=f"orderLine[{number}]/itemNumber",
            )
    return tuple(by_number[line.item_number] for line in request.lines)


def _token(after: str) -> str:
    return urlsafe_b64encode(after.encode()).decode()


def _read_token(token: str) -> str:
    try:
        return b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except ValueError:
        raise PageTokenInvalid("the pageToken is none that an answer gave", path="pageToken") from None
