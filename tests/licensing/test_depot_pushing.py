"""Push: checks, updates without a ticket, open transfers, and requests that wait (transfer protocol, section 3)."""

import asyncio
import shutil
from dataclasses import replace

import pytest
from rules import FIRM, World, held

from containers import read_update
from licensing.errors import ContextRefused
from licensing.orders import OrderLine, OrderRequest, Sales
from licensing.pushing import Pushing
from licensing.vendor_actions import VendorActions
from licensing.watching import Watcher
from storage import open_storage

CHANGED = 'UPDATE licenses SET options = \'{"text": "%s"}\', version = version + 1'


async def check(pushing: Pushing, statement: bytes, wait_seconds: int = 0) -> str:
    return (await pushing.check_for_updates(statement=statement, wait_seconds=wait_seconds)).state


async def until_waiting(watcher: Watcher, count: int) -> None:
    while watcher.waiting < count:  # noqa: ASYNC110  others must run meanwhile, and nothing tells of it
        await asyncio.sleep(0)


async def test_trace_2_anything_new_is_answered_anew_by_context_and_by_poll(world: World) -> None:
    order, container, pushing = await world.order(1), world.container(), world.pushing()
    assert await check(pushing, container.poll(FIRM)) == "NothingNew", "never heard of"
    await world.collected(order, container)
    context = container.context(FIRM)
    for statement in (context, container.poll(FIRM)):
        assert await check(pushing, statement) == "NothingNew"
    world.sql(CHANGED % "extended")
    for statement in (context, container.poll(FIRM), container.context(FIRM)):
        assert await check(pushing, statement) == "UpdateWaiting"
    answer = await pushing.get_auto_update(statement=container.poll(FIRM))
    assert (await pushing.get_auto_update(statement=container.poll(FIRM))).update == answer.update, "made once"
    receipt = container.import_update(answer.update or b"").receipt
    assert await check(pushing, container.poll(FIRM)) == "UpdateWaiting", "not confirmed yet"
    assert await check(pushing, receipt) == "NothingNew"
    assert await check(pushing, container.poll(FIRM)) == "NothingNew"
    (entry,) = container.listing(FIRM)
    assert entry.options.text == "extended"


async def test_trace_13_a_push_file_whose_predecessor_was_lost_still_loads(world: World) -> None:
    order, container, pushing = await world.order(1), world.container(), world.pushing()
    await world.collected(order, container)
    for text in ("first", "second"):
        world.sql(CHANGED % text)
        answer = await pushing.get_auto_update(statement=container.poll(FIRM))
    assert len(read_update(answer.update or b"").steps) == 2, "from the confirmed point on"
    container.import_update(answer.update or b"")
    assert [entry.options.text for entry in container.listing(FIRM)] == ["second"]


async def test_trace_3_a_push_moves_the_chain_between_a_lost_answer_and_its_repetition(world: World) -> None:
    order, container, pushing = await world.order(2), world.container(), world.pushing()
    await world.collected(order, container, (0, 1))
    context = container.context(FIRM)
    lost = await world.ask(order, context, (0, 2))
    world.sql(CHANGED % "extended")
    pushed = await pushing.get_auto_update(statement=container.poll(FIRM))
    assert await world.ask(order, context, (0, 2)) == lost
    container.import_update(pushed.update or b"")
    container.import_update(lost.update or b"")
    assert (held(container), await world.confirm(container.context(FIRM))) == (2, "Confirmed")


async def test_nothing_is_pushed_before_a_context_in_the_current_epoch(world: World) -> None:
    order, container, pushing = await world.order(1), world.container(), world.pushing()
    await world.collected(order, container)
    world.sql("UPDATE server SET current_epoch = current_epoch + 1000")
    assert await check(pushing, container.poll(FIRM)) == "ExportAgain"
    answer = await pushing.get_auto_update(statement=container.poll(FIRM))
    assert (answer.state, answer.update) == ("ExportAgain", None)
    answer = await pushing.get_auto_update(statement=container.context(FIRM))
    assert [step.step.kind for step in read_update(answer.update or b"").steps] == ["Reset"]
    assert await world.confirm(container.import_update(answer.update or b"").receipt) == "Confirmed"
    assert await check(pushing, container.poll(FIRM)) == "NothingNew"


