"""The outbox on every storage: written with the change or not at all, in order within a key, each with one holder."""

import asyncio
import itertools
import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import open_storage
from storage.audit import ListAudit
from storage.commands import AlreadyAnswered, OrderNumberTaken, Placed
from storage.errors import QuantityExceeded
from storage.outbox import (
    ClaimMessages,
    DropMessage,
    ListOutbox,
    LoadOutbox,
    MessageState,
    RetryMessages,
    SettleDelivered,
    SettleFailed,
)

ids = itertools.count(1)


def order(make, *keys, **values):
    return replace(make.order(**values), messages=tuple(make.message(key) for key in keys))


def claim(now, *, owner="one", limit=100, seconds=60, channel="webhook"):
    return ClaimMessages(channel=channel, owner=owner, now=now, until=now + timedelta(seconds=seconds), limit=limit)


def delivered(row, *, owner=None):
    return SettleDelivered(
        message_id=row.message.message_id,
        owner=owner or row.lease_owner,
        until=row.lease_until,
        attempts=row.attempts,
    )


def failed(row, due_at, *, state=MessageState.WAITING):
    return SettleFailed(
        message_id=row.message.message_id,
        owner=row.lease_owner,
        until=row.lease_until,
        attempts=row.attempts,
        state=state,
        due_at=due_at,
        failure="HTTP 500",
    )


async def listed(storage, **values):
    return [(row.message.key, row.number) for row in await storage.query(ListOutbox(limit=100_000, **values))]


async def test_a_message_is_written_with_its_order_and_comes_back_as_it_was(stocked, make):
    command = order(make, "K", "K", "L")
    assert await stocked.execute(command) == Placed()
    rows = await stocked.query(ListOutbox(limit=10))
    assert [row.message for row in rows] == list(command.messages)
    assert [(row.number, row.state, row.attempts, row.due_at) for row in rows] == [
        (number, MessageState.WAITING, 0, make.now) for number in (1, 2, 1)
    ]
    assert await listed(stocked) == [("K", 1), ("K", 2), ("L", 1)]


async def test_an_order_that_is_not_placed_leaves_no_message(stocked, make, dump):
    first = order(make, "K", transaction="T-1", number="N-1")
    await stocked.execute(first)
    before = dump()
    assert isinstance(await stocked.execute(order(make, "K", transaction="T-1")), AlreadyAnswered)
    assert isinstance(await stocked.execute(order(make, "K", "M", number="N-1")), OrderNumberTaken)
    assert dump() == before


async def test_a_transfer_writes_its_messages_or_takes_them_back_with_the_rest(stocked, make, dump):
    bought = make.order()
    await stocked.execute(bought)
    line = bought.licenses[0].license_id
    two = make.apply(make.container(), placements=(make.placement(line, wanted=2, occupied=2),))
    before = dump()
    with pytest.raises(QuantityExceeded):
        await stocked.execute(replace(two, messages=(make.message(),)))
    assert dump() == before
    one = make.apply(make.container(), placements=(make.placement(line, wanted=1, occupied=1),))
    await stocked.execute(replace(one, messages=(make.message("A"), make.message("B"), make.message("A"))))
    assert await listed(stocked) == [("A", 1), ("A", 2), ("B", 1)]


async def test_only_the_first_of_each_key_can_be_claimed_and_the_next_one_after_it_is_gone(stocked, make):
    await stocked.execute(order(make, "K", "K", "L"))
    first = await stocked.execute(claim(make.now))
    assert sorted((row.message.key, row.number, row.attempts) for row in first) == [("K", 1, 1), ("L", 1, 1)]
    assert await stocked.execute(claim(make.now, owner="two")) == ()
    by_key = {row.message.key: row for row in first}
    assert await stocked.execute(delivered(by_key["K"])) is True
    assert await stocked.execute(delivered(by_key["K"])) is False
    (second,) = await stocked.execute(claim(make.now, owner="two"))
    assert (second.message.key, second.number, second.lease_owner) == ("K", 2, "two")


async def test_a_claim_ends_with_its_lease_and_the_late_holder_settles_nothing(stocked, make):
    await stocked.execute(order(make, "K"))
    (lost,) = await stocked.execute(claim(make.now))
    later = make.now + timedelta(seconds=60)
    (taken,) = await stocked.execute(claim(later, owner="two"))
    assert (taken.message, taken.attempts) == (lost.message, 2)
    assert await stocked.execute(delivered(lost)) is False
    assert await stocked.execute(failed(lost, later)) is False
    # The same owner, come back after its own lease had expired, is another claim too.
    assert await stocked.execute(delivered(lost, owner="two")) is False
    assert await stocked.execute(delivered(taken)) is True
    assert await listed(stocked) == []


