"""A message that was seen before does nothing, however much of it is written at once."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from gates_bench import World
from signed_messages import NOW

from server.security.wssecurity.once import MarkingStorage, carried_out_once
from server.security.wssecurity.refusals import SecurityReplayed
from storage.commands import InitialiseServer, LoadServer, RaiseEpoch
from storage.marks import Mark
from storage.records import AuditRow

MARKS = (Mark(mark=b"m" * 32, until=NOW),)


def raising(epoch: int) -> RaiseEpoch:
    audit = AuditRow(at=NOW, actor="test", action="RaiseEpoch", subject="", details="{}")
    return RaiseEpoch(epoch=epoch, audit=audit)


@pytest.fixture
async def seen(world: World) -> MarkingStorage:
    """A storage in which a message was used up already."""
    await world.storage.execute(InitialiseServer(epoch=1, key_fingerprint=b"x", at=NOW))
    marking = MarkingStorage(world.storage)
    await carried_out_once(MARKS, world.storage, lambda: marking.execute(raising(5)))
    return marking


async def epoch(storage: Any) -> int:
    found = await storage.query(LoadServer())
    assert found is not None
    return int(found.current_epoch)


async def test_nothing_of_a_repetition_is_written_even_of_what_waits_beside_the_first(
    world: World, seen: MarkingStorage
) -> None:
    said: list[object] = []

    async def work() -> None:
        said.extend(await asyncio.gather(*(seen.execute(raising(n)) for n in (6, 7, 8)), return_exceptions=True))
        raise SecurityReplayed

    with pytest.raises(SecurityReplayed):
        await carried_out_once(MARKS, world.storage, work)
    assert [type(each) for each in said] == [SecurityReplayed] * 3
    assert await epoch(seen) == 5


async def test_a_repetition_has_no_answer_even_where_its_work_goes_on(world: World, seen: MarkingStorage) -> None:
    async def stubborn() -> str:
        for number in (6, 7):
            with pytest.raises(SecurityReplayed):
                await seen.execute(raising(number))
        return "an answer"

    with pytest.raises(SecurityReplayed):
        await carried_out_once(MARKS, world.storage, stubborn)
    assert await epoch(seen) == 5


async def test_what_is_no_message_is_written_as_it_is(world: World, seen: MarkingStorage, tmp_path: Path) -> None:
    assert (await seen.execute(raising(9))).current_epoch == 9
    await seen.ready()
    await seen.forget(thorough=False)
