"""What it costs to know who calls: each kind is an order that the whole server answers, by the proof that it has."""

import http.client
import os

import pytest

from benchmarks.identified import CALLS_A_SECOND, KINDS, SLICES, Identified, _slices, run_seconds, running
from benchmarks.report import Refused

pytestmark = pytest.mark.slow


def answered(port: int, kind: Identified, request: bytes) -> tuple[int, bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        lines = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:]]
        connection.request("POST", kind.path, body, dict(lines))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_each_kind_is_an_order_and_is_measured_and_one_that_is_refused_ends_it() -> None:
    assert (CALLS_A_SECOND, SLICES) == (400, 4)
    with running() as (pid, port, kinds):
        assert tuple(kinds) == KINDS
        for kind in kinds.values():
            status, body = answered(port, kind, kind.request())
            assert (status, b"orderId>" in body) == (200, True), body
        for name in ("key", "digest", "signed", "rsa"):
            proof = kinds[name]
            status, body = answered(port, proof, Identified(proof.path, kinds["bare"].made).request())
            assert (status, b"NotIdentified" in body) == (401, True), "without its proof it is nobody's"
        costs = _slices(pid, port, kinds, each=SLICES)
        assert set(costs) == {f"http_{name}_us" for name in KINDS}
        assert all(10 < cost < 1_000_000 for cost in costs.values())
        with pytest.raises(Refused, match="1 of 1 orders"):
            _slices(pid, port, {"wrong": Identified("/v1/sales", kinds["bare"].made)}, each=SLICES)


def test_the_time_of_a_process_is_that_of_its_threads() -> None:
    before = run_seconds(os.getpid())
    sum(range(300_000))
    assert 0.0001 < run_seconds(os.getpid()) - before < 60
