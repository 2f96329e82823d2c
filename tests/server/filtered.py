"""What tests of filters in the server share: rules put in force over a second connection, and requests over TCP."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from wire import Received, Server, envelope

from ipfilters import read_rules
from server.cli.initialise import CONFIG
from server.core import Core, opened_core, utc_now
from server.filters.editing import FilterEditor
from server.settings import load_settings
from storage.records import AccessPolicy

LIST_ITEMS = envelope('<ListItems xmlns="urn:opendepot:sales:1"/>')
GET_TICKET = envelope(
    '<GetTicket xmlns="urn:opendepot:depot:1"><ticket>AAAAA-AAAAA-AAAAA-AAAAA-AAAAA</ticket></GetTicket>'
)
PATIENCE_SECONDS = 5.0


@asynccontextmanager
async def core_of(server: Server) -> AsyncIterator[Core]:
    async with opened_core(load_settings(server.folder / CONFIG)) as core:
        yield core


async def put_rules(server: Server, text: str) -> None:
    """Put rules in force and wait until the server judges by them."""
    rules = read_rules("format = 1\n" + text, file="test")
    async with core_of(server) as core:
        editor = FilterEditor(core.storage, clock=utc_now)
        document = await editor.store(await editor.prepare(lambda _: rules), author="test", comment="")
    server.up.application.filters.hurry()
    await until(lambda: server.up.application.filters.last().document_version == document.version)


async def put_policy(server: Server, policy: AccessPolicy) -> None:
    shop = server.extra["shop"]
    async with core_of(server) as core:
        await core.catalogue.set_policy(shop, policy)

    def known() -> bool:
        found = server.up.application.filters.last().shops.get(shop)
        return found is not None and found.access_policy is policy

    server.up.application.filters.hurry()
    await until(known)


async def until(true: Any) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < end, "nothing was taken up"
        await asyncio.sleep(0.01)


async def ask(server: Server, *, path: str = "sales", key: str | None = "", **headers: str) -> Received:
    """List items: with the shop's key, with another one, or (None) with none."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if key is not None:
        given["Authorization"] = f"Bearer {key or server.api_key}"
    return await server.post(path, LIST_ITEMS, headers=given, identified=False)


def outcome(received: Received) -> str:
    return "ok" if received.status == 200 else received.fault()["code"]


def denials(server: Server) -> list[dict[str, Any]]:
    return [event for event in server.events() if event["event"] == "address_denied"]
