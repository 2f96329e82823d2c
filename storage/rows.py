"""Rows of the database as the frozen values of `storage.records`, and the other way round."""

from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from storage.extensions import ExtensionRow
from storage.marketing import CampaignRow, Consent, OfferEvent, SuppressionRow
from storage.outbox import OutboxMessage
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
    Identity,
    Item,
    License,
    LicenseUse,
    Mark,
    Movement,
    Order,
    Placement,
    ServerRow,
    Shop,
    StepRow,
    StoredAnswer,
    Ticket,
    TransferRow,
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


def flat(record: Flat) -> Parameters:
    """The parameters of a record whose fields are columns of the same names."""
    found: Parameters = {}
    for name in record.__dataclass_fields__:
        value = getattr(record, name)
        found[name] = from_time(value) if isinstance(value, datetime) else value
    return found


def _counter(name: str, value: Counter) -> Parameters:
    return {f"{name}_epoch": value[0], f"{name}_number": value[1]}


def container_parameters(record: ContainerRow) -> Parameters:
    """The columns of a container row."""
    return {
        "serial": record.serial,
        "firm_code": record.firm_code,
        "kind": record.kind,
        "public_key": record.public_key,
        "version": record.version,
        "mark": record.mark.value,
        "epoch": record.epoch,
        **_counter("base", record.base),
        **_counter("confirmed", record.confirmed),
        "confirmed_state": record.confirmed_state,
        **_counter("end", record.end),
        "end_state": record.end_state,
        "newest_export": record.newest_export,
        "newest_nonce": record.newest_nonce,
        "healing_export": record.healing_export,
        "healing_nonce": record.healing_nonce,
        "lost_at": None if record.lost_at is None else from_time(record.lost_at),
        "contact_epoch": record.contact_epoch,
    }


def context_parameters(record: ContextRow) -> Parameters:
    """The columns of a context."""
    return {
        "serial": record.serial,
        "firm_code": record.firm_code,
        "export": record.export,
        "nonce": record.nonce,
        **_counter("counter", record.counter),
        "digest": record.digest,
        "received_at": from_time(record.received_at),
    }


def step_parameters(record: StepRow) -> Parameters:
    """The columns of a step."""
    return {
        "serial": record.serial,
        "firm_code": record.firm_code,
        "epoch": record.counter[0],
        "number": record.counter[1],
        **_counter("from", record.from_counter),
        "kind": record.kind,
        "digest_before": record.digest_before,
        "digest_after": record.digest_after,
        "state_after": record.state_after,
        "content": record.content,
        "signed": record.signed,
        "issued_at": from_time(record.issued_at),
    }


def transfer_parameters(record: TransferRow) -> Parameters:
    """The columns of a request that made steps."""
    return {
        "serial": record.serial,
        "firm_code": record.firm_code,
        "key": record.key,
        "action": record.action,
        "user_sealed": record.user_sealed,
        **_counter("from", record.from_counter),
        **_counter("to", record.to_counter),
        "created_at": from_time(record.created_at),
    }


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
        valid_from=_time_or_none(row["valid_from"]),
        valid_until=_time_or_none(row["valid_until"]),
        revoked_at=_time_or_none(row["revoked_at"]),
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


def placement(row: Row) -> Placement:
    """A placement."""
    return Placement(
        license_id=row["license_id"],
        serial=row["serial"],
        wanted=row["wanted"],
        occupied=row["occupied"],
        confirmed=row["confirmed"],
    )


def container(row: Row) -> ContainerRow:
    """A container and firm code."""
    return ContainerRow(
        serial=row["serial"],
        firm_code=row["firm_code"],
        kind=row["kind"],
        public_key=row["public_key"],
        version=row["version"],
        mark=Mark(row["mark"]),
        epoch=row["epoch"],
        base=(row["base_epoch"], row["base_number"]),
        confirmed=(row["confirmed_epoch"], row["confirmed_number"]),
        confirmed_state=row["confirmed_state"],
        end=(row["end_epoch"], row["end_number"]),
        end_state=row["end_state"],
        newest_export=row["newest_export"],
        newest_nonce=row["newest_nonce"],
        healing_export=row["healing_export"],
        healing_nonce=row["healing_nonce"],
        lost_at=_time_or_none(row["lost_at"]),
        contact_epoch=row["contact_epoch"],
    )


def allowance(row: Row) -> Allowance:
    """A licence's rules and what was counted against them."""
    return Allowance(
        license_id=row["license_id"],
        rules=row["rules"],
        returns=row["returns"],
        returned_at=_time_or_none(row["returned_at"]),
        restores=row["restores"],
        restored_at=_time_or_none(row["restored_at"]),
    )


def approval(row: Row) -> Approval:
    """A loss that somebody has to decide, or has decided, about."""
    return Approval(
        approval_id=row["approval_id"],
        serial=row["serial"],
        firm_code=row["firm_code"],
        ticket_id=row["ticket_id"],
        state=row["state"],
        requested_at=to_time(row["requested_at"]),
        decided_at=_time_or_none(row["decided_at"]),
        reason=row["reason"],
    )


def _time_or_none(value: int | None) -> datetime | None:
    return None if value is None else to_time(value)


def context(row: Row) -> ContextRow:
    """A context that arrived."""
    return ContextRow(
        serial=row["serial"],
        firm_code=row["firm_code"],
        export=row["export"],
        nonce=row["nonce"],
        counter=(row["counter_epoch"], row["counter_number"]),
        digest=row["digest"],
        received_at=to_time(row["received_at"]),
    )


def step(row: Row) -> StepRow:
    """A step."""
    return StepRow(
        serial=row["serial"],
        firm_code=row["firm_code"],
        counter=(row["epoch"], row["number"]),
        from_counter=(row["from_epoch"], row["from_number"]),
        kind=row["kind"],
        digest_before=row["digest_before"],
        digest_after=row["digest_after"],
        state_after=row["state_after"],
        content=row["content"],
        signed=row["signed"],
        issued_at=to_time(row["issued_at"]),
    )


def transfer(row: Row) -> TransferRow:
    """A request that made steps."""
    return TransferRow(
        serial=row["serial"],
        firm_code=row["firm_code"],
        key=row["key"],
        action=row["action"],
        user_sealed=row["user_sealed"],
        from_counter=(row["from_epoch"], row["from_number"]),
        to_counter=(row["to_epoch"], row["to_number"]),
        created_at=to_time(row["created_at"]),
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
