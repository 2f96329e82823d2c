"""Many at once: collectors of one licence, workers and signers of one step, decisions that were overtaken."""

import asyncio
import shutil
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from rules import FIRM, World, held

from containers import Container, SoftwareBox, read_update
from licensing.depot import Depot
from licensing.orders import OrderReceipt
from licensing.transfers.planning import Target
from storage.commands import ApplyTransfer, StoreSigned

COLLECTORS = 60
"""More than a decision is tried again: without turns all but the first few would be refused."""


class Overtaken:
    """A storage where something else happens once, just before a command of one kind is carried out."""

    def __init__(self, storage: Any, before: type, happens: Callable[[], Awaitable[object]]) -> None:
        self._storage, self._before, self._happens = storage, before, happens
        self.times = 0

    async def execute(self, command: Any) -> Any:
        if isinstance(command, self._before) and not self.times:
            self.times = 1
            await self._happens()
        return await self._storage.execute(command)

    async def query(self, query: Any) -> Any:
        return await self._storage.query(query)


async def collect(depot: Depot, order: OrderReceipt, context: bytes, quantity: int | None = None) -> bytes:
    answer = await depot.get_license_update(
        ticket=order.ticket,
        targets=(Target(license_id=order.licenses[0].license_id, quantity=quantity),),
        context=context,
    )
    assert answer.state == "Done"
    return answer.update or b""


async def test_a_volume_licence_is_collected_by_all_its_containers_at_once(world: World) -> None:
    order, depot = await world.order(COLLECTORS), world.depot()
    containers = [world.container(f"c{number}") for number in range(COLLECTORS)]
    files = await asyncio.gather(*(collect(depot, order, c.context(FIRM), 1) for c in containers))
    for container, file in zip(containers, files, strict=True):
        container.import_update(file)
    assert sum(map(held, containers)) == COLLECTORS
    assert world.sql("SELECT sum(wanted), sum(occupied) FROM placements") == [(COLLECTORS, COLLECTORS)]


async def test_whoever_gives_up_waiting_for_a_turn_holds_nobody_else_up(world: World) -> None:
    order, depot = await world.order(5), world.depot()
    containers = [world.container(f"c{number}") for number in range(5)]
    tasks = [asyncio.create_task(collect(depot, order, c.context(FIRM), 1)) for c in containers]
    await asyncio.sleep(0)
    tasks[2].cancel()
    done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), timeout=20)
    assert [isinstance(result, bytes) for result in done] == [True, True, False, True, True]
    assert world.sql("SELECT sum(wanted) FROM placements") == [(4,)]


def other_worker_s_box(box: SoftwareBox) -> SoftwareBox:
    """A box under the same root with a key of its own: its bytes of a step differ, and a container takes both."""
    return SoftwareBox(root_key=box._root_key, root=box._root, key=ec.generate_private_key(ec.SECP256R1()))


async def test_trace_10_of_two_signers_the_first_bytes_stored_are_everybody_s(world: World) -> None:
    order, container = await world.order(1), world.container()
    context, quick = container.context(FIRM), replace(world, box=other_worker_s_box(world.box))
    overtaking: list[bytes] = []

    async def sign_first() -> None:
        overtaking.append(await collect(quick.depot(), order, context))

    slow = Overtaken(world.storage, StoreSigned, sign_first)
    file = await collect(world.behind_a_device().depot(slow), order, context)  # type: ignore[arg-type]  # stands for a slow worker's
    assert (slow.times, overtaking) == (1, [file])
    (stored,) = world.sql("SELECT signed FROM steps")
    assert stored == (read_update(file).steps[-1].data,)
    assert await collect(world.depot(), order, context) == file, "and for ever"
    container.import_update(file)
    assert held(container) == 1


async def copied(world: World, container: Container, order: OrderReceipt) -> Container:
    """A copy of a container that holds one piece, made before the container was heard of again."""
    container.import_update(await collect(world.depot(), order, container.context(FIRM), 1))
    shutil.copy(world.folder / "c.json", world.folder / "copy.json")
    return world.opened("copy")


async def test_a_mark_that_was_overtaken_by_another_context_is_decided_again(world: World) -> None:
    order, container = await world.order(3), world.container("c")
    copy = await copied(world, container, order)
    await world.confirm(container.context(FIRM))

    async def the_container_is_heard_of_again() -> None:
        await world.confirm(container.context(FIRM))

    storage = Overtaken(world.storage, ApplyTransfer, the_container_is_heard_of_again)
    depot = world.depot(storage)  # type: ignore[arg-type]  # stands for the real one
    assert (await depot.confirm_license_update(receipt=copy.context(FIRM))).state == "Marked"
    assert world.sql("SELECT count(*) FROM audit WHERE action LIKE 'Marked%'") == [(1,)]


@pytest.mark.parametrize("operation", ["collect", "confirm"])
async def test_a_late_context_that_was_overtaken_is_still_late(world: World, operation: str) -> None:
    order, container = await world.order(3), world.container()
    late = container.context(FIRM)
    container.import_update((await world.ask(order, container.context(FIRM), (0, 1))).update or b"")
    await world.confirm(container.context(FIRM))

    async def the_container_is_heard_of_again() -> None:
        await world.confirm(container.context(FIRM))

    storage = Overtaken(world.storage, ApplyTransfer, the_container_is_heard_of_again)
    depot = world.depot(storage)  # type: ignore[arg-type]  # stands for the real one
    if operation == "collect":
        update = await depot.get_license_update(ticket=order.ticket, targets=(), context=late)
        assert (update.state, storage.times) == ("ExportAgain", 1)
    else:
        assert (await depot.confirm_license_update(receipt=late)).state == "ExportAgain"
    assert world.sql("SELECT count(*) FROM contexts WHERE export = 1") == [(1,)]
    assert world.sql("SELECT mark FROM containers") == [("ok",)]


class BoxThatWaits:
    """A box behind a device: it signs when the event loop has turned meanwhile."""

    waits = True

    def __init__(self, box: SoftwareBox) -> None:
        self._box = box
        self.turned = threading.Event()

    def certificate(self, firm_code: int) -> bytes:
        return self._box.certificate(firm_code)

    def sign(self, firm_code: int, data: bytes) -> bytes:
        if not self.turned.wait(timeout=10):
            raise AssertionError("the event loop stood still while the box was signing")
        return self._box.sign(firm_code, data)


async def test_a_box_that_waits_does_not_hold_up_the_event_loop(world: World) -> None:
    order, container = await world.order(), world.container()
    box = BoxThatWaits(world.box)
    depot = Depot(carrier=replace(world.carrier(), box=box), vault=world.vault)
    collecting = asyncio.create_task(collect(depot, order, container.context(FIRM)))
    asyncio.get_running_loop().call_later(0.05, box.turned.set)
    container.import_update(await collecting)
    assert held(container) == 1
