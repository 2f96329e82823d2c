"""What every storage must do when several nodes stand on one database."""

import asyncio
from dataclasses import replace

import pytest

from storage.commands import (
    AlreadyAnswered,
    Applied,
    FindOrder,
    FindTickets,
    LoadServer,
    Moved,
    OrderNumberTaken,
    Placed,
    StoreSigned,
)
from storage.errors import QuantityExceeded

E = 1_800_000_000_000


@pytest.fixture
async def nodes(stocked, open_node):
    """Three storages on the database under test, which is stocked."""
    return [stocked, await open_node(), await open_node()]


async def test_nodes_that_are_initialised_together_agree(storage, open_node, make):
    nodes = [storage, *[await open_node() for _ in range(3)]]
    commands = [replace(make.initialise(), epoch=make.epoch + n) for n in range(4)]
    rows = await asyncio.gather(*(node.execute(command) for node, command in zip(nodes, commands, strict=True)))
    assert len(set(rows)) == 1
    assert {await node.query(LoadServer()) for node in nodes} == set(rows)


async def test_nodes_that_add_the_same_items_add_each_once(nodes, make):
    before = (await nodes[0].query(LoadServer())).data_version
    commands = [make.item(f"NEW-{n}") for n in range(10)]
    results = await asyncio.gather(
        *(node.execute(command) for node in nodes for command in (commands, commands[::-1])[node is nodes[1]])
    )
    assert results.count(True) == 10
    assert (await nodes[0].query(LoadServer())).data_version == before + 10


async def test_the_same_orders_placed_on_several_nodes_exist_once(nodes, make):
    names = [(f"T-{n}", f"N-{n}") for n in range(40)]
    sent = []
    for offset, node in enumerate(nodes):
        for transaction, number in names[offset:] + names[:offset]:
            sent.append((node, make.order(transaction=transaction, number=number, items=("ITEM-1", "ITEM-2"))))
    results = await asyncio.gather(*(node.execute(command) for node, command in sent))
    winners = {
        command.order.transaction_id: command
        for (_, command), result in zip(sent, results, strict=True)
        if result == Placed()
    }
    assert len(winners) == results.count(Placed()) == 40
    for (_, command), result in zip(sent, results, strict=True):
        winner = winners[command.order.transaction_id]
        assert result in (Placed(), AlreadyAnswered(answer=winner.answer))
        assert (result == Placed()) is (command is winner)
        found = await nodes[0].query(FindOrder(shop_id="shop-acme", transaction_id=command.order.transaction_id))
        assert (found.order, len(found.licenses)) == (winner.order, 2)


async def test_order_numbers_wanted_crosswise_are_shared_out_without_a_deadlock(nodes, make):
    sent = [
        (node, make.order(number=f"N-{n if node is nodes[0] else 29 - n}"))
        for n in range(30)
        for node in nodes[:2]
    ]  # fmt: skip
    results = await asyncio.gather(*(node.execute(command) for node, command in sent))
    assert results.count(Placed()) == 30
    for (node, command), result in zip(sent, results, strict=True):
        found = await node.query(FindOrder(shop_id="shop-acme", order_number=command.order.order_number))
        assert result in (Placed(), OrderNumberTaken(order_id=found.order.order_id))
        assert (result == Placed()) is (found.order.order_id == command.order.order_id)


async def test_a_number_taken_on_another_node_leaves_its_transaction_id_free(nodes, make, dump):
    await nodes[0].execute(make.order(number="N-1"))
    before = dump()
    late = make.order(transaction="T-1", number="N-1")
    assert isinstance(await nodes[1].execute(late), OrderNumberTaken)
    assert dump() == before
    assert await nodes[2].execute(make.order(transaction="T-1", number="N-2")) == Placed()


