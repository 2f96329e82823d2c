"""The benchmark `growth`: is an order dearer when millions of orders are there already?

Two databases of one kind, a small and a large one, are filled by multiplying one real order, and then take new orders
in turn: through the whole server (`benchmarks/growing.py`), and through `open_storage` alone, without a listener and
SOAP, which hide what the database costs. The small one is a new copy each time, so that it stays small.
"""

import asyncio
import contextlib
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
from typing import cast

from benchmarks.contestants import CACHE, need_packages
from benchmarks.growing import Depot
from benchmarks.messages import ITEMS
from benchmarks.postgres import own_postgres
from benchmarks.report import Options, Record, Refused, Table, figure_of, this_machine
from licensing.orders import OrderLine, OrderRequest, Sales
from licensing.vault import Vault
from storage import Storage, open_storage
from storage.commands import (
    AddItem,
    AddShop,
    FindItem,
    InitialiseServer,
    OrderPreparation,
    Placed,
    PlaceOrder,
    PrepareOrder,
    ShowShop,
)
from storage.records import AuditRow, Credential, Item, Shop

SMALL = 10_000
LARGE: Mapping[str, int] = {"sqlite": 2_000_000, "postgresql": 10_000_000}
CLIENTS = 256
WARM_UP = 5_000
MEASURED = 20_000
"""So many new orders are placed in a round through the storage alone, after those of the warm-up."""
STEADY = 0.03
MOST_LOADS = 40
"""A large database is loaded until three loads in turn bring no more than this share, but at most so many times."""

NOW = datetime(2026, 1, 1, tzinfo=UTC)
VAULT = Vault(pepper=b"p" * 32, sealing_key=b"s" * 32, random=secrets.token_bytes)
ITEM = Item(item_number="A", firm_code=1, product_code=1, options="{}", rules="{}", active=True, created_at=NOW)
SHOP = Shop(shop_id="shop", name="shop", active=True, created_at=NOW)


@dataclass(frozen=True, kw_only=True)
class Run:
    """New orders on a database that holds `held` others and, where it is the large one, what was added before.

    `through` is the server or the storage. Processor time of server and database, in microseconds, and the bytes that
    were written are those for an order, through the server.
    """

    database: str
    through: str
    round: int
    held: int
    rps: float
    cpu_us: float = 0.0
    database_cpu_us: float = 0.0
    written_bytes: float = 0.0

    def as_dict(self) -> dict[str, str | float]:
        """Give the fields by name, for the record."""
        return asdict(self)


def run(options: Options) -> Record:
    """Compare the orders a second of a database with millions of orders and of one with ten thousand."""
    chosen = [name for name in LARGE if not options.only or name in options.only]
    if not chosen:
        raise Refused(f"no such database: {', '.join(options.only)}; there are {', '.join(LARGE)}")
    need_packages({"wrk": ["wrk"]})
    runs: list[Run] = []
    sizes: list[tuple[str, ...]] = []
    for database in chosen:
        with _filled(database, options.orders or LARGE[database]) as (small, large):
            sizes += [(database, f"{one.held:,}", f"{one.bytes / 2**20:,.0f}") for one in (small, large)]
            settling = _settle(large, options)
            sizes[-1] += (" ".join(f"{rps:,.0f}" for rps in settling),)
            for number in range(1, options.rounds + 1):
                runs += _round(database, small, large, number, options)
    return Record(
        name="growth",
        machine=this_machine(),
        versions={"sqlite": sqlite3.sqlite_version},
        runs=[one.as_dict() for one in runs],
        figures={
            f"slower_{database}{'' if through == 'server' else '_storage'}": figure_of(
                _slower([one for one in runs if (one.database, one.through) == (database, through)])
            )
            for database in chosen
            for through in ("server", "storage")
        },
        tables=(
            Table(
                title="Databases, and orders a second of each load until the rate was steady",
                columns=("database", "orders", "MiB", "orders/s"),
                rows=tuple((*size, "")[:4] for size in sizes),
            ),
            _table(runs),
        ),
    )


def _slower(runs: Sequence[Run]) -> Iterator[float]:
    """Give, for each round, the time for an order in the large database against the small one, less one."""
    for small, large in zip(runs[::2], runs[1::2], strict=True):
        yield small.rps / large.rps - 1


def _table(runs: Sequence[Run]) -> Table:
    measures: dict[str, Callable[[Run], float]] = {
        "orders/s": lambda one: one.rps,
        "CPU us": lambda one: one.cpu_us,
        "database CPU us": lambda one: one.database_cpu_us,
        "bytes written": lambda one: one.written_bytes,
    }
    kinds = dict.fromkeys((one.database, one.through, one.held) for one in runs)
    return Table(
        title="New orders: median (lowest..highest)",
        columns=("database", "through", "orders", *measures),
        rows=tuple(
            (
                *(kind[0], kind[1], f"{kind[2]:,}"),
                *(
                    str(figure_of(measure(one) for one in runs if (one.database, one.through, one.held) == kind))
                    for measure in measures.values()
                ),
            )
            for kind in kinds
        ),
    )


