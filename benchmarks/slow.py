"""The benchmark `slow`: do thousands of slow clients make an honest one wait, or cost memory or descriptors?

Three processes: the server on its core; the slow clients and the honest one on the other, where the honest one goes
first. Without and with the slow ones the honest one asks at the same modest rate.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.checks import check_answers, sender
from benchmarks.contestants import ROOT, Contestant, module_of_ours
from benchmarks.processes import LOAD_CORE, SERVER_CORE, core_busy_seconds, cpu_seconds, free_port, rss_mib, serving
from benchmarks.report import Options, Record, Refused, Table, figure_of, this_machine
from benchmarks.slow_clients import KINDS, Honest, Slow
from benchmarks.turns import OTHERS_LIMIT

CLIENTS = 5_000
RATE = 500
"""Honest requests a second: so few that the server is far from busy with them."""

HEADER_SECONDS = 5
AMONG_SECONDS = 15
"""How long the honest client asks among the slow ones at least: longer than any deadline but that of idle ones."""

GONE_SECONDS = 30.0
"""As long as the longest deadline of the server: by then all that was the slow ones' must be gone."""

HELD = 0.9
"""The share of the slow clients that must be there all the time; some are always about to come again."""

LATE = 0.5
"""The share of a latency that may be the honest client's own."""

OURS = module_of_ours(
    "ours", "benchmarks.bare", "--connections-per-address", "20000", "--header-seconds", str(HEADER_SECONDS)
)


@dataclass(frozen=True, kw_only=True)
class Round:
    """One server, without the slow clients and with them. `others` is the share of its core that others had."""

    without: Honest
    among: Honest
    slow: Slow
    rss_growth_mib: float
    descriptors_left: int
    server_busy: float
    others: float

    def as_dict(self) -> dict[str, str | float]:
        """Give the measures by name, for the record."""
        found: dict[str, str | float] = {
            "rss_growth_mib": self.rss_growth_mib,
            "descriptors_left": self.descriptors_left,
            "server_busy_with": self.server_busy,
            "server_core_others": self.others,
            "slow_fewest": self.slow.fewest,
            "slow_opened": self.slow.opened,
        }
        for name, honest in (("without", self.without), ("with", self.among)):
            found |= {f"{measure}_{name}": value for measure, value in asdict(honest).items()}
        return found | {f"cut_{kind.replace(' ', '_')}": number for kind, number in self.slow.cut.items()}


def run(options: Options) -> Record:
    """Measure the latency of an honest client without and with 5,000 slow ones, and what these cost the server."""
    OURS.prepare()
    rounds = []
    for number in range(1, options.rounds + 1):
        found = measured(
            OURS,
            clients=CLIENTS,
            seconds=options.seconds,
            among_seconds=max(options.seconds, AMONG_SECONDS),
            connections=options.connections,
        )
        print(f"round {number}/{options.rounds}: p99 {found.without.p99_ms:.2f} -> {found.among.p99_ms:.2f} ms")
        rounds.append(found)
    refuse_if_unfair(rounds, options, clients=CLIENTS)
    warnings = [
        f"round {number}: others used {found.others:.0%} of the server's core; repeat on a quiet machine"
        for number, found in enumerate(rounds, 1)
        if found.others > OTHERS_LIMIT
    ]
    return Record(
        name="slow",
        machine=this_machine(),
        versions={OURS.name: OURS.version()},
        runs=[{"round": number, **found.as_dict()} for number, found in enumerate(rounds, 1)],
        figures={
            "p99_ratio": figure_of(found.among.p99_ms / found.without.p99_ms for found in rounds),
            "p99_ms_without": figure_of(found.without.p99_ms for found in rounds),
            "p99_ms_with": figure_of(found.among.p99_ms for found in rounds),
            "honest_failures": figure_of(found.without.failures + found.among.failures for found in rounds),
            "rss_growth_mib": figure_of(found.rss_growth_mib for found in rounds),
            "descriptors_left": figure_of(found.descriptors_left for found in rounds),
        },
        tables=(
            Table(
                title=f"Slow clients that the server cut, of {CLIENTS}: median (lowest..highest)",
                columns=("kind", "cut"),
                rows=tuple((kind, str(figure_of(found.slow.cut[kind] for found in rounds))) for kind in KINDS),
            ),
        ),
        warnings=warnings,
    )


