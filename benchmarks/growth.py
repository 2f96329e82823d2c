"""The benchmark `growth`: is an order dearer when millions of orders are there already?

Two databases of one kind, a small and a large one, are filled by multiplying one real order, and then take new orders
in turn, through `open_storage` alone: no listener, no SOAP, which would hide what the database costs.
"""

import asyncio
import secrets
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import asyncpg

from benchmarks.contestants import CACHE
from benchmarks.multiplying import multiply_postgres, multiply_sqlite
from benchmarks.postgres import own_postgres
from benchmarks.report import Options, Record, Refused, Table, figure_of, this_machine
from licensing.orders import OrderLine, OrderRequest, Sales
from licensing.vault import Vault
from storage import Storage, open_storage
from storage.commands import AddItem, AddShop, InitialiseServer, OrderPreparation, Placed, PlaceOrder, PrepareOrder
from storage.records import AuditRow, Credential, Item, Shop

SMALL = 10_000
LARGE: Mapping[str, int] = {"sqlite": 2_000_000, "postgresql": 10_000_000}
CLIENTS = 256
WARM_UP = 5_000
MEASURED = 20_000
"""So many new orders are placed in a round, after those of the warm-up."""

NOW = datetime(2026, 1, 1, tzinfo=UTC)
VAULT = Vault(pepper=b"p" * 32, sealing_key=b"s" * 32, random=secrets.token_bytes)
ITEM = Item(item_number="A", firm_code=1, product_code=1, options="{}", rules="{}", active=True, created_at=NOW)
SHOP = Shop(shop_id="shop", name="shop", active=True, created_at=NOW)


@dataclass(frozen=True, kw_only=True)
class Run:
    """New orders on a database that holds `held` others and what the rounds before have added."""

    database: str
    round: int
    held: int
    rps: float

    def as_dict(self) -> dict[str, str | float]:
        """Give the fields by name, for the record."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A database that holds so many orders."""

    location: str
    held: int
    bytes: int


def run(options: Options) -> Record:
    """Compare the orders a second of a database with millions of orders and of one with ten thousand."""
    chosen = [name for name in LARGE if not options.only or name in options.only]
    if not chosen:
        raise Refused(f"no such database: {', '.join(options.only)}; there are {', '.join(LARGE)}")
    runs: list[Run] = []
    sizes: list[tuple[str, str, str]] = []
    for database in chosen:
        large = options.orders or LARGE[database]
        with _FILLING[database]() as fill:
            filled = [asyncio.run(fill(held)) for held in (SMALL, large)]
            sizes += [(database, f"{one.held:,}", f"{one.bytes / 2**20:,.0f}") for one in filled]
            for number in range(1, options.rounds + 1):
                for one in filled:
                    rps = asyncio.run(_ordered(one.location))
                    print(f"round {number}/{options.rounds}: {database} with {one.held:,}: {rps:,.0f}/s", flush=True)
                    runs.append(Run(database=database, round=number, held=one.held, rps=rps))
    return Record(
        name="growth",
        machine=this_machine(),
        versions={"sqlite": sqlite3.sqlite_version},
        runs=[one.as_dict() for one in runs],
        figures={f"slower_{database}": figure_of(_slower(runs, database)) for database in chosen},
        tables=(
            Table(title="Databases", columns=("database", "orders", "MiB"), rows=tuple(sizes)),
            Table(
                title="Orders a second: median (lowest..highest)",
                columns=("database", "orders", "orders/s"),
                rows=tuple(
                    (database, held, str(figure_of(one.rps for one in runs if _is(one, database, held))))
                    for database, held, _ in sizes
                ),
            ),
        ),
    )


def _is(one: Run, database: str, held: str) -> bool:
    return one.database == database and f"{one.held:,}" == held


def _slower(runs: Sequence[Run], database: str) -> Iterator[float]:
    """Give, for each round, the time for an order in the large database against the small one, less one."""
    mine = [one for one in runs if one.database == database]
    for small, large in zip(mine[::2], mine[1::2], strict=True):
        yield small.rps / large.rps - 1


