"""Kill -9 at random moments under load, and the checker that says whether anything was lost or doubled.

A ledger in the test's own process holds what was acknowledged; the server's process is killed, never the test's.
"""

import asyncio
import random
import secrets
import signal
import socket
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from containers import Container
from opendepot import AnswerInvalid, DepotClient, FaultReceived, SalesClient, ServiceUnreachable
from server.app import opened_core, utc_now
from server.cli.initialise import CONFIG, VENDOR_CERTIFICATE, initialise
from server.settings import load_settings
from soap.messages import depot, sales

FIRM_CODE = 6000010
PIECES = 2
LOST = (ServiceUnreachable, AnswerInvalid, aiohttp.ClientError)
SERVE = "from server.cli.main import main; main()"
FORGETFUL = (
    "from storage.sqlite.writer import Writer; Writer.commit = lambda self, db: db.execute('SAVEPOINT never')\n"
    "import storage.sqlite.writer as w; run = Writer.run\n"
    "def lying(self, changes):\n"
    "    db = self._link.connection()\n"
    "    if not db.in_transaction: db.execute('BEGIN IMMEDIATE')\n"
    "    return [w._carry_out(db, change) for change in changes]\n"
    "Writer.run = lying\n" + SERVE
)
"""A server whose COMMIT does nothing: it answers as if all was durable, and forgets it when killed."""


@dataclass
class Ledger:
    """What was asked and what was acknowledged."""

    asked: list[str] = field(default_factory=list)
    orders: dict[str, sales.OrderReceipt] = field(default_factory=dict)
    files: dict[bytes, bytes] = field(default_factory=dict)
    requests: dict[bytes, str] = field(default_factory=dict)
    confirmed: set[str] = field(default_factory=set)


@dataclass
class World:
    """A folder with a server's files, a shop, and containers. `ask` gives the rows of a PostgreSQL database."""

    folder: Path
    api_key: str
    port: int
    code: str
    containers: list[Container]
    ledger: Ledger = field(default_factory=Ledger)
    ask: Callable[[str], list[tuple[object, ...]]] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def shop(self) -> SalesClient:
        return SalesClient(self.url, api_key=self.api_key, attempts=1, timeout_seconds=10)

    def licensee(self) -> DepotClient:
        return DepotClient(self.url, attempts=1, timeout_seconds=10)


async def make_world(folder: Path, *, code: str = SERVE, database: str | None = None) -> World:
    """Initialise a server with one item and one shop, and three containers."""
    await asyncio.to_thread(initialise, folder)
    if database is not None:
        config = folder / CONFIG
        config.write_text(config.read_text().replace('"opendepot.sqlite3"', f'"{database}"'))
    async with opened_core(load_settings(folder / CONFIG)) as core:
        await core.catalogue.add_item(item_number="A", firm_code=FIRM_CODE, product_code=1)
        _, api_key = await core.catalogue.add_shop("shop")
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    trust = (folder / VENDOR_CERTIFICATE).read_bytes()
    containers = [
        Container.create(folder / f"c{number}.json", trust_pem=trust, clock=utc_now, random=secrets.token_bytes)
        for number in range(3)
    ]
    return World(folder=folder, api_key=api_key, port=port, code=code, containers=containers)


async def started(world: World) -> asyncio.subprocess.Process:
    """Start the server and wait until it is ready."""
    arguments = ("serve", "--config", str(world.folder / CONFIG), "--port", str(world.port))
    arguments += ("--admin-port", "0", "--workers", "0")
    with (world.folder / "events.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", world.code, *arguments, stderr=log)
    while process.returncode is None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", world.port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return process
    raise AssertionError(f"the server ended with {process.returncode}; see {world.folder / 'events.log'}")


async def ended(process: asyncio.subprocess.Process) -> None:
    """End a server that this test started, if it still runs."""
    if process.returncode is None:
        process.send_signal(signal.SIGKILL)
    await process.wait()


def order(transaction_id: str) -> sales.CreateOrderRequest:
    """The order that belongs to a transactionId."""
    return sales.CreateOrderRequest(
        transaction_id=transaction_id, order_line=(sales.OrderLine(item_number="A", quantity=PIECES),)
    )


async def shopping(world: World, name: str) -> None:
    async with world.shop() as shop:
        for number in range(10_000):
            transaction_id = f"{name}-{number}"
            world.ledger.asked.append(transaction_id)
            world.ledger.orders[transaction_id] = await shop.create_order(order(transaction_id))


async def collecting(world: World, container: Container, rng: random.Random) -> None:
    ledger = world.ledger
    async with world.licensee() as client:
        while True:
            await asyncio.sleep(0)
            if not ledger.orders:
                await asyncio.sleep(0.005)
                continue
            ticket = rng.choice(list(ledger.orders.values())).ticket
            context = container.context(FIRM_CODE)
            request = depot.GetLicenseUpdateRequest(ticket=ticket, context=context)
            try:
                result = await client.get_license_update(request)
            except FaultReceived as fault:
                if fault.code in {"NothingFree", "Contended"}:
                    continue
                raise
            if result.update is not None:
                if result.state == "Done":
                    ledger.files[context], ledger.requests[context] = result.update, ticket
                receipt = container.import_update(result.update).receipt
                await client.confirm_license_update(receipt)


