"""The benchmark of access: both sides do the same work, and every figure comes out."""

import sys
from collections.abc import Callable

import pytest

from benchmarks import access
from benchmarks.report import Options, Refused
from ipfilters import compile_rules


def test_networks_are_different_and_the_same_for_each_call() -> None:
    rules = access.networks_of(500)
    assert len({rule.network for rule in rules.rules}) == 500
    assert rules == access.networks_of(500)


@pytest.mark.parametrize("count", [100, 2000])
def test_every_address_is_in_a_network_and_is_let_in(count: int) -> None:
    rules = access.networks_of(500)
    addresses = access.addresses_of(rules, count)
    assert len(addresses) == count
    assert len({address.rpartition(".")[0] for address in addresses}) >= min(count, 480)
    snapshot = compile_rules(rules, version=1, compiled_at=access._NOW)
    assert access.decide_all(snapshot, addresses) == count


def test_both_sides_let_in_different_addresses_of_different_networks_of_ipv6() -> None:
    pytricia = pytest.importorskip("pytricia")
    rules = access.networks_of_six(500)
    assert len({rule.network for rule in rules.rules}) == 500
    assert rules == access.networks_of_six(500)
    addresses = access.addresses_of(rules, 1000)
    assert len(set(addresses)) == 1000
    snapshot = compile_rules(rules, version=1, compiled_at=access._NOW)
    assert access.decide_all(snapshot, addresses) == 1000
    assert access._look_up_all(access._tree(pytricia, rules, bits=128), addresses) == 1000


def test_every_figure_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pytricia")
    monkeypatch.setattr(access, "MANY", 5000)

    def took_a_millisecond(work: Callable[[], object], *, seconds: float) -> float:
        work()
        return 1e-3

    monkeypatch.setattr(access, "_seconds", took_a_millisecond)
    # A server, which is started elsewhere: tests/benchmarks/test_benchmarks_identified.py.
    costs = [{f"http_{kind}_us": cost for kind, cost in zip(access.KINDS, (100, 105, 150, 300, 250), strict=True)}]
    monkeypatch.setattr(access, "http_costs", lambda options: costs * options.rounds)
    record = access.run(Options(rounds=2, seconds=1))
    assert [record.figures[f"ratio_http_{kind}"].median for kind in access.KINDS[1:]] == [1.05, 1.5, 3.0, 2.5]
    assert {
        "ratio_pytricia",
        "ratio_pytricia_fresh",
        "ratio_growth",
        "ratio_growth_fresh",
        "compile_s",
        "decide_us",
        "fresh_us",
        "find_client_us",
        "ratio_call_digest",
        "ratio_call_signed",
    } <= set(record.figures)
    assert record.figures["ratio_growth"].median == record.figures["ratio_pytricia"].median == 1.0
    assert record.figures["decide_us"].median == pytest.approx(1.0)
    assert len(record.runs) == 2


def test_both_sides_find_the_same() -> None:
    pytricia = pytest.importorskip("pytricia")
    rules = access.networks_of(2000)
    addresses = [*access.addresses_of(rules, 500), "0.0.0.1", "255.255.255.255"]
    snapshot = compile_rules(rules, version=1, compiled_at=access._NOW)
    found = access._look_up_all(access._tree(pytricia, rules), addresses)
    assert found == access.decide_all(snapshot, addresses) >= 500


def test_without_pytricia_nothing_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytricia", None)
    with pytest.raises(Refused, match="pytricia is not installed"):
        access.run(Options())


def test_time_is_taken_for_one_piece_of_work() -> None:
    done = []
    assert access._seconds(lambda: done.append(sum(range(1000))), seconds=0.01) > 0
    assert len(done) > 2
