"""The rules over a real SQLite file, with real containers, a settable clock and a seeded random source."""

import asyncio
import random
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from containers import Container, SoftwareBox, load_trust
from licensing.alarms import Alarms
from licensing.catalogue import Catalogue
from licensing.depot import Depot, UpdateAnswer
from licensing.losses import Losses
from licensing.orders import OrderLine, OrderReceipt, OrderRequest, Sales
from licensing.pushing import Pushing
from licensing.transfers.carrying import Carrier
from licensing.transfers.journal import Journal
from licensing.transfers.planning import Target
from licensing.vault import Vault
from licensing.watching import Watcher
from storage import Storage
from storage.records import Shop

FIRM, OTHER_FIRM = 10, 20


class DeviceBox:
    """A Firm Security Box behind a device, which one waits for: steps are reserved before they are signed."""

    waits = True

    def __init__(self, box: SoftwareBox) -> None:
        self._box = box
        self.root_certificate_pem = box.root_certificate_pem

    def certificate(self, firm_code: int) -> bytes:
        return self._box.certificate(firm_code)

    def sign(self, firm_code: int, data: bytes) -> bytes:
        return self._box.sign(firm_code, data)


@dataclass
class World:
    """Everything a test of the rules needs."""

    folder: Path
    storage: Storage
    vault: Vault
    box: SoftwareBox | DeviceBox
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    rng: random.Random = field(default_factory=lambda: random.Random(1))
    shops: dict[str, Shop] = field(default_factory=dict)
    orders: int = 0
    alarms: Alarms = field(default_factory=Alarms)
    journal: Journal | None = None

    def clock(self) -> datetime:
        self.now += timedelta(milliseconds=5)
        return self.now

    def random(self, count: int) -> bytes:
        return self.rng.randbytes(count)

    def behind_a_device(self) -> "World":
        """The same world where signing waits for a device."""
        assert isinstance(self.box, SoftwareBox)
        return replace(self, box=DeviceBox(self.box))

    def depot(self, storage: Storage | None = None) -> Depot:
        return Depot(carrier=self.carrier(storage), vault=self.vault)

    def pushing(self, watcher: Watcher | None = None) -> Pushing:
        watcher = watcher or Watcher(self.storage)
        return Pushing(
            carrier=replace(self.carrier(), changed=watcher.nudge),
            depot=self.depot(),
            watcher=watcher,
            monotonic=asyncio.get_running_loop().time,
        )

    def pushing_without_waiting(self) -> Pushing:
        return Pushing(carrier=self.carrier(), depot=self.depot(), watcher=Watcher(self.storage), monotonic=lambda: 0.0)

    def losses(self) -> Losses:
        return Losses(carrier=self.carrier(), vault=self.vault, random=self.random)

    def carrier(self, storage: Storage | None = None) -> Carrier:
        return Carrier(
            storage=storage or self.storage,
            box=self.box,
            trust=load_trust(self.box.root_certificate_pem),
            clock=self.clock,
            alarms=self.alarms,
            journal=self.journal,
            vault=self.vault,
        )

    def sales(self, collect_url: str | None = None) -> Sales:
        return Sales(
            storage=self.storage, vault=self.vault, clock=self.clock, random=self.random, collect_url=collect_url
        )

    def catalogue(self) -> Catalogue:
        return Catalogue(storage=self.storage, vault=self.vault, clock=self.clock, random=self.random)

    def container(self, name: str = "c") -> Container:
        return Container.create(
            self.folder / f"{name}.json",
            trust_pem=self.box.root_certificate_pem,
            clock=self.clock,
            random=self.random,
        )

    def opened(self, name: str) -> Container:
        return Container.open(self.folder / f"{name}.json", clock=self.clock, random=self.random)

    async def order(self, quantity: int = 1, *, item: str = "A", original: str | None = None) -> OrderReceipt:
        self.orders += 1
        return await self.sales().create_order(
            shop=self.shops["shop"],
            request=OrderRequest(
                transaction_id=f"t-{self.orders}",
                order_number=f"n-{self.orders}",
                original_order_number=original,
                lines=(OrderLine(item_number=item, quantity=quantity),),
            ),
        )

    async def ask(self, receipt: OrderReceipt, context: bytes, *targets: tuple[int, int | None]) -> UpdateAnswer:
        return await self.depot().get_license_update(
            ticket=receipt.ticket,
            targets=tuple(
                Target(license_id=receipt.licenses[place].license_id, quantity=quantity) for place, quantity in targets
            ),
            context=context,
        )

    async def confirm(self, receipt: bytes) -> str:
        return (await self.depot().confirm_license_update(receipt=receipt)).state

    async def return_to_depot(self, receipt: OrderReceipt, context: bytes) -> UpdateAnswer:
        return await self.depot().return_license(ticket=receipt.ticket, remainders=(), context=context)

    async def collected(self, receipt: OrderReceipt, container: Container, *targets: tuple[int, int | None]) -> None:
        answer = await self.ask(receipt, container.context(FIRM), *targets)
        assert await self.confirm(container.import_update(answer.update or b"").receipt) == "Confirmed"

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.folder / "depot.db")) as db, db:
            return db.execute(statement, values).fetchall()


def held(container: Container, firm_code: int = FIRM) -> int:
    return sum(entry.quantity for entry in container.listing(firm_code))
