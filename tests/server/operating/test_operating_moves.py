"""A database moves to the other kind and back with every row, through kills, and never half."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from installations import FIRM_CODE, Installed, collected, copied, installed, ordered, removed
from postgres_server import PostgresServer, run_apart

from server.cli import main as cli
from server.core import opened_core
from storage.commands import LoadServer
from storage.errors import ImportUnfinished
from storage.maintenance.errors import MaintenanceError
from storage.maintenance.lines import line_of, row_of
from storage.maintenance.tables import TABLES, Kind, Table

pytestmark = pytest.mark.slow

RUNNER = typer.testing.CliRunner()
BULK = 4000
BULKY = (
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) "
    "INSERT INTO tickets (ticket_id, lookup, sealed, created_at) "
)


def run(depot: Installed, *arguments: object, code: int = 0) -> str:
    given_ = [*map(str, arguments), "--config", str(depot.config)]
    result = RUNNER.invoke(cli.app, given_, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "export"


@pytest.fixture
def make_target(tmp_path: Path, request: pytest.FixtureRequest):
    """A function that makes an empty installation with the keys of another one."""
    made: list[Installed] = []

    def making(backend: str, keys_of: Installed) -> Installed:
        server: PostgresServer | None = request.getfixturevalue("own_postgres") if backend == "postgres" else None
        place = tmp_path / f"target-{len(made)}"
        target = installed(place, server)
        for secret in (keys_of.folder / "secrets").iterdir():
            (place / "secrets" / secret.name).write_bytes(secret.read_bytes())
        for path in (*keys_of.folder.glob("*.json"), keys_of.folder / "vendor-certificate.pem"):
            (place / path.name).write_bytes(path.read_bytes())
        if server is None:
            for path in place.glob("opendepot.sqlite3*"):
                path.unlink()
        made.append(target)
        return target

    yield making
    for target in made:
        removed(target)


def other(backend: str) -> str:
    return "postgres" if backend == "sqlite" else "sqlite"


def lines_of(folder: Path) -> dict[str, bytes]:
    """All files of an export, but for what an import itself changes."""
    found = {path.name.partition("-")[2]: path.read_bytes() for path in sorted(folder.glob("*.jsonl"))}
    server = json.loads(found["server.jsonl"])
    audit = [line for line in found["audit.jsonl"].splitlines() if json.loads(line)[3] != "Import"]
    return found | {"server.jsonl": json.dumps(server[2:-1]).encode(), "audit.jsonl": b"\n".join(audit)}


def test_there_and_back_every_row_is_the_same(
    depot: Installed, folder: Path, tmp_path: Path, make_target: Callable[[str, Installed], Installed]
) -> None:
    before = folder, tmp_path / "second", tmp_path / "third"
    run(depot, "export", before[0])
    there = make_target(other(depot.backend), depot)
    assert "all compared with the export" in run(there, "import", before[0])
    run(there, "export", before[1])
    back = make_target(depot.backend, depot)
    run(back, "import", before[1])
    run(back, "export", before[2])
    assert lines_of(before[0]) == lines_of(before[1]) == lines_of(before[2])
    assert len(lines_of(before[0])) == len(TABLES)
    for moved in (there, back):
        output = RUNNER.invoke(cli.app, ["doctor", "--deep", "--config", str(moved.config)]).output
        assert ("1 problems" if moved.backend == "postgres" else "0 problems") in output, output


async def test_after_a_move_orders_answer_as_before_and_containers_go_on(
    depot: Installed, folder: Path, make_target: Callable[[str, Installed], Installed]
) -> None:
    async with opened_core(depot.settings) as core:
        shop, _ = await core.catalogue.add_shop("mover")
        receipt = await ordered(core, shop, "m-1", [("A", 3)])
        container = depot.container("mover")
        await collected(core, container, receipt, 1, confirm=True)
        old = (await core.storage.query(LoadServer())).current_epoch
    await asyncio.to_thread(run, depot, "export", folder)
    target = await asyncio.to_thread(make_target, other(depot.backend), depot)
    await asyncio.to_thread(run, target, "import", folder)
    async with opened_core(target.settings) as core:
        assert await ordered(core, shop, "m-1", [("A", 3)]) == receipt
        assert (await core.storage.query(LoadServer())).current_epoch > old
        await collected(core, container, receipt, 3, confirm=True)
        assert [entry.quantity for entry in container.listing(FIRM_CODE)] == [3]
        await ordered(core, shop, "m-2", [("B", 1)])
    deep = await asyncio.to_thread(RUNNER.invoke, cli.app, ["doctor", "--deep", "--config", str(target.config)])
    assert ("1 problems" if target.backend == "postgres" else "0 problems") in deep.output, deep.output


# A process that kills itself at the n-th call of a function: before, or after what it does.
KILLED = """
import os, signal, sys
import storage.maintenance.{module} as module
from storage.maintenance import {link_module}
owner, name = {owner}, "{name}"
real, calls = getattr(owner, name), 0
async def dying(*arguments, **named):
    global calls
    calls += 1
    if calls == {call} and not {after}:
        os.kill(os.getpid(), signal.SIGKILL)
    result = await real(*arguments, **named)
    if calls == {call}:
        os.kill(os.getpid(), signal.SIGKILL)
    return result
