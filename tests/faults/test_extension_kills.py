"""Kill -9 at each named step of an extension: after a restart it is extended once, and its mail is written once.

Each ticket's server is killed at another step. Then the leases of the dead end, one server takes all of them up, and
everybody asks again.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta

import pytest
from aiohttp import web
from killing import ended, started
from test_named_steps import Nursery, nursery
from worlds import FIRM_CODE, World, make_world

from licensing.order_values import OrderLine, OrderRequest
from opendepot import FaultReceived, OzommClient, ServiceUnreachable
from server.app import opened_core
from server.cli.initialise import CONFIG
from server.operating.doctor import inspect
from soap.messages import ozomm

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("machine")]

STEPS = {
    "before begin_extension",
    "before advance_extension",
    "before raise_license_version",
    "before change_license",
    "before add_step",
    "before sign_step",
    "before add_message",
    "after COMMIT",
    "answer made",
    "half of the answer sent",
}
YEAR = timedelta(days=365)
EVERY = 6
"""The short form kills at every sixth step; `--kills` above 100 at all of them."""


@asynccontextmanager
async def crm() -> AsyncIterator[str]:
    async def ask(_: web.Request) -> web.StreamResponse:
        return web.json_response({"eligible": True, "email": "someone@example.com"})

    application = web.Application()
    application.router.add_post("/ask", ask)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/ask"
    finally:
        await runner.cleanup()


async def extending_world(world: World, url: str) -> None:
    """An item that expires, and a CRM that says yes."""
    async with opened_core(world.settings) as core:
        await core.catalogue.add_item(
            item_number="E", firm_code=FIRM_CODE, product_code=2, options=("expirationTime=add:365d",)
        )
    configuration = (
        f'mail = true\nlease_seconds = 60\n[sources.crm]\nkind = "http"\nurl = "{url}"\nfailures = 1000\n'
        'read = { eligible = "eligible", email = "email" }\n[[rules]]\nitems = ["E"]\neligibility = "crm"\n'
    )
    (world.folder / "ozomm.toml").write_text(configuration)
    config = world.folder / CONFIG
    config.write_text('ozomm_file = "ozomm.toml"\n' + config.read_text())


async def bought(world: World, names: list[str]) -> dict[str, str]:
    """Tickets with a licence that expires."""
    tickets = {}
    async with opened_core(world.settings) as core:
        shop = await core.catalogue.find_shop(world.api_key, None)
        assert shop is not None
        for name in names:
            request = OrderRequest(transaction_id=name, lines=(OrderLine(item_number="E", quantity=1),))
            tickets[name] = (await core.sales.create_order(shop=shop, request=request)).ticket
    return tickets


async def asked(world: World, name: str, ticket: str, context: bytes | None) -> ozomm.Extension:
    async with OzommClient(world.url, attempts=1, timeout_seconds=10) as client:
        return await client.extend_license(
            ozomm.ExtendLicenseRequest(
                transaction_id=name,
                ticket=ticket,
                context=None if context is None else ozomm.ContainerContext(file=context),
            )
        )


async def ends(world: World, tickets: dict[str, str]) -> dict[str, object]:
    async with opened_core(world.settings) as core:
        found = {}
        for name, ticket in tickets.items():
            (license_,) = (await core.depot.get_ticket(tickets=(ticket,))).licenses
            found[name] = license_.expires_at
    return found


async def test_an_extension_killed_at_any_step_happens_once(tmp_path: object, pytestconfig: pytest.Config) -> None:
    every = 1 if pytestconfig.getoption("--kills") > 100 else EVERY
    async with crm() as url:
        world = await make_world(tmp_path / "depot")  # type: ignore[operator]
        await extending_world(world, url)
        tickets = await bought(world, [f"T-{number}" for number in range(1, 100)])
        before = await ends(world, tickets)
        async with nursery(world) as born:
            names = await _killed_at(world, born, tickets, every=every)
        assert every > 1 or names >= STEPS, STEPS - names
        used = {f"T-{number}" for number in range(1, 100)} & set(tickets)
        with closing(sqlite3.connect(world.database)) as db, db:
            db.execute("UPDATE extensions SET lease_until = 1 WHERE lease_until IS NOT NULL")
        process = await started(world)
        try:
            for name in sorted(used):
                await _until_extended(world, name, tickets[name])
        finally:
            await ended(process)
        after = await ends(world, tickets)
        assert {name: after[name] - before[name] for name in used} == dict.fromkeys(used, YEAR)  # type: ignore[operator]
        with closing(sqlite3.connect(world.database)) as db:
            count = "SELECT count(*) FROM"
            assert db.execute(f"{count} orders WHERE transaction_id LIKE 'ozomm-%'").fetchone() == (len(used),)
            assert db.execute(f"{count} extensions WHERE step = 'done'").fetchone() == (len(used),)
            assert db.execute(f"{count} outbox WHERE channel = 'mail'").fetchone() == (len(used),)
        report = await inspect(world.settings, deep=True)
        assert [each for each in report.findings if each.invariant is not None and each.count] == []


async def _killed_at(world: World, born: Nursery, tickets: dict[str, str], *, every: int) -> set[str]:
    """Kill at step 1, 1 + every, ... until an extension has no such step; leave only the tickets that were used."""
    names: set[str] = set()
    for number in range(1, 100):
        name, kill_at = f"T-{number}", 1 + (number - 1) * every
        context = world.containers[0].context(FIRM_CODE)
        _, passed = await born.killed(
            "ExtendLicense", kill_at, lambda _, name=name, context=context: _asked(world, name, tickets[name], context)
        )
        names |= set(passed[-1:])
        if len(passed) < kill_at:
            for unused in range(number + 1, 100):
                del tickets[f"T-{unused}"]
            return names
    raise AssertionError("an extension has more steps than there are tickets")


async def _asked(world: World, name: str, ticket: str, context: bytes) -> object:
    return await asked(world, name, ticket, context)


async def _until_extended(world: World, name: str, ticket: str) -> None:
    for _ in range(200):
        try:
            if (await asked(world, name, ticket, None)).state == "Extended":
                return
        except (FaultReceived, ServiceUnreachable):
            pass
        await asyncio.sleep(0.05)
    raise AssertionError(f"{name} is not extended")