class _Recording:
    """Stands where a storage does and keeps the commands that it is given."""

    def __init__(self) -> None:
        self.commands: list[PlaceOrder] = []

    async def query(self, _query: PrepareOrder) -> OrderPreparation:
        return OrderPreparation(answer=None, items=(ITEM,), original_ticket=None)

    async def execute(self, command: PlaceOrder) -> Placed:
        self.commands.append(command)
        return Placed()


async def _new_orders(count: int) -> list[PlaceOrder]:
    """Make commands as the rules make them, so that the rules take no time while the database is measured."""
    recording = _Recording()
    sales = Sales(
        storage=cast("Storage", recording), vault=VAULT, clock=lambda: datetime.now(UTC), random=secrets.token_bytes
    )
    for _ in range(count):
        name = secrets.token_hex(16)
        line = OrderLine(item_number=ITEM.item_number, quantity=1)
        await sales.create_order(shop=SHOP, request=OrderRequest(transaction_id=name, order_number=name, lines=(line,)))
    return recording.commands


async def _stocked(storage: Storage) -> None:
    audit = AuditRow(at=NOW, actor="benchmark", action="Add", subject="benchmark", details="{}")
    await storage.execute(InitialiseServer(epoch=1, key_fingerprint=VAULT.fingerprint(), at=NOW))
    credential = Credential(
        credential_id="credential", shop_id=SHOP.shop_id, kind="api-key", lookup=b"benchmark", created_at=NOW
    )
    await storage.execute(AddShop(shop=SHOP, credential=credential, audit=audit))
    await storage.execute(AddItem(item=ITEM, audit=audit))


async def _ordered(location: str) -> float:
    """Place so many new orders as fast as it goes and give the orders a second."""
    commands = await _new_orders(WARM_UP + MEASURED)
    storage = await open_storage(location)
    try:
        await _place(storage, commands[:WARM_UP])
        begun = time.monotonic()
        await _place(storage, commands[WARM_UP:])
        return MEASURED / (time.monotonic() - begun)
    finally:
        await storage.close()


async def _place(storage: Storage, commands: Sequence[PlaceOrder]) -> None:
    waiting = iter(commands)

    async def client() -> None:
        for command in waiting:
            if not isinstance(await storage.execute(command), Placed):
                raise Refused("an order that nobody had sent before was not placed")

    await asyncio.gather(*(client() for _ in range(CLIENTS)))


async def _template(location: str) -> None:
    storage = await open_storage(location)
    try:
        await _stocked(storage)
        await _place(storage, await _new_orders(1))
    finally:
        await storage.close()


def _tell_filled(database: str, held: int, begun: float) -> None:
    print(f"{database}: {held:,} orders in {time.monotonic() - begun:,.0f} s", flush=True)


Fill = Callable[[int], Any]


@contextmanager
def _filling_sqlite() -> Iterator[Fill]:
    CACHE.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="growth-", dir=CACHE))

    async def fill(held: int) -> Filled:
        path = folder / f"{held}.sqlite3"
        await _template(str(path))
        begun = time.monotonic()
        multiply_sqlite(path, held)
        _tell_filled("SQLite", held, begun)
        return Filled(location=str(path), held=held, bytes=path.stat().st_size)

    try:
        yield fill
    finally:
        shutil.rmtree(folder)


@contextmanager
def _filling_postgres() -> Iterator[Fill]:
    with own_postgres(shared_buffers="2GB", max_wal_size="8GB", checkpoint_timeout="15min", autovacuum="on") as server:

        async def fill(held: int) -> Filled:
            location = server.address(await asyncio.to_thread(server.new_database))
            await _template(location)
            begun = time.monotonic()
            await multiply_postgres(location, held)
            _tell_filled("PostgreSQL", held, begun)
            connection = await asyncpg.connect(location)
            try:
                size = await connection.fetchval("SELECT pg_database_size(current_database())")
            finally:
                await connection.close()
            return Filled(location=location, held=held, bytes=size)

        yield fill


_FILLING: Mapping[str, Callable[[], Any]] = {"sqlite": _filling_sqlite, "postgresql": _filling_postgres}
