"""Numbers of a key rise in the order of the commits, because the second writer waits for the first."""

import asyncio
from dataclasses import replace

import asyncpg
from postgres_server import until_blocked

from storage.commands import Placed
from storage.outbox import ListOutbox


async def test_a_second_change_of_a_key_waits_for_the_first_and_takes_the_next_number(stocked, make, place, behind):
    slow = await asyncpg.connect(place.location)
    try:
        transaction = slow.transaction()
        await transaction.start()
        await slow.execute("INSERT INTO outbox_keys (channel, key, last) VALUES ('webhook', 'K', 1)")
        command = replace(make.order(), messages=(make.message("K"),))
        second = asyncio.create_task(stocked.execute(command))
        await until_blocked(behind)
        assert not second.done()
        other = replace(make.order(), messages=(make.message("L"),))
        assert await stocked.execute(other) == Placed()
        await transaction.commit()
    finally:
        await slow.close()
    assert await second == Placed()
    rows = await stocked.query(ListOutbox(limit=9))
    assert [(row.message.key, row.number) for row in rows] == [("K", 2), ("L", 1)]
