"""What an order makes, decided purely from what was read: its rows, its command, and what it is answered with."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from frozen import quickly_made
from licensing.announcing import Announcer
from licensing.answers import Answers
from licensing.collecting import NO_RULES, check_same_container, check_serial, rules_of_licence
from licensing.data import data_of_fields, with_data
from licensing.errors import ItemUnknown, OriginalAmbiguous, OriginalOrderUnknown, OriginalRequired, TicketUnknown
from licensing.ids import Ids
from licensing.options import resolve
from licensing.order_values import (
    CREATE_ORDER,
    OrderedLicense,
    OrderLine,
    OrderReceipt,
    OrderRequest,
    customer_text,
    receipt_text,
)
from licensing.renewing import before_line, families_of_lines, first_of, renewed
from licensing.rights import EXTEND_ANY, require
from licensing.tickets import ending, new_ticket
from licensing.vault import Vault
from storage.commands import ChangeLicenses, Family, OrderPreparation, PlaceOrder
from storage.outbox import OutboxMessage
from storage.records import AuditRow, Item, License, Order, Placement, Shop, Ticket


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """What an order makes: new rows, and rows of licences as they shall be. `ticket`: None for one that stands."""

    order: Order
    ticket: Ticket | None
    lines: tuple[License, ...]
    changes: tuple[License, ...]
    ending: str
    receipt: OrderReceipt
    messages: tuple[OutboxMessage, ...]


class Drafter:
    """Decides orders. `collect_url` holds `{ticket}` where it is set."""

    def __init__(
        self,
        *,
        vault: Vault,
        answers: Answers,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        collect_url: str | None,
        announcer: Announcer | None,
    ) -> None:
        self._vault = vault
        self._answers = answers
        self._clock = clock
        self._random = random
        self._ids = Ids(clock=clock, random=random)
        self._collect_url = collect_url
        self._announcer = announcer

    def draft(self, shop: Shop, request: OrderRequest, prepared: OrderPreparation) -> Draft:
        """Decide an order: its rows, and what it will be answered with. Raises the rules' refusals."""
        items = _items_of(request, prepared.items)
        _check_original(shop, request, prepared)
        extended = [line.extends_license_id for line in request.lines]
        families: list[Family | None] = [None] * len(extended)
        if any(extended):
            families = families_of_lines(shop, extended, found=prepared.families, ticket=prepared.original_ticket)
        now = self._clock()
        order_id, ticket_id, *license_ids = self._ids.several(2 + len(request.lines), at=now)
        if prepared.original_ticket is None:
            ticket, text = self._new_ticket(ticket_id, now)
        else:
            ticket, text = prepared.original_ticket, self.ticket_text(prepared.original_ticket)
        customer = request.customer
        order = Order(
            order_id=order_id,
            shop_id=shop.shop_id,
            transaction_id=request.transaction_id,
            order_number=request.order_number,
            ticket_id=ticket.ticket_id,
            customer_sealed=None
            if customer is None
            else self._vault.seal("customer", customer_text(customer).encode()),
            created_at=now,
            customer_lookup=self.customer_lookup(None if customer is None else customer.customer_number),
        )
        lines: list[License] = []
        changes: list[License] = []
        for license_id, line, item, family in zip(license_ids, request.lines, items, families, strict=True):
            made, changed = self._line(order, license_id, line, item, family, number=len(lines) + 1)
            lines.append(made)
            if changed is not None:
                changes.append(changed)
        return Draft(
            order=order,
            ticket=ticket if prepared.original_ticket is None else None,
            lines=tuple(lines),
            changes=tuple(changes),
            ending=ending(text),
            messages=self._messages(shop, request, order, tuple(lines)),
            receipt=OrderReceipt(
                order_id=order_id,
                ticket=text,
                collect_url=self.collect_url(text),
                licenses=tuple([_ordered(x) for x in lines]),
            ),
        )

    def _line(
        self, order: Order, license_id: str, line: OrderLine, item: Item, family: Family | None, *, number: int
    ) -> tuple[License, License | None]:
        """Give the row of a line and, where it renews a licence, the row of that as it shall be."""
        if line.data:
            item = self._with_data(item, line, path=f"orderLine[{number}]")
        made = _license(order, license_id, number=number, line=line, item=item)
        if family is None:
            if line.container_serial is not None or item.rules != NO_RULES:
                check_serial(item, line.container_serial, path=f"orderLine[{number}]/containerSerial")
            return made, None
        check_same_container(first_of(family), line.container_serial, path=f"orderLine[{number}]/containerSerial")
        changed = renewed(family, item=item, quantity=line.quantity, at=order.created_at, path=f"orderLine[{number}]")
        return _renewing(made, family, changed), changed

    def command(self, shop: Shop, draft: Draft, request_hash: bytes) -> PlaceOrder | ChangeLicenses:
        """Make the command that records an order. One that changes nothing that stands goes by the short way."""
        order = draft.order
        answer = self._answers.stored(
            shop=shop,
            operation=CREATE_ORDER,
            transaction_id=order.transaction_id,
            request_hash=request_hash,
            answer=receipt_text(draft.receipt),
            at=order.created_at,
        )
        audit = AuditRow(
            at=order.created_at,
            actor=f"shop:{shop.name}",
            action=CREATE_ORDER,
            subject=order.order_id,
            details=_details(draft),
        )
        # What is for one container is wanted there from now on, so that it needs no ticket.
        dedicated = tuple(
            [
                Placement(
                    license_id=x.license_id, serial=x.dedicated_serial, wanted=x.quantity, occupied=0, confirmed=0
                )
                for x in draft.lines
                if x.dedicated_serial is not None and x.extends_license_id is None
            ]
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

    def ticket_text(self, ticket: Ticket) -> str:
        """Open the text of a ticket. Raises VaultError."""
        return self._vault.open("ticket", ticket.sealed).decode()

    def collect_url(self, ticket: str) -> str | None:
        """Give where a ticket is collected, if the vendor has such a page."""
        return None if self._collect_url is None else self._collect_url.replace("{ticket}", ticket)

    def customer_lookup(self, customer_number: str | None) -> bytes | None:
        """Give the keyed hash that orders are found by a customer's number with."""
        return None if customer_number is None else self._vault.index("customer", customer_number)


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


def _details(draft: Draft) -> str:
    """Give what the audit tells of an order beside its name, as JSON: no more of the ticket than its end."""
    renewed_ones = f', "renewed": {json.dumps([x.license_id for x in draft.changes])}' if draft.changes else ""
    new = "false" if draft.ticket is None else "true"
    return f'{{"ticket": "{draft.ending}", "lines": {len(draft.lines)}, "new_ticket": {new}{renewed_ones}}}'
