"""Kill -9 at each named step of an order, a collection and a receipt: before COMMIT nothing is there, after it all is.

Every step that the writing connection and the answer go through is killed at once; `STEPS` says which must be among
them, so that a step that vanishes is noticed.
"""

import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from checking import Receipt, Sent
from killing import LOST
from worlds import FIRM_CODE, OfTheRules, OverTheWire, World, make_world, new_container, violations_at_rest

from server.core import opened_core

pytestmark = pytest.mark.slow

STEPS = {
    "CreateOrder": {"before add_ticket", "before add_order", "before add_license", "before add_answer"},
    "GetLicenseUpdate": {"before add_container", "before put_placement", "before add_step", "before add_transfer"},
    "ConfirmLicenseUpdate": {"before change_container", "before put_placement"},
}
EVERYWHERE = {
    "request taken",
    "before BEGIN IMMEDIATE",
    "before SAVEPOINT change",
    "before add_audit",
    "before RELEASE change",
    "before COMMIT",
    "after COMMIT",
    "answer made",
    "half of the answer sent",
    "answer sent",
}
COUNTS = {
    "orders": "SELECT count(*) FROM orders",
    "steps": "SELECT count(*) FROM steps",
    "signed": "SELECT count(*) FROM steps WHERE signed IS NOT NULL",
    "confirmed": "SELECT coalesce(sum(confirmed), 0) FROM placements",
}


@dataclass
class Nursery:
    """The program that forks servers."""

    world: World
    process: asyncio.subprocess.Process

    async def _told(self) -> dict[str, int]:
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        assert line, "the program that forks servers has ended; see events.log"
        return dict(json.loads(line))

    async def killed(
        self,
        operation: str,
        kill_at: int,
        ask: Callable[[OverTheWire], Awaitable[object]],
        *,
        only: str | None = None,
        device: bool = False,
    ) -> tuple[object, list[str]]:
        """What was answered, if anything, by a server that dies at this step; and the steps that it went through.

        With `only` the steps of that name alone are counted, and given. `device`: signing waits for a device.
        """
        world = self.world
        settings = {**world.settings.model_dump(mode="json"), "port": world.port, "admin_port": 0}
        trace = world.folder / "trace"
        line = {"settings": settings, "operation": operation, "kill_at": kill_at, "trace": str(trace), "only": only}
        line["device"] = device
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(line).encode() + b"\n")
        pid = (await self._told())["started"]
        answer: object = None
        async with world.shop() as shop, world.licensee() as licensee:
            await _listening(world)
            try:
                answer = await ask(OverTheWire(shop, licensee))
            except LOST:
                answer = None
        if answer is not None:
            await told_sent(trace)
            if len(steps_of(trace, only)) < kill_at:
                os.kill(pid, signal.SIGKILL)  # it lives: its parent would have told otherwise
        assert await self._told() == {"ended": -signal.SIGKILL}
        return answer, steps_of(trace, only)


async def told_sent(trace: Path) -> None:
    """Wait until the server has noted its last step, which it does a moment after the client has the answer."""
    for _ in range(2000):
        if "answer sent" in steps_of(trace):
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"an answer arrived that was never sent: {steps_of(trace)}")


def steps_of(trace: Path, only: str | None = None) -> list[str]:
    return [name for name in trace.read_text().splitlines() if only in {None, name}]


async def _listening(world: World) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", world.port)
        except OSError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return


