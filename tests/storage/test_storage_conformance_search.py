"""What every storage must do to find orders: by id, within bounds, with all that belongs to them."""

from dataclasses import replace

from storage.commands import FindHistory, FindOrder, FindOrders


async def test_orders_are_found_by_id_within_bounds_with_lines_and_tickets(stocked, make):
    placed = [make.order(number=f"N-{number}", items=("ITEM-1", "ITEM-2")) for number in range(5)]
    placed[3] = replace(placed[3], order=replace(placed[3].order, customer_lookup=b"customer"))
    for command in placed:
        await stocked.execute(command)
    await stocked.execute(make.order(shop="bolt"))
    ids = [command.order.order_id for command in placed]
    question = FindOrders(shop_id="shop-acme", after="", limit=3)
    first = await stocked.query(question)
    rest = await stocked.query(replace(question, after=first[-1].order.order_id))
    assert [view.order.order_id for view in (*first, *rest)] == ids
    for view in (*first, *rest):
        assert view == await stocked.query(FindOrder(shop_id="shop-acme", order_id=view.order.order_id))
    bounded = await stocked.query(replace(question, after=ids[0], before=ids[3], limit=9))
    assert [view.order.order_id for view in bounded] == ids[1:3]
    own = await stocked.query(replace(question, customer_lookup=b"customer"))
    assert [view.order for view in own] == [placed[3].order]
    assert await stocked.query(replace(question, after=ids[-1])) == ()


async def test_the_history_of_a_ticket_is_that_of_its_orders_licences_and_containers(stocked, make):
    order = make.order(number="N-1")
    await stocked.execute(order)
    await stocked.execute(make.order(number="N-2"))
    (first,) = order.licenses
    placed = make.placement(first.license_id, wanted=1, occupied=1, serial="130-7")
    audits = [make.audit("130-7/10"), make.audit("130-8/10"), make.audit("130-7/11")]
    for number, audit in enumerate(audits):
        command = make.apply(
            make.container("130-7", version=number), license_versions={first.license_id: number + 1}, audit=audit
        )
        await stocked.execute(replace(command, placements=(placed,)))
    found = await stocked.query(FindHistory(lookup=order.ticket.lookup))
    assert {row.subject for row in found} == {order.order.order_id, "130-7/10"}
    assert order.audit in found
    assert await stocked.query(FindHistory(lookup=b"none")) == ()
