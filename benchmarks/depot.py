"""The benchmark `depot`: a collection beside the bare cryptography it needs, and among a million tickets.

Each request is GetLicenseUpdate by a container that the server has not met, for a ticket that nobody has collected
from, through the whole server on SQLite. `ratio_raw` is its time against that of a P-256 verification, a signature and
its share of a durable commit; `ratio_million` that among 1,000,000 tickets against that among 1,000.
"""

import asyncio
import json
import secrets
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from benchmarks.collecting import write_requests
from benchmarks.contestants import CACHE, ROOT
from benchmarks.multiplying import multiply_sqlite
from benchmarks.processes import (
    LOAD_CORE,
    SERVER_CORE,
    core_busy_seconds,
    cpu_seconds,
    free_port,
    run_pinned,
    serving,
)
from benchmarks.report import Options, Record, Refused, Table, figure_of, this_machine
from benchmarks.turns import OTHERS_LIMIT
from containers import START, Context, render_context, software_serial
from containers.signatures import public_key_der, sign_raw
from containers.states import state_digest
from licensing.orders import OrderLine, OrderRequest
from server.cli.initialise import CONFIG, initialise
from server.core import Core, opened_core
from server.settings import Settings, load_settings
from soap import ClientEngine, Version, load_contract
from soap.messages import depot
from storage.records import Shop

SMALL, LARGE = 1_000, 1_000_000
FIRM_CODE = 6_000_010
A_SECOND = 400
"""Collections for each second that a measurement shall take, and as many for the warm-up."""
AT_ONCE = 256
SEALED_AT_ONCE = 20_000
_SERVE = "from server.cli.main import main; main()"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One measurement: of the server among `held` tickets, or (`held` 0) of the bare cryptography and commit.

    `each_us` is the time for one, `cpu_us` the server's processor time for it, `others` the share of the server's core
    that others used.
    """

    what: str
    round: int
    held: int
    each_us: float
    cpu_us: float = 0.0
    others: float = 0.0

    def as_dict(self) -> dict[str, str | float]:
        """Give the fields by name, for the record."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Stocked:
    """A folder with a server whose database holds so many tickets."""

    folder: Path
    held: int

    @property
    def settings(self) -> Settings:
        """The server's settings."""
        return load_settings(self.folder / CONFIG)


def run(options: Options) -> Record:
    """Measure GetLicenseUpdate against the bare cryptography with its commit, and among many tickets against few."""
    runs: list[Run] = []
    CACHE.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="depot-", dir=CACHE))
    try:
        stocks = [_stocked(folder / str(held), held) for held in (SMALL, options.orders or LARGE)]
        for number in range(1, options.rounds + 1):
            found = [_raw(options, number=number, folder=folder)]
            found += [_collected(stock, options, number=number) for stock in stocks]
            told = ", ".join(f"{one.what} {one.held:,}: {one.each_us:,.0f} us" for one in found)
            print(f"round {number}/{options.rounds}: {told}", flush=True)
            runs += found
    finally:
        shutil.rmtree(folder)
    return record_of(runs, options)


def record_of(runs: Sequence[Run], options: Options) -> Record:
    """Give the record. Raises Refused when others had the server's core and that is not tolerated."""
    disturbed = [f"{one.held:,} tickets, round {one.round}" for one in runs if one.others > OTHERS_LIMIT]
    if disturbed and not options.tolerate_others:
        raise Refused(
            f"something else used more than 10 % of the server's core ({'; '.join(disturbed)}); repeat when it is "
            "quiet, or look at figures that mean little with --tolerate-others"
        )
    raws, smalls, larges = (runs[start::3] for start in range(3))

    def ratio(above: Sequence[Run], below: Sequence[Run]) -> list[float]:
        return [one.each_us / other.each_us for one, other in zip(above, below, strict=True)]

    return Record(
        name="depot",
        machine=this_machine(),
        versions={"sqlite": sqlite3.sqlite_version},
        runs=[one.as_dict() for one in runs],
        figures={
            "ratio_raw": figure_of(ratio(smalls, raws)),
            "ratio_million": figure_of(ratio(larges, smalls)),
            "each_us": figure_of(one.each_us for one in smalls),
            "cpu_us": figure_of(one.cpu_us for one in smalls),
            "raw_us": figure_of(one.each_us for one in raws),
        },
        tables=(_table((raws, smalls, larges)),),
        warnings=[f"others used more than 10 % of the server's core: {'; '.join(disturbed)}"] if disturbed else [],
    )


def _table(kinds: Sequence[Sequence[Run]]) -> Table:
    def told(found: Sequence[Run], measure: Callable[[Run], float]) -> str:
        return str(figure_of(map(measure, found)))

    return Table(
        title="Microseconds for one: median (lowest..highest)",
        columns=("what", "tickets", "each us", "CPU us"),
        rows=tuple(
            (found[0].what, f"{found[0].held:,}", told(found, lambda x: x.each_us), told(found, lambda x: x.cpu_us))
            for found in kinds
        ),
    )


def _raw(options: Options, *, number: int, folder: Path) -> Run:
    answered, seconds = _measured(
        "raw", "--seconds", str(options.seconds), "--folder", str(folder), options=options, core=SERVER_CORE
    )
    return Run(what="verify, sign, commit", round=number, held=0, each_us=seconds / answered * 1e6)


