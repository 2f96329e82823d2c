"""Cancelling, withdrawing, replacing: once, by whom it belongs to, and what containers make of it (section 7)."""

import asyncio
from typing import Any

import pytest
from rules import FIRM, World, held

from licensing.errors import (
    FirmCodeDiffers,
    ItemUnknown,
    LicenseUnknown,
    LicenseWithdrawn,
    NothingFree,
    OrderNameRequired,
    OrderUnknown,
    RenewedSince,
    TooManyPieces,
    TransactionConflict,
)
from licensing.orders import OrderLine, OrderReceipt, OrderRequest
from licensing.vendor_actions import ChangeOutcome, VendorActions


def actions(world: World) -> VendorActions:
    return VendorActions(storage=world.storage, vault=world.vault, clock=world.clock, random=world.random)


async def withdraw(world: World, order: OrderReceipt, pieces: int | None = None, **changes: Any) -> ChangeOutcome:
    values = {
        "shop": world.shops["shop"],
        "transaction_id": "w",
        "license_id": order.licenses[0].license_id,
        "pieces": pieces,
        "reason": "not paid",
    }
    return await actions(world).withdraw_license(**{**values, **changes})


async def put_in_place(world: World, order: OrderReceipt, item: str = "B", **changes: Any) -> ChangeOutcome:
    values = {
        "shop": world.shops["shop"],
        "transaction_id": "r",
        "license_id": order.licenses[0].license_id,
        "item_number": item,
        "reason": "wrong edition",
    }
    return await actions(world).replace_license(**{**values, **changes})


async def cancel(world: World, **changes: Any) -> ChangeOutcome:
    values = {"shop": world.shops["shop"], "transaction_id": "c", "reason": "sent back"}
    return await actions(world).cancel_order(**{**values, **changes})


async def collected(world: World, order: OrderReceipt, name: str = "c", quantity: int | None = None) -> Any:
    container = world.container(name)
    answer = await world.ask(order, container.context(FIRM), (0, quantity))
    await world.confirm(container.import_update(answer.update or b"").receipt)
    return container


async def renewed(world: World, order: OrderReceipt, shop: str = "shop", number: int = 1) -> OrderReceipt:
    line = OrderLine(
        item_number="B", quantity=order.licenses[0].quantity, extends_license_id=order.licenses[0].license_id
    )
    request = OrderRequest(
        transaction_id=f"renew-{number}", order_number=f"R-{number}", original_order_number="n-1", lines=(line,)
    )
    return await world.sales().create_order(shop=world.shops[shop], request=request)


async def states(world: World, order: OrderReceipt) -> list[tuple[str, str, int]]:
    found = await world.sales().get_order(shop=world.shops["shop"], order_id=order.order_id)
    return [(x.item_number, x.state, x.quantity) for x in found.licenses]


async def test_a_withdrawal_lowers_quantity_and_wanted_at_once_and_frees_nothing(world: World) -> None:
    order = await world.order(3)
    await collected(world, order, "c1", 2)
    await collected(world, order, "c2", 1)
    outcome = await withdraw(world, order, 2)
    assert [(x.quantity, x.collected, x.confirmed, x.state) for x in outcome.licenses] == [(1, 1, 3, "WhollyCollected")]
    assert world.sql("SELECT sum(wanted), sum(occupied) FROM placements") == [(1, 3)]
    outcome = await withdraw(world, order, transaction_id="rest")
    assert [(x.quantity, x.collected, x.state) for x in outcome.licenses] == [(0, 0, "Withdrawn")]
    assert world.sql("SELECT sum(wanted), sum(occupied) FROM placements") == [(0, 3)]
    assert await states(world, order) == [("A", "Withdrawn", 0)]


async def test_pieces_on_their_way_are_taken_back_before_those_that_are_confirmed(world: World) -> None:
    order = await world.order(2)
    await collected(world, order, "c1", 1)
    await world.ask(order, world.container("c2").context(FIRM), (0, 1))
    await withdraw(world, order, 1)
    assert sorted(world.sql("SELECT wanted, confirmed FROM placements")) == [(0, 0), (1, 1)]


async def test_each_act_is_done_once_for_its_transaction_and_answers_the_same_for_ever(world: World) -> None:
    order = await world.order(3)
    first = await withdraw(world, order, 1)
    again = await asyncio.gather(*(withdraw(world, order, 1) for _ in range(8)))
    assert all(answer == first for answer in again)
    assert world.sql("SELECT quantity FROM licenses") == [(2,)]
    for changes in ({"pieces": 2}, {"reason": "other"}, {"license_id": "x"}):
        with pytest.raises(TransactionConflict):
            await withdraw(world, order, **{"pieces": 1, **changes})
    replaced = await put_in_place(world, order, transaction_id="w")
    assert await put_in_place(world, order, transaction_id="w") == replaced
    done = await cancel(world, order_number="n-1", transaction_id="w")
    assert await cancel(world, order_number="n-1", transaction_id="w") == done
    assert await withdraw(world, order, 1) == first, "whatever happened since"


