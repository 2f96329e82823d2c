"""While 1,000 extensions wait on a slow CRM, none holds a thread, a connection of the database or a lock.

Counted from outside: by the database, which is asked who is busy with it and who holds what, and by the process.
"""

import asyncio
import resource
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from crm import Crm, started
from extending import DATABASE
from postgres_server import PostgresServer, started_server
from test_extension_faults import World, opened_world

from licensing.extensions.questions import Eligibility, Question, Verdict
from licensing.extensions.values import ExtensionQuestion, ExtensionRequest
from licensing.order_values import OrderLine, OrderRequest
from server.cli.initialise import CONFIG
from server.core import utc_now
from server.ozomm.assembling import Assembler
from server.ozomm.configuration import OzommConfiguration

pytestmark = pytest.mark.slow

MANY, FEWER, A_FEW = 1000, 200, 3
LOOKS = 40
PATIENCE = 60


@dataclass(frozen=True, kw_only=True)
class Held:
    """What is held beyond what the process always has: threads, busy connections, locks."""

    threads: int
    connections: int
    locks: int


NOTHING = Held(threads=0, connections=0, locks=0)


@dataclass(kw_only=True)
class Scene:
    """A server's rules over a database, and how to see from outside what is held of it."""

    world: World
    look: Callable[[], tuple[int, int]]
    location: str
    tickets: list[str]

    async def held(self, threads: int) -> Held:
        """The least of some looks, a moment apart: who merely reads something now and then holds nothing."""
        looks = []
        for _ in range(LOOKS):
            looks.append(self.look())
            if looks[-1] == (0, 0):
                break
            await asyncio.sleep(0.02)
        return Held(
            threads=threading.active_count() - threads,
            connections=min(found for found, _ in looks),
            locks=min(found for _, found in looks),
        )

    async def threads(self) -> int:
        """How many threads there are once all that the process makes for its queries are at work."""
        await asyncio.gather(*(self.world.ends() for _ in range(50)))
        return threading.active_count()

    async def bought(self, count: int) -> None:
        shop, _ = await self.world.core.catalogue.add_shop("many")
        line = (OrderLine(item_number="EDITOR", quantity=1),)
        orders = [OrderRequest(transaction_id=f"m-{number}", lines=line) for number in range(count)]
        receipts = await asyncio.gather(
            *(self.world.core.sales.create_order(shop=shop, request=each) for each in orders)
        )
        self.tickets = [each.ticket for each in receipts]


def look_at_file(database: Path) -> tuple[int, int]:
    """Whether somebody reads a snapshot, which keeps the log from being emptied, and whether somebody may write."""
    with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as db:
        try:
            db.execute("BEGIN IMMEDIATE")
            db.execute("ROLLBACK")
            writing = 0
        except sqlite3.OperationalError:
            writing = 1
        try:
            busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError:
            busy = 1
    return int(busy), writing


def look_at_server(postgres: PostgresServer, database: str) -> tuple[int, int]:
    """How many connections are busy or in a transaction, and how many locks they hold."""
    ours = f"application_name IN ('opendepot', 'holding') AND datname = '{database}'"
    ((connections, locks),) = postgres.run(
        f"SELECT (SELECT count(*) FROM pg_stat_activity WHERE {ours} AND state <> 'idle'),"
        f" (SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE {ours})",
        database="postgres",
    )
    return int(str(connections)), int(str(locks))


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    server = started_server(durable=False)
    yield server
    server.remove()


