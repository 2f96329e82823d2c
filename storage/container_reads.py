"""Queries of containers, losses and links as plans."""

from storage import rows, transfer_rows
from storage.containers import (
    ContainerChanges,
    ContainerHistory,
    ContainerQuery,
    FindApproval,
    FindContainer,
    FindLinkedSteps,
    ListApprovals,
    ListContainers,
    LoadSteps,
    WatchContainers,
)
from storage.plans import Plan, many, one
from storage.records import Approval, StepRow
from storage.server_reads import load_server


def plan_container_query(query: ContainerQuery) -> Plan[object]:  # noqa: PLR0911 - one for each query
    """The plan that finds the query's own answer."""
    match query:
        case FindContainer():
            return _find_container(query)
        case ListApprovals():
            return _list_approvals()
        case FindApproval():
            return _find_approval(query)
        case WatchContainers():
            return _watch_containers(query)
        case FindLinkedSteps():
            return _find_linked_steps(query)
        case LoadSteps():
            return _load_steps(query)
        case ListContainers():
            return _list_containers(query)


def _find_container(query: FindContainer) -> Plan[tuple[ContainerHistory, ...]]:
    blocked = yield from one("blocked_container", {"serial": query.serial})
    found = yield from many("containers_of_serial", {"serial": query.serial})
    histories = []
    for row in map(transfer_rows.container, found):
        here: rows.Parameters = {"serial": row.serial, "firm_code": row.firm_code}
        contexts = yield from many("contexts_of_container", here)
        steps = yield from many("steps_after", {**here, "after_epoch": 0, "after_number": 0})
        placements = yield from many("placements_for_transfer", here)
        audit = yield from many("audit_of_subject", {"subject": f"{row.serial}/{row.firm_code}"})
        histories.append(
            ContainerHistory(
                container=row,
                blocked=blocked is not None,
                contexts=tuple(map(transfer_rows.context, contexts)),
                steps=tuple(map(transfer_rows.step, steps)),
                placements=tuple(map(transfer_rows.placement, placements)),
                audit=tuple(map(rows.audit, audit)),
            )
        )
    return tuple(histories)


def _list_approvals() -> Plan[tuple[Approval, ...]]:
    found = yield from many("open_approvals", {})
    return tuple(map(transfer_rows.approval, found))


def _find_approval(query: FindApproval) -> Plan[Approval | None]:
    if query.approval_id is not None:
        row = yield from one("approval_by_id", {"approval_id": query.approval_id})
    else:
        row = yield from one("newest_approval", {"serial": query.serial, "firm_code": query.firm_code})
    return None if row is None else transfer_rows.approval(row)


def _watch_containers(query: WatchContainers) -> Plan[ContainerChanges]:
    server = yield from load_server()
    found = yield from many("container_changes", {"serials": list(query.serials)})
    return ContainerChanges(
        current_epoch=0 if server is None else server.current_epoch,
        changes={(row["serial"], row["firm_code"]): row["changes"] for row in found},
    )


def _find_linked_steps(query: FindLinkedSteps) -> Plan[tuple[StepRow, ...]]:
    found = yield from many("steps_of_link", {"lookup": query.lookup, "at": rows.from_time(query.at)})
    return tuple(transfer_rows.step(row) for row in found)


def _load_steps(query: LoadSteps) -> Plan[tuple[StepRow, ...]]:
    (first_epoch, first_number), (last_epoch, last_number) = query.first, query.last
    parameters: rows.Parameters = {
        "serial": query.serial,
        "firm_code": query.firm_code,
        "first_epoch": first_epoch,
        "first_number": first_number,
        "last_epoch": last_epoch,
        "last_number": last_number,
    }
    found = yield from many("steps_between", parameters)
    return tuple(transfer_rows.step(row) for row in found)


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
