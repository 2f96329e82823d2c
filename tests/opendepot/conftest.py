"""A real server, and a front before it."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from client_world import FIRM_CODES, Front, World

from server.cli.initialise import CONFIG, initialise
from server.core import opened_core
from server.listener import serving
from server.settings import load_settings


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    await asyncio.to_thread(initialise, tmp_path)
    settings = load_settings(tmp_path / CONFIG, port=0, admin_port=0, validate_answers=True)
    async with serving(settings, log=io.StringIO()) as up:
        async with opened_core(settings) as core:
            for number, firm_code in zip(("A", "B"), FIRM_CODES, strict=True):
                await core.catalogue.add_item(item_number=number, firm_code=firm_code, product_code=1)
            _, api_key = await core.catalogue.add_shop("shop")
        yield World(up, tmp_path, api_key)


@pytest.fixture
async def front(world: World) -> AsyncIterator[tuple[str, Front]]:
    made = Front(world.up.url)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", made.serve)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", made
    await runner.cleanup()
