"""A clock that jumps changes dates and nothing else: no order is lost or doubled, and no chain breaks."""

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from killing import collect_once
from worlds import OfTheRules, World, make_world, violations_at_rest

from server.core import opened_core, utc_now

pytestmark = pytest.mark.slow

JUMPS = {
    "a day back": timedelta(days=-1),
    "ten years on": timedelta(days=3653),
}


class Clock:
    """The time, and how far it is off."""

    def __init__(self) -> None:
        self.off = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.off


async def ordered_and_collected(world: World, asking: OfTheRules, name: str) -> None:
    world.ledger.asks(name)
    world.ledger.acknowledged(name, await asking.order(name))
    ticket = str(world.ledger.orders[name]["ticket"])
    for container in world.containers:
        await collect_once(world, asking, container, ticket)


@pytest.mark.parametrize("restart", [False, True], ids=["while it runs", "while it is down"])
@pytest.mark.parametrize("jump", JUMPS)
async def test_a_jump_there_and_back_loses_and_doubles_nothing(tmp_path: Path, jump: str, restart: bool) -> None:
    world, clock = await make_world(tmp_path / "depot"), Clock()
    offsets = [timedelta(), JUMPS[jump], timedelta()]
    if restart:
        for turn, clock.off in enumerate(offsets):
            async with opened_core(world.settings, clock=clock) as core:
                await ordered_and_collected(world, await OfTheRules.over(core, world.api_key), f"T-{turn}")
    else:
        async with opened_core(world.settings, clock=clock) as core:
            asking = await OfTheRules.over(core, world.api_key)
            for turn, clock.off in enumerate(offsets):
                await ordered_and_collected(world, asking, f"T-{turn}")
    assert len(world.ledger.files) == 3
    for clock.off in reversed(offsets):
        ahead = max(offsets) - clock.off > timedelta(hours=1)
        assert await violations_at_rest(world, clock=clock, told={"clock"} if ahead else ()) == []
    with closing(sqlite3.connect(world.database)) as db:
        dates = [row[0] for row in db.execute("SELECT created_at FROM orders ORDER BY transaction_id")]
        chains: dict[str, list[int]] = {}
        for serial, number in db.execute("SELECT serial, number FROM steps ORDER BY serial, epoch, number"):
            chains.setdefault(serial, []).append(number)
    assert (dates[1] > dates[2]) == (JUMPS[jump] > timedelta()), "dates are the clock's"
    assert all(chain == list(range(1, len(chain) + 1)) for chain in chains.values()), "counters are not"
