"""The benchmark `orders`: durable orders through the whole server, committed together or one by one.

Every server is `opendepot serve` in all but its way to commit (`benchmarks/ordering.py`), on a new database. No order
is sent twice, and each that was answered must stand in the database afterwards.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.checks import ORDER, check_orders
from benchmarks.contestants import CACHE, ROOT, debian_version, module_of_ours, need_packages
from benchmarks.load import Load, send_load
from benchmarks.messages import CREATE_ORDER, ORDER_NUMBER, TRANSACTION_ID
from benchmarks.ordering import KEY_FILE
from benchmarks.postgres import own_postgres
from benchmarks.processes import SERVER_CORE, core_busy_seconds, cpu_seconds, free_port, serving
from benchmarks.report import Figure, Options, Record, Refused, Table, figure_of, this_machine
from benchmarks.turns import OTHERS_LIMIT

CONNECTIONS = 64
NUMBER = "5c1f7a52-8f0e-4d6b-9d0a-2b7b0a3f6c11"
_BODY = CREATE_ORDER.replace(TRANSACTION_ID, NUMBER.encode()).replace(ORDER_NUMBER, NUMBER.encode())


@dataclass(frozen=True, kw_only=True)
class Way:
    """A database and a way to commit orders."""

    database: str
    way: str

    @property
    def name(self) -> str:
        """What stands in tables."""
        return f"{self.database}, {self.way}"


SQLITE = Way(database="sqlite", way="batched")
SQLITE_EACH = Way(database="sqlite", way="commit-per-order")
POSTGRES = Way(database="postgresql", way="batched")
POSTGRES_CTE = Way(database="postgresql", way="cte-per-order")
WAYS = (SQLITE, SQLITE_EACH, POSTGRES, POSTGRES_CTE)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One server on a new database, asked by many connections and then by one.

    `cpu_us` and `database_cpu_us` are the processor time for an order of the server and of PostgreSQL, in microseconds;
    `written_bytes` is what the server wrote to the disk for an order (SQLite), or PostgreSQL to its log. `others` is
    the share of the server's core that neither of them used.
    """

    contestant: str
    round: int
    rps: float
    p50_ms: float
    p99_ms: float
    lone_p50_ms: float
    cpu_us: float
    database_cpu_us: float
    written_bytes: float
    others: float

    def as_dict(self) -> dict[str, str | float]:
        """Give the fields by name, for the record."""
        return asdict(self)


def run(options: Options) -> Record:
    """Compare orders committed together and one by one, on SQLite and on PostgreSQL, and a lone order's p50."""
    need_packages({"wrk": ["wrk"], "postgresql": []})
    module_of_ours("ours", "benchmarks.ordering").prepare()
    runs = []
    with own_postgres(shared_buffers="256MB", autovacuum="on", max_wal_size="2GB") as postgres:
        for number in range(1, options.rounds + 1):
            for way in WAYS:
                found = _measured(way, options, number=number, postgres=postgres)
                print(f"round {number}/{options.rounds}: {way.name} {found.rps:,.0f}/s", flush=True)
                runs.append(found)
    others = [f"{found.contestant}, round {found.round}" for found in runs if found.others > OTHERS_LIMIT]
    if others and not options.tolerate_others:
        raise Refused(
            f"something else used more than 10 % of the server's core ({'; '.join(others)}); repeat when it is quiet, "
            "or look at figures that mean little with --tolerate-others"
        )
    return Record(
        name="orders",
        machine=this_machine(),
        versions={
            "wrk": debian_version("wrk"),
            "sqlite": sqlite3.sqlite_version,
            "ours": module_of_ours("ours", "benchmarks.ordering").version(),
        },
        runs=[found.as_dict() for found in runs],
        figures={
            "ratio_sqlite_commit_per_order": _ratio(runs, SQLITE, SQLITE_EACH, lambda one: one.rps),
            "ratio_postgres_cte": _ratio(runs, POSTGRES, POSTGRES_CTE, lambda one: one.rps),
            "ratio_lone_p50": _ratio(runs, SQLITE, SQLITE_EACH, lambda one: one.lone_p50_ms),
            "ratio_lone_p50_postgres": _ratio(runs, POSTGRES, POSTGRES_CTE, lambda one: one.lone_p50_ms),
        },
        tables=(_table(runs),),
        warnings=[f"others used more than 10 % of the server's core: {'; '.join(others)}"] if others else [],
    )