async def run_and_kill(world: World, *, name: str, rng: random.Random, collect: bool = True) -> None:
    """Start the server, load it, kill it at a random moment, and wait for the load to notice."""
    process = await started(world)
    load = [asyncio.create_task(shopping(world, f"{name}-{number}")) for number in range(2)]
    if collect:
        load += [asyncio.create_task(collecting(world, container, rng)) for container in world.containers]
    try:
        await asyncio.sleep(rng.uniform(0.02, 0.5))
    finally:
        await ended(process)
    if not world.ledger.orders:
        # Who waits for a first order to collect would never notice that the server is gone.
        for task in load[2:]:
            task.cancel()
    outcomes = await asyncio.gather(*load, return_exceptions=True)
    unexpected = [outcome for outcome in outcomes if not isinstance(outcome, (*LOST, asyncio.CancelledError))]
    assert not unexpected, f"{name}: the load should end by losing its server: {unexpected}"


async def violations(world: World) -> list[str]:
    """Start the server again and say everything that was lost, doubled or changed."""
    process = await started(world)
    found: list[str] = []
    try:
        async with world.shop() as shop, world.licensee() as client:
            for transaction_id, receipt in list(world.ledger.orders.items()):
                if await shop.create_order(order(transaction_id)) != receipt:
                    found.append(f"order {transaction_id} is another one now")
            for transaction_id in world.ledger.asked:
                world.ledger.orders[transaction_id] = await shop.create_order(order(transaction_id))
            for context, update in world.ledger.files.items():
                request = depot.GetLicenseUpdateRequest(ticket=world.ledger.requests[context], context=context)
                try:
                    again = await client.get_license_update(request)
                except FaultReceived as fault:
                    found.append(f"a file that was sent is answered with {fault.code} now")
                    continue
                if again.state == "Done" and again.update != update:
                    found.append("the same request has another file now")
                elif again.state not in {"Done", "ExportAgain"}:
                    found.append(f"an honest container is {again.state}")
            found += await _final(world, client)
    finally:
        await ended(process)
    return found + _in_the_database(world)


async def _final(world: World, client: DepotClient) -> list[str]:
    """Let every container come to rest, and count what they hold."""
    held: dict[str, int] = {}
    for container in world.containers:
        context = container.context(FIRM_CODE)
        ticket = next(iter(world.ledger.orders.values())).ticket
        try:
            result = await client.get_license_update(depot.GetLicenseUpdateRequest(ticket=ticket, context=context))
        except FaultReceived as fault:
            if fault.code != "NothingFree":
                return [f"a fresh context is answered with {fault.code}"]
        else:
            if result.state not in {"Done", "NothingNew"}:
                return [f"an honest container is {result.state}"]
            if result.update is not None:
                container.import_update(result.update)
        receipt = container.context(FIRM_CODE)
        if (await client.confirm_license_update(receipt)).state not in {"Confirmed", "Open"}:
            return ["an honest receipt is refused"]
        for entry in container.listing(FIRM_CODE):
            held[entry.license_id] = held.get(entry.license_id, 0) + entry.quantity
    return [f"licence {license_id} is held {count} times" for license_id, count in held.items() if count > PIECES]


CHECKS = {
    "an order that nobody asked for, or twice": "SELECT count(*) - count(DISTINCT transaction_id) FROM orders",
    "two orders on one ticket": "SELECT count(*) - count(DISTINCT ticket_id) FROM orders",
    "more wanted than bought": """SELECT count(*) FROM (SELECT 1 FROM licenses AS l JOIN placements AS p
        ON p.license_id = l.license_id GROUP BY l.license_id HAVING sum(p.wanted) > max(l.quantity)) AS odd""",
    "more occupied than bought": """SELECT count(*) FROM (SELECT 1 FROM licenses AS l JOIN placements AS p
        ON p.license_id = l.license_id GROUP BY l.license_id HAVING sum(p.occupied) > max(l.quantity)) AS odd""",
    "an order without an answer": """SELECT count(*) FROM orders AS o LEFT JOIN answers AS a
        ON a.shop_id = o.shop_id AND a.transaction_id = o.transaction_id WHERE a.transaction_id IS NULL""",
    "an order without its audit row": """SELECT count(*) FROM orders AS o LEFT JOIN audit AS a
        ON a.subject = o.order_id WHERE a.subject IS NULL""",
    "a marked container": "SELECT count(*) FROM containers WHERE mark <> 'ok'",
    "a gap in a chain": """SELECT count(*) FROM steps AS s LEFT JOIN steps AS b ON b.serial = s.serial
        AND b.firm_code = s.firm_code AND b.epoch = s.from_epoch AND b.number = s.from_number
        WHERE s.from_number > 0 AND b.serial IS NULL""",
}


def _in_the_database(world: World) -> list[str]:
    if world.ask is not None:
        found = [name for name, query in CHECKS.items() if world.ask(query) != [(0,)]]
        ((count,),) = world.ask("SELECT count(*) FROM orders")
        if count != len(set(world.ledger.asked)):
            found.append(f"{count} orders for {len(set(world.ledger.asked))} transactionIds")
        return found
    with closing(sqlite3.connect(world.folder / "opendepot.sqlite3")) as db:
        found = [name for name, query in CHECKS.items() if db.execute(query).fetchone()[0]]
        count = db.execute("SELECT count(*) FROM orders").fetchone()[0]
        if count != len(set(world.ledger.asked)):
            found.append(f"{count} orders for {len(set(world.ledger.asked))} transactionIds")
        if db.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            found.append("the file is damaged")
    return found
