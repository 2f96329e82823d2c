"""Storages under test and values to put into them."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from places import Place, PostgresPlace, SqlitePlace, dump_of
from postgres_server import PostgresServer, run_apart, started_server

from storage import Storage, open_storage
from storage.audit import AuditHead, AuditLink, Lease, LoadUnsealed, SealAudit, SealedRow, UnsealedAudit
from storage.commands import (
    AddItem,
    AddShop,
    ApplyTransfer,
    Command,
    InitialiseServer,
    LoadTransfer,
    PlaceOrder,
    StoreSigned,
    TransferView,
)
from storage.erasure import EraseOrders
from storage.outbox import OutboxMessage
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

    def seal(self, found: UnsealedAudit, *, owner: str = "one", now: datetime = NOW) -> SealAudit:
        """Seal what was found; the bytes have no meaning."""
        rows = tuple(
            SealedRow(
                link=AuditLink(position=place, audit_id=entry.audit_id, details_digest=b"details", digest=b"digest"),
                salt=b"salt",
                seal=f"link {place}".encode(),
                erased=entry.erased,
            )
            for place, entry in enumerate(found.entries, found.head.position + 1)
        )
        position = found.head.position + len(rows)
        return SealAudit(
            lease=Lease(owner=owner, now=now, until=now + timedelta(seconds=10)),
            after=found.head.position,
            rows=rows,
            head=AuditHead(
                position=position, link=f"link {position}".encode(), sealed_at=now, public_key=b"key", signature=b"by"
            ),
        )

    def message(self, key: str = "K", *, channel: str = "webhook", order_id: str | None = None) -> OutboxMessage:
        return OutboxMessage(
            message_id=self.id("message"),
            channel=channel,
            key=key,
            kind="order.placed",
            order_id=order_id,
            content_sealed=b"sealed",
            created_at=NOW,
        )

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


BACKENDS = ("sqlite", "postgres")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What is said of every storage is tested on all of them, the rest on the one that the file is named after."""
    if "backend" in metafunc.fixturenames:
        own = [name for name in BACKENDS if metafunc.module.__name__.rpartition(".")[2].startswith(f"test_{name}")]
        metafunc.parametrize("backend", own or BACKENDS)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The server for all tests that do not break it. It does not fsync: no test of it crashes the machine."""
    server = started_server(durable=False)
    yield server
    server.remove()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """The name of a migrated database that is copied for each test."""

    async def migrate(location: str) -> None:
        storage = await open_storage(location)
        await storage.close()

    name = postgres_server.new_database()
    run_apart(migrate, postgres_server.address(name))
    return name


@pytest.fixture
def place(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where the storage under test keeps its data, for tests that look behind it."""
    if backend == "sqlite":
        yield SqlitePlace(tmp_path / "depot.db")
        return
    server = request.getfixturevalue("postgres_server")
    name = server.new_database(request.getfixturevalue("postgres_template"))
    yield PostgresPlace(server, name)
    server.run(f"DROP DATABASE {name} WITH (FORCE)", database="postgres")


@pytest.fixture
def database(place: Place) -> Path | str:
    """What `open_storage` is given for the storage under test."""
    return place.location


@pytest.fixture
async def open_node(database: Path | str) -> AsyncIterator[Callable[..., Awaitable[Storage]]]:
    """A function that opens the database under test once more, as another node would."""
    async with AsyncExitStack() as opened:

        async def opening(**options: object) -> Storage:
            storage = await open_storage(database, **options)
            opened.push_async_callback(storage.close)
            return storage

        yield opening


@pytest.fixture
async def storage(open_node: Callable[..., Awaitable[Storage]]) -> Storage:
    """Every storage that the conformance suite is about, empty."""
    return await open_node()


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


@pytest.fixture
def dump(place: Place):
    """A function that returns all rows of the database under test."""
    return lambda: dump_of(place)


@pytest.fixture
def dumping():
    """A function from a SQLite file to all rows of all its tables."""
    return lambda path: dump_of(SqlitePlace(path))


@pytest.fixture
def behind(place: Place):
    """Run one statement on the database behind the storage's back; returns the rows."""
    return place.run


@pytest.fixture
async def prepared(storage: Storage, make: Make) -> dict[str, Command]:
    """The database under test, stocked and closed again, and one command of each kind that it can carry out."""
    epoch = make.epoch
    await storage.execute(make.shop("acme"))
    await storage.execute(make.item("ITEM-1"))
    order = make.order(number="N-0", quantity=3, items=("ITEM-1", "ITEM-1"))
    await storage.execute(order)
    steps = (make.step((epoch, 1), (0, 0), kind="Reset"), make.step((epoch, 2), (epoch, 1)))
    await storage.execute(make.apply(make.container(base=(epoch, 1), end=(epoch, 2)), steps=steps))
    seal = make.seal(await storage.query(LoadUnsealed(limit=10)))
    await storage.close()
    lines = [line.license_id for line in order.licenses]
    return {
        "initialise": make.initialise(),
        "item": make.item("ITEM-9"),
        "shop": make.shop("corp"),
        "order": make.order(number="N-1", items=("ITEM-1", "ITEM-1", "ITEM-1")),
        "transfer": make.apply(
            make.container(version=1, base=(epoch, 1), end=(epoch, 4)),
            context=make.context(1),
            license_versions=dict.fromkeys(lines, 1),
            placements=tuple(make.placement(line, wanted=1, occupied=1) for line in lines),
            steps=(make.step((epoch, 3), (epoch, 2)), make.step((epoch, 4), (epoch, 3))),
            transfer=make.transfer(b"key", (epoch, 2), (epoch, 4)),
            audit=make.audit(),
        ),
        "signed": StoreSigned(serial="130-1", firm_code=10, signed=(((epoch, 1), b"one"), ((epoch, 2), b"two"))),
        "seal": seal,
        "erase": EraseOrders(
            order_ids=(order.order.order_id,),
            operation="CreateOrder",
            at=NOW,
            audit=replace(make.audit(), action="ErasePersonalData"),
            swept_to=order.order.order_id,
        ),
        "told": replace(make.order(number="N-2"), messages=(make.message("K"), make.message("L"), make.message("K"))),
    }


@pytest.fixture
def runner():
    """Run a coroutine in a loop of its own, for property tests, which are no coroutines."""
    return asyncio.run
