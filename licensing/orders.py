"""Sales: orders, exactly once, and what a shop may see of them (design section 4)."""

import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from licensing.announcing import Announcer
from licensing.answers import Answers
from licensing.collecting import check_same_container, check_serial, rules_of_licence
from licensing.data import data_of_fields, with_data
from licensing.errors import (
    Contended,
    ItemUnknown,
    LicensingError,
    OrderNameRequired,
    OrderNumberExists,
    OrderUnknown,
    OriginalAmbiguous,
    OriginalOrderUnknown,
    OriginalRequired,
    PageTokenInvalid,
    TicketUnknown,
)
from licensing.ids import Ids
from licensing.options import resolve
from licensing.order_values import (
    Customer,
    OrderedLicense,
    OrderLine,
    OrderReceipt,
    OrderRequest,
    answer_of,
    plain,
    receipt_of,
    values_of,
)
from licensing.order_views import OrderDetails, details_of_order
from licensing.renewing import before_line, families_of_lines, first_of, renewed
from licensing.rights import EXTEND_ANY, require
from licensing.tickets import ending, new_ticket, normalise_ticket
from licensing.vault import Vault
from storage import Storage
from storage.commands import (
    AlreadyAnswered,
    ChangeLicenses,
    Family,
    FindOrder,
    ListItems,
    Moved,
    OrderNumberTaken,
    OrderPreparation,
    OrderView,
    PlaceOrder,
    PrepareOrder,
)
from storage.outbox import OutboxMessage
from storage.records import AuditRow, Item, License, Order, Placement, Shop, Ticket

__all__ = ["CREATE_ORDER", "Customer", "ItemPage", "OrderLine", "OrderReceipt", "OrderRequest", "Sales"]

CREATE_ORDER = "CreateOrder"
ITEMS_ON_A_PAGE = 100
MOST_TRIES = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemPage:
    """Some items, and the token of the next page where there is one."""

    items: tuple[Item, ...]
    next_page_token: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Draft:
    """What an order makes: new rows, and rows of licences as they shall be. `ticket`: None for one that stands."""

    order: Order
    ticket: Ticket | None
    lines: tuple[License, ...]
    changes: tuple[License, ...]
    ending: str
    receipt: OrderReceipt
    messages: tuple[OutboxMessage, ...]


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
        self._random = random
        self._ids = Ids(clock=clock, random=random)
        self._answers = Answers(vault)
        self._collect_url = collect_url
        self._announcer = announcer
        self._changed = changed

    async def create_order(self, *, shop: Shop, request: OrderRequest) -> OrderReceipt:
        """Record an order durably, once.

        Raises TransactionConflict, Erased, ItemUnknown, OriginalOrderUnknown, OrderNumberExists, OriginalAmbiguous,
        OriginalRequired, RightMissing, TicketUnknown, what `renewing` refuses, Contended, and storage's errors; after
        StorageUnavailable the outcome is unknown, and the same request again finds out.
        """
        request_hash = self._answers.request_hash(values_of(request))
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
            draft = self._drafted(shop, request, prepared)
            command = self._command(shop, draft, request_hash)
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

    def _drafted(self, shop: Shop, request: OrderRequest, prepared: OrderPreparation) -> "_Draft":
        """Decide an order: its rows, and what it will be answered with. Raises the rules' refusals."""
        items = _items_of(request, prepared.items)
        _check_original(shop, request, prepared)
        families = families_of_lines(
            shop,
            [line.extends_license_id for line in request.lines],
            found=prepared.families,
            ticket=prepared.original_ticket,
        )
        now = self._clock()
        order_id, ticket_id, *license_ids = self._ids.several(2 + len(request.lines))
        if prepared.original_ticket is None:
            ticket, text = self._new_ticket(ticket_id, now)
        else:
            ticket, text = prepared.original_ticket, self._ticket_text(prepared.original_ticket)
        order = Order(
            order_id=order_id,
            shop_id=shop.shop_id,
            transaction_id=request.transaction_id,
            order_number=request.order_number,
            ticket_id=ticket.ticket_id,
            customer_sealed=self._sealed_customer(request.customer),
            customer_lookup=self.customer_lookup(
                None if request.customer is None else request.customer.customer_number
            ),
            created_at=now,
        )
        lines, changes = [], []
        for number, (line, plain_item, family) in enumerate(zip(request.lines, items, families, strict=True), start=1):
            item = self._with_data(plain_item, line, path=f"orderLine[{number}]")
            made = _license(order, license_ids[number - 1], number=number, line=line, item=item)
            if family is not None:
                check_same_container(
                    first_of(family), line.container_serial, path=f"orderLine[{number}]/containerSerial"
                )
                changed = renewed(family, item=item, quantity=line.quantity, at=now, path=f"orderLine[{number}]")
                made = _renewing(made, family, changed)
                changes.append(changed)
            else:
                check_serial(item, line.container_serial, path=f"orderLine[{number}]/containerSerial")
            lines.append(made)
        return _Draft(
            order=order,
            ticket=ticket if prepared.original_ticket is None else None,
            lines=tuple(lines),
            changes=tuple(changes),
            ending=ending(text),
            messages=self._messages(shop, request, order, tuple(lines)),
            receipt=OrderReceipt(
                order_id=order_id,
                ticket=text,
                collect_url=self._url(text),
                licenses=tuple([_ordered(x) for x in lines]),
            ),
        )

    def _command(self, shop: Shop, draft: "_Draft", request_hash: bytes) -> PlaceOrder | ChangeLicenses:
        """Make the command that records an order. One that changes nothing that stands goes by the short way."""
        order = draft.order
        answer = self._answers.stored(
            shop=shop,
            operation=CREATE_ORDER,
            transaction_id=order.transaction_id,
            request_hash=request_hash,
            answer=answer_of(draft.receipt),
            at=order.created_at,
        )
        details: dict[str, Any] = {
            "ticket": draft.ending,
            "lines": len(draft.lines),
            "new_ticket": draft.ticket is not None,
        }
        if draft.changes:
            details["renewed"] = [x.license_id for x in draft.changes]
        audit = AuditRow(
            at=order.created_at,
            actor=f"shop:{shop.name}",
            action=CREATE_ORDER,
            subject=order.order_id,
            details=json.dumps(details),
        )
        # What is for one container is wanted there from now on, so that it needs no ticket.
        dedicated = tuple(
            Placement(license_id=x.license_id, serial=x.dedicated_serial, wanted=x.quantity, occupied=0, confirmed=0)
            for x in draft.lines
            if x.dedicated_serial is not None and x.extends_license_id is None
        )
        if not draft.changes and not dedicated:
            return PlaceOrder(
                answer=answer,
                order=order,
                ticket=draft.ticket,
                licenses=draft.lines,
                audit=audit,
                messages=draft.messages,
            )
        return ChangeLicenses(
            answer=answer,
            order=order,
            ticket=draft.ticket,
            lines=draft.lines,
            license_versions={x.license_id: x.version for x in draft.changes},
            changes=draft.changes,
            placements=dedicated,
            audit=audit,
            messages=draft.messages,
        )

    def _messages(
        self, shop: Shop, request: OrderRequest, order: Order, licenses: tuple[License, ...]
    ) -> tuple[OutboxMessage, ...]:
        if self._announcer is None:
            return ()
        number = None if request.customer is None else request.customer.customer_number
        return self._announcer.order_placed(shop=shop, order=order, licenses=licenses, customer_number=number)

    def _with_data(self, item: Item, line: OrderLine, *, path: str) -> Item:
        """Give the item as the line has it, with the data that the line brings. Raises DataInvalid."""
        if not line.data:
            return item
        data = data_of_fields(line.data, path=path)
        return replace(item, options=with_data(item.options, data, vault=self._vault))

    def _new_ticket(self, ticket_id: str, now: datetime) -> tuple[Ticket, str]:
        text = new_ticket(self._random)
        row = Ticket(
            ticket_id=ticket_id,
            lookup=self._vault.index("ticket", text),
            sealed=self._vault.seal("ticket", text.encode()),
            created_at=now,
        )
        return row, text

    def _ticket_text(self, ticket: Ticket) -> str:
        return self._vault.open("ticket", ticket.sealed).decode()

    def _sealed_customer(self, customer: Customer | None) -> bytes | None:
        return None if customer is None else self._vault.seal("customer", json.dumps(plain(customer)).encode())

    def _url(self, ticket: str) -> str | None:
        return None if self._collect_url is None else self._collect_url.replace("{ticket}", ticket)

    def customer_lookup(self, customer_number: str | None) -> bytes | None:
        """Give the keyed hash that orders are found by a customer's number with."""
        return None if customer_number is None else self._vault.index("customer", customer_number)

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
        ticket = self._ticket_text(view.ticket)
        return details_of_order(view, ticket=ticket, collect_url=self._url(ticket), now=self._clock())

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


