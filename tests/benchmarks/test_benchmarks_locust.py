"""The scenarios for locust: the same as those of `opendepot bench`, and each of them carried out on a real server."""

import asyncio
import json
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.folders import ROOT
from benchmarks.locusts import LOCUSTFILE, python_with_locust
from benchmarks.processes import SERVER_CORE, free_port, serving
from opendepot.bench.scenarios import Scenario
from server.cli.initialise import CONFIG, VENDOR_CERTIFICATE, initialise
from server.core import opened_core
from server.settings import load_settings

SERVE = "from server.cli.main import main; main()"
OZOMM = '[sources.yes]\nkind = "everybody"\n[[rules]]\nitems = ["EDITOR"]\neligibility = "yes"\n'
USERS = {"Order": "order", "Collect": "collect", "Cycle": "cycle", "ExtensionStorm": "extend"}


def test_every_scenario_of_the_load_tester_has_its_users() -> None:
    text = LOCUSTFILE.read_text()
    assert set(re.findall(r'self\.whole\("(\w+)"', text)) == {scenario.value for scenario in Scenario}
    assert set(USERS) <= set(re.findall(r"^class (\w+)\(", text, re.MULTILINE))


@dataclass(frozen=True)
class Running:
    folder: Path
    url: str

    def count(self, table: str) -> int:
        with closing(sqlite3.connect(self.folder / "opendepot.sqlite3")) as database:
            ((found,),) = database.execute(f"SELECT count(*) FROM {table}").fetchall()
        return int(found)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    folder = tmp_path / "depot"
    initialise(folder)
    (folder / "ozomm.toml").write_text(OZOMM)

    async def stocked() -> str:
        async with opened_core(load_settings(folder / CONFIG)) as core:
            await core.catalogue.add_item(
                item_number="EDITOR", firm_code=6_000_010, product_code=1, options=("expirationTime=add:365d",)
            )
            return (await core.catalogue.add_shop("load"))[1]

    (tmp_path / "key").write_text(f"{asyncio.run(stocked())}\n")
    port = free_port()
    command = [sys.executable, "-c", SERVE, "serve", "--config", str(folder / CONFIG), "--port", str(port)]
    with serving(
        [*command, "--admin-port", "0"],
        port=port,
        core=SERVER_CORE,
        directory=ROOT,
        environment={"OPENDEPOT_OZOMM_FILE": str(folder / "ozomm.toml")},
    ):
        yield Running(folder, f"http://127.0.0.1:{port}")


@contextmanager
def locust(running: Running, *words: str) -> Iterator["subprocess.Popen[str]"]:
    key = running.folder.parent / "key"
    where = ("--host", running.url, "--headless", "--json", "--only-summary", "--api-key-file", str(key))
    with subprocess.Popen(
        [python_with_locust(), "-m", "locust", "-f", str(LOCUSTFILE), *where, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.long
def test_each_scenario_is_carried_out_and_counted_and_nothing_fails(running: Running) -> None:
    trust = str(running.folder / VENDOR_CERTIFICATE)
    reached = {"placements WHERE confirmed = 1": 5, "placements WHERE confirmed = 0": 5, "extensions": 5, "orders": 100}
    with locust(running, "--trust", trust, "--users", "8", "--spawn-rate", "8", "--a-second", "5", *USERS) as process:
        while process.poll() is None and any(running.count(what) < least for what, least in reached.items()):
            time.sleep(0.1)
        process.terminate()
        told, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    rows = {(row["method"], row["name"]): row for row in json.loads(told)}
    assert {name for method, name in rows if method == "scenario"} == set(USERS.values())
    assert [row for row in rows.values() if row["num_failures"]] == []
    ordered = sum(rows["POST", name]["num_requests"] for name in ("CreateOrder", "CreateOrder (ahead)"))
    # Each extension is an order, too; what was under way at the end is in the database and in no row.
    assert ordered <= running.count("orders") - running.count("extensions WHERE step = 'done'") <= ordered + 8
    assert running.count("extensions") >= rows["scenario", "extend"]["num_requests"]
    assert running.count("placements WHERE confirmed = 1") >= rows["scenario", "cycle"]["num_requests"]


@pytest.mark.long
def test_what_is_missing_or_refused_is_told_and_is_a_failure(running: Running) -> None:
    with locust(running, "--users", "1", "Cycle") as process:
        _, errors = process.communicate(timeout=100)
    assert (process.returncode, "--trust" in errors) == (1, True), errors
    (running.folder.parent / "key").write_text("od_wrong")
    with locust(running, "--users", "1", "--run-time", "15s", "Order") as process:
        told, errors = process.communicate(timeout=100)
    assert process.returncode == 1, errors
    (row,) = json.loads(told)
    assert (row["name"], row["num_failures"]) == ("ListItems", row["num_requests"])
    assert "od_wrong" not in told + errors
