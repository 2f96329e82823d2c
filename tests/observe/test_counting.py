"""What one event loop counts without locks is told as prometheus_client tells its own."""

import random
from enum import StrEnum

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from observe.counting import LoopCounter, LoopHistogram

BOUNDS = (0.5, 1, 1000)


class Kind(StrEnum):
    """Values of a label."""

    ONE = "one"


def told(registry: CollectorRegistry) -> list[str]:
    """An exposition, but for the seconds at which series were made."""
    lines = generate_latest(registry).decode().splitlines()
    return [line.rpartition(" ")[0] if "_created{" in line else line for line in lines]


def test_counters_are_told_as_those_of_prometheus_client() -> None:
    own, other = CollectorRegistry(), CollectorRegistry()
    counter = LoopCounter("shop_orders", "Orders.", ["kind", "outcome"], registry=own, clock=lambda: 12.5)
    peer = Counter("shop_orders", "Orders.", ["kind", "outcome"], registry=other)
    assert told(own) == told(other)
    for values in (("one", 'a "quoted"\nfault'), ("two", ""), ("one", 'a "quoted"\nfault')):
        counter.count(*values)
        peer.labels(*values).inc()
    counter.series("three", "").value += 7
    peer.labels("three", "").inc(7)
    assert told(own) == told(other)
    assert b'shop_orders_created{kind="two",outcome=""} 12.5' in generate_latest(own)


def test_histograms_are_told_as_those_of_prometheus_client_at_their_bounds_too() -> None:
    own, other = CollectorRegistry(), CollectorRegistry()
    histogram = LoopHistogram("shop_seconds", "Time.", ["kind"], bounds=BOUNDS, registry=own, clock=lambda: 12.5)
    peer = Histogram("shop_seconds", "Time.", ["kind"], buckets=BOUNDS, registry=other)
    assert told(own) == told(other)
    chance = random.Random(5)
    amounts = (0, 0.5, 0.500001, 1, 1.5, 1000, 1000.1, 1e9, *(chance.expovariate(1) for _ in range(500)))
    for amount in amounts:
        kind = chance.choice(("one", "two"))
        histogram.series(kind).observe(amount)
        peer.labels(kind).observe(amount)
    assert told(own) == told(other)
    assert b'shop_seconds_created{kind="one"} 12.5' in generate_latest(own)


def test_a_member_of_an_enumeration_of_texts_and_its_text_are_one_series() -> None:
    registry = CollectorRegistry()
    counter = LoopCounter("shop_orders", "Orders.", ["kind"], registry=registry)
    counter.count(Kind.ONE)
    counter.count("one")
    assert b'shop_orders_total{kind="one"} 2.0' in generate_latest(registry)


def test_a_name_is_given_once_and_every_label_needs_its_value() -> None:
    registry = CollectorRegistry()
    counter = LoopCounter("shop_orders", "Orders.", ["kind"], registry=registry)
    with pytest.raises(ValueError, match="Duplicated"):
        LoopCounter("shop_orders", "Orders.", ["kind"], registry=registry)
    with pytest.raises(ValueError, match="Duplicated"):
        Counter("shop_orders", "Orders.", registry=registry)
    LoopHistogram("shop_seconds", "Time.", [], bounds=BOUNDS, registry=registry)
    with pytest.raises(ValueError, match="Duplicated"):
        LoopHistogram("shop_seconds", "Time.", [], bounds=BOUNDS, registry=registry)
    with pytest.raises(ValueError, match="2 values for the labels kind"):
        counter.count("one", "two")
