"""The clients without asyncio, for applications that have no event loop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from containers import Container
from opendepot.depot import Collected, DepotClient
from opendepot.sales import SalesClient
from opendepot.service import ServiceClient
from soap.messages import depot, sales

ClientT = TypeVar("ClientT", bound=ServiceClient)
ResultT = TypeVar("ResultT")


class Blocking(Generic[ClientT]):
    """A client as a plain context manager; each method waits for its answer. Not for use inside an event loop."""

    def __init__(self, client: ClientT) -> None:
        self._client = client
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self._run(self._client.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._client.__aexit__(kind, error, trace))
        self._runner.close()

    def _run(self, work: Awaitable[ResultT]) -> ResultT:
        return self._runner.run(_awaited(work))

    def _iterated(self, items: AsyncIterator[ResultT]) -> Iterator[ResultT]:
        """Give items one by one; who stops early ends what runs behind it."""
        try:
            while True:
                try:
                    yield self._run(anext(items))
                except StopAsyncIteration:
                    return
        finally:
            close = getattr(items, "aclose", None)
            if close is not None:
                self._run(close())


async def _awaited(work: Awaitable[ResultT]) -> ResultT:
    return await work


class BlockingSalesClient(Blocking[SalesClient]):
    """`SalesClient` without asyncio; the methods are described there."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(SalesClient(url, **options))

    def create_order(self, request: sales.CreateOrderRequest) -> sales.OrderReceipt:
        """Record an order; the same transactionId with the same values gives the same order again."""
        return self._run(self._client.create_order(request))

    def create_orders(self, request: sales.CreateOrdersRequest) -> sales.OrderBatch:
        """Record many orders; each is recorded whole or refused for itself."""
        return self._run(self._client.create_orders(request))

    def get_order(self, request: sales.GetOrderRequest) -> sales.OrderDetails:
        """Give an order by exactly one of its names."""
        return self._run(self._client.get_order(request))

    def find_orders(self, request: sales.FindOrdersRequest) -> Iterator[sales.OrderDetails]:
        """Give the orders that fit the filters, over all pages."""
        return self._iterated(self._client.find_orders(request))

    def cancel_order(self, request: sales.CancelOrderRequest) -> sales.ChangeOutcome:
        """Take back an order."""
        return self._run(self._client.cancel_order(request))

    def withdraw_license(self, request: sales.WithdrawLicenseRequest) -> sales.ChangeOutcome:
        """Take back pieces of a licence."""
        return self._run(self._client.withdraw_license(request))

    def replace_license(self, request: sales.ReplaceLicenseRequest) -> sales.ChangeOutcome:
        """Put another item in the place of a licence."""
        return self._run(self._client.replace_license(request))

    def list_items(self) -> tuple[sales.ItemSummary, ...]:
        """Give all items, over all pages."""
        return self._run(self._client.list_items())


class BlockingDepotClient(Blocking[DepotClient]):
    """`DepotClient` without asyncio; the methods are described there."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(DepotClient(url, **options))

    def get_ticket(self, *tickets: str) -> depot.TicketOverview:
        """Give the licences of tickets, and what may be done with each."""
        return self._run(self._client.get_ticket(*tickets))

    def collect(self, ticket: str, container: Container, **options: Any) -> tuple[Collected, ...]:
        """Put a ticket's licences into a container; see `DepotClient.collect`."""
        return self._run(self._client.collect(ticket, container, **options))

    def give_back(self, ticket: str, container: Container, **options: Any) -> tuple[Collected, ...]:
        """Take a ticket's licences out of a container; see `DepotClient.give_back`."""
        return self._run(self._client.give_back(ticket, container, **options))

    def get_license_update(self, request: depot.GetLicenseUpdateRequest) -> depot.UpdateResult:
        """Ask for an update file."""
        return self._run(self._client.get_license_update(request))

    def return_license(self, request: depot.ReturnLicenseRequest) -> depot.UpdateResult:
        """Ask for an update file that takes licences out."""
        return self._run(self._client.return_license(request))

    def confirm_license_update(self, receipt: bytes) -> depot.Confirmation:
        """Send a receipt."""
        return self._run(self._client.confirm_license_update(receipt))

    def report_lost(self, ticket: str, serial: str, *, reason: str | None = None) -> dict[int, depot.LossDecision]:
        """Report a lost container; see `DepotClient.report_lost`."""
        return self._run(self._client.report_lost(ticket, serial, reason=reason))

    def update(self, container: Container, firm_code: int) -> Collected:
        """Bring a container up to date without a ticket; see `DepotClient.update`."""
        return self._run(self._client.update(container, firm_code))

    def get_auto_update(self, statement: bytes) -> depot.UpdateResult:
        """Ask for what is waiting for a container."""
        return self._run(self._client.get_auto_update(statement))

    def follow(self, container: Container, firm_code: int, **options: Any) -> Iterator[Collected]:
        """Keep a container up to date as long as it is iterated over; see `DepotClient.follow`."""
        return self._iterated(self._client.follow(container, firm_code, **options))

    def get_license_updates(self, **options: Any) -> Iterator[depot.ContainerUpdate]:
        """Give the update files of many containers as they arrive; see `DepotClient.get_license_updates`."""
        return self._iterated(self._client.get_license_updates(**options))
