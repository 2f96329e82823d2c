"""The benchmark `cycle`: its figures are what its rounds say, and a short form of it runs on both databases."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import cycle
from benchmarks.cycle import Run, record_of
from benchmarks.report import Options, Refused

ONE = Run(
    database="sqlite",
    round=1,
    stage="order",
    per_second=1000,
    p50_ms=10,
    p99_ms=20,
    cpu_us=500,
    database_cpu_us=0,
    others=0.0,
    load_busy=0.2,
)


def a_round(database: str, number: int, *, faster: float = 1.0) -> list[Run]:
    rates = {"order": 1000, "collect": 500, "confirm": 500}
    return [
        replace(ONE, database=database, round=number, stage=stage, per_second=faster * rate, cpu_us=1e6 / rate)
        for stage, rate in rates.items()
    ]


def test_a_cycle_takes_what_its_stages_take() -> None:
    runs = [*a_round("sqlite", 1), *a_round("postgres", 1), *a_round("sqlite", 2, faster=2.0), *a_round("postgres", 2)]
    record = record_of(runs, Options(), versions={})
    assert (record.figures["sqlite_cycles_per_second"].lowest, record.figures["sqlite_cycles_per_second"].highest) == (
        pytest.approx(200),
        pytest.approx(400),
    )
    assert record.figures["postgres_cycles_per_second"].highest == pytest.approx(200)
    assert record.figures["sqlite_cpu_us_cycle"].median == pytest.approx(5000)
    assert record.figures["sqlite_cpu_us_collect"].median == pytest.approx(2000)
    assert "postgres_database_cpu_us_confirm" in record.figures
    assert "sqlite_database_cpu_us_confirm" not in record.figures
    assert [row[0] for row in record.tables[0].rows][:2] == ["sqlite, order", "sqlite, collect"]


def test_stages_that_others_disturbed_or_that_the_clients_limited_are_refused() -> None:
    disturbed = [*a_round("sqlite", 1)[:2], replace(a_round("sqlite", 1)[2], others=0.4)]
    with pytest.raises(Refused, match=r"more than 10 % of the server's core \(sqlite confirm, round 1\)"):
        record_of(disturbed, Options(), versions={})
    assert record_of(disturbed, Options(tolerate_others=True), versions={}).warnings
    limited = [replace(one, load_busy=0.97) for one in a_round("sqlite", 1)]
    with pytest.raises(Refused, match="the clients were the limit"):
        record_of(limited, Options(tolerate_others=True), versions={})


def test_a_database_that_there_is_not_is_refused_with_those_that_are() -> None:
    with pytest.raises(Refused, match="there are sqlite, postgres"):
        cycle.run(Options(only=("oracle",)))


@pytest.mark.long
@pytest.mark.xdist_group("machine")
def test_customers_go_through_whole_cycles_on_both_databases(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cycle, "CYCLES_A_SECOND", 8)
    monkeypatch.setattr(cycle, "CACHE", tmp_path)
    record = cycle.run(Options(rounds=1, seconds=1, connections=4, tolerate_others=True))
    assert [(run["database"], run["stage"]) for run in record.runs] == [
        (database, stage) for database in ("sqlite", "postgres") for stage in ("order", "collect", "confirm")
    ]
    for run in record.runs:
        assert float(run["per_second"]) > 0
        assert 0 < float(run["p50_ms"]) <= float(run["p99_ms"])
    assert not list(tmp_path.iterdir()), "what a server left is taken away"
