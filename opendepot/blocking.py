"""The Depot client without asyncio, for applications that have no event loop."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any, Self

from containers import Container
from opendepot.depot import Collected, DepotClient
from soap.messages import depot


async def _next(following: AsyncIterator[Collected]) -> Collected:
    return await anext(following)


class BlockingDepotClient:
    """`DepotClient` as a plain context manager; each method waits for its answer. Not for use inside an event loop."""

    def __init__(self, url: str, **options: Any) -> None:
        self._client = DepotClient(url, **options)
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self._runner.run(self._client.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.run(self._client.__aexit__(kind, error, trace))
        self._runner.close()

    def get_ticket(self, *tickets: str) -> depot.TicketOverview:
        """Give the licences of tickets, and what may be done with each."""
        return self._runner.run(self._client.get_ticket(*tickets))

    def collect(self, ticket: str, container: Container, **options: Any) -> tuple[Collected, ...]:
        """Put a ticket's licences into a container; see `DepotClient.collect`."""
        return self._runner.run(self._client.collect(ticket, container, **options))

    def give_back(self, ticket: str, container: Container, **options: Any) -> tuple[Collected, ...]:
        """Take a ticket's licences out of a container; see `DepotClient.give_back`."""
        return self._runner.run(self._client.give_back(ticket, container, **options))

    def get_license_update(self, request: depot.GetLicenseUpdateRequest) -> depot.UpdateResult:
        """Ask for an update file."""
        return self._runner.run(self._client.get_license_update(request))

    def return_license(self, request: depot.ReturnLicenseRequest) -> depot.UpdateResult:
        """Ask for an update file that takes licences out."""
        return self._runner.run(self._client.return_license(request))

    def confirm_license_update(self, receipt: bytes) -> depot.Confirmation:
        """Send a receipt."""
        return self._runner.run(self._client.confirm_license_update(receipt))

    def report_lost(self, ticket: str, serial: str, *, reason: str | None = None) -> dict[int, depot.LossDecision]:
        """Report a lost container; see `DepotClient.report_lost`."""
        return self._runner.run(self._client.report_lost(ticket, serial, reason=reason))

    def update(self, container: Container, firm_code: int) -> Collected:
        """Bring a container up to date without a ticket; see `DepotClient.update`."""
        return self._runner.run(self._client.update(container, firm_code))

    def get_auto_update(self, statement: bytes) -> depot.UpdateResult:
        """Ask for what is waiting for a container."""
        return self._runner.run(self._client.get_auto_update(statement))

    def follow(self, container: Container, firm_code: int, **options: Any) -> Iterator[Collected]:
        """Keep a container up to date as long as it is iterated over; see `DepotClient.follow`."""
        following = self._client.follow(container, firm_code, **options)
        while True:
            yield self._runner.run(_next(following))
