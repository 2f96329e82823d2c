"""The client on real connections: what it repeats and what not, how many connections it needs, proxies, time-outs."""

import asyncio
from typing import Any

import pytest
from aiohttp import web
from client_world import Front, World, no_pause, request
from tcp_relay import Relay, place_of, relaying

from opendepot import AnswerInvalid, DepotClient, EnvelopeHook, SalesClient, ServiceUnreachable, faults
from opendepot.service import Exchanged
from server.faults import CATALOGUE
from soap import Fault, Version
from soap.faults import render_fault
from soap.messages import sales


def fault(code: str) -> web.Response:
    """A fault of Sales with this code, as the server writes it."""
    kind = CATALOGUE[code]
    made = Fault(kind=kind, code=code, message="for a test", reference="0" * 16)
    body = render_fault(made, version=Version.SOAP12, namespace="urn:opendepot:sales:1")
    return web.Response(status=500, body=body, headers={"Content-Type": Version.SOAP12.content_type})


async def test_later_is_asked_for_again_with_the_same_message_and_never_is_not(
    world: World, front: tuple[str, Front]
) -> None:
    url, between = front
    async with world.shop(url, sleep=no_pause) as shop:
        between.instead = [fault("StorageBusy"), fault("StorageBusy")]
        receipt = await shop.create_order(request("t", ("A", 1)))
        assert between.passed == 1
        assert len(set(between.seen)) == 1
        assert (await shop.get_order(sales.GetOrderRequest(order_id=receipt.order_id))).order_id == receipt.order_id
        between.instead, between.seen = [fault("ItemUnknown"), fault("StorageBusy")], []
        with pytest.raises(faults.ItemUnknown):
            await shop.list_items()
        assert len(between.seen) == 1
    between.instead = [fault("StorageBusy") for _ in range(3)]
    async with world.shop(url, attempts=3, sleep=no_pause) as shop:
        with pytest.raises(faults.StorageBusy, match="for a test") as given_up:
            await shop.list_items()
    assert isinstance(given_up.value, faults.ServerFault)
    assert given_up.value.retry
    assert not between.instead


async def test_what_is_not_known_to_be_safe_is_sent_once(world: World, front: tuple[str, Front]) -> None:
    url, between = front
    async with world.shop(url, sleep=no_pause) as shop:
        shop._repeatable = frozenset()  # as it would be for an operation that the client does not know
        between.lose = 1
        with pytest.raises(ServiceUnreachable, match="ServerDisconnected"):
            await shop.list_items()
        assert len(between.seen) == 1
        between.instead = [fault("StorageBusy")]
        with pytest.raises(faults.StorageBusy):
            await shop.list_items()


async def test_calls_share_connections_and_no_more_are_open_than_was_allowed(world: World) -> None:
    async with relaying(Relay(place_of(world.up.url))) as relay, world.shop(relay.url) as shop:
        for _ in range(10):
            await shop.list_items()
        assert relay.connections == 1
    async with (
        relaying(Relay(place_of(world.up.url))) as relay,
        world.shop(relay.url, connections=2) as shop,
    ):
        await asyncio.gather(*(shop.list_items() for _ in range(20)))
        assert (relay.connections, relay.most) == (2, 2)


async def test_a_connection_that_was_closed_meanwhile_is_made_anew(world: World) -> None:
    async with (
        relaying(Relay(place_of(world.up.url))) as relay,
        world.shop(relay.url, sleep=no_pause) as shop,
    ):
        for turn in range(10):
            assert len(await shop.list_items()) == 2
            relay.cut()
            # Now and then the client has seen it before it sends, now and then not.
            for _ in range(turn % 4):
                await asyncio.sleep(0)
        assert relay.connections >= 10


async def test_plain_http_goes_through_a_proxy_by_the_whole_url(world: World) -> None:
    host, port = place_of(world.up.url)
    async with relaying(Relay()) as proxy:
        async with world.shop(proxy=proxy.url) as shop:
            assert len(await shop.list_items()) == 2
        assert proxy.asked == [f"POST http://{host}:{port}/v1/sales"]
        gone = proxy.url
    async with world.shop(proxy=gone, attempts=1) as shop:
        with pytest.raises(ServiceUnreachable, match="Cannot connect to host"):
            await shop.list_items()


async def test_a_server_that_says_nothing_is_given_up_in_time(world: World) -> None:
    held = asyncio.Event()

    async def mute(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await held.wait()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    async with DepotClient(url, timeout_seconds=0.05, attempts=4, pause_seconds=0.5, sleep=pause) as client:
        with pytest.raises(ServiceUnreachable, match="TimeoutError"):
            await client.get_ticket("7K3QD-0WXYZ-4M8RT-VBN2C-5HJ6P")
    assert pauses == [0.5, 1.0, 2.0]
    held.set()
    server.close()
    await server.wait_closed()


async def test_a_hook_puts_a_header_block_in_and_every_exchange_is_shown(world: World) -> None:
    shown: list[Exchanged] = []
    block = (
        b'<soap:Header><a:MessageID xmlns:a="http://www.w3.org/2005/08/addressing">urn:uuid:7</a:MessageID>'
        b'<a:Action xmlns:a="http://www.w3.org/2005/08/addressing">urn:opendepot:depot:1/GetTicket</a:Action>'
        b"</soap:Header>"
    )
    hook = EnvelopeHook(secured=lambda message: message.replace(b"<soap:Body>", block + b"<soap:Body>", 1))
    async with DepotClient(world.up.url, credential=hook, on_exchange=shown.append) as client:
        with pytest.raises(faults.TicketUnknown):
            await client.get_ticket("AAAAA-AAAAA-AAAAA-AAAAA-AAAAA")
    (one,) = shown
    assert (one.operation, one.address) == ("GetTicket", world.up.url + "/v1/depot")
    assert block in one.request
    assert b"RelatesTo" in one.answer
    assert one.status >= 400


async def test_a_redirect_is_no_answer_and_takes_no_credential_along(world: World, front: tuple[str, Front]) -> None:
    url, between = front
    elsewhere: list[Any] = []

    async def taken(incoming: web.Request) -> web.Response:
        elsewhere.append(incoming.headers)
        return web.Response()

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", taken)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    target = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/sales"
    between.instead = [web.Response(status=status, headers={"Location": target}) for status in (302, 307, 308)]
    async with world.shop(url) as shop:
        for _ in range(3):
            with pytest.raises(AnswerInvalid):
                await shop.list_items()
    assert elsewhere == []
    await runner.cleanup()


async def test_each_fault_of_the_table_is_an_exception_of_its_own(world: World, front: tuple[str, Front]) -> None:
    url, between = front
    async with SalesClient(url, attempts=1) as shop:
        for code, kind in CATALOGUE.items():
            between.instead = [fault(code)]
            with pytest.raises(getattr(faults, code)) as raised:
                await shop.list_items()
            assert (raised.value.code, raised.value.retry) == (code, kind.retry)
            assert isinstance(raised.value, getattr(faults, kind.element))
