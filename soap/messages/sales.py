"""Messages of `urn:opendepot:sales:1`, made from wsdl/v1/sales.xsd by `python -m soap.generate`."""

from dataclasses import dataclass
from datetime import datetime

from frozen import quickly_made


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Customer:
    """The customer of an order. Kept encrypted, and erased on request.

    name: The name of the person or the department.
    company: The company.
    email: The mail address.
    customer_number: The vendor's own number of the customer.
    language: The language of the customer as in BCP 47, such as de or pt-BR.
    """

    name: str
    company: str | None = None
    email: str | None = None
    customer_number: str | None = None
    language: str | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class DataField:
    """One field of the protected, hidden or secret data of a licence.

    kind: Protected can be read by anybody who has the container, Hidden by the application, Secret by nobody:
        the container answers challenges with it. Hidden and Secret travel encrypted to the container.
    number: Which field of its kind, 0 to 127; each once.
    value: 1 to 256 bytes.
    """

    kind: str
    number: int
    value: bytes


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class OrderLine:
    """One line of an order. It becomes one licence, or renews one.

    item_number: The article that was bought, as ListItems gives it.
    quantity: How many, 1 to 1000000.
    extends_license_id: The licence of the original order's ticket that this line renews: it keeps its name
        and its pieces and gets the options of this item, its dates and units added up. Left out, the line
        becomes a new licence.
    container_serial: The one container that the licence is for. It receives the licence at its next contact,
        without a ticket; no other can.
    data: Data for this licence, beside that of its item or in its place. Kept encrypted.
    """

    item_number: str
    quantity: int
    extends_license_id: str | None = None
    container_serial: str | None = None
    data: tuple[DataField, ...] = ()


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class CreateOrderRequest:
    """An order of one or several lines.

    transaction_id: The key of this order, chosen by the shop, unique for ever within the shop. The same key
        with the same values is answered with the same order again, so an order may be repeated safely when an
        answer was lost.
    order_number: The shop's own number of the order, unique within the shop when given.
    original_order_number: An earlier order of the same shop: the new lines are added to that order's ticket,
        and no new ticket is made.
    original_ticket: The ticket of an earlier order, whoever ordered it: as originalOrderNumber, for shops
        that hold the right extend-any.
    customer: Who bought.
    order_line: What was bought, 1 to 100 lines.
    """

    transaction_id: str
    order_line: tuple[OrderLine, ...]
    order_number: str | None = None
    original_order_number: str | None = None
    original_ticket: str | None = None
    customer: Customer | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class OrderedLicense:
    """A licence that an order line became.

    license_id: The name of the licence; of a line that renews one, the name of that one.
    item_number: The article.
    quantity: How many.
    """

    license_id: str
    item_number: str
    quantity: int


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class OrderReceipt:
    """An order that was recorded durably.

    order_id: The server's own name of the order.
    ticket: The ticket, which the licensee turns into licences. Whoever holds it can collect: treat it as a
        secret.
    collect_url: The page where the licensee collects, with the ticket in it; given when the vendor has set up
        such a page.
    license: The licences of this order, in the order of its lines.
    """

    order_id: str
    ticket: str
    license: tuple[OrderedLicense, ...]
    collect_url: str | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class CreateOrderAnswer:
    """The answer to CreateOrder.

    receipt: The order as it was recorded.
    """

    receipt: OrderReceipt


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class CreateOrdersRequest:
    """Orders, each as for CreateOrder.

    order: An order, 1 to 1000 of them; a later one may name the orderNumber of an earlier one as its
        originalOrderNumber.
    """

    order: tuple[CreateOrderRequest, ...]


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class OrderRefusal:
    """Why one of several orders was not recorded: what a fault of CreateOrder would say.

    code: A stable name of the case, listed with its meaning and mend in the reference of fault codes.
    message: What was wrong and how to mend it, in English, for people.
    retry: Never, or Later: the same order may succeed if it is sent again after a while.
    path: The element of the order that it is about, such as orderLine[2]/quantity.
    """

    code: str
    message: str
    retry: str
    path: str | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class OrderResult:
    """What became of one of several orders.

    transaction_id: The key of the order.
    status: Done or Refused; more may come.
    order: The order as it was recorded; given when it is Done.
    refusal: Why it was not recorded; given when it was Refused.
    """

    transaction_id: str
    status: str
    order: OrderReceipt | None = None
    refusal: OrderRefusal | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class OrderBatch:
    """What became of several orders.

    state: Done: every order is recorded. PartlyDone: some are, the others say why not. Refused: none is.
    result: What became of each order, in the order of the request.
    """

    state: str
    result: tuple[OrderResult, ...]


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class CreateOrdersAnswer:
    """The answer to CreateOrders.

    batch: What became of the orders.
    """

    batch: OrderBatch


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class GetOrderRequest:
    """Which order: exactly one of the three names.

    order_id: The server's own name of the order.
    order_number: The shop's number of the order.
    transaction_id: The key under which the order was created.
    """

    order_id: str | None = None
    order_number: str | None = None
    transaction_id: str | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class LicenseStatus:
    """A licence and how far it is collected.

    license_id: The name of the licence; lines that renew one share its name.
    item_number: The article.
    quantity: How many the licence has now; 0 when it was withdrawn.
    generation: 1 for what the order gave first; it rises whenever the licence is renewed or replaced.
    state: NotCollected, PartlyCollected, WhollyCollected, Expired, Replaced (another line has renewed or
        replaced what this one gave) or Withdrawn; more states may come.
    collected: How many are in containers or on the way there.
    confirmed: How many are in containers for certain, confirmed by a receipt.
    """

    license_id: str
    item_number: str
    quantity: int
    generation: int
    state: str
    collected: int
    confirmed: int


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class OrderDetails:
    """An order and how far its licences are collected.

    order_id: The server's own name of the order.
    order_number: The shop's number of the order, if it gave one.
    transaction_id: The key under which the order was created.
    ticket: The ticket.
    collect_url: The page where the licensee collects.
    order_time: When the order was recorded, in UTC.
    license: The licences of this order, in the order of its lines.
    """

    order_id: str
    transaction_id: str
    ticket: str
    order_time: datetime
    license: tuple[LicenseStatus, ...]
    order_number: str | None = None
    collect_url: str | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class GetOrderAnswer:
    """The answer to GetOrder.

    order: The order and the states of its licences.
    """

    order: OrderDetails


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """A point in time.

    time: Date, time and zone, such as 2026-01-31T12:00:00Z.
    """

    time: datetime


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class FindOrdersRequest:
    """Which orders: those to which all that is given applies.

    order_number: The shop's number of the order.
    item_number: An article that one of the lines ordered.
    customer_number: The vendor's number of the customer.
    license_state: A state that one of the licences has now, such as NotCollected.
    created_from: Orders recorded then or later.
    created_to: Orders recorded before then.
    page_token: nextPageToken of the page before, with the same filters; left out for the first page.
    """

    order_number: str | None = None
    item_number: str | None = None
    customer_number: str | None = None
    license_state: str | None = None
    created_from: Moment | None = None
    created_to: Moment | None = None
    page_token: str | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class OrderPage:
    """Some orders, oldest first. A page may hold few, or none, while more follow. An order that stood when
    the first page was asked for is on exactly one page.

    has_more: Whether a further page follows.
    next_page_token: What to send for the next page.
    order: The orders of this page.
    """

    has_more: bool
    next_page_token: str | None = None
    order: tuple[OrderDetails, ...] = ()


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class FindOrdersAnswer:
    """The answer to FindOrders.

    page: One page of orders.
    """

    page: OrderPage


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class CancelOrderRequest:
    """Which order: exactly one of the two names.

    transaction_id: The key of this request, chosen by the shop, unique for ever within the shop and the
        operation. The same key with the same values is answered alike and acts once.
    order_id: The server's own name of the order.
    order_number: The shop's number of the order.
    reason: Why, for the history of the ticket. Kept encrypted.
    """

    transaction_id: str
    reason: str
    order_id: str | None = None
    order_number: str | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Pieces:
    """A number of pieces.

    quantity: How many, 1 to 1000000.
    """

    quantity: int


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class WithdrawLicenseRequest:
    """Which licence, and how much of it.

    transaction_id: The key of this request, chosen by the shop, unique for ever within the shop and the
        operation. The same key with the same values is answered alike and acts once.
    license_id: The licence, which this shop must have ordered.
    pieces: How many pieces are taken back; left out, all of them.
    reason: Why, for the history of the ticket. Kept encrypted.
    """

    transaction_id: str
    license_id: str
    reason: str
    pieces: Pieces | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class ReplaceLicenseRequest:
    """Which licence, and the item that takes its place.

    transaction_id: The key of this request, chosen by the shop, unique for ever within the shop and the
        operation. The same key with the same values is answered alike and acts once.
    license_id: The licence, which this shop must have ordered.
    item_number: The article that takes its place, of the same firm code. The licence keeps its name, its
        quantity, its pieces and its dates.
    reason: Why, for the history of the ticket. Kept encrypted.
    """

    transaction_id: str
    license_id: str
    item_number: str
    reason: str


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeOutcome:
    """Licences as they stood when the change was recorded. A container learns of it at its next contact;
    until its receipt the pieces in it are not free.

    order_id: The order that the licences are of.
    license: The licences and their new states.
    """

    order_id: str
    license: tuple[LicenseStatus, ...]


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class CancelOrderAnswer:
    """The answer to CancelOrder.

    outcome: What became of the licences.
    """

    outcome: ChangeOutcome


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class WithdrawLicenseAnswer:
    """The answer to WithdrawLicense.

    outcome: What became of the licences.
    """

    outcome: ChangeOutcome


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class ReplaceLicenseAnswer:
    """The answer to ReplaceLicense.

    outcome: What became of the licences.
    """

    outcome: ChangeOutcome


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class ListItemsRequest:
    """Which page of the list of items.

    page_token: nextPageToken of the page before; left out for the first page.
    """

    page_token: str | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class ItemSummary:
    """An article that this shop may sell.

    item_number: The article number.
    firm_code: The firm code of the vendor that its licences are for.
    product_code: The product code of its licences.
    """

    item_number: str
    firm_code: int
    product_code: int


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class ItemPage:
    """Up to 100 items, sorted by item number.

    has_more: Whether a further page follows.
    next_page_token: What to send for the next page.
    item: The items of this page.
    """

    has_more: bool
    next_page_token: str | None = None
    item: tuple[ItemSummary, ...] = ()


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class ListItemsAnswer:
    """The answer to ListItems.

    page: One page of items.
    """

    page: ItemPage


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class FaultDetail:
    """What went wrong, where, and whether sending the same request again can help.

    code: A stable name of the case, listed with its meaning and mend in the reference of fault codes.
    message: What was wrong and how to mend it, in English, for people.
    reference: The name of this exchange in the log of the server; quote it to support.
    retry: Never, or Later: the same request may succeed if it is sent again after a while.
    path: The element that the fault is about, such as CreateOrder/orderLine[2]/quantity.
    """

    code: str
    message: str
    reference: str
    retry: str
    path: str | None = None
