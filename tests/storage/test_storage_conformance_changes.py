"""What every storage must do with changes of licences: once, whole or not at all, and never over a moved row."""

import asyncio
from dataclasses import replace

from storage.commands import (
    AlreadyAnswered,
    Applied,
    ChangeItem,
    ChangeLicenses,
    FindItem,
    FindOrder,
    FindShop,
    FindTickets,
    ListItems,
    Moved,
    OrderNumberTaken,
    PrepareChange,
    PrepareOrder,
    SetRights,
)


def change(make, order, *, transaction="C-1", **fields):
    """Renew the order's first licence by an order of its own."""
    (first, *_) = order.licenses
    new = make.order(transaction=transaction, ticket=order.ticket)
    line = replace(new.licenses[0], extends_license_id=first.license_id, generation=2, previous='{"options":"{}"}')
    command = ChangeLicenses(
        answer=new.answer,
        order=new.order,
        ticket=None,
        lines=(line,),
        license_versions={first.license_id: 1},
        changes=(replace(first, generation=2, options='{"text":"new"}'),),
        placements=(),
        audit=make.audit(first.license_id),
    )
    return replace(command, **fields)


async def test_a_change_is_written_whole_and_its_licence_is_seen_once(stocked, make):
    order = make.order(number="N-1")
    await stocked.execute(order)
    command = change(make, order)
    assert await stocked.execute(command) == Applied()
    (view,) = await stocked.query(FindTickets(lookups=(order.ticket.lookup,)))
    assert [(use.license.generation, use.license.version, use.license.options) for use in view.licenses] == [
        (2, 2, '{"text":"new"}')
    ]
    found = await stocked.query(FindOrder(shop_id="shop-acme", order_id=command.order.order_id))
    assert found.licenses[0].license == command.lines[0]
    (family,) = found.families
    assert [use.license.generation for use in family.members] == [2, 2]
    assert (family.shop_id, family.members[1].license) == ("shop-acme", command.lines[0])


async def test_a_change_is_answered_before_anything_else_is_looked_at(stocked, make, dump):
    order = make.order(number="N-1")
    await stocked.execute(order)
    command = change(make, order)
    await stocked.execute(command)
    before = dump()
    assert await stocked.execute(change(make, order)) == AlreadyAnswered(answer=command.answer)
    assert dump() == before


async def test_a_change_of_a_moved_licence_or_under_a_taken_number_leaves_nothing_behind(stocked, make, dump):
    order = make.order(number="N-1")
    await stocked.execute(order)
    before = dump()
    command = change(make, order)
    assert await stocked.execute(replace(command, license_versions={order.licenses[0].license_id: 9})) == Moved()
    taken = replace(command, order=replace(command.order, order_number="N-1"))
    assert await stocked.execute(taken) == OrderNumberTaken(order_id=order.order.order_id)
    assert dump() == before
    assert await stocked.execute(command) == Applied()


async def test_of_twins_at_once_one_is_applied_and_all_get_its_answer(stocked, make):
    order = make.order(number="N-1")
    await stocked.execute(order)
    commands = [change(make, order) for _ in range(8)]
    answers = await asyncio.gather(*map(stocked.execute, commands))
    (first,) = [command for command, answer in zip(commands, answers, strict=True) if answer == Applied()]
    assert sum(answer == AlreadyAnswered(answer=first.answer) for answer in answers) == 7


async def test_of_changes_at_once_one_is_applied_and_the_others_have_moved(stocked, make):
    order = make.order(number="N-1")
    await stocked.execute(order)
    commands = [change(make, order, transaction=f"C-{number}") for number in range(8)]
    answers = await asyncio.gather(*map(stocked.execute, commands))
    assert sorted(type(answer).__name__ for answer in answers) == ["Applied", *["Moved"] * 7]


async def test_a_change_lowers_quantity_and_wanted_at_once(stocked, make):
    order = make.order(number="N-1", quantity=3)
    await stocked.execute(order)
    (first,) = order.licenses
    placed = make.placement(first.license_id, wanted=3, occupied=3, confirmed=3)
    versions = {first.license_id: 1}
    await stocked.execute(make.apply(make.container(), license_versions=versions, placements=(placed,)))
    command = replace(
        change(make, order),
        order=None,
        lines=(),
        license_versions={first.license_id: 2},
        changes=(replace(first, quantity=1),),
        placements=(replace(placed, wanted=1),),
    )
    assert await stocked.execute(command) == Applied()
    question = PrepareChange(
        shop_id="shop-acme", operation="X", transaction_id="X", license_id=first.license_id, item_numbers=("ITEM-2",)
    )
    found = await stocked.query(question)
    (family,) = found.families
    (use,) = family.members
    assert (use.license.quantity, use.wanted, use.occupied, family.placements) == (
        1,
        1,
        3,
        (replace(placed, wanted=1),),
    )
    assert [item.item_number for item in found.items] == ["ITEM-2"]
    by_number = await stocked.query(replace(question, license_id=None, order_number="N-1"))
    assert (by_number.order, by_number.families) == (order.order, found.families)
    assert (await stocked.query(replace(question, license_id="none"))).families == ()


async def test_a_ticket_is_found_by_its_hash_for_an_order_of_another_shop(stocked, make):
    order = make.order(number="N-1")
    await stocked.execute(order)
    prepared = await stocked.query(
        PrepareOrder(
            shop_id="shop-bolt",
            operation="CreateOrder",
            transaction_id="T",
            item_numbers=(),
            original_order_number=None,
            original_ticket_lookup=order.ticket.lookup,
            extended=(order.licenses[0].license_id, "none"),
        )
    )
    assert prepared.original_ticket == order.ticket
    assert [family.shop_id for family in prepared.families] == ["shop-acme"]


async def test_rights_are_set_by_name(stocked, make):
    assert await stocked.execute(SetRights(name="acme", rights="extend-any", audit=make.audit())) is True
    assert await stocked.execute(SetRights(name="none", rights="", audit=make.audit())) is False
    assert (await stocked.query(FindShop(lookup=b"key of acme"))).rights == "extend-any"


async def test_an_item_is_changed_only_as_it_was_seen(stocked, make):
    before = make.item("ITEM-1").item
    assert await stocked.query(FindItem(item_number="ITEM-1")) == before
    after = replace(before, options='{"text":"x"}', rules='{"split":false}', active=False)
    assert await stocked.execute(ChangeItem(before=before, item=after, audit=make.audit())) is True
    assert await stocked.execute(ChangeItem(before=before, item=before, audit=make.audit())) is False
    assert await stocked.query(FindItem(item_number="ITEM-1")) == after
    assert await stocked.query(FindItem(item_number="NONE")) is None
    assert [item.item_number for item in await stocked.query(ListItems(after="", limit=9))] == ["ITEM-2"]
