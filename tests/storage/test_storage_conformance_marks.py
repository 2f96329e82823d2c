"""What every storage must do: marks are used once, together with what was done for them, and forgotten in time."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from storage.commands import AlreadyAnswered, Moved, Placed, StoreFilters
from storage.marks import ForgetMarks, Mark, MarkSeen, MarksKept, MarksUsed, UseMarks
from storage.records import FilterDocument


def mark(make, number: int = 1, *, seconds: float = 60) -> Mark:
    return Mark(mark=bytes([number]) * 32, until=make.now + timedelta(seconds=seconds))


def filters(make, version: int = 1) -> StoreFilters:
    document = FilterDocument(
        version=version, rules="format = 1\n", author="ops", written_at=make.now, comment="", diff=""
    )
    return StoreFilters(document=document, audit=make.audit())


async def test_a_mark_is_used_once_alone_or_with_others(storage, make):
    one, two = mark(make, 1), mark(make, 2)
    assert await storage.execute(UseMarks(marks=(one,))) == MarksUsed()
    assert await storage.execute(UseMarks(marks=(one,))) == MarkSeen()
    assert await storage.execute(UseMarks(marks=(two, one))) == MarkSeen()
    assert await storage.execute(UseMarks(marks=(two,))) == MarksUsed(), (
        "nothing was written with the one that was seen"
    )


async def test_of_many_at_once_one_uses_it(storage, make):
    answers = await asyncio.gather(*(storage.execute(UseMarks(marks=(mark(make),))) for _ in range(12)))
    assert sorted(map(repr, answers)) == sorted(map(repr, [MarksUsed(), *[MarkSeen()] * 11]))


async def test_an_order_and_its_mark_are_written_together_or_not_at_all(stocked, make, dump):
    storage, command = stocked, make.order()
    assert await storage.execute(UseMarks(marks=(mark(make),), command=command)) == MarksUsed(answer=Placed())
    before = dump()
    assert await storage.execute(UseMarks(marks=(mark(make),), command=make.order())) == MarkSeen()
    assert dump() == before, "what came with a mark that was seen leaves nothing"
    again = await storage.execute(UseMarks(marks=(mark(make, 2),), command=command))
    assert isinstance(again, MarksUsed)
    assert isinstance(again.answer, AlreadyAnswered)
    assert await storage.execute(UseMarks(marks=(mark(make, 2),))) == MarkSeen(), "an answer of before uses it up"


async def test_a_command_that_takes_back_what_it_wrote_gives_the_marks_back(storage, make):
    taken_back = UseMarks(marks=(mark(make),), command=filters(make, version=7))
    assert await storage.execute(taken_back) == MarksKept(answer=Moved())
    done = await storage.execute(replace(taken_back, command=filters(make)))
    assert isinstance(done, MarksUsed)


async def test_marks_are_forgotten_after_their_time_and_not_before(storage, make):
    for number, seconds in ((1, 10), (2, 20), (3, 30)):
        await storage.execute(UseMarks(marks=(mark(make, number, seconds=seconds),)))
    at = make.now + timedelta(seconds=25)
    assert await storage.execute(ForgetMarks(at=at, limit=1)) == 1
    assert await storage.execute(ForgetMarks(at=at, limit=10)) == 1
    assert await storage.execute(ForgetMarks(at=at, limit=10)) == 0
    assert await storage.execute(UseMarks(marks=(mark(make, 3),))) == MarkSeen()
    assert await storage.execute(UseMarks(marks=(mark(make, 1),))) == MarksUsed()
