"""The parts of the supervisor that need no worker: waiting, notifying, the channel, the order, merged metrics."""

import asyncio
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from observe import Metrics, merged_expositions
from server.settings import load_settings
from server.supervise.backoff import Backoff
from server.supervise.channel import Channel
from server.supervise.notifying import Notifier
from server.supervise.worker import Order

# How long to wait


def waits(backoff: Backoff, *lives: float) -> list[float]:
    found = []
    for lived in lives:
        delay, backoff = backoff.after(lived_seconds=lived)
        found.append(delay)
    return found


@pytest.mark.parametrize(
    ("lives", "expected"),
    [
        ([60.0], [0.0]),
        ([10.0], [0.0]),
        ([9.999], [0.5]),
        ([0.0] * 8, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]),
        ([0.0, 0.0, 11.0, 0.0, 0.0], [0.5, 1.0, 0.0, 0.5, 1.0]),
        ([60.0, 60.0], [0.0, 0.0]),
    ],
)
def test_the_wait_doubles_with_early_deaths_and_starts_again_after_a_healthy_life(
    lives: list[float], expected: list[float]
) -> None:
    assert waits(Backoff(), *lives) == expected


def test_a_thousand_early_deaths_do_not_overflow() -> None:
    assert waits(Backoff(), *[0.0] * 2000)[-1] == 30.0


@settings(derandomize=True, deadline=None)
@given(
    lives=st.lists(st.floats(min_value=0, max_value=1e9), min_size=1, max_size=80),
    first=st.floats(min_value=0.001, max_value=5),
    most=st.floats(min_value=5, max_value=100),
    healthy=st.floats(min_value=0.1, max_value=100),
)
def test_no_wait_is_above_the_most_and_only_a_healthy_life_is_followed_by_none(
    lives: list[float], first: float, most: float, healthy: float
) -> None:
    backoff = Backoff(first_seconds=first, most_seconds=most, healthy_seconds=healthy)
    before = 0.0
    for lived, delay in zip(lives, waits(backoff, *lives), strict=True):
        assert 0 <= delay <= most
        assert (delay == 0) == (lived >= healthy)
        assert lived >= healthy or delay in {first, min(2 * before, most)}
        before = delay


# systemd's notify protocol


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short name, since that of a socket may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="n") as folder:
        yield Path(folder)


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_the_service_manager_is_told_in_one_datagram(place: Path, abstract: bool) -> None:
    name = str(place / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name if abstract else name)
        manager.settimeout(10)
        notifier = Notifier({"NOTIFY_SOCKET": "@" + name if abstract else name}, process=1)
        assert notifier.tell("READY=1", "STATUS=2 workers")
        assert notifier.tell("STOPPING=1")
        assert manager.recv(1000) == b"READY=1\nSTATUS=2 workers"
        assert manager.recv(1000) == b"STOPPING=1"


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_without_a_service_manager_nobody_is_told(environment: dict[str, str]) -> None:
    assert not Notifier(environment, process=1).tell("READY=1")


def test_a_socket_that_is_gone_or_too_long_is_no_error(place: Path) -> None:
    assert not Notifier({"NOTIFY_SOCKET": str(place / "nothing")}, process=1).tell("READY=1")
    assert not Notifier({"NOTIFY_SOCKET": "/" + "x" * 200}, process=1).tell("READY=1")


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "3000000"}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "77"}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "78"}, None),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "077"}, None),
        ({"WATCHDOG_USEC": ""}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
    ],
)
def test_the_watchdog_is_for_the_process_that_is_meant(environment: dict[str, str], seconds: float | None) -> None:
    assert Notifier(environment, process=77).watchdog_seconds == seconds


# The channel


