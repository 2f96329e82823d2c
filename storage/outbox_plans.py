"""The commands and queries of `storage.outbox` as plans."""

from collections.abc import Sequence

from storage import rows
from storage.audit_plans import MOST_COUNTED
from storage.outbox import (
    ClaimMessages,
    DropMessage,
    ListOutbox,
    LoadOutbox,
    MessageState,
    OutboxCommand,
    OutboxMessage,
    OutboxQuery,
    OutboxRow,
    OutboxView,
    RetryMessages,
    SettleDelivered,
    SettleFailed,
)
from storage.plans import Plan, ReadEach, many, one, written, written_each


def add_messages(messages: Sequence[OutboxMessage]) -> Plan[None]:
    """Write messages, those of one key in their order, numbered on from those before.

    The keys are locked in sorted order until the transaction ends, so that numbers rise in the order of the commits.
    Whoever calls this takes no other lock afterwards.
    """
    counts: dict[tuple[str, str], int] = {}
    for message in messages:
        counts[message.channel, message.key] = counts.get((message.channel, message.key), 0) + 1
    if not counts:
        return
    keys: list[rows.Parameters] = [
        {"channel": channel, "key": key, "count": count} for (channel, key), count in sorted(counts.items())
    ]
    yield from written_each("raise_outbox_number", keys)
    found = yield ReadEach(
        name="outbox_number", parameters=[{"channel": each["channel"], "key": each["key"]} for each in keys]
    )
    last = {(row["channel"], row["key"]): row["last"] for row in found}
    adding: list[rows.Parameters] = []
    for message in messages:
        key = (message.channel, message.key)
        counts[key] -= 1
        adding.append({**rows.flat(message), "number": last[key] - counts[key]})
    yield from written_each("add_message", adding)


def plan_outbox_command(command: OutboxCommand) -> Plan[object]:
    """The plan whose result is the command's own answer."""
    match command:
        case ClaimMessages():
            return _claim(command)
        case SettleDelivered():
            return _settle_delivered(command)
        case SettleFailed():
            return _settle_failed(command)
        case RetryMessages():
            return _retry(command)
        case DropMessage():
            return _drop(command)


def plan_outbox_query(query: OutboxQuery) -> Plan[object]:
    """The plan that finds the query's own answer."""
    match query:
        case LoadOutbox():
            return _load(query)
        case ListOutbox():
            return _list(query)


def _claim(command: ClaimMessages) -> Plan[tuple[OutboxRow, ...]]:
    claimed = yield from many(
        "claim_messages",
        {
            "channel": command.channel,
            "owner": command.owner,
            "at": rows.from_time(command.now),
            "until": rows.from_time(command.until),
            "limit": command.limit,
        },
    )
    return tuple(map(_row, claimed))


def _settle_delivered(command: SettleDelivered) -> Plan[bool]:
    return (yield from written("settle_delivered", _claimed(command))) > 0


def _settle_failed(command: SettleFailed) -> Plan[bool]:
    parameters: rows.Parameters = {
        **_claimed(command),
        "state": command.state.value,
        "due_at": rows.from_time(command.due_at),
        "failure": command.failure,
    }
    return (yield from written("settle_failed", parameters)) > 0


def _claimed(command: SettleDelivered | SettleFailed) -> rows.Parameters:
    return {
        "message_id": command.message_id,
        "owner": command.owner,
        "until": rows.from_time(command.until),
        "attempts": command.attempts,
    }


def _retry(command: RetryMessages) -> Plan[int]:
    found = yield from written("retry_message", {"message_id": command.message_id, "at": rows.from_time(command.now)})
    if found:
        yield from written("add_audit", rows.flat(command.audit))
    return found


def _drop(command: DropMessage) -> Plan[bool]:
    if (yield from written("drop_message", {"message_id": command.message_id, "at": rows.from_time(command.now)})) == 0:
        return False
    yield from written("add_audit", rows.flat(command.audit))
    return True


def _load(query: LoadOutbox) -> Plan[OutboxView]:
    due = yield from one("outbox_due", {"channel": query.channel, "at": rows.from_time(query.now)})
    counted = yield from many("outbox_counts", {"channel": query.channel, "most": MOST_COUNTED})
    counts = {row["state"]: row for row in counted}
    waiting, dead = counts.get(MessageState.WAITING), counts.get(MessageState.DEAD)
    return OutboxView(
        due=due is not None,
        waiting=0 if waiting is None else waiting["messages"],
        dead=0 if dead is None else dead["messages"],
        oldest_at=None if waiting is None else rows.to_time(waiting["oldest_at"]),
    )


def _list(query: ListOutbox) -> Plan[tuple[OutboxRow, ...]]:
    state = None if query.state is None else query.state.value
    found = yield from many("outbox_messages", {"state": state, "limit": query.limit})
    return tuple(map(_row, found))


def _row(row: rows.Row) -> OutboxRow:
    return OutboxRow(
        message=OutboxMessage(
            message_id=row["message_id"],
            channel=row["channel"],
            key=row["key"],
            kind=row["kind"],
            order_id=row["order_id"],
            content_sealed=row["content_sealed"],
            created_at=rows.to_time(row["created_at"]),
        ),
        number=row["number"],
        state=MessageState(row["state"]),
        attempts=row["attempts"],
        due_at=rows.to_time(row["due_at"]),
        lease_owner=row["lease_owner"],
        lease_until=None if row["lease_until"] is None else rows.to_time(row["lease_until"]),
        last_failure=row["last_failure"],
    )
