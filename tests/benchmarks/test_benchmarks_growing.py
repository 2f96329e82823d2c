"""A database of the benchmark `growth` is one that the server made, and takes orders as shops send them."""

import sqlite3

import pytest

from benchmarks.growing import Depot

HELD = 300

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("machine")]


def column(depot: Depot, sql: str) -> list[str]:
    db = sqlite3.connect(depot.location)
    try:
        return [str(value) for (value,) in db.execute(sql)]
    finally:
        db.close()


def test_a_copy_takes_orders_that_count_up_under_names_in_no_order_and_the_first_stays_as_it_was(tmp_path):
    depot = Depot(folder=tmp_path / "depot", held=HELD)
    depot.begin()
    depot.multiply()
    with depot.copied(tmp_path / "copy") as copy:
        with copy.served() as (pid, port):
            load = copy.loaded(port, seconds=1)
            cpu_seconds, _, written = copy.used(pid)
        new = f"FROM orders ORDER BY order_id LIMIT {load.requests} OFFSET {HELD}"
        numbers, names = (column(copy, f"SELECT {name} {new}") for name in ("order_number", "transaction_id"))
        # A few may be on their way when the load ends, and they are answered side by side.
        assert load.requests <= len(numbers) + 1
        assert len(set(names)) == len(set(numbers)) == len(numbers)
        assert len({number[:12] for number in numbers}) == 1
        assert len({name[0] for name in names}) == len("0123456789abcdef")
        assert cpu_seconds > 0
        assert written > 0
    assert column(depot, "SELECT count(*) FROM orders") == [str(HELD)]
    assert not (tmp_path / "copy").exists()
