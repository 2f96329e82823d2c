"""Rows as frozen values: what the rules read and what a command writes.

Counters are pairs (epoch, number), compared as tuples. Times are aware and in UTC. Text that belongs to a person and
ticket texts are sealed before they come here (`bytes` ending in `_sealed`); options and rules are JSON text whose
meaning belongs to `licensing/`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from frozen import quickly_made

Counter = tuple[int, int]


class Mark(StrEnum):
    """What the server thinks of a container for one firm code (transfer protocol, section 3)."""

    OK = "ok"
    MARKED = "marked"
    HEALING = "healing"
    LOST = "lost"


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerRow:
    """What holds for the whole server.

    `current_epoch` is in milliseconds of a wall clock (transfer protocol, section 1); `key_fingerprint` tells whether
    the keys at hand are those that sealed the data; `data_version` rises with every change of items, shops,
    credentials and IP filters.
    """

    current_epoch: int
    key_fingerprint: bytes
    data_version: int


class AccessPolicy(StrEnum):
    """What proves that a request comes from a shop: its address, something it has, both, or either.

    `credential` is anything that it has; `mtls` a TLS client certificate, `signature` a signed message.
    """

    IP = "ip"
    CREDENTIAL = "credential"
    MTLS = "mtls"
    SIGNATURE = "signature"
    IP_AND_CREDENTIAL = "ip AND credential"
    IP_AND_MTLS = "ip AND mtls"
    IP_AND_SIGNATURE = "ip AND signature"
    IP_OR_CREDENTIAL = "ip OR credential"
    IP_OR_MTLS = "ip OR mtls"
    IP_OR_SIGNATURE = "ip OR signature"


@dataclass(frozen=True, kw_only=True, slots=True)
class Shop:
    """Who may order through Sales. `rights`: what it may do, words with a space between.

    `access_policy`, `depot_policy`: what proves it at Sales and at the Depot.
    """

    shop_id: str
    name: str
    active: bool
    created_at: datetime
    rights: str = ""
    access_policy: AccessPolicy = AccessPolicy.CREDENTIAL
    depot_policy: AccessPolicy = AccessPolicy.CREDENTIAL


@dataclass(frozen=True, kw_only=True, slots=True)
class Administrator:
    """Who may use the Admin interface; `lookup` is the keyed hash of the API key; `roles` are words with spaces."""

    name: str
    lookup: bytes
    created_at: datetime
    roles: str = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class FilterDocument:
    """All rules about client addresses that stand in the database, as one text, and the edit that made it.

    `version` rises by one with each edit; `rules` is the text of a rule file (`ipfilters.read_rules`); `diff` shows
    what the edit changed.
    """

    version: int
    rules: str
    author: str
    written_at: datetime
    comment: str
    diff: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Credential:
    """One way for a shop to prove who it is, found by `lookup`, a keyed hash.

    `kind`: `api-key` (hash of the key), `username` (of the name; `sealed` is the secret), `certificate` (of its SHA-256
    fingerprint; `material` is the certificate, DER) or `authority` (the same of one whose certificates are the shop's).
    It holds from `valid_from` until `valid_until`, None: without that bound, unless `revoked_at` is set.
    """

    credential_id: str
    shop_id: str
    kind: str
    lookup: bytes
    created_at: datetime
    label: str = ""
    sealed: bytes | None = None
    material: bytes | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    revoked_at: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Whether it is neither revoked nor outside of its time."""
        return (
            self.revoked_at is None
            and (self.valid_from is None or self.valid_from <= now)
            and (self.valid_until is None or now < self.valid_until)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """A credential and the shop that it is of."""

    credential: Credential
    shop: Shop


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A vendor's article: firm code, product code, options and rules (JSON text)."""

    item_number: str
    firm_code: int
    product_code: int
    options: str
    rules: str
    active: bool
    created_at: datetime


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Ticket:
    """A ticket without its text: `lookup` is its keyed hash, `sealed` the encrypted text."""

    ticket_id: str
    lookup: bytes
    sealed: bytes
    created_at: datetime


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What a shop ordered, once, under one transactionId.

    `customer_lookup` is the keyed hash of the customer's number.
    """

    order_id: str
    shop_id: str
    transaction_id: str
    order_number: str | None
    ticket_id: str
    customer_sealed: bytes | None
    created_at: datetime
    customer_lookup: bytes | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class License:
    """One order line. `version` rises with every change of the row or of one of its placements.

    A line that renews or replaces a licence has `extends_license_id`, the first line of that licence, and `previous`,
    the JSON text of what the licence was before. The first line's row always holds what the licence is now, and only it
    has placements. `rules` is JSON text; `dedicated_serial` is the one container that the licence is for.
    """

    license_id: str
    order_id: str
    line_number: int
    ticket_id: str
    item_number: str
    firm_code: int
    product_code: int
    quantity: int
    generation: int
    options: str
    extends_license_id: str | None
    withdrawn: bool
    version: int
    created_at: datetime
    previous: str | None = None
    rules: str = "{}"
    dedicated_serial: str | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Licence x container: what should be there and what may be there (transfer protocol, section 1).

    `confirmed` is the quantity that the state at the confirmed point grants, so it never exceeds `occupied`. Without
    it a piece that was sent and a piece that has arrived look alike: wanted and occupied are the same for both.
    """

    license_id: str
    serial: str
    wanted: int
    occupied: int
    confirmed: int


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class LicenseUse:
    """A licence with the sums of its placements over all containers."""

    license: License
    wanted: int
    occupied: int
    confirmed: int


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerRow:
    """One container and firm code. `version` rises with every write; 0 means: not stored yet.

    `confirmed` is the point up to which receipts have arrived and `end` the end of the chain; `confirmed_state` and
    `end_state` are the vendor states there, as canonical listings of the container format. `base` is the counter of
    the last reset, `epoch` the epoch of the chain. `newest_export` and `newest_nonce` name the newest context.
    `healing_export`, `healing_nonce` name the context that the reset of an accepted copy, or the removal from a lost
    container, was bound to; None: there is no such step. `contact_epoch` is the server's epoch at the newest context.
    """

    serial: str
    firm_code: int
    kind: str
    public_key: bytes
    version: int
    mark: Mark
    epoch: int
    base: Counter
    confirmed: Counter
    confirmed_state: bytes
    end: Counter
    end_state: bytes
    newest_export: int
    newest_nonce: bytes
    healing_export: int | None = None
    healing_nonce: bytes | None = None
    lost_at: datetime | None = None
    contact_epoch: int | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class ContextRow:
    """A context that arrived; compared by (nonce, counter, digest of the listing), never by signature bytes."""

    serial: str
    firm_code: int
    export: int
    nonce: bytes
    counter: Counter
    digest: bytes
    received_at: datetime


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class StepRow:
    """One step of a chain. `content` is reserved first and never changes; `signed` is stored once, the first wins."""

    serial: str
    firm_code: int
    counter: Counter
    from_counter: Counter
    kind: str
    digest_before: bytes
    digest_after: bytes
    state_after: bytes
    content: bytes
    signed: bytes | None
    issued_at: datetime


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class TransferRow:
    """A request that made steps, under its key (nonce + action + ticket and targets as sent), so it acts once.

    The file that answers it holds the steps after `from_counter` up to `to_counter`.
    """

    serial: str
    firm_code: int
    key: bytes
    action: str
    user_sealed: bytes | None
    from_counter: Counter
    to_counter: Counter
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Movement:
    """Pieces that left a container in a way that the rules of items count: `kind` Return or Restore."""

    license_id: str
    serial: str
    kind: str
    quantity: int
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowance:
    """A licence's rules, as its item has them (JSON text), and what was counted against them so far."""

    license_id: str
    rules: str
    returns: int
    returned_at: datetime | None
    restores: int
    restored_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Approval:
    """A loss that somebody has to decide about: `state` Open, Approved or Denied."""

    approval_id: str
    serial: str
    firm_code: int
    ticket_id: str
    state: str
    requested_at: datetime
    decided_at: datetime | None = None
    reason: str | None = None


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class StoredAnswer:
    """What a transactionId was answered: a keyed hash of the request's values, and the sealed answer.

    `answer_sealed` is None once personal data was erased.
    """

    shop_id: str
    operation: str
    transaction_id: str
    request_hash: bytes
    answer_sealed: bytes | None
    created_at: datetime


@quickly_made
@dataclass(frozen=True, kw_only=True, slots=True)
class AuditRow:
    """Who did what, written in the transaction of the change. `details` is JSON without secrets or tickets."""

    at: datetime
    actor: str
    action: str
    subject: str
    details: str
