"""What is reserved, kept, finished and sent: the order of a request's steps, and what a fault or a crash leaves."""

import itertools
import shutil
from dataclasses import replace
from typing import Any

import pytest
from rules import FIRM, World, held

from containers import Container, ContainerError, SoftwareBox, read_context, read_update
from licensing.errors import NothingFree
from licensing.orders import OrderLine, OrderReceipt, OrderRequest
from licensing.transfers.carrying import OFF_LOOP_BYTES
from storage import open_storage
from storage.commands import InitialiseServer, StoreSigned

SUMS = "SELECT sum(wanted), sum(occupied), sum(confirmed) FROM placements"


async def collected(world: World, container: Container, order: OrderReceipt, quantity: int | None) -> None:
    container.import_update((await world.ask(order, container.context(FIRM), (0, quantity))).update or b"")


async def test_a_fault_in_the_wish_keeps_the_receipt_and_the_vendor_s_difference(world: World) -> None:
    order, container = await world.order(2), world.container()
    await collected(world, container, order, 1)
    world.sql("UPDATE licenses SET options = ?, version = version + 1", '{"text": "extended"}')
    with pytest.raises(NothingFree):
        await world.ask(order, container.context(FIRM), (0, 3))
    assert world.sql(SUMS) == [(1, 1, 1)], "the receipt counts"
    assert world.sql("SELECT count(*) FROM steps") == [(2,)], "the vendor's difference is reserved"
    assert world.sql("SELECT count(*) FROM transfers") == [(1,)], "the fault is not remembered"
    answer = await world.ask(order, container.context(FIRM), (0, 1))
    container.import_update(answer.update or b"")
    assert [entry.options.text for entry in container.listing(FIRM)] == ["extended"]
    assert world.sql("SELECT count(*) FROM steps") == [(2,)], "and is made once"


async def test_a_fault_of_a_new_container_leaves_no_empty_step(world: World) -> None:
    order, container = await world.order(1), world.container()
    with pytest.raises(NothingFree):
        await world.ask(order, container.context(FIRM), (0, 2))
    assert world.sql("SELECT kind, number FROM steps") == []
    await collected(world, container, order, 1)
    assert world.sql("SELECT kind, number FROM steps ORDER BY number") == [("Reset", 1)]


async def test_the_vendor_s_difference_stands_behind_what_is_reserved_and_before_the_wish(world: World) -> None:
    order, container = await world.order(3), world.container()
    await world.ask(order, container.context(FIRM), (0, 1))
    world.sql("UPDATE licenses SET options = ?, version = version + 1", '{"text": "new"}')
    update = read_update((await world.ask(order, container.context(FIRM), (0, 3))).update or b"")
    steps = [signed.step for signed in update.steps]
    assert [(step.kind.value, step.to_counter.number) for step in steps] == [
        ("Reset", 1),
        ("Delta", 2),
        ("Delta", 3),
    ]
    assert [[(e.quantity, e.options.text) for e in step.put] for step in steps] == [
        [(1, None)],
        [(1, "new")],
        [(3, "new")],
    ]
    assert all(before.to_counter == after.from_counter for before, after in itertools.pairwise(steps))
    assert all(before.digest_after == after.digest_before for before, after in itertools.pairwise(steps))


async def test_a_request_that_was_answered_by_the_vendor_s_step_alone_never_acts_later(world: World) -> None:
    order, container = await world.order(2), world.container()
    await collected(world, container, order, 2)
    world.sql("UPDATE licenses SET options = ?, version = version + 1", '{"text": "new"}')
    context = container.context(FIRM)
    answer = await world.ask(order, context, (0, None))
    world.sql("UPDATE licenses SET quantity = 5, version = version + 1")
    assert await world.ask(order, context, (0, None)) == answer, "the same request, late and doubled"
    assert world.sql(SUMS) == [(2, 2, 2)]
    assert (await world.ask(order, container.context(FIRM), (0, None))).state == "Done"
    assert world.sql(SUMS) == [(5, 5, 2)], "a new one may"


async def test_trace_17_a_request_that_arrives_late_and_doubled_acts_once(world: World) -> None:
    order, first, second = await world.order(2), world.container("c1"), world.container("c2")
    delayed = first.context(FIRM)
    await collected(world, first, order, 1)
    await world.confirm(first.context(FIRM))
    await collected(world, second, order, 1)
    for _ in range(2):
        assert (await world.ask(order, delayed, (0, 2))).state == "ExportAgain"
    assert world.sql(SUMS) == [(2, 2, 1)]
    assert world.sql("SELECT count(*) FROM containers WHERE mark = 'ok'") == [(2,)]


class Killed(Exception):
    """The process is gone before it has stored what it signed."""


