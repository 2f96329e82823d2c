"""What the page offers to copy runs as it stands: each operation by curl, by zeep and by PHP's SoapClient."""

import asyncio
import contextlib
import io
import os
import re
import shutil
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from filtered import core_of
from lxml import etree, html
from wire import Server, Start

pytestmark = pytest.mark.slow

BROWSER = {"Accept": "text/html"}
SERVICES = {"sales": 8, "depot": 11, "ozomm": 2, "admin": 8}
FAULTY = {
    *("SchemaViolation", "Malformed", "NotIdentified", "OperationUnknown", "ActionUnknown", "Internal"),
    *("TransactionConflict", "OrderNameRequired"),
}
"""Codes that would be the page's fault. A made-up ticket or context is refused by a rule, and may be."""
SECONDS = 60


@pytest.fixture
async def whole(start: Start) -> tuple[Server, str]:
    """A server with all services, and the key of an administrator."""
    server = await start(admin_soap_port=0)
    async with core_of(server) as core:
        key = await core.catalogue.add_administrator("jo", roles=("all",))
    return server, key


async def offered(server: Server, service: str, language: str) -> list[str]:
    base = server.up.admin_soap_url if service == "admin" else server.url
    async with server.session.get(f"{base}/v1/{service}", headers=BROWSER) as page:
        tree = html.fromstring(await page.text())
    found = tree.xpath(f"//pre[contains(@aria-label, ' in {language}')]")
    assert len(found) >= SERVICES[service]
    return [str(one.text_content()) for one in found]


async def ran(command: list[str], text: str, key: str) -> str:
    environment = {**os.environ, "OPENDEPOT_API_KEY": key}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe)
    output, errors = await asyncio.wait_for(process.communicate(text.encode()), SECONDS)
    assert (process.returncode, errors) == (0, b""), errors + output
    return output.decode()


async def by_curl(text: str, key: str) -> str | None:
    payload = etree.fromstring((await ran(["sh"], text, key)).encode())[-1][0]
    found: str | None = payload.findtext(".//{*}code")
    return found


async def by_php(text: str, key: str) -> str | None:
    php = shutil.which("php")
    if php is None:
        pytest.fail("php is missing: run scripts/system-packages")
    output = await ran([php, "-d", "soap.wsdl_cache_enabled=0"], text, key)
    found = re.search(r"\[code\] => (\w+)", output)
    assert output.startswith("stdClass Object"), output
    return None if found is None else found[1]


async def by_zeep(text: str, key: str) -> str | None:
    def run() -> str:
        printed = io.StringIO()
        names: dict[str, Any] = {}
        with contextlib.redirect_stdout(printed):
            exec(compile(text, "snippet", "exec"), names)
        names["session"].close()
        return printed.getvalue()

    output = await asyncio.to_thread(run)
    found = re.search(r"code>(\w+)<", output)
    assert output.strip()
    return None if found is None else found[1]


@pytest.mark.parametrize(
    ("language", "by"), [("curl", by_curl), ("Python (zeep)", by_zeep), ("PHP", by_php)], ids=["curl", "zeep", "php"]
)
async def test_each_operation_runs_as_it_stands(
    whole: tuple[Server, str],
    monkeypatch: pytest.MonkeyPatch,
    language: str,
    by: Callable[[str, str], Awaitable[str | None]],
) -> None:
    server, administrator = whole
    answered = 0
    for service in SERVICES:
        key = administrator if service == "admin" else server.api_key
        monkeypatch.setenv("OPENDEPOT_API_KEY", key)
        for text in await offered(server, service, language):
            code = await by(text, key)
            assert code not in FAULTY, f"{code}: {text}"
            answered += code is None
    assert answered >= 3, "what reads is answered"
