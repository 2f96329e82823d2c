"""The server is behind: it was restored from a backup, and the container knows more (transfer protocol, section 5)."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from containers import Context, Counter, Entry, render_state
from licensing.transfers.chain import Wanted, quantities, states_from_confirmed
from licensing.transfers.planning import Plan, Steps, asked_state, seen_only
from storage.commands import TransferView
from storage.records import ContainerRow, License, LicenseUse, Placement

LATER_WINS = ("expiration_time", "maintenance_end")


def plan_rejoin(container: ContainerRow, context: Context, view: TransferView, *, now: datetime, epoch: int) -> Plan:
    """Take the container's own listing as confirmed state and as wanted, and bind the next step to it: a reset.

    Pending removals stay due, newer dates win, licences that the server does not know are kept, and later steps of the
    server's own are dropped. `view` holds the licences of the listing; `epoch` is above that of the context.
    """
    listing = render_state(context.listing)
    here = Counter(*context.counter)
    row = replace(
        seen_only(container, context),
        kind=container.kind,
        confirmed=here,
        confirmed_state=listing,
        end=here,
        end_state=listing,
        base=here,
        newest_export=context.export,
        newest_nonce=context.nonce,
        contact_epoch=view.current_epoch,
    )
    entries = {entry.license_id: entry for entry in context.listing}
    options = newer_options(view, entries)
    uses = tuple(_with_options(use, options) for use in view.licenses)
    wanted = _wanted(context, view)
    steps = Steps(row=row, now=now, blocks=view.blocks)
    steps.reset(epoch, asked_state(wanted, uses, row.end_state, view.blocks))
    states = [*states_from_confirmed(row, view.steps), steps.state]
    placements = Wanted(quantities=wanted).placements(
        serial=row.serial, states=states, before=view.placements, known=view.licenses
    )
    return Plan(
        container=steps.row,
        placements=placements,
        steps=tuple(steps.steps),
        options=options,
        rejoining=True,
        event="ServerBehind",
    )


def _wanted(context: Context, view: TransferView) -> dict[str, int]:
    """Give what should be there: what is there, but for removals that are due."""
    placed = {placement.license_id: placement for placement in view.placements}
    held = quantities(context.listing)
    known = {use.license.license_id: use.license for use in view.licenses}
    return {
        license_id: _kept(known[license_id], placed.get(license_id), quantity)
        for license_id, quantity in held.items()
        if license_id in known
    }


def _kept(license_: License, placement: Placement | None, quantity: int) -> int:
    if license_.withdrawn:
        return 0
    removal_due = placement is not None and placement.wanted < placement.occupied
    return min(quantity, placement.wanted) if removal_due and placement is not None else quantity


def newer_options(view: TransferView, entries: Mapping[str, Entry]) -> dict[str, str]:
    """Give the options of the licences whose dates the container has later than the records."""
    changed = {}
    for use in view.licenses:
        entry = entries.get(use.license.license_id)
        if entry is None:
            continue
        options = json.loads(use.license.options)
        newer = dict(options)
        for name in LATER_WINS:
            there, recorded = getattr(entry.options, name), options.get(name)
            if there is not None and recorded is not None and datetime.fromisoformat(recorded) < there:
                newer[name] = there.isoformat()
        if newer != options:
            changed[use.license.license_id] = json.dumps(newer, sort_keys=True)
    return changed


def _with_options(use: LicenseUse, options: Mapping[str, str]) -> LicenseUse:
    changed = options.get(use.license.license_id)
    return use if changed is None else replace(use, license=replace(use.license, options=changed))