async def test_nothing_is_pushed_while_marked_healing_lost_or_blocked(world: World) -> None:
    order, container, pushing, losses = await world.order(2), world.container("c"), world.pushing(), world.losses()
    await world.collected(order, container, (0, 1))
    shutil.copy(world.folder / "c.json", world.folder / "copy.json")
    world.sql(CHANGED % "extended")

    async def pushed() -> tuple[str, str, bytes | None]:
        answer = await pushing.get_auto_update(statement=container.poll(FIRM))
        return await check(pushing, container.poll(FIRM)), answer.state, answer.update

    await losses.block(container.serial, reason="r", actor="cli")
    assert await pushed() == ("Blocked", "Blocked", None)
    assert await check(pushing, container.context(FIRM)) == "Blocked"
    await losses.unblock(container.serial, reason="r", actor="cli")
    assert await check(pushing, world.opened("copy").context(FIRM)) == "Marked"
    assert await pushed() == ("Marked", "Marked", None)
    await losses.accept(container.serial, FIRM, context=container.context(FIRM), reason="r", actor="cli")
    assert await pushed() == ("Healing", "Healing", None)
    assert (await pushing.get_open_transfers(statement=container.poll(FIRM))).state == "Healing"
    healing = await pushing.get_auto_update(statement=container.context(FIRM))
    assert healing.state == "Healing"
    await world.confirm(container.import_update(healing.update or b"").receipt)
    await losses.declare_lost(container.serial, FIRM, reason="r", actor="cli")
    assert await pushed() == ("Lost", "Lost", None)


async def test_open_transfers_are_those_that_no_receipt_has_confirmed(world: World) -> None:
    order, container, pushing = await world.order(1), world.container(), world.pushing()
    assert (await pushing.get_open_transfers(statement=container.poll(FIRM))).state == "None"
    update = (await world.ask(order, container.context(FIRM))).update or b""
    for statement in (container.poll(FIRM), container.context(FIRM)):
        found = await pushing.get_open_transfers(statement=statement)
        assert (found.state, [step.kind for step in found.steps]) == ("Open", ["Reset"])
    await world.confirm(container.import_update(update).receipt)
    assert (await pushing.get_open_transfers(statement=container.poll(FIRM))).state == "None"
    with pytest.raises(ContextRefused):
        await pushing.get_open_transfers(statement=container.poll(FIRM).replace(b"firmCode>10<", b"firmCode>20<"))


async def test_a_stranger_without_a_ticket_leaves_nothing_behind(world: World) -> None:
    container, pushing = world.container(), world.pushing()
    assert (await pushing.get_auto_update(statement=container.context(FIRM))).state == "NothingNew"
    assert (await pushing.get_auto_update(statement=container.poll(FIRM))).state == "NothingNew"
    assert world.sql("SELECT count(*) FROM containers") == [(0,)]


async def test_a_request_that_waits_is_woken_by_a_change_in_this_process(world: World) -> None:
    order, container = await world.order(2), world.container()
    await world.collected(order, container, (0, 1))
    watcher = Watcher(world.storage, look_seconds=60, least_seconds=0)
    pushing = world.pushing(watcher)
    waiting = asyncio.create_task(check(pushing, container.poll(FIRM), wait_seconds=50))
    await until_waiting(watcher, 1)
    depot = type(world.depot())(carrier=replace(world.carrier(), changed=watcher.nudge), vault=world.vault)
    await depot.get_license_update(ticket=order.ticket, targets=(), context=container.context(FIRM))
    assert await asyncio.wait_for(waiting, 5) == "UpdateWaiting"
    assert watcher.waiting == 0


