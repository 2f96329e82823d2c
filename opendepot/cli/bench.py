"""`opendepot bench`: how much a server can take."""

import asyncio
import json
import secrets
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from opendepot.bench.fleet import BenchFailed, Fleet, Measured, fleet
from opendepot.bench.levels import climb, knee
from opendepot.bench.report import Run, compared, level_values, page, resource_values
from opendepot.bench.resources import Sample, watch
from opendepot.bench.scenarios import NEEDS_CONTAINERS, NEEDS_TICKETS, Scenario, Target

SAMPLE_SECONDS = 5.0
SPARE = 1.1
"""How many times the tickets that are due are ordered ahead."""
ScenarioOption = Annotated[
    Scenario,
    typer.Option(help="order; collect (tickets are ordered ahead); cycle: order, collect, confirm; extend."),
]
SoakOption = Annotated[
    float | None, typer.Option(min=0.1, help="Offer the rate for so many minutes.", show_default=False)
]
ToKneeOption = Annotated[bool, typer.Option("--to-knee", help="Raise the rate until the server no longer keeps up.")]
ItemOption = Annotated[
    str | None,
    typer.Option(help="The item to order; the first one of the shop where left out.", show_default=False),
]
KeyFileOption = Annotated[
    Path | None,
    typer.Option(envvar="OPENDEPOT_API_KEY_FILE", help="A file with the shop's API key.", show_default=False),
]
TrustOption = Annotated[
    Path | None, typer.Option(help="The vendor's certificate (PEM), for containers to trust.", show_default=False)
]
MetricsOption = Annotated[
    str | None, typer.Option(help="The server's /metrics, to watch memory and descriptors.", show_default=False)
]
JsonFileOption = Annotated[Path | None, typer.Option("--json", help="Write the figures here.", show_default=False)]
HtmlFileOption = Annotated[
    Path | None, typer.Option("--html", help="Write a page with plots here.", show_default=False)
]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    target: Target
    processes: int
    rate: float
    seconds: float
    warm_up: float
    to_knee: bool
    most_p99: float
    metrics: str | None


def bench(
    url: Annotated[str, typer.Argument(metavar="URL", help="The server's public URL.")],
    *,
    scenario: ScenarioOption = Scenario.ORDER,
    rate: Annotated[float, typer.Option(min=0.1, help="Operations due a second; where to begin with --to-knee.")] = 50,
    seconds: Annotated[float, typer.Option(min=1, help="How long each rate is offered.")] = 10,
    soak: SoakOption = None,
    warm_up: Annotated[float, typer.Option(min=0, help="Seconds before that, which do not count.")] = 2,
    to_knee: ToKneeOption = False,
    most_p99: Annotated[float, typer.Option(min=0.001, help="Seconds: what 99 of 100 must not exceed to keep up.")] = 1,
    processes: Annotated[int, typer.Option(min=1, max=256, help="Processes that send.")] = 2,
    item: ItemOption = None,
    api_key_file: KeyFileOption = None,
    trust: TrustOption = None,
    metrics: MetricsOption = None,
    json_file: JsonFileOption = None,
    html_file: HtmlFileOption = None,
    compare: Annotated[Path | None, typer.Option(help="The --json of a run before.", show_default=False)] = None,
) -> None:
    """Offer a server operations at a rate, whatever it answers, and tell how long each took from when it was due.

    Each operation is a real one: orders stay in the database. Use a server of its own for it.
    """
    before = None if compare is None else _read_run(compare)
    asked = _Asked(
        target=_target(url, scenario, item=item, api_key_file=api_key_file, trust=trust),
        processes=processes,
        rate=rate,
        seconds=seconds if soak is None else soak * 60,
        warm_up=warm_up,
        to_knee=to_knee,
        most_p99=most_p99,
        metrics=metrics,
    )
    run = asyncio.run(_run(asked))
    _print(run, before)
    if json_file is not None:
        json_file.write_text(json.dumps(run.as_dict(), indent=1) + "\n", encoding="utf-8")
    if html_file is not None:
        html_file.write_text(page(run, before=before), encoding="utf-8")


