"""The commands and queries of `storage.erasure` as plans."""

import json

from storage import rows
from storage.erasure import ErasableOrder, EraseOrders, ErasureQuery, FindErasable, WalkOrders
from storage.marketing_plans import forget_addresses
from storage.plans import Plan, many, written


def erase_orders(command: EraseOrders) -> Plan[tuple[str, ...]]:
    """Erase orders in the order of their ids; the ids of those that were not erased before."""
    erased: list[str] = []
    for order_id in sorted(set(command.order_ids)):
        erased += yield from _erase_order(command, order_id)
    yield from forget_addresses(command.addresses, before=command.addresses_before)
    if command.swept_to is not None:
        yield from written("remember_swept", {"order_id": command.swept_to})
    return tuple(erased)


def _erase_order(command: EraseOrders, order_id: str) -> Plan[tuple[str, ...]]:
    at = rows.from_time(command.at)
    if (yield from written("erase_order", {"order_id": order_id, "at": at})) == 0:
        return ()
    yield from written("erase_answer", {"order_id": order_id, "operation": command.operation, "nothing": b""})
    about: rows.Parameters = {"order_id": order_id, "kept_action": command.audit.action}
    found = yield from many("audit_to_erase", about)
    yield from written("erase_audit", {**about, "erased": True})
    yield from written("erase_users", {"order_id": order_id})
    yield from written("erase_messages", {"order_id": order_id, "at": at})
    yield from written("blank_messages", {"order_id": order_id, "nothing": b""})
    yield from written("erase_extensions_of_order", {"order_id": order_id, "nothing": b""})
    details = json.dumps({"audit": [row["audit_id"] for row in found]})
    yield from written("add_audit", {**rows.flat(command.audit), "subject": order_id, "details": details})
    return (order_id,)


def plan_erasure_query(query: ErasureQuery) -> Plan[object]:
    """The plan that finds the query's own answer."""
    match query:
        case FindErasable():
            return _find(query)
        case WalkOrders():
            return _walk(query)


def _find(query: FindErasable) -> Plan[tuple[ErasableOrder, ...]]:
    if query.order_id is None and query.order_number is None:
        raise ValueError("FindErasable takes an order_id or an order_number")
    names: rows.Parameters = {"order_number": query.order_number, "shop": query.shop}
    if query.order_id is not None:
        # Each extension asks this, so it must find the one row and not look through all orders.
        found = yield from many("order_named", {**names, "order_id": query.order_id})
    else:
        found = yield from many("orders_named", names)
    return tuple(map(_order, found))


def _walk(query: WalkOrders) -> Plan[tuple[ErasableOrder, ...]]:
    after = query.after
    if after is None:
        (row,) = yield from many("swept_to", {})
        after = row["swept_to"]
    found = yield from many("orders_to_walk", {"after": after, "limit": query.limit})
    return tuple(map(_order, found))


def _order(row: rows.Row) -> ErasableOrder:
    return ErasableOrder(
        order_id=row["order_id"],
        created_at=rows.to_time(row["created_at"]),
        erased_at=None if row["erased_at"] is None else rows.to_time(row["erased_at"]),
        customer_sealed=row["customer_sealed"],
    )
