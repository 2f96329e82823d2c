"""The whole interface of storage: commands (change something) and queries (read), as values.

A command is handed to the writer and answered with its own result, durable when the answer arrives, or with one of the
errors of `storage.errors`. A query reads one consistent snapshot. No transaction leaks upward.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from storage.audit import AuditQuery, SealAudit
from storage.erasure import EraseOrders, ErasureQuery
from storage.extensions import ExtensionCommand, ExtensionQuery
from storage.guesses import GuessCommand, LoadGuesses
from storage.keys import KeyCommand, KeyQuery
from storage.marketing import MarketingCommand, MarketingQuery
from storage.marks import MarkCommand
from storage.outbox import OutboxCommand, OutboxMessage, OutboxQuery
from storage.records import (
    AccessPolicy,
    Administrator,
    Allowance,
    Approval,
    AuditRow,
    ContainerRow,
    ContextRow,
    Counter,
    Credential,
    FilterDocument,
    Item,
    License,
    LicenseUse,
    Movement,
    Order,
    Placement,
    Shop,
    StepRow,
    StoredAnswer,
    Ticket,
    TransferRow,
)
from storage.together import AllOrNone

# --- commands and their results -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class InitialiseServer:
    """Set the server's first epoch and the fingerprint of its keys, once.

    Answered with the `ServerRow` that stands afterwards: where one was set before, it stays as it is, so that workers
    that start together agree. Transfers are refused (`NotInitialised`) until then.
    """

    epoch: int
    key_fingerprint: bytes
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class AddItem:
    """Add an article. Answered True, or False when the item number exists."""

    item: Item
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeItem:
    """Change an article's options, rules and whether it is sold. Answered True, or False when it is not `before`."""

    before: Item
    item: Item
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class AddShop:
    """Add a shop with its first credential. Answered True, or False when the name exists."""

    shop: Shop
    credential: Credential
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class SetRights:
    """Give a shop exactly these rights. Answered True, or False when there is no shop of this name."""

    name: str
    rights: str
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class SetAccessPolicy:
    """Say what proves that a request comes from the shop of this name. Answered False when there is none."""

    name: str
    policy: AccessPolicy
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class SetDepotPolicy:
    """Say what proves at the Depot that a request comes from the shop of this name. Answered False without one."""

    name: str
    policy: AccessPolicy
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class SetShopActive:
    """Let the shop of this name in, or let it in no more. Answered True, or False when there is none."""

    name: str
    active: bool
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class AddCredential:
    """Give a shop one more credential. Answered True, or False when there is one that is found by the same.

    `ending`: credentials of the shop that hold no longer than until `ending_at` from now on.
    """

    credential: Credential
    audit: AuditRow
    ending: tuple[str, ...] = ()
    ending_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RevokeCredential:
    """Let a credential of a shop hold no more. Answered True, or False when the shop has none that is not revoked."""

    shop_id: str
    credential_id: str
    at: datetime
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class AddAdministrator:
    """Let somebody use the Admin interface. Answered True, or False when the name exists."""

    administrator: Administrator
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class RevokeAdministrator:
    """Let somebody use the Admin interface no more. Answered True, or False when nobody of this name does."""

    name: str
    at: datetime
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreFilters:
    """Put a document of filter rules in force, and the policy of a shop with it: nobody sees one without the other.

    Written only if `document.version` is the one after the newest, and the shop of `policy` exists; otherwise
    answered `Moved`.
    """

    document: FilterDocument
    audit: AuditRow
    policy: SetAccessPolicy | None = None


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


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplyTransfer:
    """Write everything one request decided about one container and firm code, or nothing.

    Written only if the container row still has `container.version` (0: it must not exist) and every licence in
    `license_versions` still has its version; otherwise answered `Moved`. The stored container row gets version + 1,
    and so does each of those licences. `placements` replace the rows of the same (licence, serial). A placement that
    raises wanted or occupied is written only where the sum over all containers fits the licence's quantity afterwards;
    otherwise the command fails with `QuantityExceeded`. `rejoining` writes the placements whatever the sums are: what a
    container holds is a fact (transfer protocol, section 5, *server behind*). `options` replaces those of licences
    that stand in `license_versions`. `approval` is one that is open and decided by this; `Moved` when it no longer is.
    """

    container: ContainerRow
    context: ContextRow | None
    license_versions: Mapping[str, int]
    placements: tuple[Placement, ...]
    steps: tuple[StepRow, ...]
    transfer: TransferRow | None
    audit: AuditRow | None
    movements: tuple[Movement, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    rejoining: bool = False
    approval: Approval | None = None
    messages: tuple[OutboxMessage, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Applied:
    """Written, durably."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """A row had changed since it was read; nothing was written: read again and decide again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreSigned:
    """Store the signed bytes of steps, by counter. The first bytes stored win.

    Answered with the stored bytes, a tuple in the same order; `StepUnknown` when a step was never reserved.
    """

    serial: str
    firm_code: int
    signed: tuple[tuple[Counter, bytes], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RaiseEpoch:
    """Begin a new epoch of the whole server. Answered with the `ServerRow` afterwards; an epoch never falls."""

    epoch: int
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockContainer:
    """Let a container get nothing, for any firm code; `reason` None takes the block away. Answered True.

    Decisions about the container that were read before are `Moved`.
    """

    serial: str
    reason: str | None
    at: datetime
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestApproval:
    """Ask for a decision about a loss. Answered with the open `Approval` of this container and firm code."""

    approval: Approval
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class DecideApproval:
    """Write a decision down that changes nothing else. Answered True, or False when it was not open any more."""

    approval: Approval
    audit: AuditRow


# --- queries and their results --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadServer:
    """The `ServerRow`, or None before `InitialiseServer`."""


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
class FindShop:
    """The active shop that a credential's keyed hash belongs to, or None."""

    lookup: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class FindIdentity:
    """The credential with this keyed hash and its shop as an `Identity`, or None; neither revoked nor inactive.

    Whether it holds yet, or still, is the caller's to see.
    """

    lookup: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class ShowShop:
    """A shop by its name with all its credentials as a `ShopView`, or None."""

    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ShopView:
    """A shop, let in or not, and its credentials, the oldest first, those that hold no more among them."""

    shop: Shop
    credentials: tuple[Credential, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ListAdministrators:
    """Those who may use the Admin interface, by name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FindAdministrator:
    """The administrator that a credential's keyed hash belongs to, or None."""

    lookup: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadFilters:
    """All that access is decided by, read as one snapshot."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FiltersView:
    """The answer to `LoadFilters`: the newest document, None before the first, and all shops, by name.

    `certificates`: the credentials of active shops that are certificates or authorities, the revoked ones left out.
    """

    data_version: int
    document: FilterDocument | None
    shops: tuple[Shop, ...]
    certificates: tuple[Credential, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class FindFilters:
    """The document of filter rules of this version, or None."""

    version: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ListFilters:
    """Up to `limit` documents of filter rules with a version below `before`, the newest first."""

    before: int
    limit: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ListItems:
    """Up to `limit` active items whose number sorts after `after`, sorted by number."""

    after: str
    limit: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FindItem:
    """An article, sold or not, or None."""

    item_number: str


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


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadTransfer:
    """All that a decision about one container and firm code needs, read as one snapshot.

    `context_counter`, `export` are those of the context that arrived; `key` is the request's, None for a receipt;
    `ticket_lookup` adds a ticket's licences, `license_ids` others, and `allowances` the rules of items.
    """

    serial: str
    firm_code: int
    context_counter: Counter
    export: int
    key: bytes | None = None
    ticket_lookup: bytes | None = None
    license_ids: tuple[str, ...] = ()
    allowances: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferView:
    """The answer to `LoadTransfer`.

    `same_export`, `export_below`, `export_above`: among the contexts received at counters from base on, the one with
    the same export number and the nearest ones below and above it (honest contexts rise in both, so the nearest
    decide). `steps`, in order: every step after the confirmed point, every step that the file for this context needs
    (after its counter, but none before the last reset), and every step of the file that answers `transfer`.
    `at_context`: the kept step that ends at the context's counter. `transfer`: the request under `key`, when it acted
    before. `ticket`: None when unknown or not asked for. `licenses`: every licence that the ticket holds (of any firm
    code) or that has a placement here (of this firm code), by creation. `placements`: those in this container, of this
    firm code. `blocks`: left empty here; who has the keys puts there the data of licences for this container.
    """

    container: ContainerRow | None
    current_epoch: int
    same_export: ContextRow | None
    export_below: ContextRow | None
    export_above: ContextRow | None
    steps: tuple[StepRow, ...]
    at_context: StepRow | None
    transfer: TransferRow | None
    ticket: Ticket | None
    licenses: tuple[LicenseUse, ...]
    placements: tuple[Placement, ...]
    blocked: bool = False
    allowances: tuple[Allowance, ...] = ()
    blocks: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class FindContainer:
    """All that support sees of a container: a `ContainerHistory` for each firm code, sorted."""

    serial: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerHistory:
    """A container and firm code: contexts by arrival, steps in order, audit rows in order, and the licences there."""

    container: ContainerRow
    blocked: bool
    contexts: tuple[ContextRow, ...]
    steps: tuple[StepRow, ...]
    placements: tuple[Placement, ...]
    audit: tuple[AuditRow, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ListApprovals:
    """The open approvals, oldest first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FindApproval:
    """An approval by its id, or the newest one of a container and firm code; None when there is none."""

    approval_id: str | None = None
    serial: str = ""
    firm_code: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkUpdate:
    """Let the file of a container's steps, from one counter to another, be fetched by a token until it expires.

    `lookup` is the token's keyed hash. What has expired `at` this time is forgotten. Answered with True.
    """

    lookup: bytes
    serial: str
    firm_code: int
    first: Counter
    last: Counter
    expires_at: datetime
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class FindLinkedSteps:
    """The steps that a token's keyed hash leads to at a time, in order; none for one that is unknown or expired."""

    lookup: bytes
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ListContainers:
    """Up to `limit` containers by serial and firm code, those that sort after `after`: a tuple of such pairs, sorted.

    Exactly one of the choices is given: all that hold or held licences of a ticket (by its keyed hash), of the orders
    of a shop's customer (by the keyed hash of the number), or those of a firm code.
    """

    after: tuple[str, int]
    limit: int
    ticket_lookup: bytes | None = None
    shop_id: str | None = None
    customer_lookup: bytes | None = None
    firm_code: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchContainers:
    """Numbers that rise with every change to containers or to what should be in them, by serial and firm code.

    Answered with a `ContainerChanges`; containers that are not known are left out.
    """

    serials: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerChanges:
    """The answer to `WatchContainers`."""

    current_epoch: int
    changes: Mapping[tuple[str, int], int]


Command = (
    InitialiseServer
    | AddItem
    | ChangeItem
    | AddShop
    | SetRights
    | PlaceOrder
    | ChangeLicenses
    | ApplyTransfer
    | StoreSigned
    | SealAudit
    | RaiseEpoch
    | BlockContainer
    | LinkUpdate
    | RequestApproval
    | DecideApproval
    | OutboxCommand
    | ExtensionCommand
    | MarkCommand
    | EraseOrders
    | SetAccessPolicy
    | SetDepotPolicy
    | SetShopActive
    | AddCredential
    | RevokeCredential
    | AddAdministrator
    | RevokeAdministrator
    | GuessCommand
    | KeyCommand
    | AllOrNone
    | StoreFilters
    | MarketingCommand
)
Query = (
    LoadServer
    | PrepareOrder
    | PrepareChange
    | FindShop
    | ListItems
    | FindItem
    | FindOrder
    | FindOrders
    | FindTickets
    | TraceTicket
    | FindHistory
    | LoadTransfer
    | AuditQuery
    | FindContainer
    | ListApprovals
    | FindApproval
    | WatchContainers
    | ListContainers
    | FindLinkedSteps
    | OutboxQuery
    | ExtensionQuery
    | ErasureQuery
    | FindAdministrator
    | ListAdministrators
    | FindIdentity
    | LoadGuesses
    | KeyQuery
    | ShowShop
    | LoadFilters
    | FindFilters
    | ListFilters
    | MarketingQuery
)