def _target(url: str, scenario: Scenario, *, item: str | None, api_key_file: Path | None, trust: Path | None) -> Target:
    if api_key_file is None:
        raise BenchFailed("name a file with a shop's API key by --api-key-file; `opendepot shop add` gives one")
    if scenario in NEEDS_CONTAINERS and trust is None:
        raise BenchFailed("containers need the vendor's certificate: name it by --trust; `opendepot init` has made it")
    return Target(
        url=url,
        scenario=scenario,
        run=secrets.token_hex(6),
        api_key=_read(api_key_file).strip(),
        item=item,
        trust=None if trust is None else _read(trust),
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise BenchFailed(f"cannot read {path}: {error.strerror}") from None


def _read_run(path: Path) -> Run:
    try:
        return Run.of(json.loads(_read(path)))
    except (ValueError, KeyError) as error:
        raise BenchFailed(f"{path}: {error}; give what --json has written") from None


async def _run(asked: _Asked) -> Run:
    started = datetime.now(UTC)
    samples: list[Sample] = []
    levels: list[Measured] = []
    watching = None
    if asked.metrics is not None:
        watching = asyncio.create_task(watch(asked.metrics, each_seconds=SAMPLE_SECONDS, samples=samples))
    try:
        async with fleet(asked.target, processes=asked.processes) as ready:
            with Progress(
                SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=Console(stderr=True)
            ) as progress:
                shown = progress.add_task("preparing")

                async def carry_out(rate: float) -> Measured:
                    progress.update(shown, description=f"preparing {rate:.0f} a second")
                    await _prepare(ready, asked, rate, number=len(levels))
                    progress.update(shown, description=f"offering {rate:.0f} a second for {asked.seconds:.0f} s")
                    return await ready.carry_out(rate=rate, seconds=asked.seconds, warm_up=asked.warm_up)

                if asked.to_knee:
                    async for measured in climb(carry_out, rate=asked.rate, most_p99=asked.most_p99):
                        levels.append(measured)  # noqa: PERF401  each is counted before the next begins
                else:
                    levels.append(await carry_out(asked.rate))
    finally:
        if watching is not None:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
    found = knee(levels, most_p99=asked.most_p99) if asked.to_knee else None
    return Run(
        url=asked.target.url,
        scenario=asked.target.scenario.value,
        started=started.isoformat(timespec="seconds"),
        processes=asked.processes,
        levels=tuple(map(level_values, levels)),
        knee=None if found is None else found.offered,
        resources=resource_values(samples, after=asked.warm_up),
    )


async def _prepare(ready: Fleet, asked: _Asked, rate: float, *, number: int) -> None:
    tickets = rate * (asked.seconds + asked.warm_up) * SPARE if asked.target.scenario in NEEDS_TICKETS else 0
    await ready.prepare(tickets=int(tickets) + (asked.processes if tickets else 0), name=f"ahead-{number}")


def _print(run: Run, before: Run | None) -> None:
    for level in run.levels:
        times = ", ".join(f"{name} {value:g}" for name, value in level["ms"].items())
        typer.echo(f"offered {level['offered']:.0f}/s: {level['achieved']:.1f}/s ended well; ms: {times}")
        for name, count in level["failures"].items():
            typer.echo(f"  {count} times: {name}")
        if level["unanswered"]:
            typer.echo(f"  {level['unanswered']} were not answered in time")
        if level["limited"]:
            typer.echo(f"  the load tester may have been the limit: {level['limited']}", err=True)
    if run.knee is not None:
        typer.echo(f"the server keeps up with {run.knee:.0f} a second")
    if run.resources is not None:
        typer.echo(
            f"memory {run.resources['last_memory_mib']} MiB, {run.resources['memory_mib_per_minute']:+} MiB a minute; "
            f"descriptors beside {run.resources['last_connections']:g} connections "
            f"{run.resources['last_descriptors']:g}, {run.resources['descriptors_per_minute']:+} a minute"
        )
    for name, was, now, ratio in [] if before is None else compared(before, run):
        typer.echo(f"{name}: {was:.4g} -> {now:.4g} ({ratio:.2f})")
    sys.stdout.flush()
