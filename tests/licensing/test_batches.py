"""Many orders in one call: each atomic, in order, and as if they had come one after the other."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from rules import World

from licensing.batches import AT_ONCE, create_orders, waves
from licensing.orders import OrderLine, OrderRequest

LINE = OrderLine(item_number="A", quantity=1)


def request(number: int, **changes: object) -> OrderRequest:
    made = OrderRequest(transaction_id=f"t-{number}", order_number=f"n-{number}", lines=(LINE,))
    return replace(made, **changes)  # type: ignore[arg-type]


async def test_orders_that_are_refused_leave_the_others_alone_and_results_stand_in_order(world: World) -> None:
    requests = [request(number) for number in range(300)]
    requests[7] = request(7, lines=(replace(LINE, item_number="NONE"),))
    requests[8] = request(8, order_number="n-3")
    requests[9] = request(9, transaction_id="t-3")
    results = await create_orders(world.sales(), shop=world.shops["shop"], requests=requests)
    assert [result.transaction_id for result in results] == [x.transaction_id for x in requests]
    refused = {
        place: getattr(result.refusal, "code", None) for place, result in enumerate(results) if not result.receipt
    }
    assert refused == {7: "ItemUnknown", 8: "OrderNumberExists", 9: "TransactionConflict"}
    assert world.sql("SELECT count(*) FROM orders") == [(297,)]
    again = await create_orders(world.sales(), shop=world.shops["shop"], requests=requests)
    assert [result.receipt for result in again] == [result.receipt for result in results]


async def test_an_order_may_follow_an_earlier_one_of_the_same_call(world: World) -> None:
    requests = [request(1), request(2, original_order_number="n-1"), request(3, original_order_number="n-2")]
    results = await create_orders(world.sales(), shop=world.shops["shop"], requests=requests)
    tickets = {result.receipt.ticket for result in results if result.receipt}
    assert (len(tickets), [result.refusal for result in results]) == (1, [None] * 3)


@given(
    st.lists(
        st.builds(
            lambda own, original, extends: request(
                own,
                original_order_number=original and f"n-{original}",
                lines=(replace(LINE, extends_license_id=extends),),
            ),
            st.integers(0, 8),
            st.none() | st.integers(1, 8),
            st.none() | st.sampled_from("xy"),
        ),
        max_size=3 * AT_ONCE,
    )
)
def test_a_run_holds_no_two_orders_that_meet_and_no_order_is_lost(requests: list[OrderRequest]) -> None:
    found = list(waves(requests))
    assert [x for wave in found for x in wave] == requests
    for wave in found:
        assert 0 < len(wave) <= AT_ONCE
        assert len({x.transaction_id for x in wave}) == len(wave)
        licences = [x.lines[0].extends_license_id for x in wave if x.lines[0].extends_license_id]
        assert len(set(licences)) == len(licences)
        for place, x in enumerate(wave):
            assert x.original_order_number not in {y.order_number for y in wave[:place]}