def refuse_if_unfair(rounds: Sequence[Round], options: Options, *, clients: int) -> None:
    """Raise Refused when the honest client was the limit, slow ones were missing, or others used the server's core.

    The last one `options` may tolerate. All are judged in the median of the rounds, as the figures are.
    """
    for name in ("without", "among"):
        share = figure_of(getattr(found, name).late_p99_ms / getattr(found, name).p99_ms for found in rounds).median
        if share > LATE:
            raise Refused(
                f"the honest client was the limit, {name} the slow ones: {share:.0%} of what an answer took it was "
                "late itself; repeat when the machine is quiet"
            )
    fewest = figure_of(found.slow.fewest for found in rounds).median
    if fewest < HELD * clients:
        raise Refused(f"only {fewest:.0f} of {clients} slow clients were there at a time")
    others = figure_of(found.others for found in rounds).median
    if others > OTHERS_LIMIT and not options.tolerate_others:
        raise Refused(
            f"something else used {others:.0%} of the server's core; repeat when the machine is quiet, or look at "
            "figures that mean little with --tolerate-others"
        )


def measured(
    contestant: Contestant, *, clients: int, seconds: int, among_seconds: int, connections: int, rate: int = RATE
) -> Round:
    """Start a server and measure an honest client, alone and then among slow ones. Raises Refused when it cannot."""
    port = free_port()
    with serving(contestant.command(port), port=port, core=SERVER_CORE, directory=contestant.directory) as pid:
        check_answers(sender(port))
        _honest(port, seconds=1, connections=connections, rate=rate)
        descriptors, memory = _settled_descriptors(pid), rss_mib(pid)
        without = _honest(port, seconds=seconds, connections=connections, rate=rate)
        with _crowd(port, clients=clients) as finish:
            before = (time.monotonic(), cpu_seconds(pid), core_busy_seconds(SERVER_CORE))
            among = _honest(port, seconds=among_seconds, connections=connections, rate=rate)
            passed, used, busy = (
                now - then
                for now, then in zip(
                    (time.monotonic(), cpu_seconds(pid), core_busy_seconds(SERVER_CORE)), before, strict=True
                )
            )
            slow = finish()
        growth = _peak_mib(pid) - memory
        return Round(
            without=without,
            among=among,
            slow=slow,
            rss_growth_mib=growth,
            descriptors_left=_settled_descriptors(pid, at_most=descriptors) - descriptors,
            server_busy=used / passed,
            others=max(0.0, (busy - used) / passed),
        )


def _settled_descriptors(pid: int, *, at_most: int | None = None) -> int:
    """Count a server's descriptors once its number stands still, or is as small as it was, or all deadlines passed."""
    deadline = time.monotonic() + GONE_SECONDS
    folder = Path(f"/proc/{pid}/fd")
    found, before = len(list(folder.iterdir())), -1
    while time.monotonic() < deadline and (found != before if at_most is None else found > at_most):
        time.sleep(0.3)
        found, before = len(list(folder.iterdir())), found
    return found


def _peak_mib(pid: int) -> float:
    """Give the most memory that was ever resident (proc(5))."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise Refused("the system does not tell the most memory of a process")


def _module(*arguments: object) -> list[str]:
    taskset = shutil.which("taskset")
    if taskset is None:
        raise Refused("the command taskset is missing (Debian: apt-get install util-linux)")
    return [taskset, "-c", str(LOAD_CORE), sys.executable, "-m", "benchmarks.slow_clients", *map(str, arguments)]


def _honest(port: int, *, seconds: int, connections: int, rate: int) -> Honest:
    done = subprocess.run(
        _module("honest", port, seconds, connections, rate),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=seconds + 60,
        check=False,
    )
    if done.returncode:
        raise Refused(f"the honest client failed:\n{done.stderr[-2000:]}")
    return Honest(**json.loads(done.stdout))


@contextmanager
def _crowd(port: int, *, clients: int) -> Iterator[Callable[[], Slow]]:
    """Let slow clients loose until the block ends or what it gives is called, which tells what they saw."""
    process = subprocess.Popen(
        _module("crowd", port, clients), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    )
    with process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "there\n":
                raise Refused(f"the slow clients did not get there: exit {process.wait()}")

            def finish() -> Slow:
                output, _ = process.communicate()
                return Slow(**json.loads(output))

            yield finish
        finally:
            process.kill()
