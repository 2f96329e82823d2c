"""The benchmark `cycle`: order, collect and confirm through the whole server, durable, on SQLite and on PostgreSQL.

The server is `opendepot serve` with its default settings, on its core and on a new database; the clients are on the
other. The stages are phases: all customers order, then all collect, then all confirm, so that the server's processor
time is known for each stage. Before what is measured, all customers go through a cycle that is not: the server is warm,
and each container holds a licence already. PostgreSQL then takes its statistics, as it does by itself within a minute.
"""

import asyncio
import json
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.collecting import read_requests, write_requests
from benchmarks.contestants import CACHE, ROOT
from benchmarks.cycling import FIRM_CODE, HOLDING, ITEM, STAGES, Customers
from benchmarks.postgres import own_postgres
from benchmarks.processes import LOAD_CORE, SERVER_CORE, core_busy_seconds, cpu_seconds, free_port, run_pinned, serving
from benchmarks.report import Figure, Options, Record, Refused, Table, figure_of, this_machine
from benchmarks.turns import LOAD_LIMIT, OTHERS_LIMIT
from server.cli.initialise import CONFIG, VENDOR_CERTIFICATE, initialise
from server.core import opened_core
from server.settings import Settings, load_settings

DATABASES = ("sqlite", "postgres")
CYCLES_A_SECOND = 400
"""Cycles for each second that a measurement shall take, and as many before it."""
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where the customers' containers are: what they write is not what is measured."""
_SERVE = "from server.cli.main import main; main()"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One stage on one database in one round.

    `p50_ms` and `p99_ms` are times of one request among those of all connections; `cpu_us` and `database_cpu_us` are
    the processor time for one of the server (supervisor and worker) and of PostgreSQL, in microseconds. `others` is the
    share of the server's core that neither of them used, `load_busy` that of the other core which the clients used.
    """

    database: str
    round: int
    stage: str
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    database_cpu_us: float
    others: float
    load_busy: float


def run(options: Options) -> Record:
    """Measure order, collection and confirmation through the whole server, durable: rate, times and CPU of each."""
    chosen = [name for name in DATABASES if name in options.only or not options.only]
    if not chosen:
        raise Refused(f"--only names no database; there are {', '.join(DATABASES)}")
    runs: list[Run] = []
    if "postgres" not in chosen:
        runs = _rounds(options, chosen, None)
        versions = {}
    else:
        with own_postgres(shared_buffers="256MB", autovacuum="on", max_wal_size="2GB") as postgres:
            runs = _rounds(options, chosen, postgres)
            ((version,),) = postgres.run("SHOW server_version", database="postgres")
        versions = {"postgresql": str(version)}
    return record_of(runs, options, versions={"sqlite": sqlite3.sqlite_version, **versions})


def _rounds(options: Options, databases: Sequence[str], postgres: Any) -> list[Run]:
    runs = []
    for number in range(1, options.rounds + 1):
        for database in databases:
            found = _measured(database, options, number=number, postgres=postgres)
            told = ", ".join(f"{one.stage} {one.per_second:,.0f}/s {one.cpu_us:,.0f} us" for one in found)
            print(f"round {number}/{options.rounds}: {database}: {told}", flush=True)
            runs += found
    return runs


def record_of(runs: Sequence[Run], options: Options, *, versions: Mapping[str, str]) -> Record:
    """Give the record.

    Raises Refused when the clients were the limit, or others had the server's core and that is not tolerated.
    """
    limited = [f"{one.database} {one.stage}, round {one.round}" for one in runs if one.load_busy > LOAD_LIMIT]
    if limited:
        raise Refused(f"the clients were the limit ({'; '.join(limited)}); take fewer --connections")
    disturbed = [f"{one.database} {one.stage}, round {one.round}" for one in runs if one.others > OTHERS_LIMIT]
    if disturbed and not options.tolerate_others:
        raise Refused(
            f"something else used more than 10 % of the server's core ({'; '.join(disturbed)}); repeat when it is "
            "quiet, or look at figures that mean little with --tolerate-others"
        )
    databases = list(dict.fromkeys(one.database for one in runs))
    return Record(
        name="cycle",
        machine=this_machine(),
        versions=versions,
        runs=[asdict(one) for one in runs],
        figures={name: figure for database in databases for name, figure in _figures(runs, database).items()},
        tables=(_table(runs, databases, options.connections),),
        warnings=[f"others used more than 10 % of the server's core: {'; '.join(disturbed)}"] if disturbed else [],
    )


def _figures(runs: Sequence[Run], database: str) -> dict[str, Figure]:
    rounds = sorted({one.round for one in runs})
    own = {(one.round, one.stage): one for one in runs if one.database == database}

    def summed(measure: Callable[[Run], float]) -> list[float]:
        return [sum(measure(own[number, stage]) for stage in STAGES) for number in rounds]

    def of(stage: str, measure: Callable[[Run], float]) -> Figure:
        return figure_of(measure(own[number, stage]) for number in rounds)

    figures = {
        f"{database}_cycles_per_second": figure_of(1 / seconds for seconds in summed(lambda x: 1 / x.per_second)),
        f"{database}_cpu_us_cycle": figure_of(summed(lambda one: one.cpu_us)),
    }
    for stage in STAGES:
        figures[f"{database}_{stage}_per_second"] = of(stage, lambda one: one.per_second)
        figures[f"{database}_p50_ms_{stage}"] = of(stage, lambda one: one.p50_ms)
        figures[f"{database}_p99_ms_{stage}"] = of(stage, lambda one: one.p99_ms)
        figures[f"{database}_cpu_us_{stage}"] = of(stage, lambda one: one.cpu_us)
        if database == "postgres":
            figures[f"{database}_database_cpu_us_{stage}"] = of(stage, lambda one: one.database_cpu_us)
    return figures


def _table(runs: Sequence[Run], databases: Sequence[str], connections: int) -> Table:
    measures: dict[str, Callable[[Run], float]] = {
        "per second": lambda one: one.per_second,
        "p50 ms": lambda one: one.p50_ms,
        "p99 ms": lambda one: one.p99_ms,
        "CPU us": lambda one: one.cpu_us,
        "database CPU us": lambda one: one.database_cpu_us,
    }

    def row(database: str, stage: str) -> tuple[str, ...]:
        own = [one for one in runs if (one.database, one.stage) == (database, stage)]
        return (f"{database}, {stage}", *(str(figure_of(map(measure, own))) for measure in measures.values()))

    return Table(
        title=f"Each stage on {connections} connections: median (lowest..highest)",
        columns=("stage", *measures),
        rows=tuple(row(database, stage) for database in databases for stage in STAGES),
    )


def _measured(database: str, options: Options, *, number: int, postgres: Any) -> list[Run]:
    """Have all customers go through a cycle twice, on a new server, and measure the second."""
    CACHE.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="cycle-", dir=CACHE))
    name = postgres.new_database() if database == "postgres" else None
    address = {} if name is None else {"database": postgres.address(name)}
    count = CYCLES_A_SECOND * options.seconds
    try:
        initialise(folder / "depot")
        config = folder / "depot" / CONFIG
        api_key = asyncio.run(_prepared(load_settings(config, **address)))
        port = free_port()
        words = ("serve", "--config", str(config), "--port", str(port), "--admin-port", "0")
        with (
            tempfile.TemporaryDirectory(dir=IN_MEMORY) as containers,
            serving(
                [sys.executable, "-c", _SERVE, *words],
                port=port,
                core=SERVER_CORE,
                directory=ROOT,
                environment={f"OPENDEPOT_{setting.upper()}": value for setting, value in address.items()},
            ) as pid,
        ):
            trust = (folder / "depot" / VENDOR_CERTIFICATE).read_bytes()
            customers = Customers.made(Path(containers), count, api_key=api_key, trust_pem=trust)
            cycle = _Cycle(customers=customers, folder=folder, port=port, pid=pid, options=options, postgres=postgres)
            cycle.through(database, number=number)
            if name is not None:
                postgres.run("ANALYZE", database=name)
            found = cycle.through(database, number=number)
            if customers.held() != 2 * count:
                raise Refused(f"{customers.held()} licences are in the containers of {2 * count} cycles")
        _check_stored(folder / "depot", postgres, name, confirmed=2 * count)
    finally:
        shutil.rmtree(folder)
    return found


async def _prepared(settings: Settings) -> str:
    """Add the item and a shop, and give its key."""
    async with opened_core(settings) as core:
        await core.catalogue.add_item(item_number=ITEM, firm_code=FIRM_CODE, product_code=1)
        _, api_key = await core.catalogue.add_shop("benchmark")
    return api_key


@dataclass(frozen=True, kw_only=True)
class _Cycle:
    """A server and its customers."""

    customers: Customers
    folder: Path
    port: int
    pid: int
    options: Options
    postgres: Any

    def through(self, database: str, *, number: int) -> list[Run]:
        """Have all customers go through a cycle, and give what each stage took."""
        make: dict[str, Callable[[Sequence[bytes]], list[bytes]]] = {
            "order": lambda _: self.customers.orders(),
            "collect": self.customers.collections,
            "confirm": self.customers.confirmations,
        }
        found: list[Run] = []
        answers: list[bytes] = []
        for stage in STAGES:
            taken, answers = self._stage(stage, make[stage](answers))
            found.append(Run(database=database, round=number, stage=stage, **taken))
        return found

    def _stage(self, stage: str, requests: Sequence[bytes]) -> tuple[dict[str, float], list[bytes]]:
        """Send the requests of a stage, and give what was measured and the answers.

        Raises Refused when an answer was not good.
        """
        file, kept = self.folder / "requests", self.folder / "answers"
        write_requests(file, requests)
        words = ("--file", str(file), "--answers", str(kept), "--holding", HOLDING[stage])
        command = [sys.executable, "-m", "benchmarks.collecting", "load", *words, "--port", str(self.port)]
        command += ["--connections", str(self.options.connections)]
        before = self._used()
        load = run_pinned(command, core=LOAD_CORE, limit_seconds=60 * self.options.seconds + 60)
        server, database, busy = (now - then for now, then in zip(self._used(), before, strict=True))
        sent = json.loads(load.output)
        if sent["answered"] != len(requests):
            raise Refused(f"{stage}: {len(requests) - sent['answered']:.0f} of {len(requests)} answers were not good")
        taken = {
            "per_second": len(requests) / sent["seconds"],
            "p50_ms": sent["p50_ms"],
            "p99_ms": sent["p99_ms"],
            "cpu_us": server / len(requests) * 1e6,
            "database_cpu_us": database / len(requests) * 1e6,
            # PostgreSQL may run on either core.
            "others": max(0.0, (busy - server - database) / load.wall_seconds),
            "load_busy": sent["cpu_seconds"] / sent["seconds"],
        }
        return taken, list(read_requests(kept))

    def _used(self) -> tuple[float, float, float]:
        database = 0.0 if self.postgres is None else cpu_seconds(self.postgres.process_id)
        return cpu_seconds(self.pid), database, core_busy_seconds(SERVER_CORE)


def _check_stored(folder: Path, postgres: Any, database: str | None, *, confirmed: int) -> None:
    """Raise Refused unless every confirmed collection is in the database."""
    count = "SELECT count(*) FROM placements WHERE wanted = 1 AND occupied = 1 AND confirmed = 1"
    if database is not None:
        ((stored,),) = postgres.run(count, database=database)
        postgres.run(f"DROP DATABASE {database}", database="postgres")
    else:
        with closing(sqlite3.connect(folder / "opendepot.sqlite3")) as connection:
            ((stored,),) = connection.execute(count).fetchall()
    if stored != confirmed:
        raise Refused(f"{confirmed} collections were confirmed, and {stored} are in the database")
