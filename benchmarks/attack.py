"""The benchmark `attack`: how much longer does an honest client wait while each family of attacks goes on?

The server as it ships, on its core; the attacker and the honest client on the other, where the honest one goes first.
The attacks are those of `tests/attacks`, each family on its own, so many a second; the honest client asks at the same
modest rate without them and with them.
"""

import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.contestants import ROOT
from benchmarks.processes import LOAD_CORE, SERVER_CORE, core_busy_seconds, cpu_seconds
from benchmarks.report import Figure, Options, Record, Refused, Table, figure_of, this_machine
from benchmarks.slow_clients import Honest
from benchmarks.turns import OTHERS_LIMIT

RATE = 200
"""Honest requests a second: so few that the server is far from busy with them."""

ATTACKS_A_SECOND = 50

LATE = 0.5
"""The share of a latency that may be the honest client's own."""

_CASES = ROOT / "tests" / "attacks"


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What an honest client saw while one family attacked, and how many attacks there were; '' is none."""

    family: str
    honest: Honest
    attacks: int
    unanswered: int
    others: float


def run(options: Options) -> Record:
    """Measure how much longer an honest client waits while each family of attacks goes on, one after the other."""
    rounds = []
    for number in range(1, options.rounds + 1):
        found = measured(options)
        slowest = max(found[1:], key=lambda probe: probe.honest.p99_ms)
        print(
            f"round {number}/{options.rounds}: p99 {found[0].honest.p99_ms:.2f} ms, "
            f"with {slowest.family} {slowest.honest.p99_ms:.2f} ms"
        )
        rounds.append(found)
    warnings = refuse_if_unfair(rounds, options)
    families = [probe.family for probe in rounds[0][1:]]
    ratios = {
        name: (
            figure_of(_of(probes, name).honest.p50_ms / probes[0].honest.p50_ms for probes in rounds),
            figure_of(_of(probes, name).honest.p99_ms / probes[0].honest.p99_ms for probes in rounds),
        )
        for name in families
    }
    return Record(
        name="attack",
        machine=this_machine(),
        versions={"ours": f"opendepot {importlib.metadata.version('opendepot')}"},
        runs=[
            {"round": number, "family": probe.family, **_flat(probe)}
            for number, probes in enumerate(rounds, 1)
            for probe in probes
        ],
        figures=_figures(rounds, ratios),
        tables=(
            Table(
                title=f"Honest requests among {ATTACKS_A_SECOND} attacks a second, against none: median (spread)",
                columns=("family", "p50 ratio", "p99 ratio", "p99 ms", "attacks"),
                rows=tuple(
                    (
                        name,
                        str(p50),
                        str(p99),
                        str(figure_of(_of(probes, name).honest.p99_ms for probes in rounds)),
                        str(sum(_of(probes, name).attacks for probes in rounds)),
                    )
                    for name, (p50, p99) in ratios.items()
                ),
            ),
        ),
        warnings=warnings,
    )


def _figures(rounds: Sequence[Sequence[Probe]], ratios: dict[str, tuple[Figure, Figure]]) -> dict[str, Figure]:
    return {
        "p50_ms_without": figure_of(probes[0].honest.p50_ms for probes in rounds),
        "p99_ms_without": figure_of(probes[0].honest.p99_ms for probes in rounds),
        "worst_p50_ratio": max((p50 for p50, _ in ratios.values()), key=lambda figure: figure.median),
        "worst_p99_ratio": max((p99 for _, p99 in ratios.values()), key=lambda figure: figure.median),
        "honest_failures": figure_of(sum(probe.honest.failures for probe in probes) for probes in rounds),
        "unanswered_attacks": figure_of(sum(probe.unanswered for probe in probes) for probes in rounds),
    }


def _of(probes: Sequence[Probe], family: str) -> Probe:
    return next(probe for probe in probes if probe.family == family)


def _flat(probe: Probe) -> dict[str, str | float]:
    return {"attacks": probe.attacks, "unanswered": probe.unanswered, "others": probe.others, **asdict(probe.honest)}


def refuse_if_unfair(rounds: Sequence[Sequence[Probe]], options: Options) -> list[str]:
    """Raise Refused when the honest client was the limit or others used the server's core; give what to warn of.

    What happens among attacks is warned of alone: the honest client shares its core with the attacker.
    """
    late = figure_of(probes[0].honest.late_p99_ms / probes[0].honest.p99_ms for probes in rounds).median
    if late > LATE:
        raise Refused(
            f"the honest client was the limit, without any attack: {late:.0%} of what an answer took it was late "
            "itself; repeat when the machine is quiet"
        )
    others = figure_of(probe.others for probes in rounds for probe in probes).median
    if others > OTHERS_LIMIT and not options.tolerate_others:
        raise Refused(
            f"something else used {others:.0%} of the server's core; repeat when the machine is quiet, or look at "
            "figures that mean little with --tolerate-others"
        )
    warnings = [f"others used {others:.0%} of the server's core"] if others > OTHERS_LIMIT else []
    for number, probes in enumerate(rounds, 1):
        warnings += [
            f"round {number}, {probe.family}: the honest client was late itself, {probe.honest.late_p99_ms:.2f} ms"
            for probe in probes[1:]
            if probe.honest.late_p99_ms > LATE * probe.honest.p99_ms
        ]
    return warnings


def measured(options: Options, *, rate: int = RATE, attacks_a_second: int = ATTACKS_A_SECOND) -> list[Probe]:
    """Start a server and probe it without attacks, and then among those of each family. Raises Refused."""
    families = of_the_tests("attack_families").FAMILIES
    names = [name for name in families if name in options.only or not options.only]
    if not names:
        raise Refused(f"--only names no family; there are {', '.join(families)}")
    with tempfile.TemporaryDirectory() as folder, of_the_tests("attacking").attacked(Path(folder)) as server:
        _pin(server.pid, SERVER_CORE)
        told = json.dumps({"port": server.port, "api_key": server.api_key})

        def probe(family: str) -> Probe:
            with _attacker(family, told, attacks_a_second) as finish:
                before = (time.monotonic(), cpu_seconds(server.pid), core_busy_seconds(SERVER_CORE))
                honest = _honest(told, seconds=options.seconds, connections=options.connections, rate=rate)
                now = (time.monotonic(), cpu_seconds(server.pid), core_busy_seconds(SERVER_CORE))
                passed, used, busy = (after - then for after, then in zip(now, before, strict=True))
                sent, unanswered = finish()
            return Probe(
                family=family,
                honest=honest,
                attacks=sent,
                unanswered=unanswered,
                others=max(0.0, (busy - used) / passed),
            )

        _honest(told, seconds=options.warm_up_seconds, connections=options.connections, rate=rate)
        return [probe(""), *(probe(name) for name in names)]


def of_the_tests(name: str) -> Any:
    """Give a module of the tests of attacks, which are no package. Raises Refused where they are not there."""
    if not _CASES.is_dir():
        raise Refused(f"{_CASES} is missing; run this in a checkout")
    if str(_CASES) not in sys.path:
        sys.path.append(str(_CASES))
    return importlib.import_module(name)


def _pin(pid: int, core: int) -> None:
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {core})


def _clients(*arguments: object) -> list[str]:
    taskset = shutil.which("taskset")
    if taskset is None:
        raise Refused("the command taskset is missing (Debian: apt-get install util-linux)")
    return [taskset, "-c", str(LOAD_CORE), sys.executable, "-m", "benchmarks.attack_clients", *map(str, arguments)]


def _honest(told: str, *, seconds: int, connections: int, rate: int) -> Honest:
    done = subprocess.run(
        _clients("honest", seconds, connections, rate),
        cwd=ROOT,
        input=f"{told}\n",
        capture_output=True,
        encoding="utf-8",
        timeout=seconds + 60,
        check=False,
    )
    if done.returncode:
        raise Refused(f"the honest client failed:\n{done.stderr[-2000:]}")
    return Honest(**json.loads(done.stdout))


@contextmanager
def _attacker(family: str, told: str, rate: int) -> Iterator[Any]:
    """Let a family loose until the block ends or what it gives is called, which tells what was sent and unanswered."""
    if not family:
        yield lambda: (0, 0)
        return
    process = subprocess.Popen(
        _clients("attack", family, rate), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    )
    with process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{told}\n")
            process.stdin.flush()
            if process.stdout.readline() != "there\n":
                raise Refused(f"the attacker did not get there: exit {process.wait()}")

            def finish() -> tuple[int, int]:
                output, _ = process.communicate()
                sent, unanswered = json.loads(output)
                return sent, unanswered

            yield finish
        finally:
            process.kill()
