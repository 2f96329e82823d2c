"""The audit trail of a real server: sealed while it serves, walked, listed and kept by the verbs."""

import asyncio
import json
import sqlite3
from contextlib import closing

import pytest
from typer.testing import CliRunner
from wire import envelope, order

from server.cli.initialise import CONFIG
from server.cli.main import app

SECONDS = 20


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


async def sealed(server):
    """Wait until nothing is unsealed."""
    async with asyncio.timeout(SECONDS):
        while True:
            with closing(sqlite3.connect(server.folder / "opendepot.sqlite3")) as db:
                if db.execute("SELECT count(*) FROM audit WHERE seal IS NULL").fetchone() == (0,):
                    return
            await asyncio.sleep(0.05)


@pytest.fixture
async def ordered(server):
    """A server that took an order and sealed it."""
    assert (await server.post("sales", envelope(order()))).status == 200
    await sealed(server)
    return server


async def test_a_serving_process_seals_what_it_writes_and_the_verbs_show_it(ordered):
    config = ("--config", ordered.folder / CONFIG)
    verified = await asyncio.to_thread(run, "audit", "verify", *config)
    assert verified.exit_code == 0, verified.output
    assert "the chain is whole" in verified.output
    assert "0 wait for the sealer" in verified.output
    listed = await asyncio.to_thread(run, "audit", "list", "--action", "CreateOrder", "--json", *config)
    (row,) = json.loads(listed.output)
    assert (row["sealed"], row["erased"], row["action"]) == (True, False, "CreateOrder")
    text = (await asyncio.to_thread(run, "audit", "list", *config)).output
    assert "CreateOrder" in text.splitlines()[0]
    async with ordered.session.get(f"{ordered.up.admin_url}/metrics") as response:
        metrics = await response.text()
    assert "opendepot_audit_unsealed 0.0" in metrics
    assert "opendepot_audit_seal_lag_seconds 0.0" in metrics


async def test_a_changed_row_is_told_with_its_place_and_a_kept_head_is_compared(ordered, tmp_path):
    config = ("--config", ordered.folder / CONFIG)
    head = tmp_path / "head.json"
    head.write_text((await asyncio.to_thread(run, "audit", "head", *config)).output)
    assert (await asyncio.to_thread(run, "audit", "verify", "--head", head, *config)).exit_code == 0
    with closing(sqlite3.connect(ordered.folder / "opendepot.sqlite3")) as db:
        db.execute("UPDATE audit SET actor = 'shop:somebody' WHERE action = 'CreateOrder'")
        position = db.execute("SELECT max(position) FROM audit_chain").fetchone()[0]
        db.commit()
    verified = await asyncio.to_thread(run, "audit", "verify", "--json", *config)
    found = json.loads(verified.output)
    assert (verified.exit_code, found["whole"], found["first_broken"]) == (1, False, position)
    assert [problem["kind"] for problem in found["problems"]] == ["changed"]
    text = (await asyncio.to_thread(run, "audit", "verify", *config)).output
    assert f"position {position}: changed" in text
    refused = await asyncio.to_thread(run, "audit", "verify", "--head", tmp_path / "none", *config)
    assert refused.exit_code == 1
    assert "none" in str(refused.exception)