@asynccontextmanager
async def a_channel() -> AsyncIterator[tuple[Channel, socket.socket]]:
    """A channel, and the other end as a plain socket."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    channel = await Channel.over(ours)
    try:
        with theirs:
            yield channel, theirs
    finally:
        await channel.close()


async def test_what_one_end_says_the_other_hears_in_order() -> None:
    first, second = socket.socketpair()
    supervisor, worker = await Channel.over(first), await Channel.over(second)
    try:
        worker.say(ready=True)
        worker.say(answer=7, value={"text": "two\nlines, ä"})
        supervisor.say(stop={"last": True})
        assert await supervisor.hear() == {"ready": True}
        assert await supervisor.hear() == {"answer": 7, "value": {"text": "two\nlines, ä"}}
        assert await worker.hear() == {"stop": {"last": True}}
    finally:
        await worker.close()
        assert await supervisor.hear() is None
        await supervisor.close()


async def test_what_is_said_before_closing_is_heard_whole() -> None:
    first, second = socket.socketpair()
    supervisor, worker = await Channel.over(first), await Channel.over(second)
    long = "x" * 3_000_000
    worker.say(answer=1, value=long)
    closing = asyncio.create_task(worker.close())
    assert await supervisor.hear() == {"answer": 1, "value": long}
    assert await supervisor.hear() is None
    await closing
    await supervisor.close()


async def test_a_line_comes_in_pieces() -> None:
    async with a_channel() as (channel, other):
        hearing = asyncio.create_task(channel.hear())
        for piece in (b'{"re', b'ady": tr', b"ue}", b"\n"):
            other.send(piece)
            await asyncio.sleep(0)
        assert await hearing == {"ready": True}


@pytest.mark.parametrize("last", [b"", b'{"ready": true}', b'{"rea', b"\xff"], ids=["nothing", "no end", "half", "bad"])
async def test_the_end_of_the_stream_is_heard_as_none_and_a_half_line_never_as_a_whole_one(last: bytes) -> None:
    async with a_channel() as (channel, other):
        other.send(b'{"alive": true}\n' + last)
        other.shutdown(socket.SHUT_WR)
        assert await channel.hear() == {"alive": True}
        assert await channel.hear() is None
        assert await channel.hear() is None


@pytest.mark.parametrize("garbage", [b"ready\n", b"\n", b"\xff\xfe\n", b"5\n", b"[]\n", b'"ready"\n'])
async def test_what_is_no_object_is_heard_as_the_end(garbage: bytes) -> None:
    async with a_channel() as (channel, other):
        other.send(garbage)
        assert await channel.hear() is None


async def test_saying_to_one_who_is_gone_is_no_error() -> None:
    async with a_channel() as (channel, other):
        other.close()
        for _ in range(20):
            channel.say(alive=True)
            await asyncio.sleep(0)
        assert await channel.hear() is None


# What a worker is started with


@pytest.mark.parametrize(
    "values", [{}, {"pepper_file": Path("/some where/ä"), "proxy_protocol_from": ("10.0.0.0/28",)}]
)
def test_an_order_survives_the_command_line(values: dict[str, Any]) -> None:
    order = Order(settings=load_settings(None, **values), channel=5, listening=7)
    text = order.as_argument()
    assert os.fsencode(text) == text.encode("ascii")
    assert Order.from_argument(text) == order


# Merged metrics


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def types(text: str) -> dict[str, str]:
    return {family.name: family.type for family in text_string_to_metric_families(text)}


def a_worker(exchanges: int) -> str:
    metrics = Metrics(version="1")
    for number in range(exchanges):
        metrics.exchanged(
            service="sales",
            operation="CreateOrder",
            outcome='a "quoted"\nfault',
            seconds=0.003 * (number + 1),
            request_bytes=500 * (number + 1),
        )
    metrics.connections.set(exchanges + 0.5)
    metrics.http_refused.labels("408", "slow").inc()
    return metrics.exposition().decode()


def test_merged_metrics_hold_each_sample_of_each_worker_and_nothing_else() -> None:
    texts = {"1": a_worker(3), "2": a_worker(5), "10": a_worker(0)}
    merged = merged_expositions(texts, workers=3, restarts=4).decode()
    expected = {
        (name, tuple(sorted((*labels, ("worker", worker))))): value
        for worker, text in texts.items()
        for (name, labels), value in samples(text).items()
    }
    own = {("opendepot_workers", ()): 3.0, ("opendepot_worker_restarts_total", ()): 4.0}
    found = samples(merged)
    assert {key: value for key, value in found.items() if key[0] != "opendepot_worker_restarts_created"} == {
        **expected,
        **own,
    }
    labels = (("operation", "CreateOrder"), ("service", "sales"), ("worker", "2"))
    assert found["opendepot_exchange_seconds_count", labels] == 5
    assert found["opendepot_exchange_seconds_bucket", tuple(sorted((*labels, ("le", "+Inf"))))] == 5


def test_merged_metrics_keep_their_types_and_each_family_stands_once() -> None:
    text = a_worker(2)
    merged = merged_expositions({"1": text, "2": text}, workers=2, restarts=0).decode()
    found = types(merged)
    assert types(text).items() <= found.items()
    assert found["opendepot_exchanges"] == "counter"
    assert found["opendepot_exchange_seconds"] == "histogram"
    named = [line for line in merged.splitlines() if line.startswith("# TYPE")]
    assert len(named) == len(set(named))


def test_no_worker_that_answers_is_still_an_exposition() -> None:
    found = samples(merged_expositions({}, workers=0, restarts=1).decode())
    assert found["opendepot_workers", ()] == 0
    assert found["opendepot_worker_restarts_total", ()] == 1