def _check_original(shop: Shop, request: OrderRequest, prepared: OrderPreparation) -> None:
    """Refuse an order whose lines have no ticket to go on."""
    if request.original_ticket is not None:
        if request.original_order_number is not None:
            raise OriginalAmbiguous("give originalOrderNumber or originalTicket, not both", path="originalTicket")
        require(shop, EXTEND_ANY, path="originalTicket")
        if prepared.original_ticket is None:
            raise TicketUnknown(
                "there is no such ticket; compare it symbol by symbol with the order's", path="originalTicket"
            )
    elif request.original_order_number is None:
        for number, line in enumerate(request.lines, start=1):
            if line.extends_license_id is not None:
                raise OriginalRequired(
                    "name the order that the licence is of by originalOrderNumber, or its ticket by originalTicket",
                    path=f"orderLine[{number}]/extendsLicenseId",
                )
    elif prepared.original_ticket is None:
        raise OriginalOrderUnknown(
            "this shop has no order under originalOrderNumber; leave it out for a new ticket",
            path="originalOrderNumber",
        )


def _license(order: Order, license_id: str, *, number: int, line: OrderLine, item: Item) -> License:
    return License(
        license_id=license_id,
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
        rules=rules_of_licence(item, ordered_at=order.created_at),
        dedicated_serial=line.container_serial,
    )


def _ordered(row: License) -> OrderedLicense:
    """Give what the shop is told of a line: a renewal is known by the licence that it renews."""
    return OrderedLicense(
        license_id=row.extends_license_id or row.license_id, item_number=row.item_number, quantity=row.quantity
    )


def _renewing(line: License, family: Family, changed: License) -> License:
    """Give the row of a line that renews a licence: it keeps what the licence was before."""
    first = family.members[0].license
    return replace(
        line,
        extends_license_id=first.license_id,
        generation=changed.generation,
        options=changed.options,
        previous=before_line(first),
    )


def _token(after: str) -> str:
    return urlsafe_b64encode(after.encode()).decode()


def _read_token(token: str) -> str:
    try:
        return b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except ValueError:
        raise PageTokenInvalid("the pageToken is none that an answer gave", path="pageToken") from None
