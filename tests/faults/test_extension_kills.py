"""Kill -9 at each named step of an extension: after restarts it has happened once, and its mail is written once.

Each extension's server is killed at one step, and in the long form the next server too, which has taken the extension
up, at another. Then the leases of the dead end, one server takes all of them up, and everybody asks again.
"""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from killing import ended, started
from postgres_server import PostgresServer, started_server
from test_named_steps import Nursery, nursery
from worlds import FIRM_CODE, World, make_world

from licensing.order_values import OrderLine, OrderRequest
from opendepot import Container, DepotClient, FaultReceived, OzommClient, ServiceUnreachable
from server.cli.initialise import CONFIG
from server.core import opened_core
from server.operating.doctor import inspect
from soap.messages import ozomm

STEPS = {
    "before begin_extension",
    "before advance_extension",
    "before raise_license_version",
    "before change_license",
    "before add_step",
    "before add_transfer",
    "before add_message",
    "before COMMIT",
    "after COMMIT",
    "answer made",
    "half of the answer sent",
}
"""Among the steps that a server must have been killed at."""

LEAST_COMMITS, MOST_COMMITS = 6, 20
YEAR, WEEK = timedelta(days=365), timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the CRM says of an extension, and how it ends. `silent`: so many questions are not answered at first."""

    item: str = "E"
    context: bool = True
    eligible: bool = True
    silent: int = 0

    @property
    def longer(self) -> timedelta:
        return YEAR if self.eligible else timedelta()

    @property
    def mails(self) -> set[str]:
        """The mails that may tell of it: one of them does."""
        if self.eligible:
            return {"mail.extended"}
        # Killed before a provisional extension was decided on, it may be refused at once when it is asked again.
        return {"mail.refused", "mail.withdrawn"} if self.silent else {"mail.refused"}


PLANS = (
    Plan(),
    Plan(eligible=False),
    Plan(item="P", silent=1),
    Plan(item="P", silent=1, eligible=False),
    Plan(context=False),
)


@dataclass(kw_only=True)
class Extension:
    """An extension of the test, and what its ticket is worth before it."""

    name: str
    plan: Plan
    ticket: str
    ends: datetime
    container: Container


@dataclass
class Crm:
    """A CRM on a socket, which says of each ticket what its plan says."""

    url: str = ""
    plans: dict[str, Plan] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)

    async def ask(self, request: web.Request) -> web.StreamResponse:
        ticket = (await request.json())["ticket"]
        plan, before = self.plans[ticket], self.asked.get(ticket, 0)
        self.asked[ticket] = before + 1
        if before < plan.silent:
            return web.Response(status=503)
        return web.json_response({"eligible": plan.eligible, "email": "someone@example.com"})


@asynccontextmanager
async def crm_started() -> AsyncIterator[Crm]:
    crm = Crm()
    application = web.Application()
    application.router.add_post("/ask", crm.ask)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        host, port = runner.addresses[0][:2]
        crm.url = f"http://{host}:{port}/ask"
        yield crm
    finally:
        await runner.cleanup()


CONFIGURATION = """
mail = true
lease_seconds = 60
first_retry_seconds = 0.01

[sources.crm]
kind = "http"
url = "{url}"
failures = 1000000
read = {{ eligible = "eligible", email = "email" }}

[[rules]]
items = ["E"]
eligibility = "crm"

