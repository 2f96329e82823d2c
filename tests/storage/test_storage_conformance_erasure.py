"""Erasure on every storage: what belongs to a person is gone, from the files too, and everything else still holds."""

import asyncio
import random
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from places import SqlitePlace

from licensing.audit import ERASE, Sealer, SealingKey, verify_audit
from licensing.audit.verifying import Kind
from storage.audit import ListAudit
from storage.commands import AlreadyAnswered, FindOrder
from storage.erasure import EraseOrders, FindErasable, WalkOrders
from storage.outbox import ClaimMessages, ListOutbox, SettleDelivered

KEY = SealingKey(bytes(range(32)))
MARKS = [
    f"{name} that is to be erased {'x' * 40}".encode() for name in ("customer", "answer", "request", "user", "message")
]
DETAILS = '{"note":"details that are to be erased"}'


def erase(make, *order_ids, **changes):
    command = EraseOrders(
        order_ids=order_ids,
        operation="CreateOrder",
        at=make.now,
        audit=replace(make.audit(), action=ERASE),
    )
    return replace(command, **changes)


def personal(make, **values):
    """An order with something of a person at every place."""
    order = make.order(**values)
    customer, answer, request, _, message = MARKS
    return replace(
        order,
        order=replace(order.order, customer_sealed=customer),
        answer=replace(order.answer, answer_sealed=answer, request_hash=request),
        audit=replace(order.audit, details=DETAILS),
        messages=(replace(make.message(order.order.ticket_id, order_id=order.order.order_id), content_sealed=message),),
    )


async def collect(storage, make, order, *, serial="130-1", user=MARKS[3]):
    """Put the first licence of an order into a container."""
    epoch = make.epoch
    await storage.execute(
        make.apply(
            make.container(serial, base=(epoch, 1), end=(epoch, 1)),
            placements=(make.placement(order.licenses[0].license_id, wanted=1, occupied=1, serial=serial),),
            steps=(make.step((epoch, 1), (0, 0), serial=serial, kind="Reset"),),
            transfer=replace(make.transfer(b"key", (0, 0), (epoch, 1), serial=serial), user_sealed=user),
        )
    )


@pytest.fixture
def sealer(make):
    rng = random.Random(1)

    def made(storage):
        return Sealer(storage=storage, key=KEY, clock=lambda: make.now, random=rng.randbytes, owner="one")

    return made


async def check(storage):
    return await verify_audit(storage, public_key=KEY.public_key)


async def test_an_erased_order_has_lost_its_person_and_nothing_else(stocked, make, behind):
    order, other = personal(make, number="N-1"), personal(make, number="N-2")
    await stocked.execute(order)
    await stocked.execute(other)
    await collect(stocked, make, order)
    await collect(stocked, make, other, serial="130-2")
    before = await stocked.query(FindOrder(shop_id="shop-acme", order_number="N-1"))
    name = order.order.order_id
    assert await stocked.execute(erase(make, name, name, "no such order")) == (name,)
    found = await stocked.query(FindOrder(shop_id="shop-acme", order_number="N-1"))
    assert found == replace(before, order=replace(before.order, customer_sealed=None))
    again = await stocked.execute(order)
    assert isinstance(again, AlreadyAnswered)
    assert (again.answer.answer_sealed, again.answer.request_hash) == (None, b"")
    assert [row.message.order_id for row in await stocked.query(ListOutbox(limit=9))] == [other.order.order_id]
    newest, first = await stocked.query(ListAudit(limit=9, subject=name))
    assert (first.row.details, first.erased, newest.row.action) == ("{}", True, ERASE)
    assert behind("SELECT count(*) FROM transfers WHERE user_sealed IS NULL AND serial = '130-1'") == [(1,)]
    assert behind("SELECT count(*) FROM transfers WHERE user_sealed IS NOT NULL") == [(1,)]
    untouched = await stocked.query(FindOrder(shop_id="shop-acme", order_number="N-2"))
    assert untouched.order.customer_sealed == MARKS[0]


async def test_a_reason_in_somebodys_words_goes_with_the_order_of_its_licence(stocked, make):
    order, other = personal(make), personal(make)
    for each in (order, other):
        await stocked.execute(each)
        name = each.licenses[0].license_id
        for action, details in (("WithdrawLicense", '{"reason_sealed": "c2VhbGVk"}'), ("Collect", '{"quantity": 1}')):
            audit = replace(make.audit(), action=action, subject=name, details=details)
            await stocked.execute(replace(make.shop(make.id("shop")), audit=audit))
    await stocked.execute(erase(make, order.order.order_id))
    found = {
        (row.row.subject, row.row.action): (row.row.details, row.erased)
        for each in (order, other)
        for row in await stocked.query(ListAudit(limit=9, subject=each.licenses[0].license_id))
    }
    mine, others = order.licenses[0].license_id, other.licenses[0].license_id
    assert found[mine, "WithdrawLicense"] == ("{}", True)
    assert found[mine, "Collect"] == ('{"quantity": 1}', False)
    assert found[others, "WithdrawLicense"] == ('{"reason_sealed": "c2VhbGVk"}', False)


