"""The whole interface of storage: commands (change something) and queries (read), as values.

A command is handed to the writer and answered with its own result, durable when the answer arrives, or with one of the
errors of `storage.errors`. A query reads one consistent snapshot. No transaction leaks upward.
"""

from storage.audit import AuditQuery, SealAudit
from storage.catalogue import AddItem, ChangeItem, FindItem, ListItems
from storage.containers import (
    BlockContainer,
    ContainerChanges,
    ContainerHistory,
    DecideApproval,
    FindApproval,
    FindContainer,
    FindLinkedSteps,
    LinkUpdate,
    ListApprovals,
    ListContainers,
    LoadSteps,
    RequestApproval,
    WatchContainers,
)
from storage.erasure import EraseOrders, ErasureQuery
from storage.extensions import ExtensionCommand, ExtensionQuery
from storage.filters import (
    AddHits,
    FiltersAt,
    FiltersView,
    FindFilters,
    ListFilters,
    LoadFilters,
    LoadHits,
    RuleHits,
    StoreFilters,
)
from storage.guesses import GuessCommand, LoadGuesses
from storage.keys import KeyCommand, KeyQuery
from storage.marketing import MarketingCommand, MarketingQuery
from storage.marks import MarkCommand
from storage.orders import (
    AlreadyAnswered,
    ChangeLicenses,
    ChangePreparation,
    Family,
    FindHistory,
    FindOrder,
    FindOrders,
    FindTickets,
    OrderNumberTaken,
    OrderPreparation,
    OrderView,
    Placed,
    PlaceOrder,
    PrepareChange,
    PrepareOrder,
    TicketTrace,
    TicketView,
    TraceTicket,
)
from storage.outbox import OutboxCommand, OutboxQuery
from storage.server import InitialiseServer, LoadServer, RaiseEpoch
from storage.shops import (
    AddAdministrator,
    AddCredential,
    AddShop,
    FindAdministrator,
    FindIdentity,
    FindShop,
    ListAdministrators,
    RevokeAdministrator,
    RevokeCredential,
    SetAccessPolicy,
    SetDepotPolicy,
    SetRights,
    SetShopActive,
    ShopView,
    ShowShop,
)
from storage.together import AllOrNone
from storage.transfers import Applied, ApplyTransfer, LoadTransfer, Moved, StoreSigned, TransferView

__all__ = [
    "AddAdministrator",
    "AddCredential",
    "AddHits",
    "AddItem",
    "AddShop",
    "AlreadyAnswered",
    "Applied",
    "ApplyTransfer",
    "BlockContainer",
    "ChangeItem",
    "ChangeLicenses",
    "ChangePreparation",
    "Command",
    "ContainerChanges",
    "ContainerHistory",
    "DecideApproval",
    "Family",
    "FiltersAt",
    "FiltersView",
    "FindAdministrator",
    "FindApproval",
    "FindContainer",
    "FindFilters",
    "FindHistory",
    "FindIdentity",
    "FindItem",
    "FindLinkedSteps",
    "FindOrder",
    "FindOrders",
    "FindShop",
    "FindTickets",
    "InitialiseServer",
    "LinkUpdate",
    "ListAdministrators",
    "ListApprovals",
    "ListContainers",
    "ListFilters",
    "ListItems",
    "LoadFilters",
    "LoadHits",
    "LoadServer",
    "LoadSteps",
    "LoadTransfer",
    "Moved",
    "OrderNumberTaken",
    "OrderPreparation",
    "OrderView",
    "PlaceOrder",
    "Placed",
    "PrepareChange",
    "PrepareOrder",
    "Query",
    "RaiseEpoch",
    "RequestApproval",
    "RevokeAdministrator",
    "RevokeCredential",
    "RuleHits",
    "SetAccessPolicy",
    "SetDepotPolicy",
    "SetRights",
    "SetShopActive",
    "ShopView",
    "ShowShop",
    "StoreFilters",
    "StoreSigned",
    "TicketTrace",
    "TicketView",
    "TraceTicket",
    "TransferView",
    "WatchContainers",
]

Command = (
    InitialiseServer
    | AddItem
    | ChangeItem
    | AddShop
    | SetRights
    | PlaceOrder
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
    | SetAccessPolicy
    | SetDepotPolicy
    | SetShopActive
    | AddCredential
    | RevokeCredential
    | AddAdministrator
    | RevokeAdministrator
    | GuessCommand
    | KeyCommand
    | AllOrNone
    | StoreFilters
    | AddHits
    | MarketingCommand
)
Query = (
    LoadServer
    | PrepareOrder
    | PrepareChange
    | FindShop
    | ListItems
    | FindItem
    | FindOrder
    | FindOrders
    | FindTickets
    | TraceTicket
    | FindHistory
    | LoadTransfer
    | AuditQuery
    | FindContainer
    | ListApprovals
    | FindApproval
    | WatchContainers
    | ListContainers
    | FindLinkedSteps
    | LoadSteps
    | OutboxQuery
    | ExtensionQuery
    | ErasureQuery
    | FindAdministrator
    | ListAdministrators
    | FindIdentity
    | LoadGuesses
    | KeyQuery
    | ShowShop
    | LoadFilters
    | FindFilters
    | ListFilters
    | FiltersAt
    | LoadHits
    | MarketingQuery
)
