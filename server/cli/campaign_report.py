"""What became of a campaign's offers, as CSV and as plots (PNG, HTML)."""

import csv
import io
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from html import escape
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from server.errors import SettingsError
from storage.marketing import Fate, FateCount

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FATES = (Fate.SHOWN, Fate.MAILED, Fate.TAKEN)
COLOURS = {Fate.SHOWN: "#4477aa", Fate.MAILED: "#ccbb44", Fate.TAKEN: "#228833"}
NO_PLOTS = "plots need matplotlib: `pip install 'opendepot[plots]'`, or take --csv"


def totals(counts: Sequence[FateCount]) -> dict[str, dict[Fate, int]]:
    """Give the sums by campaign and fate."""
    found: dict[str, dict[Fate, int]] = {}
    for each in counts:
        fates = found.setdefault(each.campaign, dict.fromkeys(FATES, 0))
        fates[each.fate] += each.count
    return found


def as_csv(counts: Sequence[FateCount]) -> str:
    """Give a line for each campaign and day, with a column for each fate (RFC 4180)."""
    days: dict[tuple[str, date], dict[Fate, int]] = {}
    for each in counts:
        days.setdefault((each.campaign, each.day), {})[each.fate] = each.count
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["campaign", "day", *FATES])
    for (campaign, day), fates in sorted(days.items()):
        writer.writerow([campaign, day.isoformat(), *(fates.get(fate, 0) for fate in FATES)])
    return out.getvalue()


def as_png(counts: Sequence[FateCount]) -> bytes:
    """Give the plot as PNG. Raises SettingsError without matplotlib."""
    out = io.BytesIO()
    _figure(counts).savefig(out, format="png", dpi=144)
    return out.getvalue()


def as_html(counts: Sequence[FateCount]) -> str:
    """Give a page of its own with the plot and the sums. Raises SettingsError without matplotlib."""
    out = io.StringIO()
    _figure(counts).savefig(out, format="svg", metadata={"Date": None})
    svg = out.getvalue()
    rows = "".join(
        f"<tr><td>{escape(campaign)}</td>{''.join(f'<td>{fates[fate]}</td>' for fate in FATES)}</tr>"
        for campaign, fates in sorted(totals(counts).items())
    )
    heads = "".join(f"<th>{fate}</th>" for fate in FATES)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Campaigns</title></head>\n'
        f"<body><h1>Campaigns</h1>\n{svg[svg.index('<svg') :]}\n"
        f"<table><tr><th>campaign</th>{heads}</tr>{rows}</table></body></html>\n"
    )


def _figure(counts: Sequence[FateCount]) -> "Figure":
    """Draw one panel for each campaign: how many offers had each fate up to each day."""
    try:
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter  # noqa: PLC0415  an extra
        from matplotlib.figure import Figure  # noqa: PLC0415  as above
    except ImportError:
        raise SettingsError(NO_PLOTS) from None
    campaigns = sorted({each.campaign for each in counts})
    if not campaigns:
        raise SettingsError("nothing has become of any offer yet, so there is nothing to plot")
    figure = Figure(figsize=(8, 3 * len(campaigns)), layout="constrained")
    panels = figure.subplots(len(campaigns), 1, squeeze=False)
    for campaign, (panel,) in zip(campaigns, panels, strict=True):
        for fate in FATES:
            days, sums = _rising(counts, campaign, fate)
            panel.step(days, sums, where="post", label=f"{fate} ({sums[-1]})", color=COLOURS[fate], marker=".")
        locator = AutoDateLocator()  # type: ignore[no-untyped-call]
        panel.xaxis.set_major_locator(locator)
        panel.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
        panel.set_title(campaign.replace("$", r"\$"))
        panel.set_ylabel("offers")
        panel.set_ylim(bottom=0)
        panel.grid(alpha=0.3)
        panel.legend(loc="upper left")
    return figure


def _rising(counts: Sequence[FateCount], campaign: str, fate: Fate) -> tuple[list[date], list[int]]:
    """Give the days from the campaign's first to its last, and how many offers had the fate by then."""
    own = [each for each in counts if each.campaign == campaign]
    first, last = min(each.day for each in own), max(each.day for each in own)
    by_day = {each.day: each.count for each in own if each.fate is fate}
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return days, list(accumulate(by_day.get(day, 0) for day in days))


def write_report(counts: Sequence[FateCount], *, table: Path | None, png: Path | None, html: Path | None) -> None:
    """Write the files that are named. Raises SettingsError for one that cannot be written."""
    outputs: tuple[tuple[Path | None, Callable[[], bytes]], ...] = (
        (table, lambda: as_csv(counts).encode()),
        (png, lambda: as_png(counts)),
        (html, lambda: as_html(counts).encode()),
    )
    for path, made in outputs:
        if path is not None:
            content = made()
            try:
                path.write_bytes(content)
            except OSError as error:
                raise SettingsError(f"cannot write {path}: {error.strerror}") from None
