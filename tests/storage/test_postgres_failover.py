"""Failover to a synchronous standby loses nothing that was acknowledged; to one that is not, it does, and it shows."""

import asyncio
import itertools
import signal
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

import pytest
from order_ledger import UNKNOWN, OrderLedger
from postgres_proxy import PostgresProxy, proxied
from postgres_server import PostgresServer, started_server

from storage import open_storage
from storage.errors import StorageUnavailable

CALLERS = 6
STREAMING = {"wal_level": "replica", "max_wal_senders": "4"}
NAME = "standby_of_the_test"

pytestmark = pytest.mark.long


@dataclass(kw_only=True)
class Pair:
    """A primary, its standby, the way of the WAL between them and the way of the clients to one of them."""

    primary: PostgresServer
    standby: PostgresServer
    stream: PostgresProxy
    clients: PostgresProxy
    database: str

    async def ask(self, server: PostgresServer, sql: str, database: str | None = None):
        return await asyncio.to_thread(server.run, sql, database=database or self.database)

    async def until(self, server: PostgresServer, sql: str) -> None:
        """Return once a query is answered with true."""
        while True:
            with suppress(OSError):
                if await self.ask(server, sql, "postgres") == [(True,)]:
                    return
            await asyncio.sleep(0.02)

    async def fail_over(self) -> None:
        """The primary dies, the standby becomes one, the clients are led there. The old one never comes back."""
        self.primary.stop(signal.SIGKILL)
        self.stream.reset_all()
        await self.ask(self.standby, "SELECT pg_promote()", "postgres")
        self.clients.target = self.standby.folder / self.clients.target.name
        self.clients.reset_all()


@asynccontextmanager
async def pair(*, synchronous: bool):
    async with AsyncExitStack() as stack:
        primary = await asyncio.to_thread(lambda: started_server(durable=False, **STREAMING))
        stack.callback(primary.remove)
        stream = await stack.enter_async_context(proxied(primary.folder))
        conninfo = f"host=127.0.0.1 port={stream.port} user=depot sslmode=disable application_name={NAME}"
        standby = PostgresServer(durable=False, settings={**STREAMING, "primary_conninfo": conninfo})
        stack.callback(standby.remove)
        await asyncio.to_thread(standby.copy_of, primary)
        await asyncio.to_thread(standby.start)
        both = Pair(
            primary=primary,
            standby=standby,
            stream=stream,
            clients=await stack.enter_async_context(proxied(primary.folder)),
            database=await asyncio.to_thread(primary.new_database),
        )
        if synchronous:
            await both.ask(primary, f"ALTER SYSTEM SET synchronous_standby_names = '{NAME}'", "postgres")
            await both.ask(primary, "SELECT pg_reload_conf()", "postgres")
        wanted = "sync" if synchronous else "async"
        await both.until(
            primary,
            f"SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = '{wanted}'",
        )
        # Who asks the standby first would not find it there before it has been replayed.
        await both.until(standby, f"SELECT count(*) = 1 FROM pg_database WHERE datname = '{both.database}'")
        yield both


async def stock(storage, make):
    await storage.execute(make.initialise())
    await storage.execute(make.shop("acme"))
    await storage.execute(make.item("ITEM-1"))


async def failed_over(both, make, path):
    """Order, stop the stream of WAL, order on for a while, fail over, order on; how many alone, and what is broken."""
    storage = await open_storage(both.clients.address(both.database))
    await stock(storage, make)
    ledger = OrderLedger(path=path)
    over = asyncio.Event()
    numbers = itertools.count()

    async def ordering():
        while not over.is_set():
            await ledger.place(storage, make.order(transaction=f"T-{next(numbers)}", quantity=2))

    async def acknowledged(count):
        while len(ledger.acknowledged) < count and not any(task.done() for task in load):  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    load = [asyncio.create_task(ordering()) for _ in range(CALLERS)]
    try:
        await acknowledged(30)
        both.stream.flowing.clear()
        before = len(ledger.acknowledged)
        with suppress(TimeoutError):
            await asyncio.wait_for(acknowledged(before + 60), 1)
        alone = len(ledger.acknowledged) - before
        await both.fail_over()
        await acknowledged(len(ledger.acknowledged) + 30)
    finally:
        over.set()
        await asyncio.gather(*load)
    await storage.close()
    broken = await asyncio.to_thread(ledger.violations, partial(both.standby.run, database=both.database))
    return alone, broken


async def test_failover_to_a_synchronous_standby_keeps_every_acknowledged_order(make, tmp_path):
    async with pair(synchronous=True) as both:
        alone, broken = await failed_over(both, make, tmp_path / "ledger")
    assert broken == []
    # What the standby did not have was not acknowledged, but for what was on its way when the stream stopped.
    assert alone <= CALLERS


async def test_failover_to_a_standby_that_lags_loses_orders_and_the_check_goes_red(make, tmp_path):
    async with pair(synchronous=False) as both:
        alone, broken = await failed_over(both, make, tmp_path / "ledger")
    assert alone >= 60
    assert any("was acknowledged and is lost" in violation for violation in broken)


async def test_clients_with_an_address_of_two_hosts_find_the_new_primary_by_themselves(make, tmp_path):
    async with pair(synchronous=True) as both:
        hosts = ",".join(quote(str(server.folder), safe="") for server in (both.standby, both.primary))
        address = f"postgresql://depot@/{both.database}?host={hosts}&port=5432,5432&target_session_attrs=primary"
        storage = await open_storage(address)
        await stock(storage, make)
        ledger = OrderLedger(path=tmp_path / "ledger")
        for number in range(20):
            await ledger.place(storage, make.order(transaction=f"T-{number}"))
        await both.fail_over()
        for number in range(30):
            await ledger.place(storage, make.order(transaction=f"T-{number}"))
        await storage.close()
        ask = partial(both.standby.run, database=both.database)
        assert await asyncio.to_thread(ledger.violations, ask) == []
        assert await asyncio.to_thread(ask, "SELECT count(*) FROM orders") == [(30,)]


async def test_a_wait_for_the_standby_that_somebody_cancels_is_an_unknown_outcome_and_no_success(make):
    async with pair(synchronous=True) as both:
        storage = await open_storage(both.primary.address(both.database))
        await stock(storage, make)
        both.stream.flowing.clear()
        waiting = asyncio.create_task(storage.execute(make.order(transaction="T-1")))
        waits = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        await both.until(both.primary, f"SELECT count(*) = 1 {waits}")
        await both.ask(both.primary, f"SELECT pg_cancel_backend(pid) {waits}", "postgres")
        with pytest.raises(StorageUnavailable, match=UNKNOWN):
            await waiting
        both.stream.flowing.set()
        await storage.close()
