"""Queries of orders, tickets and licences as plans."""

from collections.abc import Sequence

from storage import rows, transfer_rows
from storage.orders import (
    ChangePreparation,
    Family,
    FindHistory,
    FindOrder,
    FindOrders,
    FindTickets,
    OrderPreparation,
    OrderQuery,
    OrderView,
    PrepareChange,
    PrepareOrder,
    TicketTrace,
    TicketView,
    TraceTicket,
)
from storage.plans import Plan, many, one
from storage.records import AuditRow, LicenseUse

_LAST_ID = "~"
"""Sorts behind every id."""


def plan_order_query(query: OrderQuery) -> Plan[object]:  # noqa: PLR0911 - one for each query
    """The plan that finds the query's own answer."""
    match query:
        case PrepareOrder():
            return _prepare_order(query)
        case PrepareChange():
            return _prepare_change(query)
        case FindOrder():
            return _find_order(query)
        case FindOrders():
            return _find_orders(query)
        case FindTickets():
            return _find_tickets(query)
        case TraceTicket():
            return _trace_ticket(query)
        case FindHistory():
            return _find_history(query)


def _prepare_order(query: PrepareOrder) -> Plan[OrderPreparation]:
    answered = yield from one(
        "answer",
        {"shop_id": query.shop_id, "operation": query.operation, "transaction_id": query.transaction_id},
    )
    items = yield from many("items_by_number", {"item_numbers": list(query.item_numbers)})
    ticket = None
    if query.original_order_number is not None:
        ticket = yield from one(
            "ticket_of_order_number", {"shop_id": query.shop_id, "order_number": query.original_order_number}
        )
    elif query.original_ticket_lookup is not None:
        ticket = yield from one("ticket_by_lookup", {"lookup": query.original_ticket_lookup})
    return OrderPreparation(
        answer=None if answered is None else rows.answer(answered),
        items=tuple(map(rows.item, items)),
        original_ticket=None if ticket is None else rows.ticket(ticket),
        families=(yield from _families(query.extended)),
    )


def _prepare_change(query: PrepareChange) -> Plan[ChangePreparation]:
    answered = yield from one(
        "answer",
        {"shop_id": query.shop_id, "operation": query.operation, "transaction_id": query.transaction_id},
    )
    order: rows.Row | None = None
    lines: tuple[LicenseUse, ...] = ()
    names = {"order_by_id": query.order_id, "order_by_number": query.order_number}
    for name, value in names.items():
        if value is not None:
            order = yield from one(name, {"shop_id": query.shop_id, "value": value})
    if query.license_id is not None:
        order = yield from one("order_of_license", {"shop_id": query.shop_id, "license_id": query.license_id})
    if order is not None:
        lines = yield from license_uses("licenses_of_order", {"order_id": order["order_id"]})
    chosen = {use.license.extends_license_id or use.license.license_id for use in lines}
    if query.license_id is not None:
        chosen = {query.license_id}
    items = yield from many("items_by_number", {"item_numbers": list(query.item_numbers)})
    return ChangePreparation(
        answer=None if answered is None else rows.answer(answered),
        order=None if order is None else rows.order(order),
        lines=lines,
        families=(yield from _families(sorted(chosen))),
        items=tuple(map(rows.item, items)),
    )


def _families(license_ids: Sequence[str]) -> Plan[tuple[Family, ...]]:
    """The families of these first lines; what is no first line is left out."""
    if not license_ids:
        return ()
    found = yield from many("families", {"license_ids": list(license_ids)})
    placed = yield from many("placements_of_licenses", {"license_ids": list(license_ids)})
    placements = list(map(transfer_rows.placement, placed))
    owners = {row["license_id"]: row["shop_id"] for row in found}
    members: dict[str, list[LicenseUse]] = {}
    for use in sorted(map(rows.license_use, found), key=_by_generation):
        members.setdefault(use.license.extends_license_id or use.license.license_id, []).append(use)
    return tuple(
        Family(
            shop_id=owners[first],
            members=tuple(uses),
            placements=tuple(placement for placement in placements if placement.license_id == first),
        )
        for first, uses in members.items()
        if first in license_ids
    )


def _by_generation(use: LicenseUse) -> tuple[bool, int]:
    return use.license.extends_license_id is not None, use.license.generation