@asynccontextmanager
async def nursery(world: World) -> AsyncIterator[Nursery]:
    program = Path(__file__).with_name("stepping.py")
    with (world.folder / "events.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(program),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        yield Nursery(world, process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


def counted(world: World) -> dict[str, int]:
    with closing(sqlite3.connect(world.database)) as db:
        return {name: db.execute(query).fetchone()[0] for name, query in COUNTS.items()}


def changed(before: dict[str, int], after: dict[str, int]) -> set[str]:
    return {name for name in COUNTS if before[name] != after[name]}


def commits(passed: list[str]) -> int:
    """How many transactions are over for sure; SIGKILL comes at the last of these steps."""
    return passed.count("after COMMIT")


@pytest.fixture
async def born(tmp_path: Path) -> AsyncIterator[Nursery]:
    world = await make_world(tmp_path / "depot")
    async with nursery(world) as made:
        yield made


async def at_every_step(attempt: Callable[[int], Awaitable[list[str]]], operation: str) -> None:
    """Kill at step 1, 2, 3 ... until the operation has no such step."""
    names: set[str] = set()
    for kill_at in range(1, 100):
        passed = await attempt(kill_at)
        if len(passed) < kill_at:
            break
        assert len(passed) == kill_at, f"the server went on after it was killed: {passed}"
        names.add(passed[-1])
    assert names >= EVERYWHERE | STEPS[operation], (EVERYWHERE | STEPS[operation]) - names
    print(f"{operation}: {kill_at - 1} steps")


async def test_an_order_killed_at_any_step_is_there_wholly_or_not_at_all(born: Nursery) -> None:
    world, ledger = born.world, born.world.ledger

    async def attempt(kill_at: int) -> list[str]:
        name = f"T-{kill_at}"
        ledger.asks(name)
        before = counted(world)
        answer, passed = await born.killed("CreateOrder", kill_at, lambda asking: asking.order(name))
        assert changed(before, counted(world)) == ({"orders"} if commits(passed) else set()), passed
        if answer is not None:
            assert "answer sent" in passed
            assert isinstance(answer, dict)
            ledger.acknowledged(name, answer)
        return passed

    await at_every_step(attempt, "CreateOrder")
    assert await violations_at_rest(world) == []


async def with_order(world: World, name: str) -> Receipt:
    """An order, by the rules, while no server runs."""
    async with opened_core(world.settings) as core:
        world.ledger.asks(name)
        receipt = await (await OfTheRules.over(core, world.api_key)).order(name)
        world.ledger.acknowledged(name, receipt)
        return receipt


@pytest.mark.parametrize("device", [False, True])
async def test_a_collection_killed_at_any_step_gives_the_same_file_afterwards(born: Nursery, *, device: bool) -> None:
    world = born.world
    at_commit = [set(), {"steps"}, {"steps", "signed"}] if device else [set(), {"steps", "signed"}]

    async def attempt(kill_at: int) -> list[str]:
        ticket = str((await with_order(world, f"T-{kill_at}"))["ticket"])
        container = new_container(world.folder, f"k{kill_at}.json")
        context = container.context(FIRM_CODE)
        before = counted(world)
        answer, passed = await born.killed(
            "GetLicenseUpdate", kill_at, lambda asking: asking.update(ticket, context), device=device
        )
        assert changed(before, counted(world)) == at_commit[commits(passed)], passed
        async with opened_core(world.settings) as core:
            asking = await OfTheRules.over(core, world.api_key)
            state, update = await asking.update(ticket, context)
            assert state == "Done"
            assert update is not None
            if answer is not None:
                assert answer == ("Done", update)
            world.ledger.arrived(Sent(ticket=ticket, context=context, update=update))
            assert await asking.confirm(container.import_update(update).receipt) == "Confirmed"
        assert [entry.quantity for entry in container.listing(FIRM_CODE)] == [2]
        return passed

    await at_every_step(attempt, "GetLicenseUpdate")
    assert await violations_at_rest(world) == []


async def test_a_receipt_killed_at_any_step_confirms_once(born: Nursery) -> None:
    world = born.world

    async def attempt(kill_at: int) -> list[str]:
        ticket = str((await with_order(world, f"T-{kill_at}"))["ticket"])
        container = new_container(world.folder, f"k{kill_at}.json")
        async with opened_core(world.settings) as core:
            _, update = await (await OfTheRules.over(core, world.api_key)).update(ticket, container.context(FIRM_CODE))
        assert update is not None
        receipt = container.import_update(update).receipt
        before = counted(world)
        answer, passed = await born.killed("ConfirmLicenseUpdate", kill_at, lambda asking: asking.confirm(receipt))
        assert changed(before, counted(world)) == ({"confirmed"} if commits(passed) else set()), passed
        assert answer in {None, "Confirmed"}
        async with opened_core(world.settings) as core:
            assert await (await OfTheRules.over(core, world.api_key)).confirm(receipt) == "Confirmed"
        assert changed(before, counted(world)) == {"confirmed"}
        return passed

    await at_every_step(attempt, "ConfirmLicenseUpdate")
    assert await violations_at_rest(world) == []
