"""Each command as a plan, all but `PlaceOrder`, which every database does in its own way.

All of it is written or, when something is raised, nothing.
"""

from storage import rows
from storage.audit import SealAudit
from storage.audit_plans import seal_audit
from storage.catalogue_plans import CatalogueCommand, plan_catalogue_command
from storage.commands import (
    AddAdministrator,
    AddCredential,
    AddHits,
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
from storage.extension_plans import plan_extension_command
from storage.extensions import (
    AdvanceExtension,
    BeginExtension,
    ClaimExtensions,
    EraseExtensions,
    ExtensionCommand,
    RetryExtensions,
)
from storage.filter_reads import add_hits
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
from storage.plans import Plan, many, one, written
from storage.reads import load_server
from storage.records import ServerRow
from storage.together import AllOrNone, plan_all_or_none
from storage.transfer_plans import TransferCommand, plan_transfer_command, put_placements, raise_versions

PlannedCommand = (
    InitialiseServer
    | CatalogueCommand
    | CredentialCommand
    | GuessCommand
    | AddHits
    | KeyCommand
    | AllOrNone
    | ChangeLicenses
    | TransferCommand
    | SealAudit
    | RaiseEpoch
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
        case ChangeLicenses():
            return _change_licenses(command)
        case (
            AddItem() | ChangeItem() | AddShop() | SetRights() | SetAccessPolicy() | AddAdministrator() | StoreFilters()
        ):
            return plan_catalogue_command(command)
        case SetDepotPolicy() | SetShopActive() | AddCredential() | RevokeCredential() | RevokeAdministrator():
            return plan_credential_command(command)
        case CountGuess() | ForgetGuesses():
            return plan_guess_command(command)
        case AddHits():
            return add_hits(command)
        case AddKeys() | ActivateKey() | FinishKey() | RetireKey() | ReportKeys() | Renew():
            return plan_key_command(command)
        case SealAudit():
            return seal_audit(command)
        case RaiseEpoch():
            return _raise_epoch(command)
        case ApplyTransfer() | StoreSigned() | LinkUpdate() | BlockContainer() | RequestApproval() | DecideApproval():
            return plan_transfer_command(command)
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
    yield from raise_versions(command.license_versions)
    for line in command.lines:
        yield from written("line_once", rows.flat(line))
    for change in command.changes:
        yield from written("change_license", rows.flat(change))
    yield from put_placements(command.placements)
    yield from written("add_audit", rows.flat(command.audit))
    yield from add_messages(command.messages)
    return Applied()


def _raise_epoch(command: RaiseEpoch) -> Plan[ServerRow | None]:
    if (yield from written("raise_epoch", {"epoch": command.epoch})):
        yield from written("add_audit", rows.flat(command.audit))
    return (yield from load_server())
