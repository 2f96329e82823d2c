"""Checks of the database as it is reached, and of the server that runs on it."""

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import aiohttp

from server.operating.installation import Installation
from server.operating.keys import key_findings
from server.operating.report import Finding, Level, ok, problem
from storage.errors import ImportUnfinished, SchemaTooNew, StorageError
from storage.maintenance.links import Link, open_link
from storage.maintenance.schema import schema_state

CLOCK_SECONDS = 60
"""How far two clocks may differ."""

ADMIN_SECONDS = 2.0
_VERSION = re.compile(r'^opendepot_build_info\{[^}]*version="([^"]*)"', re.MULTILINE)


async def database_findings(here: Installation) -> AsyncIterator[Finding]:
    """Look at the database: reached, migrated, initialised with these keys, durable, its clock."""
    try:
        link = await open_link(here.settings.database)
    except StorageError as error:
        mend = f"see that the setting `database` is right and that the database runs; then {here.command('doctor')}"
        yield problem("database", str(error), mend=mend)
        return
    try:
        yield ok("database", "the database can be reached")
        async for finding in _looked_into(here, link):
            yield finding
    except StorageError as error:
        mend = f"{here.command('restore BACKUP --verify')} for the newest backup, then the same with --replace"
        yield problem("database", str(error), mend=mend)
    finally:
        await link.close()


async def _looked_into(here: Installation, link: Link) -> AsyncIterator[Finding]:
    try:
        state = await schema_state(link)
    except SchemaTooNew as error:
        yield problem("schema", str(error), mend="install the newer version of opendepot again")
        return
    except ImportUnfinished as error:
        yield problem("schema", str(error), mend=here.command("import DIR"))
        return
    except StorageError as error:
        yield problem(
            "schema", str(error), mend="install the version that made this database, or name another database"
        )
        return
    if state.pending:
        names = ", ".join(f"{migration.number:04}_{migration.name}" for migration in state.pending)
        yield problem("schema", f"migrations are due: {names}", mend=here.command("migrate"))
        return
    yield ok("schema", f"the schema is at migration {state.applied[-1].number}")
    yield await _fingerprint(here, link)
    async for finding in key_findings(here, link):
        yield finding
    yield await _durability(here, link)
    yield await _clock(here, link)


async def _fingerprint(here: Installation, link: Link) -> Finding:
    ((epoch, fingerprint),) = await link.fetch("SELECT current_epoch, key_fingerprint FROM server")
    vault = here.vault()
    if epoch is None:
        return problem("key_fingerprint", "the server has no epoch yet", mend=here.command("serve"))
    if vault is None:
        return Finding(check="key_fingerprint", level=Level.NOT_APPLICABLE, message="the keys cannot be read")
    if fingerprint not in vault.fingerprints():
        mend = "put back the files under secrets/ that this database was made with, or name the database of these keys"
        return problem("key_fingerprint", "the database was made with other keys", mend=mend)
    return ok("key_fingerprint", "the keys are those that the database was made with")


async def _durability(here: Installation, link: Link) -> Finding:
    if link.dialect == "sqlite":
        ((mode,),) = await link.fetch("PRAGMA journal_mode")
        if str(mode).lower() in {"off", "memory"}:
            mend = f"{here.command('migrate')}, which opens it as the server does"
            return problem("durability", f"the database's journal mode is {mode}: a crash damages it", mend=mend)
        return ok("durability", "the server waits for the disk at each commit")
    rows = await link.fetch("SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes')")
    off = sorted(row[0] for row in rows if row[1] != "on")
    if off:
        mend = "; ".join(f"ALTER SYSTEM SET {name} = on" for name in off) + "; SELECT pg_reload_conf()"
        return problem("durability", f"PostgreSQL may lose what it has acknowledged: {', '.join(off)} off", mend=mend)
    return ok("durability", "PostgreSQL waits for the disk")


async def _clock(here: Installation, link: Link) -> Finding:
    mend = "set the clock right and keep it so by NTP (timedatectl set-ntp true); then run this again"
    if here.now.year < 2026:
        return problem("clock", f"this machine's clock says {here.now:%Y-%m-%d}", mend=mend)
    latest = (await link.fetch("SELECT max(at) FROM (SELECT at FROM audit ORDER BY audit_id DESC LIMIT 100) AS a"))[0][
        0
    ]
    ahead = _seconds_ahead(latest, here.now)
    if ahead > CLOCK_SECONDS:
        return problem("clock", f"the newest audit row is {ahead:.0f} s in the future of this clock", mend=mend)
    if link.dialect == "postgres":
        ((there,),) = await link.fetch("SELECT clock_timestamp()")
        apart = abs((there - here.now).total_seconds())
        if apart > CLOCK_SECONDS:
            return problem("clock", f"this clock and that of PostgreSQL are {apart:.0f} s apart", mend=mend)
    return ok("clock", "the clock is not behind what the database has seen")


def _seconds_ahead(microseconds: int | None, now: datetime) -> float:
    if microseconds is None:
        return 0.0
    return (timedelta(microseconds=microseconds) - timedelta(seconds=now.timestamp())).total_seconds()


async def running_findings(here: Installation, *, version: str) -> AsyncIterator[Finding]:
    """Ask the admin listener, if one answers, whether the server is of this version and ready."""
    url = f"http://{here.settings.admin_host}:{here.settings.admin_port}"
    if here.settings.admin_port == 0:
        yield _not_running("admin_port is 0, so the running server cannot be found")
        return
    try:
        timeout = aiohttp.ClientTimeout(total=ADMIN_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            async with session.get(f"{url}/metrics") as answer:
                metrics = await answer.text()
            async with session.get(f"{url}/readyz") as answer:
                ready, said = answer.status == 200, (await answer.text()).strip()
    except (aiohttp.ClientError, TimeoutError):
        yield _not_running(f"no server answers at {url}")
        return
    running = sorted(set(_VERSION.findall(metrics)))
    if running != [version]:
        says = ", ".join(running) or "of no known version"
        mend = "restart the server (systemctl restart opendepot)"
        yield problem("version", f"the running server is {says}, installed is {version}", mend=mend)
    else:
        yield ok("version", f"the running server is {version}, as installed")
    if ready:
        yield ok("ready", "the running server is ready")
    else:
        yield problem("ready", f"the running server is not ready: {said}", mend="see the events on its standard error")


def _not_running(message: str) -> Finding:
    return Finding(check="version", level=Level.NOT_APPLICABLE, message=message)
