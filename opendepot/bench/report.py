"""What a load test found: as JSON, as a page with plots, and beside another run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment

from opendepot.bench.fleet import Measured
from opendepot.bench.latency import QUANTILES
from opendepot.bench.resources import Sample, slope_per_minute

FORMAT = 1
WIDTH, HEIGHT, MARGIN = 640, 240, 44


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """A load test as it is written down. `knee`: the highest rate that was kept up with, None where not sought."""

    url: str
    scenario: str
    started: str
    processes: int
    levels: tuple[Mapping[str, Any], ...]
    knee: float | None
    resources: Mapping[str, Any] | None

    def as_dict(self) -> dict[str, Any]:
        """Give the run as JSON has it."""
        return {
            "format": FORMAT,
            "url": self.url,
            "scenario": self.scenario,
            "started": self.started,
            "processes": self.processes,
            "levels": list(self.levels),
            "knee": self.knee,
            "resources": self.resources,
        }

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "Run":
        """Take up what `as_dict` gave. Raises ValueError for anything else."""
        if found.get("format") != FORMAT:
            raise ValueError(f"this is no report of `opendepot bench` in format {FORMAT}")
        return cls(
            url=found["url"],
            scenario=found["scenario"],
            started=found["started"],
            processes=found["processes"],
            levels=tuple(found["levels"]),
            knee=found["knee"],
            resources=found["resources"],
        )


def level_values(measured: Measured) -> dict[str, Any]:
    """Give a level's figures: rates a second, times in milliseconds."""
    tally = measured.tally
    return {
        "offered": measured.offered,
        "achieved": measured.achieved,
        "seconds": measured.level.seconds,
        "ms": {f"p{100 * share:g}": round(tally.latencies.quantile(share) * 1000, 3) for share in (*QUANTILES, 1.0)},
        "lag_p99_ms": round(tally.lags.quantile(0.99) * 1000, 3),
        "busy": round(tally.busy, 3),
        "failures": dict(tally.failures),
        "unanswered": tally.unanswered,
        "limited": measured.limited,
        "each_second": [
            [second, count, round(slowest * 1000, 3)] for second, (count, slowest) in sorted(tally.each_second.items())
        ],
    }


def resource_values(samples: Sequence[Sample], *, after: float) -> dict[str, Any] | None:
    """Give what a server used, and how it rose after the warm-up of `after` seconds; None without samples.

    Descriptors are those beside the connections.
    """
    settled = [sample for sample in samples if sample.seconds >= after]
    if not settled:
        return None
    return {
        "samples": [[round(s.seconds, 1), round(s.memory, 2), s.descriptors, s.connections] for s in samples],
        "memory_mib_per_minute": round(slope_per_minute([(s.seconds, s.memory) for s in settled]), 4),
        "descriptors_per_minute": round(slope_per_minute([(s.seconds, s.descriptors) for s in settled]), 4),
        "last_memory_mib": round(settled[-1].memory, 2),
        "last_descriptors": settled[-1].descriptors,
        "last_connections": settled[-1].connections,
    }


def compared(old: Run, new: Run) -> list[tuple[str, float, float, float]]:
    """Give rows of (figure, before, now, now / before) for the levels that both runs have, and for the knee."""
    rows = []
    before = {level["offered"]: level for level in old.levels}
    for level in new.levels:
        other = before.get(level["offered"])
        if other is None:
            continue
        for name in ("p50", "p99"):
            was, now = other["ms"][name], level["ms"][name]
            rows.append((f"{name} ms at {level['offered']:g}/s", was, now, now / was if was else 0.0))
        was, now = other["achieved"], level["achieved"]
        rows.append((f"achieved/s at {level['offered']:g}/s", was, now, now / was if was else 0.0))
    if old.knee and new.knee:
        rows.append(("knee/s", old.knee, new.knee, new.knee / old.knee))
    return rows


def page(run: Run, *, before: Run | None = None) -> str:
    """Give the run as an HTML page that needs nothing else."""
    text = (files("opendepot.bench") / "report.html.j2").read_text(encoding="utf-8")
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(text)
    plots = [
        _plot("Achieved a second", "offered a second", [(x["offered"], x["achieved"]) for x in run.levels]),
        _plot("Time in ms, 99 of 100", "offered a second", [(x["offered"], x["ms"]["p99"]) for x in run.levels]),
    ]
    last = run.levels[-1]
    plots += [
        _plot("Ended well in each second", "second", [(x[0], x[1]) for x in last["each_second"]]),
        _plot("The slowest of each second, ms", "second", [(x[0], x[2]) for x in last["each_second"]]),
    ]
    if run.resources is not None:
        plots.append(_plot("Memory of the server, MiB", "second", [(x[0], x[1]) for x in run.resources["samples"]]))
    return template.render(
        run=run,
        plots=[plot for plot in plots if plot is not None],
        rows=[] if before is None else compared(before, run),
    )


def _plot(title: str, below: str, points: Sequence[tuple[float, float]]) -> dict[str, Any] | None:
    """Give what the template draws a line by; None where a line needs more points."""
    if len(points) < 2:
        return None
    ordered = sorted(points)
    left, right = ordered[0][0], ordered[-1][0]
    top = max(value for _, value in ordered) or 1.0
    wide, high = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN

    def place(x: float, y: float) -> str:
        return f"{MARGIN + (x - left) / ((right - left) or 1) * wide:.1f},{HEIGHT - MARGIN - y / top * high:.1f}"

    return {
        "title": title,
        "below": below,
        "line": " ".join(place(x, y) for x, y in ordered),
        "left": f"{left:g}",
        "right": f"{right:g}",
        "top": f"{top:.4g}",
        "width": WIDTH,
        "height": HEIGHT,
        "margin": MARGIN,
    }
