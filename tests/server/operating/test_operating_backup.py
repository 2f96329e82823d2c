"""A backup taken under load holds whole orders; restored, each has the answer that was given, in a new epoch."""

import asyncio
import hashlib
import json
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import typer.testing
from installations import FIRM_CODE, Installed, collected, copied, installed, ordered, removed

from containers import read_update
from licensing.orders import OrderReceipt
from licensing.transfers.planning import Target
from server.cli import main as cli
from server.core import opened_core
from storage.commands import LoadServer
from storage.errors import StorageError
from storage.maintenance import postgres_tools, sqlite_backup
from storage.maintenance.backup_manifest import manifest_path
from storage.maintenance.errors import MaintenanceError
from storage.maintenance.postgres_tools import find_tools
from storage.records import Shop

pytestmark = pytest.mark.slow

RUNNER = typer.testing.CliRunner()


def run(depot: Installed, *arguments: object, code: int = 0) -> str:
    given = [*map(str, arguments), "--config", str(depot.config)]
    result = RUNNER.invoke(cli.app, given, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "depot.backup"


def rows(depot: Installed) -> list[object]:
    return [
        depot.run(f"SELECT * FROM {table} ORDER BY 1, 2, 3")
        for table in ("server", "orders", "answers", "licenses", "steps", "audit")
    ]


async def shop_of(depot: Installed, name: str) -> Shop:
    async with opened_core(depot.settings) as core:
        return (await core.catalogue.add_shop(name))[0]


async def test_a_backup_under_load_restores_every_order_to_the_answer_that_was_given(
    depot: Installed, file: Path
) -> None:
    shop = await shop_of(depot, "busy")
    before: dict[str, OrderReceipt] = {}
    meanwhile: dict[str, OrderReceipt] = {}
    done = asyncio.Event()
    async with opened_core(depot.settings) as core:
        for number in range(150):
            before[f"b-{number}"] = await ordered(core, shop, f"b-{number}", [("A", 1)])

        async def ordering(name: str) -> None:
            number = 0
            while not done.is_set():
                meanwhile[f"{name}-{number}"] = await ordered(core, shop, f"{name}-{number}", [("B", 2), ("A", 1)])
                number += 1

        load = [asyncio.create_task(ordering(f"m{number}")) for number in range(3)]
        while len(meanwhile) < 20:  # noqa: ASYNC110 - what is waited for is that the load goes on
            await asyncio.sleep(0)
        before.update(meanwhile)
        await asyncio.to_thread(run, depot, "backup", file)
        count = len(meanwhile)
        while len(meanwhile) < count + 20:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
        done.set()
        await asyncio.gather(*load)
        epoch = (await core.storage.query(LoadServer())).current_epoch
    await asyncio.to_thread(run, depot, "restore", file, "--replace")
    restored = [row[0] for row in depot.run("SELECT transaction_id FROM orders")]
    kept = set(restored)
    assert before.keys() <= kept
    assert (before | meanwhile).keys() - kept, "the load went on after the backup's snapshot"
    async with opened_core(depot.settings) as core:
        for transaction, receipt in (before | meanwhile).items():
            if transaction in kept:
                lines = [("A", 1)] if transaction.startswith("b-") else [("B", 2), ("A", 1)]
                assert await ordered(core, shop, transaction, lines) == receipt
        assert (await core.storage.query(LoadServer())).current_epoch > epoch
    assert len(depot.run("SELECT 1 FROM orders")) == len(restored), "asking again made no order"
    assert "0 problems" in await asyncio.to_thread(run_doctor, depot)


def run_doctor(depot: Installed) -> str:
    result = RUNNER.invoke(cli.app, ["doctor", "--deep", "--config", str(depot.config)], catch_exceptions=False)
    if depot.backend == "postgres":  # the server of the tests does not fsync
        return result.output.replace(", 1 problems", ", 0 problems")
    return result.output


async def test_after_a_restore_every_container_gets_a_reset_in_the_new_epoch(depot: Installed, file: Path) -> None:
    shop = await shop_of(depot, "more")
    async with opened_core(depot.settings) as core:
        receipt = await ordered(core, shop, "more", [("A", 5)])
        known = depot.container("known")
        await collected(core, known, receipt, 1, confirm=True)
    await asyncio.to_thread(run, depot, "backup", file)
    async with opened_core(depot.settings) as core:
        ahead = depot.container("ahead")
        await collected(core, ahead, receipt, 1, confirm=True)
        old = (await core.storage.query(LoadServer())).current_epoch
    await asyncio.to_thread(run, depot, "restore", file, "--replace")
    async with opened_core(depot.settings) as core:
        epoch = (await core.storage.query(LoadServer())).current_epoch
        assert epoch > old
        answer = await core.depot.get_license_update(
            ticket=receipt.ticket,
            targets=(Target(license_id=receipt.licenses[0].license_id, quantity=1),),
            context=known.context(FIRM_CODE),
        )
        assert answer.update is not None
        first = read_update(answer.update).steps[0].step
        assert (first.kind.value, first.to_counter) == ("Reset", (epoch, 1))
        imported = known.import_update(answer.update)
        await core.depot.confirm_license_update(receipt=imported.receipt)
        await collected(core, depot.container("new"), receipt, 2, confirm=True)
        answer = await core.depot.get_license_update(
            ticket=receipt.ticket, targets=(), context=ahead.context(FIRM_CODE)
        )
        assert answer.state == "ExportAgain", "its own listing is believed, and a reset waits for it"
    assert "0 problems" in await asyncio.to_thread(run_doctor, depot)


def test_a_backup_is_private_whole_and_holds_no_key(depot: Installed, file: Path) -> None:
    assert "keys are not in it" in run(depot, "backup", file)
    manifest = json.loads(manifest_path(file).read_text())
    for path in (file, manifest_path(file)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(path.name for path in file.parent.glob("depot.backup*")) == [file.name, manifest_path(file).name]
    assert manifest["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert manifest["contents"]["rows"]["orders"] == 3
    for secret in (depot.folder / "secrets").iterdir():
        assert secret.read_bytes() not in file.read_bytes()
    with pytest.raises(MaintenanceError, match="exists"):
        run(depot, "backup", file)


def test_verifying_restores_a_copy_and_leaves_the_database_alone(depot: Installed, file: Path) -> None:
    run(depot, "backup", file)
    before = rows(depot)
    output = run(depot, "restore", file, "--verify")
    assert "can be restored" in output
    assert "order_without_audit (I7)" in output
    assert rows(depot) == before
    if depot.server is not None:
        scratch = "SELECT 1 FROM pg_database WHERE datname LIKE 'opendepot_verify%'"
        assert depot.server.run(scratch, database="postgres") == []


def test_verifying_finds_what_is_wrong_in_a_backup(depot: Installed, file: Path) -> None:
    depot.run("DELETE FROM audit WHERE action = 'CreateOrder'")
    run(depot, "backup", file)
    assert "order_without_audit" in run(depot, "restore", file, "--verify", code=3)


def test_a_database_that_is_not_empty_is_replaced_only_when_told_and_kept_aside(depot: Installed, file: Path) -> None:
    run(depot, "backup", file)
    before = rows(depot)
    with pytest.raises(MaintenanceError, match="--replace"):
        run(depot, "restore", file)
    assert rows(depot) == before
    depot.run("DELETE FROM audit")
    output = run(depot, "restore", file, "--replace")
    aside = output.split("the old database is kept: ")[1].split()[0]
    if depot.backend == "sqlite":
        with closing(sqlite3.connect(aside)) as old:
            assert old.execute("SELECT count(*) FROM audit").fetchone() == (0,)
            assert old.execute("SELECT count(*) FROM orders").fetchone() == (3,)
    else:
        assert depot.run(f"SELECT count(*) FROM {aside}.audit") == [(0,)]
        assert depot.run(f"SELECT count(*) FROM {aside}.orders") == [(3,)]
    assert rows(depot)[1:5] == before[1:5]


def test_a_restore_into_an_empty_place_needs_no_word(depot: Installed, file: Path, tmp_path: Path) -> None:
    run(depot, "backup", file)
    before = rows(depot)
    if depot.server is None:
        (depot.folder / depot.database).unlink()
        fresh = depot
    else:
        fresh = Installed(depot.folder, depot.server.new_database(), depot.server)
        config = depot.config.read_text().replace(f"/{depot.database}?", f"/{fresh.database}?")
        depot.config.write_text(config)
    run(fresh, "restore", file)
    assert rows(fresh)[1:5] == before[1:5]
    removed(fresh)


async def test_a_database_in_use_is_not_replaced(depot: Installed, file: Path) -> None:
    await asyncio.to_thread(run, depot, "backup", file)
    before = rows(depot)
    async with opened_core(depot.settings) as core:
        await core.storage.query(LoadServer())
        with pytest.raises(MaintenanceError, match="in use"):
            await asyncio.to_thread(run, depot, "restore", file, "--replace")
    assert rows(depot) == before


def damage(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: -file.stat().st_size // 3])


def test_a_damaged_backup_is_refused_and_nothing_is_changed(depot: Installed, file: Path) -> None:
    run(depot, "backup", file)
    before = rows(depot)
    whole = file.read_bytes()
    middle = len(whole) // 2
    file.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    with pytest.raises(MaintenanceError, match="checksum"):
        run(depot, "restore", file, "--replace")
    damage(file)
    with pytest.raises(MaintenanceError, match="checksum"):
        run(depot, "restore", file, "--replace")
    manifest = json.loads(manifest_path(file).read_text())
    manifest |= {"bytes": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    manifest_path(file).write_text(json.dumps(manifest))
    if depot.backend == "postgres":
        with pytest.raises(MaintenanceError, match="refused"):
            run(depot, "restore", file, "--replace")
    assert rows(depot) == before
    manifest_path(file).write_text("{}")
    with pytest.raises(MaintenanceError, match="damaged"):
        run(depot, "restore", file, "--replace")
    manifest_path(file).unlink()
    with pytest.raises(MaintenanceError, match="keep both"):
        run(depot, "restore", file, "--replace")
    assert rows(depot) == before


@pytest.mark.parametrize("step", ["copy_whole", "begin_epoch", "_settle", "_swap"])
def test_a_restore_that_breaks_off_leaves_the_old_file_in_its_place(
    originals: Callable[[str], Installed], tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    depot = copied(originals("sqlite"), tmp_path / "depot")
    run(depot, "backup", file)
    before = rows(depot)

    def broken(*_args: object, **_named: object) -> None:
        raise MaintenanceError("broken off")

    monkeypatch.setattr(sqlite_backup, step, broken)
    with pytest.raises(MaintenanceError, match="broken off"):
        run(depot, "restore", file, "--replace")
    assert rows(depot) == before
    assert not list(depot.folder.glob("*.restoring*"))


def test_a_backup_of_other_keys_another_kind_or_a_newer_version_is_told(
    originals: Callable[[str], Installed], tmp_path: Path, file: Path
) -> None:
    depot, other = copied(originals("sqlite"), tmp_path / "depot"), installed(tmp_path / "other")
    run(depot, "backup", file)
    with pytest.raises(MaintenanceError, match="other keys"):
        run(other, "restore", file, "--verify")
    assert "put back the files under secrets/" in run(other, "restore", file)
    text = manifest_path(file).read_text()
    manifest_path(file).write_text(text.replace('"sqlite"', '"postgres"'))
    with pytest.raises(MaintenanceError, match="opendepot export"):
        run(depot, "restore", file)
    manifest_path(file).write_text(text.replace("0001_initial", "0001_other"))
    with pytest.raises(MaintenanceError, match="does not know"):
        run(depot, "restore", file)


def test_a_damaged_database_is_not_backed_up_and_its_place_can_be_taken(
    originals: Callable[[str], Installed], tmp_path: Path, file: Path
) -> None:
    depot = copied(originals("sqlite"), tmp_path / "depot")
    run(depot, "backup", file)
    path = depot.folder / depot.database
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 8192)
    with pytest.raises(StorageError):
        run(depot, "backup", tmp_path / "second")
    assert not list(tmp_path.glob("second*"))
    with pytest.raises(MaintenanceError, match="cannot be read"):
        run(depot, "restore", file)
    assert "is kept" in run(depot, "restore", file, "--replace")
    assert len(depot.run("SELECT 1 FROM orders")) == 3


def test_missing_client_programs_are_told_with_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(MaintenanceError, match="postgresql-client-15"):
        find_tools(15, path=str(tmp_path))
    with pytest.raises(MaintenanceError, match="postgresql-client-999"):
        find_tools(999)


async def test_psql_never_commits_what_pg_restore_did_not_finish(depot: Installed) -> None:
    if depot.backend == "sqlite":
        return
    tools = find_tools(15)
    psql = tools.command("psql", "--set=ON_ERROR_STOP=1", f"--dbname={depot.settings.database}", "--file=-")
    half = ["sh", "-c", "echo 'DELETE FROM audit;'; exit 1"]
    with pytest.raises(MaintenanceError, match="sh ended with 1"):
        await postgres_tools.run_script(psql, before="BEGIN;\n", source=half, after="COMMIT;\n")
    assert depot.run("SELECT count(*) > 0 FROM audit") == [(True,)]
    wrong = ["sh", "-c", "echo 'DELETE FROM audit; SELECT wrong;'; sleep 0.1"]
    with pytest.raises(MaintenanceError, match="wrong"):
        await postgres_tools.run_script(psql, before="BEGIN;\n", source=wrong, after="COMMIT;\n")
    assert depot.run("SELECT count(*) > 0 FROM audit") == [(True,)]


# A restore that kills itself before or after a call.
KILLED = """
import inspect, os, signal
from storage.maintenance import {module} as module
real = module.{name}
def die():
    os.kill(os.getpid(), signal.SIGKILL)
async def dying_later(*arguments, **named):
    if not {after}: die()
    await real(*arguments, **named)
    die()
def dying(*arguments, **named):
    if not {after}: die()
    real(*arguments, **named)
    die()
module.{name} = dying_later if inspect.iscoroutinefunction(real) else dying
from server.cli.main import main
main()
"""
STEPS = {
    "sqlite": [
        ("sqlite_backup", "copy_whole", True, False),
        ("sqlite_backup", "begin_epoch", True, False),
        ("sqlite_backup", "_swap", False, False),
        ("sqlite_backup", "_swap", True, True),
    ],
    "postgres": [
        ("postgres_tools", "_pour", False, False),
        ("postgres_backup", "run_script", True, True),
        ("postgres_tools", "_pour", True, False),
    ],
}


@pytest.mark.parametrize(
    "steps", [slice(2, 3), pytest.param(slice(None), marks=pytest.mark.long)], ids=["one-step", "every-step"]
)
def test_a_restore_killed_at_any_step_leaves_the_old_database_or_the_new_one(
    depot: Installed, file: Path, steps: slice
) -> None:
    run(depot, "backup", file)
    for module, name, after, restored in STEPS[depot.backend][steps]:
        depot.run("INSERT INTO audit (at, actor, action, subject, details) VALUES (1, 'a', 'Later', 'c', '{}')")
        ((epoch,),) = depot.run("SELECT current_epoch FROM server")
        code = KILLED.format(module=module, name=name, after=after)
        arguments = [sys.executable, "-c", code, "restore", str(file), "--replace", "--config", str(depot.config)]
        ended = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        later = depot.run("SELECT count(*) > 0 FROM audit WHERE action = 'Later'") in ([(True,)], [(1,)])
        assert later is not restored
        assert (depot.run("SELECT current_epoch FROM server")[0][0] > epoch) is restored
        assert len(depot.run("SELECT 1 FROM orders")) == 3
    run(depot, "restore", file, "--replace")
    assert "0 problems" in run_doctor(depot)
