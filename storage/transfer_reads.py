"""All that a decision about a container needs, as a plan."""

from dataclasses import dataclass

from storage import rows, transfer_rows
from storage.errors import NotInitialised
from storage.order_reads import license_uses
from storage.plans import Plan, many, one
from storage.records import Allowance, ContainerRow, ContextRow, Counter, StepRow, TransferRow
from storage.transfers import LoadTransfer, TransferQuery, TransferView

Neighbours = tuple[ContextRow | None, ContextRow | None, ContextRow | None]


def plan_transfer_query(query: TransferQuery) -> Plan[object]:
    """The plan that finds the query's own answer."""
    return _load_transfer(query)


def _load_transfer(query: LoadTransfer) -> Plan[TransferView]:
    here: rows.Parameters = {"serial": query.serial, "firm_code": query.firm_code}
    (begin,) = yield from many("transfer_begin", {**here, "lookup": query.ticket_lookup})
    if begin["current_epoch"] is None:
        raise NotInitialised("the server has no epoch yet; initialise it first")
    container = None if begin["version"] is None else transfer_rows.container(begin)
    ticket = None if begin["ticket_id"] is None else rows.ticket(begin)
    chain = NO_CHAIN if container is None else (yield from _chain(query, container))
    ticket_id = None if ticket is None else ticket.ticket_id
    found = yield from many("licenses_for_transfer", {**here, "ticket_id": ticket_id})
    placements = [transfer_rows.placement_here(row, query.serial) for row in found if _is_here(row, query)]
    licenses = tuple(map(rows.license_use, found))
    if query.license_ids:
        others = yield from license_uses("licenses_by_id", {"license_ids": list(query.license_ids)})
        known = {use.license.license_id: use for use in (*licenses, *others)}
        licenses = tuple(use for _, use in sorted(known.items()))
    allowances: tuple[Allowance, ...] = ()
    if query.allowances:
        counted = yield from many("allowances_for_transfer", {**here, "ticket_id": ticket_id})
        allowances = tuple(map(transfer_rows.allowance, counted))
    return TransferView(
        container=container,
        current_epoch=begin["current_epoch"],
        same_export=chain.same_export,
        export_below=chain.export_below,
        export_above=chain.export_above,
        steps=chain.steps,
        at_context=chain.at_context,
        transfer=chain.transfer,
        ticket=ticket,
        licenses=licenses,
        placements=tuple(placements),
        blocked=bool(begin["blocked"]),
        allowances=allowances,
    )


def _is_here(row: rows.Row, query: LoadTransfer) -> bool:
    return row["here_wanted"] is not None and row["firm_code"] == query.firm_code


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
    transfer = None if row is None else transfer_rows.transfer(row)
    epoch, number = query.context_counter
    at_context = yield from one("step_at", {**here, "epoch": epoch, "number": number})
    after = _steps_needed_after(query, container, transfer)
    steps = yield from many("steps_after", {**here, "after_epoch": after[0], "after_number": after[1]})
    same, below, above = yield from _neighbours(query, container.base)
    return Chain(
        same_export=same,
        export_below=below,
        export_above=above,
        steps=tuple(map(transfer_rows.step, steps)),
        at_context=None if at_context is None else transfer_rows.step(at_context),
        transfer=transfer,
    )


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
    found = yield from many("contexts_around_export", parameters)
    same = below = above = None
    for context in map(transfer_rows.context, found):
        if context.export == query.export:
            same = context
        elif context.export < query.export:
            below = context
        else:
            above = context
    return same, below, above
