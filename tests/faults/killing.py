"""Kill -9 at random moments under load.

A ledger on the disk holds what was acknowledged; the server's process is killed, never the test's. Each kill has a
random source of its own, made of the seed and the kill's number, so that a run that was interrupted goes on where it
stood.
"""

import asyncio
import contextlib
import json
import random
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import aiohttp
from checking import Receipt, Refused, Sent, ailments, broken_promises, contradictions, damage
from worlds import FIRM_CODE, OverTheWire, World, kept_world, over_collected, write_whole

from containers import Container
from licensing.audit import verify_audit
from opendepot import AnswerInvalid, ServiceUnreachable
from server.cli.initialise import CONFIG
from server.core import opened_core, utc_now
from server.settings import load_settings

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

CHECK_EVERY = 20
OLD_SAMPLE = 200
"""How many of what was checked before are asked again at each check; the last check asks everything."""


STARTS_ANEW = b"the database stops, starts or ended the connection"
"""What a server says that found its database recovering; whoever looks after services starts it again."""


async def started(world: World, *, code: str = SERVE, workers: int = 0) -> asyncio.subprocess.Process:
    """Start the server and wait until it is ready; start it again where only its database was not ready yet."""
    arguments = ("serve", "--config", str(world.folder / CONFIG), "--port", str(world.port))
    arguments += ("--admin-port", "0", "--workers", str(workers))
    events = world.folder / "events.log"
    for _ in range(100):
        with events.open("ab") as log:
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, *arguments, stderr=log)
        if await _answers(process, world.port):
            return process
        if STARTS_ANEW not in events.read_bytes().splitlines()[-1]:
            break
        await asyncio.sleep(0.1)
    raise AssertionError(f"the server ended with {process.returncode}; see {events}")


async def _answers(process: asyncio.subprocess.Process, port: int) -> bool:
    """Whether the server answers before it ends: its socket is open before its database is."""
    while process.returncode is None:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"GET /v1/sales?wsdl HTTP/1.1\r\nHost: depot\r\nConnection: close\r\n\r\n")
                if await reader.read(1):
                    return True
            finally:
                writer.close()
        await asyncio.sleep(0.02)
    return False


async def ended(process: asyncio.subprocess.Process) -> None:
    """End a server that this test started, if it still runs."""
    if process.returncode is None:
        process.send_signal(signal.SIGKILL)
    await process.wait()


async def shopping(world: World, name: str) -> None:
    """Order one after the other until the server is lost."""
    async with world.shop() as shop, world.licensee() as licensee:
        asking = OverTheWire(shop, licensee)
        for number in range(10_000):
            transaction_id = f"{name}-{number}"
            world.ledger.asks(transaction_id)
            world.ledger.acknowledged(transaction_id, await asking.order(transaction_id))


async def collecting(world: World, container: Container, rng: random.Random) -> None:
    """Collect from tickets, import and confirm, until the server is lost."""
    async with world.shop() as shop, world.licensee() as licensee:
        asking = OverTheWire(shop, licensee)
        while True:
            await asyncio.sleep(0)
            if not world.ledger.orders:
                await asyncio.sleep(0.005)
                continue
            await collect_once(world, asking, container, recent(world.ledger.orders, rng))


def recent(orders: dict[str, Receipt], rng: random.Random) -> str:
    """The ticket of one of the newest orders, where there is likely something to collect."""
    names = list(orders)[-400:]
    return str(orders[rng.choice(names)]["ticket"])


async def collect_once(world: World, asking: OverTheWire, container: Container, ticket: str) -> None:
    """One collection from beginning to end, noted in the ledger when the file has arrived."""
    context = container.context(FIRM_CODE)
    try:
        state, update = await asking.update(ticket, context)
    except Refused as refused:
        if refused.code in {"NothingFree", "Contended"}:
            return
        raise
    if update is not None:
        if state == "Done":
            world.ledger.arrived(Sent(ticket=ticket, context=context, update=update))
        await asking.confirm(container.import_update(update).receipt)


