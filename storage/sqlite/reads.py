"""Each query as statements inside one read transaction: all of them see the same snapshot."""

import json
import sqlite3

from storage.commands import (
    FindOrder,
    FindShop,
    FindTickets,
    ListItems,
    LoadServer,
    LoadTransfer,
    OrderPreparation,
    OrderView,
    PrepareOrder,
    Query,
    TicketTrace,
    TicketView,
    TraceTicket,
    TransferView,
)
from storage.errors import NotInitialised
from storage.records import (
    ContainerRow,
    ContextRow,
    Counter,
    Item,
    LicenseUse,
    ServerRow,
    Shop,
    TransferRow,
)
from storage.sqlite import rows
from storage.sqlite.statements import statements


def answer(db: sqlite3.Connection, query: Query) -> object:
    """The query's own answer (see `storage.interface`)."""
    found: object
    match query:
        case LoadServer():
            found = _server(db)
        case PrepareOrder():
            found = _prepare_order(db, query)
        case FindShop():
            found = _find_shop(db, query)
        case ListItems():
            found = _list_items(db, query)
        case FindOrder():
            found = _find_order(db, query)
        case FindTickets():
            found = _find_tickets(db, query)
        case TraceTicket():
            found = _trace_ticket(db, query)
        case LoadTransfer():
            found = _load_transfer(db, query)
    return found


def _one(db: sqlite3.Connection, name: str, parameters: rows.Parameters) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute(statements()[name], parameters).fetchone()
    return row


def _server(db: sqlite3.Connection) -> ServerRow | None:
    return rows.server(db.execute(statements()["server"]).fetchone())


def _prepare_order(db: sqlite3.Connection, query: PrepareOrder) -> OrderPreparation:
    answered = _one(
        db,
        "answer",
        {
            "shop_id": query.shop_id,
            "operation": query.operation,
            "transaction_id": query.transaction_id,
        },
    )
    items = db.execute(
        statements()["items_by_number"], {"item_numbers": json.dumps(query.item_numbers, ensure_ascii=False)}
    )
    ticket = None
    if query.original_order_number is not None:
        ticket = _one(
            db,
            "ticket_of_order_number",
            {"shop_id": query.shop_id, "order_number": query.original_order_number},
        )
    return OrderPreparation(
        answer=None if answered is None else rows.answer(answered),
        items=tuple(map(rows.item, items)),
        original_ticket=None if ticket is None else rows.ticket(ticket),
    )


def _find_shop(db: sqlite3.Connection, query: FindShop) -> Shop | None:
    row = _one(db, "shop_by_credential", {"lookup": query.lookup})
    return None if row is None else rows.shop(row)


def _list_items(db: sqlite3.Connection, query: ListItems) -> tuple[Item, ...]:
    found = db.execute(statements()["active_items_after"], {"after": query.after, "limit": query.limit})
    return tuple(map(rows.item, found))


def _find_order(db: sqlite3.Connection, query: FindOrder) -> OrderView | None:
    names = {
        "order_by_id": query.order_id,
        "order_by_number": query.order_number,
        "order_by_transaction": query.transaction_id,
    }
    given = [(name, value) for name, value in names.items() if value is not None]
    if len(given) != 1:
        raise ValueError("FindOrder takes exactly one of order_id, order_number and transaction_id")
    name, value = given[0]
    row = _one(db, name, {"shop_id": query.shop_id, "value": value})
    if row is None:
        return None
    ticket = db.execute(statements()["ticket_by_id"], {"ticket_id": row["ticket_id"]}).fetchone()
    return OrderView(
        order=rows.order(row),
        ticket=rows.ticket(ticket),
        licenses=_license_uses(db, "licenses_of_order", {"order_id": row["order_id"]}),
    )


def _license_uses(db: sqlite3.Connection, name: str, parameters: rows.Parameters) -> tuple[LicenseUse, ...]:
    return tuple(map(rows.license_use, db.execute(statements()[name], parameters)))


def _find_tickets(db: sqlite3.Connection, query: FindTickets) -> tuple[TicketView, ...]:
    views = []
    for lookup in query.lookups:
        row = _one(db, "ticket_by_lookup", {"lookup": lookup})
        if row is not None:
            licenses = _license_uses(db, "licenses_of_ticket", {"ticket_id": row["ticket_id"]})
            views.append(TicketView(ticket=rows.ticket(row), licenses=licenses))
    return tuple(views)


def _trace_ticket(db: sqlite3.Connection, query: TraceTicket) -> TicketTrace | None:
    row = _one(db, "ticket_by_lookup", {"lookup": query.lookup})
    if row is None:
        return None
    key: rows.Parameters = {"ticket_id": row["ticket_id"]}
    sql = statements()
    return TicketTrace(
        ticket=rows.ticket(row),
        orders=tuple(map(rows.order, db.execute(sql["orders_of_ticket"], key))),
        licenses=_license_uses(db, "licenses_of_ticket", key),
        placements=tuple(map(rows.placement, db.execute(sql["placements_of_ticket"], key))),
        containers=tuple(map(rows.container, db.execute(sql["containers_of_ticket"], key))),
    )


def _load_transfer(db: sqlite3.Connection, query: LoadTransfer) -> TransferView:
    sql = statements()
    server = _server(db)
    if server is None:
        raise NotInitialised("the server has no epoch yet; initialise it first")
    here: rows.Parameters = {"serial": query.serial, "firm_code": query.firm_code}
    row = _one(db, "container", here)
    container = None if row is None else rows.container(row)
    row = None if query.key is None else _one(db, "transfer", {**here, "key": query.key})
    transfer = None if row is None else rows.transfer(row)
    epoch, number = query.context_counter
    at_context = _one(db, "step_at", {**here, "epoch": epoch, "number": number})
    after = _steps_needed_after(query, container, transfer)
    steps = db.execute(sql["steps_after"], {**here, "after_epoch": after[0], "after_number": after[1]})
    same, below, above = _neighbours(db, query, (0, 0) if container is None else container.base)
    ticket = None if query.ticket_lookup is None else _one(db, "ticket_by_lookup", {"lookup": query.ticket_lookup})
    ticket_id = None if ticket is None else ticket["ticket_id"]
    return TransferView(
        container=container,
        current_epoch=server.current_epoch,
        same_export=same,
        export_below=below,
        export_above=above,
        steps=tuple(map(rows.step, steps)),
        at_context=None if at_context is None else rows.step(at_context),
        transfer=transfer,
        ticket=None if ticket is None else rows.ticket(ticket),
        licenses=_license_uses(db, "licenses_for_transfer", {**here, "ticket_id": ticket_id}),
        placements=tuple(map(rows.placement, db.execute(sql["placements_for_transfer"], here))),
    )


def _steps_needed_after(query: LoadTransfer, container: ContainerRow | None, transfer: TransferRow | None) -> Counter:
    if container is None:
        return query.context_counter
    epoch, number = container.base
    after = min(container.confirmed, max(query.context_counter, (epoch, number - 1)))
    return after if transfer is None else min(after, transfer.from_counter)


def _neighbours(
    db: sqlite3.Connection, query: LoadTransfer, base: Counter
) -> tuple[ContextRow | None, ContextRow | None, ContextRow | None]:
    parameters: rows.Parameters = {
        "serial": query.serial,
        "firm_code": query.firm_code,
        "export": query.export,
        "base_epoch": base[0],
        "base_number": base[1],
    }
    same, below, above = (_one(db, f"context_{side}_export", parameters) for side in ("at", "below", "above"))
    return (
        None if same is None else rows.context(same),
        None if below is None else rows.context(below),
        None if above is None else rows.context(above),
    )
