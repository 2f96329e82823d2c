"""Messages delivered to a real receiver: signed, at least once, in order, with back-off, dead letters and kills."""

import asyncio
import base64
import io
import json
import random
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from webhook_receiver import SECRET, SECRET_TEXT, Receiver, started

from licensing.announcing import Announcer
from licensing.catalogue import Catalogue
from licensing.erasure import Erasure
from licensing.orders import Customer, OrderLine, OrderRequest, Sales
from licensing.outbox import Outbox
from licensing.vault import Vault
from observe import EventLog, LogFormat, Metrics
from server.errors import SettingsError
from server.outbox import Backoff, Dispatcher
from server.outbox.webhook import WebhookChannel, read_webhook_secret
from storage import open_storage
from storage.outbox import ClaimMessages, ListOutbox, MessageState

NOW = datetime(2027, 1, 2, tzinfo=UTC)


class World:
    """A shop that orders, a receiver, and dispatchers between them, with a clock that a test sets."""

    def __init__(self, storage, receiver, stack):
        self.storage = storage
        self.receiver = receiver
        self.stack = stack
        self.now = NOW
        self.rng = random.Random(1)
        self.vault = Vault(pepper=bytes(32), sealing_key=bytes(32), random=self.rng.randbytes)
        self.log = io.StringIO()
        self.metrics = Metrics(version="1")
        self.orders = 0
        self.shop = None

    def clock(self):
        return self.now

    async def order(self, original=None, **customer):
        self.orders += 1
        announcer = Announcer(vault=self.vault, clock=self.clock, random=self.rng.randbytes)
        sales = Sales(
            storage=self.storage, vault=self.vault, clock=self.clock, random=self.rng.randbytes, announcer=announcer
        )
        request = OrderRequest(
            transaction_id=f"t-{self.orders}",
            order_number=f"n-{self.orders}",
            original_order_number=original,
            lines=(OrderLine(item_number="A", quantity=2),),
            customer=Customer(name="Somebody", **customer) if customer else None,
        )
        return await sales.create_order(shop=self.shop, request=request)

    async def dispatcher(self, owner="one", *, storage=None, seconds=2.0, attempts=3, url=None):
        session = await self.stack.enter_async_context(aiohttp.ClientSession())
        return Dispatcher(
            storage=storage or self.storage,
            vault=self.vault,
            channel=WebhookChannel(
                session=session,
                url=url or self.receiver.url,
                secret=base64.b64decode(SECRET),
                seconds=seconds,
                clock=self.clock,
            ),
            backoff=Backoff(attempts=attempts, random=self.rng.random),
            clock=self.clock,
            owner=owner,
            events=EventLog(self.log, format=LogFormat.JSON, clock=self.clock),
            metrics=self.metrics,
        )

    def events(self):
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    async def waiting(self):
        return await self.storage.query(ListOutbox(limit=1000))


@pytest.fixture
async def world(tmp_path):
    async with AsyncExitStack() as stack:
        receiver = Receiver()
        runner = await started(receiver)
        stack.push_async_callback(runner.cleanup)
        storage = await open_storage(tmp_path / "depot.db")
        stack.push_async_callback(storage.close)
        made = World(storage, receiver, stack)
        catalogue = Catalogue(storage=storage, vault=made.vault, clock=made.clock, random=made.rng.randbytes)
        await catalogue.add_item(item_number="A", firm_code=10, product_code=1)
        made.shop, _ = await catalogue.add_shop("shop")
        yield made


async def test_a_message_arrives_once_signed_and_without_ticket_or_name(world):
    receipt = await world.order(customer_number="C-7")
    await (await world.dispatcher()).turn()
    (message,) = world.receiver.arrived
    assert message["type"] == "order.placed"
    assert message["data"]["orderId"] == receipt.order_id
    assert message["data"]["customerNumber"] == "C-7"
    assert message["number"] == 1
    assert message["sent"] == int(NOW.timestamp())
    text = json.dumps(message)
    assert receipt.ticket not in text
    assert "Somebody" not in text
    assert await world.waiting() == ()
    await (await world.dispatcher()).turn()
    assert len(world.receiver.arrived) == 1
    assert [event["event"] for event in world.events()] == ["outbox_delivered"]
    assert "Somebody" not in world.log.getvalue()


