"""Each query as a plan; all its statements see the same snapshot."""

from storage.audit_plans import plan_audit_query
from storage.catalogue import FindItem, ListItems
from storage.catalogue_reads import plan_catalogue_query
from storage.commands import Query
from storage.container_reads import plan_container_query
from storage.containers import (
    FindApproval,
    FindContainer,
    FindLinkedSteps,
    ListApprovals,
    ListContainers,
    LoadSteps,
    WatchContainers,
)
from storage.erasure import FindErasable, WalkOrders
from storage.erasure_plans import plan_erasure_query
from storage.extension_plans import plan_extension_query
from storage.extensions import FindExtension, ListExtensions, LoadExtensions
from storage.filter_reads import plan_filter_query
from storage.filters import FiltersAt, FindFilters, ListFilters, LoadFilters, LoadHits
from storage.guesses import LoadGuesses, load_guesses
from storage.key_plans import plan_key_query
from storage.keys import LoadKeys, WalkRenewable
from storage.marketing import CountFates, FindAddress, ListCampaigns, ListConsents, WalkExpiring
from storage.marketing_plans import plan_marketing_query
from storage.order_reads import plan_order_query
from storage.orders import FindHistory, FindOrder, FindOrders, FindTickets, PrepareChange, PrepareOrder, TraceTicket
from storage.outbox import ListOutbox, LoadOutbox
from storage.outbox_plans import plan_outbox_query
from storage.plans import Plan
from storage.server import LoadServer
from storage.server_reads import load_server
from storage.shop_reads import plan_shop_query
from storage.shops import FindAdministrator, FindIdentity, FindShop, ListAdministrators, ShowShop
from storage.transfer_reads import plan_transfer_query
from storage.transfers import LoadTransfer

__all__ = ["load_server", "plan_query"]


def plan_query(query: Query) -> Plan[object]:  # noqa: C901, PLR0911, PLR0912 - one for each query
    """The plan that finds the query's own answer (see `storage.interface`)."""
    match query:
        case LoadServer():
            return load_server()
        case ListItems() | FindItem():
            return plan_catalogue_query(query)
        case FindShop() | FindAdministrator() | ListAdministrators() | FindIdentity() | ShowShop():
            return plan_shop_query(query)
        case LoadFilters() | FindFilters() | ListFilters() | FiltersAt() | LoadHits():
            return plan_filter_query(query)
        case (
            PrepareOrder()
            | PrepareChange()
            | FindOrder()
            | FindOrders()
            | FindTickets()
            | TraceTicket()
            | FindHistory()
        ):
            return plan_order_query(query)
        case LoadTransfer():
            return plan_transfer_query(query)
        case (
            FindContainer()
            | ListApprovals()
            | FindApproval()
            | WatchContainers()
            | FindLinkedSteps()
            | LoadSteps()
            | ListContainers()
        ):
            return plan_container_query(query)
        case LoadGuesses():
            return load_guesses(query)
        case LoadKeys() | WalkRenewable():
            return plan_key_query(query)
        case FindExtension() | ListExtensions() | LoadExtensions():
            return plan_extension_query(query)
        case LoadOutbox() | ListOutbox():
            return plan_outbox_query(query)
        case FindAddress() | ListConsents() | ListCampaigns() | CountFates() | WalkExpiring():
            return plan_marketing_query(query)
        case FindErasable() | WalkOrders():
            return plan_erasure_query(query)
        case _:
            return plan_audit_query(query)
