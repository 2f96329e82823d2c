"""Orders exactly once, order numbers, the ticket of an earlier order, and nothing readable on the disk."""

import asyncio
from dataclasses import replace

import pytest
from rules import World

from licensing.errors import (
    Erased,
    ItemUnknown,
    OrderNameRequired,
    OrderNumberExists,
    OrderUnknown,
    OriginalOrderUnknown,
    PageTokenInvalid,
    TransactionConflict,
)
from licensing.orders import Customer, OrderLine, OrderRequest

REQUEST = OrderRequest(
    transaction_id="t",
    order_number="n",
    customer=Customer(name="Ann Buyer", email="ann@example.com"),
    lines=(OrderLine(item_number="A", quantity=2), OrderLine(item_number="O", quantity=1)),
)


async def test_the_same_transaction_gives_the_same_answer_for_ever(world: World) -> None:
    shop, sales = world.shops["shop"], world.sales("https://shop.example/collect#{ticket}")
    first = await sales.create_order(shop=shop, request=REQUEST)
    assert first.collect_url == f"https://shop.example/collect#{first.ticket}"
    world.sql("UPDATE items SET active = 0")
    assert await world.sales().create_order(shop=shop, request=REQUEST) == first, "whatever changed since"


async def test_thirty_equal_orders_at_once_are_one(world: World) -> None:
    shop = world.shops["shop"]
    answers = await asyncio.gather(*(world.sales().create_order(shop=shop, request=REQUEST) for _ in range(30)))
    assert all(answer == answers[0] for answer in answers)
    assert world.sql("SELECT count(*) FROM orders") == [(1,)]
    assert world.sql("SELECT count(*) FROM tickets") == [(1,)]


@pytest.mark.parametrize(
    "other",
    [
        replace(REQUEST, order_number="m"),
        replace(REQUEST, customer=None),
        replace(REQUEST, lines=REQUEST.lines[:1]),
        replace(REQUEST, lines=(replace(REQUEST.lines[0], quantity=3), REQUEST.lines[1])),
        replace(REQUEST, original_order_number="x"),
    ],
)
async def test_other_values_under_a_transaction_are_a_conflict(world: World, other: OrderRequest) -> None:
    shop = world.shops["shop"]
    await world.sales().create_order(shop=shop, request=REQUEST)
    with pytest.raises(TransactionConflict):
        await world.sales().create_order(shop=shop, request=other)
    await world.sales().create_order(shop=world.shops["other"], request=replace(REQUEST, order_number="m"))


async def test_an_erased_answer_is_said_to_be_erased(world: World) -> None:
    await world.sales().create_order(shop=world.shops["shop"], request=REQUEST)
    world.sql("UPDATE answers SET answer_sealed = NULL")
    with pytest.raises(Erased):
        await world.sales().create_order(shop=world.shops["shop"], request=REQUEST)


async def test_an_order_number_stands_on_one_order_of_a_shop_and_the_refusal_names_it(world: World) -> None:
    first = await world.sales().create_order(shop=world.shops["shop"], request=REQUEST)
    with pytest.raises(OrderNumberExists, match=first.order_id):
        await world.sales().create_order(shop=world.shops["shop"], request=replace(REQUEST, transaction_id="u"))
    assert world.sql("SELECT count(*) FROM licenses") == [(2,)], "nothing of the refused order is left"


async def test_original_order_number_adds_to_the_ticket_of_the_own_shop_only(world: World) -> None:
    first = await world.sales().create_order(shop=world.shops["shop"], request=REQUEST)
    more = replace(REQUEST, transaction_id="u", order_number=None, original_order_number="n")
    second = await world.sales().create_order(shop=world.shops["shop"], request=more)
    assert second.ticket == first.ticket
    overview = await world.depot().get_ticket(tickets=(first.ticket.lower(), first.ticket))
    assert len(overview.licenses) == 4
    with pytest.raises(OriginalOrderUnknown):
        await world.sales().create_order(shop=world.shops["other"], request=more)


async def test_an_unknown_item_names_its_line(world: World) -> None:
    lines = (REQUEST.lines[0], OrderLine(item_number="NONE", quantity=1))
    with pytest.raises(ItemUnknown) as refused:
        await world.sales().create_order(shop=world.shops["shop"], request=replace(REQUEST, lines=lines))
    assert refused.value.path == "orderLine[2]/itemNumber"


async def test_an_order_is_found_by_each_of_its_names_and_by_one_only(world: World) -> None:
    shop, sales = world.shops["shop"], world.sales()
    placed = await sales.create_order(shop=shop, request=REQUEST)
    found = [
        await sales.get_order(shop=shop, order_id=placed.order_id),
        await sales.get_order(shop=shop, order_number="n"),
        await sales.get_order(shop=shop, transaction_id="t"),
    ]
    assert found[0] == found[1] == found[2]
    assert [x.state for x in found[0].licenses] == ["NotCollected", "NotCollected"]
    for names in ({}, {"order_number": "n", "transaction_id": "t"}):
        with pytest.raises(OrderNameRequired):
            await sales.get_order(shop=shop, **names)
    with pytest.raises(OrderUnknown):
        await sales.get_order(shop=world.shops["other"], order_id=placed.order_id)


async def test_items_come_in_pages(world: World) -> None:
    for number in range(150):
        await world.catalogue().add_item(item_number=f"N{number:03}", firm_code=1, product_code=1)
    shop = world.shops["shop"]
    first = await world.sales().list_items(shop=shop, page_token=None)
    second = await world.sales().list_items(shop=shop, page_token=first.next_page_token)
    assert (len(first.items), len(second.items), second.next_page_token) == (100, 53, None)
    for token in ("%%%", "ü", "a"):
        with pytest.raises(PageTokenInvalid):
            await world.sales().list_items(shop=shop, page_token=token)


async def test_nothing_that_is_secret_can_be_read_in_the_files_of_the_database(world: World) -> None:
    placed = await world.sales().create_order(shop=world.shops["shop"], request=REQUEST)
    _, api_key = await world.catalogue().add_shop("third")
    files = b"".join(path.read_bytes() for path in world.folder.glob("depot.db*"))
    assert b"CreateOrder" in files
    for secret in (placed.ticket, placed.ticket.replace("-", ""), "Ann Buyer", "ann@example.com", api_key):
        assert secret.encode() not in files
