"""Open-loop: every operation is started when it is due, and its time runs from then."""

import asyncio
import math
import time

import pytest

from opendepot.bench import pacing
from opendepot.bench.fleet import Measured, limit_of
from opendepot.bench.latency import Latencies
from opendepot.bench.levels import climb, knee
from opendepot.bench.pacing import Level, OperationFailed, Tally, carry_out
from opendepot.bench.report import resource_values
from opendepot.bench.resources import Sample, read_sample, slope_per_minute


def level(rate: float, seconds: float = 0.3, warm_up: float = 0.0, drain: float = 1.0) -> Level:
    return Level(rate=rate, seconds=seconds, warm_up=warm_up, begins=time.time(), drain=drain)


def test_the_parts_of_several_processes_are_the_whole_and_evenly_apart() -> None:
    whole = level(10, seconds=2, warm_up=1)
    parts = sorted(due for part in range(3) for due in whole.due(part=part, parts=3))
    assert parts == pytest.approx([number / 10 for number in range(30)])


async def test_a_server_that_stops_answering_makes_all_that_was_due_meanwhile_slow() -> None:
    gate = asyncio.Event()

    async def operation(number: int) -> None:
        if number == 0:
            asyncio.get_running_loop().call_later(0.25, gate.set)
        await gate.wait()

    tally = await carry_out(level(100), operation, part=0, parts=1, first=0)
    assert len(tally.latencies) == 30
    assert tally.latencies.quantile(1.0) >= 0.2
    assert tally.latencies.quantile(0.5) >= 0.05, "those that came later waited too, each from when it was due"


async def test_an_operation_without_a_place_waits_and_its_time_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "MOST_UNDERWAY", 1)

    async def operation(_: int) -> None:
        await asyncio.sleep(0.05)

    tally = await carry_out(level(100, seconds=0.1), operation, part=0, parts=1, first=0)
    assert len(tally.latencies) == 10
    assert tally.latencies.quantile(1.0) >= 0.3
    assert tally.lags.quantile(1.0) >= 0.3


async def test_the_warm_up_is_carried_out_and_not_counted_and_failures_are_by_name() -> None:
    seen = []

    async def operation(number: int) -> None:
        seen.append(number)
        if number % 2:
            raise OperationFailed("StorageBusy")

    tally = await carry_out(level(100, seconds=0.1, warm_up=0.1), operation, part=0, parts=1, first=100)
    assert seen == list(range(100, 120))
    assert (len(tally.latencies), tally.failures) == (5, {"StorageBusy": 5})
    assert Tally.of(tally.as_dict()).as_dict() == tally.as_dict()


async def test_what_never_ends_is_given_up_and_counted() -> None:
    async def operation(_: int) -> None:
        await asyncio.Event().wait()

    tally = await carry_out(level(50, seconds=0.1, drain=0.05), operation, part=0, parts=1, first=0)
    assert (tally.unanswered, len(tally.latencies)) == (5, 0)


def measured(rate: float, *, most: float, limited: str | None = None) -> Measured:
    tally = Tally()
    for _ in range(math.ceil(min(rate, most))):
        tally.ended(due=0, seconds=0.01 if rate <= most else 5)
    shape = Level(rate=rate, seconds=1, warm_up=0, begins=0)
    return Measured(level=shape, tally=tally, limited=limited)


async def test_the_knee_is_found_from_below_and_from_above() -> None:
    for start in (10.0, 5000.0):

        async def offer(rate: float) -> Measured:
            return measured(rate, most=700)

        levels = [each async for each in climb(offer, rate=start, most_p99=1)]
        found = knee(levels, most_p99=1)
        assert found is not None
        assert 600 <= found.offered <= 700


async def test_the_search_ends_where_the_load_tester_is_the_limit() -> None:
    async def offer(rate: float) -> Measured:
        return measured(rate, most=50, limited="busy")

    assert len([each async for each in climb(offer, rate=100, most_p99=1)]) == 1


def test_a_busy_or_late_load_tester_says_so() -> None:
    assert limit_of(Tally()) is None
    assert "--processes" in (limit_of(Tally(busy=0.95)) or "")
    late = Tally(lags=Latencies())
    late.lags.add(0.5)
    late.latencies.add(0.6)
    assert "late" in (limit_of(late) or "")


METRICS = """# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes{worker="1"} 1.048576e+08
process_resident_memory_bytes{worker="2"} 5.24288e+07
process_open_fds{worker="1"} 40.0
process_open_fds{worker="2"} 30.0
opendepot_connections{worker="1"} 9.0
opendepot_connections{worker="2"} 1.0
"""


def test_what_the_workers_use_is_added_up_and_connections_are_no_descriptors_of_the_server_s_own() -> None:
    found = read_sample(METRICS, seconds=7)
    assert found == Sample(seconds=7, memory=150, descriptors=60, connections=10)
    assert read_sample("opendepot_connections 1.0", seconds=7) is None


def test_memory_and_descriptors_rise_from_the_warm_up_on() -> None:
    samples = [
        Sample(seconds=second, memory=10 if second < 60 else second / 30, descriptors=33, connections=second)
        for second in range(0, 600, 5)
    ]
    found = resource_values(samples, after=60)
    assert found is not None
    assert found["memory_mib_per_minute"] == pytest.approx(2)
    assert (found["descriptors_per_minute"], found["last_descriptors"], found["last_connections"]) == (0, 33, 595)
    assert resource_values(samples, after=600) is None


def test_a_slope_is_what_it_rises_in_a_minute() -> None:
    assert slope_per_minute([(second, 100 + second / 30) for second in range(0, 600, 5)]) == pytest.approx(2)
    assert slope_per_minute([(1, 5)]) == 0
