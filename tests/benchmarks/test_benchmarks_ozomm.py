"""The figures of the benchmark `ozomm` are what its rounds say."""

import pytest

from benchmarks.ozomm import Run, record_of


def test_an_extension_is_told_against_an_order_with_a_collection() -> None:
    one = Run(round=1, order_us=100, collect_us=300, extend_us=800, depot_us=50, depot_waiting_us=75, waiting=1000)

    figures = record_of([one]).figures

    assert figures["ratio_order_collect"].median == pytest.approx(2.0)
    assert figures["ratio_depot_p50_while_waiting"].median == pytest.approx(1.5)