def _find_order(query: FindOrder) -> Plan[OrderView | None]:
    names = {
        "order_by_id": query.order_id,
        "order_by_number": query.order_number,
        "order_by_transaction": query.transaction_id,
    }
    given = [(name, value) for name, value in names.items() if value is not None]
    if len(given) != 1:
        raise ValueError("FindOrder takes exactly one of order_id, order_number and transaction_id")
    name, value = given[0]
    row = yield from one(name, {"shop_id": query.shop_id, "value": value})
    if row is None:
        return None
    (ticket,) = yield from many("ticket_by_id", {"ticket_id": row["ticket_id"]})
    licenses = yield from license_uses("licenses_of_order", {"order_id": row["order_id"]})
    return OrderView(
        order=rows.order(row),
        ticket=rows.ticket(ticket),
        licenses=licenses,
        families=(yield from _families(sorted(_renewed(licenses)))),
    )


def _renewed(licenses: Sequence[LicenseUse]) -> set[str]:
    """The licences that lines have renewed, or renew, by their first lines."""
    return {
        use.license.extends_license_id or use.license.license_id
        for use in licenses
        if use.license.extends_license_id is not None or use.license.generation > 1
    }


def _find_orders(query: FindOrders) -> Plan[tuple[OrderView, ...]]:
    name = "orders_after" if query.customer_lookup is None else "orders_of_customer_after"
    parameters: rows.Parameters = {
        "shop_id": query.shop_id,
        "after": query.after,
        "before": _LAST_ID if query.before is None else query.before,
        "limit": query.limit,
    }
    if query.customer_lookup is not None:
        parameters["customer_lookup"] = query.customer_lookup
    orders = list(map(rows.order, (yield from many(name, parameters))))
    if not orders:
        return ()
    lines = yield from license_uses("lines_of_orders", {"order_ids": [order.order_id for order in orders]})
    ticket_ids = sorted({order.ticket_id for order in orders})
    found = yield from many("tickets_by_id", {"ticket_ids": ticket_ids})
    tickets = {ticket.ticket_id: ticket for ticket in map(rows.ticket, found)}
    families = yield from _families(sorted(_renewed(lines)))
    by_order: dict[str, list[LicenseUse]] = {}
    for line in lines:
        by_order.setdefault(line.license.order_id, []).append(line)
    return tuple(
        OrderView(
            order=order,
            ticket=tickets[order.ticket_id],
            licenses=tuple(by_order[order.order_id]),
            families=tuple(f for f in families if f.members[0].license.ticket_id == order.ticket_id),
        )
        for order in orders
    )


def license_uses(name: str, parameters: rows.Parameters) -> Plan[tuple[LicenseUse, ...]]:
    """The licences of a statement, with what they are of."""
    found = yield from many(name, parameters)
    return tuple(map(rows.license_use, found))


def _find_tickets(query: FindTickets) -> Plan[tuple[TicketView, ...]]:
    views = []
    for lookup in query.lookups:
        row = yield from one("ticket_by_lookup", {"lookup": lookup})
        if row is not None:
            licenses = yield from license_uses("licenses_of_ticket", {"ticket_id": row["ticket_id"]})
            views.append(TicketView(ticket=rows.ticket(row), licenses=licenses))
    return tuple(views)


def _trace_ticket(query: TraceTicket) -> Plan[TicketTrace | None]:
    row = yield from one("ticket_by_lookup", {"lookup": query.lookup})
    if row is None:
        return None
    key: rows.Parameters = {"ticket_id": row["ticket_id"]}
    orders = yield from many("orders_of_ticket", key)
    licenses = yield from license_uses("licenses_of_ticket", key)
    placements = yield from many("placements_of_ticket", key)
    containers = yield from many("containers_of_ticket", key)
    return TicketTrace(
        ticket=rows.ticket(row),
        orders=tuple(map(rows.order, orders)),
        licenses=licenses,
        placements=tuple(map(transfer_rows.placement, placements)),
        containers=tuple(map(transfer_rows.container, containers)),
    )


def _find_history(query: FindHistory) -> Plan[tuple[AuditRow, ...]]:
    found = yield from many("history_of_ticket", {"lookup": query.lookup})
    return tuple(map(rows.audit, found))
