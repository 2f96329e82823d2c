"""GetLicenseUpdates in MTOM over TCP: the envelope first, each file once beside it, loaded when its turn has come."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from lxml import etree
from test_wire_streaming import NAMESPACE, placed, request, taken
from test_wire_zeep import client
from wire import Server, envelope

from licensing.pushing import Pushing
from opendepot import DepotClient
from soap import Version
from soap.multipart import read_parts
from storage.errors import StorageUnavailable

XOP = "http://www.w3.org/2004/08/xop/include"
WSA = "http://www.w3.org/2005/08/addressing"
MTOM = {"Accept": 'multipart/related; type="application/xop+xml"'}
Read = list[tuple[str | None, str, bytes | None]]


def read(content_type: str, body: bytes) -> tuple[Read, bool]:
    """Give serial, state and file of each update, and whether there is more."""
    boundary = content_type.partition('boundary="')[2].partition('"')[0]
    root, *others = read_parts(body, boundary=boundary)
    assert f'start="<{root.id}>"' in content_type, "the envelope comes first"
    files = {f"cid:{part.id}": part.content for part in others}
    assert len(files) == len(others)
    answer = etree.fromstring(root.content)[-1][0]
    found: Read = []
    for update in answer.iter(f"{{{NAMESPACE}}}update"):
        if update.find(f"{{{NAMESPACE}}}serial") is None:
            continue  # the file of the one before
        include = update.find(f"{{{NAMESPACE}}}update/{{{XOP}}}Include")
        file = None if include is None else files.pop(str(include.get("href")))
        found.append((update.findtext(f"{{{NAMESPACE}}}serial"), str(update.findtext(f"{{{NAMESPACE}}}state")), file))
    assert not files, "each file is named once"
    return found, answer.findtext(f".//{{{NAMESPACE}}}hasMore") == "true"


@pytest.mark.parametrize("version", list(Version), ids=["1.1", "1.2"])
async def test_the_files_come_beside_the_envelope_and_are_those_that_come_inline(
    server: Server, version: Version
) -> None:
    ticket, made = await placed(server, 9)
    answered = await server.post(
        "depot", request(f"<ticket>{ticket}</ticket>", version=version), version=version, headers=MTOM
    )
    found, more = read(answered.headers["Content-Type"], answered.body)
    async with DepotClient(server.url) as depot:
        inline = await taken(depot.get_license_updates(ticket=ticket))
        assert [(update.serial, update.state, update.update) for update in inline] == found
        assert [serial for serial, _, _ in found] == sorted(made)
        assert not more
        for update in inline:
            assert update.update is not None
            await depot.confirm_license_update(made[update.serial].import_update(update.update).receipt)
    nothing = await server.post(
        "depot", request(f"<ticket>{ticket}</ticket>", version=version), version=version, headers=MTOM
    )
    assert read(nothing.headers["Content-Type"], nothing.body) == ([], False)


async def test_zeep_reads_the_files_beside_the_envelope(server: Server) -> None:
    ticket, made = await placed(server, 3)

    def asked() -> Any:
        depot = client(server, "depot", "12")
        depot._client.transport.session.headers.update(MTOM)
        return depot.GetLicenseUpdates(ticket=ticket)

    found = await asyncio.to_thread(asked)
    assert [update.serial for update in found.update] == sorted(made)
    for update in found.update:
        assert made[update.serial].import_update(update.update).applied


async def test_an_answer_names_so_many_files_and_no_more(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soap.segments.MOST_ATTACHED", 4)
    ticket, made = await placed(server, 9)
    after, serials = "", []
    for expected in (4, 4, 1):
        answered = await server.post("depot", request(f"<ticket>{ticket}</ticket>{after}"), headers=MTOM)
        found, more = read(answered.headers["Content-Type"], answered.body)
        assert (len(found), more) == (expected, expected == 4)
        serials += [serial for serial, _, _ in found]
        after = f"<after>{serials[-1]}/6000010</after>"
    assert serials == sorted(made)


async def test_what_fails_before_the_first_byte_is_a_plain_fault_and_after_it_a_cut(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket, made = await placed(server, 3)
    refused = await server.post("depot", request("<ticket>AAAAA-AAAAA-AAAAA-AAAAA-AAAAA</ticket>"), headers=MTOM)
    assert refused.headers["Content-Type"] == Version.SOAP11.content_type
    assert refused.fault()["code"] == "TicketUnknown"

    pushed: Callable[..., Any] = Pushing.pushed

    async def failing(self: Pushing, serial: str, firm_code: int, span: Any) -> Any:
        if serial == max(made):
            raise StorageUnavailable("away")
        return await pushed(self, serial, firm_code, span)

    monkeypatch.setattr(Pushing, "pushed", failing)
    with pytest.raises(aiohttp.ClientPayloadError):
        await server.post("depot", request(f"<ticket>{ticket}</ticket>"), headers=MTOM)
    (cut,) = [event for event in server.events() if event["event"] == "stream_cut"]
    assert cut["code"] == "StorageUnavailable"


@pytest.mark.parametrize("headers", [{}, MTOM], ids=["inline", "MTOM"])
async def test_whoever_wants_no_answer_gets_none_and_nothing_is_made(
    server: Server, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    ticket, _ = await placed(server, 1)
    pushed: list[str] = []
    push: Callable[..., Any] = Pushing.push

    async def counted(self: Pushing, serial: str, firm_code: int) -> Any:
        pushed.append(serial)
        return await push(self, serial, firm_code)

    monkeypatch.setattr(Pushing, "push", counted)
    blocks = (
        f'<w:Action xmlns:w="{WSA}">urn:opendepot:depot:1/GetLicenseUpdates</w:Action>'
        f'<w:MessageID xmlns:w="{WSA}">urn:m</w:MessageID>'
        f'<w:ReplyTo xmlns:w="{WSA}"><w:Address>{WSA}/none</w:Address></w:ReplyTo>'
    )
    body = f'<GetLicenseUpdates xmlns="{NAMESPACE}"><ticket>{ticket}</ticket></GetLicenseUpdates>'
    silent = await server.post("depot", envelope(body, header=blocks), headers=headers)
    assert (silent.status, silent.body, pushed) == (202, b"", [])
    answered = await server.post("depot", envelope(body, header=blocks.replace("/none", "/anonymous")), headers=headers)
    assert (answered.status, len(pushed)) == (200, 1)
    assert b"<wsa:RelatesTo" in answered.body or b"RelatesTo>urn:m<" in answered.body
