"""SIGTERM under load: what was taken is finished and durable, and nobody is told anything that cannot be retried."""

import asyncio
import random
import signal
from pathlib import Path

import pytest
from checking import Refused
from killing import LOST, collecting, ended, shopping, started, violations
from worlds import World, make_world

pytestmark = pytest.mark.slow


def told_to_come_back(outcome: object) -> bool:
    """The connection is gone, or the server said that it is on its way out."""
    return isinstance(outcome, LOST) or (isinstance(outcome, Refused) and outcome.code == "StorageClosed")


async def load_and_stop(world: World, *, seed: int, workers: int) -> None:
    rng = random.Random(seed)
    process = await started(world, workers=workers)
    try:
        load = [asyncio.create_task(shopping(world, f"s{seed}-{number}")) for number in range(6)]
        load += [asyncio.create_task(collecting(world, container, rng)) for container in world.containers]
        await asyncio.sleep(rng.uniform(0.1, 0.4))
        process.send_signal(signal.SIGTERM)
        outcomes = await asyncio.wait_for(asyncio.gather(*load, return_exceptions=True), 30)
        assert await asyncio.wait_for(process.wait(), 30) == 0
    finally:
        await ended(process)
    assert all(map(told_to_come_back, outcomes)), outcomes


@pytest.mark.parametrize(("seed", "workers"), [pytest.param(1, 0, marks=pytest.mark.long), (3, 2)])
async def test_sigterm_under_load_finishes_what_was_taken(tmp_path: Path, seed: int, workers: int) -> None:
    world = await make_world(tmp_path / "depot")
    await load_and_stop(world, seed=seed, workers=workers)
    log = (world.folder / "events.log").read_text()
    assert "Traceback" not in log
    assert '"outcome": "aborted"' not in log, "a request was taken and its answer was not sent"
    assert world.ledger.orders
    # Nothing is left to be found out: what was asked for and not acknowledged had never been taken.
    unanswered = world.ledger.asked - set(world.ledger.orders)
    assert len(unanswered) <= 6
    assert not list(world.folder.glob("opendepot.sqlite3-wal")), "the log was taken into the database"
    assert await violations(world) == []
