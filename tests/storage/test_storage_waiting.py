"""The line in front of every database, and what is loaded for which."""

import asyncio
import sys

import pytest

from storage import open_storage
from storage.errors import LocationInvalid, StorageBusy
from storage.outcomes import Answered
from storage.waiting import WaitingLine


async def test_a_run_that_breaks_fails_its_own_batch_and_the_line_goes_on():
    async def run(batch):
        if "bad" in batch:
            raise RuntimeError("broken")
        return [Answered(answer=work) for work in batch]

    line = WaitingLine(run=run, limit=10)
    with pytest.raises(RuntimeError, match="broken"):
        await line.submit("bad")
    assert await line.submit("good") == "good"
    await line.idle()


async def test_a_postgresql_address_without_its_driver_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "storage.postgres.connection", None)
    with pytest.raises(LocationInvalid, match="asyncpg"):
        await open_storage("postgresql://depot@host/depot")


class Held:
    """Runs batches one after the other, each when a test says so."""

    def __init__(self):
        self.batches = []
        self.go = asyncio.Semaphore(0)

    async def run(self, batch):
        self.batches.append(batch)
        await self.go.acquire()
        return [Answered(answer=work) for work in batch]


async def test_what_is_asked_in_one_turn_of_the_loop_goes_as_one_batch_and_what_comes_later_does_not_wait_for_it():
    held = Held()
    line = WaitingLine(run=held.run, limit=100, batch_limit=3, lanes=3, gathers=True)
    first = [asyncio.ensure_future(line.submit(number)) for number in range(5)]
    await asyncio.sleep(0.01)
    later = asyncio.ensure_future(line.submit("later"))
    await asyncio.sleep(0.01)
    assert held.batches == [[0, 1, 2], [3, 4], ["later"]]
    beyond = asyncio.ensure_future(line.submit("beyond the lanes"))
    await asyncio.sleep(0.01)
    assert len(held.batches) == 3
    for _ in range(4):
        held.go.release()
    assert await asyncio.gather(*first, later, beyond) == [0, 1, 2, 3, 4, "later", "beyond the lanes"]


@pytest.mark.parametrize("gathers", [False, True])
async def test_a_line_is_not_idle_while_work_waits_that_has_not_begun(gathers):
    held = Held()
    line = WaitingLine(run=held.run, limit=10, gathers=gathers)
    work = asyncio.ensure_future(line.submit("work"))
    idle = asyncio.ensure_future(line.idle())
    # The first turn brings the work into the line, which begins it in the one after.
    await asyncio.sleep(0)
    for _ in range(10):
        await asyncio.sleep(0)
        assert not idle.done()
    assert held.batches == [["work"]]
    held.go.release()
    assert await work == "work"
    await asyncio.wait_for(idle, 5)


async def test_work_that_was_given_up_before_it_began_is_left_out_and_the_line_becomes_idle():
    held = Held()
    line = WaitingLine(run=held.run, limit=10, droppable=True, gathers=True)
    work = asyncio.ensure_future(line.submit("work"))
    await asyncio.sleep(0)
    work.cancel()
    await asyncio.wait([work])
    await asyncio.wait_for(line.idle(), 5)
    assert held.batches == []
    held.go.release()
    assert await line.submit("next") == "next"


@pytest.mark.parametrize("gathers", [False, True])
async def test_as_much_is_let_in_as_may_wait_and_as_can_begin_at_once(gathers):
    held = Held()
    line = WaitingLine(run=held.run, limit=2, lanes=3, gathers=gathers)
    asked = [asyncio.ensure_future(line.submit(number)) for number in range(6)]
    await asyncio.sleep(0.01)
    assert [isinstance(work.exception(), StorageBusy) for work in asked if work.done()] == [True]
    for _ in range(5):
        held.go.release()
    assert await asyncio.gather(*asked[:5]) == [0, 1, 2, 3, 4]
