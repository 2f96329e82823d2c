"""The benchmark `growth`: is an order dearer when millions of orders are there already?

Two databases of one kind, a small and a large one, are filled by multiplying one real order, and then take new orders
in turn, through `open_storage` alone: no listener, no SOAP, which would hide what the database costs.
"""

import asyncio
import hashlib
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
from rich.progress import Progress

from benchmarks.contestants import CACHE
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
CHUNK = 250_000
WARM_UP = 5_000
MEASURED = 20_000
"""So many new orders are placed in a round, after those of the warm-up."""

NOW = datetime(2026, 1, 1, tzinfo=UTC)
VAULT = Vault(pepper=b"p" * 32, sealing_key=b"s" * 32, random=secrets.token_bytes)
ITEM = Item(item_number="A", firm_code=1, product_code=1, options="{}", rules="{}", active=True, created_at=NOW)
SHOP = Shop(shop_id="shop", name="shop", active=True, created_at=NOW)

MULTIPLIED: Mapping[str, Mapping[str, str]] = {
    "tickets": {"ticket_id": "id:t", "lookup": "random"},
    "orders": {"order_id": "id:o", "ticket_id": "id:t", "transaction_id": "name:x", "order_number": "name:n"},
    "answers": {"transaction_id": "name:x"},
    "licenses": {"license_id": "id:l", "order_id": "id:o", "ticket_id": "id:t"},
    "audit": {"audit_id": "id:a", "subject": "id:o"},
}
"""The tables that an order is written to, and which columns are other ones in each order: `id` is time-ordered, as the
server's own ids are, `name` is a shop's own and comes in no order; the letter after it keeps them apart."""


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


def _chunks(held: int, title: str) -> Iterator[tuple[int, int]]:
    with Progress() as progress:
        task = progress.add_task(title, total=held)
        for first in range(2, held + 1, CHUNK):
            last = min(held, first + CHUNK - 1)
            yield first, last
            progress.update(task, completed=last)


def _multiplying(
    table: str, columns: Sequence[str], expressions: Mapping[str, Callable[[str], str]], source: str
) -> str:
    """Give the statement that writes a row of a table for each number `n` of `source`, like one that is in it."""
    other = MULTIPLIED[table]
    values = []
    for column in columns:
        kind, _, letter = other.get(column, "").partition(":")
        values.append(f"template.{column}" if not kind else expressions[kind](letter))
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} "
        f"FROM (SELECT * FROM {table} LIMIT 1) AS template, {source}"
    )


def multiply_sqlite(path: Path, held: int) -> None:
    """Let a database that holds one order hold so many, each like the first with names of its own."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.create_function("name", 2, lambda letter, n: hashlib.md5(f"{letter}{n}".encode()).hexdigest())
    connection.execute("PRAGMA synchronous = OFF")
    expressions: Mapping[str, Callable[[str], str]] = {
        "id": lambda letter: f"printf('%012x-{letter}-%020d', n, n)",
        "name": lambda letter: f"name('{letter}', n)",
        "random": lambda _: "randomblob(32)",
    }
    for first, last in _chunks(held, f"SQLite, {held:,} orders"):
        source = (
            f"(WITH RECURSIVE numbers (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n < {last}) "
            "SELECT n FROM numbers)"
        )
        connection.execute("BEGIN")
        for table in MULTIPLIED:
            found = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            # SQLite numbers the audit rows by itself.
            columns = [column for column in found if column != "audit_id"]
            connection.execute(_multiplying(table, columns, expressions, source))
        connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.execute("ANALYZE")
    connection.close()


Fill = Callable[[int], Any]


@contextmanager
def _filling_sqlite() -> Iterator[Fill]:
    CACHE.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="growth-", dir=CACHE))

    async def fill(held: int) -> Filled:
        path = folder / f"{held}.sqlite3"
        await _template(str(path))
        multiply_sqlite(path, held)
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
            connection = await asyncpg.connect(location, command_timeout=3600)
            expressions: Mapping[str, Callable[[str], str]] = {
                "id": lambda letter: f"lpad(to_hex(n), 12, '0') || '-{letter}-' || lpad(n::text, 20, '0')",
                "name": lambda letter: f"md5('{letter}' || n)",
                "random": lambda _: "sha256(n::text::bytea)",
            }
            try:
                # The rows fit by how they are made; checking each against the others would take most of the time.
                await connection.execute("SET session_replication_role = replica")
                for first, last in _chunks(held, f"PostgreSQL, {held:,} orders"):
                    for table in MULTIPLIED:
                        found = await connection.fetch(
                            "SELECT column_name FROM information_schema.columns WHERE table_name = $1", table
                        )
                        source = f"(SELECT generate_series({first}, {last}) AS n) AS numbers"
                        columns = [row[0] for row in found]
                        await connection.execute(_multiplying(table, columns, expressions, source))
                await connection.execute("VACUUM ANALYZE")
                await connection.execute("CHECKPOINT")
                size = await connection.fetchval("SELECT pg_database_size(current_database())")
            finally:
                await connection.close()
            return Filled(location=location, held=held, bytes=size)

        yield fill


_FILLING: Mapping[str, Callable[[], Any]] = {"sqlite": _filling_sqlite, "postgresql": _filling_postgres}
