"""The traces of the transfer protocol, section 7, as far as collecting and receipts go; numbers are theirs."""

import asyncio
import shutil
from typing import Any

import pytest
from rules import FIRM, OTHER_FIRM, World, held

from containers import ContainerError
from licensing.errors import NothingFree
from storage.commands import ApplyTransfer


async def test_trace_1_a_delayed_context_with_another_wish_does_not_mark_an_honest_container(world: World) -> None:
    order, container = await world.order(3), world.container()
    delayed = container.context(FIRM)
    answer = await world.ask(order, container.context(FIRM), (0, 1))
    imported = container.import_update(answer.update or b"")
    assert await world.confirm(imported.receipt) == "Confirmed"
    late = await world.ask(order, delayed, (0, 2))
    assert late.state == "ExportAgain"
    answer = await world.ask(order, container.context(FIRM), (0, 2))
    container.import_update(answer.update or b"")
    assert (answer.state, held(container)) == ("Done", 2)


async def test_trace_2_anything_new_is_answered_anew_after_the_vendor_changed_something(world: World) -> None:
    order, container = await world.order(1), world.container()
    container.import_update((await world.ask(order, container.context(FIRM))).update or b"")
    assert (await world.ask(order, container.context(FIRM))).state == "NothingNew"
    world.sql("UPDATE licenses SET options = ?, version = version + 1", '{"text": "extended"}')
    answer = await world.ask(order, container.context(FIRM))
    assert answer.state == "Done"
    container.import_update(answer.update or b"")
    (entry,) = container.listing(FIRM)
    assert (entry.options.text, entry.quantity) == ("extended", 1)


async def test_trace_3_a_lost_answer_asked_for_again_gives_the_same_file_and_one_piece(world: World) -> None:
    order, container = await world.order(1), world.container()
    second = await world.order(1, original="n-1")
    context = container.context(FIRM)
    lost = await world.ask(order, context, (0, None))
    moved = await world.ask(second, container.context(FIRM), (0, None))
    assert moved.state == "Done"
    again = await world.ask(order, context, (0, None))
    assert again == lost
    container.import_update(again.update or b"")
    container.import_update(moved.update or b"")
    assert held(container) == 2


async def test_trace_4_two_copies_in_lockstep_are_noticed_and_a_silent_one_loads_no_later_file(world: World) -> None:
    order, container = await world.order(3), world.container("c")
    container.import_update((await world.ask(order, container.context(FIRM), (0, 1))).update or b"")
    shutil.copy(world.folder / "c.json", world.folder / "copy.json")
    copy = world.opened("copy")
    answer = await world.ask(order, container.context(FIRM), (0, 2))
    with pytest.raises(ContainerError) as refused:
        copy.import_update(answer.update or b"")
    assert refused.value.code == "RestoredCopy"
    answer = await world.ask(order, copy.context(FIRM), (0, 3))
    assert (answer.state, answer.update) == ("Marked", None)
    assert world.sql("SELECT mark FROM containers") == [("marked",)]
    assert (await world.ask(order, container.context(FIRM), (0, 3))).state == "Marked"
    assert await world.confirm(container.context(FIRM)) == "Marked"


async def test_trace_9_a_mark_for_one_firm_code_leaves_the_other_alone(world: World) -> None:
    order, other, container = await world.order(2), await world.order(1, item="O"), world.container("c")
    container.import_update((await world.ask(order, container.context(FIRM), (0, 1))).update or b"")
    shutil.copy(world.folder / "c.json", world.folder / "copy.json")
    await world.ask(order, container.context(FIRM))
    assert (await world.ask(order, world.opened("copy").context(FIRM))).state == "Marked"
    answer = await world.ask(other, container.context(OTHER_FIRM))
    container.import_update(answer.update or b"")
    assert (answer.state, held(container, OTHER_FIRM)) == ("Done", 1)


async def test_trace_10_two_workers_and_two_signers_make_one_step_and_one_byte_string(world: World) -> None:
    order, container = await world.order(1), world.container()
    context = container.context(FIRM)
    answers = await asyncio.gather(*(world.ask(order, context) for _ in range(8)))
    assert len({answer.update for answer in answers}) == 1
    assert world.sql("SELECT count(*) FROM steps") == [(1,)]
    container.import_update(answers[0].update or b"")
    assert held(container) == 1


async def test_trace_11_a_piece_is_not_free_while_a_file_that_grants_it_is_at_large(world: World) -> None:
    order, first, second = await world.order(1), world.container("c1"), world.container("c2")
    await world.ask(order, first.context(FIRM))
    with pytest.raises(NothingFree):
        await world.ask(order, second.context(FIRM))
    assert world.sql("SELECT wanted, occupied, confirmed FROM placements") == [(1, 1, 0)]


async def test_trace_15_an_export_that_never_left_does_not_make_two_of_one(world: World) -> None:
    order, container = await world.order(2), world.container()
    container.context(FIRM)
    container.import_update((await world.ask(order, container.context(FIRM), (0, 1))).update or b"")
    container.context(FIRM)
    assert (await world.ask(order, container.context(FIRM), (0, 2))).state == "Done"


class Dying:
    """A storage of a process that dies at its n-th call, before or after the call was carried out."""

    def __init__(self, storage: Any, *, call: int, after: bool) -> None:
        self._storage, self._left, self._after = storage, call, after

    async def _through(self, name: str, value: Any) -> Any:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise ConnectionError
        answer = await getattr(self._storage, name)(value)
        if self._left == 0:
            raise ConnectionError
        return answer

    async def execute(self, command: Any) -> Any:
        return await self._through("execute", command)

    async def query(self, query: Any) -> Any:
        return await self._through("query", query)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", [1, 2, 3])
async def test_a_crash_at_any_step_is_finished_by_the_same_request(world: World, call: int, after: bool) -> None:
    order, container = await world.order(2), world.container()
    context = container.context(FIRM)
    with pytest.raises(ConnectionError):
        await (
            world.behind_a_device()
            .depot(Dying(world.storage, call=call, after=after))
            .get_license_update(  # type: ignore[arg-type]
                ticket=order.ticket, targets=(), context=context
            )
        )
    answer = await world.ask(order, context)
    container.import_update(answer.update or b"")
    assert (held(container), await world.confirm(container.context(FIRM))) == (2, "Confirmed")
    assert await world.ask(order, context) == answer


async def test_a_decision_that_was_overtaken_is_made_again(world: World) -> None:
    order, first, second = await world.order(2), world.container("c1"), world.container("c2")

    class Overtaken(Dying):
        async def execute(self, command: Any) -> Any:
            if isinstance(command, ApplyTransfer) and self._left:
                self._left = 0
                await world.ask(order, second.context(FIRM), (0, 1))
            return await self._storage.execute(command)

        async def query(self, query: Any) -> Any:
            return await self._storage.query(query)

    depot = world.depot(Overtaken(world.storage, call=1, after=False))  # type: ignore[arg-type]
    answer = await depot.get_license_update(ticket=order.ticket, targets=(), context=first.context(FIRM))
    first.import_update(answer.update or b"")
    assert held(first) == 1, "the second container took one of the two in between"
