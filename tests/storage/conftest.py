"""Storages under test and values to put into them."""

import itertools
import sqlite3
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage import Storage, open_storage
from storage.commands import AddItem, AddShop, ApplyTransfer, InitialiseServer, LoadTransfer, PlaceOrder, TransferView
from storage.records import (
    AuditRow,
    ContainerRow,
    ContextRow,
    Counter,
    Credential,
    Item,
    License,
    Mark,
    Order,
    Placement,
    Shop,
    StepRow,
    StoredAnswer,
    Ticket,
    TransferRow,
)

NOW = datetime(2027, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


class Make:
    """Valid values with ids that rise, so that a test names only what it is about."""

    now = NOW
    epoch = 1_800_000_000_000

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def id(self, prefix: str = "id") -> str:
        return f"{prefix}-{next(self._numbers):08d}"

    def audit(self, subject: str = "subject") -> AuditRow:
        return AuditRow(at=NOW, actor="actor", action="Act", subject=subject, details='{"n":1}')

    def initialise(self) -> InitialiseServer:
        return InitialiseServer(epoch=self.epoch, key_fingerprint=b"fingerprint", at=NOW)

    def shop(self, name: str = "acme", *, active: bool = True) -> AddShop:
        return AddShop(
            shop=Shop(shop_id=f"shop-{name}", name=name, active=active, created_at=NOW),
            credential=Credential(
                credential_id=self.id("credential"),
                shop_id=f"shop-{name}",
                kind="ApiKey",
                lookup=f"key of {name}".encode(),
                created_at=NOW,
            ),
            audit=self.audit(name),
        )

    def item(self, number: str = "ITEM-1", *, firm_code: int = 10, active: bool = True) -> AddItem:
        item = Item(
            item_number=number,
            firm_code=firm_code,
            product_code=13,
            options='{"featureMap":1}',
            rules="{}",
            active=active,
            created_at=NOW,
        )
        return AddItem(item=item, audit=self.audit(number))

    def order(
        self,
        *,
        shop: str = "acme",
        transaction: str | None = None,
        number: str | None = None,
        ticket: Ticket | None = None,
        items: Sequence[str] = ("ITEM-1",),
        quantity: int = 1,
        firm_code: int = 10,
    ) -> PlaceOrder:
        order_id, transaction = self.id("order"), transaction or self.id("transaction")
        new = None
        if ticket is None:
            name = self.id("ticket")
            new = Ticket(ticket_id=name, lookup=f"lookup {name}".encode(), sealed=b"sealed", created_at=NOW)
        ticket_id = (ticket or new).ticket_id
        return PlaceOrder(
            answer=StoredAnswer(
                shop_id=f"shop-{shop}",
                operation="CreateOrder",
                transaction_id=transaction,
                request_hash=b"hash",
                answer_sealed=f"answer of {order_id}".encode(),
                created_at=NOW,
            ),
            order=Order(
                order_id=order_id,
                shop_id=f"shop-{shop}",
                transaction_id=transaction,
                order_number=number,
                ticket_id=ticket_id,
                customer_sealed=b"customer",
                created_at=NOW,
            ),
            ticket=new,
            licenses=tuple(
                License(
                    license_id=self.id("license"),
                    order_id=order_id,
                    line_number=line,
                    ticket_id=ticket_id,
                    item_number=item,
                    firm_code=firm_code,
                    product_code=13,
                    quantity=quantity,
                    generation=1,
                    options='{"featureMap":1}',
                    extends_license_id=None,
                    withdrawn=False,
                    version=1,
                    created_at=NOW,
                )
                for line, item in enumerate(items, 1)
            ),
            audit=self.audit(order_id),
        )

    def container(self, serial: str = "130-1", *, firm_code: int = 10, **changes: object) -> ContainerRow:
        row = ContainerRow(
            serial=serial,
            firm_code=firm_code,
            kind="software",
            public_key=b"public key",
            version=0,
            mark=Mark.OK,
            epoch=0,
            base=(0, 0),
            confirmed=(0, 0),
            confirmed_state=b"<state/>",
            end=(0, 0),
            end_state=b"<state/>",
            newest_export=0,
            newest_nonce=b"",
        )
        return replace(row, **changes)

    def context(
        self, export: int, counter: Counter = (0, 0), *, serial: str = "130-1", **changes: object
    ) -> ContextRow:
        row = ContextRow(
            serial=serial,
            firm_code=10,
            export=export,
            nonce=f"nonce {export}".encode(),
            counter=counter,
            digest=b"digest",
            received_at=NOW,
        )
        return replace(row, **changes)

    def step(self, counter: Counter, from_counter: Counter, *, serial: str = "130-1", **changes: object) -> StepRow:
        row = StepRow(
            serial=serial,
            firm_code=10,
            counter=counter,
            from_counter=from_counter,
            kind="Delta",
            digest_before=b"before",
            digest_after=b"after",
            state_after=b"<state/>",
            content=f"content of {counter}".encode(),
            signed=None,
            issued_at=NOW,
        )
        return replace(row, **changes)

    def transfer(self, key: bytes, from_counter: Counter, to_counter: Counter, *, serial: str = "130-1") -> TransferRow:
        return TransferRow(
            serial=serial,
            firm_code=10,
            key=key,
            action="GetLicenseUpdate",
            user_sealed=b"user",
            from_counter=from_counter,
            to_counter=to_counter,
            created_at=NOW,
        )

    def placement(
        self, license_id: str, *, wanted: int, occupied: int, confirmed: int = 0, serial: str = "130-1"
    ) -> Placement:
        return Placement(license_id=license_id, serial=serial, wanted=wanted, occupied=occupied, confirmed=confirmed)

    def apply(self, container: ContainerRow, **changes: object) -> ApplyTransfer:
        command = ApplyTransfer(
            container=container,
            context=None,
            license_versions={},
            placements=(),
            steps=(),
            transfer=None,
            audit=None,
        )
        return replace(command, **changes)


@pytest.fixture
def make() -> Make:
    return Make()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where the storage under test keeps its data, for tests that look behind it."""
    return tmp_path / "depot.db"


@pytest.fixture(params=["sqlite"])
async def storage(request: pytest.FixtureRequest, database: Path) -> AsyncIterator[Storage]:
    """Every storage that the conformance suite is about, empty."""
    opened = {"sqlite": open_storage}[request.param](database)
    opened = await opened
    yield opened
    await opened.close()


@pytest.fixture
async def stocked(storage: Storage, make: Make) -> Storage:
    """The storage under test, initialised, with the shops acme and bolt and two items."""
    await storage.execute(make.initialise())
    await storage.execute(make.shop("acme"))
    await storage.execute(make.shop("bolt"))
    await storage.execute(make.item("ITEM-1"))
    await storage.execute(make.item("ITEM-2"))
    return storage


@pytest.fixture
def load():
    """Read what a decision about a container needs."""

    async def loading(storage: Storage, *, serial: str = "130-1", **changes: object) -> TransferView:
        query = LoadTransfer(serial=serial, firm_code=10, context_counter=(0, 0), export=1)
        return await storage.query(replace(query, **changes))

    return loading


def dump_of(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables."""
    connection = sqlite3.connect(path)
    try:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr) for table in sorted(tables)}
    finally:
        connection.close()


@pytest.fixture
def dumping():
    """A function from a database file to all rows of all its tables."""
    return dump_of


@pytest.fixture
def dump(database: Path):
    """A function that returns all rows of the database under test."""
    return lambda: dump_of(database)


@pytest.fixture
def behind(database: Path):
    """Run one statement on the database behind the storage's back; returns the rows."""

    def run(sql: str) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(database)
        try:
            rows = connection.execute(sql).fetchall()
            connection.commit()
        finally:
            connection.close()
        return rows

    return run
