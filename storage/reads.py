"""Each query as a plan; all its statements see the same snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass

from storage import rows
from storage.audit_plans import plan_audit_query
from storage.commands import (
    ChangePreparation,
    ContainerChanges,
    ContainerHistory,
    Family,
    FiltersView,
    FindAdministrator,
    FindApproval,
    FindContainer,
    FindFilters,
    FindHistory,
    FindIdentity,
    FindItem,
    FindLinkedSteps,
    FindOrder,
    FindOrders,
    FindShop,
    FindTickets,
    ListAdministrators,
    ListApprovals,
    ListContainers,
    ListFilters,
    ListItems,
    LoadFilters,
    LoadServer,
    LoadTransfer,
    OrderPreparation,
    OrderView,
    PrepareChange,
    PrepareOrder,
    Query,
    ShopView,
    ShowShop,
    TicketTrace,
    TicketView,
    TraceTicket,
    TransferView,
    WatchContainers,
)
from storage.erasure import FindErasable, WalkOrders
from storage.erasure_plans import plan_erasure_query
from storage.errors import NotInitialised
from storage.extension_plans import plan_extension_query
from storage.extensions import FindExtension, ListExtensions, LoadExtensions
from storage.guesses import LoadGuesses, load_guesses
from storage.key_plans import plan_key_query
from storage.keys import LoadKeys, WalkRenewable
from storage.marketing import CountFates, FindAddress, ListCampaigns, ListConsents, WalkExpiring
from storage.marketing_plans import plan_marketing_query
from storage.outbox import ListOutbox, LoadOutbox
from storage.outbox_plans import plan_outbox_query
from storage.plans import Plan, many, one
from storage.records import (
    Administrator,
    Allowance,
    Approval,
    AuditRow,
    ContainerRow,
    ContextRow,
    Counter,
    FilterDocument,
    Identity,
    Item,
    LicenseUse,
    ServerRow,
    Shop,
    StepRow,
    TransferRow,
)

_LAST_ID = "~"
"""Sorts behind every id."""

Neighbours = tuple[ContextRow | None, ContextRow | None, ContextRow | None]


def plan_query(query: Query) -> Plan[object]:  # noqa: C901, PLR0911, PLR0912 - one for each query
    """The plan that finds the query's own answer (see `storage.interface`)."""
    match query:
        case LoadServer():
            return load_server()
        case PrepareOrder():
            return _prepare_order(query)
        case PrepareChange():
            return _prepare_change(query)
        case FindShop():
            return _find_shop(query)
        case FindAdministrator():
            return _find_administrator(query)
        case ListAdministrators():
            return _list_administrators()
        case FindIdentity():
            return _find_identity(query)
        case LoadGuesses():
            return load_guesses(query)
        case LoadKeys() | WalkRenewable():
            return plan_key_query(query)
        case ShowShop():
            return _show_shop(query)
        case LoadFilters():
            return _load_filters()
        case FindFilters():
            return _find_filters(query)
        case ListFilters():
            return _list_filters(query)
        case ListItems():
            return _list_items(query)
        case FindItem():
            return _find_item(query)
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
        case LoadTransfer():
            return _load_transfer(query)
        case FindContainer():
            return _find_container(query)
        case ListApprovals():
            return _list_approvals()
        case FindApproval():
            return _find_approval(query)
        case WatchContainers():
            return _watch_containers(query)
        case FindExtension() | ListExtensions() | LoadExtensions():
            return plan_extension_query(query)
        case FindLinkedSteps():
            return _find_linked_steps(query)
        case ListContainers():
            return _list_containers(query)
        case LoadOutbox() | ListOutbox():
            return plan_outbox_query(query)
        case FindAddress() | ListConsents() | ListCampaigns() | CountFates() | WalkExpiring():
            return plan_marketing_query(query)
        case FindErasable() | WalkOrders():
            return plan_erasure_query(query)
        case _:
            return plan_audit_query(query)


def load_server() -> Plan[ServerRow | None]:
    """The server's row, None before it was initialised."""
    (row,) = yield from many("server", {})
    return rows.server(row)


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
        lines = yield from _license_uses("licenses_of_order", {"order_id": order["order_id"]})
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
    placements = list(map(rows.placement, placed))
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


def _find_shop(query: FindShop) -> Plan[Shop | None]:
    row = yield from one("shop_by_credential", {"lookup": query.lookup})
    return None if row is None else rows.shop(row)


def _find_administrator(query: FindAdministrator) -> Plan[Administrator | None]:
    row = yield from one("administrator_by_credential", {"lookup": query.lookup})
    return None if row is None else rows.administrator(row)


def _list_administrators() -> Plan[tuple[Administrator, ...]]:
    found = yield from many("all_administrators", {})
    return tuple(map(rows.administrator, found))


def _find_identity(query: FindIdentity) -> Plan[Identity | None]:
    row = yield from one("identity", {"lookup": query.lookup})
    return None if row is None else rows.identity(row)


