"""What every storage must do when many ask at once."""

import asyncio
from dataclasses import replace

import pytest

from storage.commands import AlreadyAnswered, Applied, FindOrder, Moved, OrderNumberTaken, Placed, StoreSigned
from storage.errors import ConstraintRefused

E = 1_800_000_000_000


async def test_of_many_equal_orders_one_is_placed_and_the_others_get_its_answer(stocked, make):
    commands = [make.order(transaction="T-1", number="N-1") for _ in range(60)]
    results = await asyncio.gather(*map(stocked.execute, commands))
    winners = [command for command, result in zip(commands, results, strict=True) if result == Placed()]
    assert len(winners) == 1
    others = [result for result in results if result != Placed()]
    assert others == [AlreadyAnswered(answer=winners[0].answer)] * 59
    found = await stocked.query(FindOrder(shop_id="shop-acme", transaction_id="T-1"))
    assert found.order == winners[0].order


async def test_of_many_orders_under_one_number_one_is_placed(stocked, make):
    commands = [make.order(number="N-1") for _ in range(40)]
    results = await asyncio.gather(*map(stocked.execute, commands))
    assert results.count(Placed()) == 1
    winner = commands[results.index(Placed())]
    assert results.count(OrderNumberTaken(order_id=winner.order.order_id)) == 39


async def test_the_last_piece_goes_to_one_of_many_containers(stocked, make, load):
    order = make.order(quantity=1)
    await stocked.execute(order)
    license_id = order.licenses[0].license_id
    commands = [
        make.apply(
            make.container(f"130-{n}"),
            license_versions={license_id: 1},
            placements=(make.placement(license_id, wanted=1, occupied=1, serial=f"130-{n}"),),
        )
        for n in range(20)
    ]
    results = await asyncio.gather(*map(stocked.execute, commands))
    assert (results.count(Applied()), results.count(Moved())) == (1, 19)
    winner = results.index(Applied())
    (use,) = (await load(stocked, serial=f"130-{winner}")).licenses
    assert (use.wanted, use.occupied) == (1, 1)


async def test_of_many_decisions_on_one_container_row_one_is_written(stocked, make, load):
    commands = [make.apply(make.container(), context=make.context(n)) for n in range(1, 21)]
    results = await asyncio.gather(*map(stocked.execute, commands))
    assert (results.count(Applied()), results.count(Moved())) == (1, 19)
    assert (await load(stocked, export=results.index(Applied()) + 1)).same_export is not None


async def test_of_many_signatures_of_one_step_everybody_gets_the_first(stocked, make):
    await stocked.execute(make.apply(make.container(end=(E, 1)), steps=(make.step((E, 1), (0, 0)),)))
    commands = [StoreSigned(serial="130-1", firm_code=10, signed=(((E, 1), f"bytes {n}".encode()),)) for n in range(20)]
    results = await asyncio.gather(*map(stocked.execute, commands))
    assert len(set(results)) == 1


async def test_neighbours_of_a_failing_command_are_written(stocked, make):
    commands = [make.order(items=("NONE",) if n % 3 == 0 else ("ITEM-1",)) for n in range(30)]
    results = await asyncio.gather(*map(stocked.execute, commands), return_exceptions=True)
    for n, (command, result) in enumerate(zip(commands, results, strict=True)):
        found = await stocked.query(FindOrder(shop_id="shop-acme", order_id=command.order.order_id))
        if n % 3 == 0:
            assert isinstance(result, ConstraintRefused)
            assert found is None
        else:
            assert result == Placed()
            assert found.order == command.order


async def test_a_value_that_no_database_takes_fails_its_own_command_only(stocked, make):
    broken = make.order()
    broken = replace(broken, order=replace(broken.order, customer_sealed=object()))
    surrogate = make.order(number="\ud800")
    good = make.order()
    results = await asyncio.gather(*map(stocked.execute, (broken, surrogate, good)), return_exceptions=True)
    assert [isinstance(result, Exception) for result in results] == [True, True, False]
    assert await stocked.query(FindOrder(shop_id="shop-acme", order_id=good.order.order_id)) is not None


async def test_a_caller_that_gives_up_neither_undoes_its_command_nor_breaks_the_batch(stocked, make):
    commands = [make.order() for _ in range(12)]
    tasks = [asyncio.create_task(stocked.execute(command)) for command in commands]
    await asyncio.sleep(0)
    for task in tasks[::3]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(result, asyncio.CancelledError) for result in results] == [n % 3 == 0 for n in range(12)]
    async with asyncio.timeout(30):
        # What nobody waits for may be carried out after all else.
        for command in commands:
            question = FindOrder(shop_id="shop-acme", order_id=command.order.order_id)
            while await stocked.query(question) is None:  # noqa: ASYNC110  a database has no event
                await asyncio.sleep(0.01)


async def test_readers_see_an_order_whole_or_not_at_all(stocked, make):
    commands = [make.order(items=("ITEM-1", "ITEM-2")) for _ in range(40)]

    async def watch(command):
        while True:
            found = await stocked.query(FindOrder(shop_id="shop-acme", order_id=command.order.order_id))
            if found is not None:
                return len(found.licenses)

    counts, _ = await asyncio.gather(
        asyncio.gather(*map(watch, commands[::4])), asyncio.gather(*map(stocked.execute, commands))
    )
    assert counts == [2] * 10


async def test_closing_finishes_what_waits(storage, make):
    commands = [make.item(f"ITEM-{n}") for n in range(30)]
    tasks = [asyncio.create_task(storage.execute(command)) for command in commands]
    await asyncio.sleep(0)
    await storage.close()
    assert await asyncio.gather(*tasks) == [True] * 30


@pytest.mark.parametrize("number", range(3))
async def test_orders_and_transfers_interleave_without_losing_a_version(stocked, make, load, number):
    order = make.order(quantity=6)
    await stocked.execute(order)
    license_id = order.licenses[0].license_id

    async def collect(serial):
        while True:
            view = await load(stocked, serial=serial, ticket_lookup=order.ticket.lookup)
            (use,) = view.licenses
            if use.wanted >= use.license.quantity:
                return 0
            command = make.apply(
                make.container(serial),
                license_versions={license_id: use.license.version},
                placements=(make.placement(license_id, wanted=1, occupied=1, serial=serial),),
            )
            if await stocked.execute(command) == Applied():
                return 1

    results = await asyncio.gather(*(collect(f"130-{n}") for n in range(9)))
    assert sum(results) == 6
