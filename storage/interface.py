"""The one protocol of storage that the rules and the server program against (design, section 8)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol, overload

from storage.audit import (
    AuditEntry,
    AuditHead,
    AuditId,
    AuditLink,
    FindUnchained,
    ListAudit,
    LoadAuditHead,
    LoadUnsealed,
    SealAudit,
    UnsealedAudit,
    WalkAudit,
)
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
    ChangePreparation,
    Command,
    ContainerChanges,
    ContainerHistory,
    DecideApproval,
    FiltersAt,
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
    InitialiseServer,
    LinkUpdate,
    ListAdministrators,
    ListApprovals,
    ListContainers,
    ListFilters,
    ListItems,
    LoadFilters,
    LoadHits,
    LoadServer,
    LoadSteps,
    LoadTransfer,
    Moved,
    OrderNumberTaken,
    OrderPreparation,
    OrderView,
    Placed,
    PlaceOrder,
    PrepareChange,
    PrepareOrder,
    Query,
    RaiseEpoch,
    RequestApproval,
    RevokeAdministrator,
    RevokeCredential,
    RuleHits,
    SetAccessPolicy,
    SetDepotPolicy,
    SetRights,
    SetShopActive,
    ShopView,
    ShowShop,
    StoreFilters,
    StoreSigned,
    TicketTrace,
    TicketView,
    TraceTicket,
    TransferView,
    WatchContainers,
)
from storage.erasure import ErasableOrder, EraseOrders, FindErasable, WalkOrders
from storage.extensions import (
    AdvanceExtension,
    BeginExtension,
    ClaimExtensions,
    EraseExtensions,
    ExtensionRow,
    ExtensionsView,
    FindExtension,
    ListExtensions,
    LoadExtensions,
    RetryExtensions,
)
from storage.guesses import CountGuess, ForgetGuesses, GuessCounted, LoadGuesses
from storage.keys import (
    ActivateKey,
    AddKeys,
    FinishKey,
    Found,
    KeysView,
    LoadKeys,
    Renew,
    ReportKeys,
    RetireKey,
    WalkRenewable,
)
from storage.marketing import (
    AddCampaign,
    AddressView,
    CampaignRow,
    Consent,
    CountFates,
    CountOffers,
    CountTaken,
    ExpiringPage,
    FateCount,
    FindAddress,
    ForgetAddress,
    LiftSuppressions,
    ListCampaigns,
    ListConsents,
    RecordConsent,
    StopCampaign,
    SuppressAddress,
    TakeReminderTurn,
    TellExpiring,
    WalkExpiring,
)
from storage.marks import ForgetMarks, MarkSeen, MarksKept, MarksUsed, UseMarks
from storage.outbox import (
    ClaimMessages,
    DropMessage,
    ListOutbox,
    LoadOutbox,
    OutboxRow,
    OutboxView,
    RetryMessages,
    SettleDelivered,
    SettleFailed,
)
from storage.records import Administrator, Approval, AuditRow, FilterDocument, Identity, Item, ServerRow, Shop, StepRow
from storage.together import AllDone, AllOrNone, NoneDone


class Storage(Protocol):
    """Commands and queries as values; every method raises errors of `storage.errors`."""

    @overload
    async def execute(self, command: InitialiseServer) -> ServerRow: ...
    @overload
    async def execute(
        self, command: AddItem | ChangeItem | AddShop | SetRights | SetAccessPolicy | AddAdministrator
    ) -> bool: ...
    @overload
    async def execute(
        self, command: SetDepotPolicy | SetShopActive | AddCredential | RevokeCredential | RevokeAdministrator
    ) -> bool: ...
    @overload
    async def execute(self, command: AddKeys | ActivateKey | FinishKey | RetireKey | ReportKeys) -> bool: ...
    @overload
    async def execute(self, command: Renew) -> int: ...
    @overload
    async def execute(self, command: AllOrNone) -> AllDone | NoneDone: ...
    @overload
    async def execute(self, command: CountGuess) -> GuessCounted: ...
    @overload
    async def execute(self, command: ForgetGuesses | AddHits) -> int: ...
    @overload
    async def execute(self, command: PlaceOrder) -> Placed | AlreadyAnswered | OrderNumberTaken: ...
    @overload
    async def execute(self, command: ChangeLicenses) -> Applied | AlreadyAnswered | OrderNumberTaken | Moved: ...
    @overload
    async def execute(self, command: ApplyTransfer | StoreFilters) -> Applied | Moved: ...
    @overload
    async def execute(self, command: StoreSigned) -> tuple[bytes, ...]: ...
    @overload
    async def execute(self, command: SealAudit) -> Applied | Moved: ...
    @overload
    async def execute(self, command: RaiseEpoch) -> ServerRow: ...
    @overload
    async def execute(self, command: BlockContainer | DecideApproval | LinkUpdate) -> bool: ...
    @overload
    async def execute(self, command: RequestApproval) -> Approval: ...
    @overload
    async def execute(self, command: ClaimMessages) -> tuple[OutboxRow, ...]: ...
    @overload
    async def execute(self, command: SettleDelivered | SettleFailed | DropMessage) -> bool: ...
    @overload
    async def execute(self, command: RetryMessages) -> int: ...
    @overload
    async def execute(self, command: EraseOrders) -> tuple[str, ...]: ...
    @overload
    async def execute(self, command: UseMarks) -> MarksUsed | MarksKept | MarkSeen: ...
    @overload
    async def execute(self, command: ForgetMarks) -> int: ...
    @overload
    async def execute(
        self,
        command: RecordConsent | SuppressAddress | AddCampaign | StopCampaign | TakeReminderTurn | TellExpiring,
    ) -> bool: ...
    @overload
    async def execute(self, command: LiftSuppressions | ForgetAddress | CountOffers | CountTaken) -> int: ...
    @overload
    async def execute(self, command: BeginExtension) -> ExtensionRow: ...
    @overload
    async def execute(self, command: ClaimExtensions) -> tuple[ExtensionRow, ...]: ...
    @overload
    async def execute(self, command: AdvanceExtension) -> bool: ...
    @overload
    async def execute(self, command: RetryExtensions | EraseExtensions) -> int: ...
    async def execute(self, command: Command) -> object:
        """Carry out one command whole or not at all; the answer is durable when it arrives.

        Cancelling the caller does not take the command back: it may have been carried out.
        """
        ...

    @overload
    async def query(self, query: LoadServer) -> ServerRow | None: ...
    @overload
    async def query(self, query: PrepareOrder) -> OrderPreparation: ...
    @overload
    async def query(self, query: PrepareChange) -> ChangePreparation: ...
    @overload
    async def query(self, query: FindShop) -> Shop | None: ...
    @overload
    async def query(self, query: FindAdministrator) -> Administrator | None: ...
    @overload
    async def query(self, query: ListAdministrators) -> tuple[Administrator, ...]: ...
    @overload
    async def query(self, query: FindIdentity) -> Identity | None: ...
    @overload
    async def query(self, query: LoadGuesses) -> Mapping[bytes, datetime]: ...
    @overload
    async def query(self, query: LoadKeys) -> KeysView: ...
    @overload
    async def query(self, query: WalkRenewable) -> tuple[Found, ...]: ...
    @overload
    async def query(self, query: ShowShop) -> ShopView | None: ...
    @overload
    async def query(self, query: LoadFilters) -> FiltersView: ...
    @overload
    async def query(self, query: FindFilters | FiltersAt) -> FilterDocument | None: ...
    @overload
    async def query(self, query: LoadHits) -> Mapping[str, RuleHits]: ...
    @overload
    async def query(self, query: ListFilters) -> tuple[FilterDocument, ...]: ...
    @overload
    async def query(self, query: ListItems) -> tuple[Item, ...]: ...
    @overload
    async def query(self, query: FindItem) -> Item | None: ...
    @overload
    async def query(self, query: FindOrder) -> OrderView | None: ...
    @overload
    async def query(self, query: FindOrders) -> tuple[OrderView, ...]: ...
    @overload
    async def query(self, query: FindTickets) -> tuple[TicketView, ...]: ...
    @overload
    async def query(self, query: TraceTicket) -> TicketTrace | None: ...
    @overload
    async def query(self, query: FindHistory) -> tuple[AuditRow, ...]: ...
    @overload
    async def query(self, query: LoadTransfer) -> TransferView: ...
    @overload
    async def query(self, query: LoadUnsealed) -> UnsealedAudit: ...
    @overload
    async def query(self, query: LoadAuditHead) -> AuditHead: ...
    @overload
    async def query(self, query: WalkAudit) -> tuple[tuple[AuditLink, AuditEntry | None], ...]: ...
    @overload
    async def query(self, query: FindUnchained) -> tuple[AuditId, ...]: ...
    @overload
    async def query(self, query: ListAudit) -> tuple[AuditEntry, ...]: ...
    @overload
    async def query(self, query: FindContainer) -> tuple[ContainerHistory, ...]: ...
    @overload
    async def query(self, query: ListApprovals) -> tuple[Approval, ...]: ...
    @overload
    async def query(self, query: FindApproval) -> Approval | None: ...
    @overload
    async def query(self, query: WatchContainers) -> ContainerChanges: ...
    @overload
    async def query(self, query: FindLinkedSteps | LoadSteps) -> tuple[StepRow, ...]: ...
    @overload
    async def query(self, query: ListContainers) -> tuple[tuple[str, int], ...]: ...
    @overload
    async def query(self, query: LoadOutbox) -> OutboxView: ...
    @overload
    async def query(self, query: ListOutbox) -> tuple[OutboxRow, ...]: ...
    @overload
    async def query(self, query: FindErasable | WalkOrders) -> tuple[ErasableOrder, ...]: ...
    @overload
    async def query(self, query: FindAddress) -> AddressView: ...
    @overload
    async def query(self, query: ListConsents) -> tuple[Consent, ...]: ...
    @overload
    async def query(self, query: ListCampaigns) -> tuple[CampaignRow, ...]: ...
    @overload
    async def query(self, query: CountFates) -> tuple[FateCount, ...]: ...
    @overload
    async def query(self, query: WalkExpiring) -> ExpiringPage: ...
    @overload
    async def query(self, query: FindExtension) -> ExtensionRow | None: ...
    @overload
    async def query(self, query: ListExtensions) -> tuple[ExtensionRow, ...]: ...
    @overload
    async def query(self, query: LoadExtensions) -> ExtensionsView: ...
    async def query(self, query: Query) -> object:
        """Answer one query from one consistent snapshot of what was committed."""
        ...

    async def ready(self) -> None:
        """Write something that changes nothing; raises when that is not possible."""
        ...

    async def forget(self, *, thorough: bool) -> None:
        """Let no file of the database keep what was erased from its tables, as far as the database can.

        `thorough` rewrites the tables; they are locked while it lasts. Backups, and what the disk itself keeps of
        files that were shortened, are out of reach.
        """
        ...

    async def close(self) -> None:
        """Finish what waits, then let go of the database. Afterwards every call raises `StorageClosed`."""
        ...
