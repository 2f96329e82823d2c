"""Each command as a plan, all but `PlaceOrder`, which every database does in its own way.

All of it is written or, when something is raised, nothing.
"""

from collections.abc import Mapping, Sequence

from storage import rows
from storage.audit import SealAudit
from storage.audit_plans import seal_audit
from storage.commands import (
    AddAdministrator,
    AddCredential,
    AddItem,
    AddShop,
    AlreadyAnswered,
    Applied,
    ApplyTransfer,
    BlockContainer,
    ChangeItem,
    ChangeLicenses,
    DecideApproval,
    InitialiseServer,
    LinkUpdate,
    Moved,
    OrderNumberTaken,
    RaiseEpoch,
    RequestApproval,
    RevokeAdministrator,
    RevokeCredential,
    SetAccessPolicy,
    SetDepotPolicy,
    SetRights,
    SetShopActive,
    StoreFilters,
    StoreSigned,
)
from storage.credential_plans import CredentialCommand, plan_credential_command
from storage.erasure import EraseOrders
from storage.erasure_plans import erase_orders
from storage.errors import QuantityExceeded, StepUnknown
from storage.extension_plans import plan_extension_command
from storage.extensions import (
    AdvanceExtension,
    BeginExtension,
    ClaimExtensions,
    EraseExtensions,
    ExtensionCommand,
    RetryExtensions,
)
from storage.guesses import CountGuess, ForgetGuesses, GuessCommand, plan_guess_command
from storage.key_plans import plan_key_command
from storage.keys import ActivateKey, AddKeys, FinishKey, KeyCommand, Renew, ReportKeys, RetireKey
from storage.marketing import MarketingCommand
from storage.marketing_plans import plan_marketing_command
from storage.marks import ForgetMarks, MarkCommand, UseMarks
from storage.marks_plans import plan_mark_command
from storage.outbox import (
    ClaimMessages,
    DropMessage,
    OutboxCommand,
    RetryMessages,
    SettleDelivered,
    SettleFailed,
)
from storage.outbox_plans import add_messages, plan_outbox_command
from storage.outcomes import Withdrawn
from storage.plans import Plan, ReadEach, many, one, written, written_each
from storage.reads import load_server
from storage.records import Approval, Counter, Placement, ServerRow
from storage.together import AllOrNone, plan_all_or_none

PlannedCommand = (
    InitialiseServer
    | AddItem
    | ChangeItem
    | AddShop
    | SetRights
    | SetAccessPolicy
    | AddAdministrator
    | CredentialCommand
    | GuessCommand
    | KeyCommand
    | AllOrNone
    | StoreFilters
    | ChangeLicenses
    | ApplyTransfer
    | StoreSigned
    | SealAudit
    | RaiseEpoch
    | BlockContainer
    | LinkUpdate
    | RequestApproval
    | DecideApproval
    | OutboxCommand
    | ExtensionCommand
    | MarkCommand
    | EraseOrders
    | MarketingCommand
)


def plan_command(command: PlannedCommand) -> Plan[object]:  # noqa: C901, PLR0911, PLR0912 - one for each command
    """The plan whose result is the command's own answer; `Withdrawn` when its writes must be taken back."""
    match command:
        case InitialiseServer():
            return _initialise(command)
        case AddItem():
            return _add_item(command)
        case ChangeItem():
            return _change_item(command)
        case AddShop():
            return _add_shop(command)
        case SetRights():
            return _set_rights(command)
        case ChangeLicenses():
            return _change_licenses(command)
        case SetAccessPolicy():
            return _set_access_policy(command)
        case AddAdministrator():
            return _add_administrator(command)
        case SetDepotPolicy() | SetShopActive() | AddCredential() | RevokeCredential() | RevokeAdministrator():
            return plan_credential_command(command)
        case CountGuess() | ForgetGuesses():
            return plan_guess_command(command)
        case AddKeys() | ActivateKey() | FinishKey() | RetireKey() | ReportKeys() | Renew():
            return plan_key_command(command)
        case StoreFilters():
            return _store_filters(command)
        case ApplyTransfer():
            return _apply_transfer(command)
        case StoreSigned():
            return _store_signed(command)
        case SealAudit():
            return seal_audit(command)
        case RaiseEpoch():
            return _raise_epoch(command)
        case LinkUpdate():
            return _link_update(command)
        case BlockContainer():
            return _block_container(command)
        case RequestApproval():
            return _request_approval(command)
        case DecideApproval():
            return _decide_approval(command)
        case EraseOrders():
            return erase_orders(command)
        case BeginExtension() | ClaimExtensions() | AdvanceExtension() | RetryExtensions() | EraseExtensions():
            return plan_extension_command(command)
        case AllOrNone():
            return plan_all_or_none(command, plan_command)
        case UseMarks() | ForgetMarks():
            return plan_mark_command(command, plan_command)
        case ClaimMessages() | SettleDelivered() | SettleFailed() | RetryMessages() | DropMessage():
            return plan_outbox_command(command)
        case _:
            return plan_marketing_command(command)


def check_write() -> Plan[object]:
    """Write a page that holds nothing of meaning."""
    return (yield from written("check_write", {}))


def _initialise(command: InitialiseServer) -> Plan[ServerRow | None]:
    yield from written(
        "initialise_server",
        {"epoch": command.epoch, "key_fingerprint": command.key_fingerprint, "at": rows.from_time(command.at)},
    )
    return (yield from load_server())


