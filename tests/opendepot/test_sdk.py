"""The SDK against a real server, and against a front that loses answers on purpose."""

import asyncio
import threading
from typing import Any, NoReturn

import pytest
from client_world import FIRM_CODES, Front, World, no_pause, request

from opendepot import (
    AnswerInvalid,
    BlockingDepotClient,
    DepotClient,
    FaultReceived,
    ServiceUnreachable,
    SupportNeeded,
)
from opendepot.service import Exchanged
from server.cli.initialise import CONFIG
from server.core import opened_core
from server.settings import load_settings
from soap import Version
from soap.messages import depot, sales


@pytest.mark.parametrize("version", list(Version))
async def test_orders_and_collects_licences_of_two_firm_codes(world: World, version: Version) -> None:
    async with world.shop(version=version) as shop, DepotClient(world.up.url + "/v1/depot", version=version) as client:
        assert [item.item_number for item in await shop.list_items()] == ["A", "B"]
        receipt = await shop.create_order(request("t", ("A", 2), ("B", 1)))
        container = world.container()
        collected = await client.collect(receipt.ticket, container, user="staff 7")
        assert [(c.firm_code, c.confirmed, c.applied) for c in collected] == [(code, True, 1) for code in FIRM_CODES]
        again = await client.collect(receipt.ticket, container)
        assert [(c.applied, c.confirmed) for c in again] == [(0, True), (0, True)]
        order = await shop.get_order(sales.GetOrderRequest(order_id=receipt.order_id))
        assert [x.state for x in order.license] == ["WhollyCollected", "WhollyCollected"]


async def test_some_licences_in_some_quantity(world: World) -> None:
    async with world.shop() as shop, DepotClient(world.up.url) as client:
        receipt = await shop.create_order(request("t", ("A", 3), ("B", 1)))
        container = world.container()
        target = depot.LicenseTarget(license_id=receipt.license[0].license_id, target=depot.TargetQuantity(quantity=2))
        (collected,) = await client.collect(receipt.ticket, container, licenses=[target])
        assert [entry.quantity for entry in collected.listing] == [2]
        with pytest.raises(LookupError, match="get_ticket"):
            await client.collect(receipt.ticket, container, licenses=[depot.LicenseTarget(license_id="none")])


async def test_lost_answers_are_asked_for_again_and_nothing_happens_twice(
    world: World, front: tuple[str, Front]
) -> None:
    url, lossy = front
    async with world.shop(url, sleep=no_pause) as shop, DepotClient(url, sleep=no_pause) as client:
        lossy.lose = 2
        receipt = await shop.create_order(request("t", ("A", 2)))
        assert lossy.passed == 3
        assert (await shop.create_order(request("t", ("A", 2)))) == receipt
        container = world.container()
        overview = await client.get_ticket(receipt.ticket)
        assert len(overview.license) == 1, "one order"
        update = depot.GetLicenseUpdateRequest(ticket=receipt.ticket, context=container.context(FIRM_CODES[0]))
        lossy.lose = 1
        first = await client.get_license_update(update)
        assert await client.get_license_update(update) == first
        imported = container.import_update(first.update or b"")
        lossy.lose = 2
        assert (await client.confirm_license_update(imported.receipt)).state == "Confirmed"
        assert [entry.quantity for entry in container.listing(FIRM_CODES[0])] == [2]


async def test_an_interrupted_collection_is_finished_by_the_next(world: World) -> None:
    async with world.shop() as shop, DepotClient(world.up.url) as client:
        receipt = await shop.create_order(request("t", ("A", 1)))
        container = world.container()
        context = container.context(FIRM_CODES[0])
        await client.get_license_update(depot.GetLicenseUpdateRequest(ticket=receipt.ticket, context=context))
        (collected,) = await client.collect(receipt.ticket, container)
        assert (collected.confirmed, [entry.quantity for entry in collected.listing]) == (True, [1])


async def test_faults_keep_code_reference_and_path(world: World) -> None:
    async with world.shop() as shop:
        with pytest.raises(FaultReceived) as refused:
            await shop.create_order(request("t", ("NONE", 1)))
    assert (refused.value.code, refused.value.path) == ("ItemUnknown", "orderLine[1]/itemNumber")
    assert refused.value.reference
    assert not refused.value.retry


