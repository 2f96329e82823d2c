"""Ours in the benchmark `engine`, bare and as shipped: each answers the order, and what is shipped stores none."""

import json
import socketserver
import sqlite3
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from benchmarks.checks import ORDER, check_answers, sender
from benchmarks.contestants import ROOT
from benchmarks.engine import OUR_OWN, OURS, PEERS, RATIOS, names_chosen, refusals_of
from benchmarks.load import Request, send_load
from benchmarks.messages import BAD_REQUESTS, varied_orders
from benchmarks.processes import SERVER_CORE, free_port, serving
from benchmarks.report import Options
from benchmarks.shipped import PATH, SHOP
from benchmarks.shipped_worker import WAYS


class Collecting(socketserver.StreamRequestHandler):
    """Answers whatever comes with 200 and keeps it."""

    bodies: list[bytes]

    def handle(self) -> None:
        while self.rfile.readline():
            length = 0
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            self.bodies.append(self.rfile.read(length))
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def events_of(log: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


@pytest.mark.parametrize("count", [0, 30])
def test_the_load_sends_each_order_in_turn_and_then_all_of_them_again(count: int) -> None:
    Collecting.bodies = []
    orders = varied_orders(count)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Collecting) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            request = Request(path="/", body=b"alone", headers=ORDER.headers, bodies=orders)
            load = send_load(request, port=server.server_address[1], seconds=1, connections=1)
        finally:
            server.shutdown()
            thread.join()
    assert load.failures == 0
    sent = Collecting.bodies
    assert len(sent) > 60
    expected = orders or (b"alone",)
    # wrk asks once before it begins, to see whether the script sends several at once.
    start = expected.index(sent[0])
    assert sent[:60] == [expected[(start + place) % len(expected)] for place in range(60)]


def test_all_take_part_or_those_that_are_named_in_the_order_of_a_round() -> None:
    assert names_chosen(Options()) == [*OUR_OWN, *PEERS]
    assert names_chosen(Options(only=("spyne", "ours"))) == ["ours", "spyne"]
    assert {name for ratio in RATIOS.values() for name in ratio} == {*OUR_OWN, *PEERS}


@pytest.mark.long
def test_ours_answers_the_order_and_refuses_all_that_is_bad() -> None:
    assert refusals_of(OURS) == dict.fromkeys(BAD_REQUESTS, True)


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS)
def test_what_is_shipped_answers_as_served_by_the_rule_of_the_shop_and_stores_nothing(way: str, tmp_path: Path) -> None:
    port, folder, log = free_port(), tmp_path / "depot", tmp_path / "log"
    words = f"exec {sys.executable} -m benchmarks.shipped --port {port} --way {way} --folder {folder} 2>{log}"
    with serving(["sh", "-c", words], port=port, core=SERVER_CORE, directory=ROOT):
        send = sender(port, PATH)
        check_answers(send)
        assert [send(body)[0] for body in BAD_REQUESTS.values()] == [500] * len(BAD_REQUESTS)
        assert sender(port)(ORDER.body)[0] == 401, "nobody is let in without the name of a shop"
        (admin,) = [event["admin_url"] for event in events_of(log) if event["event"] == "serving"]
        with urllib.request.urlopen(f"{admin}/readyz") as ready, urllib.request.urlopen(f"{admin}/metrics") as metrics:
            assert ready.status == 200
            counted = metrics.read().decode()
    exchanges = [event for event in events_of(log) if event["event"] == "exchange"]
    assert len(exchanges) == 2 + len(BAD_REQUESTS) + 1
    for exchange in exchanges[:2]:
        assert (exchange["shop"], exchange["address_allowed"], exchange["outcome"]) == (SHOP, True, "ok")
    assert 'operation="CreateOrder"' in counted
    connection = sqlite3.connect(folder / "opendepot.sqlite3")
    try:
        assert connection.execute("SELECT count(*) FROM orders").fetchall() == [(0,)]
        assert connection.execute("SELECT count(*) FROM tickets").fetchall() == [(0,)]
        assert connection.execute("SELECT count(*) FROM items").fetchall() == [(3,)]
    finally:
        connection.close()
