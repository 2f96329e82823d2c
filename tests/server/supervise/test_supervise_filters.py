"""Rules changing ten times a second under load on two workers: no request is judged by a mixture, or by old rules.

Every version lets in the shop and denies the other one, by rules that do so only together: a deny that an allow
excepts, of lengths that differ from version to version. Parts of two versions would give another outcome.
"""

import asyncio
import contextlib
import itertools
import socket
import sys
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from supervised import PATIENCE, Depot, Supervised, connected, peers
from wire import envelope

from ipfilters import RuleSet, read_rules
from server.core import opened_core
from server.filters.editing import FilterEditor
from server.filters.keeper import STALE_SECONDS
from server.settings import load_settings
from server.supervise.channel import Channel
from server.supervise.worker import Order
from storage.records import AccessPolicy

pytestmark = pytest.mark.slow

LIST_ITEMS = envelope('<ListItems xmlns="urn:opendepot:sales:1"/>')
CLIENTS = 6
EDIT_SECONDS = 0.1
FORMS = [
    '[[shop.shop]]\nallow = "127.0.0.1"\n[[shop.other]]\ndeny = "127.0.0.1"',
    '[[global]]\ndeny = "127.0.0.0/8"\nexceptable = true\n[[shop.shop]]\nallow = "127.0.0.0/16"',
    '[[endpoint.Sales]]\ndeny = "127.0.0.0/16"\nexceptable = true\n[[shop.shop]]\nallow = "127.0.0.1"',
    '[[global]]\nallow = "127.0.0.0/24"\n[[shop.other]]\ndeny = "127.0.0.0/8"',
]


def utc_now() -> datetime:
    return datetime.now(UTC)


def form(number: int) -> RuleSet:
    text = f'format = 1\n{FORMS[number % len(FORMS)]}\ncomment = "edit {number}"\n'
    return read_rules(text, file="test")


async def edits(editor: FilterEditor, stored: dict[int, datetime], *, first: int) -> None:
    for number in itertools.count(first):
        rules = form(number)
        document = await editor.store(await editor.prepare(lambda _, rules=rules: rules), author="test", comment="")
        stored[document.version] = utc_now()
        await asyncio.sleep(EDIT_SECONDS)


async def asking(url: str, key: str, expected: int, counts: dict[int, int]) -> None:
    headers = {"Content-Type": "text/xml", "Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        while True:
            async with session.post(f"{url}/v1/sales", data=LIST_ITEMS) as answer:
                text = await answer.text()
                assert answer.status == expected, (answer.status, text)
                counts[expected] = counts.get(expected, 0) + 1


async def changed_under_load(depot: Depot, server: Supervised, seconds: float) -> tuple[dict[int, int], float, int]:
    """Run load and edits; give the requests by status, the greatest age of a version that judged, and the edits."""
    stored: dict[int, datetime] = {}
    counts: dict[int, int] = {}
    async with opened_core(load_settings(depot.config)) as core:
        _, other = await core.catalogue.add_shop("other")
        for name in ("shop", "other"):
            await core.catalogue.set_policy(name, AccessPolicy.IP_AND_CREDENTIAL)
        editor = FilterEditor(core.storage, clock=utc_now)
        first = await editor.store(await editor.prepare(lambda _: form(0)), author="test", comment="")
        stored[first.version] = utc_now()
        await server.event("filters_applied", count=2, version=first.version)
        tasks = [asyncio.create_task(edits(editor, stored, first=1))]
        for _ in range(CLIENTS // 2):
            tasks.append(asyncio.create_task(asking(server.url, depot.api_key, 200, counts)))
            tasks.append(asyncio.create_task(asking(server.url, other, 403, counts)))
        done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            for task in done:
                task.result()
        await asyncio.gather(*tasks, return_exceptions=True)
    return counts, greatest_age(server.events("exchange"), stored), len(stored)


def greatest_age(exchanges: list[dict[str, Any]], stored: dict[int, datetime]) -> float:
    ages = [0.0]
    for event in exchanges:
        outdated = stored.get(event["filter_version"] + 1)
        if outdated is not None and event["outcome"] != "aborted":
            ages.append((datetime.fromisoformat(event["time"]) - outdated).total_seconds())
    return max(ages)


async def test_no_request_is_judged_by_a_mixture_while_rules_change(depot: Depot, supervised: Any) -> None:
    server: Supervised = await supervised(depot, workers=2).serving()
    counts, age, versions = await changed_under_load(depot, server, seconds=3)
    assert min(counts[200], counts[403]) > 10
    assert versions > 5
    # How soon depends on the machine; that nothing older is judged by does not.
    assert age < STALE_SECONDS + 1
    assert not server.events("internal_error")


async def test_every_worker_serves_the_admin_interface(depot: Depot, supervised: Any) -> None:
    server: Supervised = await supervised(depot, workers=2, environment={"OPENDEPOT_ADMIN_SOAP_PORT": "0"}).serving()
    async with opened_core(load_settings(depot.config)) as core:
        key = await core.catalogue.add_administrator("ops")
    url = f"{server.events('serving')[0]['admin_soap_url']}/v1/admin"
    body = envelope('<GetShopFilter xmlns="urn:opendepot:admin:1"><shopName>shop</shopName></GetShopFilter>')
    for given, status in ((key, 200), ("od_wrong", 401)):
        headers = {"Content-Type": "text/xml", "Authorization": f"Bearer {given}", "Connection": "close"}
        async with aiohttp.ClientSession(headers=headers) as session:
            for _ in range(8):
                async with session.post(url, data=body) as answer:
                    assert answer.status == status, await answer.text()


async def test_a_worker_answers_no_admin_call_before_it_is_told_to_serve(depot: Depot) -> None:
    settings = load_settings(depot.config)
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_server(("127.0.0.1", 0)) as admin,
    ):
        ours, theirs = socket.socketpair()
        with theirs:
            order = Order(
                settings=settings,
                channel=theirs.fileno(),
                listening=listening.fileno(),
                admin_soap=admin.fileno(),
            )
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "server.supervise.worker",
                order.as_argument(),
                pass_fds=(order.channel, order.listening, admin.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
            )
        channel = await Channel.over(ours)
        try:
            while "ready" not in (await channel.hear() or pytest.fail("it has ended")):
                pass
            async with connected(admin.getsockname()[1]) as (reader, writer):
                writer.write(b"GET /v1/admin?wsdl HTTP/1.1\r\nHost: depot\r\nConnection: close\r\n\r\n")
                for number in range(3):
                    # It has answered, so its event loop has turned since.
                    channel.say(ask="readiness", number=number)
                    while (await channel.hear() or {}).get("answer") != number:
                        pass
                    assert writer.get_extra_info("sockname")[1] not in peers(process.pid)
                channel.say(serve=True)
                assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        finally:
            channel.say(stop={"last": True})
            await asyncio.wait_for(process.wait(), PATIENCE)
            await channel.close()


@pytest.mark.long
async def test_no_request_is_judged_by_rules_older_than_a_second(depot: Depot, supervised: Any) -> None:
    server: Supervised = await supervised(depot, workers=2).serving()
    counts, age, versions = await changed_under_load(depot, server, seconds=60)
    print(f"{counts} answers, {versions} versions, greatest age of one that judged: {age:.3f} s")
    assert versions > 100
    assert age < 1
