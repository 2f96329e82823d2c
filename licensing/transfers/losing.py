"""A container is lost, or one of its copies is accepted (transfer protocol, section 5). Pure: a `Plan` comes out."""

from dataclasses import replace
from datetime import datetime

from containers import Context, parse_state
from licensing.transfers.chain import Wanted, states_from_confirmed
from licensing.transfers.planning import Plan, Steps, asked_state
from storage.commands import TransferView
from storage.records import ContainerRow, Mark, Movement, Placement


def plan_loss(container: ContainerRow, view: TransferView, *, now: datetime) -> Plan:
    """Declare a container lost: nothing is wanted there, nothing counts as being there, every piece is free."""
    row = replace(container, mark=Mark.LOST, lost_at=now, healing_export=None, healing_nonce=None)
    placements = tuple(
        Placement(license_id=placement.license_id, serial=row.serial, wanted=0, occupied=0, confirmed=0)
        for placement in view.placements
        if placement.wanted or placement.occupied
    )
    movements = tuple(
        Movement(
            license_id=placement.license_id,
            serial=row.serial,
            kind="Restore",
            quantity=max(placement.wanted, placement.occupied),
            at=now,
        )
        for placement in view.placements
        if placement.wanted or placement.occupied
    )
    return Plan(container=row, placements=placements, movements=movements, event="Lost")


def plan_acceptance(
    container: ContainerRow, context: Context, view: TransferView, *, now: datetime, epoch: int
) -> Plan:
    """Accept one copy: a reset in a new epoch, bound to its context. Nothing is given or freed by it."""
    row = replace(
        container,
        mark=Mark.HEALING,
        newest_export=context.export,
        newest_nonce=context.nonce,
        healing_export=context.export,
        healing_nonce=context.nonce,
    )
    wanted = {placement.license_id: placement.wanted for placement in view.placements}
    steps = Steps(row=row, now=now, blocks=view.blocks)
    steps.reset(epoch, asked_state(wanted, view.licenses, row.end_state, view.blocks))
    states = [*states_from_confirmed(row, view.steps), *(parse_state(step.state_after) for step in steps.steps)]
    placements = Wanted(quantities=wanted).placements(
        serial=row.serial, states=states, before=view.placements, known=view.licenses
    )
    return Plan(container=steps.row, placements=placements, steps=tuple(steps.steps), event="Accepted")
