"""Rules of items about collecting: kinds, one container, whole tickets, whole licences, a last day."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rules import FIRM, World, held

from licensing.collecting import check_parts, parse_rules, written_rules
from licensing.errors import (
    ContainerKindRefused,
    ContainerSerialInvalid,
    ContainerSerialRequired,
    DedicatedElsewhere,
    ItemUnknown,
    NothingFree,
    OptionInvalid,
    RuleInvalid,
    SplitRefused,
    TicketExpired,
    TicketInseparable,
)
from licensing.options import REMEMBERED_LENGTH, licence_options, written_options
from licensing.orders import OrderLine, OrderReceipt, OrderRequest
from licensing.transfers.planning import Target
from storage.records import License


async def ordered(world: World, *lines: tuple[str, int], serial: str | None = None, **changes: Any) -> OrderReceipt:
    world.orders += 1
    request = OrderRequest(
        transaction_id=f"t-{world.orders}",
        order_number=f"n-{world.orders}",
        lines=tuple(OrderLine(item_number=x, quantity=y, container_serial=serial, **changes) for x, y in lines),
    )
    return await world.sales().create_order(shop=world.shops["shop"], request=request)


async def item(world: World, number: str, *rules: str) -> None:
    await world.catalogue().add_item(item_number=number, firm_code=FIRM, product_code=1, rules=rules)


async def test_a_licence_goes_only_into_the_kinds_of_its_item(world: World) -> None:
    await item(world, "D", "containerKinds=Dongle,CmAct")
    await item(world, "U", "containerKinds=Universal")
    order, container = await ordered(world, ("D", 1), ("U", 1)), world.container()
    with pytest.raises(ContainerKindRefused):
        await world.ask(order, container.context(FIRM), (0, 1))
    container.import_update((await world.ask(order, container.context(FIRM))).update or b"")
    assert [x.item_number for x in container.listing(FIRM)] == ["U"], "what may go there goes"
    lone = await ordered(world, ("D", 1))
    with pytest.raises(ContainerKindRefused):
        await world.ask(lone, container.context(FIRM))


async def test_a_licence_for_one_container_is_wanted_there_at_once_and_goes_nowhere_else(world: World) -> None:
    await item(world, "ONE", "dedicated=yes")
    container, other = world.container("c"), world.container("o")
    order = await ordered(world, ("ONE", 2), serial=container.serial)
    details = await world.depot().show_ticket(order.ticket)
    assert [(x.serial, x.state, x.wanted) for x in details.placements] == [(container.serial, "Waiting", 2)]
    with pytest.raises(DedicatedElsewhere):
        await world.ask(order, other.context(FIRM), (0, 1))
    with pytest.raises(DedicatedElsewhere):
        await world.ask(order, other.context(FIRM))
    another = await world.order(1)
    container.import_update((await world.ask(another, container.context(FIRM))).update or b"")
    assert held(container) == 3, "the licence comes without its ticket, with any file"


async def test_a_line_names_a_container_that_can_be(world: World) -> None:
    await item(world, "ONE", "dedicated=yes", "containerKinds=Dongle")
    for serial, error in (
        (None, ContainerSerialRequired),
        ("nothing", ContainerSerialInvalid),
        ("999-1", ContainerSerialInvalid),
        ("130-1", ContainerKindRefused),
    ):
        with pytest.raises(error) as refused:
            await ordered(world, ("ONE", 1), serial=serial)
        assert refused.value.path == "orderLine[1]/containerSerial"
    order = await ordered(world, ("ONE", 1), serial="3-4019155")
    renewal = {"extends_license_id": order.licenses[0].license_id}
    request = OrderRequest(
        transaction_id="r",
        original_order_number="n-1" if world.orders == 1 else f"n-{world.orders}",
        lines=(OrderLine(item_number="ONE", quantity=1, container_serial="3-1", **renewal),),
    )
    with pytest.raises(DedicatedElsewhere):
        await world.sales().create_order(shop=world.shops["shop"], request=request)


async def test_a_ticket_that_is_collected_together_is_collected_whole(world: World) -> None:
    await item(world, "T", "inseparable=yes")
    order, first, second = (
        await ordered(world, ("T", 2), ("T", 1), ("A", 1)),
        world.container("c"),
        world.container("d"),
    )
    for targets in (((0, 2),), ((0, 1), (1, 1)), ((1, None),)):
        with pytest.raises(TicketInseparable):
            await world.ask(order, first.context(FIRM), *targets)
    await world.ask(order, second.context(FIRM), (2, 1))
    first.import_update((await world.ask(order, first.context(FIRM), (0, None), (1, 1))).update or b"")
    assert held(first) == 3
    with pytest.raises(NothingFree):
        await world.ask(order, second.context(FIRM), (0, 1))
    lone = await ordered(world, ("T", 1))
    second.import_update((await world.ask(lone, second.context(FIRM))).update or b"")


async def test_what_is_collected_together_is_given_back_together(world: World) -> None:
    await item(world, "T", "inseparable=yes")
    order, container, other = (
        await ordered(world, ("T", 2), ("T", 1), ("A", 1)),
        world.container("c"),
        world.container("d"),
    )
    await world.collected(order, container)
    ids = [x.license_id for x in order.licenses]

    async def back(*remainders: tuple[int, int]) -> str:
        targets = tuple(Target(license_id=ids[place], quantity=left) for place, left in remainders)
        answer = await world.depot().return_license(
            ticket=order.ticket, remainders=targets, context=container.context(FIRM)
        )
        await world.confirm(container.import_update(answer.update or b"").receipt)
        return answer.state

    for remainders in (((0, 1),), ((0, 0),), ((0, 0), (1, 1)), ((1, 0),)):
        with pytest.raises(TicketInseparable) as refused:
            await back(*remainders)
        assert refused.value.path == "license"
    assert held(container) == 4
    assert await back((2, 0)) == "Done", "what is not bound goes alone"
    assert await back((0, 0), (1, 0)) == "Done"
    await world.collected(order, other)
    assert (held(container), held(other)) == (0, 4)


async def test_a_licence_that_is_not_split_is_collected_whole(world: World) -> None:
    await item(world, "W", "split=no")
    order, container = await ordered(world, ("W", 3)), world.container()
    with pytest.raises(SplitRefused) as refused:
        await world.ask(order, container.context(FIRM), (0, 2))
    assert refused.value.path == "license[1]/target/quantity"
    container.import_update((await world.ask(order, container.context(FIRM), (0, 3))).update or b"")
    assert (await world.ask(order, container.context(FIRM), (0, 1))).state == "NothingNew"


async def test_a_ticket_is_collected_until_its_last_day_and_what_was_collected_stays(world: World) -> None:
    await item(world, "L", "ticketDays=10")
    order, container = await ordered(world, ("L", 2)), world.container()
    container.import_update((await world.ask(order, container.context(FIRM), (0, 1))).update or b"")
    world.now += timedelta(days=10)
    with pytest.raises(TicketExpired):
        await world.ask(order, container.context(FIRM), (0, 2))
    assert (await world.ask(order, container.context(FIRM), (0, 1))).state == "NothingNew"
    assert held(container) == 1


async def test_a_change_of_an_item_changes_nothing_that_was_bought(world: World) -> None:
    await item(world, "L", "ticketDays=10")
    order, container = await ordered(world, ("L", 1)), world.container()
    world.sql('UPDATE items SET rules = \'{"container_kinds": ["Dongle"]}\'')
    assert (await world.ask(order, container.context(FIRM))).state == "Done"


async def test_an_item_is_updated_for_later_orders_by_the_names_of_options_and_rules(world: World) -> None:
    catalogue = world.catalogue()
    await catalogue.add_item(
        item_number="X", firm_code=FIRM, product_code=1, options=("text=a", "checkpoint=9d"), rules=("split=no",)
    )
    order = await ordered(world, ("X", 2))
    changed = await catalogue.update_item(
        "X", options=("expirationTime=add:30d", "unitCounter=5"), rules=("ticketDays=3",), without=("text", "split")
    )
    assert written_options(changed.options) == ("expirationTime=add:30d", "checkpoint=9d", "unitCounter=5")
    assert written_rules(changed.rules) == ("ticketDays=3",)
    assert await catalogue.show_item("X") == changed
    container = world.container()
    with pytest.raises(SplitRefused):
        await world.ask(order, container.context(FIRM), (0, 1))
    await catalogue.update_item("X", active=False)
    with pytest.raises(ItemUnknown):
        await ordered(world, ("X", 1))
    for error, changes in (
        (OptionInvalid, {"without": ("colour",)}),
        (OptionInvalid, {"options": ("colour=red",)}),
        (RuleInvalid, {"rules": ("colour=red",)}),
    ):
        with pytest.raises(error):
            await catalogue.update_item("X", **changes)  # type: ignore[arg-type]
    with pytest.raises(ItemUnknown):
        await catalogue.update_item("NONE")


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        (("colour=red",), "the names are"),
        (("split",), "the names are"),
        (("split=maybe",), "split must be yes or no"),
        (("containerKinds=Stick",), "containerKinds must be some of"),
        (("containerKinds=",), "containerKinds must be some of"),
        (("ticketDays=0",), "ticketDays must be 1 to"),
        (("ticketDays=99999999999",), "ticketDays must be 1 to"),
        (("split=no", "split=no"), "given twice"),
    ],
)
def test_a_wrong_rule_is_told_by_its_name(pairs: tuple[str, ...], words: str) -> None:
    with pytest.raises(RuleInvalid, match=words):
        parse_rules(pairs)


@given(st.lists(st.text(max_size=30), max_size=3))
def test_no_rule_breaks_the_reader(pairs: list[str]) -> None:
    try:
        parse_rules(pairs)
    except RuleInvalid as error:
        assert error.path  # noqa: PT017  any other error fails the test


@pytest.mark.parametrize("padding", [0, REMEMBERED_LENGTH], ids=["remembered", "too-long"])
def test_rules_that_are_read_again_say_the_same_and_nothing_of_others(padding: int) -> None:
    def licence(rules: str) -> License:
        return License(
            license_id="l",
            order_id="o",
            line_number=1,
            ticket_id="t",
            item_number="A",
            firm_code=FIRM,
            product_code=1,
            quantity=2,
            generation=1,
            options="{}",
            extends_license_id=None,
            withdrawn=False,
            version=1,
            created_at=datetime(2027, 1, 1, tzinfo=UTC),
            rules=rules + " " * padding,
        )

    for _ in range(2):
        with pytest.raises(SplitRefused):
            check_parts(licence('{"split": false}'), 1, there=0, path="license[1]")
        check_parts(licence("{}"), 1, there=0, path="license[1]")


def test_options_are_remembered_but_for_those_of_one_licence() -> None:
    plain = '{"feature_map": 4711}'
    assert licence_options(plain) is licence_options(plain)
    assert licence_options(plain).feature_map == 4711
    for text in (
        '{"customer_information": "Jane Roe"}',
        '{"protected_data": "c2VhbGVk"}',
        plain + " " * REMEMBERED_LENGTH,
    ):
        assert licence_options(text) == licence_options(text)
        assert licence_options(text) is not licence_options(text)
