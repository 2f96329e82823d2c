"""What one operation is."""

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from containers import Container
from opendepot.bench.pacing import Operation, OperationFailed
from opendepot.depot import DepotClient
from opendepot.ozomm import OzommClient
from opendepot.sales import SalesClient
from opendepot.service import ServiceUnreachable
from soap import AnswerInvalid, FaultReceived
from soap.messages import depot, ozomm, sales

CONNECTIONS = 64
PLENTY = 20
"""Licences in a container before a new one takes its place: contexts grow with what they list."""
FAST_FOLDER = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  a place, not a name in it
PREPARING = 16
"""How many orders are under way while tickets are prepared."""


class Scenario(StrEnum):
    """What is asked of the server."""

    ORDER = "order"
    COLLECT = "collect"
    CYCLE = "cycle"
    EXTEND = "extend"


NEEDS_TICKETS = frozenset({Scenario.COLLECT, Scenario.EXTEND})
NEEDS_CONTAINERS = frozenset({Scenario.COLLECT, Scenario.CYCLE})


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Which server, and what is needed to ask it. `trust` is the vendor's certificate (PEM), for containers."""

    url: str
    scenario: Scenario
    run: str
    api_key: str | None = None
    item: str | None = None
    trust: str | None = None
    timeout_seconds: float = 30.0


class Asking:
    """Carries out the operations of a scenario."""

    def __init__(
        self, target: Target, *, shop: SalesClient, licensee: DepotClient, extender: OzommClient, folder: Path
    ) -> None:
        self._target = target
        self._shop = shop
        self._licensee = licensee
        self._extender = extender
        self._folder = folder
        self._item = target.item
        self._firm_code = 0
        self._tickets: list[str] = []
        self._containers: list[Container] = []
        self._made = 0

    async def prepare(self, *, tickets: int, name: str) -> None:
        """Find the item to order, and order tickets ahead where the scenario takes them as given."""
        if self._target.scenario is not Scenario.EXTEND or tickets:
            await self._find_item()
        due = iter(range(tickets))

        async def ordering() -> None:
            for number in due:
                self._tickets.append((await self._ordered(f"{name}-{number}")).ticket)

        await asyncio.gather(*(ordering() for _ in range(PREPARING)))

    async def _find_item(self) -> None:
        items = await self._shop.list_items()
        for item in items:
            if self._item in {None, item.item_number}:
                self._item, self._firm_code = item.item_number, item.firm_code
                return
        raise OperationFailed("this shop may sell no such item; `opendepot item list` on the server has them")

    @property
    def operation(self) -> Operation:
        """The scenario's operation."""
        operations: dict[Scenario, Callable[[int], Awaitable[None]]] = {
            Scenario.ORDER: self._order,
            Scenario.COLLECT: self._collect,
            Scenario.CYCLE: self._cycle,
            Scenario.EXTEND: self._extend,
        }
        return _told(operations[self._target.scenario])

    async def _ordered(self, name: str) -> sales.OrderReceipt:
        line = sales.OrderLine(item_number=self._item or "", quantity=1)
        transaction_id = f"bench-{self._target.run}-{name}"
        return await self._shop.create_order(
            sales.CreateOrderRequest(transaction_id=transaction_id, order_line=(line,))
        )

    async def _order(self, number: int) -> None:
        await self._ordered(str(number))

    async def _collect(self, number: int) -> None:  # noqa: ARG002  any ticket will do
        await self._into_container(self._next_ticket(), confirm=False)

    async def _cycle(self, number: int) -> None:
        await self._into_container((await self._ordered(str(number))).ticket, confirm=True)

    async def _extend(self, number: int) -> None:
        request = ozomm.ExtendLicenseRequest(
            transaction_id=f"bench-{self._target.run}-{number}", ticket=self._next_ticket()
        )
        found = await self._extender.extend_license(request)
        if found.state == "Refused":
            raise OperationFailed(f"Refused: {found.reason}")

    def _next_ticket(self) -> str:
        if not self._tickets:
            raise OperationFailed("no ticket left")
        return self._tickets.pop()

    async def _into_container(self, ticket: str, *, confirm: bool) -> None:
        container = self._containers.pop() if self._containers else self._new_container()
        request = depot.GetLicenseUpdateRequest(ticket=ticket, context=container.context(self._firm_code))
        result = await self._licensee.get_license_update(request)
        if result.update is None:
            raise OperationFailed(f"state {result.state}")
        receipt = container.import_update(result.update).receipt
        if confirm:
            await self._licensee.confirm_license_update(receipt)
        if len(container.listing(self._firm_code)) < PLENTY:
            self._containers.append(container)

    def _new_container(self) -> Container:
        self._made += 1
        return Container.create(
            self._folder / f"{self._made}.json",
            trust_pem=(self._target.trust or "").encode(),
            clock=lambda: datetime.now(UTC),
            random=secrets.token_bytes,
        )


def _told(operation: Operation) -> Operation:
    """Turn what an operation can raise into the name that it is counted under."""

    async def telling(number: int) -> None:
        try:
            await operation(number)
        except FaultReceived as fault:
            raise OperationFailed(fault.code) from fault
        except (ServiceUnreachable, AnswerInvalid) as error:
            raise OperationFailed(type(error).__name__) from error

    return telling


@asynccontextmanager
async def asking(target: Target) -> AsyncIterator[Asking]:
    """Open the clients and a folder for containers, in memory where the machine has such a place."""
    options: dict[str, Any] = {"attempts": 1, "timeout_seconds": target.timeout_seconds, "connections": CONNECTIONS}
    async with AsyncExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="opendepot-bench-", dir=FAST_FOLDER))
        yield Asking(
            target,
            shop=await opened.enter_async_context(SalesClient(target.url, api_key=target.api_key, **options)),
            licensee=await opened.enter_async_context(DepotClient(target.url, **options)),
            extender=await opened.enter_async_context(OzommClient(target.url, **options)),
            folder=Path(folder),
        )


def shares(target: Target, parts: int) -> list[Target]:
    """Give each of several processes a name of its own in transactionIds."""
    return [replace(target, run=f"{target.run}-{part}") for part in range(parts)]