async def test_pieces_placed_from_several_nodes_never_exceed_the_quantity(nodes, make):
    order = make.order(items=("ITEM-1", "ITEM-2"), quantity=5)
    await nodes[0].execute(order)
    lines = [line.license_id for line in order.licenses]

    async def collect(node, serial, turned):
        placements = tuple(make.placement(line, wanted=1, occupied=1, serial=serial) for line in lines)
        try:
            return await node.execute(make.apply(make.container(serial), placements=placements[::turned]))
        except QuantityExceeded as error:
            return type(error)

    results = await asyncio.gather(
        *(collect(node, f"130-{n}", (1, -1)[n % 2]) for n, node in enumerate(nodes * 6))
    )  # fmt: skip
    assert (results.count(Applied()), results.count(QuantityExceeded)) == (5, 13)
    (view,) = await nodes[1].query(FindTickets(lookups=(order.ticket.lookup,)))
    assert [(use.wanted, use.occupied) for use in view.licenses] == [(5, 5)] * 2


async def test_one_licence_twice_in_a_decision_counts_both_pieces(stocked, make, dump):
    order = make.order(quantity=2)
    await stocked.execute(order)
    (line,) = order.licenses
    pieces = [make.placement(line.license_id, wanted=1, occupied=1, serial=f"130-{n}") for n in (1, 2, 3)]
    before = dump()
    with pytest.raises(QuantityExceeded):
        await stocked.execute(make.apply(make.container(), placements=tuple(pieces)))
    assert dump() == before
    assert await stocked.execute(make.apply(make.container(), placements=tuple(pieces[:2]))) == Applied()


async def test_licences_collected_with_versions_from_several_nodes_are_given_out_once(nodes, make, load):
    order = make.order(items=("ITEM-1", "ITEM-2"), quantity=4)
    await nodes[0].execute(order)

    async def collect(node, serial):
        while True:
            view = await load(node, serial=serial, ticket_lookup=order.ticket.lookup)
            if view.licenses[0].wanted >= 4:
                return 0
            command = make.apply(
                make.container(serial),
                license_versions={use.license.license_id: use.license.version for use in view.licenses},
                placements=tuple(
                    make.placement(use.license.license_id, wanted=1, occupied=1, serial=serial) for use in view.licenses
                ),
            )
            result = await node.execute(command)
            assert result in (Applied(), Moved())
            if result == Applied():
                return 1

    results = await asyncio.gather(*(collect(node, f"130-{n}") for n, node in enumerate(nodes * 3)))
    assert sum(results) == 4


async def test_of_many_decisions_on_one_container_from_several_nodes_one_is_written(nodes, make):
    for version in range(5):
        commands = [make.apply(make.container(version=version), context=make.context(n)) for n in range(1, 10)]
        results = await asyncio.gather(
            *(node.execute(command) for node, command in zip(nodes * 3, commands, strict=True))
        )
        assert (results.count(Applied()), results.count(Moved())) == (1, 8)


async def test_signatures_of_the_same_steps_from_several_nodes_are_the_first_ones_everywhere(nodes, make):
    steps = tuple(make.step((E, n), (E, n - 1)) for n in range(1, 9))
    await nodes[0].execute(make.apply(make.container(end=(E, 8)), steps=steps))

    def signed(n):
        pairs = [((E, number), f"bytes {n}".encode()) for number in range(1, 9)]
        return StoreSigned(serial="130-1", firm_code=10, signed=tuple(pairs[:: (1, -1)[n % 2]]))

    results = await asyncio.gather(*(node.execute(signed(n)) for n, node in enumerate(nodes * 4)))
    assert len({result[:: (1, -1)[n % 2]] for n, result in enumerate(results)}) == 1
    twice = StoreSigned(serial="130-1", firm_code=10, signed=(((E, 1), b"x"), ((E, 1), b"y"), ((E, 2), b"z")))
    assert await nodes[2].execute(twice) == (results[0][0], results[0][0], results[0][1])


async def test_of_two_signatures_of_one_step_in_a_command_the_first_is_stored(stocked, make):
    await stocked.execute(make.apply(make.container(end=(E, 1)), steps=(make.step((E, 1), (0, 0)),)))
    twice = StoreSigned(serial="130-1", firm_code=10, signed=(((E, 1), b"x"), ((E, 1), b"y")))
    assert await stocked.execute(twice) == (b"x", b"x")
    assert await stocked.execute(StoreSigned(serial="130-1", firm_code=10, signed=())) == ()