[[rules]]
items = ["P"]
eligibility = "crm"
when_silent = "provisional"
provisional_item = "E-7D"
"""


class Scene:
    """A server's files, a CRM, and the extensions that were asked for."""

    def __init__(self, world: World, crm: Crm) -> None:
        self.world = world
        self.crm = crm
        self.extensions: list[Extension] = []

    @classmethod
    async def made(cls, folder: Path, crm: Crm, *, database: str | None = None) -> "Scene":
        world = await make_world(folder, database=database)
        async with opened_core(world.settings) as core:
            for item, option in (("E", "add:365d"), ("P", "add:365d"), ("E-7D", "add:7d")):
                await core.catalogue.add_item(
                    item_number=item, firm_code=FIRM_CODE, product_code=2, options=(f"expirationTime={option}",)
                )
        (world.folder / "ozomm.toml").write_text(CONFIGURATION.format(url=crm.url))
        config = world.folder / CONFIG
        config.write_text('ozomm_file = "ozomm.toml"\n' + config.read_text())
        return cls(world, crm)

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """The rows of the database, whichever it is."""
        if self.world.ask is not None:
            return self.world.ask(sql)
        with closing(sqlite3.connect(self.world.database)) as db, db:
            return db.execute(sql).fetchall()

    async def buy(self, plans: list[Plan]) -> list[Extension]:
        """Buy a licence that expires for each plan."""
        bought = []
        async with opened_core(self.world.settings) as core:
            shop = await core.catalogue.find_shop(self.world.api_key, None)
            assert shop is not None
            for plan in plans:
                number = len(self.extensions) + len(bought)
                request = OrderRequest(
                    transaction_id=f"T-{number}", lines=(OrderLine(item_number=plan.item, quantity=1),)
                )
                ticket = (await core.sales.create_order(shop=shop, request=request)).ticket
                (license_,) = (await core.depot.get_ticket(tickets=(ticket,))).licenses
                assert license_.expires_at is not None
                container = self.world.containers[number % len(self.world.containers)]
                extension = Extension(
                    name=f"X-{number}", plan=plan, ticket=ticket, ends=license_.expires_at, container=container
                )
                self.crm.plans[ticket] = plan
                bought.append(extension)
        self.extensions += bought
        return bought

    async def killed(self, born: Nursery, extension: Extension, kill_at: int, *, only: str | None = None) -> list[str]:
        """Ask a server that dies at this step; the steps that it has gone through, of one name with `only`."""
        context = extension.container.context(FIRM_CODE) if extension.plan.context else None
        _, passed = await born.killed("ExtendLicense", kill_at, lambda _: self.ask(extension, context), only=only)
        self.bury()
        return passed

    async def ask(self, extension: Extension, context: bytes | None) -> ozomm.Extension:
        async with OzommClient(self.world.url, attempts=1, timeout_seconds=10) as client:
            return await client.extend_license(
                ozomm.ExtendLicenseRequest(
                    transaction_id=extension.name,
                    ticket=extension.ticket,
                    context=None if context is None else ozomm.ContainerContext(file=context),
                )
            )

    def bury(self) -> None:
        """Let the leases of the dead end."""
        self.rows("UPDATE extensions SET lease_until = 1 WHERE lease_until IS NOT NULL")

    async def all_end(self) -> None:
        """Start a server that lives, ask it until nothing is pending, and collect what has become longer."""
        process = await started(self.world)
        try:
            for extension in self.extensions:
                assert await self._end(extension) == ("Extended" if extension.plan.eligible else "Refused")
            for container in self.world.containers:
                await self._collect(container)
        finally:
            await ended(process)

    async def _end(self, extension: Extension) -> str:
        for _ in range(400):
            try:
                state = (await self.ask(extension, None)).state
                if state != "Pending":
                    return state
            except (FaultReceived, ServiceUnreachable):
                pass
            await asyncio.sleep(0.05)
        raise AssertionError(f"{extension.name} is pending for ever")

    async def _collect(self, container: Container) -> None:
        async with DepotClient(self.world.url) as client:
            for extension in self.extensions:
                if extension.container is container and extension.plan.context:
                    await client.collect(extension.ticket, container)

    async def check(self) -> None:
        """Each has happened once: the ticket, the orders, the mails, the containers, and all data."""
        held = {
            entry.license_id: entry.options.expiration_time
            for container in self.world.containers
            for entry in container.listing(FIRM_CODE)
        }
        async with opened_core(self.world.settings) as core:
            for extension in self.extensions:
                (license_,) = (await core.depot.get_ticket(tickets=(extension.ticket,))).licenses
                assert license_.expires_at == extension.ends + extension.plan.longer, extension
                if extension.plan.context:
                    assert held[license_.license_id] == license_.expires_at
        eligible = [extension for extension in self.extensions if extension.plan.eligible]
        count = "SELECT count(*) FROM"
        assert self.rows(f"{count} orders WHERE transaction_id LIKE 'ozomm-%-extend'") == [(len(eligible),)]
        assert self.rows(f"{count} extensions WHERE step = 'done'") == [(len(self.extensions),)]
        mails = self.rows("SELECT message_id, kind FROM outbox WHERE channel = 'mail'")
        assert len(mails) == len(self.extensions)
        assert len({str(message_id).rpartition("-")[0] for message_id, _ in mails}) == len(self.extensions)
        kinds = [str(kind) for _, kind in mails]
        assert kinds.count("mail.extended") == len(eligible)
        assert set(kinds) <= {kind for extension in self.extensions for kind in extension.plan.mails}
        report = await inspect(self.world.settings, deep=True)
        assert [each for each in report.findings if each.invariant is not None and each.count] == []


