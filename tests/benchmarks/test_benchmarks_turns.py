import pytest

from benchmarks.engine import RATIOS, figures_of
from benchmarks.report import Options, Refused
from benchmarks.turns import Run, disturbed, limited_by_load, ratio, refuse_if_unfair, starved_by_others


def run(contestant: str, number: int = 1, /, *, rps: float = 1000.0, **changes: float) -> Run:
    values = {"p50_ms": 1.0, "p99_ms": 2.0, "cpu_us": 50.0, "rss_mib": 30.0, "server_busy": 1.0, "load_busy": 0.5}
    others = {"server_core_others": 0.0, "load_core_others": 0.0}
    return Run(contestant=contestant, round=number, requests=5000, rps=rps, **{**values, **others, **changes})


def test_a_ratio_compares_runs_of_the_same_round() -> None:
    # The machine was half as fast in the second round: the ratio of the medians would be 1.0.
    runs = [
        run("ours", 1, rps=300.0),
        run("gsoap", 1, rps=200.0),
        run("ours", 2, rps=150.0),
        run("gsoap", 2, rps=100.0),
    ]
    found = ratio([*runs, run("ours", 3, rps=10.0), run("gsoap", 3, rps=20.0)], "ours", "gsoap")
    assert (found.median, found.lowest, found.highest) == (1.5, 0.5, 1.5)


def test_no_ratio_is_given_when_a_round_lacks_a_contestant() -> None:
    with pytest.raises(Refused, match="round 2 has no gsoap"):
        ratio([run("ours", 1), run("gsoap", 1), run("ours", 2)], "ours", "gsoap")


def test_figures_of_a_contestant_that_did_not_run_are_refused_and_not_invented() -> None:
    figures, missing = figures_of([run("ours"), run("gsoap", rps=500.0)])
    measures = ("rps", "p50_ms", "p99_ms", "cpu_us", "rss_mib")
    assert set(figures) == {"ratio_gsoap", *measures, *(f"{measure}_gsoap" for measure in measures)}
    assert (figures["ratio_gsoap"].median, figures["rps"].median, figures["rps_gsoap"].median) == (2.0, 1000.0, 500.0)
    assert len(missing) == len(RATIOS) - 1
    assert "ratio_spyne is not given: spyne was not measured" in missing
    assert "ratio_gsoap_shipped is not given: ours-shipped was not measured" in missing


def test_what_ours_is_as_shipped_is_called_so_and_has_ratios_of_its_own() -> None:
    figures, _ = figures_of([run("ours-shipped", rps=900.0), run("ours-rules", rps=500.0), run("gsoap")])
    assert (figures["ratio_gsoap_shipped"].median, figures["ratio_gsoap_rules"].median) == (0.9, 0.5)
    assert (figures["rps_shipped"].median, figures["rps_rules"].median) == (900.0, 500.0)
    assert "rps" not in figures


def test_without_ours_there_is_no_ratio_at_all() -> None:
    figures, missing = figures_of([run("gsoap"), run("spyne")])
    assert not figures.keys() & RATIOS.keys()
    assert len(missing) == len(RATIOS)


@pytest.mark.parametrize(
    ("load_busy", "server_busy", "limited"),
    [(0.96, 0.89, True), (0.95, 0.89, False), (0.96, 0.90, False), (0.5, 0.5, False), (1.0, 1.0, False)],
)
def test_a_run_counts_only_when_the_server_was_the_limit(load_busy: float, server_busy: float, limited: bool) -> None:
    runs = [run("gsoap"), run("ours", load_busy=load_busy, server_busy=server_busy)]
    assert limited_by_load(runs) == (["ours"] if limited else [])


def test_the_median_decides_whether_the_load_generator_was_the_limit() -> None:
    limited = [run("ours", number, load_busy=0.99, server_busy=0.7) for number in (1, 2)]
    assert limited_by_load([*limited, run("ours", 3)]) == ["ours"]
    assert limited_by_load([limited[0], run("ours", 2), run("ours", 3)]) == []


def test_others_on_the_cores_are_worth_a_warning() -> None:
    assert disturbed([run("ours", server_core_others=0.05)]) == []
    (warning,) = disturbed([run("ours"), run("gsoap", load_core_others=0.3)])
    assert warning.startswith("gsoap: others used 30%")


@pytest.mark.parametrize(
    ("server_busy", "others", "starved"), [(0.89, 0.11, True), (0.90, 0.11, False), (0.89, 0.10, False)]
)
@pytest.mark.parametrize("core", ["server_core_others", "load_core_others"])
def test_a_server_that_others_keep_from_its_core_is_starved(
    core: str, server_busy: float, others: float, starved: bool
) -> None:
    runs = [run("ours"), run("gsoap", server_busy=server_busy, **{core: others})]
    assert starved_by_others(runs) == (["gsoap"] if starved else [])


def test_unfair_runs_are_not_reported_unless_others_are_tolerated() -> None:
    starved = [run("gsoap", server_busy=0.45, server_core_others=0.5)]
    with pytest.raises(Refused, match="gsoap got less than 90 % of a core"):
        refuse_if_unfair(starved, Options())
    refuse_if_unfair(starved, Options(tolerate_others=True))
    refuse_if_unfair([run("gsoap")], Options())


def test_a_load_generator_that_was_the_limit_is_never_tolerated() -> None:
    with pytest.raises(Refused, match="load generator was the limit for ours"):
        refuse_if_unfair([run("ours", server_busy=0.6, load_busy=0.99)], Options(tolerate_others=True))