async def test_an_order_is_erased_once_whoever_asks(stocked, open_node, make):
    order = personal(make)
    await stocked.execute(order)
    nodes = [stocked, await open_node(), await open_node()]
    name = order.order.order_id
    results = await asyncio.gather(*(node.execute(erase(make, name)) for node in nodes))
    assert sorted(results) == [(), (), (name,)]
    assert len(await stocked.query(ListAudit(limit=9, action=ERASE))) == 1


async def test_the_chain_stays_whole_whether_rows_were_sealed_before_the_erasure_or_not(stocked, make, sealer, behind):
    sealed, unsealed = personal(make), personal(make)
    await stocked.execute(sealed)
    await sealer(stocked).seal()
    await stocked.execute(unsealed)
    await stocked.execute(erase(make, sealed.order.order_id, unsealed.order.order_id))
    assert (await check(stocked)).whole
    await sealer(stocked).seal()
    found = await check(stocked)
    assert (found.whole, found.unsealed, found.erased) == (True, 0, 1)
    behind(f"UPDATE audit SET actor = 'x' WHERE subject = '{sealed.order.order_id}' AND action = 'Act'")
    assert [problem.kind for problem in (await check(stocked)).problems] == [Kind.CHANGED]


async def test_a_record_of_an_erasure_that_was_changed_excuses_nothing(stocked, make, sealer, behind):
    order = personal(make)
    await stocked.execute(order)
    await sealer(stocked).seal()
    await stocked.execute(erase(make, order.order.order_id))
    await sealer(stocked).seal()
    behind(f"UPDATE audit SET details = '[]' WHERE action = '{ERASE}'")
    assert {problem.kind for problem in (await check(stocked)).problems} == {Kind.CHANGED, Kind.ERASED}


async def test_a_message_that_is_on_its_way_stays_empty_until_it_is_settled(stocked, make):
    order = personal(make)
    await stocked.execute(order)
    until = make.now + timedelta(minutes=1)
    (row,) = await stocked.execute(ClaimMessages(channel="webhook", owner="one", now=make.now, until=until, limit=9))
    await stocked.execute(erase(make, order.order.order_id))
    (left,) = await stocked.query(ListOutbox(limit=9))
    assert (left.message.content_sealed, left.lease_owner) == (b"", "one")
    settle = SettleDelivered(message_id=row.message.message_id, owner="one", until=until, attempts=1)
    assert await stocked.execute(settle) is True


async def test_orders_are_walked_from_where_the_sweep_has_come(stocked, make):
    orders = [make.order(number=f"N-{n}") for n in range(4)]
    for order in orders:
        await stocked.execute(order)
    ids = [order.order.order_id for order in orders]
    assert [order.order_id for order in await stocked.query(WalkOrders(limit=9, after=None))] == ids
    await stocked.execute(erase(make, ids[0], swept_to=ids[1]))
    await stocked.execute(erase(make, swept_to=ids[0]))
    assert [order.order_id for order in await stocked.query(WalkOrders(limit=9, after=None))] == ids[2:]
    everything = await stocked.query(WalkOrders(limit=2, after=""))
    assert [(order.order_id, order.erased_at) for order in everything] == [(ids[0], make.now), (ids[1], None)]


async def test_orders_are_found_by_id_and_by_number_of_any_shop_or_one(stocked, make):
    here, there = make.order(number="N-1"), make.order(number="N-1", shop="bolt")
    await stocked.execute(here)
    await stocked.execute(there)

    async def find(**names):
        return {order.order_id for order in await stocked.query(FindErasable(**names))}

    assert await find(order_number="N-1") == {here.order.order_id, there.order.order_id}
    assert await find(order_number="N-1", shop="bolt") == {there.order.order_id}
    assert await find(order_id=here.order.order_id) == {here.order.order_id}
    assert await find(order_id=here.order.order_id, shop="bolt") == set()
    with pytest.raises(ValueError, match="order_id"):
        await find(shop="bolt")


def files_of(place):
    if isinstance(place, SqlitePlace):
        return [path for path in place.location.parent.glob(f"{place.location.name}*") if path.is_file()]
    place.run("CHECKPOINT")
    (oid,) = place.run(f"SELECT oid::text FROM pg_database WHERE datname = '{place.name}'")[0]
    return [path for path in (Path(place.server.data) / "base" / oid).rglob("*") if path.is_file()]


def left_in(place):
    contents = [path.read_bytes() for path in files_of(place)]
    return [mark for mark in [*MARKS, DETAILS.encode()] if any(mark in content for content in contents)]


async def test_no_file_of_the_database_holds_what_was_erased(stocked, make, place, sealer):
    # PostgreSQL gives the space of old rows back without zeroing it; only the thorough way promises more.
    for thorough in (False, True) if isinstance(place, SqlitePlace) else (True,):
        orders = [personal(make) for _ in range(20)]
        for order in orders:
            await stocked.execute(order)
            await stocked.execute(make.order(number=make.id()))
            await collect(stocked, make, order, serial=make.id())
        await sealer(stocked).seal()
        assert left_in(place) == [*MARKS, DETAILS.encode()]
        await stocked.execute(erase(make, *(order.order.order_id for order in orders)))
        await stocked.forget(thorough=thorough)
        assert left_in(place) == []
        assert (await check(stocked)).whole
