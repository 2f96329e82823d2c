"""The line in front of every database, and what is loaded for which."""

import sys

import pytest

from storage import open_storage
from storage.errors import LocationInvalid
from storage.outcomes import Answered
from storage.waiting import WaitingLine


async def test_a_run_that_breaks_fails_its_own_batch_and_the_line_goes_on():
    async def run(batch):
        if "bad" in batch:
            raise RuntimeError("broken")
        return [Answered(answer=work) for work in batch]

    line = WaitingLine(run=run, limit=10)
    with pytest.raises(RuntimeError, match="broken"):
        await line.submit("bad")
    assert await line.submit("good") == "good"
    await line.idle()


async def test_a_postgresql_address_without_its_driver_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "storage.postgres.connection", None)
    with pytest.raises(LocationInvalid, match="asyncpg"):
        await open_storage("postgresql://depot@host/depot")
