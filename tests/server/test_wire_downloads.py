"""Update files by their links: whole, in parts, under conditions, and for nobody without the token."""

import asyncio
from datetime import timedelta

import pytest
from wire import FIRM_CODE, Server, Start, envelope, order

from licensing.linking import UpdateLinks
from opendepot import DepotClient
from server.downloads import ranged
from soap.messages import depot as messages


async def linked(server: Server) -> tuple[str, bytes]:
    answered = await server.post("sales", envelope(order()))
    ticket = str(answered.payload.findtext(".//{*}ticket"))
    async with DepotClient(server.url) as depot:
        request = messages.GetLicenseUpdateRequest(ticket=ticket, context=server.container().context(FIRM_CODE))
        result = await depot.get_license_update(request)
    assert result.update is not None
    assert result.update_url is not None
    assert len(result.update_url.rpartition("/")[2]) == 22, "128 bits"
    return result.update_url, result.update


async def test_a_file_comes_whole_in_parts_and_not_when_it_is_known(start: Start) -> None:
    server = await start(update_link_seconds=60)
    url, update = await linked(server)
    async with server.session.get(url) as whole:
        assert (whole.status, await whole.read()) == (200, update)
        etag = whole.headers["ETag"]
    async with server.session.head(url) as head:
        assert (head.status, head.headers["Content-Length"], await head.read()) == (200, str(len(update)), b"")
    async with server.session.get(url, headers={"If-None-Match": etag}) as known:
        assert (known.status, await known.read()) == (304, b"")
    begun = update[:100]
    async with server.session.get(url, headers={"Range": "bytes=100-", "If-Range": etag}) as rest:
        assert rest.status == 206
        assert rest.headers["Content-Range"] == f"bytes 100-{len(update) - 1}/{len(update)}"
        assert begun + await rest.read() == update
    async with server.session.get(url, headers={"Range": "bytes=100-", "If-Range": '"another"'}) as changed:
        assert (changed.status, await changed.read()) == (200, update)
    token = url.rpartition("/")[2]
    await asyncio.sleep(0)
    assert token not in server.log.getvalue(), "the token is the proof, so it is not logged"
    downloaded = [event for event in server.events() if event["event"] == "update_downloaded"]
    assert [event["status"] for event in downloaded] == [200, 200, 304, 206, 200]


async def test_unknown_and_expired_are_alike_and_other_methods_are_refused(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await start(update_link_seconds=60)
    url, _ = await linked(server)
    follow = UpdateLinks.follow

    async def later(self: UpdateLinks, token: str) -> object:
        clock = self._clock
        self._clock = lambda: clock() + timedelta(seconds=61)
        try:
            return await follow(self, token)
        finally:
            self._clock = clock

    async with server.session.get(url + "x") as longer, server.session.get(url[:-22] + "A" * 22) as unknown:
        told = [(longer.status, await longer.read()), (unknown.status, await unknown.read())]
    monkeypatch.setattr(UpdateLinks, "follow", later)
    async with server.session.get(url) as expired:
        told.append((expired.status, await expired.read()))
    assert len(set(told)) == 1
    assert told[0][0] == 404
    async with server.session.post(url, data=b"x") as posted, server.session.delete(url) as deleted:
        assert {posted.status, deleted.status} == {405}


async def test_an_address_that_may_not_use_the_depot_gets_no_file(start: Start) -> None:
    server = await start(update_link_seconds=60)
    url, _ = await linked(server)
    rules = server.folder / "rules.toml"
    rules.write_text('format = 1\n[[global]]\ndeny = "127.0.0.0/8"\n')
    closed = await start(update_link_seconds=60, filter_files=(rules,))
    token = url.rpartition("/")[2]
    async with closed.session.get(f"{closed.url}/v1/updates/{token}") as refused:
        assert refused.status == 403


async def test_without_the_setting_no_answer_holds_a_link(server: Server) -> None:
    answered = await server.post("sales", envelope(order()))
    ticket = str(answered.payload.findtext(".//{*}ticket"))
    async with DepotClient(server.url) as depot:
        request = messages.GetLicenseUpdateRequest(ticket=ticket, context=server.container().context(FIRM_CODE))
        assert (await depot.get_license_update(request)).update_url is None


DATA = bytes(range(100))


@pytest.mark.parametrize(
    ("given", "status", "data"),
    [
        ("bytes=0-0", 206, DATA[:1]),
        ("bytes=99-", 206, DATA[99:]),
        ("bytes=-5", 206, DATA[-5:]),
        ("bytes=-500", 206, DATA),
        ("bytes=10-5000", 206, DATA[10:]),
        ("bytes=100-", 416, b""),
        ("bytes=-0", 416, b""),
        ("bytes=5-4", 200, DATA),
        ("bytes=-", 200, DATA),
        ("bytes=0-1,3-4", 200, DATA),
        ("lines=0-1", 200, DATA),
        ("bytes=1e3-", 200, DATA),
    ],
)
def test_ranges_as_rfc_9110_has_them(given: str, status: int, data: bytes) -> None:
    answer = ranged(DATA, {"range": given}, name="n")
    assert (answer.status, answer.body) == (status, data)
