"""Contestants in turn, A B C A B C: one measurement each in a round, and whether the measurements can count."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

from benchmarks.contestants import Contestant
from benchmarks.load import Request, send_load
from benchmarks.processes import LOAD_CORE, SERVER_CORE, core_busy_seconds, cpu_seconds, free_port, rss_mib, serving
from benchmarks.report import Figure, Options, Refused, figure_of

LOAD_LIMIT = 0.95
SERVER_LIMIT = 0.90
OTHERS_LIMIT = 0.10


@dataclass(frozen=True, kw_only=True)
class Run:
    """One measurement of one contestant.

    `cpu_us` is the processor time of the server for one request in microseconds. `server_busy` and `load_busy` are
    shares of a core that the server and wrk used, `server_core_others` and `load_core_others` the shares that anybody
    else had of these cores.
    """

    contestant: str
    round: int
    requests: int
    rps: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    rss_mib: float
    server_busy: float
    load_busy: float
    server_core_others: float
    load_core_others: float

    def as_dict(self) -> dict[str, str | float]:
        """Give the fields by name, for the record."""
        return asdict(self)


def run_in_turn(
    contestants: Sequence[Contestant],
    request: Request,
    options: Options,
    *,
    check: Callable[[Contestant, int], int],
    progress: Callable[[str], None],
) -> list[Run]:
    """Measure all contestants once in each round, each time on a new process.

    `check` gets the contestant and its port, proves that an answer is right and gives the bytes of its body. Raises
    Refused when an answer failed or was smaller than that.
    """
    runs = []
    for number in range(1, options.rounds + 1):
        for contestant in contestants:
            run = _measured(contestant, request, options, number=number, check=check)
            progress(f"round {number}/{options.rounds}: {contestant.name} {run.rps:,.0f}/s")
            runs.append(run)
    return runs


def figure(runs: Sequence[Run], contestant: str, measure: Callable[[Run], float]) -> Figure:
    """Give the median and spread of one measure of a contestant. Raises Refused when it has no runs."""
    found = [measure(run) for run in runs if run.contestant == contestant]
    if not found:
        raise Refused(f"{contestant} was not measured")
    return figure_of(found)


def ratio(runs: Sequence[Run], ours: str, peer: str) -> Figure:
    """Give the requests per second of `ours` divided by those of `peer` in the same round, over all rounds.

    Raises Refused when a round lacks one of them.
    """
    for name in (ours, peer):
        figure(runs, name, lambda run: run.rps)
    by_round = {(run.round, run.contestant): run.rps for run in runs}
    rounds = sorted({run.round for run in runs})
    for number in rounds:
        for name in (ours, peer):
            if (number, name) not in by_round:
                raise Refused(f"no ratio of {ours} to {peer}: round {number} has no {name}")
    return figure_of(by_round[number, ours] / by_round[number, peer] for number in rounds)


def refuse_if_unfair(runs: Sequence[Run], options: Options) -> None:
    """Raise Refused when the load generator was the limit, or others were and `options` do not tolerate them."""
    limited = limited_by_load(runs)
    if limited:
        raise Refused(
            f"the load generator was the limit for {', '.join(limited)}: wrk's core was more than 95 % busy and the "
            "server's less than 90 %, so the figures would be wrk's; they need a machine with faster cores"
        )
    starved = starved_by_others(runs)
    if starved and not options.tolerate_others:
        raise Refused(
            f"{', '.join(starved)} got less than 90 % of a core because something else ran on this machine; repeat "
            "when it is quiet, or look at figures that mean little with --tolerate-others"
        )


def limited_by_load(runs: Sequence[Run]) -> list[str]:
    """Give the contestants that waited for the load generator.

    These are the ones for which, in the median, wrk used more than 95 % of its core and the server less than 90 % of
    its own: such a run measures wrk.
    """
    return [
        name
        for name in _names(runs)
        if figure(runs, name, lambda run: run.load_busy).median > LOAD_LIMIT
        and figure(runs, name, lambda run: run.server_busy).median < SERVER_LIMIT
    ]


def starved_by_others(runs: Sequence[Run]) -> list[str]:
    """Give the contestants that did not get their core because others ran on the machine.

    These are the ones for which, in the median, the server used less than 90 % of its core and others more than 10 %
    of its core or of wrk's. Such runs make even ratios wrong: many threads are pushed aside further than one.
    """
    return [
        name
        for name in _names(runs)
        if figure(runs, name, lambda run: run.server_busy).median < SERVER_LIMIT
        and figure(runs, name, _others).median > OTHERS_LIMIT
    ]


def disturbed(runs: Sequence[Run]) -> list[str]:
    """Give a warning for each contestant whose cores were used by others for more than 10 %, in the median."""
    warnings = []
    for name in _names(runs):
        others = figure(runs, name, _others)
        if others.median > OTHERS_LIMIT:
            warnings.append(
                f"{name}: others used {others.median:.0%} of a core meanwhile; repeat on a quiet machine before "
                "believing ratios, requests per second or latencies"
            )
    return warnings


def _others(run: Run) -> float:
    return max(run.server_core_others, run.load_core_others)


def _names(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(run.contestant for run in runs))


def _measured(
    contestant: Contestant,
    request: Request,
    options: Options,
    *,
    number: int,
    check: Callable[[Contestant, int], int],
) -> Run:
    port = free_port()
    request = replace(request, path=contestant.path)
    with serving(
        contestant.command(port),
        port=port,
        core=SERVER_CORE,
        directory=contestant.directory,
        environment=contestant.environment,
    ) as pid:
        body_bytes = check(contestant, port)
        warm_up_seconds = max(options.warm_up_seconds, contestant.warm_up_seconds)
        send_load(request, port=port, seconds=warm_up_seconds, connections=options.connections)
        before = (cpu_seconds(pid), core_busy_seconds(SERVER_CORE), core_busy_seconds(LOAD_CORE))
        load = send_load(request, port=port, seconds=options.seconds, connections=options.connections)
        after = (cpu_seconds(pid), core_busy_seconds(SERVER_CORE), core_busy_seconds(LOAD_CORE))
        memory = rss_mib(pid)
    if load.failures:
        raise Refused(f"{contestant.name}: {load.failures} of {load.requests} requests failed under load")
    if load.answer_bytes < body_bytes:
        raise Refused(f"{contestant.name}: answers under load had {load.answer_bytes:.0f} bytes, not {body_bytes}")
    used, server_core, load_core = (end - start for start, end in zip(before, after, strict=True))
    return Run(
        contestant=contestant.name,
        round=number,
        requests=load.requests,
        rps=load.requests / load.seconds,
        p50_ms=load.p50_ms,
        p99_ms=load.p99_ms,
        cpu_us=used / load.requests * 1e6,
        rss_mib=memory,
        server_busy=used / load.wall_seconds,
        load_busy=load.busy,
        server_core_others=max(0.0, (server_core - used) / load.wall_seconds),
        load_core_others=max(0.0, load_core / load.wall_seconds - load.busy),
    )