@pytest.mark.slow
@pytest.mark.xdist_group("machine")
async def test_an_extension_killed_after_any_of_its_commits_happens_once(tmp_path: Path) -> None:
    async with crm_started() as crm:
        scene = await Scene.made(tmp_path / "depot", crm)
        async with nursery(scene.world) as born:
            # What a server leaves behind changes with its commits alone: killed after each, it leaves all there is.
            # The first one makes OZOMM's shop, and dies when it has answered.
            for kill_at in (MOST_COMMITS, *range(1, MOST_COMMITS)):
                (extension,) = await scene.buy([PLANS[0]])
                commits = len(await scene.killed(born, extension, kill_at, only="after COMMIT"))
                if commits < kill_at < MOST_COMMITS:
                    break
        assert LEAST_COMMITS < kill_at < MOST_COMMITS
        await scene.all_end()
        await scene.check()


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def postgres(request: pytest.FixtureRequest) -> Iterator[PostgresServer | None]:
    if request.param == "SQLite":
        yield None
        return
    server = started_server(durable=True)
    yield server
    server.remove()


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.xdist_group("machine")
async def test_extensions_whose_servers_are_killed_at_every_step_happen_once_each(
    tmp_path: Path, postgres: PostgresServer | None, pytestconfig: pytest.Config
) -> None:
    kills, seed = pytestconfig.getoption("--kills"), pytestconfig.getoption("--seed")
    print(f"{kills} kills, seed {seed}")
    chance = random.Random(seed)
    async with crm_started() as crm:
        name = None if postgres is None else postgres.new_database()
        database = None if postgres is None or name is None else postgres.address(name)
        scene = await Scene.made(tmp_path / "depot", crm, database=database)
        if postgres is not None and name is not None:
            scene.world.ask = lambda sql: postgres.run(sql, database=name)
        async with nursery(scene.world) as born:
            names, rounds = await _killed_twice_each(scene, born, kills=kills, chance=chance)
            # Extensions differ by a step here and there, so that counting may step over a name.
            for missed in sorted(STEPS - names):
                (extension,) = await scene.buy([PLANS[0]])
                assert await scene.killed(born, extension, 1, only=missed) == [missed]
        await scene.all_end()
        await scene.check()
    print(f"{len(scene.extensions)} extensions, {rounds} rounds of all steps, {len(names)} kinds of steps")


async def _killed_twice_each(scene: Scene, born: Nursery, *, kills: int, chance: random.Random) -> tuple[set[str], int]:
    """Kill each extension's first server at the next step, and its second one at any; the steps, and whole rounds.

    A round is each step of each plan, in turn.
    """
    names: set[str] = set()
    longest = dict.fromkeys(PLANS, 20)
    place, kill_at, rounds = 0, 1, 0
    for number in range(0, kills, 2):
        plan = PLANS[place]
        (extension,) = await scene.buy([plan])
        passed = await scene.killed(born, extension, kill_at)
        again = await scene.killed(born, extension, chance.randint(1, longest[plan]))
        names |= {*passed[-1:], *again[-1:]}
        longest[plan] = max(longest[plan], len(passed), len(again))
        if len(passed) < kill_at:
            place, kill_at = (place + 1) % len(PLANS), 0
            rounds += place == 0
        kill_at += 1
        if number % 20 == 0:
            print(f"  {number + 2} kills, {len(names)} kinds of steps", flush=True)
    return names, rounds
