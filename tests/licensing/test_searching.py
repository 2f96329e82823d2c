"""Orders found page by page: all of them, each once, whatever is ordered meanwhile, and only the shop's own."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rules import FIRM, World

from licensing import searching
from licensing.errors import PageTokenInvalid, StateUnknown
from licensing.ids import Ids, first_id_at
from licensing.orders import Customer, OrderLine, OrderRequest
from licensing.searching import OrderFilters, OrderPage, OrderSearch

NOTHING = OrderFilters()


def search(world: World) -> OrderSearch:
    return OrderSearch(storage=world.storage, vault=world.vault, sales=world.sales())


async def page(
    world: World, filters: OrderFilters = NOTHING, token: str | None = None, shop: str = "shop"
) -> OrderPage:
    return await search(world).find(shop=world.shops[shop], filters=filters, page_token=token)


async def everything(world: World, filters: OrderFilters = NOTHING, *, between: object = None) -> list[str | None]:
    found, token = [], None
    while True:
        part = await page(world, filters, token)
        assert len(part.orders) <= searching.ORDERS_ON_A_PAGE
        found += [order.order_number for order in part.orders]
        token = part.next_page_token
        if token is None:
            return found
        if between is not None:
            await between()  # type: ignore[operator]


async def place(world: World, number: str, *, shop: str = "shop", customer: str | None = None, item: str = "A") -> None:
    request = OrderRequest(
        transaction_id=number,
        order_number=number,
        customer=None if customer is None else Customer(name="Ann", customer_number=customer),
        lines=(OrderLine(item_number=item, quantity=1),),
    )
    await world.sales().create_order(shop=world.shops[shop], request=request)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "ORDERS_ON_A_PAGE", 3)
    monkeypatch.setattr(searching, "READ_AT_ONCE", 4)
    monkeypatch.setattr(searching, "MOST_READ", 8)


async def test_every_order_is_on_one_page_oldest_first_while_others_are_placed(world: World, small_pages: None) -> None:
    numbers = [f"n{number:02}" for number in range(20)]
    for number in numbers:
        await place(world, number)
        await place(world, number, shop="other")
    more = iter(range(100))

    async def between() -> None:
        await place(world, f"later-{next(more)}")

    found = await everything(world, between=between)
    assert found[:20] == numbers
    assert len(set(found)) == len(found)


async def test_filters_apply_together_and_say_what_holds_now(world: World, small_pages: None) -> None:
    await place(world, "a", customer="K-1")
    await place(world, "b", customer="K-2")
    await place(world, "c", customer="K-1", item="B")
    start = world.now + timedelta(milliseconds=1)
    await place(world, "d", customer="K-1", item="B")
    await world.catalogue().add_item(
        item_number="OLD", firm_code=FIRM, product_code=1, options=("expirationTime=2026-01-02",)
    )
    await place(world, "e", item="OLD")
    for filters, numbers in (
        (OrderFilters(customer_number="K-1"), ["a", "c", "d"]),
        (OrderFilters(customer_number="K-1", item_number="B"), ["c", "d"]),
        (OrderFilters(customer_number="K-1", item_number="B", created_from=start), ["d"]),
        (OrderFilters(created_to=start), ["a", "b", "c"]),
        (OrderFilters(created_from=start, created_to=start), []),
        (OrderFilters(order_number="b"), ["b"]),
        (OrderFilters(order_number="b", customer_number="K-1"), []),
        (OrderFilters(order_number="b", item_number="B"), []),
        (OrderFilters(order_number="none"), []),
        (OrderFilters(license_state="NotCollected"), ["a", "b", "c", "d", "e"]),
        (OrderFilters(license_state="Withdrawn"), []),
        (OrderFilters(created_from=datetime(1, 1, 1, tzinfo=UTC)), ["a", "b", "c", "d", "e"]),
        (OrderFilters(created_to=datetime(9999, 12, 31, tzinfo=UTC)), ["a", "b", "c", "d", "e"]),
    ):
        assert await everything(world, filters) == numbers, filters
    world.now += timedelta(days=10)
    assert await everything(world, OrderFilters(license_state="Expired")) == ["e"]
    with pytest.raises(StateUnknown):
        await page(world, OrderFilters(license_state="collected"))


async def test_a_call_looks_at_a_bounded_number_of_orders_and_the_next_goes_on(world: World, small_pages: None) -> None:
    for number in range(12):
        await place(world, f"n{number:02}", item="B" if number == 11 else "A")
    first = await page(world, OrderFilters(item_number="B"))
    assert (first.orders, first.next_page_token is None) == ((), False)
    rest = await page(world, OrderFilters(item_number="B"), first.next_page_token)
    assert [order.order_number for order in rest.orders] == ["n11"]


async def test_a_token_holds_for_its_shop_and_filters_only(world: World, small_pages: None) -> None:
    for number in range(5):
        await place(world, f"n{number}")
    token = (await page(world)).next_page_token
    assert token is not None
    assert (await page(world, NOTHING, token)).orders
    rng = random.Random(3)
    wrong = ["", "%%%", "AAAA", token[:-4], *("".join(rng.sample(token, len(token))) for _ in range(50))]
    for text, filters, shop in (
        *((text, NOTHING, "shop") for text in wrong),
        (token, replace(NOTHING, item_number="A"), "shop"),
        (token, NOTHING, "other"),
    ):
        with pytest.raises(PageTokenInvalid):
            await page(world, filters, text, shop)


async def test_a_renewed_licence_is_found_by_what_each_order_bought(world: World) -> None:
    order = await world.order(1)
    line = OrderLine(item_number="B", quantity=1, extends_license_id=order.licenses[0].license_id)
    request = OrderRequest(transaction_id="r", order_number="r", original_order_number="n-1", lines=(line,))
    await world.sales().create_order(shop=world.shops["shop"], request=request)
    assert await everything(world, OrderFilters(item_number="A")) == ["n-1"]
    assert await everything(world, OrderFilters(item_number="B")) == ["r"]
    assert await everything(world, OrderFilters(license_state="Replaced")) == ["n-1"]


def test_the_first_id_of_a_time_sorts_between_those_before_and_those_after() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    rng = random.Random(1)
    ids = {
        shift: Ids(clock=lambda at=now + timedelta(milliseconds=shift): at, random=rng.randbytes) for shift in (-1, 0)
    }  # type: ignore[misc]
    assert ids[-1].new() < first_id_at(now) < ids[0].new()