@pytest.fixture(params=["SQLite", "PostgreSQL"])
async def scene(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        if request.param == "SQLite":
            database = folder / DATABASE
            world = await stack.enter_async_context(opened_world(folder))
            yield Scene(world=world, look=lambda: look_at_file(database), location=str(database), tickets=[])
            return
        postgres: PostgresServer = request.getfixturevalue("postgres")
        name = postgres.new_database()
        config = folder / CONFIG
        config.write_text(config.read_text().replace(f'"{DATABASE}"', f'"{postgres.address(name)}"'))
        (folder / DATABASE).unlink()
        world = await stack.enter_async_context(opened_world(folder))
        look = lambda: look_at_server(postgres, name)  # noqa: E731
        yield Scene(world=world, look=look, location=postgres.address(name), tickets=[])


@pytest.fixture
def many_files() -> Iterator[None]:
    """As many open files as the system lets a process have, which a server takes too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@asynccontextmanager
async def http_source(crm: Crm, folder: Path) -> AsyncIterator[Eligibility]:
    """The CRM as a rule has it, which may be asked as much at once as there is."""
    source = {"kind": "http", "url": f"{crm.url}/ask", "seconds": 300, "at_once": MANY + 1}
    configuration = OzommConfiguration(
        sources={"crm": source},  # type: ignore[dict-item]
        rules=({"items": ["*"], "eligibility": "crm"},),  # type: ignore[arg-type]
        lease_seconds=400,
    )
    async with AsyncExitStack() as stack:
        assembler = Assembler(
            configuration, folder=folder, stack=stack, clock=utc_now, monotonic=time.monotonic, told=lambda *_: None
        )
        (rule,) = await assembler.rules()
        yield rule.eligibility


@pytest.mark.usefixtures("many_files")
async def test_a_thousand_extensions_wait_on_a_crm_and_hold_nothing(scene: Scene, folder: Path) -> None:
    world, crm, go = scene.world, Crm(), asyncio.Event()

    async def slowly() -> dict[str, Any]:
        await go.wait()
        return {"eligible": False}

    runner = await started(crm)
    async with http_source(crm, folder) as source:
        world.source = source
        many = FEWER if "://" in scene.location else MANY  # it takes PostgreSQL longer to write so many
        await scene.bought(many)
        engine = world.engine()
        assert (await engine.extend(world.request())).state == "Extended"
        threads = await scene.threads()
        crm.answer = lambda _: slowly()
        requests = [ExtensionRequest(transaction_id="x", ticket=ticket) for ticket in scene.tickets]
        asking = [asyncio.create_task(engine.extend(each)) for each in requests]
        async with asyncio.timeout(PATIENCE):
            while crm.waiting < many:  # noqa: ASYNC110  nothing tells of it
                await asyncio.sleep(0.01)

        assert engine.running == many
        assert await scene.held(threads) == NOTHING
        # What is held by nobody is there for others: the database answers, and another extension is carried out.
        await asyncio.wait_for(world.core.storage.ready(), 5)
        crm.answer = lambda _: {"eligible": True}
        before = await world.ends()
        again = ExtensionRequest(transaction_id="beside them", ticket=world.ticket)
        assert (await asyncio.wait_for(engine.extend(again), PATIENCE)).state == "Extended"
        assert await world.ends() == before + timedelta(days=365)
        assert (engine.running, crm.waiting) == (many, many)

        go.set()
        await asyncio.gather(*asking)
        await engine.idle()
        answer = await engine.get(ExtensionQuestion(transaction_id="x", ticket=scene.tickets[-1]))
        assert (answer.state, answer.reason) == ("Refused", "NotEligible")
    await runner.cleanup()
    assert world.bugs == []


@dataclass
class Holding:
    """A source that holds something while it thinks: what the test above must see."""

    what: str
    location: str
    go: threading.Event
    waiting: int = 0

    async def ask(self, question: Question) -> Verdict:
        self.waiting += 1
        if self.what == "a thread":
            await asyncio.to_thread(self.go.wait)
        elif "://" in self.location:
            connection = await asyncpg.connect(self.location, server_settings={"application_name": "holding"})
            async with connection.transaction():
                await connection.fetch("SELECT count(*) FROM licenses")
                await self._gone()
            await connection.close()
        else:
            with closing(sqlite3.connect(self.location, isolation_level=None)) as db:
                db.execute("BEGIN")
                db.execute("SELECT count(*) FROM licenses").fetchone()
                await self._gone()
        return Verdict(eligible=False)

    async def _gone(self) -> None:
        while not self.go.is_set():  # noqa: ASYNC110  it is an event of threads
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("what", ["a thread", "a connection"])
async def test_what_would_be_held_is_seen(scene: Scene, what: str) -> None:
    world, go = scene.world, threading.Event()
    await scene.bought(A_FEW)
    engine = world.engine()
    assert (await engine.extend(world.request())).state == "Extended"
    threads = await scene.threads()
    world.source = source = Holding(what, scene.location, go)
    engine = world.engine()
    requests = [ExtensionRequest(transaction_id="x", ticket=ticket) for ticket in scene.tickets]
    asking = [asyncio.create_task(engine.extend(each)) for each in requests]
    async with asyncio.timeout(PATIENCE):
        while source.waiting < A_FEW:  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)

    found = await scene.held(threads)

    go.set()
    await asyncio.gather(*asking)
    await engine.idle()
    assert (found.threads >= A_FEW) is (what == "a thread")
    assert (found.connections > 0) is (what == "a connection")
