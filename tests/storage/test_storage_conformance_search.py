"""What every storage must do to find orders: by id, within bounds, with all that belongs to them."""

from dataclasses import replace

from storage.commands import FindOrder, FindOrders


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