async def run_and_kill(world: World, *, name: str, rng: random.Random, collect: bool = True, code: str = SERVE) -> None:
    """Start the server, load it, kill it at a random moment, and wait for the load to notice."""
    process = await started(world, code=code)
    load = [asyncio.create_task(shopping(world, f"{name}-{number}")) for number in range(2)]
    if collect:
        load += [asyncio.create_task(collecting(world, container, rng)) for container in world.containers]
    kept = world.ledger.files if collect else world.ledger.orders
    try:
        while not kept and not any(task.done() for task in load):  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.001)
        await asyncio.sleep(rng.uniform(0.02, 0.5))
    finally:
        await ended(process)
    outcomes = await asyncio.gather(*load, return_exceptions=True)
    unexpected = [outcome for outcome in outcomes if not isinstance(outcome, LOST)]
    assert not unexpected, f"{name}: the load should end by losing its server: {unexpected}"


async def violations(
    world: World, *, orders: Sequence[str] | None = None, files: Sequence[bytes] | None = None
) -> list[str]:
    """Start the server again and say everything that was lost, doubled or changed."""
    process = await started(world)
    try:
        async with world.shop() as shop, world.licensee() as licensee:
            asking = OverTheWire(shop, licensee)
            found = await broken_promises(world.ledger, asking, orders=orders, files=files)
            found += await over_collected(world, asking)
    finally:
        await ended(process)
    if world.ask is None:
        found += damage(world.database, world.ledger)
    else:
        found += contradictions(world.ask, world.ledger)
    return found + await _in_the_audit(world) + await ailments(world.settings, clock=utc_now)


async def _in_the_audit(world: World) -> list[str]:
    """Walk the audit chain; a server that is killed may leave a tail unsealed, but nothing else."""
    async with opened_core(load_settings(world.folder / CONFIG)) as core:
        found = await verify_audit(core.storage, public_key=core.audit_key.public_key)
    return [f"the audit chain: {problem.kind} at {problem.position}" for problem in found.problems]


@dataclass
class Progress:
    """How far a run of kills has come; stands in the folder as `progress.json`."""

    seed: int
    kills: int = 0
    checks: int = 0
    found: list[str] = field(default_factory=list)


class Kills:
    """A run of kills that can be interrupted and goes on."""

    def __init__(self, world: World, progress: Progress) -> None:
        self.world = world
        self.progress = progress
        self._checked_orders: set[str] = set()
        self._checked_files: set[bytes] = set()

    @classmethod
    async def in_folder(cls, folder: Path, *, seed: int) -> "Kills":
        """Begin in an empty folder, or go on in one with the same seed."""
        world = await kept_world(folder)
        place = folder / "progress.json"
        progress = Progress(**json.loads(place.read_bytes())) if place.exists() else Progress(seed=seed)
        assert progress.seed == seed, f"{folder} holds a run with seed {progress.seed}; go on with that, or elsewhere"
        return cls(world, progress)

    async def to(self, kills: int) -> list[str]:
        """Kill until it was done this often, checking now and then, and at the end everything."""
        progress = self.progress
        while progress.kills < kills and not progress.found:
            rng = random.Random(f"{progress.seed}/{progress.kills}")
            await run_and_kill(self.world, name=f"k{progress.kills}", rng=rng)
            progress.kills += 1
            self.world.renew_full_containers()
            if progress.kills % CHECK_EVERY == 0:
                await self._check(rng)
            write_whole(self.world.folder / "progress.json", asdict(progress))
        return progress.found or await violations(self.world)

    async def _check(self, rng: random.Random) -> None:
        ledger = self.world.ledger
        # What is asked only now stands in the ledger of the client as asked: it is part of every check.
        orders = [name for name in ledger.asked if name not in self._checked_orders]
        files = [context for context in ledger.files if context not in self._checked_files]
        old_orders, old_files = sorted(self._checked_orders), sorted(self._checked_files)
        orders += rng.sample(old_orders, min(OLD_SAMPLE, len(old_orders)))
        files += rng.sample(old_files, min(OLD_SAMPLE, len(old_files)))
        self.progress.found = await violations(self.world, orders=orders, files=files)
        self.progress.checks += 1
        self._checked_orders.update(orders)
        self._checked_files.update(files)
        print(
            f"  {self.progress.kills} kills, {len(ledger.orders)} orders, {len(ledger.files)} files: "
            f"{self.progress.found or 'nothing lost, nothing doubled'}",
            flush=True,
        )