def _collected(stock: Stocked, options: Options, *, number: int) -> Run:
    """Let new containers collect from new tickets, each once."""
    counts = [A_SECOND * options.warm_up_seconds, A_SECOND * options.seconds]
    files = [stock.folder / "warm-up.requests", stock.folder / "load.requests"]
    for file, count in zip(files, counts, strict=True):
        write_requests(file, asyncio.run(_requests(stock.settings, count)))
    port = free_port()
    arguments = ("serve", "--config", str(stock.folder / CONFIG), "--port", str(port), "--admin-port", "0")
    command = [sys.executable, "-c", _SERVE, *arguments, "--workers", "0"]
    with serving(command, port=port, core=SERVER_CORE, directory=ROOT) as pid:
        _load(files[0], port=port, options=options, expected=counts[0])
        before = cpu_seconds(pid), core_busy_seconds(SERVER_CORE)
        seconds = _load(files[1], port=port, options=options, expected=counts[1])
        used, busy = cpu_seconds(pid) - before[0], core_busy_seconds(SERVER_CORE) - before[1]
    return Run(
        what="GetLicenseUpdate",
        round=number,
        held=stock.held,
        each_us=seconds / counts[1] * 1e6,
        cpu_us=used / counts[1] * 1e6,
        others=max(0.0, (busy - used) / seconds),
    )


def _load(file: Path, *, port: int, options: Options, expected: int) -> float:
    answered, seconds = _measured("load", "--file", str(file), "--port", str(port), options=options, core=LOAD_CORE)
    if answered != expected:
        raise Refused(f"{expected - answered:.0f} of {expected} collections were not answered with a file")
    return seconds


def _measured(what: str, *arguments: str, options: Options, core: int) -> tuple[float, float]:
    command = [sys.executable, "-m", "benchmarks.collecting", what, *arguments]
    command += ["--connections", str(options.connections)]
    found = json.loads(run_pinned(command, core=core, limit_seconds=60 * options.seconds + 60).output)
    return found["answered"], found["seconds"]


def _stocked(folder: Path, held: int) -> Stocked:
    initialise(folder)
    stock = Stocked(folder=folder, held=held)
    asyncio.run(_prepare(stock.settings))
    with closing(sqlite3.connect(stock.settings.database)) as database:
        if database.execute("SELECT count(*) FROM tickets").fetchone() != (1,):
            raise Refused("a new server's database should hold the one order that is multiplied")
    multiply_sqlite(Path(stock.settings.database), held)
    asyncio.run(_seal(stock.settings))
    return stock


async def _seal(settings: Settings) -> None:
    async with opened_core(settings) as core:
        await _sealed(core)


async def _sealed(core: Core) -> None:
    """Seal the audit of what was ordered, which a server has done long before anybody collects it."""
    while (await core.sealer.seal(most=SEALED_AT_ONCE)).more:
        pass


async def _prepare(settings: Settings) -> None:
    async with opened_core(settings) as core:
        await core.catalogue.add_item(item_number="A", firm_code=FIRM_CODE, product_code=1)
        shop, api_key = await core.catalogue.add_shop("benchmark")
        await _ticket(core, shop)
    (Path(settings.database).parent / "api-key").write_text(api_key, encoding="ascii")


async def _ticket(core: Core, shop: Shop) -> str:
    name = secrets.token_hex(16)
    line = OrderLine(item_number="A", quantity=1)
    request = OrderRequest(transaction_id=name, order_number=name, lines=(line,))
    return (await core.sales.create_order(shop=shop, request=request)).ticket


async def _requests(settings: Settings, count: int) -> list[bytes]:
    """Order so many licences and give a whole HTTP request for each, by a container of its own."""
    async with opened_core(settings) as core:
        api_key = (Path(settings.database).parent / "api-key").read_text(encoding="ascii")
        shop = await core.catalogue.find_shop(api_key, None)
        if shop is None:
            raise Refused("the benchmark's shop is gone")
        tickets: list[str] = []
        while len(tickets) < count:
            some = min(AT_ONCE, count - len(tickets))
            tickets += await asyncio.gather(*(_ticket(core, shop) for _ in range(some)))
        await _sealed(core)
    engine = ClientEngine(load_contract("v1/depot.wsdl"), depot, version=Version.SOAP12)
    return [_request(engine, ticket) for ticket in tickets]


def _request(engine: ClientEngine, ticket: str) -> bytes:
    message = depot.GetLicenseUpdateRequest(ticket=ticket, context=new_context())
    request = engine.request("GetLicenseUpdate", message)
    headers = {"Host": "127.0.0.1", **request.headers, "Content-Length": str(len(request.body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /v1/depot HTTP/1.1\r\n{head}\r\n".encode() + request.body


def new_context() -> bytes:
    """Give the first context of a new container, which never was a file."""
    key = ec.generate_private_key(ec.SECP256R1())
    public_key = public_key_der(key.public_key())
    context = Context(
        serial=software_serial(public_key),
        firm_code=FIRM_CODE,
        public_key=public_key,
        export=1,
        nonce=secrets.token_bytes(16),
        counter=START,
        listing=(),
        digest=state_digest(()),
        last_step=None,
        time=datetime.now(UTC).replace(microsecond=0),
    )
    return render_context(context, sign=lambda data: sign_raw(key, data))