setattr(owner, name, dying)
from server.cli.main import main
main()
"""


def killed(depot: Installed, verb: str, folder: Path, *, owner: str, name: str, call: int, after: bool) -> None:
    link = "sqlite_link" if depot.backend == "sqlite" else "postgres_link"
    code = KILLED.format(
        module="importing" if verb == "import" else "exporting",
        link_module=link,
        owner=owner.format(link=f"{link}.{'SqliteLink' if depot.backend == 'sqlite' else 'PostgresLink'}"),
        name=name,
        call=call,
        after=after,
    )
    arguments = [sys.executable, "-c", code, verb, str(folder), "--config", str(depot.config)]
    ended = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ))
    assert ended.returncode == -signal.SIGKILL, ended.stderr


@pytest.fixture
def large(originals: Callable[[str], Installed], tmp_path: Path) -> Installed:
    """A SQLite installation with so many tickets that they are several chunks."""
    depot = copied(originals("sqlite"), tmp_path / "grown")
    depot.run(BULKY + "SELECT printf('t-%06d', i), randomblob(32), randomblob(80), i FROM n")
    return depot


INSERT = {"owner": "{link}", "name": "insert"}
COMPARE = {"owner": "module", "name": "_compare"}
FINISH = {"owner": "module", "name": "begin_epoch"}
# Call 1 of insert sets the mark; shops, credentials and items are 2 to 4; tickets 5 to 9.
FEW = ({**INSERT, "call": 7, "after": True}, {**FINISH, "call": 1, "after": True})
MANY = (
    {**INSERT, "call": 1, "after": False},
    {**INSERT, "call": 1, "after": True},
    {**INSERT, "call": 7, "after": False},
    *({**INSERT, "call": call, "after": after} for call in (1, 2, 3) for after in (True, False)),
    {**COMPARE, "call": 1, "after": False},
    {**COMPARE, "call": 1, "after": True},
    {**FINISH, "call": 1, "after": False},
    {**FINISH, "call": 1, "after": True},
)


@pytest.mark.parametrize(
    ("backend", "kills"),
    [
        pytest.param("sqlite", FEW, id="sqlite"),
        pytest.param("sqlite", MANY, id="sqlite-every-step", marks=pytest.mark.long),
        pytest.param("postgres", MANY, id="postgres-every-step", marks=pytest.mark.long),
    ],
)
def test_an_import_killed_at_any_step_goes_on_and_is_whole(
    large: Installed,
    folder: Path,
    make_target: Callable[[str, Installed], Installed],
    backend: str,
    kills: Sequence[dict[str, Any]],
) -> None:
    depot = large
    run(depot, "export", folder)
    target = make_target(backend, depot)
    for kill in kills:
        killed(target, "import", folder, **kill)
        if kill["name"] == "insert" and kill["call"] < 7 and not tickets(target):
            continue
        with pytest.raises(ImportUnfinished, match="run `opendepot import` again"):
            run_apart(_opened, target)
    assert tickets(target) == BULK + 2
    doctor = RUNNER.invoke(cli.app, ["doctor", "--config", str(target.config)])
    assert doctor.exit_code == 3
    assert "mend: opendepot import DIR" in doctor.output
    assert "went on after" in run(target, "import", folder)
    run(target, "export", folder.with_name("again"))
    assert lines_of(folder) == lines_of(folder.with_name("again"))
    run_apart(_opened, target)


def tickets(depot: Installed) -> int:
    return int(depot.run("SELECT count(*) FROM tickets")[0][0])


async def _opened(depot: Installed) -> None:
    async with opened_core(depot.settings) as core:
        await core.storage.ready()


def test_an_export_that_was_killed_begins_anew_in_the_same_folder(
    large: Installed, folder: Path, make_target: Callable[[str, Installed], Installed]
) -> None:
    depot = large
    for call in (1, len(TABLES)):
        killed(depot, "export", folder, owner="module", name="_written", call=call, after=True)
        target = make_target("sqlite", depot)
        with pytest.raises(MaintenanceError, match="run `opendepot export` again"):
            run(target, "import", folder)
    run(depot, "export", folder)
    run(make_target("sqlite", depot), "import", folder)
    with pytest.raises(MaintenanceError, match="holds an export"):
        run(depot, "export", folder)


def test_what_is_not_empty_or_another_export_is_refused(
    depot: Installed, folder: Path, tmp_path: Path, make_target: Callable[[str, Installed], Installed]
) -> None:
    run(depot, "export", folder)
    with pytest.raises(MaintenanceError, match="not empty"):
        run(depot, "import", folder)
    run_apart(_opened, depot)
    target = make_target(depot.backend, depot)
    killed(target, "import", folder, owner="{link}", name="insert", call=4, after=True)
    run(depot, "export", tmp_path / "second")
    with pytest.raises(MaintenanceError, match="part of another export"):
        run(target, "import", tmp_path / "second")
    target.run("UPDATE shops SET name = 'changed' WHERE name = 'one'")
    with pytest.raises(MaintenanceError, match="shops differs"):
        run(target, "import", folder)
    with pytest.raises(ImportUnfinished):
        run_apart(_opened, target)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep me")
    with pytest.raises(MaintenanceError, match="other files"):
        run(depot, "export", tmp_path / "mine")


def test_a_damaged_export_is_refused_before_anything_is_written(
    depot: Installed, folder: Path, make_target: Callable[[str, Installed], Installed]
) -> None:
    run(depot, "export", folder)
    target = make_target("sqlite", depot)
    (orders,) = folder.glob("*-orders.jsonl")
    whole, manifest = orders.read_bytes(), (folder / "manifest.json").read_text()
    for damage in (
        lambda: orders.write_bytes(whole[:-1]),
        orders.unlink,
        lambda: (folder / "manifest.json").write_text(manifest.replace('"licenses"', '"lices"')),
        lambda: (folder / "manifest.json").write_text(manifest.replace("0001_initial", "0001_other")),
        lambda: (folder / "manifest.json").write_text(manifest.replace("export-1", "export-2")),
        lambda: (folder / "manifest.json").write_text(manifest[:-20]),
    ):
        damage()
        with pytest.raises(MaintenanceError):
            run(target, "import", folder)
        assert not (target.folder / target.database).exists()
        orders.write_bytes(whole)
        (folder / "manifest.json").write_text(manifest)
    run(target, "import", folder)


EVERY_KIND = Table(name="t", columns={kind.name.lower(): kind for kind in Kind}, key=("text",))
WHOLE = st.integers(-(2**63), 2**63 - 1)
VALUES = st.tuples(
    st.text() | st.none(),
    WHOLE | st.none(),
    st.booleans() | st.none(),
    st.binary() | st.none(),
    st.integers(0, 10**15),
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(VALUES)
def test_a_line_holds_any_row(values: tuple[object, ...]) -> None:
    line = line_of(EVERY_KIND, values)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert row_of(EVERY_KIND, line, "postgres")[:4] == values[:4]
    assert row_of(EVERY_KIND, line, "sqlite") == values


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b"[1,2,3,4,5,6]", b'["a",1,true,"no base64!",1]', b"\xff"])
def test_a_line_that_is_no_row_is_refused(line: bytes) -> None:
    with pytest.raises(MaintenanceError, match="no row"):
        row_of(EVERY_KIND, line, "sqlite")
