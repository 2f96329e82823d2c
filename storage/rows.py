"""Rows of the database as the frozen values of `storage.records`, and the other way round."""

from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from storage.extensions import ExtensionRow
from storage.marketing import CampaignRow, Consent, OfferEvent, SuppressionRow
from storage.outbox import OutboxMessage
from storage.records import (
    AccessPolicy,
    Administrator,
    Approval,
    AuditRow,
    Credential,
    FilterDocument,
    Identity,
    Item,
    License,
    LicenseUse,
    Movement,
    Order,
    Placement,
    ServerRow,
    Shop,
    StoredAnswer,
    Ticket,
)


class Row(Protocol):
    """A row as a database gives it: values by the names of the columns."""

    def __getitem__(self, name: str, /) -> Any:
        """The value of a column."""
        ...


Parameters = dict[str, str | int | bytes | list[str] | None]
Flat = (
    Approval
    | AuditRow
    | CampaignRow
    | Consent
    | Credential
    | ExtensionRow
    | Item
    | License
    | Movement
    | OfferEvent
    | Order
    | OutboxMessage
    | Administrator
    | FilterDocument
    | Placement
    | Shop
    | StoredAnswer
    | SuppressionRow
    | Ticket
)

_START = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def from_time(value: datetime) -> int:
    """Microseconds since 1970."""
    return (value - _START) // _MICROSECOND


def to_time(value: int) -> datetime:
    """The aware time in UTC of microseconds since 1970."""
    return _START + value * _MICROSECOND


def time_or_none(value: int | None) -> datetime | None:
    """The aware time in UTC, where there is one."""
    return None if value is None else to_time(value)


def flat(record: Flat) -> Parameters:
    """The parameters of a record whose fields are columns of the same names."""
    found: Parameters = {}
    for name in record.__dataclass_fields__:
        value = getattr(record, name)
        found[name] = from_time(value) if isinstance(value, datetime) else value
    return found


def server(row: Row) -> ServerRow | None:
    """The server's row, None before it was initialised."""
    if row["current_epoch"] is None:
        return None
    return ServerRow(
        current_epoch=row["current_epoch"],
        key_fingerprint=row["key_fingerprint"],
        data_version=row["data_version"],
    )


def shop(row: Row) -> Shop:
    """A shop."""
    return Shop(
        shop_id=row["shop_id"],
        name=row["name"],
        active=bool(row["active"]),
        created_at=to_time(row["created_at"]),
        rights=row["rights"],
        access_policy=AccessPolicy(row["access_policy"]),
        depot_policy=AccessPolicy(row["depot_policy"]),
    )


_OLDER_POLICIES = frozenset({"ip", "credential", "ip AND credential", "ip OR credential"})


def older_policy(policy: AccessPolicy) -> str:
    """Give what a server of an earlier version goes by: the same where it knows it, else more than was asked for."""
    return policy.value if policy.value in _OLDER_POLICIES else AccessPolicy.IP_AND_CREDENTIAL.value


def shop_parameters(record: Shop) -> Parameters:
    """The columns of a shop."""
    return {**flat(record), "older_policy": older_policy(record.access_policy)}


def credential(row: Row) -> Credential:
    """A credential."""
    return Credential(
        credential_id=row["credential_id"],
        shop_id=row["shop_id"],
        kind=row["kind"],
        lookup=row["lookup"],
        created_at=to_time(row["added_at"]),
        label=row["label"],
        sealed=row["sealed"],
        material=row["material"],
        valid_from=time_or_none(row["valid_from"]),
        valid_until=time_or_none(row["valid_until"]),
        revoked_at=time_or_none(row["revoked_at"]),
    )


def identity(row: Row) -> Identity:
    """A credential and its shop."""
    return Identity(credential=credential(row), shop=shop(row))


def administrator(row: Row) -> Administrator:
    """An administrator."""
    return Administrator(
        name=row["name"], lookup=row["lookup"], created_at=to_time(row["created_at"]), roles=row["roles"]
    )


def filter_document(row: Row) -> FilterDocument:
    """A document of filter rules."""
    return FilterDocument(
        version=row["version"],
        rules=row["rules"],
        author=row["author"],
        written_at=to_time(row["written_at"]),
        comment=row["comment"],
        diff=row["diff"],
    )


def item(row: Row) -> Item:
    """An item."""
    return Item(
        item_number=row["item_number"],
        firm_code=row["firm_code"],
        product_code=row["product_code"],
        options=row["options"],
        rules=row["rules"],
        active=bool(row["active"]),
        created_at=to_time(row["created_at"]),
    )


def ticket(row: Row) -> Ticket:
    """A ticket."""
    return Ticket(
        ticket_id=row["ticket_id"],
        lookup=row["lookup"],
        sealed=row["sealed"],
        created_at=to_time(row["created_at"]),
    )


def order(row: Row) -> Order:
    """An order."""
    return Order(
        order_id=row["order_id"],
        shop_id=row["shop_id"],
        transaction_id=row["transaction_id"],
        order_number=row["order_number"],
        ticket_id=row["ticket_id"],
        customer_sealed=row["customer_sealed"],
        created_at=to_time(row["created_at"]),
        customer_lookup=row["customer_lookup"],
    )


def answer(row: Row) -> StoredAnswer:
    """What a transactionId was answered."""
    return StoredAnswer(
        shop_id=row["shop_id"],
        operation=row["operation"],
        transaction_id=row["transaction_id"],
        request_hash=row["request_hash"],
        answer_sealed=row["answer_sealed"],
        created_at=to_time(row["created_at"]),
    )


def license_use(row: Row) -> LicenseUse:
    """A licence with the sums of its placements."""
    return LicenseUse(
        license=License(
            license_id=row["license_id"],
            order_id=row["order_id"],
            line_number=row["line_number"],
            ticket_id=row["ticket_id"],
            item_number=row["item_number"],
            firm_code=row["firm_code"],
            product_code=row["product_code"],
            quantity=row["quantity"],
            generation=row["generation"],
            options=row["options"],
            extends_license_id=row["extends_license_id"],
            withdrawn=bool(row["withdrawn"]),
            version=row["version"],
            created_at=to_time(row["created_at"]),
            previous=row["previous"],
            rules=row["rules"],
            dedicated_serial=row["dedicated_serial"],
        ),
        wanted=row["wanted"],
        occupied=row["occupied"],
        confirmed=row["confirmed"],
    )


def audit(row: Row) -> AuditRow:
    """Who did what."""
    return AuditRow(
        at=to_time(row["at"]),
        actor=row["actor"],
        action=row["action"],
        subject=row["subject"],
        details=row["details"],
    )
