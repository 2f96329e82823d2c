import pytest

from benchmarks.load import parse_summary
from benchmarks.report import Refused

OUTPUT = """Running 5s test @ http://127.0.0.1:18500/v1/sales
  1 threads and 32 connections
  24612 requests in 2.00s, 29.11MB read
Requests/sec:  12306.00
summary: {"requests": 24612, "microseconds": 2000000, "bytes": 24612000, "connect": 0, "read": 0, "write": 0, \
"status": 0, "timeout": 0, "p50": 1260.000, "p99": 3140.500}
"""


def test_the_summary_gives_requests_seconds_bytes_and_milliseconds() -> None:
    load = parse_summary(OUTPUT)
    assert (load.requests, load.seconds, load.answer_bytes, load.failures) == (24612, 2.0, 1000.0, 0)
    assert (load.p50_ms, load.p99_ms) == (1.26, 3.1405)


@pytest.mark.parametrize("kind", ["connect", "read", "write", "status", "timeout"])
def test_every_kind_of_error_is_a_failure(kind: str) -> None:
    assert parse_summary(OUTPUT.replace(f'"{kind}": 0', f'"{kind}": 7')).failures == 7


def test_output_without_a_summary_is_refused_with_what_wrk_said() -> None:
    with pytest.raises(Refused, match="unable to connect"):
        parse_summary("unable to connect to 127.0.0.1:18500 Connection refused\n")


def test_a_run_without_an_answer_is_refused() -> None:
    with pytest.raises(Refused, match="no answer"):
        parse_summary(OUTPUT.replace('"requests": 24612', '"requests": 0'))
