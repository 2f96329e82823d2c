"""The benchmark `stream`, shorter: constant memory, each update once, whole and in halves; slow readers leave nothing.

The answer is larger than what either side may grow by, so whoever keeps it whole is found out.
"""

import pytest

from benchmarks import stream
from benchmarks.report import Options

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("machine")]

MEBIBYTES, MOST_GROWTH, MOST_CLIENT_GROWTH = 40, 32, 16


def test_an_answer_streams_in_constant_memory_whole_and_in_halves_and_slow_readers_cost_their_socket() -> None:
    record = stream.run(Options(rounds=1, seconds=1, mebibytes=MEBIBYTES), shape=stream.LARGE_FILES)
    (run,) = record.runs
    assert float(run["mebibytes"]) >= MEBIBYTES
    assert run["descriptors_left"] == 0
    assert float(record.figures["growth_mib"].median) < MOST_GROWTH
    assert float(record.figures["slow_growth_mib"].median) < MOST_GROWTH
    assert float(record.figures["mtom_growth_mib"].median) < MOST_GROWTH
    assert float(record.figures["client_growth_mib"].median) < MOST_CLIENT_GROWTH
