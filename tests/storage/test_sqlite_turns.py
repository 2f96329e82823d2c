"""Of all that write one file only one is between BEGIN and the end of COMMIT, log taken into the database included."""

import asyncio
import sqlite3
import stat
import threading

import pytest

from storage import open_storage
from storage.errors import StorageBusy, StorageUnavailable
from storage.sqlite.connection import Opener
from storage.sqlite.engine import SqliteStorage
from storage.sqlite.turns import Turn


class Held:
    """Connections that stay in COMMIT, after SQLite has let go of its own lock, while the gate is closed."""

    def __init__(self):
        self.gate, self.committed = threading.Event(), threading.Event()
        self.gate.set()
        held = self

        class Slow(sqlite3.Connection):
            def execute(self, sql, *args):
                result = super().execute(sql, *args)
                if sql == "COMMIT" and not held.gate.is_set():
                    held.committed.set()
                    held.gate.wait()
                return result

        self.connections = Slow

    async def storage(self, path):
        opener = Opener(path=path, busy_seconds=5, factory=self.connections)
        return await SqliteStorage.open(opener=opener, queue_limit=10, batch_limit=10, reader_count=1)


async def test_nobody_begins_before_the_commit_of_another_has_returned(make, tmp_path):
    held = Held()
    first = await held.storage(tmp_path / "depot.db")
    second = await open_storage(tmp_path / "depot.db", busy_seconds=0.05)
    held.gate.clear()
    try:
        writing = asyncio.create_task(first.execute(make.item("ITEM-1")))
        await asyncio.to_thread(held.committed.wait)
        with pytest.raises(StorageBusy, match="another process writes"):
            await second.execute(make.item("ITEM-2"))
    finally:
        held.gate.set()
    assert await writing is True
    assert await second.execute(make.item("ITEM-2")) is True
    await second.close()
    await first.close()


def test_a_turn_waits_for_the_one_before_it(tmp_path):
    one, two = Turn(tmp_path / "depot.db", seconds=5), Turn(tmp_path / "depot.db", seconds=0)
    with one.held(), pytest.raises(StorageBusy), two.held():
        pass
    with two.held():
        pass
    order = []
    patient = Turn(tmp_path / "depot.db", seconds=60)

    def wait():
        with patient.held():
            order.append("second")

    with one.held():
        thread = threading.Thread(target=wait)
        thread.start()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert stat.S_IMODE((tmp_path / "depot.db-turn").stat().st_mode) == 0o600
    for turn in (one, two, patient):
        turn.close()


def test_another_name_of_the_same_file_has_the_same_turn(tmp_path):
    (tmp_path / "depot.db").touch()
    (tmp_path / "other.db").symlink_to(tmp_path / "depot.db")
    one, two = Turn(tmp_path / "depot.db", seconds=0), Turn(tmp_path / "other.db", seconds=0)
    with one.held(), pytest.raises(StorageBusy), two.held():
        pass
    one.close()
    two.close()


def test_a_folder_that_is_missing_is_told(tmp_path):
    with pytest.raises(StorageUnavailable, match=r"depot\.db-turn"):
        Turn(tmp_path / "missing" / "depot.db", seconds=1)