def _show_shop(query: ShowShop) -> Plan[ShopView | None]:
    row = yield from one("shop_by_name", {"name": query.name})
    if row is None:
        return None
    found = yield from many("credentials_of_shop", {"shop_id": row["shop_id"]})
    return ShopView(shop=rows.shop(row), credentials=tuple(map(rows.credential, found)))


def _load_filters() -> Plan[FiltersView]:
    (server,) = yield from many("server", {})
    document = yield from one("newest_filter_document", {})
    shops = yield from many("all_shops", {})
    certificates = yield from many("certificates_of_active_shops", {})
    return FiltersView(
        data_version=server["data_version"],
        document=None if document is None else rows.filter_document(document),
        shops=tuple(map(rows.shop, shops)),
        certificates=tuple(map(rows.credential, certificates)),
    )


def _find_filters(query: FindFilters) -> Plan[FilterDocument | None]:
    row = yield from one("filter_document", {"version": query.version})
    return None if row is None else rows.filter_document(row)


def _list_filters(query: ListFilters) -> Plan[tuple[FilterDocument, ...]]:
    found = yield from many("filter_documents_before", {"before": query.before, "limit": query.limit})
    return tuple(map(rows.filter_document, found))


def _list_items(query: ListItems) -> Plan[tuple[Item, ...]]:
    found = yield from many("active_items_after", {"after": query.after, "limit": query.limit})
    return tuple(map(rows.item, found))


def _find_item(query: FindItem) -> Plan[Item | None]:
    row = yield from one("item", {"item_number": query.item_number})
    return None if row is None else rows.item(row)


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
    licenses = yield from _license_uses("licenses_of_order", {"order_id": row["order_id"]})
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
    lines = yield from _license_uses("lines_of_orders", {"order_ids": [order.order_id for order in orders]})
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


def _license_uses(name: str, parameters: rows.Parameters) -> Plan[tuple[LicenseUse, ...]]:
    found = yield from many(name, parameters)
    return tuple(map(rows.license_use, found))


def _find_tickets(query: FindTickets) -> Plan[tuple[TicketView, ...]]:
    views = []
    for lookup in query.lookups:
        row = yield from one("ticket_by_lookup", {"lookup": lookup})
        if row is not None:
            licenses = yield from _license_uses("licenses_of_ticket", {"ticket_id": row["ticket_id"]})
            views.append(TicketView(ticket=rows.ticket(row), licenses=licenses))
    return tuple(views)


def _trace_ticket(query: TraceTicket) -> Plan[TicketTrace | None]:
    row = yield from one("ticket_by_lookup", {"lookup": query.lookup})
    if row is None:
        return None
    key: rows.Parameters = {"ticket_id": row["ticket_id"]}
    orders = yield from many("orders_of_ticket", key)
    licenses = yield from _license_uses("licenses_of_ticket", key)
    placements = yield from many("placements_of_ticket", key)
    containers = yield from many("containers_of_ticket", key)
    return TicketTrace(
        ticket=rows.ticket(row),
        orders=tuple(map(rows.order, orders)),
        licenses=licenses,
        placements=tuple(map(rows.placement, placements)),
        containers=tuple(map(rows.container, containers)),
    )


def _find_history(query: FindHistory) -> Plan[tuple[AuditRow, ...]]:
    found = yield from many("history_of_ticket", {"lookup": query.lookup})
    return tuple(map(rows.audit, found))


