"""Events are one object a line with the injected time; metrics count; readiness tells each check apart."""

import asyncio
import io
import json
from datetime import UTC, datetime

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
