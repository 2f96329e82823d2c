"""The benchmark `attack`: what it refuses to report, and that it probes a real server among real attacks."""

from dataclasses import replace

import pytest

from benchmarks import attack
from benchmarks.attack import Probe, measured, refuse_if_unfair
from benchmarks.report import Options, Refused
from benchmarks.slow_clients import Honest

pytestmark = pytest.mark.slow

HONEST = Honest(requests=1000, failures=0, p50_ms=0.5, p99_ms=1.0, late_p99_ms=0.2)
NONE = Probe(family="", honest=HONEST, attacks=0, unanswered=0, others=0.0)
FLOODS = Probe(family="floods", honest=replace(HONEST, p50_ms=1.0, p99_ms=3.0), attacks=50, unanswered=0, others=0.0)


def test_figures_compare_each_family_with_none_of_its_round(monkeypatch: pytest.MonkeyPatch) -> None:
    values = replace(FLOODS, family="values", honest=replace(HONEST, p99_ms=1.5))
    left = iter([[NONE, FLOODS, values], [NONE, replace(FLOODS, honest=HONEST), values], [NONE, FLOODS, values]])
    monkeypatch.setattr(attack, "measured", lambda _: next(left))
    record = attack.run(Options(rounds=3))
    assert record.figures["worst_p50_ratio"].median == 2.0
    assert record.figures["worst_p99_ratio"].median == 3.0
    assert record.figures["worst_p99_ratio"].lowest == 1.0
    assert [row[0] for row in record.tables[0].rows] == ["floods", "values"]
    assert len(record.runs) == 9


def test_rounds_in_which_the_honest_client_was_the_limit_are_refused() -> None:
    late = replace(NONE, honest=replace(HONEST, late_p99_ms=0.6))
    with pytest.raises(Refused, match="the honest client was the limit, without any attack: 60%"):
        refuse_if_unfair([[late, FLOODS]], Options())
    among = replace(FLOODS, honest=replace(FLOODS.honest, late_p99_ms=2.0))
    assert refuse_if_unfair([[NONE, among]], Options()) == [
        "round 1, floods: the honest client was late itself, 2.00 ms"
    ]


def test_rounds_in_which_others_used_the_core_are_refused_unless_that_is_tolerated() -> None:
    busy = [replace(probe, others=0.3) for probe in (NONE, FLOODS)]
    with pytest.raises(Refused, match="30% of the server's core"):
        refuse_if_unfair([busy], Options())
    assert refuse_if_unfair([busy], Options(tolerate_others=True)) == ["others used 30% of the server's core"]


def test_a_family_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(Refused, match=r"--only names no family; there are arrays, .*XOP"):
        measured(Options(only=("nothing",)))


def test_a_server_is_probed_without_and_among_attacks() -> None:
    options = Options(seconds=1, connections=4, only=("smuggling",))
    none, among = measured(options, rate=50, attacks_a_second=50)
    assert (none.family, none.attacks, none.honest.failures) == ("", 0, 0)
    assert (among.family, among.unanswered, among.honest.failures) == ("smuggling", 0, 0)
    assert among.attacks > 0
    assert among.honest.p99_ms > 0
