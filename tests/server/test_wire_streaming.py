"""GetLicenseUpdates over TCP: files as they become durable, faults before the first byte, cuts after it, resumption."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from test_wire_zeep import client
from wire import FIRM_CODE, Server, Start, envelope, order

from containers import Container
from licensing.pushing import Pushing
from licensing.rights import BULK
from opendepot import ApiKey, DepotClient, faults
from server.cli.initialise import CONFIG
from server.core import opened_core
from server.settings import load_settings
from soap import Version
from soap.messages import depot as messages
from storage.errors import StorageUnavailable

NAMESPACE = "urn:opendepot:depot:1"
CUSTOMER = "<customer><name>Somebody</name><customerNumber>C-7</customerNumber></customer>"


def request(inner: str, *, version: Version = Version.SOAP11) -> bytes:
    return envelope(f'<GetLicenseUpdates xmlns="{NAMESPACE}">{inner}</GetLicenseUpdates>', version=version)


async def placed(server: Server, count: int) -> tuple[str, dict[str, Container]]:
    """Order pieces and ask for them with one container each, which then forget what they were answered."""
    answered = await server.post("sales", envelope(order(quantity=count, extra=CUSTOMER)))
    ticket = str(answered.payload.findtext(".//{*}ticket"))
    (license_id,) = [str(node.text) for node in answered.payload.iterfind(".//{*}licenseId")]
    made: dict[str, Container] = {}
    async with DepotClient(server.url) as depot:
        for number in range(count):
            container = server.container(f"c{number}.json")
            target = messages.LicenseTarget(license_id=license_id, target=messages.TargetQuantity(quantity=1))
            await depot.get_license_update(
                messages.GetLicenseUpdateRequest(ticket=ticket, license=(target,), context=container.context(FIRM_CODE))
            )
            made[container.serial] = container
    return ticket, made


async def with_right(server: Server) -> None:
    async with opened_core(load_settings(server.folder / CONFIG)) as core:
        await core.catalogue.set_rights(server.extra["shop"], (BULK,))
    async with DepotClient(server.url, credential=ApiKey(key=server.api_key)) as shop:
        for _ in range(200):  # another process has changed it, which is noticed at the next look
            try:
                await taken(shop.get_license_updates(firm_code=404))
            except faults.RightMissing:
                await asyncio.sleep(0.05)
            else:
                return
    raise AssertionError("the right was never noticed")


async def taken(updates: AsyncIterator[messages.ContainerUpdate]) -> list[messages.ContainerUpdate]:
    return [update async for update in updates]


async def test_every_file_arrives_once_and_can_be_imported_by_ticket_customer_and_firm_code(server: Server) -> None:
    ticket, made = await placed(server, 23)
    await with_right(server)
    async with (
        DepotClient(server.url) as anybody,
        DepotClient(server.url, credential=ApiKey(key=server.api_key)) as shop,
    ):
        by_ticket = await taken(anybody.get_license_updates(ticket=ticket))
        assert sorted(made) == [update.serial for update in by_ticket], "each once, in the order of serials"
        assert {update.state for update in by_ticket} == {"Done"}
        assert by_ticket == await taken(shop.get_license_updates(customer_number="C-7"))
        assert by_ticket == await taken(shop.get_license_updates(firm_code=FIRM_CODE))
        assert await taken(shop.get_license_updates(customer_number="C-8")) == []
        for update in by_ticket:
            assert update.update is not None
            imported = made[update.serial].import_update(update.update)
            assert imported.applied == 1
            assert (await anybody.confirm_license_update(imported.receipt)).state == "Confirmed"
        assert await taken(anybody.get_license_updates(ticket=ticket)) == [], "what is confirmed does not come again"


async def test_the_program_of_the_how_to_fetches_every_file_and_goes_on_where_it_stopped(
    server: Server, tmp_path: Path
) -> None:
    ticket, made = await placed(server, 5)
    page = Path(__file__).parents[2] / "docs/how-to/deliver-to-many-containers.md"
    program = page.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    for written, here in (
        ("https://licences.example.com", server.url),
        ('"od_..."', repr(server.api_key)),
        ("firm_code=6000010", f"ticket={ticket!r}"),
        ('"updates"', repr(str(tmp_path / "updates"))),
    ):
        assert written in program
        program = program.replace(written, here)
    await asyncio.to_thread(exec, program, {})
    assert {path.name for path in (tmp_path / "updates").iterdir()} == {f"{serial}.rau.xml" for serial in made}
    for serial, container in made.items():
        assert container.import_update((tmp_path / "updates" / f"{serial}.rau.xml").read_bytes()).applied

    stopped = sorted(made)[2]
    for path in (tmp_path / "updates").iterdir():
        path.unlink()
    (tmp_path / "updates" / "position").write_text(f"{stopped}/{FIRM_CODE}")
    await asyncio.to_thread(exec, program, {})
    assert {path.name for path in (tmp_path / "updates").iterdir()} == {
        f"{serial}.rau.xml" for serial in made if serial > stopped
    }


@pytest.mark.parametrize("version", ["11", "12"])
async def test_zeep_reads_the_streamed_answer_as_one(server: Server, version: str) -> None:
    ticket, made = await placed(server, 3)
    found = await asyncio.to_thread(
        lambda: client(server, "depot", version).GetLicenseUpdates(ticket=ticket, limit={"updates": 2})
    )
    assert [update.serial for update in found.update] == sorted(made)[:2]
    assert found.hasMore
    rest = await asyncio.to_thread(
        lambda: client(server, "depot", version).GetLicenseUpdates(ticket=ticket, after=found.update[-1].position)
    )
    assert [update.serial for update in rest.update] == sorted(made)[2:]
    assert not rest.hasMore


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        ("", "SelectionRequired"),
        ("<ticket>{ticket}</ticket><customerNumber>C</customerNumber>", "SelectionRequired"),
        ("<ticket>AAAAA-AAAAA-AAAAA-AAAAA-AAAAA</ticket>", "TicketUnknown"),
        ("<ticket>{ticket}</ticket><after>nowhere</after>", "PositionInvalid"),
        ("<customerNumber>C-7</customerNumber>", "NotIdentified"),
        ("<firm><firmCode>6000010</firmCode></firm>", "NotIdentified"),
    ],
)
async def test_what_is_wrong_before_the_first_byte_is_a_fault(server: Server, inner: str, code: str) -> None:
    ticket, _ = await placed(server, 1)
    refused = await server.post("depot", request(inner.replace("{ticket}", ticket)))
    assert refused.fault()["code"] == code


async def test_only_the_right_bulk_chooses_by_customer_and_firm_code(server: Server) -> None:
    await placed(server, 1)
    async with DepotClient(server.url, credential=ApiKey(key=server.api_key)) as shop:
        for choice in ({"customer_number": "C-7"}, {"firm_code": FIRM_CODE}):
            with pytest.raises(faults.RightMissing):
                await taken(shop.get_license_updates(**choice))
    async with DepotClient(server.url, credential=ApiKey(key="od_wrong")) as nobody:
        with pytest.raises(faults.NotIdentified):
            await taken(nobody.get_license_updates(firm_code=FIRM_CODE))


def failing_at(monkeypatch: pytest.MonkeyPatch, serial: str, times: int, error: Exception) -> None:
    """Let the push of one container fail some times, as when the database goes away in between."""
    push: Callable[..., Any] = Pushing.push
    left = [times]

    async def pushed(self: Pushing, at: str, firm_code: int) -> Any:
        if at == serial and left[0]:
            left[0] -= 1
            raise error
        return await push(self, at, firm_code)

    monkeypatch.setattr(Pushing, "push", pushed)


async def test_a_failure_at_the_first_file_is_a_fault(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket, made = await placed(server, 2)
    failing_at(monkeypatch, min(made), 99, StorageUnavailable("away"))
    refused = await server.post("depot", request(f"<ticket>{ticket}</ticket>"))
    assert (refused.status, refused.fault()["code"]) == (500, "StorageUnavailable")


@pytest.mark.parametrize("error", [StorageUnavailable("away"), RuntimeError("a bug")])
async def test_a_failure_after_the_first_byte_cuts_the_connection_and_the_client_goes_on_behind_it(
    server: Server, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    ticket, made = await placed(server, 9)
    failing_at(monkeypatch, sorted(made)[6], 1, error)
    async with DepotClient(server.url, pause_seconds=0.01) as depot:
        found = await taken(depot.get_license_updates(ticket=ticket))
    assert [update.serial for update in found] == sorted(made), "every transfer arrives once"
    events = server.events()
    (cut,) = [event for event in events if event["event"] == "stream_cut"]
    exchanged = [event for event in events if event["event"] == "exchange" and event["reference"] == cut["reference"]]
    assert [event["outcome"] for event in exchanged] == ["aborted"], "an abort, and no fault"
    assert ("internal_error" in {event["event"] for event in events}) is isinstance(error, RuntimeError)


async def test_a_cut_is_never_taken_for_an_end(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket, made = await placed(server, 9)
    failing_at(monkeypatch, sorted(made)[6], 1, StorageUnavailable("away"))
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    body = request(f"<ticket>{ticket}</ticket>")
    head = f"POST /v1/depot HTTP/1.0\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_a_reader_that_vanishes_leaves_the_state_right(server: Server) -> None:
    ticket, made = await placed(server, 9)
    async with DepotClient(server.url) as depot:
        following = depot.get_license_updates(ticket=ticket)
        first = await anext(following)
        await following.aclose()
        rest = await taken(depot.get_license_updates(ticket=ticket, after=first.position))
        assert [first.serial, *(update.serial for update in rest)] == sorted(made)
        for update in [first, *rest]:
            assert update.update is not None
            receipt = made[update.serial].import_update(update.update).receipt
            assert (await depot.confirm_license_update(receipt)).state == "Confirmed"


async def test_a_server_that_stops_ends_the_answer_whole_and_says_that_there_is_more(start: Start) -> None:
    server = await start()
    ticket, made = await placed(server, 40)
    async with DepotClient(server.url) as depot:
        following = depot.stream(
            "GetLicenseUpdates", messages.GetLicenseUpdatesRequest(ticket=ticket), at_end=(rests := []).append
        )
        found = [await anext(following)]
        server.up.application.stop_waiting()
        found += [update async for update in following]
    assert rests[0].updates.has_more
    assert [update.serial for update in found] == sorted(made)[: len(found)]


async def with_large_files(server: Server, count: int) -> None:
    """Let so many containers of the customer wait for a file of half a MiB each, which no socket takes in whole."""
    async with opened_core(load_settings(server.folder / CONFIG)) as core:
        data = {"hidden": {number: bytes(256) for number in range(128)}}
        await core.catalogue.add_item(item_number="LARGE", firm_code=FIRM_CODE, product_code=7, data=data)
    line = "<orderLine><itemNumber>LARGE</itemNumber><quantity>1</quantity></orderLine>"
    async with DepotClient(server.url) as depot:
        for number in range(count):
            body = order(f"t-{number}", item="LARGE", extra=CUSTOMER).replace(line, line * 8)
            ticket = str((await server.post("sales", envelope(body))).payload.findtext(".//{*}ticket"))
            context = server.container(f"c{number}.json").context(FIRM_CODE)
            await depot.get_license_update(messages.GetLicenseUpdateRequest(ticket=ticket, context=context))


@pytest.mark.slow
async def test_a_reader_that_stalls_is_waited_for_and_one_that_vanishes_leaves_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    containers = 16
    await with_large_files(server, containers)
    await with_right(server)
    push: Callable[..., Any] = Pushing.push
    pushed: list[str] = []

    async def counted(self: Pushing, serial: str, firm_code: int) -> Any:
        pushed.append(serial)
        return await push(self, serial, firm_code)

    monkeypatch.setattr(Pushing, "push", counted)
    taking = socket.socket()
    taking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    taking.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
    body = request("<customerNumber>C-7</customerNumber>")
    head = f"Host: localhost\r\nContent-Type: text/xml\r\nAuthorization: Bearer {server.api_key}\r\n"
    taking.sendall(f"POST /v1/depot HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    seen, since = 0, 0
    while not seen or since < 20:
        await asyncio.sleep(0.02)
        seen, since = len(pushed), since + 1 if seen == len(pushed) else 0
    assert seen < containers, "no more is made than the network takes, and what comes next"

    async with DepotClient(server.url, credential=ApiKey(key=server.api_key)) as depot:
        (first,) = await taken(depot.get_license_updates(customer_number="C-7", limit=1))
        metrics = server.up.application.metrics
        assert metrics.in_flight >= 1, "the one that stalls"
        taking.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        taking.close()
        for _ in range(1000):
            if not metrics.in_flight:
                break
            await asyncio.sleep(0.01)
        assert not metrics.in_flight
        found = await taken(depot.get_license_updates(customer_number="C-7"))
    assert len({update.serial for update in found}) == len(found) == containers
    assert found[0] == first
    assert len(pushed) <= seen + 2 + containers, "whoever is gone has no more made for"
