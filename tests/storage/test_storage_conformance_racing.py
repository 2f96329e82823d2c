"""Collects, withdrawals, replacements and renewals race on two nodes of each database: never more than there is."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from containers import Container, SoftwareBox, load_trust
from licensing.alarms import Alarms
from licensing.catalogue import Catalogue
from licensing.depot import Depot
from licensing.errors import Contended, LicenseUnknown, LicenseWithdrawn, LicensingError, NothingFree, QuantityDiffers
from licensing.orders import OrderLine, OrderReceipt, OrderRequest, Sales
from licensing.transfers.carrying import Carrier
from licensing.vault import Vault
from licensing.vendor_actions import VendorActions
from storage import Storage
from storage.commands import FindShop, FindTickets
from storage.records import Shop

FIRM = 10
NOW = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
CONTAINERS = 5
BOUGHT = 4


def now() -> datetime:
    return NOW


class Race:
    """Two nodes, some containers, and what is known of the pieces at any time."""

    def __init__(self, nodes: list[Storage], folder: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.vault = Vault(pepper=bytes(32), sealing_key=bytes(32), random=self.rng.randbytes)
        self.box = SoftwareBox.create(now=NOW, random=self.rng.randbytes)
        trust = load_trust(self.box.root_certificate_pem)
        self.nodes = nodes
        self.depots = [
            Depot(carrier=Carrier(storage=x, box=self.box, trust=trust, clock=now, alarms=Alarms()), vault=self.vault)
            for x in nodes
        ]
        self.selling = [Sales(storage=x, vault=self.vault, clock=now, random=self.rng.randbytes) for x in nodes]
        self.acting = [VendorActions(storage=x, vault=self.vault, clock=now, random=self.rng.randbytes) for x in nodes]
        self.containers = [
            Container.create(
                folder / f"{number}.json",
                trust_pem=self.box.root_certificate_pem,
                clock=now,
                random=self.rng.randbytes,
            )
            for number in range(CONTAINERS)
        ]
        self.refused: dict[str, int] = {}

    async def refusable(self, work: Awaitable[object]) -> None:
        try:
            await work
        except (NothingFree, LicenseUnknown, LicenseWithdrawn, QuantityDiffers, Contended) as refusal:
            self.refused[refusal.code] = self.refused.get(refusal.code, 0) + 1

    async def collect(self, order: OrderReceipt, container: Container) -> None:
        depot = self.rng.choice(self.depots)
        answer = await depot.get_license_update(ticket=order.ticket, targets=(), context=container.context(FIRM))
        if answer.update is not None and self.rng.random() < 0.8:
            receipt = container.import_update(answer.update).receipt
            if self.rng.random() < 0.8:
                await self.rng.choice(self.depots).confirm_license_update(receipt=receipt)


@pytest.mark.parametrize("seed", [1, 2])
async def test_racing_acts_of_two_nodes_never_give_out_more_than_there_is(
    stocked: Storage, open_node: Callable[..., Awaitable[Storage]], tmp_path: Path, seed: int
) -> None:
    race = Race([stocked, await open_node()], tmp_path, seed)
    shop: Shop | None = await stocked.query(FindShop(lookup=b"key of acme"))
    assert shop is not None
    catalogue = Catalogue(storage=stocked, vault=race.vault, clock=now, random=race.rng.randbytes)
    for number in ("A", "B"):
        await catalogue.add_item(item_number=number, firm_code=FIRM, product_code=1)
    line = OrderLine(item_number="A", quantity=BOUGHT)
    order = await race.selling[0].create_order(
        shop=shop, request=OrderRequest(transaction_id="o", order_number="N-1", lines=(line,))
    )
    license_id = order.licenses[0].license_id

    def withdrawn(number: int) -> Awaitable[object]:
        acting = race.rng.choice(race.acting)
        return acting.withdraw_license(
            shop=shop, transaction_id=f"w-{number}", license_id=license_id, pieces=1, reason="r"
        )

    def replaced(number: int) -> Awaitable[object]:
        acting, item = race.rng.choice(race.acting), "AB"[number % 2]
        return acting.replace_license(
            shop=shop, transaction_id=f"r-{number}", license_id=license_id, item_number=item, reason="r"
        )

    def renewed(number: int) -> Awaitable[object]:
        renewal = OrderLine(item_number="A", quantity=BOUGHT, extends_license_id=license_id)
        request = OrderRequest(transaction_id=f"n-{number}", original_order_number="N-1", lines=(renewal,))
        return race.rng.choice(race.selling).create_order(shop=shop, request=request)

    for turn in range(4):
        acts: list[Awaitable[object]] = [race.collect(order, container) for container in race.containers]
        acts += [renewed(turn), replaced(2 * turn), replaced(2 * turn + 1)]
        if turn in {1, 2}:
            acts.append(withdrawn(turn))
        race.rng.shuffle(acts)
        await asyncio.gather(*map(race.refusable, acts))
        (view,) = await stocked.query(FindTickets(lookups=(race.vault.index("ticket", order.ticket),)))
        (use,) = view.licenses
        held = sum(entry.quantity for container in race.containers for entry in container.listing(FIRM))
        assert held <= BOUGHT
        assert use.wanted <= use.license.quantity
        assert use.confirmed <= use.occupied <= BOUGHT
        assert held <= use.occupied
    assert use.license.quantity == BOUGHT - 2
    for container in race.containers:  # contact settles everything
        for _ in range(2):
            await settle(race, order, container)
    (view,) = await stocked.query(FindTickets(lookups=(race.vault.index("ticket", order.ticket),)))
    held = sum(entry.quantity for container in race.containers for entry in container.listing(FIRM))
    assert held == view.licenses[0].occupied == view.licenses[0].wanted <= BOUGHT - 2


async def settle(race: Race, order: OrderReceipt, container: Container) -> None:
    try:
        answer = await race.depots[0].get_license_update(
            ticket=order.ticket, targets=(), context=container.context(FIRM)
        )
    except LicensingError:
        return
    if answer.update is not None:
        await race.depots[0].confirm_license_update(receipt=container.import_update(answer.update).receipt)
