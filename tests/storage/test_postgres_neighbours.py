"""Whichever statement of a batch of orders fails: each is told what became of it, and none is half there."""

import asyncio
import itertools

import asyncpg
import pytest
from failing_postgres import failing_connections, open_failing, sql_error

from storage.commands import AlreadyAnswered, FindOrder, Placed
from storage.errors import StorageUnavailable

WAYS = {
    "refused": {"error": lambda: sql_error("53100")},
    "afterwards": {"error": lambda: sql_error("53100"), "after": True},
    "lost": {"error": lambda: asyncpg.ConnectionDoesNotExistError("gone"), "lost": True},
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_failure_of_any_statement_of_a_batch_leaves_no_order_half_there(prepared, make, database, way):
    connections = failing_connections()
    storage = await open_failing(database, connections)
    spared = 0
    for number in itertools.count(1):
        orders = [make.order(items=("ITEM-1",) * 2) for _ in range(4)]
        statements = itertools.count(1)
        begun = itertools.count(1)
        armed = False

        def due(sql, number=number, statements=statements, begun=begun):
            nonlocal armed
            armed = armed or (sql.startswith("BEGIN") and next(begun) == 2)
            return WAYS[way]["error"]() if armed and next(statements) == number else None

        connections.after, connections.lost = WAYS[way].get("after", False), WAYS[way].get("lost", False)
        connections.due = staticmethod(due)
        first, *outcomes = await asyncio.gather(*map(storage.execute, [make.order(), *orders]), return_exceptions=True)
        connections.due = staticmethod(lambda _: None)
        assert first == Placed()
        assert all(isinstance(outcome, Placed | StorageUnavailable) for outcome in outcomes)
        spared += outcomes == [Placed()] * 4
        for order, outcome in zip(orders, outcomes, strict=True):
            view = await storage.query(FindOrder(shop_id="shop-acme", order_id=order.order.order_id))
            if outcome == Placed() or "may have been carried out" not in str(outcome):
                assert (view is not None) == (outcome == Placed())
            assert view is None or len(view.licenses) == 2
            again = await storage.execute(order)
            assert isinstance(again, AlreadyAnswered) == (view is not None)
        if next(statements) <= number:
            break
    assert number > 3
    assert spared >= 1
    await storage.close()