async def test_a_failed_message_is_due_later_and_keeps_its_key_back(stocked, make):
    await stocked.execute(order(make, "K", "K"))
    (row,) = await stocked.execute(claim(make.now))
    due_at = make.now + timedelta(seconds=90)
    assert await stocked.execute(failed(row, due_at)) is True
    assert await stocked.execute(claim(make.now + timedelta(seconds=89))) == ()
    assert (await stocked.query(LoadOutbox(channel="webhook", now=make.now))).due is False
    (again,) = await stocked.execute(claim(due_at))
    assert (again.message, again.attempts, again.last_failure) == (row.message, 2, "HTTP 500")


async def test_a_message_given_up_keeps_its_key_back_until_it_is_retried_or_dropped(stocked, make):
    await stocked.execute(order(make, "K", "K", "L", "L"))
    for row in await stocked.execute(claim(make.now)):
        await stocked.execute(failed(row, make.now, state=MessageState.DEAD))
    view = await stocked.query(LoadOutbox(channel="webhook", now=make.now))
    assert (view.due, view.waiting, view.dead, view.oldest_at) == (False, 2, 2, make.now)
    assert await stocked.execute(claim(make.now + timedelta(days=9))) == ()
    dead = {
        row.message.key: row.message.message_id
        for row in await stocked.query(ListOutbox(limit=9, state=MessageState.DEAD))
    }
    audit = make.audit("by hand")
    assert await stocked.execute(DropMessage(message_id=dead["K"], now=make.now, audit=audit)) is True
    assert await stocked.execute(DropMessage(message_id=dead["K"], now=make.now, audit=audit)) is False
    assert await stocked.execute(RetryMessages(message_id=None, now=make.now, audit=audit)) == 1
    claimed = await stocked.execute(claim(make.now))
    assert sorted((row.message.key, row.number, row.attempts) for row in claimed) == [("K", 2, 1), ("L", 1, 1)]
    assert len(await stocked.query(ListAudit(limit=9, subject="by hand"))) == 2


async def test_a_message_on_its_way_is_neither_dropped_nor_retried(stocked, make):
    await stocked.execute(order(make, "K"))
    (row,) = await stocked.execute(claim(make.now))
    audit = make.audit()
    name = row.message.message_id
    assert await stocked.execute(DropMessage(message_id=name, now=make.now, audit=audit)) is False
    assert await stocked.execute(RetryMessages(message_id=name, now=make.now, audit=audit)) == 0
    await stocked.execute(failed(row, make.now + timedelta(hours=1)))
    assert await stocked.execute(RetryMessages(message_id=name, now=make.now, audit=audit)) == 1
    assert len(await stocked.execute(claim(make.now))) == 1


async def test_channels_do_not_keep_each_other_back(stocked, make):
    messages = (make.message("K", channel="mail"), make.message("K"))
    await stocked.execute(replace(make.order(), messages=messages))
    assert [row.number for row in await stocked.execute(claim(make.now))] == [1]
    assert [row.number for row in await stocked.execute(claim(make.now, channel="mail"))] == [1]


async def test_numbers_of_a_key_rise_without_gaps_whichever_nodes_write_to_it(stocked, open_node, make):
    nodes = [stocked, await open_node(), await open_node()]
    keys = [f"K-{n}" for n in range(5)]
    rng = random.Random(3)
    commands = [order(make, *rng.choices(keys, k=3)) for _ in range(90)]
    results = await asyncio.gather(*(nodes[n % 3].execute(command) for n, command in enumerate(commands)))
    assert results == [Placed()] * 90
    found = await listed(stocked)
    assert len(found) == 270
    for key in keys:
        numbers = [number for each, number in found if each == key]
        assert numbers == list(range(1, len(numbers) + 1))


async def test_dispatchers_on_several_nodes_deliver_everything_in_order_and_hold_nothing_together(
    stocked, open_node, make
):
    nodes = [stocked, await open_node(), await open_node()]
    keys = [f"K-{n}" for n in range(6)]
    await asyncio.gather(*(stocked.execute(order(make, *keys)) for _ in range(10)))
    seen, held = [], set()
    rng = random.Random(5)

    async def dispatch(node, owner):
        while True:
            rows = await node.execute(claim(make.now, owner=owner, limit=3))
            if not rows and not await listed(node):
                return
            for row in rows:
                assert row.message.key not in held
                held.add(row.message.key)
            await asyncio.sleep(0)
            for row in rows:
                held.discard(row.message.key)
                if rng.random() < 0.2:
                    assert await node.execute(failed(row, make.now))
                else:
                    seen.append((row.message.key, row.number))
                    assert await node.execute(delivered(row))

    await asyncio.gather(*(dispatch(node, f"owner {n}") for n, node in enumerate(nodes * 2)))
    assert len(seen) == 60
    for key in keys:
        assert [number for each, number in seen if each == key] == list(range(1, 11))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.lists(st.sampled_from("AB"), min_size=1, max_size=3)),
        st.tuples(st.just("claim"), st.integers(0, 1), st.integers(1, 3)),
        st.tuples(st.just("delivered"), st.integers(0, 5)),
        st.tuples(st.just("failed"), st.integers(0, 5), st.integers(0, 90)),
        st.tuples(st.just("dead"), st.integers(0, 5)),
        st.tuples(st.just("retry")),
        st.tuples(st.just("drop"), st.integers(0, 9)),
        st.tuples(st.just("wait"), st.integers(1, 70)),
    ),
    max_size=30,
)


