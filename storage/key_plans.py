"""Commands and queries about keys, and the renewing of what they made, as plans."""

import json
from collections.abc import Sequence
from datetime import datetime

from storage import rows
from storage.keys import (
    RENEWABLE,
    ActivateKey,
    AddKeys,
    FinishKey,
    Found,
    KeyCommand,
    KeyHolder,
    KeyKind,
    KeyQuery,
    KeyRow,
    KeyState,
    KeysView,
    LoadKeys,
    Renew,
    ReportKeys,
    RetireKey,
    Value,
    WalkRenewable,
)
from storage.plans import Plan, many, written
from storage.records import AuditRow


def plan_key_command(command: KeyCommand) -> Plan[object]:
    """The plan whose result is the command's own answer."""
    match command:
        case AddKeys():
            return _add(command)
        case ActivateKey():
            return _activate(command)
        case FinishKey():
            values: rows.Parameters = {"key_id": command.key_id, "at": rows.from_time(command.at)}
            return _changed("finish_key", values, command.audit)
        case RetireKey():
            return _retire(command)
        case ReportKeys():
            return _report(command)
        case Renew():
            return _renew(command)


def plan_key_query(query: KeyQuery) -> Plan[object]:
    """The plan that finds the query's own answer."""
    match query:
        case LoadKeys():
            return _load()
        case WalkRenewable():
            return _walk(query)


def _changed(statement: str, values: rows.Parameters, audit: AuditRow) -> Plan[bool]:
    if (yield from written(statement, values)) == 0:
        return False
    yield from written("raise_data_version", {})
    yield from written("add_audit", rows.flat(audit))
    return True


def _add(command: AddKeys) -> Plan[bool]:
    new = 0
    for key in command.keys:
        new = yield from written("add_key", _key_parameters(key))
    if new == 0:
        return False
    yield from written("raise_data_version", {})
    yield from written("add_audit", rows.flat(command.audit))
    return True


def _activate(command: ActivateKey) -> Plan[bool]:
    here: rows.Parameters = {
        "key_id": command.key_id,
        "kind": command.kind.value,
        "at": rows.from_time(command.at),
    }
    yield from written("hold_keys", {})
    yield from written("supersede_key", here)
    return (yield from _changed("activate_key", here, command.audit))


def _retire(command: RetireKey) -> Plan[bool]:
    here: rows.Parameters = {"key_id": command.key_id, "at": rows.from_time(command.at), "kept": command.kept}
    if not (yield from _changed("revive_key" if command.back else "retire_key", here, command.audit)):
        return False
    yield from written("set_fingerprint", {"fingerprint": command.fingerprint})
    return True


def _report(command: ReportKeys) -> Plan[bool]:
    holder = command.holder
    yield from written(
        "report_keys",
        {
            "process": holder.process,
            "node": holder.node,
            "holds": json.dumps(holder.holds),
            "sealing_key": holder.sealing_key,
            "pepper": holder.pepper,
            "box_key": holder.box_key,
            "seen_at": rows.from_time(holder.seen_at),
        },
    )
    yield from written("forget_holders", {"before": rows.from_time(command.forget_before)})
    return True


def _renew(command: Renew) -> Plan[int]:
    renewable = RENEWABLE[command.what]
    count = 0
    for row in command.rows:
        values: rows.Parameters = {**dict(zip(renewable.key, row.key, strict=True)), "old": row.old, "new": row.new}
        count += yield from written(f"renew_{command.what}", values)
    if count and renewable.remembered:
        yield from written("raise_data_version", {})
    return count


def _load() -> Plan[KeysView]:
    keys = yield from many("keys", {})
    holders = yield from many("key_holders", {})
    return KeysView(keys=tuple(map(key_of, keys)), holders=tuple(map(holder_of, holders)))


def _walk(query: WalkRenewable) -> Plan[tuple[Found, ...]]:
    key = RENEWABLE[query.what].key
    after: Sequence[Value] = tuple(key.values()) if query.after is None else query.after
    values: rows.Parameters = {
        **{f"after_{name}": value for name, value in zip(key, after, strict=True)},
        "head": query.head,
        "limit": query.limit,
    }
    found = yield from many(f"renewable_{query.what}", values)
    return tuple(
        [Found(key=tuple([row[name] for name in key]), value=row["found"], beside=row["beside"]) for row in found]
    )


def _key_parameters(key: KeyRow) -> rows.Parameters:
    return {
        "key_id": key.key_id,
        "kind": key.kind.value,
        "state": key.state.value,
        "is_first": key.is_first,
        "made_at": rows.from_time(key.made_at),
        "active_at": None if key.active_at is None else rows.from_time(key.active_at),
    }


def key_of(row: rows.Row) -> KeyRow:
    """A key from its row."""
    return KeyRow(
        key_id=row["key_id"],
        kind=KeyKind(row["kind"]),
        state=KeyState(row["state"]),
        is_first=bool(row["is_first"]),
        made_at=rows.to_time(row["made_at"]),
        active_at=_time(row["active_at"]),
        finished_at=_time(row["finished_at"]),
        retired_at=_time(row["retired_at"]),
        kept=row["kept"],
    )


def _time(value: int | None) -> datetime | None:
    return None if value is None else rows.to_time(value)


def holder_of(row: rows.Row) -> KeyHolder:
    """What a process has at hand, from its row."""
    return KeyHolder(
        process=row["process"],
        node=row["node"],
        holds=tuple(json.loads(row["holds"])),
        sealing_key=row["sealing_key"],
        pepper=row["pepper"],
        box_key=row["box_key"],
        seen_at=rows.to_time(row["seen_at"]),
    )
