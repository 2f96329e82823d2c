"""A connection that is cut, whenever it is, above all between COMMIT and its answer, loses and doubles nothing."""

import asyncio
import io
import random
from collections import Counter

import pytest
from order_ledger import INVARIANTS, UNKNOWN, OrderLedger, looked_up
from postgres_proxy import CUTS, Act, Message, RandomCuts, passing, proxied

from opendepot import FaultReceived, SalesClient
from server.cli.initialise import CONFIG, initialise
from server.core import opened_core
from server.listener import serving
from server.settings import load_settings
from soap.messages import sales
from storage import open_storage
from storage.commands import AlreadyAnswered, LoadServer, Placed
from storage.errors import StorageUnavailable

CALLERS = 12


def places_orders(message: Message) -> bool:
    return "INTO orders" in message.sql


async def cut_at_random(place, make, path, *, seed, cuts, chosen, acts=CUTS):
    """Order from many sides until so many connections were cut; the ledger and how often which cut was made."""
    print(f"cuts {cuts}, seed {seed}")
    judge = RandomCuts(seed=seed, share=0.3, chosen=chosen, acts=acts)
    ledger = OrderLedger(path=path)
    chance = random.Random(seed)
    async with proxied(place.server.folder) as proxy:
        storage = await open_storage(proxy.address(place.name), batch_limit=4)
        proxy.judge = judge
        while sum(judge.count.values()) < cuts:
            names = [f"T-{chance.randrange(10**6)}" for _ in range(CALLERS)]
            # Every third caller wants what its neighbour wants, at the same time.
            names[::3] = names[1::3]
            await asyncio.gather(*(ledger.place(storage, make.order(transaction=name, quantity=2)) for name in names))
        await storage.close()
    return ledger, judge.count


@pytest.mark.parametrize("seed", [1, 2])
async def test_cuts_between_commit_and_its_answer_lose_nothing_and_double_nothing(stocked, make, place, tmp_path, seed):
    ledger, count = await cut_at_random(
        place, make, tmp_path / "ledger", seed=seed, cuts=25, chosen=lambda message: message.is_commit
    )
    assert ledger.violations(place.run) == []
    assert min(count.values()) > 0
    # Orders whose outcome nobody knew were carried out, and were not: both happened.
    assert 0 < ledger.found < ledger.unknown


async def test_cuts_at_any_message_lose_nothing_and_double_nothing(stocked, make, place, tmp_path):
    ledger, _ = await cut_at_random(place, make, tmp_path / "ledger", seed=3, cuts=25, chosen=lambda _: True)
    assert ledger.violations(place.run) == []
    assert ledger.refused > 0


@pytest.mark.long
@pytest.mark.timeout(7200)
async def test_many_cuts_lose_nothing_and_double_nothing(stocked, make, place, tmp_path, pytestconfig):
    cuts, seed = pytestconfig.getoption("--cuts"), pytestconfig.getoption("--seed")
    ledger, count = await cut_at_random(
        place, make, tmp_path / "ledger", seed=seed, cuts=cuts, chosen=lambda message: message.is_commit
    )
    found = ledger.violations(place.run)
    print(
        f"{count}; {len(ledger.acknowledged)} orders, {ledger.unknown} unknown outcomes of which {ledger.found} had"
        f" been carried out: {found or 'nothing lost, nothing doubled'}"
    )
    assert found == []


async def test_the_check_goes_red_when_commit_is_answered_and_was_not_carried_out(stocked, make, place, tmp_path):
    ledger, _ = await cut_at_random(
        place,
        make,
        tmp_path / "ledger",
        seed=4,
        cuts=3,
        chosen=lambda message: message.is_commit,
        acts=(Act.LIE,),
    )
    assert any("was acknowledged and is lost" in violation for violation in ledger.violations(place.run))


@pytest.mark.parametrize("act", CUTS)
async def test_a_cut_commit_is_an_unknown_outcome_that_is_looked_up_and_not_sent_again(stocked, make, place, act):
    acts = [act]

    def judge(message):
        return acts.pop() if acts and message.is_commit else Act.PASS

    async with proxied(place.server.folder) as proxy:
        storage = await open_storage(proxy.address(place.name))
        proxy.judge = judge
        order = make.order(transaction="T-1")
        with pytest.raises(StorageUnavailable, match=UNKNOWN):
            await storage.execute(order)
        seen = Counter(proxy.seen)
        assert sum(count for message, count in seen.items() if places_orders(message)) == 1
        found = await looked_up(storage, "T-1")
        if act is not Act.CUT_CROSSING:
            assert (found is not None) is (act is Act.CUT_AFTER)
            again = await storage.execute(make.order(transaction="T-1"))
            assert again == (AlreadyAnswered(answer=order.answer) if act is Act.CUT_AFTER else Placed())
        await storage.close()


