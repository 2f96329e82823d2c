"""A real server on a free port of the loopback, with a shop and items, and a way to send raw bytes to it."""

import io
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from wire import FIRM_CODE, OTHER_FIRM_CODE, Server, Start, initialise_in_thread

from server.cli.initialise import CONFIG
from server.core import opened_core
from server.listener import serving
from server.settings import Settings, load_settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "depot"
    initialise_in_thread(place)
    return place


@pytest.fixture
async def start(folder: Path) -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def run(**settings: Any) -> Server:
            loaded: Settings = load_settings(
                folder / CONFIG,
                **{"port": 0, "admin_port": 0, "validate_answers": True, "guess_limit": 1_000_000, **settings},
            )
            log = io.StringIO()
            up = await stack.enter_async_context(serving(loaded, log=log))
            session = await stack.enter_async_context(aiohttp.ClientSession())
            async with opened_core(loaded) as core:
                name = secrets.token_hex(4)
                if not await core.catalogue.list_items():
                    for number, firm_code, options in (
                        ("EDITOR", FIRM_CODE, ("expirationTime=add:365d",)),
                        ("PLUGIN", FIRM_CODE, ("featureMap=3",)),
                        ("OTHER", OTHER_FIRM_CODE, ()),
                    ):
                        await core.catalogue.add_item(
                            item_number=number, firm_code=firm_code, product_code=100, options=options
                        )
                shop, api_key = await core.catalogue.add_shop(f"shop-{name}")
                _, other = await core.catalogue.add_shop(f"other-{name}")
            return Server(
                up=up,
                folder=folder,
                api_key=api_key,
                other_api_key=other,
                log=log,
                session=session,
                extra={"shop": shop.name},
            )

        async def also(settings: Settings) -> None:
            await stack.enter_async_context(serving(settings, log=io.StringIO()))

        run.also = also  # type: ignore[attr-defined]
        yield run


@pytest.fixture
async def server(start: Start) -> Server:
    return await start()
