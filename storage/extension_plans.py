"""The commands and queries of `storage.extensions` as plans."""

from storage import rows
from storage.audit_plans import MOST_COUNTED
from storage.extensions import (
    AdvanceExtension,
    BeginExtension,
    ClaimExtensions,
    EraseExtensions,
    ExtensionCommand,
    ExtensionQuery,
    ExtensionRow,
    ExtensionsView,
    FindExtension,
    ListExtensions,
    LoadExtensions,
    RetryExtensions,
)
from storage.outbox_plans import add_messages
from storage.plans import Plan, many, one, written


def plan_extension_command(command: ExtensionCommand) -> Plan[object]:
    """The plan whose result is the command's own answer."""
    match command:
        case BeginExtension():
            return _begin(command)
        case ClaimExtensions():
            return _claim(command)
        case AdvanceExtension():
            return _advance(command)
        case RetryExtensions():
            return _retry(command)
        case EraseExtensions():
            return _erase(command)


def plan_extension_query(query: ExtensionQuery) -> Plan[object]:
    """The plan that finds the query's own answer."""
    match query:
        case FindExtension():
            return _find(query)
        case ListExtensions():
            return _list(query)
        case LoadExtensions():
            return _load(query)


def _begin(command: BeginExtension) -> Plan[ExtensionRow]:
    if (yield from written("begin_extension", rows.flat(command.row))):
        return command.row
    (found,) = yield from many("extension_by_key", {"key": command.row.key})
    return _row(found)


def _claim(command: ClaimExtensions) -> Plan[tuple[ExtensionRow, ...]]:
    claimed = yield from many(
        "claim_extensions",
        {
            "owner": command.owner,
            "at": rows.from_time(command.now),
            "until": rows.from_time(command.until),
            "limit": command.limit,
            "extension_id": command.extension_id,
        },
    )
    return tuple(map(_row, claimed))


def _advance(command: AdvanceExtension) -> Plan[bool]:
    if (yield from written("advance_extension", rows.flat(command.row))) == 0:
        return False
    if command.audit is not None:
        yield from written("add_audit", rows.flat(command.audit))
    yield from add_messages(command.messages)
    return True


def _retry(command: RetryExtensions) -> Plan[int]:
    parameters: rows.Parameters = {"extension_id": command.extension_id, "at": rows.from_time(command.now)}
    found = yield from written("retry_extension", parameters)
    if found:
        yield from written("add_audit", rows.flat(command.audit))
    return found


def _erase(command: EraseExtensions) -> Plan[int]:
    return (yield from written("erase_old_extensions", {"before": rows.from_time(command.before), "nothing": b""}))


def _find(query: FindExtension) -> Plan[ExtensionRow | None]:
    if (query.key is None) == (query.extension_id is None):
        raise ValueError("FindExtension takes a key or an extension_id")
    if query.key is not None:
        found = yield from one("extension_by_key", {"key": query.key})
    else:
        found = yield from one("extension_by_id", {"extension_id": query.extension_id})
    return None if found is None else _row(found)


def _list(query: ListExtensions) -> Plan[tuple[ExtensionRow, ...]]:
    parameters: rows.Parameters = {"state": query.state, "step": query.step, "limit": query.limit}
    return tuple(map(_row, (yield from many("extensions_listed", parameters))))


def _load(query: LoadExtensions) -> Plan[ExtensionsView]:
    due = yield from one("extensions_due", {"at": rows.from_time(query.now)})
    counted = yield from many("extensions_open", {"most": MOST_COUNTED})
    oldest = min((row["oldest_at"] for row in counted), default=None)
    return ExtensionsView(
        due=due is not None,
        open={row["step"]: row["extensions"] for row in counted},
        oldest_at=None if oldest is None else rows.to_time(oldest),
    )


def _row(row: rows.Row) -> ExtensionRow:
    return ExtensionRow(
        extension_id=row["extension_id"],
        key=row["key"],
        request_hash=row["request_hash"],
        ticket_lookup=row["ticket_lookup"],
        step=row["step"],
        state=row["state"],
        content_sealed=row["content_sealed"],
        version=row["version"],
        attempts=row["attempts"],
        due_at=rows.to_time(row["due_at"]),
        lease_owner=row["lease_owner"],
        lease_until=None if row["lease_until"] is None else rows.to_time(row["lease_until"]),
        last_failure=row["last_failure"],
        created_at=rows.to_time(row["created_at"]),
        changed_at=rows.to_time(row["changed_at"]),
    )
