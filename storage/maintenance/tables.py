"""The one list of all tables, with their columns and keys. A test compares it with the schema of both databases.

Whatever goes over all data (`doctor --deep`, `backup`, `export`, `import`) is driven by it, so that a new table cannot
be forgotten: the test fails until the table stands here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

HISTORY = "schema_migrations"
"""What migrations were applied: the only table that is each database's own, and not data."""

SERVER = "server"
"""The table with the one row that holds for the whole server; it is there before there is any data."""

PRESET = frozenset({SERVER, "audit_head"})
"""The tables that have their one row before there is any data."""

AUDIT = "audit"

LEASES = "leases"
"""Who does what at the moment: true of one database and for seconds, so no data either."""


class Kind(Enum):
    """What a column holds, whatever a database calls it."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "flag"
    BYTES = "bytes"
    AUDIT_ID = "audit id"
    """The key of an audit row, which rises: each database makes its own (a number, or text)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table: its columns in the order in which an export writes them, and the key that it is sorted by."""

    name: str
    columns: Mapping[str, Kind]
    key: tuple[str, ...]


def _table(table: str, key_columns: str, /, **columns: Kind) -> Table:
    return Table(name=table, columns=columns, key=tuple(key_columns.split()))


_T, _N, _F, _B = Kind.TEXT, Kind.NUMBER, Kind.FLAG, Kind.BYTES

TABLES: tuple[Table, ...] = (
    _table(
        "server",
        "id",
        id=_N,
        current_epoch=_N,
        key_fingerprint=_B,
        initialised_at=_N,
        data_version=_N,
        write_checks=_N,
        journal_position=_N,
        sealed_audit_id=Kind.AUDIT_ID,
        swept_to=_T,
    ),
    _table(
        "shops",
        "shop_id",
        shop_id=_T,
        name=_T,
        active=_F,
        created_at=_N,
        rights=_T,
        access_policy=_T,
        sales_policy=_T,
        depot_policy=_T,
    ),
    _table(
        "credentials",
        "credential_id",
        credential_id=_T,
        shop_id=_T,
        kind=_T,
        lookup=_B,
        created_at=_N,
        revoked_at=_N,
        label=_T,
        sealed=_B,
        material=_B,
        valid_from=_N,
        valid_until=_N,
    ),
    _table(
        "items",
        "item_number",
        item_number=_T,
        firm_code=_N,
        product_code=_N,
        options=_T,
        rules=_T,
        active=_F,
        created_at=_N,
    ),
    _table("tickets", "ticket_id", ticket_id=_T, lookup=_B, sealed=_B, created_at=_N),
    _table(
        "orders",
        "order_id",
        order_id=_T,
        shop_id=_T,
        transaction_id=_T,
        order_number=_T,
        ticket_id=_T,
        customer_sealed=_B,
        created_at=_N,
        customer_lookup=_B,
        erased_at=_N,
    ),
    _table(
        "answers",
        "shop_id operation transaction_id",
        shop_id=_T,
        operation=_T,
        transaction_id=_T,
        request_hash=_B,
        answer_sealed=_B,
        created_at=_N,
    ),
    _table(
        "licenses",
        "license_id",
        license_id=_T,
        order_id=_T,
        line_number=_N,
        ticket_id=_T,
        item_number=_T,
        firm_code=_N,
        product_code=_N,
        quantity=_N,
        generation=_N,
        options=_T,
        extends_license_id=_T,
        withdrawn=_F,
        version=_N,
        created_at=_N,
        previous=_T,
        rules=_T,
        dedicated_serial=_T,
    ),
    _table("placements", "license_id serial", license_id=_T, serial=_T, wanted=_N, occupied=_N, confirmed=_N),
    _table(
        "containers",
        "serial firm_code",
        serial=_T,
        firm_code=_N,
        kind=_T,
        public_key=_B,
        version=_N,
        mark=_T,
        epoch=_N,
        base_epoch=_N,
        base_number=_N,
        confirmed_epoch=_N,
        confirmed_number=_N,
        confirmed_state=_B,
        end_epoch=_N,
        end_number=_N,
        end_state=_B,
        newest_export=_N,
        newest_nonce=_B,
        healing_export=_N,
        healing_nonce=_B,
        lost_at=_N,
        contact_epoch=_N,
    ),
    _table(
        "contexts",
        "serial firm_code export nonce counter_epoch counter_number digest",
        serial=_T,
        firm_code=_N,
        export=_N,
        nonce=_B,
        counter_epoch=_N,
        counter_number=_N,
        digest=_B,
        received_at=_N,
    ),
    _table(
        "steps",
        "serial firm_code epoch number",
        serial=_T,
        firm_code=_N,
        epoch=_N,
        number=_N,
        from_epoch=_N,
        from_number=_N,
        kind=_T,
        digest_before=_B,
        digest_after=_B,
        state_after=_B,
        content=_B,
        signed=_B,
        issued_at=_N,
        journal_position=_N,
    ),
    _table(
        "transfers",
        "serial firm_code key",
        serial=_T,
        firm_code=_N,
        key=_B,
        action=_T,
        user_sealed=_B,
        from_epoch=_N,
        from_number=_N,
        to_epoch=_N,
        to_number=_N,
        created_at=_N,
    ),
    _table(
        "update_links",
        "lookup",
        lookup=_B,
        serial=_T,
        firm_code=_N,
        first_epoch=_N,
        first_number=_N,
        last_epoch=_N,
        last_number=_N,
        expires_at=_N,
    ),
    _table(
        "audit",
        "audit_id",
        audit_id=Kind.AUDIT_ID,
        at=_N,
        actor=_T,
        action=_T,
        subject=_T,
        details=_T,
        salt=_B,
        seal=_B,
        erased=_F,
    ),
    _table(
        "movements",
        "movement_id",
        movement_id=_T,
        license_id=_T,
        serial=_T,
        kind=_T,
        quantity=_N,
        at=_N,
    ),
    _table(
        "approvals",
        "approval_id",
        approval_id=_T,
        serial=_T,
        firm_code=_N,
        ticket_id=_T,
        state=_T,
        requested_at=_N,
        decided_at=_N,
        reason=_T,
    ),
    _table("blocked_containers", "serial", serial=_T, reason=_T, blocked_at=_N),
    _table(
        "filter_documents",
        "version",
        version=_N,
        rules=_T,
        author=_T,
        written_at=_N,
        comment=_T,
        diff=_T,
    ),
    _table("filter_hits", "rule_id", rule_id=_T, hits=_N, first_at=_N, last_at=_N),
    _table("administrators", "name", name=_T, lookup=_B, created_at=_N, revoked_at=_N, roles=_T),
    _table("used_marks", "mark", mark=_B, until_at=_N),
    _table(
        "key_states",
        "key_id",
        key_id=_T,
        kind=_T,
        state=_T,
        is_first=_F,
        made_at=_N,
        active_at=_N,
        finished_at=_N,
        retired_at=_N,
        kept=_B,
    ),
    _table(
        "key_holders",
        "process",
        process=_T,
        node=_T,
        holds=_T,
        sealing_key=_T,
        pepper=_T,
        box_key=_T,
        seen_at=_N,
    ),
    _table("guesses", "subject", subject=_B, empty_at=_N, last_at=_N, alarmed_at=_N),
    _table("outbox_keys", "channel key", channel=_T, key=_T, last=_N),
    _table(
        "outbox",
        "message_id",
        message_id=_T,
        channel=_T,
        key=_T,
        number=_N,
        kind=_T,
        order_id=_T,
        content_sealed=_B,
        state=_T,
        attempts=_N,
        due_at=_N,
        lease_owner=_T,
        lease_until=_N,
        last_failure=_T,
        created_at=_N,
    ),
    _table(
        "extensions",
        "extension_id",
        extension_id=_T,
        key=_B,
        request_hash=_B,
        ticket_lookup=_B,
        step=_T,
        state=_T,
        content_sealed=_B,
        version=_N,
        attempts=_N,
        due_at=_N,
        lease_owner=_T,
        lease_until=_N,
        last_failure=_T,
        created_at=_N,
        changed_at=_N,
    ),
    _table("mail_consents", "lookup", lookup=_B, sealed=_B, given_at=_N, source=_T, recorded_by=_T),
    _table("mail_suppressions", "lookup reason", lookup=_B, reason=_T, at=_N, source=_T),
    _table("reminders", "license_id expires_at days", license_id=_T, expires_at=_N, days=_N, told_at=_N),
    _table("campaigns", "name", name=_T, rules=_T, offer_item=_T, created_at=_N, stopped_at=_N),
    _table("offer_events", "campaign fate subject", campaign=_T, fate=_T, subject=_T, license_id=_T, at=_N),
    _table("audit_chain", "position", position=_N, audit_id=Kind.AUDIT_ID, details_digest=_B, digest=_B),
    _table(
        "audit_head",
        "id",
        id=_N,
        position=_N,
        link=_B,
        sealed_at=_N,
        public_key=_B,
        signature=_B,
    ),
)
"""All tables. One stands after those that it refers to."""
