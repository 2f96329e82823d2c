"""Several processes on one file, and processes that die."""

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from storage import open_storage
from storage.commands import FindOrder
from storage.errors import StorageBusy

WRITER = Path(__file__).with_name("writing_process.py")


def start_writer(path, prefix, count, *, numbers="own"):
    """A process that places orders and prints a line for each one that was answered."""
    return subprocess.Popen(
        [sys.executable, str(WRITER), str(path), prefix, str(count), numbers], stdout=subprocess.PIPE, text=True
    )


async def missing(path, lines):
    """The answered orders, as their lines, that are not in the database as they were answered."""
    storage = await open_storage(path)
    lost = []
    for line in lines:
        transaction, order_id, licenses = line.split()
        found = await storage.query(FindOrder(shop_id="shop-acme", transaction_id=transaction))
        same = found and (found.order.order_id, ",".join(use.license.license_id for use in found.licenses))
        if same != (order_id, licenses):
            lost.append(line)
    await storage.close()
    return lost


async def test_what_was_answered_is_there_after_the_process_was_killed(stocked, database):
    await stocked.close()
    answered = []
    for attempt in (0, 3, 6, 9):
        process = start_writer(database, f"run{attempt}", 100_000)
        lines = [process.stdout.readline() for _ in range(3 + 37 * attempt)]
        os.kill(process.pid, signal.SIGKILL)
        rest = process.communicate()[0].splitlines(keepends=True)
        answered += [line for line in (*lines, *rest) if line.endswith("\n")]
    assert len(answered) > 600
    assert await missing(database, answered) == []
    connection = sqlite3.connect(database)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


async def test_two_processes_write_one_file_and_nothing_is_lost(stocked, database):
    await stocked.close()
    processes = [start_writer(database, prefix, 150) for prefix in ("left", "right")]
    outputs = [process.communicate()[0].splitlines() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert [len(lines) for lines in outputs] == [150, 150]
    assert await missing(database, [line for lines in outputs for line in lines]) == []


async def test_two_processes_that_want_the_same_order_numbers_share_them_out(stocked, database):
    await stocked.close()
    processes = [start_writer(database, prefix, 80, numbers="shared") for prefix in ("left", "right")]
    outputs = [process.communicate()[0].splitlines() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sum(map(len, outputs)) == 80


async def test_processes_that_start_together_on_no_file_migrate_it_once(tmp_path):
    path = tmp_path / "new.db"
    processes = [start_writer(path, f"p{n}", 0) for n in range(6)]
    assert [process.wait() for process in processes] == [0] * 6
    for process in processes:
        process.stdout.close()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM server").fetchone() == (1,)
    connection.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_lock_that_is_held_too_long_is_busy_and_a_short_one_is_waited_for(stocked, make, database):
    impatient = await open_storage(database, busy_seconds=0.05)
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageBusy):
        await impatient.execute(make.item("ITEM-5"))
    waiting = asyncio.create_task(stocked.execute(make.item("ITEM-6")))
    await asyncio.sleep(0)
    other.execute("COMMIT")
    other.close()
    assert await waiting is True
    assert await impatient.execute(make.item("ITEM-5")) is True
    await impatient.close()
