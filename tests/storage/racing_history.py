"""Containers, a shop and several connections that race for the pieces of one licence, and the history of it all.

What a container imports is noted in the order in which it happens, so the history says at each moment how many pieces
are in use. It is checked apart from the server: by what was bought, what was taken back, and what the files gave.
"""

import asyncio
import random
import secrets
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from containers import Container
from opendepot import DepotClient, FaultReceived, SalesClient
from server.core import utc_now
from soap.messages import depot, sales

FIRM_CODE = 6000010
BUSY = {"NothingFree", "Contended", "QuantityExceeded", "StorageBusy"}
"""Refusals that a race may bring; each says that nothing was done."""


@dataclass
class History:
    """What was bought and taken back, and what each container held after each import, in order."""

    bought: int
    taken_back: int = 0
    imports: list[tuple[str, int]] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)

    def most_in_use(self) -> int:
        """The greatest number of pieces that were in use at one moment."""
        held: dict[str, int] = {}
        most = 0
        for serial, quantity in self.imports:
            held[serial] = quantity
            most = max(most, sum(held.values()))
        return most

    def in_use(self) -> int:
        """The pieces in use at the end."""
        return sum(dict(self.imports).values())

    def violations(self) -> list[str]:
        """All that the history contradicts; call it when every container has come to rest."""
        found = []
        if self.most_in_use() > self.bought:
            found.append(f"{self.most_in_use()} pieces were in use at once, and {self.bought} were bought")
        if self.in_use() > self.bought - self.taken_back:
            found.append(f"{self.in_use()} are in use, {self.bought} were bought and {self.taken_back} taken back")
        if self.taken_back > self.bought:
            found.append(f"{self.taken_back} were taken back, and {self.bought} were bought")
        return found


@dataclass
class Race:
    """Who races: for one licence, each with connections of its own to any of the addresses."""

    urls: list[str]
    api_key: str
    ticket: str
    license_id: str
    containers: list[Container]
    history: History
    rng: random.Random

    async def run(self, *, rounds: int, withdrawals: int) -> None:
        """Let all collect at once, then all give back, again and again, while the shop takes pieces back.

        It ends early when the history says already that too many pieces were in use.
        """
        async with AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(DepotClient(self.urls[n % len(self.urls)], timeout_seconds=60))
                for n in range(len(self.containers))
            ]
            shop = await stack.enter_async_context(SalesClient(self.urls[0], api_key=self.api_key, timeout_seconds=60))
            shopping = asyncio.create_task(self._withdraw(shop, withdrawals))
            for number in range(rounds):
                wishes = ["all", "all", "one"] if number % 2 == 0 else ["back", "back", "back", "rest", "all"]
                order = self.rng.sample(range(len(clients)), len(clients))
                # What is asked for is made before, so that the requests arrive together.
                asked = [(clients[n], self.containers[n], self.containers[n].context(FIRM_CODE)) for n in order]
                await asyncio.gather(*(self._turn(*one, self.rng.choice(wishes)) for one in asked))
                if self.history.most_in_use() > self.history.bought:
                    break
            await shopping
            for client, container in zip(clients, self.containers, strict=True):
                await self._rest(client, container)

    async def _turn(self, client: DepotClient, container: Container, context: bytes, wish: str) -> None:
        lost = self.rng.random() < 0.1
        try:
            if wish in {"all", "one"}:
                target = None if wish == "all" else depot.TargetQuantity(quantity=1)
                licenses = (depot.LicenseTarget(license_id=self.license_id, target=target),)
                result = await client.get_license_update(
                    depot.GetLicenseUpdateRequest(ticket=self.ticket, license=licenses, context=context)
                )
            else:
                remainder = None if wish == "back" else depot.RemainingQuantity(quantity=1)
                remainders = (depot.LicenseRemainder(license_id=self.license_id, remainder=remainder),)
                result = await client.return_license(
                    depot.ReturnLicenseRequest(ticket=self.ticket, license=remainders, context=context)
                )
        except FaultReceived as fault:
            self._busy(fault)
            return
        assert result.state in {"Done", "NothingNew"}, result.state
        if result.update is not None and not lost:
            await self._confirm(client, self._imported(container, result.update))

    async def _confirm(self, client: DepotClient, receipt: bytes) -> None:
        try:
            confirmed = await client.confirm_license_update(receipt)
        except FaultReceived as fault:
            self._busy(fault)
        else:
            assert confirmed.state in {"Confirmed", "Open"}, confirmed.state

    def _imported(self, container: Container, update: bytes) -> bytes:
        receipt = container.import_update(update).receipt
        held = sum(entry.quantity for entry in container.listing(FIRM_CODE))
        self.history.imports.append((container.serial, held))
        return receipt

    async def _withdraw(self, shop: SalesClient, withdrawals: int) -> None:
        for number in range(withdrawals):
            await asyncio.sleep(self.rng.uniform(0, 0.1))
            request = sales.WithdrawLicenseRequest(
                transaction_id=f"w-{number}",
                license_id=self.license_id,
                pieces=sales.Pieces(quantity=1),
                reason="race",
            )
            while True:
                try:
                    await shop.call("WithdrawLicense", request)
                except FaultReceived as fault:
                    self._busy(fault)
                    continue
                self.history.taken_back += 1
                break

    async def _rest(self, client: DepotClient, container: Container) -> None:
        for _ in range(3):
            result = await client.get_auto_update(container.context(FIRM_CODE))
            assert result.state in {"Done", "NothingNew"}, f"an honest container is {result.state}"
            if result.update is None:
                return
            await self._confirm(client, self._imported(container, result.update))
        raise AssertionError("a container does not come to rest")

    def _busy(self, fault: FaultReceived) -> None:
        if fault.code not in BUSY:
            raise fault
        self.history.refused[fault.code] = self.history.refused.get(fault.code, 0) + 1


async def race_for(
    urls: list[str], *, api_key: str, trust: bytes, folder: Path, pieces: int, collectors: int, rng: random.Random
) -> Race:
    """Order a licence of so many pieces and make containers that will race for them."""
    async with SalesClient(urls[0], api_key=api_key) as shop:
        line = sales.OrderLine(item_number="A", quantity=pieces)
        receipt = await shop.create_order(sales.CreateOrderRequest(transaction_id="t-1", order_line=(line,)))
    containers = [
        Container.create(folder / f"c{n}.json", trust_pem=trust, clock=utc_now, random=secrets.token_bytes)
        for n in range(collectors)
    ]
    return Race(
        urls=urls,
        api_key=api_key,
        ticket=receipt.ticket,
        license_id=receipt.license[0].license_id,
        containers=containers,
        history=History(bought=pieces),
        rng=rng,
    )
