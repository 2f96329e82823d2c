"""The record of a benchmark: machine, versions, every single run, and the figures with their spread."""

import json
import os
import platform
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable


class Refused(Exception):
    """Nothing honest can be reported; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line says of a run.

    `seconds` is the length of one measurement, after `warm_up_seconds` of the same load. `only` names the contestants
    to take part, all of them when it is empty. `tolerate_others` reports, with warnings, what was measured while
    something else kept the contestants from their core. `orders` is how many orders a database holds beforehand, where
    that is what is measured; `mebibytes` is how large a streamed answer is.
    """

    rounds: int = 5
    seconds: int = 5
    warm_up_seconds: int = 1
    connections: int = 32
    only: tuple[str, ...] = ()
    tolerate_others: bool = False
    orders: int | None = None
    mebibytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a benchmark ran on."""

    cpu: str
    cores: int
    kernel: str
    python: str


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A median and the smallest and the largest of the values that it is the median of."""

    median: float
    lowest: float
    highest: float

    def __str__(self) -> str:
        """Write the median and the spread, such as `0.52 (0.49..0.55)`."""
        return f"{_short(self.median)} ({_short(self.lowest)}..{_short(self.highest)})"


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table to print beside the figures."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Record:
    """The outcome of a benchmark.

    `versions` has every contestant and the load generator, `runs` every single raw measurement, `warnings` what a
    reader must know to judge the figures. `details` holds outcomes that are no numbers; they go into the JSON as they
    are.
    """

    name: str
    machine: Machine
    versions: Mapping[str, str]
    runs: Sequence[Mapping[str, str | float]]
    figures: Mapping[str, Figure]
    tables: Sequence[Table] = ()
    warnings: Sequence[str] = ()
    details: Mapping[str, Mapping[str, Mapping[str, bool]]] = field(default_factory=dict)

    def as_json(self) -> str:
        """Give the record as JSON; `figures` are the medians, `spread` their lowest and highest values."""
        content = {
            "name": self.name,
            "machine": asdict(self.machine),
            "versions": dict(self.versions),
            "runs": [dict(run) for run in self.runs],
            "figures": {name: figure.median for name, figure in self.figures.items()},
            "spread": {name: [figure.lowest, figure.highest] for name, figure in self.figures.items()},
            "warnings": list(self.warnings),
            **self.details,
        }
        return json.dumps(content, indent=2) + "\n"


def figure_of(values: Iterable[float]) -> Figure:
    """Give the median and the spread of values. Raises Refused when there are none."""
    found = list(values)
    if not found:
        raise Refused("a figure was asked for without a single measurement")
    return Figure(median=statistics.median(found), lowest=min(found), highest=max(found))


def this_machine() -> Machine:
    """Describe the machine, without its name."""
    return Machine(
        cpu=_cpu_model(Path("/proc/cpuinfo").read_text(encoding="utf-8")),
        cores=os.cpu_count() or 0,
        kernel=platform.release(),
        python=platform.python_version(),
    )


def print_record(record: Record, console: Console) -> None:
    """Print the tables, the figures with their spread, and the warnings."""
    machine = record.machine
    console.print(
        f"{record.name}: {machine.cpu}, {machine.cores} cores, kernel {machine.kernel}, Python {machine.python}"
    )
    console.print(", ".join(f"{name} {version}" for name, version in record.versions.items()))
    figures = Table(
        title="Figures: median (lowest..highest)",
        columns=("figure", "value"),
        rows=tuple((name, str(figure)) for name, figure in record.figures.items()),
    )
    for table in (*record.tables, figures):
        if table.rows:
            console.print(_rendered(table))
    for warning in record.warnings:
        console.print(f"warning: {warning}", style="yellow")


def _rendered(table: Table) -> RichTable:
    rendered = RichTable(title=table.title, title_justify="left")
    for index, column in enumerate(table.columns):
        rendered.add_column(column, justify="left" if index == 0 else "right")
    for row in table.rows:
        rendered.add_row(*row)
    return rendered


def _cpu_model(cpuinfo: str) -> str:
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _short(value: float) -> str:
    """Write three significant digits, and thousands in full."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