async def test_what_fails_comes_again_later_under_the_same_id_and_keeps_its_successors_back(world):
    await world.order()
    await world.order(original="n-1")
    await world.order()
    world.receiver.answer = lambda message: 500 if message["data"]["orderNumber"] == "n-1" else 204
    dispatcher = await world.dispatcher()
    await dispatcher.turn()
    assert {message["data"]["orderNumber"] for message in world.receiver.arrived} == {"n-1", "n-3"}
    first, second = await world.waiting()
    assert (first.last_failure, first.attempts, second.attempts) == ("HTTP 500", 1, 0)
    assert timedelta(seconds=2.5) <= first.due_at - NOW <= timedelta(seconds=5)
    await dispatcher.turn()
    assert len(world.receiver.arrived) == 2
    world.receiver.answer = lambda _: 200
    world.now = first.due_at
    await dispatcher.turn()
    arrived = [message for message in world.receiver.arrived if message["data"]["orderNumber"] != "n-3"]
    assert [message["data"]["orderNumber"] for message in arrived] == ["n-1", "n-1", "n-2"]
    assert arrived[0]["id"] == arrived[1]["id"]
    assert [message["number"] for message in arrived] == [1, 1, 2]
    assert await world.waiting() == ()


async def test_a_message_that_fails_too_often_is_given_up_until_somebody_retries_it(world):
    await world.order()
    await world.order(original="n-1")
    world.receiver.answer = lambda _: 503
    dispatcher = await world.dispatcher(attempts=3)
    for _ in range(5):
        await dispatcher.turn()
        world.now += timedelta(days=1)
    assert len(world.receiver.arrived) == 3
    outbox = Outbox(storage=world.storage, clock=world.clock)
    (dead,) = await outbox.list(dead=True)
    assert (dead.state, dead.attempts) == (MessageState.DEAD, 3)
    world.receiver.answer = lambda _: 200
    assert await outbox.retry(None) == 1
    await dispatcher.turn()
    assert [message["number"] for message in world.receiver.arrived] == [1, 1, 1, 1, 2]
    assert [event["event"] for event in world.events()] == [
        "outbox_failed", "outbox_failed", "outbox_dead", "outbox_delivered", "outbox_delivered",
    ]  # fmt: skip
    assert 'opendepot_outbox_deliveries_total{channel="webhook",outcome="dead"} 1.0' in (
        world.metrics.exposition().decode()
    )


async def test_a_receiver_that_is_gone_for_ever_ends_all_tries_at_once(world):
    await world.order()
    world.receiver.answer = lambda _: 410
    await (await world.dispatcher()).turn()
    assert [row.state for row in await world.waiting()] == [MessageState.DEAD]


async def test_a_redirect_is_a_failure_and_is_not_followed(world):
    await world.order()
    world.receiver.answer = lambda _: web.Response(status=307, headers={"Location": world.receiver.url})
    await (await world.dispatcher()).turn()
    assert len(world.receiver.arrived) == 1
    assert (await world.waiting())[0].last_failure == "HTTP 307"


@pytest.mark.parametrize(("asked", "least"), [("120", 120), ("soon", 0), ("99999999", 0), ("900000", 21600)])
async def test_a_receiver_that_asks_for_time_gets_it_within_bounds(world, asked, least):
    await world.order()
    world.receiver.answer = lambda _: web.Response(status=429, headers={"Retry-After": asked})
    await (await world.dispatcher()).turn()
    (row,) = await world.waiting()
    wait = (row.due_at - NOW).total_seconds()
    assert least <= wait <= max(least, 5)


async def test_a_receiver_that_does_not_answer_or_is_not_there_is_a_failure(world):
    await world.order()
    world.receiver.answer = lambda _: asyncio.sleep(5, 200)
    await (await world.dispatcher(seconds=0.2)).turn()
    assert (await world.waiting())[0].last_failure == "TimeoutError"
    world.now += timedelta(minutes=1)
    await (await world.dispatcher(url="http://127.0.0.1:1/hook")).turn()
    assert (await world.waiting())[0].last_failure == "ClientConnectorError"


