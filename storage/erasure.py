"""Taking away what belongs to a person, and leaving everything that licences and the audit chain need."""

from dataclasses import dataclass
from datetime import datetime

from storage.records import AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class EraseOrders:
    """Erase the personal data of orders, each once. Answered with the ids of those that were not erased before.

    Of each order go: the customer, the sealed answer to its transactionId under `operation` with the hash of the
    request, the details of its audit rows and those about its licences that hold a reason in somebody's words, its
    messages in the outbox, and who collected into the containers that its licences are in. A message that is just being
    delivered stays, empty. For each an audit row is written like `audit`, with the order as its subject and, as its
    details, the ids of the audit rows under `audit`.

    `addresses` are lookups of mail addresses (see `storage.marketing`) whose consent and suppression go, too; where
    `addresses_before` is given, only what was written before that time.

    `swept_to`: remember that everything up to this order was seen to.
    """

    order_ids: tuple[str, ...]
    operation: str
    at: datetime
    audit: AuditRow
    swept_to: str | None = None
    addresses: tuple[bytes, ...] = ()
    addresses_before: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ErasableOrder:
    """An order as an erasure sees it."""

    order_id: str
    created_at: datetime
    erased_at: datetime | None
    customer_sealed: bytes | None


@dataclass(frozen=True, kw_only=True, slots=True)
class FindErasable:
    """The orders of this id or number, of any shop or the one with this name."""

    order_id: str | None = None
    order_number: str | None = None
    shop: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WalkOrders:
    """Up to `limit` orders by id after one; after those that the sweep has passed where `after` is None."""

    limit: int
    after: str | None


ErasureQuery = FindErasable | WalkOrders
