"""Returns: targets that lower, pieces that are free at the receipt and once, and the rules that count them."""

import json
from datetime import timedelta
from typing import Any

import pytest
from rules import FIRM, World, held

from containers import Container
from licensing.allowances import Allowances, allowances_of
from licensing.depot import UpdateAnswer
from licensing.errors import LicenseUnknown, NothingFree, OptionInvalid, ReturnRefused
from licensing.orders import OrderReceipt
from licensing.transfers.planning import Target


async def give_back(
    world: World, order: OrderReceipt, context: bytes, *remainders: tuple[int, int | None]
) -> UpdateAnswer:
    return await world.depot().return_license(
        ticket=order.ticket,
        remainders=tuple(
            Target(license_id=order.licenses[place].license_id, quantity=quantity) for place, quantity in remainders
        ),
        context=context,
    )


async def collected(world: World, order: OrderReceipt, container: Container, *targets: Any) -> None:
    imported = container.import_update((await world.ask(order, container.context(FIRM), *targets)).update or b"")
    assert await world.confirm(imported.receipt) == "Confirmed"


async def test_a_piece_is_free_at_the_receipt_and_once(world: World) -> None:
    order, first, second = await world.order(1), world.container("c1"), world.container("c2")
    await collected(world, order, first)
    context = first.context(FIRM)
    answer = await give_back(world, order, context)
    assert answer.state == "Done"
    assert world.sql("SELECT wanted, occupied, confirmed FROM placements") == [(0, 1, 1)]
    with pytest.raises(NothingFree):
        await world.ask(order, second.context(FIRM))
    imported = first.import_update(answer.update or b"")
    assert (held(first), await world.confirm(imported.receipt)) == (0, "Confirmed")
    assert world.sql("SELECT wanted, occupied, confirmed FROM placements") == [(0, 0, 0)]
    assert await give_back(world, order, context) == answer, "the same request gets the same file"
    await collected(world, order, second)
    assert await world.confirm(imported.receipt) == "Confirmed"
    assert (held(first), held(second)) == (0, 1)
    with pytest.raises(NothingFree):
        await world.ask(order, first.context(FIRM))


async def test_a_return_never_raises_and_what_is_reached_already_makes_no_step(world: World) -> None:
    order, container = await world.order(5), world.container()
    await collected(world, order, container, (0, 3))
    steps = world.sql("SELECT count(*) FROM steps")
    for remainder in (3, 4, 5):
        assert (await give_back(world, order, container.context(FIRM), (0, remainder))).state == "NothingNew"
    assert world.sql("SELECT count(*) FROM steps") == steps
    answer = await give_back(world, order, container.context(FIRM), (0, 1))
    container.import_update(answer.update or b"")
    assert held(container) == 1
    assert (await give_back(world, order, container.context(FIRM), (0, 1))).state == "NothingNew"


async def test_a_return_of_what_was_not_loaded_yet(world: World) -> None:
    order, container = await world.order(2), world.container()
    sent = (await world.ask(order, container.context(FIRM))).update or b""
    answer = await give_back(world, order, container.context(FIRM), (0, 1))
    assert world.sql("SELECT wanted, occupied, confirmed FROM placements") == [(1, 2, 0)]
    container.import_update(answer.update or b"")
    container.import_update(sent)
    assert (held(container), await world.confirm(container.context(FIRM))) == (1, "Confirmed")


async def test_a_container_that_holds_nothing_returns_nothing(world: World) -> None:
    order, container = await world.order(1), world.container()
    assert await give_back(world, order, container.context(FIRM)) == UpdateAnswer(state="NothingNew", update=None)
    assert world.sql("SELECT count(*) FROM steps") == [(0,)]
    with pytest.raises(LicenseUnknown):
        await world.depot().return_license(
            ticket=order.ticket, remainders=(Target(license_id="none"),), context=container.context(FIRM)
        )


async def test_returns_are_counted_when_wanted_falls_and_refused_beyond_the_rule(world: World) -> None:
    await world.catalogue().add_item(
        item_number="R", firm_code=FIRM, product_code=1, allowances=Allowances(returns=1, return_days=30)
    )
    order, container = await world.order(3, item="R"), world.container()
    await collected(world, order, container)
    answer = await give_back(world, order, container.context(FIRM), (0, 2))
    container.import_update(answer.update or b"")
    with pytest.raises(ReturnRefused, match="from 2026-01-31") as refused:
        await give_back(world, order, container.context(FIRM), (0, 1))
    assert refused.value.path == "license[1]"
    assert held(container) == 2
    world.now += timedelta(days=30)
    answer = await give_back(world, order, container.context(FIRM), (0, 1))
    container.import_update(answer.update or b"")
    assert held(container) == 1
    assert world.sql("SELECT kind, quantity FROM movements") == [("Return", 1), ("Return", 1)]


async def test_an_item_that_cannot_be_returned(world: World) -> None:
    await world.catalogue().add_item(item_number="R", firm_code=FIRM, product_code=1, allowances=Allowances(returns=0))
    order, container = await world.order(1, item="R"), world.container()
    await collected(world, order, container)
    with pytest.raises(ReturnRefused, match="0 are allowed"):
        await give_back(world, order, container.context(FIRM))


def test_allowances_are_kept_as_rules_and_judged_when_given() -> None:
    for allowances in (Allowances(), Allowances(returns=0), Allowances(returns=2, return_days=9, restores=1)):
        assert allowances_of(json.dumps(allowances.rules())) == allowances
    with pytest.raises(OptionInvalid, match="return_days must be 0 to"):
        Allowances(return_days=-1)
