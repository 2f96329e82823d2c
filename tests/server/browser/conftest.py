"""A real browser and a server with all kinds of pages, both once for each module."""

import io
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from node_packages import installed
from playwright.async_api import Browser, async_playwright
from sites import Site
from wire import FIRM_CODE, initialise_in_thread

from server.cli.initialise import CONFIG
from server.core import opened_core
from server.listener import serving
from server.mail.unsubscribing import UNSUBSCRIBE_PATH
from server.settings import load_settings

SERVICES = ("sales", "depot", "ozomm")
PUBLIC_URL = "https://licences.example.com"
PORTS = {"port": 0, "admin_port": 0, "admin_soap_port": 0}
MAIL = {"public_url": PUBLIC_URL, "mail_server": "127.0.0.1", "mail_port": 1, "mail_from": "licences@example.com"}


@pytest.fixture(scope="session")
def axe() -> str:
    """The program that judges a page by the rules of accessibility."""
    place = installed(Path(__file__).parent)
    return (place / "node_modules" / "axe-core" / "axe.min.js").read_text()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        pytest.fail("chromium is missing: run scripts/system-packages")
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        await opened.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A server that lets its pages send."""
    async with _site(tmp_path_factory.mktemp("sending") / "depot", page_sends=True) as up:
        yield up


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reading_site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A server as it is by default: its pages do not send."""
    async with _site(tmp_path_factory.mktemp("reading") / "depot") as up:
        yield up


@asynccontextmanager
async def _site(folder: Path, **given: bool) -> AsyncIterator[Site]:
    initialise_in_thread(folder)
    settings = load_settings(folder / CONFIG, **PORTS, **MAIL, **given)
    async with opened_core(settings) as core:
        await core.catalogue.add_item(item_number="EDITOR", firm_code=FIRM_CODE, product_code=100)
        _, api_key = await core.catalogue.add_shop("shop")
        await core.addresses.record_consent("customer@example.org", source="shop", actor="cli")
        token = core.addresses.token("customer@example.org")
    async with serving(settings, log=io.StringIO()) as up:
        pages = {name: f"{up.local_url}/v1/{name}" for name in SERVICES}
        pages["admin"] = f"{up.admin_soap_url}/v1/admin"
        pages["unsubscribe"] = up.local_url + UNSUBSCRIBE_PATH + token
        pages["cut"] = pages["unsubscribe"][:-4]
        yield Site(pages=pages, api_key=api_key)
