"""What a series of benchmarks found: as a table in Markdown, as plots, and as a page with both."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment
from matplotlib.figure import Figure

from benchmarks.report import Figure as Spread

UNITS: Mapping[str, str] = {
    "ratio": "ratio",
    "slower": "ratio",
    "mib_per_s": "MiB a second",
    "per_second": "a second",
    "rps": "a second",
    "us": "microseconds",
    "ms": "milliseconds",
    "mib": "MiB",
}
"""What a figure is in, by a piece of its name; the first that is found counts."""
WIDE = 50
"""From how many times the least on a logarithmic scale is the readable one."""
_PAGE = Path(__file__).parent / "results.html.j2"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What became of a benchmark: `outcome` is measured, kept, refused or failed.

    `record` is its JSON, None where there is none, for `reason`; `ended` is when it was written, in seconds.
    """

    name: str
    outcome: str
    record: Mapping[str, Any] | None = None
    reason: str = ""
    ended: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Row:
    """A figure of a benchmark."""

    benchmark: str
    figure: str
    unit: str
    value: Spread


def unit_of(figure: str) -> str:
    """Tell what a figure is in, by its name; '' for counts and what has no unit."""
    pieces = f"_{figure}_"
    return next((unit for piece, unit in UNITS.items() if f"_{piece}_" in pieces), "")


def rows_of(measured: Measured) -> list[Row]:
    """Give the figures of a benchmark with their spread."""
    record = measured.record or {"figures": {}}
    return [
        Row(
            benchmark=measured.name,
            figure=name,
            unit=unit_of(name),
            value=Spread(median=median, lowest=record["spread"][name][0], highest=record["spread"][name][1]),
        )
        for name, median in record["figures"].items()
    ]


def write_results(found: Sequence[Measured], folder: Path) -> list[Path]:
    """Write the table, a plot for each benchmark that has figures, and the page; gives the files."""
    plots = {}
    for one in found:
        rows, file = rows_of(one), folder / f"{one.name}.png"
        file.unlink(missing_ok=True)
        if rows:
            plot(one.name, rows, file)
            plots[one.name] = file
    table, page = folder / "results.md", folder / "results.html"
    table.write_text(markdown(found), encoding="utf-8")
    page.write_text(html(found, plots), encoding="utf-8")
    return [table, page, *plots.values()]


def markdown(found: Sequence[Measured]) -> str:
    """Give one table of all figures, below what was refused or failed, above versions and warnings."""
    lines = ["# Benchmarks", ""]
    bad = [one for one in found if one.record is None]
    if bad:
        lines += ["Without figures:", "", *(f"- {one.name} {one.outcome}: {_cell(one.reason)}" for one in bad), ""]
    lines += ["| benchmark | figure | median | lowest | highest | in |", "|---|---|---|---|---|---|"]
    for one in found:
        for row in rows_of(one):
            values = (row.value.median, row.value.lowest, row.value.highest)
            cells = (row.benchmark, row.figure, *(f"{value:,.4g}" for value in values), row.unit)
            lines.append(f"| {' | '.join(map(_cell, cells))} |")
    lines += [
        "",
        "| benchmark | measured at (UTC) | runs | machine | versions | warnings |",
        "|---|---|---|---|---|---|",
    ]
    for one in found:
        if one.record is not None:
            lines.append(f"| {' | '.join(map(_cell, (one.name, *_told(one))))} |")
    return "\n".join(lines) + "\n"


def _told(one: Measured) -> tuple[str, str, str, str, str]:
    record = one.record or {}
    machine = record["machine"]
    return (
        f"{datetime.fromtimestamp(one.ended, UTC):%Y-%m-%d %H:%M}",
        str(len(record["runs"])),
        f"{machine['cpu']}, {machine['cores']} cores, kernel {machine['kernel']}, Python {machine['python']}",
        ", ".join(f"{name} {version}" for name, version in record["versions"].items()),
        "; ".join(record["warnings"]),
    )


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def plot(name: str, rows: Sequence[Row], file: Path) -> None:
    """Draw each figure as a point with its spread, those of one unit together, as PNG."""
    units = list(dict.fromkeys(row.unit for row in rows))
    groups = [[row for row in rows if row.unit == unit] for unit in units]
    heights = [len(group) + 1.5 for group in groups]
    figure = Figure(figsize=(10, 0.28 * sum(heights) + 0.6), layout="constrained")
    figure.suptitle(f"{name}: median, lowest to highest")
    grid = figure.add_gridspec(len(groups), 1, height_ratios=heights)
    for place, (unit, group) in enumerate(zip(units, groups, strict=True)):
        axes = figure.add_subplot(grid[place])
        medians = [row.value.median for row in group]
        below = [row.value.median - row.value.lowest for row in group]
        above = [row.value.highest - row.value.median for row in group]
        axes.errorbar(medians, range(len(group)), xerr=(below, above), fmt="o", capsize=3)
        axes.set_yticks(range(len(group)), [f"{row.figure}  {row.value}" for row in group])
        axes.set_ylim(len(group) - 0.5, -0.5)
        least, most = min(row.value.lowest for row in group), max(row.value.highest for row in group)
        if 0 < least < most / WIDE:
            axes.set_xscale("log")
        else:
            axes.set_xlim(left=min(0.0, least))
        axes.set_xlabel(unit)
        axes.grid(axis="x", alpha=0.3)
    figure.savefig(file, format="png", dpi=100)


def html(found: Sequence[Measured], plots: Mapping[str, Path]) -> str:
    """Give a page that needs nothing else: what has no figures, then plot, versions and figures of each benchmark."""
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        _PAGE.read_text(encoding="utf-8")
    )
    pictures = {name: base64.b64encode(file.read_bytes()).decode("ascii") for name, file in plots.items()}
    return template.render(
        bad=[one for one in found if one.record is None],
        good=[
            {
                "name": one.name,
                "told": dict(zip(("measured at", "runs", "machine", "versions", "warnings"), _told(one), strict=True)),
                "rows": rows_of(one),
                "picture": pictures.get(one.name),
            }
            for one in found
            if one.record is not None
        ],
    )
