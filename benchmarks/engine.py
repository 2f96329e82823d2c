"""The benchmark `engine`: one SOAP order read, validated and answered, by us and by peers in C and in Python.

No storage, no access control, no log. Each server has one core, wrk the other, with kept-alive connections.
"""

from collections.abc import Callable, Mapping, Sequence

from benchmarks.checks import ORDER, check_answers, find_refusals, sender
from benchmarks.contestants import THREADS, Contestant, debian_version, module_of_ours, need_packages
from benchmarks.messages import BAD_REQUESTS
from benchmarks.peers.gsoap import GSOAP
from benchmarks.peers.spyne import SPYNE
from benchmarks.processes import SERVER_CORE, free_port, serving
from benchmarks.report import Figure, Options, Record, Refused, Table, this_machine
from benchmarks.turns import Run, disturbed, figure, ratio, refuse_if_unfair, run_in_turn

OURS = module_of_ours("ours", "benchmarks.bare")
CONTESTANTS: Mapping[str, Contestant] = {contestant.name: contestant for contestant in (OURS, GSOAP, SPYNE)}


def run(options: Options) -> Record:
    """Compare the bare engine with gSOAP and Spyne on one order of 1 KB: requests per second, latency, CPU, memory."""
    chosen = [contestant for name, contestant in CONTESTANTS.items() if not options.only or name in options.only]
    unknown = sorted(set(options.only) - set(CONTESTANTS))
    if unknown:
        raise Refused(f"no such contestant: {', '.join(unknown)}; there are {', '.join(CONTESTANTS)}")
    if options.connections > THREADS:
        raise Refused(f"{options.connections} connections: the contestants that hold a thread for each have {THREADS}")
    need_packages({"wrk": ["wrk"]})
    for contestant in chosen:
        contestant.prepare()
    refusals = {contestant.name: _refusals(contestant) for contestant in chosen}
    runs = run_in_turn(chosen, ORDER, options, check=lambda port: check_answers(sender(port)), progress=_progress)
    refuse_if_unfair(runs, options)
    figures, missing = figures_of(runs)
    return Record(
        name="engine",
        machine=this_machine(),
        versions={"wrk": debian_version("wrk"), **{one.name: one.version() for one in chosen}},
        runs=[one.as_dict() for one in runs],
        figures=figures,
        tables=(_contestants_table(runs, [one.name for one in chosen]), _refusals_table(refusals)),
        warnings=[*missing, *disturbed(runs)],
        details={"refusals": refusals},
    )


def figures_of(runs: Sequence[Run]) -> tuple[dict[str, Figure], list[str]]:
    """Give the figures that the runs bear out, and for each of the others a sentence why it is not given."""
    wanted: dict[str, Callable[[], Figure]] = {
        "ratio_gsoap": lambda: ratio(runs, OURS.name, GSOAP.name),
        "ratio_spyne": lambda: ratio(runs, OURS.name, SPYNE.name),
        "rps": lambda: figure(runs, OURS.name, lambda one: one.rps),
        "p50_ms": lambda: figure(runs, OURS.name, lambda one: one.p50_ms),
        "p99_ms": lambda: figure(runs, OURS.name, lambda one: one.p99_ms),
        "cpu_us": lambda: figure(runs, OURS.name, lambda one: one.cpu_us),
        "rss_mib": lambda: figure(runs, OURS.name, lambda one: one.rss_mib),
    }
    figures = {}
    missing = []
    for name, calculate in wanted.items():
        try:
            figures[name] = calculate()
        except Refused as refused:
            missing.append(f"{name} is not given: {refused}")
    return figures, missing


def _refusals(contestant: Contestant) -> dict[str, bool]:
    port = free_port()
    with serving(
        contestant.command(port),
        port=port,
        core=SERVER_CORE,
        directory=contestant.directory,
        environment=contestant.environment,
    ):
        send = sender(port)
        try:
            check_answers(send)
            return find_refusals(send)
        except Refused as refused:
            raise Refused(f"{contestant.name}: {refused}") from None


def _contestants_table(runs: Sequence[Run], names: Sequence[str]) -> Table:
    return Table(
        title="Contestants: median (lowest..highest)",
        columns=("contestant", "requests/s", "p50 ms", "p99 ms", "CPU us", "RSS MiB", "server busy", "wrk busy"),
        rows=tuple(
            (
                name,
                str(figure(runs, name, lambda one: one.rps)),
                str(figure(runs, name, lambda one: one.p50_ms)),
                str(figure(runs, name, lambda one: one.p99_ms)),
                str(figure(runs, name, lambda one: one.cpu_us)),
                f"{figure(runs, name, lambda one: one.rss_mib).median:.0f}",
                f"{figure(runs, name, lambda one: one.server_busy).median:.0%}",
                f"{figure(runs, name, lambda one: one.load_busy).median:.0%}",
            )
            for name in names
        ),
    )


def _refusals_table(refusals: Mapping[str, Mapping[str, bool]]) -> Table:
    return Table(
        title="Bad requests that were refused",
        columns=("request", *refusals),
        rows=tuple(
            (bad, *("refused" if found[bad] else "TAKEN" for found in refusals.values())) for bad in BAD_REQUESTS
        ),
    )


def _progress(line: str) -> None:
    print(line, flush=True)
