"""Events are one object a line with the injected time; metrics count; readiness tells each check apart."""

import asyncio
import io
import json
import random
import re
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from ipaddress import IPv4Network
from pathlib import PurePosixPath

import pytest

from observe import EventLog, Health, LogFormat, Metrics


def now() -> datetime:
    return datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def test_events_are_json_lines_with_time_level_and_fields() -> None:
    stream = io.StringIO()
    log = EventLog(stream, format=LogFormat.JSON, clock=now)
    log.info("served", number=1, text="line\nbreak")
    log.warning("odd")
    log.failure("broken", ValueError("what went wrong"), reference="r")
    first, second, third = (json.loads(line) for line in stream.getvalue().splitlines())
    assert first == {
        "time": "2026-01-02T03:04:05.678+00:00",
        "number": 1,
        "text": "line\nbreak",
        "event": "served",
        "level": "info",
    }
    assert second["level"] == "warning"
    assert "ValueError: what went wrong" in third["exception"]


class Counting(io.StringIO):
    """A stream that knows how often it was written to."""

    writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        return super().write(text)

    def events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


async def test_exchanges_that_end_in_one_turn_are_written_at_once_at_its_end() -> None:
    stream = Counting()
    log = EventLog(stream, format=LogFormat.JSON, clock=now)
    for number in range(5):
        log.exchange(reference=str(number), shop=None)
    assert stream.writes == 0
    await asyncio.sleep(0)
    assert stream.writes == 1
    assert [event["reference"] for event in stream.events()] == ["0", "1", "2", "3", "4"]
    time = "2026-01-02T03:04:05.678+00:00"
    assert stream.getvalue().splitlines()[0] == (
        f'{{"time":"{time}","reference":"0","shop":null,"event":"exchange","level":"info"}}'
    )
    await asyncio.sleep(0)
    log.exchange(reference="5")
    await asyncio.sleep(0)
    assert stream.events()[5]["reference"] == "5"


async def test_whatever_is_told_later_stands_behind_the_exchanges_that_wait() -> None:
    for tell in (
        lambda log: log.info("later"),
        lambda log: log.warning("later"),
        lambda log: log.failure("later", ValueError()),
    ):
        stream = Counting()
        log = EventLog(stream, format=LogFormat.JSON, clock=now)
        log.exchange(reference="r")
        tell(log)
        log.exchange(reference="s")
        assert [event["event"] for event in stream.events()] == ["exchange", "later"]
        await asyncio.sleep(0)
        assert [event["event"] for event in stream.events()] == ["exchange", "later", "exchange"]


async def test_exchanges_told_in_threads_and_in_the_loop_are_all_there_once() -> None:
    stream = io.StringIO()
    log = EventLog(stream, format=LogFormat.JSON, clock=now)

    def told(part: int) -> None:
        for number in range(200):
            log.exchange(reference=f"{part} {number}")

    threads = [asyncio.create_task(asyncio.to_thread(told, part)) for part in range(4)]
    for number in range(200):
        log.exchange(reference=f"loop {number}")
        await asyncio.sleep(0)
    await asyncio.gather(*threads)
    await asyncio.sleep(0)
    references = [json.loads(line)["reference"] for line in stream.getvalue().splitlines()]
    assert len(references) == len(set(references)) == 1000


def test_an_exchange_is_written_at_once_where_no_loop_runs_and_for_people() -> None:
    stream = io.StringIO()
    EventLog(stream, format=LogFormat.JSON, clock=now).exchange(reference="r")
    assert json.loads(stream.getvalue())["reference"] == "r"
    stream = io.StringIO()
    EventLog(stream, format=LogFormat.TEXT, clock=now).exchange(reference="r")
    assert "reference=r" in stream.getvalue()


@pytest.mark.parametrize("level", ["info", "warning"])
def test_any_text_and_any_value_become_one_line_of_ascii(level: str) -> None:
    stream = io.StringIO()
    fields = {
        "text": "ü\u2028\n\0\x7f",
        "half": "\ud800",
        "path": PurePosixPath("/a"),
        "network": IPv4Network("192.0.2.0/24"),
        "several": (1, "b"),
        "nothing": None,
        "large": 2**70,
        "kind": LogFormat.JSON,
        "not_a_number": float("inf"),
    }
    getattr(EventLog(stream, format=LogFormat.JSON, clock=now), level)("told", **fields)
    (line,) = stream.getvalue().splitlines()
    assert line.isascii()
    told = json.loads(line)
    assert told["text"] == fields["text"]
    assert told["half"] == fields["half"]
    assert "192.0.2.0/24" in told["network"]
    assert (told["several"], told["nothing"], told["large"], told["kind"]) == ([1, "b"], None, 2**70, "json")


@pytest.mark.parametrize("format_", list(LogFormat))
def test_every_moment_is_told_in_utc_to_the_millisecond_whatever_was_told_before(format_: LogFormat) -> None:
    chance = random.Random(7)
    moment = datetime(2026, 1, 2, 23, 59, 58, 1999, tzinfo=UTC)
    moments = [moment, moment]
    for step in (1, 999, 998_000, 1_000_000, -1, -1_000_000, 86_400_000_000, -86_400_000_000, 10**15, -(10**16)):
        moment += timedelta(microseconds=step)
        moments += [moment, moment.astimezone(timezone(timedelta(hours=5, minutes=45)))]
    moments += [moment + timedelta(microseconds=chance.randrange(3_000_000)) for _ in range(200)]
    clock, stream = iter(moments), io.StringIO()
    log = EventLog(stream, format=format_, clock=lambda: next(clock))
    for number in range(len(moments)):
        tell = log.exchange if number % 2 else partial(log.info, "told")
        tell(number=number)
    expected = [moment.astimezone(UTC).isoformat(timespec="milliseconds") for moment in moments]
    assert [re.findall(r"[-\dT:.]+\+00:00", line) for line in stream.getvalue().splitlines()] == [[t] for t in expected]


def test_events_for_people_are_text() -> None:
    stream = io.StringIO()
    EventLog(stream, format=LogFormat.TEXT, clock=now).info("served", number=1)
    assert "served" in stream.getvalue()
    assert "number=1" in stream.getvalue()


def test_metrics_count_and_have_registries_of_their_own() -> None:
    metrics, other = Metrics(version="1"), Metrics(version="2")
    metrics.exchanged(service="Sales", operation="GetOrder", outcome="ok", seconds=0.002, request_bytes=700)
    text = metrics.exposition().decode()
    assert 'opendepot_exchanges_total{operation="GetOrder",outcome="ok",service="Sales"} 1.0' in text
    assert 'opendepot_request_bytes_bucket{le="1024.0",service="Sales"} 1.0' in text
    assert 'opendepot_build_info{version="1"} 1.0' in text
    assert 'outcome="ok"' not in other.exposition().decode()


async def test_readiness_tells_each_check_apart() -> None:
    async def good() -> None:
        return

    async def bad() -> None:
        raise OSError("disk full")

    async def stuck() -> None:
        await asyncio.Event().wait()

    health = Health({"good": good, "bad": bad, "stuck": stuck}, seconds=0.01)
    readiness = await health.readiness()
    assert readiness.checks == {"good": "ok", "bad": "OSError: disk full", "stuck": "no answer within 0.01 s"}
    assert not readiness.ready
    assert (await Health({"good": good}, seconds=1).readiness()).ready