async def test_several_dispatchers_deliver_everything_and_each_key_in_order(world, tmp_path):
    for _ in range(4):
        first = world.orders + 1
        await world.order()
        for _more in range(5):
            await world.order(original=f"n-{first}")
    seeds = random.Random(9)

    async def answer(_):
        await asyncio.sleep(seeds.random() / 100)
        return 500 if seeds.random() < 0.2 else 200

    world.receiver.answer = answer
    others = [await open_storage(tmp_path / "depot.db") for _ in range(2)]
    dispatchers = [
        await world.dispatcher(f"owner {n}", storage=storage, attempts=99)
        for n, storage in enumerate([world.storage, *others])
    ]
    for _ in range(40):
        await asyncio.gather(*(dispatcher.turn() for dispatcher in dispatchers))
        world.now += timedelta(hours=7)
    assert await world.waiting() == ()
    by_key = {}
    for message in world.receiver.arrived:
        by_key.setdefault(message["key"], []).append(message["number"])
    assert len(by_key) == 4
    for numbers in by_key.values():
        assert numbers == sorted(numbers)
        assert set(numbers) == set(range(1, 7))
    for storage in others:
        await storage.close()


async def test_a_process_killed_after_delivery_delivers_again_under_the_same_id(world, tmp_path):
    world.now = datetime.now(UTC)
    await world.order()
    await world.order(original="n-1")
    hold = asyncio.Event()
    world.receiver.answer = lambda _: held(hold)

    async def held(event):
        await event.wait()
        return 200

    async def process(owner):
        script = Path(__file__).with_name("dispatching_process.py")
        return await asyncio.create_subprocess_exec(
            sys.executable, str(script), str(tmp_path / "depot.db"), world.receiver.url, owner
        )

    killed = await process("first")
    await world.receiver.count(1)
    killed.kill()
    await killed.wait()
    hold.set()
    assert len(await world.waiting()) == 2
    second = await process("second")
    try:
        await world.receiver.count(3)
        async with asyncio.timeout(20):
            while await world.waiting():  # noqa: ASYNC110  another process changes it
                await asyncio.sleep(0.02)
    finally:
        second.kill()
        await second.wait()
    ids = [message["id"] for message in world.receiver.arrived]
    assert ids[0] == ids[1] != ids[2]
    assert [message["number"] for message in world.receiver.arrived] == [1, 1, 2]


async def test_a_message_whose_content_was_erased_goes_unsent(world):
    await world.order()
    await world.order(original="n-1")
    dispatcher = await world.dispatcher()
    await world.storage.execute(
        ClaimMessages(channel="webhook", owner="one", now=NOW, until=NOW + timedelta(seconds=8), limit=9)
    )
    erasure = Erasure(storage=world.storage, vault=world.vault, clock=world.clock)
    await erasure.erase(await erasure.find(order_number="n-1"))
    world.now += timedelta(seconds=8)
    await dispatcher.turn()
    assert [message["data"]["orderNumber"] for message in world.receiver.arrived] == ["n-2"]
    assert await world.waiting() == ()
    assert [event["event"] for event in world.events()] == ["outbox_erased", "outbox_delivered"]


async def test_a_process_that_was_stopped_until_its_claim_had_run_out_does_not_deliver(world):
    await world.order()
    dispatcher = await world.dispatcher(seconds=2.0)
    (claimed,) = await world.storage.execute(
        ClaimMessages(channel="webhook", owner="one", now=NOW, until=NOW + timedelta(seconds=8), limit=9)
    )
    world.now += timedelta(seconds=7)
    await dispatcher._deliver(claimed)
    assert world.receiver.arrived == []


@given(attempts=st.integers(1, 200), part=st.floats(0, 1))
def test_the_wait_doubles_up_to_its_limit_and_at_least_half_of_it_is_kept(attempts, part):
    backoff = Backoff(attempts=20, random=lambda: part)
    wait = backoff.wait(attempts)
    limit = min(timedelta(hours=6), timedelta(seconds=5) * 2 ** min(attempts - 1, 20))
    assert limit / 2 <= wait <= limit


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_!", SECRET, "whsec_" + base64.b64encode(b"short").decode(), "é"])
def test_a_secret_in_another_form_is_refused(tmp_path, text):
    path = tmp_path / "secret"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(SettingsError, match="webhook_secret_file"):
        read_webhook_secret(path)


def test_a_secret_is_read_and_one_that_others_can_read_is_refused(tmp_path):
    path = tmp_path / "secret"
    path.write_text(SECRET_TEXT)
    path.chmod(0o600)
    assert read_webhook_secret(path) == bytes(range(32))
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        read_webhook_secret(path)
    with pytest.raises(SettingsError, match="cannot read"):
        read_webhook_secret(tmp_path / "none")
