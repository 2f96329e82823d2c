"""The work beside the requests: it goes on after failures, which are told once, and says when sealing is late."""

import asyncio
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from licensing.audit import Sealed
from observe import EventLog, LogFormat, Metrics
from server.housekeeping import Sealing, repeated
from storage.errors import StorageBusy

NOW = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.fixture
def log():
    return io.StringIO()


@pytest.fixture
def events(log):
    return EventLog(log, format=LogFormat.JSON, clock=lambda: NOW)


def told(log):
    return [json.loads(line)["event"] for line in log.getvalue().splitlines()]


async def test_a_work_that_fails_goes_on_and_is_told_once_until_it_works_again(log, events):
    outcomes = [StorageBusy("full"), StorageBusy("full"), None, ValueError("bug"), None, StorageBusy("full")]
    done = asyncio.Event()

    async def turn():
        if not outcomes:
            done.set()
            return
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome

    stop = asyncio.Event()
    task = asyncio.create_task(repeated("work", turn, seconds=0, events=events, stop=stop))
    await asyncio.wait_for(done.wait(), 10)
    stop.set()
    await asyncio.wait_for(task, 10)
    assert told(log) == ["work_failed"] * 3


async def test_lateness_is_told_when_it_begins_and_when_it_ends(log, events):
    def sealed(count, unsealed, age):
        at = NOW - timedelta(seconds=age)
        return Sealed(sealed=count, unsealed=unsealed, oldest_at=at, took_over=False)

    turns = [
        replace(sealed(0, 5, 10), took_over=True),
        sealed(0, 5, 61),
        sealed(0, 6, 99),
        sealed(5, 9, 99),
        sealed(4, 4, 99),
    ]

    class Sealer:
        async def seal(self):
            return turns.pop(0)

    metrics = Metrics(version="1")
    sealing = Sealing(Sealer(), events=events, metrics=metrics, clock=lambda: NOW)
    await sealing.turn()
    assert "opendepot_audit_seal_lag_seconds 10.0" in metrics.exposition().decode()
    await sealing.turn()
    await sealing.turn()
    assert "opendepot_audit_unsealed 6.0" in metrics.exposition().decode()
    await sealing.turn()
    assert turns == []
    assert "opendepot_audit_unsealed 0.0" in metrics.exposition().decode()
    assert "opendepot_audit_sealed_total 9.0" in metrics.exposition().decode()
    assert told(log) == ["audit_sealer_took_over", "audit_seal_late", "audit_seal_caught_up"]
