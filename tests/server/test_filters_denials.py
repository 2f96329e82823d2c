"""A flood of denials is told as its first ones and a count."""

from typing import Any

import pytest

from ipfilters import Endpoint, compile_rules, read_rules
from observe import Metrics
from server.core import utc_now
from server.filters import denials
from server.filters.denials import DenialEvents, network_of
from server.filters.keeper import FilterKeeper


class Told:
    def __init__(self) -> None:
        self.now = 100.0
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.denials = DenialEvents(self, monotonic=lambda: self.now)  # type: ignore[arg-type]

    def info(self, name: str, **values: Any) -> None:
        self.events.append((name, values))

    def names(self) -> list[str]:
        return [name for name, _ in self.events]

    def deny(self, address: str, times: int = 1) -> None:
        for number in range(times):
            self.denials.tell(f"ref {number}", {"client": address, "reason": "deny-rule"})


def test_the_first_of_a_network_are_told_in_full_and_the_others_counted_once_a_minute() -> None:
    told = Told()
    told.deny("192.0.2.1", 7)
    told.deny("192.0.2.9", 500)
    told.deny("198.51.100.1", 2)
    assert told.names() == ["address_denied"] * 12
    assert told.events[0] == ("address_denied", {"reference": "ref 0", "client": "192.0.2.1", "reason": "deny-rule"})
    told.now += 59.9
    told.denials.settle()
    assert len(told.events) == 12
    told.now += 0.1
    told.denials.settle()
    assert told.events[12:] == [
        ("addresses_denied", {"count": 497, "seconds": 60.0, "networks": {"192.0.2.0/24": 497}})
    ]
    told.deny("192.0.2.1")
    assert told.names()[13:] == ["address_denied"]


def test_a_minute_that_is_over_ends_with_the_next_denial_too_and_silence_is_not_told() -> None:
    told = Told()
    told.deny("2001:db8::1", 11)
    told.now += 600
    told.deny("2001:db8::ffff")
    assert told.names() == ["address_denied"] * 10 + ["addresses_denied", "address_denied"]
    assert told.events[10][1] == {"count": 1, "seconds": 600.0, "networks": {"2001:db8::/64": 1}}
    told.now += 600
    told.denials.settle()
    told.denials.settle(ending=True)
    assert len(told.events) == 12


def test_a_flood_from_everywhere_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denials, "MOST_IN_ALL", 5)
    monkeypatch.setattr(denials, "MOST_NETWORKS", 30)
    told = Told()
    for number in range(100):
        told.deny(f"10.0.{number}.1")
    assert told.names() == ["address_denied"] * 5
    told.denials.settle(ending=True)
    _, last = told.events[-1]
    assert last["count"] == 95
    assert len(last["networks"]) == 20
    assert last["networks"]["others"] == 65


def test_addresses_are_counted_by_network() -> None:
    assert network_of("192.0.2.77") == "192.0.2.0/24"
    assert network_of("2001:db8:1:2:3::4") == "2001:db8:1:2::/64"


async def test_a_hit_counts_by_the_mode_of_its_rule_and_what_it_says() -> None:
    metrics = Metrics(version="test")
    keeper = FilterKeeper(
        None,
        files=(),
        clock=utc_now,
        monotonic=lambda: 0.0,
        events=Told(),
        metrics=metrics,  # type: ignore[arg-type]
    )
    text = 'format = 1\n[[global]]\nallow = "10.0.0.0/8"\n[[global]]\ndeny = "10.0.0.1"\nmode = "shadow"\n'
    snapshot = compile_rules(read_rules(text, file="test"), version=1, compiled_at=utc_now())
    for address in ("10.0.0.1", "10.0.0.2", "11.0.0.1"):
        keeper.count(snapshot.decide(address, endpoint=Endpoint.SALES, now=utc_now()))
    text = metrics.exposition().decode()
    hits = [line for line in text.splitlines() if line.startswith("opendepot_filter_hits_total")]
    assert hits == [
        'opendepot_filter_hits_total{mode="enforce",outcome="allow"} 2.0',
        'opendepot_filter_hits_total{mode="shadow",outcome="deny"} 1.0',
    ]
