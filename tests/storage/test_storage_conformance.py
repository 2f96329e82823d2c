"""What every storage must do, whatever database stands behind it: orders, tickets, items, shops."""

from dataclasses import replace

import pytest

from storage.commands import (
    AlreadyAnswered,
    FindOrder,
    FindShop,
    FindTickets,
    ListItems,
    LoadServer,
    OrderNumberTaken,
    Placed,
    PrepareOrder,
    TraceTicket,
)
from storage.errors import ConstraintRefused, StorageClosed


async def test_a_server_is_initialised_once_and_keeps_its_first_epoch(storage, make):
    assert await storage.query(LoadServer()) is None
    first = await storage.execute(make.initialise())
    assert (first.current_epoch, first.key_fingerprint) == (make.epoch, b"fingerprint")
    again = await storage.execute(replace(make.initialise(), epoch=make.epoch + 5, key_fingerprint=b"other"))
    assert again == first
    assert await storage.query(LoadServer()) == first


async def test_the_data_version_rises_with_items_and_shops_only_when_something_changed(storage, make):
    versions = [(await storage.execute(make.initialise())).data_version]
    for command in (make.item(), make.shop(), make.item(), make.shop()):
        await storage.execute(command)
        versions.append((await storage.query(LoadServer())).data_version)
    start = versions[0]
    assert versions == [start, start + 1, start + 2, start + 2, start + 2]


async def test_an_item_number_and_a_shop_name_exist_once(storage, make):
    assert [await storage.execute(make.item()) for _ in range(2)] == [True, False]
    assert await storage.execute(make.shop()) is True
    twin = make.shop()
    twin = replace(
        twin,
        shop=replace(twin.shop, shop_id="another"),
        credential=replace(twin.credential, shop_id="another", lookup=b"another"),
    )
    assert await storage.execute(twin) is False
    assert await storage.query(FindShop(lookup=b"another")) is None


async def test_items_are_listed_by_number_in_pages_without_inactive_ones(storage, make):
    for number in ("B", "A", "D", "C"):
        await storage.execute(make.item(number, active=number != "C"))
    first = await storage.query(ListItems(after="", limit=2))
    rest = await storage.query(ListItems(after=first[-1].item_number, limit=2))
    assert [item.item_number for item in (*first, *rest)] == ["A", "B", "D"]
    assert first[0] == make.item("A").item


async def test_a_shop_is_found_by_its_credential_while_it_is_active(storage, make):
    await storage.execute(make.shop("acme"))
    await storage.execute(make.shop("bolt", active=False))
    assert await storage.query(FindShop(lookup=b"key of acme")) == make.shop("acme").shop
    assert await storage.query(FindShop(lookup=b"key of bolt")) is None
    assert await storage.query(FindShop(lookup=b"key of nobody")) is None


async def test_an_order_is_found_by_each_of_its_names_and_only_by_its_shop(stocked, make):
    command = make.order(transaction="T-1", number="N-1", items=("ITEM-1", "ITEM-2"), quantity=5)
    assert await stocked.execute(command) == Placed()
    names = ({"order_id": command.order.order_id}, {"order_number": "N-1"}, {"transaction_id": "T-1"})
    for name in names:
        found = await stocked.query(FindOrder(shop_id="shop-acme", **name))
        assert found.order == command.order
        assert found.ticket == command.ticket
        assert tuple(use.license for use in found.licenses) == command.licenses
        assert {(use.wanted, use.occupied, use.confirmed) for use in found.licenses} == {(0, 0, 0)}
        assert await stocked.query(FindOrder(shop_id="shop-bolt", **name)) is None


@pytest.mark.parametrize("names", [{}, {"order_id": "a", "order_number": "b"}])
async def test_an_order_is_asked_for_by_exactly_one_name(stocked, names):
    with pytest.raises(ValueError, match="exactly one"):
        await stocked.query(FindOrder(shop_id="shop-acme", **names))


async def test_a_transaction_id_is_answered_once_and_the_first_answer_comes_back(stocked, make, dump):
    first = make.order(transaction="T-1", number="N-1")
    await stocked.execute(first)
    before = dump()
    again = await stocked.execute(make.order(transaction="T-1", number="N-2"))
    assert again == AlreadyAnswered(answer=first.answer)
    assert dump() == before
    assert await stocked.execute(make.order(transaction="T-1", shop="bolt")) == Placed()


async def test_the_transaction_id_is_looked_up_before_the_order_number(stocked, make):
    first = make.order(transaction="T-1", number="N-1")
    await stocked.execute(first)
    assert await stocked.execute(make.order(transaction="T-1", number="N-1")) == AlreadyAnswered(answer=first.answer)


