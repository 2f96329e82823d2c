"""The benchmark `workers`: does a request cost more when two workers share the socket?"""

from dataclasses import replace

from benchmarks.checks import ORDER, check_answers, sender
from benchmarks.contestants import Contestant, debian_version, module_of_ours, need_packages
from benchmarks.engine import ORDERS
from benchmarks.messages import varied_orders
from benchmarks.report import Options, Record, Table, figure_of, this_machine
from benchmarks.turns import disturbed, figure, refuse_if_unfair, run_in_turn

ONE = module_of_ours("one worker", "benchmarks.bare", "--workers", "1")
TWO = module_of_ours("two workers", "benchmarks.bare", "--workers", "2")


def run(options: Options) -> Record:
    """Compare the processor time of a request with two workers and with one, both on one core."""
    need_packages({"wrk": ["wrk"]})
    contestants: tuple[Contestant, ...] = (ONE, TWO)
    for contestant in contestants:
        contestant.prepare()
    orders = replace(ORDER, bodies=varied_orders(ORDERS))
    runs = run_in_turn(
        contestants, orders, options, check=lambda one, port: check_answers(sender(port, one.path)), progress=print
    )
    refuse_if_unfair(runs, options)
    cost = {(one.round, one.contestant): one.cpu_us for one in runs}
    ratios = [cost[number, TWO.name] / cost[number, ONE.name] for number in range(1, options.rounds + 1)]
    names = [contestant.name for contestant in contestants]
    return Record(
        name="workers",
        machine=this_machine(),
        versions={"wrk": debian_version("wrk"), ONE.name: ONE.version()},
        runs=[one.as_dict() for one in runs],
        figures={"cpu_ratio_two_workers": figure_of(ratios)},
        tables=(
            Table(
                title="Median (lowest..highest)",
                columns=("workers", "CPU us", "requests/s", "p99 ms"),
                rows=tuple(
                    (
                        name,
                        str(figure(runs, name, lambda one: one.cpu_us)),
                        str(figure(runs, name, lambda one: one.rps)),
                        str(figure(runs, name, lambda one: one.p99_ms)),
                    )
                    for name in names
                ),
            ),
        ),
        warnings=disturbed(runs),
    )
