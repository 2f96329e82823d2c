"""Transfers as plans: placements, signed steps, links, blocked containers, approvals."""

from collections.abc import Mapping, Sequence

from storage import rows, transfer_rows
from storage.commands import (
    Applied,
    ApplyTransfer,
    BlockContainer,
    DecideApproval,
    LinkUpdate,
    Moved,
    RequestApproval,
    StoreSigned,
)
from storage.errors import QuantityExceeded, StepUnknown
from storage.outbox_plans import add_messages
from storage.outcomes import Withdrawn
from storage.plans import Plan, ReadEach, one, written, written_each
from storage.records import Approval, Counter, Placement

TransferCommand = ApplyTransfer | StoreSigned | LinkUpdate | BlockContainer | RequestApproval | DecideApproval


def plan_transfer_command(command: TransferCommand) -> Plan[object]:
    """The plan whose result is the command's own answer."""
    match command:
        case ApplyTransfer():
            return _apply_transfer(command)
        case StoreSigned():
            return _store_signed(command)
        case LinkUpdate():
            return _link_update(command)
        case BlockContainer():
            return _block_container(command)
        case RequestApproval():
            return _request_approval(command)
        case DecideApproval():
            return _decide_approval(command)


def _apply_transfer(command: ApplyTransfer) -> Plan[Applied]:
    container = transfer_rows.container_parameters(command.container)
    name = "change_container" if command.container.version else "add_container"
    if (yield from written(name, container)) == 0:
        raise Withdrawn(Moved())
    yield from raise_versions(command.license_versions)
    if command.context is not None:
        yield from written("add_context", transfer_rows.context_parameters(command.context))
    yield from _place(command)
    yield from written_each("add_step", list(map(transfer_rows.step_parameters, command.steps)))
    if command.transfer is not None:
        yield from written("add_transfer", transfer_rows.transfer_parameters(command.transfer))
    if command.approval is not None and (yield from written("decide_approval", rows.flat(command.approval))) == 0:
        raise Withdrawn(Moved())
    if command.audit is not None:
        yield from written("add_audit", rows.flat(command.audit))
    yield from add_messages(command.messages)
    return Applied()


def _place(command: ApplyTransfer) -> Plan[None]:
    """Write what is where, and what that counts."""
    for license_id, options in sorted(command.options.items()):
        yield from written("change_license_options", {"license_id": license_id, "options": options})
    statement = "set_placement" if command.rejoining else "put_placement"
    yield from put_placements(command.placements, statement=statement)
    for movement in command.movements:
        yield from written("add_movement", rows.flat(movement))


def raise_versions(license_versions: Mapping[str, int]) -> Plan[None]:
    """Raise the versions of licences that were read at these; `Withdrawn` with `Moved` when one has changed since."""
    versions: list[rows.Parameters] = [
        {"license_id": license_id, "version": version} for license_id, version in sorted(license_versions.items())
    ]
    if (yield from written_each("raise_license_version", versions)) != len(versions):
        raise Withdrawn(Moved())


def put_placements(changed: Sequence[Placement], *, statement: str = "put_placement") -> Plan[None]:
    """Write placements. Raises QuantityExceeded, and then nothing may be written."""
    for placements in waves(changed):
        fitting = yield from written_each(statement, list(map(rows.flat, placements)))
        if fitting != len(placements):
            raise QuantityExceeded("a placement would exceed the quantity of its licence; read again and decide again")


def waves(placements: Sequence[Placement]) -> list[list[Placement]]:
    """The placements in order, split so that each licence stands once in a part.

    A part is one statement for some databases, and a statement does not see what it writes itself: a second placement
    of a licence must count the first one.
    """
    parts: list[dict[str, Placement]] = [{}]
    for placement in placements:
        if placement.license_id in parts[-1]:
            parts.append({})
        parts[-1][placement.license_id] = placement
    return [list(part.values()) for part in parts]


def _store_signed(command: StoreSigned) -> Plan[tuple[bytes, ...]]:
    first: dict[Counter, bytes] = {}
    for counter, signed in command.signed:
        first.setdefault(counter, signed)
    steps: dict[Counter, rows.Parameters] = {
        (epoch, number): {
            "serial": command.serial,
            "firm_code": command.firm_code,
            "epoch": epoch,
            "number": number,
            "signed": signed,
        }
        for (epoch, number), signed in sorted(first.items())
    }
    if not steps:
        return ()
    yield from written_each("sign_step", list(steps.values()))
    keys = [{name: value for name, value in step.items() if name != "signed"} for step in steps.values()]
    found = yield ReadEach(name="signed_step", parameters=keys)
    stored: dict[Counter, bytes | None] = {counter: row["signed"] for counter, row in zip(steps, found, strict=True)}
    answer = [stored[counter] for counter, _ in command.signed]
    known = tuple(signed for signed in answer if signed is not None)
    if len(known) != len(answer):
        raise StepUnknown("the step was never reserved; reserve it before signing")
    return known


def _link_update(command: LinkUpdate) -> Plan[bool]:
    yield from written("drop_update_links", {"at": rows.from_time(command.at)})
    yield from written(
        "add_update_link",
        {
            "lookup": command.lookup,
            "serial": command.serial,
            "firm_code": command.firm_code,
            "first_epoch": command.first[0],
            "first_number": command.first[1],
            "last_epoch": command.last[0],
            "last_number": command.last[1],
            "expires_at": rows.from_time(command.expires_at),
        },
    )
    return True


def _block_container(command: BlockContainer) -> Plan[bool]:
    here: rows.Parameters = {"serial": command.serial}
    if command.reason is None:
        yield from written("unblock_container", here)
    else:
        at = rows.from_time(command.at)
        yield from written("block_container", {**here, "reason": command.reason, "at": at})
    yield from written("touch_containers", here)
    yield from written("add_audit", rows.flat(command.audit))
    return True


def _request_approval(command: RequestApproval) -> Plan[Approval]:
    if (yield from written("add_approval", rows.flat(command.approval))):
        yield from written("add_audit", rows.flat(command.audit))
    found = yield from one(
        "newest_approval", {"serial": command.approval.serial, "firm_code": command.approval.firm_code}
    )
    return command.approval if found is None else transfer_rows.approval(found)


def _decide_approval(command: DecideApproval) -> Plan[bool]:
    if (yield from written("decide_approval", rows.flat(command.approval))) == 0:
        return False
    yield from written("add_audit", rows.flat(command.audit))
    return True