class Model:
    """The outbox as it should be: for each message its place, who has it until when, and whether it was given up."""

    def __init__(self):
        self.rows = {}
        self.last = {}

    def write(self, message):
        self.last[message.key] = self.last.get(message.key, 0) + 1
        self.rows[message.message_id] = {
            "key": message.key, "number": self.last[message.key], "dead": False, "due": message.created_at,
            "owner": None, "until": None, "attempts": 0,
        }  # fmt: skip

    def claimable(self, now):
        first = {}
        for name, row in self.rows.items():
            if row["number"] < first.get(row["key"], (10**9, ""))[0]:
                first[row["key"]] = (row["number"], name)
        return {
            name
            for _, name in first.values()
            if not self.rows[name]["dead"]
            and self.rows[name]["due"] <= now
            and (self.rows[name]["until"] is None or self.rows[name]["until"] <= now)
        }

    def holds(self, claimed):
        row = self.rows.get(claimed.message.message_id)
        return row is not None and (row["owner"], row["until"], row["attempts"]) == (
            claimed.lease_owner,
            claimed.lease_until,
            claimed.attempts,
        )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_happens_the_outbox_does_what_its_model_does(make, place, database, steps, runner):
    runner(walk(make, place, steps, database))


async def walk(make, place, steps, database):  # noqa: C901, PLR0912  a branch for each step
    storage = await open_storage(database)
    try:
        await storage.execute(make.shop("acme"))
        await storage.execute(make.item("ITEM-1"))
        place.run("DELETE FROM outbox")
        place.run("DELETE FROM outbox_keys")
        model, now, claims = Model(), make.now, []
        for step in steps:
            match step:
                case ("write", keys):
                    command = order(make, *keys, transaction=f"T-{next(ids)}")
                    await storage.execute(replace(command, audit=make.audit()))
                    for each in command.messages:
                        model.write(each)
                case ("claim", owner, limit):
                    expected = model.claimable(now)
                    assert (await storage.query(LoadOutbox(channel="webhook", now=now))).due is bool(expected)
                    rows = await storage.execute(claim(now, owner=f"owner {owner}", limit=limit))
                    assert {row.message.message_id for row in rows} <= expected
                    assert len(rows) == min(limit, len(expected))
                    for row in rows:
                        held = model.rows[row.message.message_id]
                        held.update(owner=row.lease_owner, until=row.lease_until, attempts=held["attempts"] + 1)
                    claims += rows
                case ("delivered", n) if claims:
                    row = claims[n % len(claims)]
                    assert await storage.execute(delivered(row)) is model.holds(row)
                    if model.holds(row):
                        del model.rows[row.message.message_id]
                case (("failed" | "dead") as what, n, *rest) if claims:
                    row = claims[n % len(claims)]
                    due_at = now + timedelta(seconds=rest[0] if rest else 0)
                    state = MessageState.DEAD if what == "dead" else MessageState.WAITING
                    assert await storage.execute(failed(row, due_at, state=state)) is model.holds(row)
                    if model.holds(row):
                        model.rows[row.message.message_id].update(
                            owner=None, until=None, due=due_at, dead=what == "dead"
                        )
                case ("retry",):
                    dead = [row for row in model.rows.values() if row["dead"]]
                    command = RetryMessages(message_id=None, now=now, audit=make.audit())
                    assert await storage.execute(command) == len(dead)
                    for row in dead:
                        row.update(dead=False, due=now, attempts=0)
                case ("drop", n) if model.rows:
                    name = sorted(model.rows)[n % len(model.rows)]
                    until = model.rows[name]["until"]
                    free = until is None or until <= now
                    assert await storage.execute(DropMessage(message_id=name, now=now, audit=make.audit())) is free
                    if free:
                        del model.rows[name]
                case ("wait", seconds):
                    now += timedelta(seconds=seconds)
            rows = await storage.query(ListOutbox(limit=1000))
            assert {
                row.message.message_id: (row.message.key, row.number, row.state is MessageState.DEAD, row.attempts)
                for row in rows
            } == {name: (row["key"], row["number"], row["dead"], row["attempts"]) for name, row in model.rows.items()}
    finally:
        await storage.close()