async def test_an_order_number_exists_once_for_each_shop_and_may_be_left_out(stocked, make, dump):
    first = make.order(number="N-1")
    await stocked.execute(first)
    before = dump()
    assert await stocked.execute(make.order(number="N-1")) == OrderNumberTaken(order_id=first.order.order_id)
    assert dump() == before
    others = (make.order(number="N-1", shop="bolt"), make.order(), make.order())
    assert [await stocked.execute(command) for command in others] == [Placed()] * 3


async def test_lines_can_go_on_an_existing_ticket(stocked, make):
    first = make.order(number="N-1")
    await stocked.execute(first)
    question = PrepareOrder(
        shop_id="shop-acme",
        operation="CreateOrder",
        transaction_id="T-2",
        item_numbers=("ITEM-2", "ITEM-1", "NONE"),
        original_order_number="N-1",
    )
    prepared = await stocked.query(question)
    assert prepared.answer is None
    assert {item.item_number for item in prepared.items} == {"ITEM-1", "ITEM-2"}
    assert prepared.original_ticket == first.ticket
    second = make.order(transaction="T-2", ticket=prepared.original_ticket, items=("ITEM-2",))
    await stocked.execute(second)
    (view,) = await stocked.query(FindTickets(lookups=(first.ticket.lookup,)))
    assert [use.license for use in view.licenses] == [*first.licenses, *second.licenses]
    assert (await stocked.query(question)).answer == second.answer


async def test_another_shop_s_order_number_leads_to_no_ticket(stocked, make):
    await stocked.execute(make.order(number="N-1"))
    prepared = await stocked.query(
        PrepareOrder(
            shop_id="shop-bolt",
            operation="CreateOrder",
            transaction_id="T-1",
            item_numbers=(),
            original_order_number="N-1",
        )
    )
    assert prepared.original_ticket is None


async def test_an_order_for_an_item_that_does_not_exist_leaves_nothing(stocked, make, dump):
    before = dump()
    with pytest.raises(ConstraintRefused):
        await stocked.execute(make.order(items=("ITEM-1", "NONE")))
    assert dump() == before


@pytest.mark.parametrize("quantity", [0, -1])
async def test_a_quantity_is_positive(stocked, make, quantity):
    with pytest.raises(ConstraintRefused):
        await stocked.execute(make.order(quantity=quantity))


async def test_a_ticket_text_exists_once(stocked, make):
    first = make.order()
    await stocked.execute(first)
    second = make.order()
    twin = replace(second, ticket=replace(second.ticket, lookup=first.ticket.lookup))
    with pytest.raises(ConstraintRefused):
        await stocked.execute(twin)


async def test_tickets_are_found_by_their_keyed_hash_in_the_order_asked_for(stocked, make):
    first, second = make.order(), make.order()
    await stocked.execute(first)
    await stocked.execute(second)
    found = await stocked.query(FindTickets(lookups=(second.ticket.lookup, b"unknown", first.ticket.lookup)))
    assert [view.ticket for view in found] == [second.ticket, first.ticket]


async def test_a_trace_shows_orders_licences_placements_and_containers_of_a_ticket(stocked, make):
    first = make.order(quantity=3)
    await stocked.execute(first)
    second = make.order(ticket=first.ticket)
    await stocked.execute(second)
    license_id = first.licenses[0].license_id
    for serial, wanted in (("130-2", 1), ("130-1", 2)):
        placement = make.placement(license_id, wanted=wanted, occupied=wanted, confirmed=1, serial=serial)
        await stocked.execute(make.apply(make.container(serial), placements=(placement,)))
    await stocked.execute(make.apply(make.container("130-1", firm_code=99)))
    trace = await stocked.query(TraceTicket(lookup=first.ticket.lookup))
    assert trace.ticket == first.ticket
    assert trace.orders == (first.order, second.order)
    assert [(use.license.license_id, use.wanted, use.occupied, use.confirmed) for use in trace.licenses] == [
        (license_id, 3, 3, 2),
        (second.licenses[0].license_id, 0, 0, 0),
    ]
    assert [(placement.serial, placement.wanted) for placement in trace.placements] == [("130-1", 2), ("130-2", 1)]
    assert [(row.serial, row.firm_code) for row in trace.containers] == [("130-1", 10), ("130-2", 10)]
    assert await stocked.query(TraceTicket(lookup=b"unknown")) is None


async def test_a_closed_storage_refuses_everything(storage, make):
    await storage.ready()
    await storage.close()
    await storage.close()
    for call in (storage.ready(), storage.execute(make.item()), storage.query(LoadServer())):
        with pytest.raises(StorageClosed):
            await call