async def test_a_request_that_waits_is_woken_by_another_process_and_many_share_one_query(world: World) -> None:
    order = await world.order(30)
    containers = [world.container(f"c{number}") for number in range(20)]
    for container in containers:
        await world.collected(order, container, (0, 1))
    queries = 0

    class Counting:
        def __getattr__(self, name: str) -> object:
            return getattr(world.storage, name)

        async def query(self, query: object) -> object:
            nonlocal queries
            queries += 1
            return await world.storage.query(query)  # type: ignore[call-overload]

    watcher = Watcher(Counting(), look_seconds=0.02, least_seconds=0)  # type: ignore[arg-type]
    pushing = world.pushing(watcher)
    waiting = [asyncio.create_task(check(pushing, container.poll(FIRM), wait_seconds=50)) for container in containers]
    await until_waiting(watcher, len(containers))
    queries = 0
    await asyncio.sleep(0.1)
    assert queries <= 10, "one query for all that wait"
    other = await open_storage(world.folder / "depot.db")
    world.sql(CHANGED % "extended")
    await other.close()
    assert set(await asyncio.wait_for(asyncio.gather(*waiting), 10)) == {"UpdateWaiting"}


async def test_a_request_waits_no_longer_than_asked_nor_after_the_server_stops(world: World) -> None:
    order, container = await world.order(1), world.container()
    await world.collected(order, container)
    watcher = Watcher(world.storage, look_seconds=0.01)
    pushing = world.pushing(watcher)
    assert await check(pushing, container.poll(FIRM), wait_seconds=0) == "NothingNew"
    short = Watcher(world.storage, look_seconds=0.01, longest_seconds=0.05)
    assert await check(world.pushing(short), container.poll(FIRM), wait_seconds=50) == "NothingNew"
    waiting = asyncio.create_task(check(pushing, container.poll(FIRM), wait_seconds=50))
    await until_waiting(watcher, 1)
    watcher.close()
    assert await asyncio.wait_for(waiting, 5) == "NothingNew"
    assert await check(pushing, container.poll(FIRM), wait_seconds=50) == "NothingNew"


async def test_what_the_shop_does_wakes_whoever_waits_in_the_same_process_at_once(world: World) -> None:
    order, container = await world.order(2), world.container()
    await world.collected(order, container)
    watcher = Watcher(world.storage, look_seconds=3600)
    pushing = world.pushing(watcher)
    acts = VendorActions(
        storage=world.storage, vault=world.vault, clock=world.clock, random=world.random, changed=watcher.nudge
    )
    license_id = order.licenses[0].license_id
    waiting = asyncio.create_task(check(pushing, container.poll(FIRM), 50))
    await until_waiting(watcher, 1)
    await asyncio.sleep(0.1)
    await acts.withdraw_license(
        shop=world.shops["shop"], transaction_id="w", license_id=license_id, reason="r", pieces=1
    )
    assert await asyncio.wait_for(waiting, timeout=20) == "UpdateWaiting"
    answer = await pushing.get_auto_update(statement=container.context(FIRM))
    await world.confirm(container.import_update(answer.update or b"").receipt)
    waiting = asyncio.create_task(check(pushing, container.poll(FIRM), 50))
    await until_waiting(watcher, 1)
    await asyncio.sleep(0.1)
    sales = Sales(
        storage=world.storage, vault=world.vault, clock=world.clock, random=world.random, changed=watcher.nudge
    )
    line = OrderLine(item_number="A", quantity=1, extends_license_id=license_id)
    request = OrderRequest(transaction_id="renewed", original_order_number="n-1", lines=(line,))
    await sales.create_order(shop=world.shops["shop"], request=request)
    assert await asyncio.wait_for(waiting, timeout=20) == "UpdateWaiting"
