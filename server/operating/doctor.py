"""`opendepot doctor` as a function, for the command line and for tests of faults."""

from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path

from containers import load_trust
from server.operating.installation import Installation, installation_findings
from server.operating.invariants import check_invariants
from server.operating.keys import unopened_finding
from server.operating.report import Finding, Report, problem
from server.operating.running import database_findings, running_findings
from server.operating.scene import Progress
from server.settings import Settings
from storage.errors import StorageError


def _utc_now() -> datetime:
    return datetime.now(UTC)


async def inspect(
    settings: Settings,
    *,
    config: Path | None = None,
    deep: bool = False,
    progress: Progress | None = None,
    clock: Callable[[], datetime] = _utc_now,
) -> Report:
    """Look at an installation, changing nothing. Raises nothing for what is wrong: that stands in the report.

    `deep` goes over all data, row by row, and takes its time; the server may go on serving.
    """
    version = installed_version("opendepot")
    here = Installation(settings=settings, config=config, now=clock())
    findings: list[Finding] = list(installation_findings(here))
    async for finding in database_findings(here):
        findings.append(finding)  # noqa: PERF401 - an async comprehension would hide what is awaited
    async for finding in running_findings(here, version=version):
        findings.append(finding)  # noqa: PERF401 - as above
    readable = {"database", "schema"} <= {finding.check for finding in findings if finding.level.value == "ok"}
    if deep and readable:
        findings += [await unopened_finding(here), *await _deep(here, progress)]
    return Report(version=version, deep=deep, findings=tuple(findings))


async def _deep(here: Installation, progress: Progress | None) -> tuple[Finding, ...]:
    box = here.box()
    try:
        return await check_invariants(
            here.settings.database,
            vault=here.vault(),
            trust=() if box is None else load_trust(box.root_certificate_pem),
            progress=progress,
        )
    except StorageError as error:
        mend = f"{here.command('restore BACKUP --verify')} for the newest backup, then the same with --replace"
        return (problem("data", f"the data cannot be read: {error}", mend=mend),)