async def test_acts_at_once_on_one_licence_are_done_one_after_the_other(world: World) -> None:
    order = await world.order(8)
    await asyncio.gather(
        *(withdraw(world, order, 1, transaction_id=f"w-{number}") for number in range(4)),
        *(put_in_place(world, order, "AB"[number % 2], transaction_id=f"r-{number}") for number in range(4)),
    )
    rows = world.sql("SELECT quantity, generation FROM licenses WHERE extends_license_id IS NULL")
    assert rows == [(4, 5)]
    assert len(await states(world, order)) == 5


async def test_a_shop_touches_nothing_of_another_shop(world: World) -> None:
    order, other = await world.order(1), {"shop": world.shops["other"]}
    for act in (withdraw(world, order, **other), put_in_place(world, order, **other)):
        with pytest.raises(LicenseUnknown):
            await act
    for names in ({"order_id": order.order_id}, {"order_number": "n-1"}):
        with pytest.raises(OrderUnknown):
            await cancel(world, **names, **other)
    assert await states(world, order) == [("A", "NotCollected", 1)]
    assert world.sql("SELECT count(*) FROM answers") == [(1,)]


async def test_what_is_refused_is_not_remembered(world: World) -> None:
    order = await world.order(2)
    with pytest.raises(TooManyPieces):
        await withdraw(world, order, 3)
    with pytest.raises(ItemUnknown):
        await put_in_place(world, order, "NONE")
    with pytest.raises(FirmCodeDiffers):
        await put_in_place(world, order, "O")
    for names in ({}, {"order_id": "a", "order_number": "b"}):
        with pytest.raises(OrderNameRequired):
            await cancel(world, **names)
    await withdraw(world, order)
    with pytest.raises(LicenseWithdrawn):
        await withdraw(world, order, transaction_id="again")
    with pytest.raises(LicenseWithdrawn):
        await put_in_place(world, order)
    with pytest.raises(LicenseWithdrawn):
        await renewed(world, order)
    with pytest.raises(LicenseWithdrawn):
        await cancel(world, order_number="n-1")


async def test_a_cancelled_order_takes_back_what_it_renewed_and_nothing_more(world: World) -> None:
    order = await world.order(2)
    second = await renewed(world, order)
    outcome = await cancel(world, order_number="R-1")
    assert [(x.item_number, x.state, x.quantity) for x in outcome.licenses] == [("B", "Withdrawn", 0)]
    assert (await states(world, order), await states(world, second)) == (
        [("A", "NotCollected", 2)],
        [("B", "Withdrawn", 0)],
    )
    container = await collected(world, order)
    (entry,) = container.listing(FIRM)
    assert (entry.item_number, entry.quantity, entry.generation) == ("A", 2, 3)
    assert await cancel(world, order_number="n-1", transaction_id="c2")


async def test_an_order_below_another_is_not_cancelled_before_it(world: World) -> None:
    order = await world.order(2)
    second = await renewed(world, order)
    await renewed(world, order, number=2)
    for number in ("n-1", "R-1"):
        with pytest.raises(RenewedSince):
            await cancel(world, order_number=number, transaction_id=number)
    await cancel(world, order_number="R-2")
    assert await states(world, second) == [("B", "NotCollected", 2)]
    await withdraw(world, order)
    assert (await states(world, order), await states(world, second)) == (
        [("A", "Withdrawn", 0)],
        [("B", "Withdrawn", 0)],
    )


async def test_a_replaced_licence_keeps_its_pieces_and_is_swapped_in_one_step(world: World) -> None:
    order = await world.order(2)
    container = await collected(world, order)
    outcome = await put_in_place(world, order)
    assert [(x.item_number, x.generation, x.collected, x.confirmed) for x in outcome.licenses] == [("B", 2, 2, 2)]
    assert await states(world, order) == [("A", "Replaced", 2), ("B", "WhollyCollected", 2)]
    answer = await world.ask(order, container.context(FIRM))
    assert world.sql("SELECT count(*) FROM steps WHERE kind = 'Delta'") == [(1,)], "one step swaps them"
    container.import_update(answer.update or b"")
    assert [(x.item_number, x.quantity) for x in container.listing(FIRM)] == [("B", 2)]
    await cancel(world, order_number="n-1")
    assert await states(world, order) == [("A", "Withdrawn", 0), ("B", "Withdrawn", 0)]


