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
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
from rich.progress import Progress

from benchmarks.contestants import CACHE
from benchmarks.postgres import own_postgres
from benchmarks.report import Options, Record, Refused, Table, figure_of, this_machine
from licensing.orders import OrderLine, OrderRequest, Sales
from licensing.vault import Vault
from storage import Storage, open_storage
from storage.commands import AddItem, AddShop, InitialiseServer
from storage.records import AuditRow, Credential, Item, Shop

SMALL = 10_000
LARGE: Mapping[str, int] = {"sqlite": 2_000_000, "postgresql": 10_000_000}
CLIENTS = 256
CHUNK = 250_000
NOW = datetime(2026, 1, 1, tzinfo=UTC)
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
    """New orders for some seconds on a database that holds `held` others."""

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
                    rps = asyncio.run(_ordered(one.location, seconds=options.seconds, warm_up=options.warm_up_seconds))
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


@asynccontextmanager
async def _selling(location: str) -> AsyncIterator[Sales]:
    storage = await open_storage(location)
    try:
        vault = Vault(pepper=b"p" * 32, sealing_key=b"s" * 32, random=secrets.token_bytes)
        await _stocked(storage, vault)
        yield Sales(storage=storage, vault=vault, clock=lambda: datetime.now(UTC), random=secrets.token_bytes)
    finally:
        await storage.close()


async def _stocked(storage: Storage, vault: Vault) -> None:
    audit = AuditRow(at=NOW, actor="benchmark", action="Add", subject="benchmark", details="{}")
    await storage.execute(InitialiseServer(epoch=1, key_fingerprint=vault.fingerprint(), at=NOW))
    credential = Credential(
        credential_id="credential", shop_id=SHOP.shop_id, kind="api-key", lookup=b"benchmark", created_at=NOW
    )
    await storage.execute(AddShop(shop=SHOP, credential=credential, audit=audit))
    item = Item(item_number="A", firm_code=1, product_code=1, options="{}", rules="{}", active=True, created_at=NOW)
    await storage.execute(AddItem(item=item, audit=audit))


def _request() -> OrderRequest:
    name = secrets.token_hex(16)
    return OrderRequest(transaction_id=name, order_number=name, lines=(OrderLine(item_number="A", quantity=1),))


async def _ordered(location: str, *, seconds: float, warm_up: float) -> float:
    """Order as fast as it goes and give the orders a second."""
    async with _selling(location) as sales:
        for length in (warm_up, seconds):
            count, begun = 0, time.monotonic()

            async def order(until: float) -> int:
                done = 0
                while time.monotonic() < until:
                    await sales.create_order(shop=SHOP, request=_request())
                    done += 1
                return done

            count = sum(await asyncio.gather(*(order(begun + length) for _ in range(CLIENTS))))
            rate = count / (time.monotonic() - begun)
    return rate


async def _template(location: str) -> None:
    async with _selling(location) as sales:
        await sales.create_order(shop=SHOP, request=_request())


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


Fill = Callable[[int], Any]


@contextmanager
def _filling_sqlite() -> Iterator[Fill]:
    folder = Path(tempfile.mkdtemp(prefix="growth-", dir=CACHE))

    async def fill(held: int) -> Filled:
        path = folder / f"{held}.sqlite3"
        await _template(str(path))
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
