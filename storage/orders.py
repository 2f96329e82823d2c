"""Orders and what becomes of licences by an act of a shop, as commands and queries."""

from collections.abc import Mapping
from dataclasses import dataclass

from frozen import quickly_made
from storage.outbox import OutboxMessage
from storage.records import AuditRow, ContainerRow, Item, License, LicenseUse, Order, Placement, StoredAnswer, Ticket


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class PlaceOrder:
    """Store an order with its answer. `ticket` is None when the lines go on an existing ticket.

    Looked up first: the transactionId, then the order number.
    """

    answer: StoredAnswer
    order: Order
    ticket: Ticket | None
    licenses: tuple[License, ...]
    audit: AuditRow
    messages: tuple[OutboxMessage, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """The order is stored, durably."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AlreadyAnswered:
    """The transactionId was answered before; nothing was written."""

    answer: StoredAnswer


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderNumberTaken:
    """The shop's order number stands on another order; nothing was written."""

    order_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeLicenses:
    """Change licences by an act of a shop, exactly once, and remember its answer; all of it or nothing.

    Looked up first: the transactionId, then the order number. Written only if every licence in `license_versions` still
    has its version; otherwise answered `Moved`. Each of those gets version + 1. `order`, `ticket`, `lines` are new;
    `changes` are rows as they shall be (firm code, ticket and version apart). `placements` replace the rows of the same
    (licence, serial); a raise needs room in the sums as with `ApplyTransfer`.
    """

    answer: StoredAnswer
    order: Order | None
    ticket: Ticket | None
    lines: tuple[License, ...]
    license_versions: Mapping[str, int]
    changes: tuple[License, ...]
    placements: tuple[Placement, ...]
    audit: AuditRow
    messages: tuple[OutboxMessage, ...] = ()


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class PrepareOrder:
    """All that the rules for one order need, read as one snapshot.

    The items with these numbers, and the ticket that the lines go on: that of the shop's order with this number, or the
    one with this keyed hash, whoever ordered it. `extended`: the licences that lines renew. `by_memory`: the items may
    be those of a second ago, and the answer may be left out; `PlaceOrder` finds it in any case.
    """

    shop_id: str
    operation: str
    transaction_id: str
    item_numbers: tuple[str, ...]
    original_order_number: str | None
    original_ticket_lookup: bytes | None = None
    extended: tuple[str, ...] = ()
    by_memory: bool = False


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class OrderPreparation:
    """The answer to `PrepareOrder`: what is missing is left out; `answer`, `original_ticket`: None when unknown."""

    answer: StoredAnswer | None
    items: tuple[Item, ...]
    original_ticket: Ticket | None
    families: "tuple[Family, ...]" = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """A licence with the lines that made it what it is, and its placements.

    `members`: its first line, which holds what it is now, then those that renewed or replaced it, by generation.
    `shop_id`: the shop that ordered the first line.
    """

    shop_id: str
    members: tuple[LicenseUse, ...]
    placements: tuple[Placement, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PrepareChange:
    """All that the rules for a change of licences need: one licence, or an order of this shop by one of its names.

    `item_numbers`: the items that are to take the place of others.
    """

    shop_id: str
    operation: str
    transaction_id: str
    license_id: str | None = None
    order_id: str | None = None
    order_number: str | None = None
    item_numbers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangePreparation:
    """The answer to `PrepareChange`. `lines`: of the order; `families`: of the licence, or of every line."""

    answer: StoredAnswer | None
    order: Order | None
    lines: tuple[LicenseUse, ...]
    families: tuple[Family, ...]
    items: tuple[Item, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class FindOrder:
    """A shop's order by exactly one of its names, or None."""

    shop_id: str
    order_id: str | None = None
    order_number: str | None = None
    transaction_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderView:
    """An order with its ticket and lines (by number); `families`: of those that were renewed, or renew another."""

    order: Order
    ticket: Ticket
    licenses: tuple[LicenseUse, ...]
    families: tuple[Family, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class FindOrders:
    """Up to `limit` orders of a shop whose ids sort after `after` (and before `before`), by id, as `OrderView`s.

    `customer_lookup`: only those of the customer with this keyed hash.
    """

    shop_id: str
    after: str
    limit: int
    before: str | None = None
    customer_lookup: bytes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FindTickets:
    """The tickets with these keyed hashes of their texts; unknown ones are left out."""

    lookups: tuple[bytes, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class TicketView:
    """A ticket with all its licences (by creation)."""

    ticket: Ticket
    licenses: tuple[LicenseUse, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class TraceTicket:
    """The whole of a ticket by the keyed hash of its text, for support, or None."""

    lookup: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class TicketTrace:
    """A ticket with its orders and licences (by creation), every placement, and the containers of the placements.

    `containers` are the rows of the licences' firm codes only.
    """

    ticket: Ticket
    orders: tuple[Order, ...]
    licenses: tuple[LicenseUse, ...]
    placements: tuple[Placement, ...]
    containers: tuple[ContainerRow, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class FindHistory:
    """What the audit has of a ticket by the keyed hash of its text, oldest first: a tuple of `AuditRow`.

    Of its orders, of its licences, and of the containers that hold them or held them.
    """

    lookup: bytes


OrderQuery = PrepareOrder | PrepareChange | FindOrder | FindOrders | FindTickets | TraceTicket | FindHistory