def _load_transfer(query: LoadTransfer) -> Plan[TransferView]:
    server = yield from load_server()
    if server is None:
        raise NotInitialised("the server has no epoch yet; initialise it first")
    here: rows.Parameters = {"serial": query.serial, "firm_code": query.firm_code}
    row = yield from one("container", here)
    container = None if row is None else rows.container(row)
    chain = NO_CHAIN if container is None else (yield from _chain(query, container))
    ticket = None
    if query.ticket_lookup is not None:
        ticket = yield from one("ticket_by_lookup", {"lookup": query.ticket_lookup})
    ticket_id = None if ticket is None else ticket["ticket_id"]
    licenses = yield from _license_uses("licenses_for_transfer", {**here, "ticket_id": ticket_id})
    if query.license_ids:
        others = yield from _license_uses("licenses_by_id", {"license_ids": list(query.license_ids)})
        known = {use.license.license_id: use for use in (*licenses, *others)}
        licenses = tuple(use for _, use in sorted(known.items()))
    allowances: tuple[Allowance, ...] = ()
    if query.allowances:
        found = yield from many("allowances_for_transfer", {**here, "ticket_id": ticket_id})
        allowances = tuple(map(rows.allowance, found))
    blocked = yield from one("blocked_container", {"serial": query.serial})
    placements = yield from many("placements_for_transfer", here)
    return TransferView(
        container=container,
        current_epoch=server.current_epoch,
        same_export=chain.same_export,
        export_below=chain.export_below,
        export_above=chain.export_above,
        steps=chain.steps,
        at_context=chain.at_context,
        transfer=chain.transfer,
        ticket=None if ticket is None else rows.ticket(ticket),
        licenses=licenses,
        placements=tuple(map(rows.placement, placements)),
        blocked=blocked is not None,
        allowances=allowances,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Chain:
    """What is kept of a container that the server has met, as a `TransferView` holds it."""

    same_export: ContextRow | None = None
    export_below: ContextRow | None = None
    export_above: ContextRow | None = None
    steps: tuple[StepRow, ...] = ()
    at_context: StepRow | None = None
    transfer: TransferRow | None = None


NO_CHAIN = Chain()


def _chain(query: LoadTransfer, container: ContainerRow) -> Plan[Chain]:
    here: rows.Parameters = {"serial": query.serial, "firm_code": query.firm_code}
    row = None if query.key is None else (yield from one("transfer", {**here, "key": query.key}))
    transfer = None if row is None else rows.transfer(row)
    epoch, number = query.context_counter
    at_context = yield from one("step_at", {**here, "epoch": epoch, "number": number})
    after = _steps_needed_after(query, container, transfer)
    steps = yield from many("steps_after", {**here, "after_epoch": after[0], "after_number": after[1]})
    same, below, above = yield from _neighbours(query, container.base)
    return Chain(
        same_export=same,
        export_below=below,
        export_above=above,
        steps=tuple(map(rows.step, steps)),
        at_context=None if at_context is None else rows.step(at_context),
        transfer=transfer,
    )


def _find_container(query: FindContainer) -> Plan[tuple[ContainerHistory, ...]]:
    blocked = yield from one("blocked_container", {"serial": query.serial})
    found = yield from many("containers_of_serial", {"serial": query.serial})
    histories = []
    for row in map(rows.container, found):
        here: rows.Parameters = {"serial": row.serial, "firm_code": row.firm_code}
        contexts = yield from many("contexts_of_container", here)
        steps = yield from many("steps_after", {**here, "after_epoch": 0, "after_number": 0})
        placements = yield from many("placements_for_transfer", here)
        audit = yield from many("audit_of_subject", {"subject": f"{row.serial}/{row.firm_code}"})
        histories.append(
            ContainerHistory(
                container=row,
                blocked=blocked is not None,
                contexts=tuple(map(rows.context, contexts)),
                steps=tuple(map(rows.step, steps)),
                placements=tuple(map(rows.placement, placements)),
                audit=tuple(map(rows.audit, audit)),
            )
        )
    return tuple(histories)


def _list_approvals() -> Plan[tuple[Approval, ...]]:
    found = yield from many("open_approvals", {})
    return tuple(map(rows.approval, found))


def _find_approval(query: FindApproval) -> Plan[Approval | None]:
    if query.approval_id is not None:
        row = yield from one("approval_by_id", {"approval_id": query.approval_id})
    else:
        row = yield from one("newest_approval", {"serial": query.serial, "firm_code": query.firm_code})
    return None if row is None else rows.approval(row)


def _watch_containers(query: WatchContainers) -> Plan[ContainerChanges]:
    server = yield from load_server()
    found = yield from many("container_changes", {"serials": list(query.serials)})
    return ContainerChanges(
        current_epoch=0 if server is None else server.current_epoch,
        changes={(row["serial"], row["firm_code"]): row["changes"] for row in found},
    )


def _find_linked_steps(query: FindLinkedSteps) -> Plan[tuple[StepRow, ...]]:
    found = yield from many("steps_of_link", {"lookup": query.lookup, "at": rows.from_time(query.at)})
    return tuple(rows.step(row) for row in found)


def _list_containers(query: ListContainers) -> Plan[tuple[tuple[str, int], ...]]:
    serial, firm_code = query.after
    behind: rows.Parameters = {"after_serial": serial, "after_firm_code": firm_code, "limit": query.limit}
    if query.ticket_lookup is not None:
        found = yield from many("listed_by_ticket", {**behind, "lookup": query.ticket_lookup})
    elif query.customer_lookup is not None:
        of_customer: rows.Parameters = {"shop_id": query.shop_id, "customer_lookup": query.customer_lookup}
        found = yield from many("listed_by_customer", {**behind, **of_customer})
    else:
        found = yield from many("listed_by_firm_code", {**behind, "firm_code": query.firm_code})
    return tuple((row["serial"], row["firm_code"]) for row in found)


def _steps_needed_after(query: LoadTransfer, container: ContainerRow, transfer: TransferRow | None) -> Counter:
    epoch, number = container.base
    after = min(container.confirmed, max(query.context_counter, (epoch, number - 1)))
    return after if transfer is None else min(after, transfer.from_counter)


def _neighbours(query: LoadTransfer, base: Counter) -> Plan[Neighbours]:
    parameters: rows.Parameters = {
        "serial": query.serial,
        "firm_code": query.firm_code,
        "export": query.export,
        "base_epoch": base[0],
        "base_number": base[1],
    }
    same = yield from one("context_at_export", parameters)
    below = yield from one("context_below_export", parameters)
    above = yield from one("context_above_export", parameters)
    return (
        None if same is None else rows.context(same),
        None if below is None else rows.context(below),
        None if above is None else rows.context(above),
    )