def _ratio(runs: Sequence[Run], ours: Way, other: Way, measure: Callable[[Run], float]) -> Figure:
    by_round = {(one.round, one.contestant): measure(one) for one in runs}
    rounds = sorted({one.round for one in runs})
    return figure_of(by_round[number, ours.name] / by_round[number, other.name] for number in rounds)


def _measured(way: Way, options: Options, *, number: int, postgres: Any) -> Run:
    port = free_port()
    CACHE.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="orders-", dir=CACHE))
    arguments = ["--folder", str(folder / "depot"), "--way", way.way]
    database = postgres.new_database() if way.database == "postgresql" else None
    if database is not None:
        arguments += ["--database", postgres.address(database)]
    ours = module_of_ours(way.name, "benchmarks.ordering", *arguments)
    try:
        with serving(ours.command(port), port=port, core=SERVER_CORE, directory=ROOT) as pid:
            key = (folder / "depot" / KEY_FILE).read_text(encoding="ascii")
            request = replace(
                ORDER, body=_BODY, number=NUMBER, headers={**ORDER.headers, "Authorization": f"Bearer {key}"}
            )
            check_orders(port, request)
            send_load(request, port=port, seconds=options.warm_up_seconds, connections=CONNECTIONS)
            before = _counted(pid, postgres)
            load = send_load(request, port=port, seconds=options.seconds, connections=CONNECTIONS)
            used = [after - start for after, start in zip(_counted(pid, postgres), before, strict=True)]
            lone = send_load(request, port=port, seconds=options.seconds, connections=1)
        _check_stored(folder / "depot", postgres, database, answered=load.requests + lone.requests)
    finally:
        shutil.rmtree(folder)
    for one in (load, lone):
        if one.failures:
            raise Refused(f"{way.name}: {one.failures} of {one.requests} orders failed under load")
    return _run_of(way, number, load, lone, used)


def _run_of(way: Way, number: int, load: Load, lone: Load, used: Sequence[float]) -> Run:
    server, database, written, logged, core = used
    return Run(
        contestant=way.name,
        round=number,
        rps=load.requests / load.seconds,
        p50_ms=load.p50_ms,
        p99_ms=load.p99_ms,
        lone_p50_ms=lone.p50_ms,
        cpu_us=server / load.requests * 1e6,
        database_cpu_us=database / load.requests * 1e6,
        written_bytes=(logged if way.database == "postgresql" else written) / load.requests,
        # PostgreSQL may run on either core.
        others=max(0.0, (core - server - database) / load.wall_seconds),
    )


def _counted(pid: int, postgres: Any) -> tuple[float, float, int, int, float]:
    written = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text(encoding="utf-8").splitlines())
    ((logged,),) = postgres.run("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn", database="postgres")
    return (
        cpu_seconds(pid),
        cpu_seconds(postgres.process_id),
        int(written["write_bytes"]),
        int(logged),
        core_busy_seconds(SERVER_CORE),
    )


def _check_stored(folder: Path, postgres: Any, database: str | None, *, answered: int) -> None:
    count = "SELECT count(*) FROM orders"
    if database is not None:
        ((stored,),) = postgres.run(count, database=database)
        postgres.run(f"DROP DATABASE {database}", database="postgres")
    else:
        connection = sqlite3.connect(folder / "opendepot.sqlite3")
        ((stored,),) = connection.execute(count).fetchall()
        connection.close()
    if stored < answered:
        raise Refused(f"{answered} orders were answered, and {stored} are in the database")


def _table(runs: Sequence[Run]) -> Table:
    def median(way: Way, measure: Callable[[Run], float]) -> str:
        return str(figure_of(measure(one) for one in runs if one.contestant == way.name))

    measures: dict[str, Callable[[Run], float]] = {
        "orders/s": lambda one: one.rps,
        "p50 ms": lambda one: one.p50_ms,
        "p99 ms": lambda one: one.p99_ms,
        "lone p50 ms": lambda one: one.lone_p50_ms,
        "CPU us": lambda one: one.cpu_us,
        "database CPU us": lambda one: one.database_cpu_us,
        "bytes written": lambda one: one.written_bytes,
    }
    return Table(
        title=f"Orders on {CONNECTIONS} connections: median (lowest..highest)",
        columns=("way", *measures),
        rows=tuple((way.name, *(median(way, measure) for measure in measures.values())) for way in WAYS),
    )
