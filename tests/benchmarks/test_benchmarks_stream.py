"""The benchmark `stream`, small: every update arrives once, whole and in halves, and slow readers leave nothing."""

import pytest

from benchmarks import stream
from benchmarks.report import Options

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("machine")]


def test_a_small_answer_streams_whole_and_in_halves_and_slow_readers_cost_their_socket() -> None:
    record = stream.run(Options(rounds=1, seconds=1, mebibytes=2))
    (run,) = record.runs
    assert float(run["mebibytes"]) >= 2
    assert run["descriptors_left"] == 0
    assert float(record.figures["growth_mib"].median) < 32
    assert float(record.figures["client_growth_mib"].median) < 32