class BeforeStoring:
    """A storage of a process that is killed between reserving and signing."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage

    async def execute(self, command: Any) -> Any:
        if isinstance(command, StoreSigned):
            raise Killed
        return await self._storage.execute(command)

    async def query(self, query: Any) -> Any:
        return await self._storage.query(query)


async def test_what_a_crash_left_unsigned_is_finished_by_the_same_request_though_marked_meanwhile(
    world: World,
) -> None:
    order, container = await world.order(3), world.container("c")
    await collected(world, container, order, 1)
    await world.confirm(container.context(FIRM))
    shutil.copy(world.folder / "c.json", world.folder / "copy.json")
    context = container.context(FIRM)
    killed = world.behind_a_device().depot(BeforeStoring(world.storage))  # type: ignore[arg-type]  # stands for the real one
    with pytest.raises(Killed):
        await killed.get_license_update(ticket=order.ticket, targets=(), context=context)
    assert (await world.ask(order, world.opened("copy").context(FIRM))).state == "Marked"
    answer = await world.ask(order, context)
    container.import_update(answer.update or b"")
    assert (answer.state, held(container)) == ("Done", 3)


async def test_what_a_crash_left_unsigned_is_finished_by_the_next_request(world: World) -> None:
    order, container = await world.order(3), world.container()
    killed = world.behind_a_device().depot(BeforeStoring(world.storage))  # type: ignore[arg-type]  # stands for the real one
    with pytest.raises(Killed):
        await killed.get_license_update(ticket=order.ticket, targets=(), context=container.context(FIRM))
    await collected(world, container, order, None)
    assert (held(container), await world.confirm(container.context(FIRM))) == (3, "Confirmed")
    assert world.sql("SELECT count(*) FROM steps WHERE signed IS NULL") == [(0,)]


async def test_what_a_receipt_frees_is_not_had_again_beyond_a_quantity_that_was_lowered(world: World) -> None:
    order, first, second = await world.order(5), world.container("c1"), world.container("c2")
    waiting = await world.order(1, item="B")
    for container, quantity in ((first, 3), (second, 2)):
        await collected(world, container, order, quantity)
        await world.confirm(container.context(FIRM))
    world.sql("UPDATE licenses SET quantity = 2, version = version + 1 WHERE quantity = 5")
    world.sql("UPDATE placements SET wanted = 0")
    receipt = first.import_update((await world.ask(waiting, first.context(FIRM))).update or b"").receipt
    with pytest.raises(NothingFree):
        await world.ask(order, receipt, (0, 2))
    license_id = order.licenses[0].license_id
    assert world.sql("SELECT sum(occupied) FROM placements WHERE license_id = ?", license_id) == [(2,)]


async def test_a_context_of_many_licences_is_read_like_any_other(world: World) -> None:
    for number in range(3):
        await world.catalogue().add_item(
            item_number=f"LONG{number}", firm_code=FIRM, product_code=1, options=(f"text={'x' * 256}",)
        )
    lines = tuple(OrderLine(item_number=f"LONG{number % 3}", quantity=1) for number in range(150))
    order = await world.sales().create_order(
        shop=world.shops["shop"], request=OrderRequest(transaction_id="many", lines=lines)
    )
    container = world.container()
    receipt = container.import_update((await world.ask(order, container.context(FIRM))).update or b"").receipt
    assert len(receipt) > OFF_LOOP_BYTES
    assert (await world.confirm(receipt), held(container)) == ("Confirmed", 150)
    assert world.sql(SUMS) == [(150, 150, 150)]


async def test_a_container_of_another_vendor_is_marked_and_nothing_is_stored_for_its_receipt(world: World) -> None:
    start, folder = world.now, world.folder / "other"
    folder.mkdir()
    box = SoftwareBox.create(now=start, random=world.random)
    storage = await open_storage(folder / "depot.db")
    other = replace(world, folder=folder, storage=storage, box=box, shops={})
    try:
        await storage.execute(InitialiseServer(epoch=1, key_fingerprint=b"other", at=start))
        await other.catalogue().add_item(item_number="A", firm_code=FIRM, product_code=1)
        other.shops["shop"], _ = await other.catalogue().add_shop("shop")
        container = other.container()
        await collected(other, container, await other.order(1), None)
    finally:
        await storage.close()
    assert read_context(container.context(FIRM)).last_step is not None
    assert await world.confirm(container.context(FIRM)) == "Marked"
    assert world.sql("SELECT count(*) FROM containers") == [(0,)]
    assert (await world.ask(await world.order(1), container.context(FIRM))).state == "Marked"
    assert world.sql("SELECT mark FROM containers") == [("marked",)]
    assert world.sql("SELECT count(*) FROM steps") == [(0,)]


ACTIONS = ("the first file", "the second file", "a successor")


async def test_trace_18_all_orders_of_two_parallel_files_and_their_successors_end_right(world: World) -> None:
    for number, actions in enumerate(itertools.product(ACTIONS, repeat=4)):
        order, container = await world.order(4), world.container(f"c{number}")
        contexts = [container.context(FIRM), container.context(FIRM)]
        files = [
            (await world.ask(order, context, (0, place))).update or b"" for place, context in enumerate(contexts, 1)
        ]
        wish = 2
        for action in actions:
            if action == "a successor":
                wish = min(wish + 1, 4)
                file = (await world.ask(order, container.context(FIRM), (0, wish))).update or b""
            else:
                file = files[ACTIONS.index(action)]
            if file:
                await world.confirm(loaded(container, file))
        last = (await world.ask(order, container.context(FIRM), (0, wish))).update
        if last is not None:
            container.import_update(last)
        license_id = order.licenses[0].license_id
        assert await world.confirm(container.context(FIRM)) == "Confirmed", actions
        assert held(container) == wish, actions
        assert world.sql(f"{SUMS} WHERE license_id = ?", license_id) == [(wish, wish, wish)], actions
    assert number == 80
    assert world.sql("SELECT count(*) FROM containers WHERE mark <> 'ok'") == [(0,)]


def loaded(container: Container, file: bytes) -> bytes:
    """Import a file and give the receipt; a fresh context where its predecessor was not loaded yet."""
    try:
        return container.import_update(file).receipt
    except ContainerError as refused:
        if refused.code != "StepMissing":
            raise
        return container.context(FIRM)
