"""The load tester's histogram: values to 1.6 %, sums of several processes, and back from JSON."""

import json

from hypothesis import given
from hypothesis import strategies as st

from opendepot.bench.latency import Latencies

SECONDS = st.floats(min_value=0, max_value=3600, allow_nan=False)


@given(values=st.lists(SECONDS, min_size=1), share=st.sampled_from([0.01, 0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_that_of_the_sorted_values_to_one_part_in_64(values: list[float], share: float) -> None:
    counted = Latencies()
    for value in values:
        counted.add(value)
    micros = sorted(round(value * 1e6) for value in values)
    wanted = share * len(micros)
    exact = next(value for number, value in enumerate(micros, start=1) if number >= wanted) / 1e6
    assert exact - 1e-9 <= counted.quantile(share) <= exact * (1 + 1 / 64) + 1e-6


@given(parts=st.lists(st.lists(SECONDS), max_size=4))
def test_what_processes_counted_apart_is_what_one_would_have_counted(parts: list[list[float]]) -> None:
    one, apart = Latencies(), []
    for part in parts:
        apart.append(Latencies())
        for value in part:
            one.add(value)
            apart[-1].add(value)
    together = Latencies()
    together.merge(Latencies.of(json.loads(json.dumps(each.as_dict()))) for each in apart)
    assert together.as_dict() == one.as_dict()
    assert len(together) == sum(map(len, parts))


def test_nothing_counted_has_no_time() -> None:
    assert Latencies().quantile(0.99) == 0.0
