"""Which of its configurations a peer takes part with: the one that answers most, on this machine, in a trial before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from benchmarks.contestants import Contestant
from benchmarks.load import Request
from benchmarks.report import Options, Refused, Table
from benchmarks.turns import Run, refuse_if_unfair, run_in_turn

Check = Callable[[Contestant, int], int]


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A server of another maker, in the configurations that come into question."""

    name: str
    configurations: Sequence[Contestant]

    def contestant(self, configuration: Contestant) -> Contestant:
        """Give a configuration under the name of the peer, its own name with the version."""
        if len(self.configurations) == 1:
            return replace(configuration, name=self.name)

        def version() -> str:
            return f"{configuration.version()} ({configuration.name})"

        return replace(configuration, name=self.name, version=version)


def best_of(
    peers: Sequence[Peer], request: Request, options: Options, *, check: Check, progress: Callable[[str], None]
) -> tuple[dict[str, Contestant], list[Run]]:
    """Measure each configuration once, where a peer has several; give the contestant of each peer, and the runs.

    Raises Refused when a configuration cannot be built, answers wrongly, or could not be measured fairly.
    """
    best, trials = {}, []
    for peer in peers:
        for configuration in peer.configurations:
            try:
                configuration.prepare()
            except Refused as refused:
                raise Refused(f"{peer.name} cannot take part: {refused}") from None
        tried = [replace(one, name=f"{peer.name}: {one.name}") for one in peer.configurations]
        if len(tried) == 1:
            best[peer.name] = peer.contestant(peer.configurations[0])
            continue
        runs = run_in_turn(tried, request, replace(options, rounds=1), check=check, progress=progress)
        refuse_if_unfair(runs, options)
        fastest = max(range(len(runs)), key=lambda place: runs[place].rps)
        best[peer.name] = peer.contestant(peer.configurations[fastest])
        trials += runs
    return best, trials


def trials_table(trials: Sequence[Run]) -> Table:
    """Tell what each configuration made in its trial."""
    return Table(
        title="Configurations that were tried, once each; the fastest of a peer takes part",
        columns=("configuration", "requests/s", "CPU us"),
        rows=tuple((run.contestant, f"{run.rps:,.0f}", f"{run.cpu_us:,.1f}") for run in trials),
    )
