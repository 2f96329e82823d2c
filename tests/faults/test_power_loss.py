"""Power loss at a random moment loses nothing that was acknowledged; with less than synchronous = FULL it would.

The seed fixes the moment, in operations of the disk, and what becomes of each write that was not synced. How the
clients' requests fall into batches is the machine's.
"""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from checking import Ledger, Refused
from killing import collect_once, recent
from losing_power import Content, Disk, PoweredOpener
from worlds import OfTheRules, World, copied_world, make_world, violations_at_rest

from containers import Container
from server.core import OpenDatabase, opened_core
from storage import open_storage
from storage.errors import StorageError, StorageUnavailable
from storage.sqlite.engine import SqliteStorage

pytestmark = pytest.mark.slow


@pytest.fixture
async def template(tmp_path: Path) -> World:
    return await make_world(tmp_path / "template")


async def ordering(world: World, asking: OfTheRules, name: str) -> None:
    for number in range(10_000):
        transaction_id = f"{name}-{number}"
        world.ledger.asks(transaction_id)
        world.ledger.acknowledged(transaction_id, await asking.order(transaction_id))


async def collecting(world: World, asking: OfTheRules, container: Container, rng: random.Random, disk: Disk) -> None:
    while world.ledger.orders or not disk.lost:
        await asyncio.sleep(0)
        if world.ledger.orders:
            await collect_once(world, asking, container, recent(world.ledger.orders, rng))
        else:
            await asyncio.sleep(0.001)
    raise Refused("StorageUnavailable")  # there was never anything to collect


async def load(world: World, rng: random.Random, disk: Disk, open_database: OpenDatabase) -> None:
    """Order and collect until the storage fails."""
    try:
        async with opened_core(world.settings, open_database=open_database) as core:
            asking = await OfTheRules.over(core, world.api_key)
            tasks = [ordering(world, asking, f"s{number}") for number in range(4)]
            tasks += [collecting(world, asking, container, rng, disk) for container in world.containers]
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    except StorageUnavailable:
        return  # it failed before anybody was served
    assert {(type(outcome), str(outcome)) for outcome in outcomes} == {(Refused, "StorageUnavailable")}, outcomes


async def lose_power(
    template: World, folder: Path, *, seed: int, synchronous: str = "FULL"
) -> tuple[Ledger, list[str]]:
    """One run until the power goes; what was acknowledged, and what is lost of it when the power is back."""
    rng = random.Random(seed)
    world = copied_world(template, folder / "before")
    world.ledger = Ledger()
    after = folder / "after"
    disk = Disk(name=f"disk-{synchronous}-{seed}", seed=seed, lose_at=int(10 ** rng.uniform(1, 3.4)), after=after)
    disk.holds(world.database)

    async def powered(location: str | Path, *, queue_limit: int, **_: Any) -> SqliteStorage:
        opener = PoweredOpener(
            path=Path(location),
            busy_seconds=5,
            disk=disk,
            synchronous=synchronous,
            checkpoint_pages=rng.choice([30, 100, 1000]),
        )
        return await SqliteStorage.open(opener=opener, queue_limit=queue_limit, batch_limit=128, reader_count=2)

    await load(world, rng, disk, powered)
    assert disk.lost
    found_again = copied_world(world, folder / "again", database=after / world.database.name)
    try:
        return world.ledger, await violations_at_rest(found_again)
    except StorageError as error:
        return world.ledger, [f"the database cannot be opened: {error}"]


async def test_power_loss_loses_nothing_that_was_acknowledged(template: World, tmp_path: Path) -> None:
    orders = files = 0
    for seed in range(12):
        ledger, found = await lose_power(template, tmp_path / str(seed), seed=seed)
        assert found == [], f"seed {seed}"
        orders += len(ledger.orders)
        files += len(ledger.files)
    assert orders > 50
    assert files > 10


@pytest.mark.long
@pytest.mark.timeout(0)
async def test_many_power_losses_lose_nothing_that_was_acknowledged(
    template: World, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    first, count = pytestconfig.getoption("--power-from"), pytestconfig.getoption("--power-losses")
    orders = files = 0
    for seed in range(first, first + count):
        ledger, found = await lose_power(template, tmp_path / str(seed), seed=seed)
        assert found == [], f"seed {seed}"
        orders += len(ledger.orders)
        files += len(ledger.files)
    print(f"{count} power losses from seed {first} on, {orders} orders, {files} update files: none lost")


async def test_the_check_goes_red_when_the_log_is_synced_only_by_checkpoints(template: World, tmp_path: Path) -> None:
    for seed in range(100, 130):
        ledger, found = await lose_power(template, tmp_path / str(seed), seed=seed, synchronous="NORMAL")
        assert not any("damaged" in text or "opened" in text for text in found), "NORMAL forgets, but damages nothing"
        if ledger.orders and any("another one now" in text for text in found):
            return
    raise AssertionError("synchronous = NORMAL lost nothing: the test proves nothing")


async def test_the_check_goes_red_when_nothing_is_synced(template: World, tmp_path: Path) -> None:
    damaged = forgotten = False
    for seed in range(100, 130):
        _, found = await lose_power(template, tmp_path / str(seed), seed=seed, synchronous="OFF")
        damaged = damaged or any("damaged" in text or "opened" in text for text in found)
        forgotten = forgotten or any("another one now" in text for text in found)
        if damaged and forgotten:
            return
    raise AssertionError("synchronous = OFF lost nothing: the test proves nothing")


@pytest.mark.parametrize("seed", range(8))
async def test_power_loss_while_a_database_is_made_leaves_one_that_can_be_opened(tmp_path: Path, seed: int) -> None:
    after = tmp_path / "after"
    disk = Disk(name=f"making-{seed}", seed=seed, lose_at=random.Random(seed).randint(1, 130), after=after)
    opener = PoweredOpener(path=tmp_path / "depot.db", busy_seconds=5, disk=disk)
    try:
        storage = await SqliteStorage.open(opener=opener, queue_limit=10, batch_limit=10, reader_count=1)
    except StorageUnavailable:
        assert disk.lost
    else:
        disk.lose()
        await storage.close()
    again = await open_storage(after / "depot.db")
    await again.ready()
    await again.close()


def test_what_was_synced_stays_and_what_was_not_may_be_lost_or_torn() -> None:
    content = Content()
    content.pending.append((0, b"a" * 1024))
    content.synced()
    content.pending.append((0, b"b" * 1024))
    found = {content.after_loss(random.Random(seed)) for seed in range(200)}
    a, b = b"a" * 512, b"b" * 512
    assert found == {a + a, a + b, b + a, b + b}
    content.pending.append((-1, None))
    assert None in {content.after_loss(random.Random(seed)) for seed in range(200)}
    content.synced()
    assert {content.after_loss(random.Random(seed)) for seed in range(200)} == {None, b""}
