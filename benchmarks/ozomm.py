"""The benchmark `ozomm`: an extension beside an order and a collection, and the Depot while 1,000 extensions wait.

`ratio_order_collect` is the time of an extension with its collection, a CRM on the loopback included, against that of
an order and a collection. `ratio_depot_p50_while_waiting` is the median time of GetTicket while extensions wait for a
slow CRM, against that without them. Each request waits for the one before; the whole server is in between.
"""

import asyncio
import os
import secrets
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from aiohttp import web

from benchmarks.contestants import CACHE
from benchmarks.processes import free_port
from benchmarks.report import Options, Record, Table, figure_of, this_machine
from containers import Container
from opendepot import DepotClient, FaultReceived, OzommClient, SalesClient, ServiceUnreachable
from server.cli.initialise import CONFIG, VENDOR_CERTIFICATE, initialise
from server.core import opened_core, utc_now
from server.settings import load_settings
from soap.messages import depot, ozomm, sales

FIRM_CODE = 6_000_010
WAITING = 1_000
A_SECOND = 20
"""Requests of each kind for each second that a measurement shall take."""
A_CLIENT = 50
"""Extensions that wait by one client, which opens 100 connections at most."""
_SERVE = "from server.cli.main import main; main()"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One round: medians in microseconds. `waiting`: how many extensions waited in it."""

    round: int
    order_us: float
    collect_us: float
    extend_us: float
    depot_us: float
    depot_waiting_us: float
    waiting: int


@dataclass(kw_only=True)
class Crm:
    """A CRM whose answers a benchmark holds back. `asked`: questions that wait."""

    url: str = ""
    asked: int = 0
    open: asyncio.Event


def run(options: Options) -> Record:
    """Measure an extension against an order with a collection, and the Depot while extensions wait."""
    CACHE.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="ozomm-", dir=CACHE))
    try:
        api_key = _made(folder / "depot")
        runs = asyncio.run(_measured(folder / "depot", api_key, options))
    finally:
        shutil.rmtree(folder)
    return record_of(runs)


def record_of(runs: Sequence[Run]) -> Record:
    """Give the record."""
    return Record(
        name="ozomm",
        machine=this_machine(),
        versions={},
        runs=[asdict(one) for one in runs],
        figures={
            "ratio_order_collect": figure_of(one.extend_us / (one.order_us + one.collect_us) for one in runs),
            "ratio_depot_p50_while_waiting": figure_of(one.depot_waiting_us / one.depot_us for one in runs),
            "extend_us": figure_of(one.extend_us for one in runs),
            "depot_p50_us": figure_of(one.depot_us for one in runs),
            "depot_p50_while_waiting_us": figure_of(one.depot_waiting_us for one in runs),
        },
        tables=(
            Table(
                title="Medians, in microseconds",
                columns=("round", "order", "collect", "extend", "GetTicket", "GetTicket while waiting", "waiting"),
                rows=tuple(
                    (
                        str(one.round),
                        *(
                            f"{value:,.0f}"
                            for value in (
                                *(one.order_us, one.collect_us, one.extend_us, one.depot_us, one.depot_waiting_us),
                                one.waiting,
                            )
                        ),
                    )
                    for one in runs
                ),
            ),
        ),
    )


def _made(folder: Path) -> str:
    initialise(folder)

    async def stocked() -> str:
        async with opened_core(load_settings(folder / CONFIG)) as core:
            await core.catalogue.add_item(
                item_number="E", firm_code=FIRM_CODE, product_code=1, options=("expirationTime=add:365d",)
            )
            _, api_key = await core.catalogue.add_shop("benchmark")
        return api_key

    return asyncio.run(stocked())


@asynccontextmanager
async def _crm() -> AsyncIterator[Crm]:
    crm = Crm(open=asyncio.Event())
    crm.open.set()

    async def ask(_: web.Request) -> web.Response:
        crm.asked += 1
        try:
            await crm.open.wait()
        finally:
            crm.asked -= 1
        return web.json_response({"eligible": True})

    application = web.Application()
    application.router.add_post("/ask", ask)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
        crm.url = f"http://127.0.0.1:{runner.addresses[0][1]}/ask"
        yield crm
    finally:
        crm.open.set()
        await runner.cleanup()


@asynccontextmanager
async def _served(folder: Path, crm: Crm) -> AsyncIterator[str]:
    port = free_port()
    (folder / "ozomm.toml").write_text(
        "patience_seconds = 40\nlease_seconds = 240\n"
        f'[sources.crm]\nkind = "http"\nurl = "{crm.url}"\nseconds = 200\nat_once = 2000\n'
        '[[rules]]\nitems = ["E"]\neligibility = "crm"\n'
    )
    with (folder / "events.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _SERVE, "serve", "--config", str(folder / CONFIG), "--port", str(port)),
            *("--admin-port", "0", "--workers", "0"),
            stderr=log,
            env={
                **os.environ,
                "OPENDEPOT_OZOMM_FILE": str(folder / "ozomm.toml"),
                "OPENDEPOT_MAX_CONNECTIONS_PER_ADDRESS": "5000",
            },
        )
    try:
        url = f"http://127.0.0.1:{port}"
        async with DepotClient(url, attempts=60, pause_seconds=0.05) as licensee:
            await licensee.call("GetTicket", depot.GetTicketRequest(ticket=("0" * 25,)))
    except FaultReceived:
        pass  # an answer: it is up
    except ServiceUnreachable:
        process.terminate()
        raise
    try:
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _measured(folder: Path, api_key: str, options: Options) -> list[Run]:
    runs = []
    async with _crm() as crm, _served(folder, crm) as url:
        for number in range(1, options.rounds + 1):
            one = await _round(folder, url, api_key, crm, options, number=number)
            print(f"round {number}/{options.rounds}: {one}", flush=True)
            runs.append(one)
    return runs


async def _round(folder: Path, url: str, api_key: str, crm: Crm, options: Options, *, number: int) -> Run:
    """Measure one kind of request after the other, then the Depot once more while extensions wait."""
    waiting = min(WAITING, options.orders or WAITING)
    async with (
        SalesClient(url, api_key=api_key) as shop,
        DepotClient(url) as licensee,
        OzommClient(url) as client,
    ):
        customers = Customers.made(folder, options, number=number, shop=shop, licensee=licensee, client=client)
        order_us = await customers.median(customers.order)
        customers.export()
        collect_us = await customers.median(customers.collect)
        customers.export()
        extend_us = await customers.median(customers.extend)
        depot_us = await customers.median(customers.look)
        async with _waiting_extensions(url, crm, customers.tickets, waiting, name=f"w-{number}") as held:
            depot_waiting_us = await customers.median(customers.look)
    return Run(
        round=number,
        order_us=order_us,
        collect_us=collect_us,
        extend_us=extend_us,
        depot_us=depot_us,
        depot_waiting_us=depot_waiting_us,
        waiting=held,
    )


@asynccontextmanager
async def _waiting_extensions(
    url: str, crm: Crm, tickets: Sequence[str], count: int, *, name: str
) -> AsyncIterator[int]:
    """Have so many extensions wait for the CRM until the block ends; gives how many do."""
    async with AsyncExitStack() as stack:
        crowd = [
            await stack.enter_async_context(OzommClient(url, timeout_seconds=120)) for _ in range(0, count, A_CLIENT)
        ]

        async def wait(place: int) -> None:
            request = ozomm.ExtendLicenseRequest(transaction_id=f"{name}-{place}", ticket=tickets[place % len(tickets)])
            await crowd[place % len(crowd)].extend_license(request)

        crm.open.clear()
        tasks = [asyncio.create_task(wait(place)) for place in range(count)]
        while crm.asked < count and not any(task.done() for task in tasks):  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.05)  # the server asks the CRM in its own time
        yield crm.asked
        crm.open.set()
        await asyncio.gather(*tasks)


@dataclass(kw_only=True)
class Customers:
    """Those of one round: each has a container, a ticket once it is ordered, and the context that was exported last."""

    number: int
    containers: Sequence[Container]
    shop: SalesClient
    licensee: DepotClient
    client: OzommClient
    tickets: list[str] = field(default_factory=list)
    contexts: list[bytes] = field(default_factory=list)

    @classmethod
    def made(
        cls,
        folder: Path,
        options: Options,
        *,
        number: int,
        shop: SalesClient,
        licensee: DepotClient,
        client: OzommClient,
    ) -> Self:
        """Make as many as a measurement takes."""
        trust = (folder / VENDOR_CERTIFICATE).read_bytes()
        containers = tuple(
            Container.create(
                folder / f"c-{number}-{place}.json", trust_pem=trust, clock=utc_now, random=secrets.token_bytes
            )
            for place in range(max(4, A_SECOND * options.seconds))
        )
        return cls(number=number, containers=containers, shop=shop, licensee=licensee, client=client)

    def export(self) -> None:
        """Have each container export a context."""
        self.contexts = [container.context(FIRM_CODE) for container in self.containers]

    async def median(self, work: Callable[[int], Awaitable[None]]) -> float:
        """Give the median time of one request, each after the other, in microseconds."""
        return await _median(work, len(self.containers))

    async def order(self, place: int) -> None:
        """Order a licence."""
        line = sales.OrderLine(item_number="E", quantity=1)
        request = sales.CreateOrderRequest(transaction_id=f"o-{self.number}-{place}", order_line=(line,))
        self.tickets.append((await self.shop.create_order(request)).ticket)

    async def collect(self, place: int) -> None:
        """Collect it."""
        await self.licensee.get_license_update(
            depot.GetLicenseUpdateRequest(ticket=self.tickets[place], context=self.contexts[place])
        )

    async def extend(self, place: int) -> None:
        """Extend it, with its collection."""
        context = ozomm.ContainerContext(file=self.contexts[place])
        found = await self.client.extend_license(
            ozomm.ExtendLicenseRequest(
                transaction_id=f"x-{self.number}-{place}", ticket=self.tickets[place], context=context
            )
        )
        assert found.state == "Extended", found

    async def look(self, place: int) -> None:
        """Look at it."""
        await self.licensee.get_ticket(self.tickets[place])


async def _median(work: Callable[[int], Awaitable[None]], count: int) -> float:
    """Give the median time of one of so many, in microseconds."""
    found = []
    for place in range(count):
        begun = time.perf_counter()
        await work(place)
        found.append((time.perf_counter() - begun) * 1e6)
    return statistics.median(found)
