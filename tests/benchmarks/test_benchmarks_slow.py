"""The benchmark `slow`: what it refuses to report, its clients, and that slow ones cost an honest one no answer."""

import sys
from collections.abc import Mapping
from dataclasses import replace

import pytest

from benchmarks import slow
from benchmarks.contestants import Contestant
from benchmarks.report import Options, Refused
from benchmarks.slow import Round, measured, refuse_if_unfair
from benchmarks.slow_clients import KINDS, Honest, Slow

pytestmark = pytest.mark.slow

HONEST = Honest(requests=1000, failures=0, p50_ms=0.3, p99_ms=1.0, late_p99_ms=0.2)
ROUND = Round(
    without=HONEST,
    among=replace(HONEST, p99_ms=1.5),
    slow=Slow(fewest=200, opened=250, cut=dict.fromkeys(KINDS, 7)),
    rss_growth_mib=12.0,
    descriptors_left=0,
    server_busy=0.2,
    others=0.0,
)
OURS = Contestant(
    name="ours",
    prepare=lambda: None,
    command=lambda port: [
        *(sys.executable, "-m", "benchmarks.bare", "--port", str(port)),
        *("--connections-per-address", "20000", "--header-seconds", "1"),
    ],
    version=lambda: "ours",
)


@pytest.mark.parametrize("name", ["without", "among"])
def test_rounds_in_which_the_honest_client_was_the_limit_are_refused(name: str) -> None:
    late = replace(ROUND, **{name: replace(HONEST, late_p99_ms=0.6)})
    with pytest.raises(Refused, match=f"the honest client was the limit, {name} the slow ones: 60%"):
        refuse_if_unfair([ROUND, late, late], Options(), clients=200)
    refuse_if_unfair([ROUND, ROUND, late], Options(), clients=200)


def test_an_answer_that_is_late_itself_is_no_fault_of_the_honest_client() -> None:
    answer = replace(HONEST, p99_ms=500.0)
    refuse_if_unfair([replace(ROUND, among=replace(answer, late_p99_ms=0.9))], Options(), clients=200)
    with pytest.raises(Refused, match="the honest client was the limit"):
        refuse_if_unfair([replace(ROUND, among=replace(answer, late_p99_ms=300.0))], Options(), clients=200)


def test_rounds_with_fewer_slow_clients_than_are_told_of_are_refused() -> None:
    few = replace(ROUND, slow=replace(ROUND.slow, fewest=179))
    with pytest.raises(Refused, match="only 179 of 200"):
        refuse_if_unfair([few], Options(), clients=200)


def test_rounds_in_which_others_used_the_core_are_refused_unless_that_is_tolerated() -> None:
    busy = replace(ROUND, others=0.3)
    with pytest.raises(Refused, match="30% of the server's core"):
        refuse_if_unfair([busy], Options(), clients=200)
    refuse_if_unfair([busy], Options(tolerate_others=True), clients=200)


def test_the_figures_compare_within_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    p99s: Mapping[int, tuple[float, float]] = {1: (1.0, 2.0), 2: (3.0, 3.0), 3: (1.0, 1.5)}
    rounds = [
        replace(ROUND, without=replace(HONEST, p99_ms=without), among=replace(HONEST, p99_ms=among, failures=number))
        for number, (without, among) in p99s.items()
    ]
    left = iter(rounds)
    monkeypatch.setattr(slow, "OURS", OURS)
    monkeypatch.setattr(slow, "CLIENTS", 200)
    monkeypatch.setattr(slow, "measured", lambda *_, **__: next(left))
    record = slow.run(Options(rounds=3))
    assert {name: figure.median for name, figure in record.figures.items()} == {
        "p99_ratio": 1.5,
        "p99_ms_without": 1.0,
        "p99_ms_with": 2.0,
        "honest_failures": 2.0,
        "rss_growth_mib": 12.0,
        "descriptors_left": 0.0,
    }
    assert [run["cut_half_open"] for run in record.runs] == [7] * 3
    assert record.warnings == []


@pytest.mark.xdist_group("machine")
def test_slow_clients_cost_an_honest_one_no_answer_and_leave_no_descriptor() -> None:
    found = measured(OURS, clients=200, seconds=1, among_seconds=2, connections=8, rate=200)
    check(found, clients=200)
    for kind in ("silent", "half head", "dripped head", "half open"):
        assert found.slow.cut[kind] > 0, kind


@pytest.mark.long
@pytest.mark.xdist_group("machine")
def test_5000_slow_clients_cost_an_honest_one_no_answer_and_leave_no_descriptor() -> None:
    found = measured(slow.OURS, clients=slow.CLIENTS, seconds=5, among_seconds=30, connections=32)
    print(found)
    check(found, clients=slow.CLIENTS)
    assert min(found.slow.cut.values()) > 0


def check(found: Round, *, clients: int) -> None:
    assert found.without.failures == found.among.failures == 0
    assert found.without.requests > 0
    assert found.among.requests > 0
    assert found.rss_growth_mib < 200
    assert found.descriptors_left == 0
    assert found.slow.fewest > clients / 2
    assert found.slow.opened >= clients