def _settle(large: Depot, options: Options) -> list[float]:
    """Load a database until its rate is steady; give the orders a second of each load.

    What is touched first after a checkpoint is read from the disk, and goes to PostgreSQL's log as a whole page.
    """
    rates: list[float] = []
    with large.served() as (_, port):
        while len(rates) < MOST_LOADS and (len(rates) < 4 or max(rates[-3:]) > rates[-4] * (1 + STEADY)):
            load = large.loaded(port, seconds=options.seconds)
            rates.append(load.requests / load.seconds)
            print(f"{large.held:,} orders, not measured: {rates[-1]:,.0f}/s", flush=True)
    return rates


def _round(database: str, small: Depot, large: Depot, number: int, options: Options) -> list[Run]:
    runs: list[Run] = []
    measures: tuple[tuple[str, Callable[[Depot], Mapping[str, float]]], ...] = (
        ("server", lambda depot: _served(depot, options)),
        ("storage", lambda depot: {"rps": asyncio.run(_ordered(depot.location))}),
    )
    for through, measure in measures:
        with small.copied(small.folder.with_name("copy")) as copy:
            found = [measure(copy), measure(large)]
        for depot, numbers in zip((small, large), found, strict=True):
            run = Run(database=database, through=through, round=number, held=depot.held, **numbers)
            print(
                f"round {number}/{options.rounds}: {database} with {run.held:,}, {through}: {run.rps:,.0f}/s",
                flush=True,
            )
            runs.append(run)
    return runs


def _served(depot: Depot, options: Options) -> dict[str, float]:
    with depot.served() as (pid, port):
        depot.loaded(port, seconds=options.warm_up_seconds)
        before = depot.used(pid)
        load = depot.loaded(port, seconds=options.seconds)
        server, database, written = (after - start for after, start in zip(depot.used(pid), before, strict=True))
    return {
        "rps": load.requests / load.seconds,
        "cpu_us": server / load.requests * 1e6,
        "database_cpu_us": database / load.requests * 1e6,
        "written_bytes": written / load.requests,
    }


@contextmanager
def _filled(database: str, large: int) -> Iterator[tuple[Depot, Depot]]:
    CACHE.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="growth-", dir=CACHE))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        server = None
        if database == "postgresql":
            server = stack.enter_context(
                own_postgres(shared_buffers="2GB", max_wal_size="8GB", checkpoint_timeout="15min", autovacuum="on")
            )
        depots = []
        for held in (SMALL, large):
            name = None if server is None else server.new_database()
            depot = Depot(folder=folder / str(held), held=held, postgres=server, database=name)
            depot.begin()
            begun = time.monotonic()
            depot.multiply()
            print(f"{database}: {held:,} orders in {time.monotonic() - begun:,.0f} s", flush=True)
            depots.append(depot)
        yield depots[0], depots[1]


class _Recording:
    """Stands where a storage does and keeps the commands that it is given."""

    def __init__(self, item: Item) -> None:
        self._item = item
        self.commands: list[PlaceOrder] = []

    async def query(self, _query: PrepareOrder) -> OrderPreparation:
        return OrderPreparation(answer=None, items=(self._item,), original_ticket=None)

    async def execute(self, command: PlaceOrder) -> Placed:
        self.commands.append(command)
        return Placed()


async def _new_orders(count: int, *, shop: Shop = SHOP, item: Item = ITEM) -> list[PlaceOrder]:
    """Make commands as the rules make them, so that the rules take no time while the database is measured."""
    recording = _Recording(item)
    sales = Sales(
        storage=cast("Storage", recording), vault=VAULT, clock=lambda: datetime.now(UTC), random=secrets.token_bytes
    )
    own = secrets.token_hex(6)
    for number in range(count):
        line = OrderLine(item_number=item.item_number, quantity=1)
        request = OrderRequest(transaction_id=secrets.token_hex(16), order_number=f"{own}-{number:08}", lines=(line,))
        await sales.create_order(shop=shop, request=request)
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
    storage = await open_storage(location)
    try:
        view = await storage.query(ShowShop(name="benchmark"))
        item = await storage.query(FindItem(item_number=ITEMS[0]))
        if view is None or item is None:
            raise Refused("the shop and the items of the benchmark are not in its database")
        commands = await _new_orders(WARM_UP + MEASURED, shop=view.shop, item=item)
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
