"""The commands and queries of `storage.audit` as plans."""

from storage import rows
from storage.audit import (
    AuditEntry,
    AuditHead,
    AuditId,
    AuditLink,
    AuditQuery,
    FindUnchained,
    Lease,
    ListAudit,
    LoadAuditHead,
    LoadUnsealed,
    SealAudit,
    UnsealedAudit,
    WalkAudit,
)
from storage.commands import Applied, Moved
from storage.outcomes import Withdrawn
from storage.plans import Plan, many, one, written, written_each
from storage.records import AuditRow

SEALER = "audit-sealer"
MOST_COUNTED = 100_000


def seal_audit(command: SealAudit) -> Plan[Applied]:
    """Append to the chain; `Withdrawn` with `Moved` when something had changed."""
    if not (yield from take_lease(SEALER, command.lease)):
        raise Withdrawn(Moved())
    if (yield from written("advance_audit_head", {**_head_parameters(command.head), "after": command.after})) == 0:
        raise Withdrawn(Moved())
    sealing: list[rows.Parameters] = [
        {"audit_id": row.link.audit_id, "salt": row.salt, "seal": row.seal, "erased": row.erased}
        for row in command.rows
    ]
    if (yield from written_each("seal_audit", sealing)) != len(sealing):
        raise Withdrawn(Moved())
    yield from written_each("add_audit_link", [_link_parameters(row.link) for row in command.rows])
    return Applied()


def take_lease(name: str, lease: Lease) -> Plan[bool]:
    """Whether a lease was taken, or kept."""
    parameters: rows.Parameters = {
        "name": name,
        "owner": lease.owner,
        "expires_at": rows.from_time(lease.until),
        "at": rows.from_time(lease.now),
    }
    return (yield from written("take_lease", parameters)) > 0


def plan_audit_query(query: AuditQuery) -> Plan[object]:
    """The plan that finds the query's own answer."""
    match query:
        case LoadUnsealed():
            return _load_unsealed(query)
        case LoadAuditHead():
            return _load_head()
        case WalkAudit():
            return _walk(query)
        case FindUnchained():
            return _find_unchained(query)
        case ListAudit():
            return _list(query)


def _load_unsealed(query: LoadUnsealed) -> Plan[UnsealedAudit]:
    head = yield from _load_head()
    found = yield from many("unsealed_audit", {"limit": query.limit})
    (counted,) = yield from many("unsealed_audit_count", {"most": MOST_COUNTED})
    lease = yield from one("lease", {"name": SEALER})
    return UnsealedAudit(
        head=head,
        entries=tuple(map(_entry, found)),
        count=counted["unsealed"],
        owner=None if lease is None else lease["owner"],
        owned_until=None if lease is None else rows.to_time(lease["expires_at"]),
    )


def _load_head() -> Plan[AuditHead]:
    (row,) = yield from many("audit_head", {})
    return AuditHead(
        position=row["position"],
        link=row["link"],
        sealed_at=rows.to_time(row["sealed_at"]),
        public_key=row["public_key"],
        signature=row["signature"],
    )


def _walk(query: WalkAudit) -> Plan[tuple[tuple[AuditLink, AuditEntry | None], ...]]:
    found = yield from many("audit_chain_after", {"after": query.after, "limit": query.limit})
    return tuple((_link(row), None if row["audit_id"] is None else _entry(row)) for row in found)


def _find_unchained(query: FindUnchained) -> Plan[tuple[AuditId, ...]]:
    found = yield from many("audit_outside_chain", {"limit": query.limit})
    return tuple(row["audit_id"] for row in found)


def _list(query: ListAudit) -> Plan[tuple[AuditEntry, ...]]:
    parameters: rows.Parameters = {"subject": query.subject, "action": query.action, "limit": query.limit}
    found = yield from many("newest_audit", parameters)
    return tuple(map(_entry, found))


def _entry(row: rows.Row) -> AuditEntry:
    return AuditEntry(
        audit_id=row["audit_id"],
        row=AuditRow(
            at=rows.to_time(row["at"]),
            actor=row["actor"],
            action=row["action"],
            subject=row["subject"],
            details=row["details"],
        ),
        salt=row["salt"],
        seal=row["seal"],
        erased=bool(row["erased"]),
    )


def _link(row: rows.Row) -> AuditLink:
    return AuditLink(
        position=row["position"],
        audit_id=row["chained_id"],
        details_digest=row["details_digest"],
        digest=row["digest"],
    )


def _link_parameters(link: AuditLink) -> rows.Parameters:
    return {
        "position": link.position,
        "audit_id": link.audit_id,
        "details_digest": link.details_digest,
        "digest": link.digest,
    }


def _head_parameters(head: AuditHead) -> rows.Parameters:
    return {
        "position": head.position,
        "link": head.link,
        "sealed_at": rows.from_time(head.sealed_at),
        "public_key": head.public_key,
        "signature": head.signature,
    }