def _add_item(command: AddItem) -> Plan[bool]:
    if (yield from written("add_item", rows.flat(command.item))) == 0:
        return False
    yield from written("raise_data_version", {})
    yield from written("add_audit", rows.flat(command.audit))
    return True


def _change_item(command: ChangeItem) -> Plan[bool]:
    before = {f"before_{name}": value for name, value in rows.flat(command.before).items()}
    if (yield from written("change_item", {**rows.flat(command.item), **before})) == 0:
        return False
    yield from written("raise_data_version", {})
    yield from written("add_audit", rows.flat(command.audit))
    return True


def _add_shop(command: AddShop) -> Plan[bool]:
    if (yield from written("add_shop", rows.shop_parameters(command.shop))) == 0:
        return False
    if (yield from written("add_credential", rows.flat(command.credential))) == 0:
        raise Withdrawn(False)  # noqa: FBT003  the command's answer
    yield from written("raise_data_version", {})
    yield from written("add_audit", rows.flat(command.audit))
    return True


def _set_rights(command: SetRights) -> Plan[bool]:
    if (yield from written("set_rights", {"name": command.name, "rights": command.rights})) == 0:
        return False
    yield from written("raise_data_version", {})
    yield from written("add_audit", rows.flat(command.audit))
    return True


def _set_access_policy(command: SetAccessPolicy) -> Plan[bool]:
    parameters: rows.Parameters = {
        "name": command.name,
        "access_policy": command.policy.value,
        "older_policy": rows.older_policy(command.policy),
    }
    if (yield from written("set_access_policy", parameters)) == 0:
        return False
    yield from written("raise_data_version", {})
    yield from written("add_audit", rows.flat(command.audit))
    return True


def _change_licenses(command: ChangeLicenses) -> Plan[Applied | AlreadyAnswered]:
    answer = rows.flat(command.answer)
    if (yield from written("answer_once", answer)) == 0:
        (before,) = yield from many("answer", answer)
        return AlreadyAnswered(answer=rows.answer(before))
    if command.ticket is not None:
        yield from written("ticket_once", rows.flat(command.ticket))
    if command.order is not None and (yield from written("order_once", rows.flat(command.order))) == 0:
        number: rows.Parameters = {"shop_id": command.order.shop_id, "value": command.order.order_number}
        taken = yield from one("order_by_number", number)
        raise Withdrawn(Moved() if taken is None else OrderNumberTaken(order_id=taken["order_id"]))
    yield from _raise_versions(command.license_versions)
    for line in command.lines:
        yield from written("line_once", rows.flat(line))
    for change in command.changes:
        yield from written("change_license", rows.flat(change))
    yield from _put_placements(command.placements)
    yield from written("add_audit", rows.flat(command.audit))
    yield from add_messages(command.messages)
    return Applied()


def _raise_versions(license_versions: Mapping[str, int]) -> Plan[None]:
    versions: list[rows.Parameters] = [
        {"license_id": license_id, "version": version} for license_id, version in sorted(license_versions.items())
    ]
    if (yield from written_each("raise_license_version", versions)) != len(versions):
        raise Withdrawn(Moved())


def _put_placements(changed: Sequence[Placement], *, statement: str = "put_placement") -> Plan[None]:
    for placements in waves(changed):
        fitting = yield from written_each(statement, list(map(rows.flat, placements)))
        if fitting != len(placements):
            raise QuantityExceeded("a placement would exceed the quantity of its licence; read again and decide again")


def _add_administrator(command: AddAdministrator) -> Plan[bool]:
    if (yield from written("add_administrator", rows.flat(command.administrator))) == 0:
        return False
    yield from written("add_audit", rows.flat(command.audit))
    return True


def _store_filters(command: StoreFilters) -> Plan[Applied]:
    # The server's row comes first: two edits wait for each other there, so the second sees what the first has written.
    yield from written("raise_data_version", {})
    if (yield from written("add_filter_document", rows.flat(command.document))) == 0:
        raise Withdrawn(Moved())
    yield from written("add_audit", rows.flat(command.audit))
    if command.policy is not None and not (yield from _set_access_policy(command.policy)):
        raise Withdrawn(Moved())
    return Applied()


def _apply_transfer(command: ApplyTransfer) -> Plan[Applied]:
    container = rows.container_parameters(command.container)
    name = "change_container" if command.container.version else "add_container"
    if (yield from written(name, container)) == 0:
        raise Withdrawn(Moved())
    yield from _raise_versions(command.license_versions)
    if command.context is not None:
        yield from written("add_context", rows.context_parameters(command.context))
    yield from _place(command)
    yield from written_each("add_step", list(map(rows.step_parameters, command.steps)))
    if command.transfer is not None:
        yield from written("add_transfer", rows.transfer_parameters(command.transfer))
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
    yield from _put_placements(command.placements, statement=statement)
    for movement in command.movements:
        yield from written("add_movement", rows.flat(movement))


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


def _raise_epoch(command: RaiseEpoch) -> Plan[ServerRow | None]:
    if (yield from written("raise_epoch", {"epoch": command.epoch})):
        yield from written("add_audit", rows.flat(command.audit))
    return (yield from load_server())


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
    return command.approval if found is None else rows.approval(found)


def _decide_approval(command: DecideApproval) -> Plan[bool]:
    if (yield from written("decide_approval", rows.flat(command.approval))) == 0:
        return False
    yield from written("add_audit", rows.flat(command.audit))
    return True
