"""The benchmark of stages: every stage does its real work on messages of the size that is told."""

import pytest
from lxml import etree

from benchmarks.stages import KNOWN, SIZES, STAGES, _rises, _stages, order_of


@pytest.mark.parametrize("size", SIZES)
def test_a_message_is_about_as_long_as_it_says_and_well_formed(size: str) -> None:
    body = order_of(SIZES[size])
    assert 0.9 <= len(body) / SIZES[size] <= 1.1
    assert etree.fromstring(body).tag.endswith("Envelope")


def test_every_stage_runs_on_a_small_and_on_a_large_message() -> None:
    for length in (1024, 70_000):
        works = _stages(order_of(length))
        assert tuple(works) == ((KNOWN, *STAGES) if length == 1024 else STAGES)
        for work in works.values():
            work()
        assert works["validate"]() is True
        assert len(works["decode"]().order_line) > 2  # type: ignore[attr-defined]


def test_a_rise_of_the_cost_of_a_kilobyte_is_told_and_a_fall_is_not() -> None:
    assert _rises({"1k": 10.0, "4k": 9.0, "64k": 9.5}) == []
    (told,) = _rises({"1k": 10.0, "4k": 13.0})
    assert "4k" in told
