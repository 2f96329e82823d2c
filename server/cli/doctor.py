"""`opendepot doctor`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from server.cli.common import ConfigOption, JsonOption, print_json
from server.cli.progress import progress_bar
from server.errors import SettingsError
from server.operating.doctor import inspect
from server.operating.report import Finding, Level, Report, problem
from server.settings import load_settings

DeepOption = Annotated[
    bool,
    typer.Option("--deep", help="Go over all data too: the invariants I1 to I10. The server may go on serving."),
]
PROBLEMS = 3
"""The exit code where something must be mended."""


def doctor(
    config: ConfigOption = None,
    deep: DeepOption = False,  # noqa: FBT002  an option is named on the command line
    as_json: JsonOption = False,  # noqa: FBT002  as above
) -> None:
    """Look for what is wrong, changing nothing: each problem is told with the command that mends it.

    Exit code 0: no problem (there may be warnings); 3: at least one problem; 2: the command itself is wrong.
    """
    report = _inspected(config, deep=deep, as_json=as_json)
    if as_json:
        print_json(report.described())
    else:
        for finding in report.findings:
            tell(finding)
        typer.echo(_summary(report))
    if not report.healthy:
        raise typer.Exit(PROBLEMS)


def _inspected(config: Path | None, *, deep: bool, as_json: bool) -> Report:
    try:
        settings = load_settings(config)
    except SettingsError as error:
        mend = "mend the settings as docs/reference/settings.md says; `opendepot init DIR` writes new ones"
        return Report(version="", deep=deep, findings=(problem("settings", str(error), mend=mend),))
    with progress_bar(shown=deep and not as_json) as progress:
        return asyncio.run(inspect(settings, config=config, deep=deep, progress=progress))


def tell(finding: Finding) -> None:
    """Print a finding, with its mend where it needs one."""
    invariant = f" ({finding.invariant})" if finding.invariant else ""
    bad = finding.level in {Level.PROBLEM, Level.WARNING}
    typer.secho(f"{finding.level.value:14}  {finding.check}{invariant}: {finding.message}", bold=bad)
    if finding.mend is not None:
        typer.echo(f"{'':14}  mend: {finding.mend}")


def _summary(report: Report) -> str:
    warnings = sum(finding.level is Level.WARNING for finding in report.findings)
    return f"{len(report.findings)} checks, {len(report.problems)} problems, {warnings} warnings"