@pytest.mark.parametrize("lost", [False, True], ids=["slow", "lost"])
async def test_a_commit_on_a_network_that_stops_is_answered_late_or_is_an_unknown_outcome(stocked, make, place, lost):
    stopped = asyncio.Event()

    async with proxied(place.server.folder) as proxy:
        storage = await open_storage(proxy.address(place.name))

        def stop_at_commit(message):
            if message.is_commit:
                proxy.flowing.clear()
                stopped.set()
            return Act.PASS

        proxy.judge = stop_at_commit
        waiting = asyncio.create_task(storage.execute(make.order(transaction="T-1")))
        await stopped.wait()
        assert place.run("SELECT count(*) FROM orders") == [(0,)]
        assert not waiting.done()
        proxy.judge = passing
        if lost:
            assert proxy.reset_all() > 0
            proxy.flowing.set()
            with pytest.raises(StorageUnavailable, match=UNKNOWN):
                await waiting
        else:
            proxy.flowing.set()
            assert await waiting == Placed()
        assert await storage.query(LoadServer()) is not None
        assert (await looked_up(storage, "T-1") is None) is lost
        await storage.close()


async def ordered(shop, transaction, outcomes):
    """The receipt of an order that a shop sends again only after it has asked what became of it."""
    line = sales.OrderLine(item_number="A", quantity=2)
    order = sales.CreateOrderRequest(transaction_id=transaction, order_line=(line,))
    for _ in range(100):
        try:
            return await shop.create_order(order)
        except FaultReceived as fault:
            outcomes[fault.code, fault.retry] += 1
        try:
            outcomes["found"] += bool(await shop.get_order(sales.GetOrderRequest(transaction_id=transaction)))
        except FaultReceived as fault:
            outcomes[fault.code, fault.retry] += 1
    raise AssertionError(f"{transaction} was not placed")


async def test_cuts_behind_the_whole_server_are_faults_to_retry_and_every_receipt_holds(place, tmp_path):
    folder = tmp_path / "depot"
    # It runs a loop of its own, so it needs a thread.
    await asyncio.to_thread(initialise, folder)
    judge = RandomCuts(seed=5, share=0.3, chosen=lambda message: message.is_commit)
    async with proxied(place.server.folder) as proxy:
        settings = load_settings(folder / CONFIG, database=proxy.address(place.name), port=0, admin_port=0)
        async with opened_core(settings) as core:
            await core.catalogue.add_item(item_number="A", firm_code=6000010, product_code=1)
            _, api_key = await core.catalogue.add_shop("shop")
        outcomes, told = Counter(), {"found", ("StorageUnavailable", True), ("OrderUnknown", False)}
        names = []
        async with (
            serving(settings, log=io.StringIO()) as server,
            SalesClient(server.url, api_key=api_key, attempts=1) as shop,
        ):
            proxy.judge = judge
            receipts = []
            # Until some had been carried out and some had not; which a cut strikes is not the seed's alone.
            while len(names) < 72 or (outcomes.keys() != told and len(names) < 1_200):
                wave = [f"T-{(len(names) + n) // 2}" for n in range(CALLERS)]
                receipts += await asyncio.gather(*(ordered(shop, name, outcomes) for name in wave))
                names += wave
            proxy.judge = passing
            for name, receipt in zip(names, receipts, strict=True):
                view = await shop.get_order(sales.GetOrderRequest(transaction_id=name))
                assert (view.order_id, view.ticket) == (receipt.order_id, receipt.ticket)
    assert receipts[::2] == receipts[1::2]
    orders = len(names) // 2
    assert len({receipt.ticket for receipt in receipts}) == orders
    assert place.run("SELECT count(*), count(DISTINCT transaction_id) FROM orders") == [(orders, orders)]
    assert [name for name, sql in INVARIANTS.items() if place.run(sql) != [(0,)]] == []
    assert outcomes.keys() == told, "nobody was told anything but to try again"
