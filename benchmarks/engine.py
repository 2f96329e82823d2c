"""The benchmark `engine`: one SOAP order read, validated and answered, by us and by five engines of others.

Nobody stores anything. Ours is measured bare, as the peers are: without access control and without a log; as it is
shipped (`benchmarks.shipped`), with both, with metrics and readiness; and once more with the rules of orders that come
before storage. A peer takes part with the fastest of its configurations. Each server has one core, wrk the other, with
kept-alive connections. The orders vary in what varies between the orders of a shop.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from benchmarks.checks import ORDER, check_answers, find_refusals, sender
from benchmarks.contestants import THREADS, Contestant, debian_version, module_of_ours, need_packages
from benchmarks.messages import BAD_REQUESTS, varied_orders
from benchmarks.peers import jaxws, node, php
from benchmarks.peers.gsoap import GSOAP
from benchmarks.peers.spyne import SPYNE
from benchmarks.processes import SERVER_CORE, free_port, serving
from benchmarks.report import Figure, Options, Record, Refused, Table, this_machine
from benchmarks.shipped import PATH
from benchmarks.trials import Peer, best_of, trials_table
from benchmarks.turns import Run, disturbed, figure, ratio, refuse_if_unfair, run_in_turn

ORDERS = 4096
"""How many orders there are that differ; they are sent in turn, over and over."""

OURS = module_of_ours("ours", "benchmarks.bare")
SHIPPED = module_of_ours("ours-shipped", "benchmarks.shipped", "--way", "handler", path=PATH)
RULES = module_of_ours("ours-rules", "benchmarks.shipped", "--way", "storage", path=PATH)
OUR_OWN: Mapping[str, Contestant] = {one.name: one for one in (OURS, SHIPPED, RULES)}

PEERS: Mapping[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer(name="gsoap", configurations=(GSOAP,)),
        Peer(name="jaxws", configurations=jaxws.CONFIGURATIONS),
        Peer(name="php", configurations=php.CONFIGURATIONS),
        Peer(name="node", configurations=node.CONFIGURATIONS),
        Peer(name="spyne", configurations=(SPYNE,)),
    )
}
NAMES = (*OUR_OWN, *PEERS)
"""Who takes part, in the order of a round."""

RATIOS: Mapping[str, tuple[str, str]] = {
    "ratio_gsoap": ("ours", "gsoap"),
    "ratio_gsoap_shipped": ("ours-shipped", "gsoap"),
    "ratio_gsoap_rules": ("ours-rules", "gsoap"),
    "ratio_jaxws": ("ours-shipped", "jaxws"),
    "ratio_php": ("ours-shipped", "php"),
    "ratio_node": ("ours-shipped", "node"),
    "ratio_spyne": ("ours", "spyne"),
    "ratio_spyne_shipped": ("ours-shipped", "spyne"),
}
"""Ours and the peer that it is divided by, in requests per second of the same round."""

MEASURES: Mapping[str, Callable[[Run], float]] = {
    "rps": lambda one: one.rps,
    "p50_ms": lambda one: one.p50_ms,
    "p99_ms": lambda one: one.p99_ms,
    "cpu_us": lambda one: one.cpu_us,
    "rss_mib": lambda one: one.rss_mib,
}
"""Given for each contestant: for ours by these names alone, for the others with `_` and the contestant behind."""


def run(options: Options) -> Record:
    """Compare the engine, bare and as shipped, with five others on an order of 1 KB: rate, latency, CPU, memory."""
    names = names_chosen(options)
    need_packages({"wrk": ["wrk"]})
    for name in names:
        if name in OUR_OWN:
            OUR_OWN[name].prepare()
    orders = replace(ORDER, bodies=varied_orders(ORDERS))
    peers = [PEERS[name] for name in names if name in PEERS]
    best, trials = best_of(peers, orders, options, check=_checked, progress=_progress)
    chosen = [best[name] if name in best else OUR_OWN[name] for name in names]
    refusals = {contestant.name: refusals_of(contestant) for contestant in chosen}
    runs = run_in_turn(chosen, orders, options, check=_checked, progress=_progress)
    refuse_if_unfair(runs, options)
    figures, missing = figures_of(runs)
    return Record(
        name="engine",
        machine=this_machine(),
        versions={"wrk": debian_version("wrk"), **{one.name: one.version() for one in chosen}},
        runs=[*(replace(one, round=0).as_dict() for one in trials), *(one.as_dict() for one in runs)],
        figures=figures,
        tables=(trials_table(trials), _contestants_table(runs, chosen), _refusals_table(refusals)),
        warnings=[*missing, *disturbed(runs)],
        details={"refusals": refusals},
    )


def names_chosen(options: Options) -> list[str]:
    """Give who takes part. Raises Refused for names that nobody has and for too many connections."""
    unknown = sorted(set(options.only) - set(NAMES))
    if unknown:
        raise Refused(f"no such contestant: {', '.join(unknown)}; there are {', '.join(NAMES)}")
    if options.connections > THREADS:
        raise Refused(f"{options.connections} connections: the contestants that hold a thread for each have {THREADS}")
    return [name for name in NAMES if name in options.only or not options.only]


def figures_of(runs: Sequence[Run]) -> tuple[dict[str, Figure], list[str]]:
    """Give the figures that the runs bear out, and for each ratio that they do not a sentence why it is not given."""
    figures = {}
    missing = []
    for name, (ours, peer) in RATIOS.items():
        try:
            figures[name] = ratio(runs, ours, peer)
        except Refused as refused:
            missing.append(f"{name} is not given: {refused}")
    for contestant in dict.fromkeys(one.contestant for one in runs):
        behind = "" if contestant == OURS.name else f"_{contestant.removeprefix('ours-')}"
        for name, measure in MEASURES.items():
            figures[f"{name}{behind}"] = figure(runs, contestant, measure)
    return figures, missing


def refusals_of(contestant: Contestant) -> dict[str, bool]:
    """Start a contestant, check that it answers the order, and tell which of the bad requests it refuses.

    Raises Refused when the answer is wrong.
    """
    port = free_port()
    with serving(
        contestant.command(port),
        port=port,
        core=SERVER_CORE,
        directory=contestant.directory,
        environment=contestant.environment,
    ):
        send = sender(port, contestant.path)
        try:
            check_answers(send)
            return find_refusals(send)
        except Refused as refused:
            raise Refused(f"{contestant.name}: {refused}") from None


def _checked(contestant: Contestant, port: int) -> int:
    return check_answers(sender(port, contestant.path))


def _contestants_table(runs: Sequence[Run], chosen: Sequence[Contestant]) -> Table:
    return Table(
        title="Contestants: median (lowest..highest)",
        columns=("contestant", "requests/s", "p50 ms", "p99 ms", "CPU us", "RSS MiB", "server", "wrk", "validates"),
        rows=tuple(
            (
                one.name,
                str(figure(runs, one.name, lambda run: run.rps)),
                str(figure(runs, one.name, lambda run: run.p50_ms)),
                str(figure(runs, one.name, lambda run: run.p99_ms)),
                str(figure(runs, one.name, lambda run: run.cpu_us)),
                f"{figure(runs, one.name, lambda run: run.rss_mib).median:.0f}",
                f"{figure(runs, one.name, lambda run: run.server_busy).median:.0%}",
                f"{figure(runs, one.name, lambda run: run.load_busy).median:.0%}",
                one.validates,
            )
            for one in chosen
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
