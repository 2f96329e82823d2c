"""Webhooks of a real server, and the verbs with which an operator looks after them."""

import asyncio
import json
import sqlite3
from contextlib import closing

import pytest
from typer.testing import CliRunner
from webhook_receiver import SECRET_TEXT, Receiver, started
from wire import envelope, order

from licensing.errors import MessageUnknown
from opendepot import DepotClient, SalesClient
from server.cli.initialise import CONFIG
from server.cli.main import app
from server.errors import SettingsError
from server.settings import load_settings
from soap.messages import sales


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
async def receiver():
    made = Receiver()
    runner = await started(made)
    yield made
    await runner.cleanup()


@pytest.fixture
def secret(folder):
    path = folder / "secrets" / "webhook"
    path.write_text(SECRET_TEXT)
    path.chmod(0o600)
    return path


async def ordered(server, transaction_id="t-1"):
    answer = await server.post("sales", envelope(order(transaction_id, quantity=2)))
    assert answer.status == 200
    return {child.tag.rpartition("}")[2]: child.text for child in answer.payload[0]}


async def test_an_order_and_its_collection_are_told_in_this_order(start, receiver, secret):
    server = await start(webhook_url=receiver.url, webhook_secret_file=secret)
    receipt = await ordered(server)
    await receiver.count(1)
    container = server.container()
    async with DepotClient(server.url) as licensee:
        await licensee.collect(receipt["ticket"], container)
    await receiver.count(2)
    placed, collected = receiver.arrived
    assert (placed["type"], collected["type"]) == ("order.placed", "license.collected")
    assert (placed["number"], collected["number"]) == (1, 2)
    assert placed["key"] == collected["key"]
    assert placed["data"]["orderId"] == receipt["orderId"]
    assert collected["data"]["serial"] == container.serial
    assert [line["quantity"] for line in collected["data"]["licenses"]] == [2]
    assert receipt["ticket"] not in json.dumps(receiver.arrived)
    assert receipt["ticket"] not in server.log.getvalue()


async def test_vendor_actions_and_orders_in_a_batch_are_told(start, receiver, secret):
    server = await start(webhook_url=receiver.url, webhook_secret_file=secret)
    line = sales.OrderLine(item_number="EDITOR", quantity=2)
    orders = tuple(sales.CreateOrderRequest(transaction_id=f"b-{n}", order_line=(line,)) for n in range(2))
    async with SalesClient(server.url, api_key=server.api_key) as shop:
        made = await shop.call("CreateOrders", sales.CreateOrdersRequest(order=orders))
        first, second = (result.order for result in made.batch.result)
        license_id = first.license[0].license_id
        for name, request in (
            ("ReplaceLicense", sales.ReplaceLicenseRequest),
            ("WithdrawLicense", sales.WithdrawLicenseRequest),
        ):
            more = {"item_number": "EDITOR"} if name == "ReplaceLicense" else {"pieces": sales.Pieces(quantity=1)}
            await shop.call(name, request(transaction_id="v", license_id=license_id, reason="no name here", **more))
        cancel = sales.CancelOrderRequest(transaction_id="v", order_id=second.order_id, reason="no name here")
        await shop.call("CancelOrder", cancel)
    await receiver.count(5)
    told = {message["type"]: message["data"] for message in receiver.arrived}
    kinds = sorted(message["type"] for message in receiver.arrived)
    assert kinds == ["license.replaced", "license.withdrawn", "order.cancelled", "order.placed", "order.placed"]
    assert told["license.withdrawn"]["licenses"] == [
        {"licenseId": license_id, "itemNumber": "EDITOR", "quantity": 1, "withdrawn": False}
    ]
    assert told["order.cancelled"]["orderId"] == second.order_id
    assert [x["withdrawn"] for x in told["order.cancelled"]["licenses"]] == [True]
    assert "no name here" not in json.dumps(receiver.arrived)


async def test_only_what_was_asked_for_is_told(start, receiver, secret):
    server = await start(webhook_url=receiver.url, webhook_secret_file=secret, webhook_events=("license.collected",))
    receipt = await ordered(server)
    async with DepotClient(server.url) as licensee:
        await licensee.collect(receipt["ticket"], server.container())
    await receiver.count(1)
    assert [message["type"] for message in receiver.arrived] == ["license.collected"]


async def test_without_a_subscription_nothing_is_written(server):
    await ordered(server)
    with closing(sqlite3.connect(server.folder / "opendepot.sqlite3")) as db:
        assert db.execute("SELECT count(*) FROM outbox").fetchone() == (0,)


async def test_an_operator_lists_retries_and_drops_what_was_given_up(start, receiver, secret):
    receiver.answer = lambda _: 410
    server = await start(webhook_url=receiver.url, webhook_secret_file=secret)
    config = ("--config", server.folder / CONFIG)
    for number in (1, 2):
        await ordered(server, f"t-{number}")
    await receiver.count(2)

    async def dead():
        listed = await asyncio.to_thread(run, "outbox", "list", "--dead", "--json", *config)
        assert listed.exit_code == 0, listed.output
        return json.loads(listed.output)

    async with asyncio.timeout(20):
        while len(await dead()) < 2:  # noqa: ASYNC110  the server changes it
            await asyncio.sleep(0.05)
    first, second = await dead()
    assert (first["last_failure"], first["state"]) == ("HTTP 410", "dead")
    assert "sealed" not in json.dumps(first)
    dropped = await asyncio.to_thread(run, "outbox", "drop", first["message_id"], "--yes", *config)
    assert dropped.output == "dropped\n"
    receiver.answer = lambda _: 200
    retried = await asyncio.to_thread(run, "outbox", "retry", second["message_id"], *config)
    assert retried.output == "1 to be tried again\n"
    await receiver.count(3)
    assert receiver.arrived[-1]["id"] == second["message_id"]
    again = await asyncio.to_thread(run, "outbox", "retry", first["message_id"], *config)
    assert isinstance(again.exception, MessageUnknown)
    everything = await asyncio.to_thread(run, "outbox", "retry", "--all", *config)
    assert everything.output == "0 to be tried again\n"
    assert (await asyncio.to_thread(run, "outbox", "retry", *config)).exit_code == 2
    assert (await asyncio.to_thread(run, "outbox", "list", *config)).output == ""
    gone = await asyncio.to_thread(run, "outbox", "drop", first["message_id"], "--yes", *config)
    assert isinstance(gone.exception, MessageUnknown)
    actions = await asyncio.to_thread(run, "audit", "list", "--json", *config)
    assert {"DropMessage", "RetryMessages"} <= {row["action"] for row in json.loads(actions.output)}


@pytest.mark.parametrize(
    "settings",
    [
        {"webhook_url": "https://erp.example.com/"},
        {"webhook_secret_file": "secret"},
        {"webhook_url": "ftp://erp.example.com/", "webhook_secret_file": "secret"},
        {"webhook_url": "https://erp.example.com/?token=1", "webhook_secret_file": "secret"},
        {"webhook_url": "https://user:password@erp.example.com/", "webhook_secret_file": "secret"},
        {"webhook_url": "https://erp.example.com/", "webhook_secret_file": "secret", "webhook_events": ("other",)},
    ],
)
def test_a_webhook_that_is_not_whole_is_refused(folder, settings):
    with pytest.raises(SettingsError, match="webhook"):
        load_settings(folder / CONFIG, **settings)
