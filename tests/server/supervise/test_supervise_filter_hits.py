"""What each rule decided in two workers, the drain among it, is in the database once the server has ended."""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from supervised import Depot, Supervised, frozen, in_thread, state_of, until
from typer.testing import CliRunner
from wire import envelope

from ipfilters import read_rules
from server.cli.main import app
from server.core import opened_core, utc_now
from server.filters.editing import FilterEditor
from server.settings import load_settings
from storage.records import AccessPolicy

pytestmark = pytest.mark.slow

LIST_ITEMS = envelope('<ListItems xmlns="urn:opendepot:sales:1"/>')
ALLOWED, DENIED = "127.0.0.1", "127.0.0.2"
RULES = f"""format = 1
[[shop.shop]]
allow = ["{ALLOWED}", "192.0.2.0/24"]
[[global]]
deny = "{DENIED}"
"""
ALLOW, DENY, UNUSED = f"shop shop: allow {ALLOWED}/32", f"global: deny {DENIED}/32", "shop shop: allow 192.0.2.0/24"
STATUS = {ALLOWED: 200, DENIED: 403}


async def put_rules(depot: Depot) -> None:
    async with opened_core(load_settings(depot.config)) as core:
        await core.catalogue.set_policy("shop", AccessPolicy.IP_AND_CREDENTIAL)
        editor = FilterEditor(core.storage, clock=utc_now)
        edit = await editor.prepare(lambda _: read_rules(RULES, file="test"))
        await editor.store(edit, author="test", comment="")


class Call:
    """A request from an address, which may begin long before it is whole."""

    def __init__(self, server: Supervised, address: str) -> None:
        self._server = server
        self._address = address
        self._request = server.depot.head(LIST_ITEMS, close=True) + LIST_ITEMS

    async def begin(self, stack: AsyncExitStack) -> None:
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self._server.port, local_addr=(self._address, 0)
        )
        stack.callback(self._writer.close)
        self._writer.write(self._request[:40])

    async def finish(self) -> None:
        self._writer.write(self._request[40:])
        answer = await self._reader.read()
        assert answer.startswith(f"HTTP/1.1 {STATUS[self._address]} ".encode()), answer


@asynccontextmanager
async def without(stopped: int) -> AsyncIterator[None]:
    """All that comes while the block runs is for the other worker."""
    with frozen(stopped):
        await until(lambda: state_of(stopped) == "T", "the worker is stopped")
        yield


async def call(server: Supervised, address: str, times: int) -> None:
    for _ in range(times):
        async with AsyncExitStack() as stack:
            one = Call(server, address)
            await one.begin(stack)
            await one.finish()


def told(depot: Depot, *words: str) -> Any:
    """What a verb of `opendepot ipfilter` prints as JSON."""
    result = in_thread(lambda: CliRunner().invoke(app, ["ipfilter", *words, "--json", "--config", str(depot.config)]))
    return json.loads(result.output)


def hits(depot: Depot) -> dict[str, tuple[int, str | None]]:
    return {rule["id"]: (rule["hits"], rule["last_hit"]) for rule in told(depot, "list")}


async def test_list_and_lint_tell_what_both_workers_and_their_drain_decided(
    depot: Depot, supervised: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put_rules(depot)
    server: Supervised = await supervised(depot, workers=2).serving()
    await until(lambda: len(server.workers()) == 2, "both workers are ready")
    one, other = server.workers().values()
    async with without(one):
        await call(server, ALLOWED, 3)
        await call(server, DENIED, 2)
    async with without(other):
        await call(server, ALLOWED, 4)
        await call(server, DENIED, 5)
    async with AsyncExitStack() as stack:
        held = [Call(server, address) for address in (ALLOWED, DENIED, DENIED)]
        async with without(other):
            for each in held:
                await each.begin(stack)
            # Answered after those who came before it were accepted, since one worker accepts in their order.
            await call(server, ALLOWED, 1)
        before_drain = datetime.now(UTC)
        server.tell(signal.SIGTERM)
        await until(lambda: server.members() == {one}, "the worker that holds nothing has ended, so this one drains")
        for each in held:
            await each.finish()
    assert await server.ended() == 0

    # One for each worker at least: on a slow machine one was told after a minute, too.
    counted = [Counter(event["rules"]) for event in server.events("filter_hits")]
    assert len(counted) >= 2
    assert sum(counted, Counter()) == {ALLOW: 9, DENY: 9}
    found = hits(depot)
    assert {rule: count for rule, (count, _) in found.items()} == {ALLOW: 9, DENY: 9, UNUSED: 0}
    assert all(before_drain < datetime.fromisoformat(found[rule][1] or "") for rule in (ALLOW, DENY))

    monkeypatch.setattr("server.cli.ipfilter_looking.utc_now", lambda: before_drain + timedelta(days=1))
    lint = told(depot, "lint", "--unhit-for", "1")
    assert [(each["code"], each["rule"]) for each in lint["findings"]] == [("never-hit", UNUSED)]
    monkeypatch.setattr("server.cli.ipfilter_looking.utc_now", lambda: before_drain + timedelta(days=40))
    codes = {each["rule"]: each["code"] for each in told(depot, "lint")["findings"]}
    assert codes == {ALLOW: "unhit", DENY: "unhit", UNUSED: "never-hit"}
