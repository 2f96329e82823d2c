"""What is remembered of shops and items: right within a second everywhere, and nobody is let in blindly."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from storage import Storage, open_storage
from storage.commands import FindShop, LoadServer, PrepareOrder, Query
from storage.errors import StorageClosed, StorageUnavailable
from storage.remembering import BLIND_SECONDS, RememberingStorage


class Counting:
    """A storage that counts queries, may be cut off, and may hold an answer back."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.asked: list[type[Query]] = []
        self.cut = False
        self.held: asyncio.Event | None = None

    async def execute(self, command: Any) -> Any:
        return await self._storage.execute(command)

    async def query(self, query: Any) -> Any:
        if self.cut:
            raise StorageUnavailable("cut off")
        self.asked.append(type(query))
        answer = await self._storage.query(query)
        if self.held is not None and not isinstance(query, LoadServer):
            await self.held.wait()
        return answer

    async def ready(self) -> None:
        await self._storage.ready()

    async def close(self) -> None:
        await self._storage.close()


class Bench:
    """One database with two nodes that remember, and a clock that is set by hand."""

    def __init__(self, first: Storage, second: Storage) -> None:
        self.now = 1000.0
        self.behind = Counting(first)
        self.node = RememberingStorage(self.behind, monotonic=lambda: self.now)
        self.other = RememberingStorage(second, monotonic=lambda: self.now)
        self.sight: list[str] = []
        self.node.on_blind = lambda: self.sight.append("blind")
        self.node.on_seeing = lambda: self.sight.append("seeing")

    def asked(self, kind: type[Query]) -> int:
        return self.behind.asked.count(kind)


@pytest.fixture
async def bench(tmp_path: Any, make: Any) -> AsyncIterator[Bench]:
    found = Bench(await open_storage(tmp_path / "depot.db"), await open_storage(tmp_path / "depot.db"))
    await found.node.execute(make.initialise())
    await found.node.look()
    yield found
    await found.node.close()
    await found.other.close()


def order_of(*items: str, original: str | None = None, by_memory: bool = True) -> PrepareOrder:
    return PrepareOrder(
        shop_id="shop-acme",
        operation="CreateOrder",
        transaction_id="t-1",
        item_numbers=items,
        original_order_number=original,
        by_memory=by_memory,
    )


KEY = FindShop(lookup=b"key of acme")


async def test_a_shop_is_asked_for_once_and_then_remembered(bench: Bench, make: Any) -> None:
    await bench.node.execute(make.shop())
    found = [await bench.node.query(KEY) for _ in range(3)]
    assert [shop.name for shop in found] == ["acme"] * 3
    assert bench.asked(FindShop) == 1


async def test_an_unknown_key_is_asked_for_each_time_so_that_guessing_fills_no_memory(bench: Bench) -> None:
    for _ in range(3):
        assert await bench.node.query(FindShop(lookup=b"guess")) is None
    assert bench.asked(FindShop) == 3


async def test_items_are_remembered_for_orders_that_allow_it(bench: Bench, make: Any) -> None:
    for number in ("A", "B"):
        await bench.node.execute(make.item(number))
    first = await bench.node.query(order_of("A", "B"))
    again = await bench.node.query(order_of("B", "A"))
    assert {item.item_number for item in first.items} == {item.item_number for item in again.items} == {"A", "B"}
    assert bench.asked(PrepareOrder) == 1


@pytest.mark.parametrize(
    "question", [order_of("A", by_memory=False), order_of("A", original="n-1"), order_of("A", "unknown")]
)
async def test_what_memory_cannot_answer_is_asked_of_the_database(
    bench: Bench, make: Any, question: PrepareOrder
) -> None:
    await bench.node.execute(make.item("A"))
    await bench.node.query(order_of("A"))
    await bench.node.query(question)
    assert bench.asked(PrepareOrder) == 2


async def test_an_own_change_is_known_at_once(bench: Bench, make: Any) -> None:
    await bench.node.execute(make.shop())
    await bench.node.query(KEY)
    await bench.node.execute(make.shop("other"))
    await bench.node.query(KEY)
    assert bench.asked(FindShop) == 2


async def test_a_change_by_another_node_is_known_after_the_next_look(bench: Bench, make: Any) -> None:
    await bench.node.execute(make.item("A"))
    await bench.node.query(order_of("A"))
    await bench.other.execute(make.item("B"))
    await bench.node.look()
    await bench.node.query(order_of("A"))
    assert bench.asked(PrepareOrder) == 2
    await bench.node.look()
    await bench.node.query(order_of("A"))
    assert bench.asked(PrepareOrder) == 2


async def test_an_answer_from_before_a_change_is_not_remembered_after_it(bench: Bench, make: Any) -> None:
    await bench.node.execute(make.shop())
    bench.behind.held = asyncio.Event()
    asking = asyncio.create_task(bench.node.query(KEY))
    while not bench.asked(FindShop):  # noqa: ASYNC110 - the storage behind runs in threads
        await asyncio.sleep(0)
    await bench.node.execute(make.shop("other"))
    bench.behind.held.set()
    assert (await asking).name == "acme"
    await bench.node.query(KEY)
    assert bench.asked(FindShop) == 2


async def test_who_is_blind_refuses_shops_even_those_it_remembers(bench: Bench, make: Any) -> None:
    await bench.node.execute(make.shop())
    await bench.node.query(KEY)
    bench.now += BLIND_SECONDS
    assert (await bench.node.query(KEY)).name == "acme"
    bench.now += 0.1
    with pytest.raises(StorageUnavailable):
        await bench.node.query(KEY)
    with pytest.raises(StorageUnavailable):
        await bench.node.ready()
    assert StorageUnavailable.retry


async def test_who_is_blind_takes_no_items_from_memory(bench: Bench, make: Any) -> None:
    await bench.node.execute(make.item("A"))
    await bench.node.query(order_of("A"))
    bench.now += BLIND_SECONDS + 0.1
    await bench.node.query(order_of("A"))
    assert bench.asked(PrepareOrder) == 2


async def test_going_blind_and_seeing_again_are_told_once_each(tmp_path: Any, make: Any) -> None:
    bench = Bench(await open_storage(tmp_path / "depot.db"), await open_storage(tmp_path / "depot.db"))
    node = RememberingStorage(bench.behind, monotonic=lambda: bench.now, look_seconds=0)
    node.on_blind, node.on_seeing = bench.node.on_blind, bench.node.on_seeing
    await node.execute(make.initialise())
    node.start()

    async def until(sight: list[str]) -> None:
        while bench.sight != sight:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)

    bench.behind.cut = True
    bench.now += BLIND_SECONDS + 1
    await until(["blind"])
    for _ in range(20):
        await asyncio.sleep(0)
    bench.behind.cut = False
    await until(["blind", "seeing"])
    assert node.age_seconds == 0
    await node.close()
    await bench.other.close()


async def test_no_more_than_a_bound_is_remembered(bench: Bench, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.remembering.MOST", 2)
    for number in ("A", "B", "C"):
        await bench.node.execute(make.item(number))
    for number in ("A", "B", "C", "C", "A"):
        await bench.node.query(order_of(number))
    # C made A and B be forgotten; C itself was remembered.
    assert bench.asked(PrepareOrder) == 4


async def test_a_closed_one_has_closed_the_storage_behind(tmp_path: Any) -> None:
    node = RememberingStorage(await open_storage(tmp_path / "depot.db"), monotonic=lambda: 0.0)
    node.start()
    await asyncio.sleep(0)
    await node.close()
    with pytest.raises(StorageClosed):
        await node.look()
