"""Erasing a customer on a real server: the transactionId answers Erased, licences work, the chain is whole."""

import asyncio
import io
import json
from datetime import timedelta

import pytest
from typer.testing import CliRunner
from wire import envelope, order

from licensing.erasure import Erasure
from licensing.errors import CustomerUnknown
from observe import EventLog, LogFormat, Metrics
from opendepot import DepotClient
from server.cli.initialise import CONFIG
from server.cli.main import app
from server.core import opened_core, utc_now
from server.housekeeping import Sweeping
from server.settings import load_settings

PERSON = ("Quirina Zappelhuber", "quirina@zappel.example", "Zappel and Daughters")


def run(*arguments, text=None):
    return CliRunner().invoke(app, list(map(str, arguments)), input=text)


def customer(name=PERSON[0], mail=PERSON[1], company=PERSON[2]):
    return f"<customer><name>{name}</name><company>{company}</company><email>{mail}</email></customer>"


async def ordered(server, transaction_id, **person):
    body = order(transaction_id, extra=f"<orderNumber>n-{transaction_id}</orderNumber>{customer(**person)}")
    answer = await server.post("sales", envelope(body))
    return answer, body


def receipt(answer):
    assert answer.status == 200, answer.body
    return {child.tag.rpartition("}")[2]: child.text for child in answer.payload[0]}


async def test_a_customer_is_erased_and_the_licences_work_on(server):
    config = ("--config", server.folder / CONFIG)
    first, body = await ordered(server, "t-1")
    second, _ = await ordered(server, "t-2", name="Somebody Else", mail="else@else.example", company="Else")
    done = await asyncio.to_thread(
        run, "customer", "erase", "--customer", "--yes", "--json", *config, text="QUIRINA@zappel.example\n"
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout[done.stdout.index("{") :]) == {"erased": 1, "erased_before": 0}
    again = await server.post("sales", envelope(body))
    assert (again.fault()["code"], again.fault()["retry"]) == ("Erased", "Never")
    other = await server.post("sales", envelope(body.replace("EDITOR", "PLUGIN")))
    assert other.fault()["code"] == "Erased"
    async with DepotClient(server.url) as licensee:
        (collected,) = await licensee.collect(receipt(first)["ticket"], server.container())
    assert [entry.quantity for entry in collected.listing] == [1]
    assert receipt(second)["orderId"]
    verified = await asyncio.to_thread(run, "audit", "verify", *config)
    assert verified.exit_code == 0, verified.output
    once_more = await asyncio.to_thread(run, "customer", "erase", "--order-number", "n-t-1", "--yes", *config)
    assert "0 orders; of 1 it was erased before" in once_more.output
    for text in PERSON:
        assert text not in server.log.getvalue()
        assert text not in done.output.replace("QUIRINA", "")


async def test_orders_are_erased_by_id_after_a_question(server):
    config = ("--config", server.folder / CONFIG)
    answer, _ = await ordered(server, "t-1")
    name = receipt(answer)["orderId"]
    asked = await asyncio.to_thread(run, "customer", "erase", "--order-id", name, *config, text="n\n")
    assert asked.exit_code == 1
    assert name in asked.output
    done = await asyncio.to_thread(run, "customer", "erase", "--order-id", name, "--compact", "--yes", *config)
    assert "erased the personal data of 1 orders" in done.output
    for wrong in (("--order-id", "none"), ("--order-number", "n-t-1", "--shop", "nobody")):
        refused = await asyncio.to_thread(run, "customer", "erase", *wrong, "--yes", *config)
        assert isinstance(refused.exception, CustomerUnknown)
    unknown = await asyncio.to_thread(run, "customer", "erase", "--customer", "--yes", *config, text="nobody\n")
    assert isinstance(unknown.exception, CustomerUnknown)
    assert (await asyncio.to_thread(run, "customer", "erase", *config)).exit_code == 2


@pytest.mark.parametrize(("days", "erased"), [(1, 2), (2, 0)])
async def test_the_sweep_erases_what_is_old_enough(server, days, erased):
    for number in (1, 2):
        receipt((await ordered(server, f"t-{number}"))[0])
    log = io.StringIO()
    metrics = Metrics(version="1")
    events = EventLog(log, format=LogFormat.JSON, clock=utc_now)
    async with opened_core(load_settings(server.folder / CONFIG)) as core:
        sweeping = Sweeping(core, days=days, events=events, metrics=metrics)
        sweeping._erasure = Erasure(
            storage=core.storage, vault=core.vault, clock=lambda: utc_now() + timedelta(days=1, seconds=1)
        )
        await sweeping.turn()
        assert f"opendepot_orders_erased_total {erased}.0" in metrics.exposition().decode()
        assert log.getvalue().count("personal_data_erased") == bool(erased)
        receipt((await ordered(server, "t-3"))[0])
        await sweeping.turn()
    assert f"opendepot_orders_erased_total {erased and 3}.0" in metrics.exposition().decode()