async def test_what_was_withdrawn_leaves_with_the_next_file_even_if_nothing_is_left_on_the_ticket(world: World) -> None:
    order = await world.order(1)
    container = await collected(world, order)
    await withdraw(world, order)
    answer = await world.ask(order, container.context(FIRM))
    assert answer.state == "Done"
    imported = container.import_update(answer.update or b"")
    assert held(container) == 0
    assert await world.confirm(imported.receipt) == "Confirmed"
    assert world.sql("SELECT wanted, occupied FROM placements") == [(0, 0)]
    details = await world.depot().show_ticket(order.ticket)
    assert [(x.state) for x in details.placements] == ["Withdrawn"]


async def test_reasons_stand_nowhere_in_clear(world: World) -> None:
    order = await world.order(1)
    await withdraw(world, order, reason="a secret about Ann")
    assert b"Ann" not in (world.folder / "depot.db").read_bytes() + (world.folder / "depot.db-wal").read_bytes()


async def test_trace_2_anything_new_at_the_same_counter_is_answered_anew_after_a_renewal(world: World) -> None:
    order = await world.order(1)
    container = await collected(world, order)
    assert (await world.ask(order, container.context(FIRM))).state == "NothingNew"
    await renewed(world, order)
    answer = await world.ask(order, container.context(FIRM))
    assert answer.state == "Done"
    container.import_update(answer.update or b"")
    assert [x.item_number for x in container.listing(FIRM)] == ["B"]


async def test_trace_5_withdrawn_while_the_file_is_at_large_a_replacement_is_never_beside_it(world: World) -> None:
    order, first, second = await world.order(1), world.container("c1"), world.container("c2")
    at_large = await world.ask(order, first.context(FIRM))
    await put_in_place(world, order)
    with pytest.raises(NothingFree):
        await world.ask(order, second.context(FIRM))
    first.import_update(at_large.update or b"")
    answer = await world.ask(order, first.context(FIRM))
    first.import_update(answer.update or b"")
    assert [x.item_number for x in first.listing(FIRM)] == ["B"]
    with pytest.raises(NothingFree):
        await world.ask(order, second.context(FIRM))


async def test_trace_5_some_pieces_withdrawn_while_the_file_is_at_large_are_not_collected_elsewhere(
    world: World,
) -> None:
    order, first, second = await world.order(2), world.container("c1"), world.container("c2")
    at_large = await world.ask(order, first.context(FIRM))
    await withdraw(world, order, 1)
    with pytest.raises(NothingFree):
        await world.ask(order, second.context(FIRM))
    first.import_update(at_large.update or b"")
    answer = await world.ask(order, first.context(FIRM), (0, 1))
    with pytest.raises(NothingFree):
        await world.ask(order, second.context(FIRM))
    await world.confirm(first.import_update(answer.update or b"").receipt)
    with pytest.raises(NothingFree):
        await world.ask(order, second.context(FIRM))
    assert (held(first), held(second)) == (1, 0)


async def test_trace_6_a_returned_piece_that_was_withdrawn_beside_its_return_is_not_free_again(world: World) -> None:
    order = await world.order(1)
    container, other = await collected(world, order), world.container("other")
    answer = await world.return_to_depot(order, container.context(FIRM))
    assert answer.state == "Done"
    await withdraw(world, order)
    await world.confirm(container.import_update(answer.update or b"").receipt)
    assert container.listing(FIRM) == ()
    with pytest.raises(LicenseUnknown):
        await world.ask(order, other.context(FIRM), (0, 1))
    (license_,) = (await world.depot().get_ticket(tickets=(order.ticket,))).licenses
    assert (license_.state, license_.free, license_.actions) == ("Withdrawn", 0, ())


async def test_trace_12_collected_again_beside_a_pending_removal_it_is_never_more_than_the_quantity(
    world: World,
) -> None:
    order = await world.order(2)
    container, other = await collected(world, order), world.container("other")
    await withdraw(world, order, 1)
    with pytest.raises(NothingFree):
        await world.ask(order, container.context(FIRM), (0, 2))
    with pytest.raises(NothingFree):
        await world.ask(order, other.context(FIRM), (0, 1))
    answer = await world.ask(order, container.context(FIRM))
    with pytest.raises(NothingFree):
        await world.ask(order, other.context(FIRM), (0, 1))
    await world.confirm(container.import_update(answer.update or b"").receipt)
    with pytest.raises(NothingFree):
        await world.ask(order, other.context(FIRM), (0, 1))
    assert (held(container), held(other)) == (1, 0)
