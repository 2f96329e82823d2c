"""While many extensions wait on a slow CRM, none holds a thread, a connection of the database or a lock."""

import asyncio
import threading
from pathlib import Path

import pytest
from test_extension_faults import Crm, World, world

from licensing.extensions.questions import Question, Verdict
from licensing.extensions.values import ExtensionQuestion, ExtensionRequest
from licensing.order_values import OrderLine, OrderRequest

__all__ = ["world"]
pytestmark = pytest.mark.slow
MANY = 300


async def test_many_extensions_wait_and_the_database_serves_as_if_there_were_none(world: World, folder: Path) -> None:
    go = asyncio.Event()

    class Slow(Crm):
        async def ask(self, question: Question) -> Verdict:
            self.asked.append(question.extension_id)
            await go.wait()
            return Verdict(eligible=True)

    world.crm = Slow()
    shop, _ = await world.core.catalogue.add_shop("many")
    engine = world.engine()
    line = (OrderLine(item_number="EDITOR", quantity=1),)
    orders = [OrderRequest(transaction_id=f"m-{number}", lines=line) for number in range(MANY)]
    receipts = await asyncio.gather(*(world.core.sales.create_order(shop=shop, request=each) for each in orders))
    requests = [ExtensionRequest(transaction_id="x", ticket=each.ticket) for each in receipts]
    asking = [asyncio.create_task(engine.extend(each)) for each in requests]
    async with asyncio.timeout(60):
        while len(world.crm.asked) < MANY:  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.01)
    threads = threading.active_count()

    assert engine.running == MANY
    # The writer and the readers answer at once: nothing of theirs is held.
    await asyncio.wait_for(world.core.storage.ready(), 5)
    await asyncio.wait_for(world.ends(), 5)
    assert threading.active_count() == threads <= 12

    go.set()
    await asyncio.gather(*asking)
    await engine.idle()
    answer = await engine.get(ExtensionQuestion(transaction_id="x", ticket=receipts[-1].ticket))
    assert answer.state == "Extended"
    assert len(world.crm.asked) == MANY
    assert world.bugs == []