async def test_no_answer_at_all_is_said_after_all_attempts() -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    async with DepotClient("http://127.0.0.1:9", attempts=3, sleep=pause) as client:
        with pytest.raises(ServiceUnreachable, match=r"no answer from http://127.0.0.1:9/v1/depot"):
            await client.get_ticket("x")
    assert pauses == [0.2, 0.4]


async def test_a_client_outside_its_context_is_told_how_to_use_it() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await DepotClient("http://127.0.0.1:9").get_ticket("x")


class Scripted(DepotClient):
    """A client whose service says what a test wants it to say."""

    states: tuple[str, ...] = ()

    async def get_ticket(self, *_tickets: str) -> depot.TicketOverview:
        return depot.TicketOverview(
            state="NotCollected",
            license=(
                depot.TicketLicense(
                    license_id="l",
                    item_number="A",
                    firm_code=FIRM_CODES[0],
                    product_code=1,
                    quantity=1,
                    state="NotCollected",
                    collected=0,
                    confirmed=0,
                    free=1,
                ),
            ),
        )

    async def get_license_update(self, request: depot.GetLicenseUpdateRequest) -> depot.UpdateResult:
        state, *rest = self.states
        self.states = tuple(rest)
        return depot.UpdateResult(state=state)


async def test_a_server_that_asks_for_new_exports_gets_them_but_not_for_ever(world: World) -> None:
    client = Scripted("http://127.0.0.1:9")
    client.states = ("ExportAgain", "ExportAgain", "NothingNew")
    (collected,) = await client.collect("t", world.container())
    assert (collected.applied, collected.confirmed) == (0, True)
    client.states = ("ExportAgain",) * 9
    with pytest.raises(SupportNeeded, match="5 times"):
        await client.collect("t", world.container("d.json"))
    client.states = ("Marked",)
    with pytest.raises(SupportNeeded, match="Marked"):
        await client.collect("t", world.container("e.json"))


async def test_every_exchange_can_be_looked_at(world: World) -> None:
    seen: list[Exchanged] = []
    async with world.shop(on_exchange=seen.append) as shop:
        await shop.create_order(request("t", ("A", 1)))
    (exchanged,) = seen
    assert (exchanged.operation, exchanged.status) == ("CreateOrder", 200)
    assert b"CreateOrderResponse" in exchanged.answer


async def test_an_answer_that_is_no_soap_is_said_to_be_invalid(world: World) -> None:
    async with DepotClient(world.up.admin_url) as client:
        with pytest.raises(AnswerInvalid):
            await client.get_ticket("x")


async def test_retryable_faults_are_sent_again(world: World) -> None:
    client = world.shop(attempts=2, sleep=no_pause)
    fault = FaultReceived(code="StorageBusy", message="m", reference="r", retry=True, path=None)
    calls = 0

    def posted(_request: object, _timeout: object) -> NoReturn:
        nonlocal calls
        calls += 1
        raise fault

    client._posted = posted  # type: ignore[method-assign]  # stands for a server that is busy
    with pytest.raises(FaultReceived):
        await client.list_items()
    assert calls == 2


async def test_the_blocking_client_collects_without_a_loop(world: World) -> None:
    async with world.shop() as shop:
        receipt = await shop.create_order(request("t", ("A", 1)))
    found: list[Any] = []

    def run() -> None:
        with BlockingDepotClient(world.up.url) as client:
            found.append(client.get_ticket(receipt.ticket))
            found.append(client.collect(receipt.ticket, world.container()))

    thread = threading.Thread(target=run)
    thread.start()
    await asyncio.to_thread(thread.join)
    assert found[0].license[0].free == 1
    assert found[1][0].confirmed


async def test_pages_of_items_are_followed(world: World) -> None:
    settings = load_settings(world.folder / CONFIG)
    async with opened_core(settings) as core:
        for number in range(205):
            await core.catalogue.add_item(item_number=f"N-{number:03}", firm_code=1, product_code=1)
    async with world.shop() as shop:
        items = [item.item_number for item in await shop.list_items()]
    assert items == ["A", "B", *(f"N-{number:03}" for number in range(205))]
